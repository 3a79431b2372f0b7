//! Passages that are told, each once: the same of several classes is one.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::passage::{Certainty, Passage, Way};

/// Passages by way, ends, traffic and certainty.
#[derive(Default)]
pub(super) struct Told {
    found: IndexMap<Key, Passage>,
    members: HashMap<Key, IndexSet<String>>,
}

type Key = (Way, String, String, String, Certainty);

impl Told {
    /// Adds a passage of some members to what is told.
    pub fn add(&mut self, passage: Passage, members: impl IntoIterator<Item = String>) {
        let key =
            (passage.way, passage.from.clone(), passage.to.clone(), passage.traffic.clone(), passage.certainty.clone());
        self.members.entry(key.clone()).or_default().extend(members);
        match self.found.get_mut(&key) {
            None => {
                self.found.insert(key, passage);
            }
            Some(known) => {
                known.reached = known.reached.min(passage.reached);
                for sender in passage.senders {
                    if !known.senders.contains(&sender) {
                        known.senders.push(sender);
                    }
                }
                for entry in passage.entries {
                    if !known.entries.contains(&entry) {
                        known.entries.push(entry);
                    }
                }
                for origin in passage.by {
                    if !known.by.contains(&origin) {
                        known.by.push(origin);
                    }
                }
            }
        }
    }

    /// Gives the passages, those that are known and from outside first.
    pub fn sorted(self) -> Vec<Passage> {
        let Self { found, mut members } = self;
        let all = found.into_iter().map(|(key, passage)| {
            let members = members.remove(&key).unwrap_or_default().into_iter().collect();
            Passage { members, ..passage }
        });
        let mut all: Vec<Passage> = all.collect();
        all.sort_by(|one, other| {
            let rank = |passage: &Passage| {
                (passage.certainty != Certainty::Known, passage.way, !passage.is_of_everybody(), passage.reached)
            };
            rank(one).cmp(&rank(other))
        });
        all
    }
}
