//! Work before `main` of a process that was started by one of ours.

use super::{machine, raw, summons};

raw::before_main!(machine::roles::answer, summons::answer);
