//! Words of a VPC flow log ("Flow log records", Amazon VPC user guide).

use std::fmt;

/// Action on packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FlowLogAction {
    /// `ACCEPT`.
    Accept,
    /// `REJECT`: groups refused them, or they came after their connection was closed.
    Reject,
}

impl fmt::Display for FlowLogAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "ACCEPT",
            Self::Reject => "REJECT",
        })
    }
}

/// Logging status of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogStatus {
    /// `OK`.
    Ok,
    /// `NODATA`: the interface had no traffic in the window.
    NoData,
    /// `SKIPDATA`: records of the window were lost.
    SkipData,
}

impl fmt::Display for LogStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::NoData => "NODATA",
            Self::SkipData => "SKIPDATA",
        })
    }
}
