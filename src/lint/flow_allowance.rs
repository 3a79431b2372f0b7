//! Allowances of flows that a change opens, each with a reason and, if wanted, a last day.

use std::collections::HashMap;
use std::fmt;

use super::allowance::{AllowanceFault, reasoned};
use super::date::{Date, ended};
use crate::model::SourceLocation;
use crate::reach::{Difference, Passage};

/// An allowance of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowAllowance {
    /// The flow, as a difference tells it: `anywhere -> web:443`.
    pub flow: String,
    /// The reason.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// Its place.
    pub place: SourceLocation,
}

impl FlowAllowance {
    /// Makes one of its words.
    ///
    /// # Errors
    /// If there is no reason, or no such day.
    pub fn new(
        (flow, reason, until): (&str, &str, Option<&str>),
        place: &SourceLocation,
    ) -> Result<Self, AllowanceFault> {
        let (reason, until) = reasoned((flow, reason, until), place)?;
        Ok(Self { flow: flow.to_owned(), reason, until, place: place.clone() })
    }

    /// Returns true if it has ended.
    pub fn is_over(&self, today: Date) -> bool {
        ended(self.until, today).is_some()
    }
}

/// A passage that is newly open and allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedPassage {
    /// The passage.
    pub passage: Passage,
    /// An allowance for each of its flows.
    pub by: Vec<FlowAllowance>,
}

/// An allowance that allows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UselessFlowAllowance {
    /// The allowance.
    pub allowance: FlowAllowance,
    /// The cause.
    pub why: Useless,
}

/// Cause of an allowance's allowing nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Useless {
    /// It has ended.
    Ended(Date),
    /// The change opens no such flow.
    NotOpened,
}

impl fmt::Display for Useless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(until) => write!(f, "ended on {until}"),
            Self::NotOpened => f.write_str("allows nothing: no such flow is newly open"),
        }
    }
}

impl fmt::Display for UselessFlowAllowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the allowance of {} {}", self.allowance.flow, self.why)
    }
}

/// A difference by the allowances of a day.
#[derive(Clone, Debug, Default)]
pub struct AllowedFlows {
    /// The difference without what is allowed.
    pub left: Difference,
    /// Flow that is allowed: `anywhere -> web:443`.
    pub allowed: Vec<AllowedPassage>,
    /// Allowances that allow nothing.
    pub useless: Vec<UselessFlowAllowance>,
}

/// Takes out of a difference what is newly open for certain and allowed. A passage of several flows is allowed if each of them is.
pub fn allow(difference: &Difference, allowances: &[FlowAllowance], today: Date) -> AllowedFlows {
    let mut left = difference.clone();
    let current = allowances.iter().enumerate().filter(|(_, allowance)| !allowance.is_over(today));
    let by_flow: HashMap<&str, usize> = current.map(|(index, allowance)| (allowance.flow.as_str(), index)).collect();
    let (mut used, mut allowed) = (vec![false; allowances.len()], Vec::new());
    left.opened.retain(|passage| {
        let by: Option<Vec<usize>> = passage.flows().iter().map(|flow| by_flow.get(flow.as_str()).copied()).collect();
        let Some(by) = by.filter(|_| passage.is_known()) else { return true };
        by.iter().for_each(|index| used[*index] = true);
        let by = by.iter().map(|index| allowances[*index].clone()).collect();
        allowed.push(AllowedPassage { passage: passage.clone(), by });
        false
    });
    let useless = allowances.iter().zip(used).filter(|(_, used)| !used).map(|(allowance, _)| {
        let why = match ended(allowance.until, today) {
            Some(until) => Useless::Ended(until),
            None => Useless::NotOpened,
        };
        UselessFlowAllowance { allowance: allowance.clone(), why }
    });
    AllowedFlows { left, allowed, useless: useless.collect() }
}
