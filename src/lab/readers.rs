//! Every reader of outside text that a lab has, for whoever feeds it any bytes at all.

pub use super::services::readers::{dns, http, time};
pub use crate::fabric::readers::{flows, log, packet, rules};
pub use crate::probe::readers::answer;
