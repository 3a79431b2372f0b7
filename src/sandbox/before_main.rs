//! Work before `main` of a process that was started by one of ours.

use super::{machine, raw, reexec};

raw::before_main!(machine::init::answer, reexec::answer);
