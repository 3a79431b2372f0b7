//! The `sglab` program: a thin shell around the library.

mod cli;

use std::process::ExitCode;

// Not `#[tokio::main]`: the sandbox must be entered before the first thread exists.
fn main() -> ExitCode {
    cli::run()
}
