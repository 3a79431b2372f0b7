//! The log itself: what is known of each flow, and the records of a window.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::records::Untracked;
use super::records::{Eni, FlowRecord, Side, Traffic, eni, minus, plus, rule};
use crate::compile::memory::TRACKED_PROTOCOLS;
use crate::fabric::counted::{Amount, Counted};
use crate::fabric::packet::{ICMP, ICMPV6, Tuple};
use crate::lab::heard::PacketEndpoints;
use crate::model::{Cloud, Direction, FlowLogAction, Interface, InterfaceId, LogStatus, RuleId};
use crate::network::NodeName;
use crate::network::record::Record;
use crate::network::remembered::Remembered;
use crate::probe::Logged;

/// So many kinds of traffic fill a window: then it should end, however long it was to be.
pub const FULL: usize = 4096;
/// Flows under way that fill a window too. One that never ends adds no record, and is forgotten at the end of a window.
const BEGUN: usize = 4 * FULL;

/// A flow that an end has admitted.
#[derive(Clone, Debug, Default)]
struct Flow {
    egress: Option<Side>,
    ingress: Option<Side>,
    /// Amounts that a window has already.
    told: (Amount, Amount),
    /// Crossings of the filter by one packet of it: what a middlebox passes on unchanged is counted each time.
    crossings: IndexSet<(Option<InterfaceId>, Option<InterfaceId>)>,
    /// True if a filter has recorded it, or connection tracking has counted it, since the last window ended.
    heard: bool,
}

/// Traffic that has passed in a window: at which interface, how much, by which rules.
type Passed = (Arc<Eni>, Amount, IndexSet<RuleId>);

/// The flow log of a cloud.
#[derive(Debug)]
pub struct FlowLog {
    flows: HashMap<(NodeName, Tuple), Flow>,
    untracked: Untracked,
    /// Ended before the record of its admission was heard.
    early: Vec<(NodeName, Counted)>,
    window: IndexMap<(InterfaceId, Traffic), Passed>,
    /// Number of flows that were known when the last window had ended.
    known: usize,
    since: u64,
    lost: bool,
}

impl FlowLog {
    /// Begins its first window at a time, in seconds since 1970.
    pub fn new(now: u64) -> Self {
        Self {
            flows: HashMap::new(),
            untracked: Untracked::default(),
            early: Vec::new(),
            window: IndexMap::new(),
            known: 0,
            since: now,
            lost: false,
        }
    }

    /// A filter recorded a packet.
    pub fn record(&mut self, logged: &Logged, at: PacketEndpoints<'_>) {
        let one = Amount { packets: 1, bytes: logged.length.into() };
        let key = (logged.node.clone(), logged.tuple);
        if !is_tracked(logged.tuple.protocol) && !logged.record.is_drop() && logged.record != Record::NoRoom {
            // Packets that pass are counted where they are remembered.
            return self.untracked.admitted(logged, at);
        }
        if begins_nothing(logged) && !logged.record.is_drop() {
            return self.admitted_alone(logged, at, one);
        }
        let side = |interface: Option<&Interface>, rule| {
            interface.map(|interface| Side { eni: eni(interface), rule, refused: Amount::default() })
        };
        match logged.record {
            Record::Accept(Direction::Egress, _)
            | Record::Pass(Direction::Egress)
            | Record::Remembered(Direction::Egress) => {
                let flow = self.flows.entry(key).or_default();
                flow.heard = true;
                flow.crossings.insert((at.from.map(|it| it.id.clone()), at.to.map(|it| it.id.clone())));
                if flow.egress.is_none() {
                    flow.egress = side(at.from, rule(logged.record));
                }
            }
            Record::Accept(Direction::Ingress, _)
            | Record::Pass(Direction::Ingress)
            | Record::Remembered(Direction::Ingress) => {
                let flow = self.flows.entry(key).or_default();
                flow.heard = true;
                flow.crossings.insert((at.from.map(|it| it.id.clone()), at.to.map(|it| it.id.clone())));
                // Behind a middlebox the last is the receiver.
                flow.ingress = side(at.to, rule(logged.record)).or(flow.ingress.take());
            }
            Record::Drop(Direction::Egress) | Record::Cut(Direction::Egress) => {
                self.refused(&logged.node, logged.tuple, one, None);
                self.reject(at.from, Direction::Egress, logged.tuple, one);
            }
            Record::Drop(Direction::Ingress) | Record::Cut(Direction::Ingress) => {
                self.refused(&logged.node, logged.tuple, one, at.from);
                self.reject(at.to, Direction::Ingress, logged.tuple, one);
            }
            // Behind the sender's egress, and at nobody's ingress.
            Record::Blackhole => self.refused(&logged.node, logged.tuple, one, at.from),
            Record::Invalid => match at.from {
                Some(_) => self.reject(at.from, Direction::Egress, logged.tuple, one),
                None => self.reject(at.to, Direction::Ingress, logged.tuple, one),
            },
            // Before any group is asked, or not at an interface.
            Record::Unclaimed(_)
            | Record::Spoofed
            | Record::Fragments
            | Record::Connections
            | Record::NoRoom
            | Record::ForeignError
            | Record::NotItsOwn
            | Record::Untranslated
            | Record::Unreachable
            | Record::Unserved => {}
        }
    }

