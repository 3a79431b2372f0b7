//! Topologies that once showed a disagreement between model and kernel: `tests/topologies-regressions.txt`, a line `==== NAME` before each.

const FILE: &str = include_str!("../topologies-regressions.txt");

/// Every one of them: its name and its text.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILE.split("==== ").skip(1).map(|case| case.split_once('\n').expect("a name and a topology"))
}
