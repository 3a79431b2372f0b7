//! `tracking:`, the idle timeouts of connection tracking.

use super::reading::Reading;
use super::tree::Node;
use crate::model::TrackingTimeouts;

/// How much faster the lab's clock goes.
const FACTOR: &str = "clock-factor";
/// What there is to set, in seconds, with the range that EC2 takes; where it takes none, up to a day.
const KEYS: [(&str, u32, u32); 6] = [
    ("tcp-established", 60, 432_000),
    ("udp", 30, 60),
    ("udp-stream", 60, 180),
    ("icmp", 1, 86_400),
    ("other", 1, 86_400),
    (FACTOR, 1, 1_000_000),
];

impl Reading<'_> {
    /// The timeouts of a file.
    pub fn tracking(&mut self, node: Option<&Node>) -> TrackingTimeouts {
        let mut timeouts = TrackingTimeouts::default();
        let Some(node) = node else { return timeouts };
        let known = KEYS.map(|(key, ..)| key);
        let Some(fields) = self.fields(node, "a mapping of timeouts", &known) else { return timeouts };
        for (key, least, most) in KEYS {
            let Some(node) = fields.get(key) else { continue };
            let what = if key == FACTOR { "a factor of the clock" } else { "an idle timeout in seconds" };
            let Some(value) = self.number(node, what, least..=most) else { continue };
            *match key {
                "tcp-established" => &mut timeouts.tcp_established,
                "udp" => &mut timeouts.udp,
                "udp-stream" => &mut timeouts.udp_stream,
                "icmp" => &mut timeouts.icmp,
                "other" => &mut timeouts.other,
                _ => &mut timeouts.clock_factor,
            } = value;
        }
        timeouts
    }
}
