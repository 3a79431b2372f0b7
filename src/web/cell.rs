//! A cell of the truth table: what is known of it, since when, and by what.

use serde::{Serialize, Serializer};

use crate::model::Flow;
use crate::scenario;
use crate::scenario::agreement::Agreement;

/// Counts the states that a table was drawn of: operations change them, and health checks and programs without any.
/// The default is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The one behind.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The flow that is probed for it.
    pub flow: Flow,
    /// Pairs of ends that it stands for.
    pub pairs: usize,
    /// Outcome by the model, at the table's moment.
    pub predicted: scenario::Class,
    /// Outcome by packets, if any were sent.
    pub measured: Option<Measured>,
}

/// Outcome that packets proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The outcome.
    pub outcome: scenario::Class,
    /// Agreement of model and kernel at that time.
    pub agreement: Agreement,
    /// Prediction at that time.
    pub predicted: scenario::Class,
    /// Moment at which it was probed.
    pub moment: Moment,
    /// Probes in a row that proved nothing.
    pub inconclusive: u32,
}

/// The evidence for what a cell shows, the weakest first. In JSON it is its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// By the model alone.
    Predicted,
    /// Packets proved it at an earlier moment, and the model predicts no change since.
    Stale,
    /// Packets proved it at this moment.
    Measured,
}

impl Serialize for Standing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.letter())
    }
}

impl Standing {
    /// The letter for it on the wire.
    pub fn letter(self) -> char {
        match self {
            Self::Measured => 'm',
            Self::Stale => 's',
            Self::Predicted => 'p',
        }
    }
}

impl Cell {
    /// Tells how its outcome is known at a moment.
    pub fn standing(&self, now: Moment) -> Standing {
        match &self.measured {
            Some(measured) if measured.moment == now => Standing::Measured,
            Some(measured) if measured.predicted == self.predicted => Standing::Stale,
            Some(_) | None => Standing::Predicted,
        }
    }

    /// The outcome that it shows at a moment.
    pub fn outcome(&self, now: Moment) -> scenario::Class {
        match (&self.measured, self.standing(now)) {
            (Some(measured), Standing::Measured | Standing::Stale) => measured.outcome,
            _ => self.predicted,
        }
    }

    /// The outcome that packets have shown at a moment, where they have shown whether it gets through.
    pub fn proved(&self, now: Moment) -> Option<scenario::Class> {
        let measured = (self.standing(now) == Standing::Measured).then(|| self.outcome(now));
        measured.filter(|outcome| !matches!(outcome, scenario::Class::Inconclusive | scenario::Class::Misdelivered))
    }

    /// True where packets disproved the model.
    pub fn disagrees(&self, now: Moment) -> bool {
        let measured = self.measured.as_ref().filter(|_| self.standing(now) != Standing::Predicted);
        measured.is_some_and(|measured| measured.agreement == Agreement::Disagree)
    }

    /// Letter of the outcome, letter of the standing, and `!` where model and kernel disagree: `Om`, `.p`.
    pub fn code(&self, now: Moment) -> String {
        let mut code = String::from(self.outcome(now).letter());
        code.push(self.standing(now).letter());
        if self.disagrees(now) {
            code.push('!');
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, InstanceName, Service, Via};

    #[test]
    fn what_packets_did_not_settle_proves_nothing() {
        let [from, to] = ["a", "b"].map(|name| Endpoint::Instance(InstanceName::new(name)));
        let now = Moment::default().next();
        let proved = |outcome, moment| {
            let flow = Flow { from: from.clone(), to: to.clone(), via: Via::Private, service: Service::IcmpEcho };
            let predicted = scenario::Class::Dropped;
            let measured = Measured { outcome, agreement: Agreement::Unproved, predicted, moment, inconclusive: 0 };
            Cell { flow, pairs: 1, predicted, measured: Some(measured) }.proved(now)
        };
        assert_eq!(proved(scenario::Class::Dropped, now), Some(scenario::Class::Dropped));
        assert_eq!(proved(scenario::Class::Dropped, Moment::default()), None, "of an earlier moment");
        for outcome in [scenario::Class::Inconclusive, scenario::Class::Misdelivered] {
            assert_eq!(proved(outcome, now), None);
        }
    }
}