    /// An end has admitted a packet of which connection tracking knows no flow.
    fn admitted_alone(&mut self, logged: &Logged, at: PacketEndpoints<'_>, one: Amount) {
        let (Record::Accept(direction, _) | Record::Pass(direction)) = logged.record else { return };
        if let Some(interface) = at.judged_by(logged.record) {
            let side = Side { eni: eni(interface), rule: rule(logged.record), refused: Amount::default() };
            self.add(&side, direction, logged.tuple, one);
        }
    }

    /// A packet was refused at an end. If it is the first of its flow, connection tracking forgets it, and the sender's egress has
    /// let out this one packet; of a flow under way it is counted there all the same.
    fn refused(&mut self, node: &NodeName, tuple: Tuple, one: Amount, sender: Option<&Interface>) {
        if !is_tracked(tuple.protocol) {
            return;
        }
        let back = tuple.turned();
        let key = (node.clone(), tuple);
        let admitted = self.flows.get(&key).is_some_and(|flow| flow.ingress.is_some());
        if !admitted && !self.flows.contains_key(&(node.clone(), back)) {
            let egress = self.flows.remove(&key).and_then(|flow| flow.egress);
            if let (Some(side), Some(_)) = (egress, sender) {
                self.add(&side, Direction::Egress, tuple, one);
            }
            return;
        }
        for (key, there) in [(key, true), ((node.clone(), back), false)] {
            let Some(flow) = self.flows.get_mut(&key) else { continue };
            let (first, second) =
                if there { (&mut flow.egress, &mut flow.ingress) } else { (&mut flow.ingress, &mut flow.egress) };
            // The end that let it out has accepted it; only the other end refused.
            let enis = if sender.is_some() { [None, second.as_mut()] } else { [first.as_mut(), second.as_mut()] };
            for side in enis.into_iter().flatten() {
                side.refused = plus(side.refused, one);
            }
        }
    }

    /// Connection tracking's count of a flow that stands, or has ended.
    pub fn count(&mut self, node: &NodeName, counted: Counted, ended: bool) {
        let key = (node.clone(), counted.original);
        if let Some(back) = self.flows.get_mut(&(node.clone(), counted.original.turned())) {
            back.heard = true;
        }
        let Some(flow) = self.flows.get_mut(&key) else {
            if ended {
                self.early.push((node.clone(), counted));
            }
            return;
        };
        let crossings = u64::try_from(flow.crossings.len()).unwrap_or(1).max(1);
        let each = |amount: Amount| Amount { packets: amount.packets / crossings, bytes: amount.bytes / crossings };
        let (there, back) = (each(counted.there), each(counted.back));
        // A count that is smaller than before is of a new flow with the same ends.
        let (since, before) =
            (|now: Amount, was: Amount| if now.packets < was.packets { now } else { minus(now, was) }, flow.told);
        let (there_now, back_now) = (since(there, before.0), since(back, before.1));
        flow.told = (there, back);
        flow.heard = true;
        let mut sides = Vec::new();
        for (side, direction) in [(&mut flow.egress, Direction::Egress), (&mut flow.ingress, Direction::Ingress)] {
            if let Some(side) = side {
                let refused = std::mem::take(&mut side.refused);
                sides.push((side.clone(), direction, minus(there_now, refused)));
            }
        }
        if ended {
            self.flows.remove(&key);
        }
        for (side, direction, there_now) in sides {
            let other = if direction == Direction::Egress { Direction::Ingress } else { Direction::Egress };
            self.add(&side, direction, counted.original, there_now);
            self.add(&side, other, answer(counted.original), back_now);
        }
    }

    /// Counts what an interface remembers; `amount` has passed since it was first remembered. `ended`: it is forgotten now.
    pub fn remembered(&mut self, interface: &Interface, packet: &Remembered, amount: Amount, ended: bool) {
        let (side, tuple, new) = self.untracked.remembered(interface, packet, amount, ended);
        self.add(&side, packet.direction, tuple, new);
    }

