//! The cause of a drop that the model predicts, in the words of the filter's records: what was recorded, where, and at whose
//! interface.

use crate::compile::names;
use crate::model::{Check, Hop, Verdict};
use crate::network::NodeName;
use crate::network::record::Record;
use crate::probe::{DropCause, Recorded};

/// The cause that a verdict predicts; nothing where it predicts no drop.
pub fn of(verdict: &Verdict) -> Option<DropCause> {
    let recorded = |record, node, interface| Some(DropCause::Other(Recorded { record, node, interface }));
    match verdict {
        Verdict::Dropped { at, interface, groups } => {
            Some(DropCause::Groups { at: *at, interface: interface.clone(), groups: groups.clone() })
        }
        Verdict::FailsCheck { interface, check, vpc } => {
            recorded(record_of(*check), names::router(vpc), Some(interface.clone()))
        }
        Verdict::Blackhole { vpc } => recorded(Record::Blackhole, names::router(vpc), None),
        Verdict::Untranslated { vpc } => recorded(Record::Untranslated, names::gateway(vpc), None),
        Verdict::Open { .. } | Verdict::Misdelivered { .. } | Verdict::Unreachable { .. } | Verdict::Unresolved => None,
    }
}

/// The record of a packet that fails a check.
pub fn record_of(check: Check) -> Record {
    match check {
        Check::Source => Record::Spoofed,
        Check::Destination => Record::NotItsOwn,
    }
}

/// The namespace of a box.
pub fn node(hop: &Hop) -> NodeName {
    match hop {
        Hop::Router(vpc) => names::router(vpc),
        Hop::Gateway(vpc) => names::gateway(vpc),
        Hop::Internet => names::internet(),
    }
}
