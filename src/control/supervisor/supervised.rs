//! A lab that is up, with what is known of it beside its cloud.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::capturing::Captures;
use super::events::Events;
use super::flow_logs::Windows;
use crate::control::lab_dir::LabName;
use crate::lab::{Lab, Verdicts};
use crate::model::InstanceName;
use crate::protocol::Revision;

/// A lab and what is known of it beside its cloud.
pub(super) struct Supervised {
    pub lab: Lab,
    pub name: LabName,
    pub file: String,
    pub pid: u32,
    pub up: Instant,
    /// Since when the instances run.
    pub since: Arc<HashMap<InstanceName, Instant>>,
    pub revision: Revision,
    pub events: Events,
    pub verdicts: Verdicts,
    pub windows: Windows,
    pub captures: Captures,
}
