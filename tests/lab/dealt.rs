//! Long sweeps are dealt out among the users that run them, so that each case runs as both and no part of it twice.

/// What part of its sweeps a process takes: `0/2` takes the first of each two, and so on.
pub const DEALT: &str = "SGLAB_TEST_DEALT";

/// Whether a part of a sweep is this process's to run. Who runs the tests alone runs all of it.
pub fn is_ours(number: usize) -> bool {
    let Ok(dealt) = std::env::var(DEALT) else { return true };
    let (share, of) = dealt.split_once('/').expect("SHARE/OF");
    let (share, of): (usize, usize) = (share.parse().expect("a share"), of.parse().expect("of how many"));
    number % of == share
}
