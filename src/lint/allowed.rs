//! Findings that an allowance covers, and allowances that cover none.

use std::collections::HashSet;

use super::allowance::{Allowance, Scope};
use super::date::{Date, ended};
use super::finding::Finding;
use super::found::{About, AboutKind, Found};
use crate::account::{Origin, ResourceId};

/// Findings, those that are allowed apart, and what is to be said of the allowances.
pub(super) struct Sorted {
    pub findings: Vec<Finding>,
    pub allowed: Vec<(Finding, Allowance)>,
    pub useless: Vec<Found>,
}

/// Sorts findings by the allowances of a day. Only those of checks that were run can be useless.
pub(super) fn sort(findings: Vec<Finding>, allowances: &[Allowance], today: Date, run: &HashSet<&str>) -> Sorted {
    let mut sorted = Sorted { findings: Vec::new(), allowed: Vec::new(), useless: Vec::new() };
    let mut used = vec![false; allowances.len()];
    for finding in findings {
        let covering = |allowance: &Allowance| ended(allowance.until, today).is_none() && covers(allowance, &finding);
        match allowances.iter().position(covering) {
            Some(index) => {
                used[index] = true;
                sorted.allowed.push((finding, allowances[index].clone()));
            }
            None => sorted.findings.push(finding),
        }
    }
    for (allowance, used) in allowances.iter().zip(used) {
        if used || !run.contains(allowance.check) {
            continue;
        }
        let message = match ended(allowance.until, today) {
            Some(until) => format!("the allowance of {} ended on {until}", allowance.check),
            None => format!("the allowance of {} allows nothing", allowance.check),
        };
        sorted.useless.push(useless(allowance, message));
    }
    sorted
}

fn covers(allowance: &Allowance, finding: &Finding) -> bool {
    finding.check.id == allowance.check
        && match &allowance.scope {
            Scope::Line { file, line } => *finding.origin.place.file == **file && finding.origin.place.line == *line,
            Scope::Resource(resource) => {
                let About { resource: own, names, .. } = &finding.about;
                finding.origin.resource.as_str() == resource || own == resource || names.contains(resource)
            }
        }
}

fn useless(allowance: &Allowance, message: String) -> Found {
    let resource = match &allowance.scope {
        Scope::Line { file, .. } => file.clone(),
        Scope::Resource(resource) => resource.clone(),
    };
    Found {
        about: About {
            kind: AboutKind::Allowance,
            label: allowance.check.to_owned(),
            resource: resource.clone(),
            names: Vec::new(),
        },
        rule: None,
        at: None,
        key: format!("{} {}", allowance.check, allowance.reason),
        origin: Origin::new(ResourceId::new(&resource), allowance.place.clone()),
        related: Vec::new(),
        level: None,
        message,
        cure: Vec::new(),
    }
}
