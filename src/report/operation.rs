//! Actions of a step, in words.

use crate::topology::Action;

/// Actions, each change as a sentence without a subject: `stop web1`.
pub fn actions(all: &[Action]) -> Vec<String> {
    let of = |action: &Action| match action {
        Action::Call(call) => call.iter().map(|placed| placed.value.sentence()).collect(),
        Action::Open(placed) => {
            vec![format!("open the connection {}: {}", placed.value.name, placed.value.flow.written)]
        }
        Action::Close(placed) => vec![format!("close the connection {}", placed.value)],
        Action::Idle(placed) => vec![format!("wait, in silence, until the connection {} is forgotten", placed.value)],
    };
    all.iter().flat_map(of).collect()
}
