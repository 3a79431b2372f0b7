//! JSON that browsers are sent.

use std::collections::BTreeSet;

use serde::Serialize;

use super::history::{Entry, KeptTable};
use super::log::LogLine;
use super::picture::LivePicture;
use super::room::{Room, RoomView};
use super::script::{Script, ScriptStep};
use super::table::{Counts, Shown, Table};
use crate::model::{Cloud, PrefixList, PrefixListName, Rule, RuleId, SourceLocation, Via};
use crate::protocol::{Revision, State};
use crate::report::lab_state::LabState;
use crate::scenario::Class;

/// All of the board.
#[derive(Serialize)]
pub struct BoardView<'a> {
    revision: Revision,
    /// As `sglab state --format json` has it.
    state: LabState,
    groups: Vec<GroupView<'a>>,
    hosts: Vec<String>,
    elastic_ips: Vec<String>,
    subnets: Vec<String>,
    prefix_lists: Vec<PrefixListView>,
    table: KeptTable,
    counts: Counts,
    /// Addresses that rows go by: `usual`, `public`, `ipv6`, `dns`.
    by: Vec<String>,
    /// Titles of classes that are taken apart.
    open: &'a BTreeSet<String>,
    picture: LivePicture,
    legend: Vec<LegendView>,
    history: Vec<&'a Entry>,
    log: Vec<&'a LogLine>,
    script: Option<ScriptView<'a>>,
    /// Nothing where there is no audience.
    room: Option<RoomView>,
}

/// A prefix list.
#[derive(Serialize)]
struct PrefixListView {
    name: String,
    entries: Vec<String>,
}

/// A group with its rules.
#[derive(Serialize)]
pub struct GroupView<'a> {
    name: &'a str,
    ingress: Vec<RuleView<'a>>,
    egress: Vec<RuleView<'a>>,
}

/// A rule.
#[derive(Serialize)]
struct RuleView<'a> {
    id: RuleId,
    written: &'a str,
    place: Option<&'a SourceLocation>,
}

/// A letter of the table.
#[derive(Debug, Serialize)]
pub struct LegendView {
    letter: char,
    word: &'static str,
}

/// Steps of the file.
#[derive(Serialize)]
struct ScriptView<'a> {
    done: usize,
    steps: &'a [ScriptStep],
}

/// Cells that have changed.
#[derive(Serialize)]
pub struct CellsView {
    /// Index and code of each.
    pub cells: Vec<(usize, String)>,
    /// Cells by their standing.
    pub counts: Counts,
}

impl<'a> BoardView<'a> {
    /// A board without what has happened.
    pub fn new(state: &'a State, table: &Table, shown: &'a Shown, picture: LivePicture) -> Self {
        let cloud = &state.cloud;
        let by = shown.vias.iter().map(|via| Via::word_or_usual(*via).into_owned());
        Self {
            revision: state.revision,
            state: LabState::of(state),
            groups: groups(cloud),
            hosts: cloud.hosts.keys().map(ToString::to_string).collect(),
            elastic_ips: cloud.elastic_ips.keys().map(ToString::to_string).collect(),
            subnets: cloud.vpcs.values().flat_map(|vpc| vpc.subnets.keys()).map(ToString::to_string).collect(),
            prefix_lists: prefix_lists(cloud),
            table: KeptTable::of(table),
            counts: table.counts(),
            by: by.collect(),
            open: &shown.open,
            picture,
            legend: legend(),
            history: Vec::new(),
            log: Vec::new(),
            script: None,
            room: None,
        }
    }

    /// The same with what has happened, and what is to come.
    pub fn with(
        self,
        history: impl Iterator<Item = &'a Entry>,
        log: impl Iterator<Item = &'a LogLine>,
        script: Option<&'a Script>,
        room: Option<&Room>,
    ) -> Self {
        let script = script.map(|script| ScriptView { done: script.done(), steps: script.steps() });
        Self { history: history.collect(), log: log.collect(), script, room: room.map(Room::view), ..self }
    }
}

/// Every letter of a table.
pub fn legend() -> Vec<LegendView> {
    Class::ALL.into_iter().map(|class| LegendView { letter: class.letter(), word: class.as_str() }).collect()
}

fn prefix_lists(cloud: &Cloud) -> Vec<PrefixListView> {
    let view = |(name, list): (&PrefixListName, &PrefixList)| PrefixListView {
        name: name.to_string(),
        entries: list.entries.iter().map(ToString::to_string).collect(),
    };
    cloud.prefix_lists.iter().map(view).collect()
}

/// Groups with their rules.
pub fn groups(cloud: &Cloud) -> Vec<GroupView<'_>> {
    fn rules(rules: &[Rule]) -> Vec<RuleView<'_>> {
        rules.iter().map(|it| RuleView { id: it.id, written: &it.written, place: it.place.as_ref() }).collect()
    }
    cloud
        .groups
        .iter()
        .map(|(name, group)| GroupView {
            name: name.as_str(),
            ingress: rules(&group.ingress),
            egress: if cloud.has_egress_rules() { rules(&group.egress) } else { Vec::new() },
        })
        .collect()
}
