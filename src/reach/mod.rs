//! Reach in an account, by its groups and rules, and the difference between two accounts.
//!
//! Interfaces with the same groups are one class, so that the work grows with rules and classes, and not with pairs of interfaces.
//! A third reading beside `policy` and `compile`: it shares no code with either, and tests hold it against `policy`.

mod admitted;
mod by_groups;
mod carried;
mod classes;
mod difference;
mod ends;
mod flows;
mod gained;
mod index;
mod matching;
mod pair;
mod passage;
mod position;
mod public;
mod ranges;
mod region;
mod renumbered;
mod rules;
mod sides;
mod told;

pub use carried::{Carried, RuleAt, carried, covers};
pub use difference::{Difference, admitted, compare};
pub use flows::{ends_of_flow, flow_without};
pub(crate) use index::Index;
pub use passage::{Certainty, End, Passage, Reached, Way};
pub use public::AddressChange;
pub use rules::{EntryChange, GroupChange, MemberChange, RuleChange, peer_words, rule_words, traffic_words};
