//! How long tests wait for what must come about, before they say that it has not. When it comes, nothing waits on.

use std::sync::LazyLock;
use std::time::Duration;

/// What every such wait is multiplied by, for machines that are slow or busy: 1 if it is not set.
const FACTOR: &str = "SGLAB_TEST_PATIENCE";

/// So long on this machine, where it is `seconds` on one that has nothing else to do.
pub fn patience(seconds: u64) -> Duration {
    static TIMES: LazyLock<f64> = LazyLock::new(|| match std::env::var(FACTOR) {
        Err(_) => 1.0,
        Ok(factor) => match factor.parse() {
            Ok(factor) if (0.1..=1000.0).contains(&factor) => factor,
            _ => panic!("{FACTOR} is a factor like 2 or 0.5, and not {factor:?}"),
        },
    });
    Duration::from_secs(seconds).mul_f64(*TIMES)
}
