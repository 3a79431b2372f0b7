//! Reports of runs that did not come to their end.

use sglab::lab::LabError;
use sglab::model::Era;
use sglab::report::{self, Broken};
use sglab::sandbox::remedies;
use sglab::scenario::RunError;
use sglab::topology::Topology;

/// Makes the report of a run that did not come to its end.
pub(super) fn of(topology: &Topology, era: Era, error: &RunError) -> Broken {
    Broken {
        file: topology.file.clone(),
        era: Some(era),
        place: match error {
            RunError::Initial { place, .. } => place.clone(),
            RunError::Boot(_) => None,
            RunError::Lab { place, .. } => Some(place.clone()),
        },
        exit_code: match error {
            RunError::Initial { .. } => report::BAD_INPUT,
            RunError::Boot(error) if error.is_of_the_file() => report::BAD_INPUT,
            RunError::Boot(_) => report::NO_LAB,
            RunError::Lab { .. } => report::INCONCLUSIVE,
        },
        error: match error {
            RunError::Boot(LabError::Fabric(_)) => {
                let remedy = remedies::limit_remedy().map(|remedy| format!("\n{remedy}")).unwrap_or_default();
                format!("{error}{remedy}\n`sglab doctor` says what this machine lacks, and the remedy")
            }
            _ => error.to_string(),
        },
    }
}
