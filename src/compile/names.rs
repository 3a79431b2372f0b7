//! STUB
/// STUB
pub const CANARY_OPEN: u16 = 7;
/// STUB
pub const CANARY_DROPPED: u16 = 9;
