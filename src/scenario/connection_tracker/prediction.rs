//! Predicts what an examination of a connection would find, by the model alone.

use std::net::IpAddr;

use super::{ConnectionTracker, TrackedConnection};
use crate::compile::names;
use crate::model::{Check, Cloud, ConnectionName, DecidedBy, Direction, Endpoint, InterfaceId};
use crate::network::record::Record;
use crate::policy::tracking::ConnectionState;
use crate::policy::{self, Stage};
use crate::probe::{Drop, DropCause, Held, Recorded};
use crate::scenario::results::PredictedState;

impl ConnectionTracker {
    /// Predicts what an examination would find; inconclusive, with the reason, where the model cannot tell.
    pub fn foresee(&self, name: &ConnectionName, cloud: &Cloud) -> Held {
        let inconclusive = |why: &str| Held::Inconclusive { why: why.to_owned() };
        let Some(one) = self.held.get(name) else { return Held::Gone { why: "it was closed".to_owned() } };
        match one.foretold(cloud) {
            Err(why) => inconclusive(&format!("not predicted: {why}")),
            Ok(PredictedState::NotOpened(_)) => inconclusive("it would not have opened"),
            Ok(PredictedState::Stands(standing)) => one.found(&standing, cloud),
        }
    }
}

impl TrackedConnection {
    fn found(&self, standing: &ConnectionState, cloud: &Cloud) -> Held {
        let drops: Vec<DropCause> = match standing {
            ConnectionState::Alive => return Held::Alive,
            ConnectionState::Gone => return Held::Gone { why: "an end is no more".to_owned() },
            ConnectionState::Cut { at } => at.iter().map(|(at, id)| self.refused(*at, id, cloud)).collect(),
            ConnectionState::FailsCheck { interface, vpc } => {
                let (interface, vpc) = (interface.clone(), vpc.clone());
                vec![DropCause::Decided(DecidedBy::SourceDestCheck { interface, check: Check::Destination, vpc })]
            }
            // A packet of a forgotten connection belongs to none, and begins none.
            ConnectionState::Forgotten => self.forgotten(cloud).into_iter().collect(),
        };
        match self.source(cloud) {
            Some(source) => Held::Cut(drops.into_iter().map(|cause| Drop { cause, source }).collect()),
            None => Held::Inconclusive { why: format!("not predicted: {} has no address now", self.flow.from) },
        }
    }

    fn refused(&self, at: Direction, interface: &InterfaceId, cloud: &Cloud) -> DropCause {
        let groups = cloud.interface(interface).map(|it| it.groups.iter().cloned().collect()).unwrap_or_default();
        DropCause::by_groups(at, interface.clone(), groups)
    }

    /// Dropped by the router of whoever opened it, or of whom he asks where he is outside.
    fn forgotten(&self, cloud: &Cloud) -> Option<DropCause> {
        let ends = [&self.flow.from, &self.flow.to].into_iter().filter_map(Endpoint::interface);
        let interface = ends.into_iter().find_map(|id| cloud.interface(&id))?;
        let node = names::router(&interface.vpc);
        Some(DropCause::Other(Recorded { record: Record::Invalid, node, interface: None }))
    }

    /// The address that whoever opened it sends from.
    fn source(&self, cloud: &Cloud) -> Option<IpAddr> {
        if let Endpoint::Host(_, address) = &self.flow.from {
            return Some(address.0);
        }
        policy::walk(cloud, &self.flow).stages.iter().find_map(|stage| match stage {
            Stage::Sent { source, .. } => Some(*source),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::scenario::results::{Check, ConnectionDetails, RunResult, StepResult};
    use crate::scenario::{Options, RunVerdict, predict};
    use crate::topology::{ExpectedConnection, Topology};

    const IDLE: &str = include_str!("../../../topologies/gotchas/an-idle-session-is-forgotten.yaml");
    const UNTRACKED: &str = include_str!("../../../topologies/gotchas/case-17-an-untracked-session-is-cut.yaml");
    const TRACKED: &str = include_str!("../../../topologies/gotchas/case-16-a-tracked-session-outlives-its-rule.yaml");

    fn predicted(name: &str, text: &str) -> Vec<RunResult> {
        let topology = Topology::parse(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let one = |era| predict::predict(&topology, era, &Options::default(), &mut |_| {});
        topology.eras.iter().map(|era| one(*era).unwrap_or_else(|error| panic!("{name}: {error}"))).collect()
    }

    /// Every connection that a file asks about, and what it says of it against the prediction.
    fn wrong(name: &str, text: &str) -> (usize, Vec<String>) {
        let runs = predicted(name, text);
        let asked: Vec<_> = runs.iter().flat_map(|run| &run.steps).flat_map(StepResult::connections).collect();
        let wrong =
            asked.iter().filter(|(check, it)| !check.is_passed() && it.expected != ExpectedConnection::Unanswerable);
        let say = |(check, it): &(&Check, &ConnectionDetails)| {
            format!("{name}: {} {}, foretold {} {:?}", it.name, check.expected, check.observed, check.reason)
        };
        (asked.len(), wrong.map(say).collect())
    }

    #[test]
    fn what_is_foretold_of_connections_is_what_every_topology_expects() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
        let (mut all, mut wrongs) = (0, Vec::new());
        for folder in [root.clone(), root.join("gotchas")] {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.extension().is_none_or(|it| it != "yaml") {
                    continue;
                }
                let text = std::fs::read_to_string(&path).expect("a file");
                let (asked, wrong) = wrong(&path.display().to_string(), &text);
                all += asked;
                wrongs.extend(wrong);
            }
        }
        assert!(all > 10, "{all} connections are asked about");
        // The model has no memory of a datagram that nobody remembers: a limit, and told as one.
        let (limits, wrongs): (Vec<_>, Vec<_>) = wrongs.into_iter().partition(|it| it.contains("nobody remembers it"));
        assert_eq!(wrongs, Vec::<String>::new());
        assert_eq!(limits.len(), 1, "{limits:#?}");
        assert!(
            limits[0].contains("case-23") && limits[0].contains("question alive, foretold inconclusive"),
            "{limits:#?}"
        );
    }

    #[test]
    fn a_file_that_expects_otherwise_is_wrong() {
        for (text, is, other) in [(UNTRACKED, "cut:", "alive:"), (TRACKED, "alive:", "cut:"), (IDLE, "alive:", "gone:")]
        {
            assert!(text.contains(is), "{text}");
            let changed = text.replace(is, other);
            let runs = predicted("changed.yaml", &changed);
            assert!(runs.iter().any(|run| run.verdict == RunVerdict::Failed), "{is} {other}");
            let held: Vec<_> = runs.iter().flat_map(|run| &run.steps).flat_map(StepResult::connections).collect();
            assert!(held.iter().any(|(check, _)| check.is_failed()));
        }
    }
}