    /// Returns `true` if the window should end, by what it holds.
    pub fn is_full(&self) -> bool {
        let begun = (self.flows.len() + self.untracked.len()).saturating_sub(self.known);
        self.window.len() >= FULL || self.early.len() >= FULL || begun >= BEGUN
    }

    /// Forgets what the window holds, where it cannot be ended: its room is bounded.
    pub fn give_up_window(&mut self) {
        self.window.clear();
        self.early.clear();
        self.known = self.flows.len() + self.untracked.len();
        self.lost = true;
    }

    /// Forgets flows of which nothing was recorded and nothing counted in a whole window. Connection tracking has none of them: their beginning was
    /// dropped behind the groups, or their end was lost.
    fn forget_ended(&mut self) {
        self.flows.retain(|_, flow| std::mem::take(&mut flow.heard));
        self.untracked.forget_ended();
        self.known = self.flows.len() + self.untracked.len();
    }

    /// Records were lost: this window is not whole.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// Ends the window. Every interface of the cloud has a record: one that had no traffic has `NODATA`; where records were lost
    /// each has `SKIPDATA` beside what is known.
    pub fn close(&mut self, cloud: &Cloud, now: u64) -> Vec<FlowRecord> {
        for (node, counted) in std::mem::take(&mut self.early) {
            self.count(&node, counted, true);
        }
        // A flow that began before the log, or concerns nobody, has no record of its admission.
        self.early.clear();
        self.forget_ended();
        let (start, end) = (self.since, now);
        self.since = now;
        let lost = std::mem::take(&mut self.lost);
        let window = std::mem::take(&mut self.window);
        let mut seen = IndexSet::new();
        let mut records = Vec::new();
        for ((id, traffic), (eni, amount, rules)) in window {
            seen.insert(id);
            let (traffic, rules) = (Some(traffic), rules.into_iter().collect());
            records.push(FlowRecord { eni, traffic, amount, rules, start, end, status: LogStatus::Ok });
        }
        for interface in cloud.network_interfaces() {
            let status = match (lost, seen.contains(&interface.id)) {
                (true, _) => LogStatus::SkipData,
                (false, false) => LogStatus::NoData,
                (false, true) => continue,
            };
            let (eni, amount) = (eni(interface), Amount::default());
            records.push(FlowRecord { eni, traffic: None, amount, rules: Vec::new(), start, end, status });
        }
        records
    }

    fn reject(&mut self, at: Option<&Interface>, direction: Direction, tuple: Tuple, amount: Amount) {
        if let Some(interface) = at {
            let key =
                (interface.id.clone(), Traffic { direction, tuple: portless(tuple), action: FlowLogAction::Reject });
            let entry = self.window.entry(key).or_insert_with(|| (eni(interface), Amount::default(), IndexSet::new()));
            entry.1 = plus(entry.1, amount);
        }
    }

    fn add(&mut self, side: &Side, direction: Direction, tuple: Tuple, amount: Amount) {
        if amount.packets == 0 {
            return;
        }
        let key = (side.eni.id.clone(), Traffic { direction, tuple: portless(tuple), action: FlowLogAction::Accept });
        let entry =
            self.window.entry(key).or_insert_with(|| (Arc::clone(&side.eni), Amount::default(), IndexSet::new()));
        entry.1 = plus(entry.1, amount);
        entry.2.extend(side.rule);
    }
}

/// Returns `true` if connection tracking counts a protocol; the others are counted by what each interface remembers.
fn is_tracked(protocol: u8) -> bool {
    TRACKED_PROTOCOLS.contains(&protocol)
}

/// Returns `true` for an ICMP message that begins no flow of connection tracking: that of IPv4 takes questions for an echo, the time, information
/// and an address mask, that of IPv6 those for an echo and a node's information (`valid_new` of `nf_conntrack_proto_icmp` and `_icmpv6`).
fn begins_nothing(logged: &Logged) -> bool {
    logged.icmp.is_some_and(|message| match logged.tuple.protocol {
        ICMPV6 => ![128, 139].contains(&message.kind),
        _ => ![8, 13, 15, 17].contains(&message.kind),
    })
}

/// The ports of ICMP are 0 0 in a record.
fn portless(tuple: Tuple) -> Tuple {
    match tuple.protocol {
        ICMP | ICMPV6 => Tuple { source_port: 0, destination_port: 0, ..tuple },
        _ => tuple,
    }
}

/// Returns the tuple of what answers a packet, as far as a record shows it.
fn answer(tuple: Tuple) -> Tuple {
    portless(tuple).turned()
}
