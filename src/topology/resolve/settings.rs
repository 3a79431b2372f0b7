//! `knobs:` and `tracking:`: what a file does not say is as the era or EC2 has it.

use crate::model::{self, TrackingTimeouts};
use crate::topology::document::settings::{Knobs, Tracking};
use crate::topology::document::shape::Field;
use crate::topology::document::values::{Choice, Whole};

/// The knobs of a file under an era with this preset.
pub(super) fn knobs(said: &Knobs, preset: model::Knobs) -> model::Knobs {
    fn or<T: Copy>(field: &Field<Choice<T>>, usual: T) -> T {
        field.get().map_or(usual, |choice| choice.value)
    }
    model::Knobs {
        change_groups: or(&said.change_groups, preset.change_groups),
        self_reference: or(&said.self_reference, preset.self_reference),
        private_address_on_start: or(&said.private_address_on_start, preset.private_address_on_start),
        address_on_crash: or(&said.address_on_crash, preset.address_on_crash),
        elastic_ip_on_stop: or(&said.elastic_ip_on_stop, preset.elastic_ip_on_stop),
        quotas: or(&said.quotas, preset.quotas),
        group_reference_ipv6: or(&said.group_reference_ipv6, preset.group_reference_ipv6),
        icmp_errors: or(&said.icmp_errors, preset.icmp_errors),
    }
}

/// The timeouts of a file.
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
