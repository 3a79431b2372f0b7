//! `sglab test` on the article's two-tier cloud, from start to exit, every cell of every step probed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "each benchmark takes what it needs")]
mod common;

use std::process::Command;
use std::time::Instant;

fn main() {
    let time = |arguments: &[&str]| {
        let begun = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_sglab")).args(arguments).output().expect("the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        begun.elapsed()
    };
    let rounds = common::rounds(10);
    let nothing: Vec<_> = (0..rounds).map(|_| time(&["--version"])).collect();
    let all: Vec<_> = (0..rounds).map(|_| time(&["test", "example:two-tier"])).collect();
    common::row("sglab --version", &nothing);
    common::row("sglab test example:two-tier: 7 steps, 1,170 cells", &all);
}
