//! `tracking:`, the idle timeouts of connection tracking.

use crate::model::TrackingTimeouts;
use crate::topology::document::settings::Tracking;
use crate::topology::document::shape::Field;
use crate::topology::document::values::Whole;

/// The timeouts of a file; what it does not say is as EC2 has it.
pub(super) fn timeouts(said: &Tracking) -> TrackingTimeouts {
    fn or<const MIN: u32, const MAX: u32>(field: &Field<Whole<MIN, MAX>>, usual: u32) -> u32 {
        field.get().map_or(usual, |number| number.value)
    }
    let usual = TrackingTimeouts::default();
    TrackingTimeouts {
        tcp_established: or(&said.tcp_established, usual.tcp_established),
        udp: or(&said.udp, usual.udp),
        udp_stream: or(&said.udp_stream, usual.udp_stream),
        icmp: or(&said.icmp, usual.icmp),
        other: or(&said.other, usual.other),
        clock_factor: or(&said.clock_factor, usual.clock_factor),
    }
}
