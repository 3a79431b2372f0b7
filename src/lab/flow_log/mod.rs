//! VPC flow logs: what each network interface accepted and rejected, made of the filter's records of new flows and drops and
//! of connection tracking's counts. No prediction has a part in it.
//!
//! Source: "Flow log records", "Flow log limitations" (Amazon VPC user guide).

mod journal;
mod log;
mod recording;
mod records;

pub use log::{FULL, FlowLog};
pub use recording::FlowLogs;
pub(super) use recording::Journal;
pub use records::{Eni, FlowRecord, Traffic};

/// The numbers of protocols in a record.
pub use crate::fabric::packet::{ICMP, ICMPV6, TCP, UDP};
