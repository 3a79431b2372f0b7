//! Hints to whoever is stuck, in levels: which end, which group, which rule, the remedy. Each is computed of the file as it is.

use super::assess::{Assessment, Wrong, WrongKind};
use crate::model::Direction;

/// A level of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Which cell, and at which end.
    End,
    /// Which group.
    Group,
    /// Which rule, or of what traffic.
    Rule,
    /// What to write.
    Remedy,
}

impl Level {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 4] = [Self::End, Self::Group, Self::Rule, Self::Remedy];

    /// Subject of a hint of this level, in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::End => "at which end",
            Self::Group => "which group",
            Self::Rule => "which rule",
            Self::Remedy => "what to write",
        }
    }

    /// The level behind those that were asked for; nothing behind the last.
    pub fn next(asked: &[Self]) -> Option<Self> {
        Self::ALL.into_iter().find(|level| !asked.contains(level))
    }

    /// Points of a hundred that these cost together: each once, however often it was asked for.
    pub fn cost_of(asked: &[Self]) -> u32 {
        Self::ALL.into_iter().filter(|level| asked.contains(level)).map(Self::costs).sum()
    }

    /// Points of a hundred that it costs, once for each stage.
    pub fn costs(self) -> u32 {
        match self {
            Self::End => 5,
            Self::Group => 10,
            Self::Rule => 15,
            Self::Remedy => 20,
        }
    }
}

/// The hint of a level about the first thing that is wrong; nothing where nothing is.
pub fn hint(assessment: &Assessment, level: Level) -> Option<String> {
    let Some(wrong) = assessment.wrong.first() else {
        return assessment.broken.first().map(|broken| format!("a limit is not kept: {broken}"));
    };
    Some(format!("{}: {}", wrong.moment(), of(wrong, level)))
}

fn of(wrong: &Wrong, level: Level) -> String {
    let Wrong { subject, kind, .. } = wrong;
    if let Some(rule) = &wrong.rule {
        let place = rule.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
        return match level {
            Level::End => format!("{subject} gets through and must not: look at {}", end(wrong, Direction::Ingress)),
            Level::Group => format!("{subject} is let through by a rule of {}", rule.group),
            Level::Rule => format!("{subject} is let through by {} \"{}\"{place}", rule.group, rule.written),
            Level::Remedy => {
                let then = wrong.missing.as_ref().map_or_else(String::new, |missing| format!("; then {missing}"));
                format!("take \"{}\" out of {}{place}{then}", rule.written, rule.group)
            }
        };
    }
    if let Some(missing) = &wrong.missing {
        return match level {
            Level::End => format!("{subject} must get through and does not: look at {}", end(wrong, missing.at)),
            Level::Group => format!("{subject} needs a rule in {}", missing.group),
            Level::Rule => format!("{subject} needs a rule for {} in {}", missing.traffic, missing.group),
            Level::Remedy => missing.to_string(),
        };
    }
    let why = wrong.reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
    match kind {
        WrongKind::Leak | WrongKind::Missing => format!("{subject}{why}"),
        WrongKind::Other => subject.clone(),
    }
}

/// The end at which to look.
fn end(wrong: &Wrong, at: Direction) -> String {
    match (&wrong.flow, at) {
        (Some(flow), Direction::Ingress) if flow.to.interface().is_some() => format!("what {} lets in", flow.to),
        (Some(flow), Direction::Ingress | Direction::Egress) => format!("what {} lets out", flow.from),
        (None, _) => "its two ends".to_owned(),
    }
}
