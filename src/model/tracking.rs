//! Idle timeouts of tracked flows.

/// Seconds after which an idle flow is forgotten, and how much faster than in EC2 the clock of that goes.
///
/// Source: "Security group connection tracking" (EC2 user guide), "Idle connection tracking timeout".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TrackingTimeouts {
    /// An established TCP connection, 60 s to 5 days.
    pub tcp_established: u32,
    /// UDP in one direction, or a single question and answer, 30 to 60 s.
    pub udp: u32,
    /// UDP with more than one question and answer, 60 to 180 s.
    pub udp_stream: u32,
    /// ICMP. Amazon does not say; the choice is sglab's.
    pub icmp: u32,
    /// Every other protocol.
    pub other: u32,
    /// All of these are divided by it, and are at least a second then.
    pub clock_factor: u32,
}

impl Default for TrackingTimeouts {
    fn default() -> Self {
        Self { tcp_established: 432_000, udp: 30, udp_stream: 180, icmp: 30, other: 600, clock_factor: 1 }
    }
}
