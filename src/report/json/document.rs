//! The shape of the document, as `docs/output.md` tells it.

use std::net::IpAddr;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::super::{coverage, held_connections};
use crate::model::{ConnectionName, Direction, Era, HostIp, Service, SourceLocation, Via};
use crate::scenario::{
    AddressChange, Check, Class, Counts, DecidingRule, Evidence, Finding, RunVerdict, SECTIONS, Said, ServicesTold,
    StepStatus,
};
use crate::topology::ExpectedOutcome;

#[derive(Serialize)]
pub struct Document<'a> {
    pub format: u32,
    pub exit_code: u8,
    pub runs: Vec<Run<'a>>,
    pub differences: Vec<Differing>,
    pub differences_left_out: usize,
}

/// Difference between the eras of a file.
#[derive(Serialize)]
pub struct Differing {
    pub file: Arc<str>,
    pub steps: IndexMap<Era, Option<usize>>,
    pub flow: Option<Which>,
    pub connection: Option<ConnectionName>,
    pub outcomes: IndexMap<Era, Option<&'static str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Run<'a> {
    Ran(Box<Ran<'a>>),
    Broken(Failure<'a>),
}

#[derive(Serialize)]
pub struct Ran<'a> {
    pub file: &'a str,
    pub topology: &'a str,
    pub era: Era,
    pub verdict: RunVerdict,
    pub evidence: Evidence,
    pub services: Option<ServicesTold>,
    pub instances: usize,
    pub addresses: usize,
    pub groups: usize,
    pub rules: usize,
    pub boot_ms: f64,
    pub took_ms: f64,
    pub counts: Counts,
    pub claims: Vec<&'a str>,
    pub coverage: Option<coverage::Json<'a>>,
    pub steps: Vec<Step<'a>>,
}

#[derive(Serialize)]
pub struct Failure<'a> {
    pub file: &'a str,
    pub era: Option<Era>,
    pub verdict: &'static str,
    pub error: &'a str,
    pub place: Option<&'a SourceLocation>,
}

/// The checks of each section, under its key.
pub struct Sections<'a>(pub &'a [Check]);

impl Serialize for Sections<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(SECTIONS.iter().map(|section| {
            let checks = self.0.iter().filter(|check| check.section() == Some(*section));
            (section.key, checks.collect::<Vec<_>>())
        }))
    }
}

#[derive(Serialize)]
pub struct Step<'a> {
    pub number: usize,
    pub name: &'a str,
    pub place: &'a SourceLocation,
    pub note: Option<&'a str>,
    pub status: StepStatus,
    pub counts: Counts,
    pub canaries_held: bool,
    pub rules_edited: Option<usize>,
    pub in_force_ms: Option<f64>,
    pub took_ms: f64,
    pub grid: Option<Table<'a>>,
    pub flows: Vec<Cell<'a>>,
    pub wrong: Vec<Cell<'a>>,
    pub wrong_by_class: Vec<WrongOfClass>,
    pub changed_by_class: Vec<ChangedOfClass>,
    pub left_out: LeftOut,
    pub disagreements: Vec<Disagreeing>,
    pub evidence: Option<&'a str>,
    pub connection_disagreements: Vec<held_connections::Disagreeing<'a>>,
    pub connections_not_compared: Vec<held_connections::Uncompared<'a>>,
    #[serde(flatten)]
    pub sections: Sections<'a>,
    pub findings: &'a [Finding],
    pub changed: Vec<Changed<'a>>,
    pub addresses: &'a [AddressChange],
    pub claims: &'a [String],
}

/// Wrong cells that were expected and found alike.
#[derive(Serialize)]
pub struct WrongOfClass {
    pub expected: ExpectedOutcome,
    pub observed: Class,
    pub cells: usize,
}

/// Cells that changed alike.
#[derive(Serialize)]
pub struct ChangedOfClass {
    pub was: Class,
    pub now: Class,
    pub cells: usize,
}

/// Numbers of cells that lists do not hold.
#[derive(Serialize)]
pub struct LeftOut {
    pub flows: usize,
    pub wrong: usize,
    pub disagreements: usize,
    pub changed: usize,
}

#[derive(Serialize)]
pub struct Table<'a> {
    pub services: &'a [Service],
    pub targets: Vec<String>,
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
pub struct Row {
    pub from: String,
    pub address: Option<HostIp>,
    pub via: Via,
    pub cells: Vec<Option<String>>,
}

#[derive(Serialize)]
pub struct Which {
    pub from: String,
    pub from_address: Option<HostIp>,
    pub to: String,
    pub to_address: Option<HostIp>,
    pub via: Via,
    pub service: Service,
}

#[derive(Serialize)]
pub struct Cell<'a> {
    #[serde(flatten)]
    pub flow: Which,
    pub expected: ExpectedOutcome,
    pub expected_at: Option<Direction>,
    pub observed: Class,
    pub detail: String,
    pub reason: Option<&'a str>,
    pub right: bool,
    pub rule: Option<&'a DecidingRule>,
    pub resolved: Option<IpAddr>,
    pub expected_by: Option<&'a Said>,
}

/// A flow of which model and kernel say different things.
#[derive(Serialize)]
pub struct Disagreeing {
    #[serde(flatten)]
    pub flow: Which,
    pub predicted: Class,
    pub predicted_detail: String,
    pub observed: Class,
    pub detail: String,
}

#[derive(Serialize)]
pub struct Changed<'a> {
    #[serde(flatten)]
    pub flow: Which,
    pub was: Class,
    pub now: Class,
    pub rule: Option<&'a DecidingRule>,
}
