//! What became of each packet of traffic, and whether the instrument has seen all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::looks::{Course, Known, Mark, Part, flow};
use super::reading::{Passage, Read};
use crate::model::Port;
use crate::network::NodeName;
use crate::probe::ask::stays_inside;
use crate::probe::dropped::{Drop, InterfaceLookup, SentBy, drop_of};
use crate::probe::evidence::{Logged, ProbeRecord, UnaskedPacket};
use crate::probe::held;
use crate::probe::missing::{UnjudgedRecord, WANT_OF_ROOM};
use crate::probe::resolve;
use crate::probe::waiting;

/// A packet that was sent.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Part of the stream that it belongs to.
    pub part: Part,
    /// The moment before it was sent.
    pub before: Instant,
    /// The moment after.
    pub after: Instant,
    /// True if it has come to the receiver's interface.
    pub arrived: bool,
    /// True if the groups of the ends have let it in, by a filter's record. Else it may have passed by an earlier flow.
    pub judged: bool,
    /// The filter's record of its drop; of the held connection's packets, of the last that was dropped.
    pub drop: Option<Drop>,
}

/// Results of the traffic.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Each stream's packets in the order they were sent.
    pub streams: Vec<Vec<Packet>>,
    /// The port that each stream's held connection is sent from.
    pub held_from: Vec<Option<Port>>,
    /// Reason why the instrument did not see all, in words. Then nothing that is missing is proved lost.
    pub blind: Option<String>,
    /// Of each stream, why packets of it are not there: its ends have not sent them as they were to, so that nothing is proved by what became of them.
    pub unsent: Vec<Option<String>>,
}

/// Evidence on all packets.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub courses: &'a [Course],
    pub known: &'a Known,
    pub cases: &'a HashMap<Mark, Arc<ProbeRecord>>,
    pub read: &'a Read,
    /// Moment from which on nothing was sent.
    pub settling: Instant,
}

/// Losses of the machine itself during the traffic.
pub(super) struct Losses {
    /// Packets, to full queues.
    pub packets: u64,
    /// Records of filters.
    pub records: u64,
    /// Reason why no canary proves that the last packets have arrived.
    pub unsettled: Option<String>,
}

/// The packets of all streams, as they are looked at one after the other.
pub(super) struct Tracing<'a> {
    evidence: Evidence<'a>,
    lookup: InterfaceLookup<'a>,
    first_questions: Vec<Option<Instant>>,
    slowest: HashMap<NodeName, Duration>,
    streams: Vec<Vec<Packet>>,
    unsent: Vec<Option<String>>,
    unexplained: usize,
    packets: usize,
    without_room: usize,
    stray: Option<UnaskedPacket>,
}

/// The record of a packet's drop, as far as there is one that may count.
struct Recorded {
    drop: Option<Drop>,
    unjudged: Option<UnjudgedRecord>,
}

impl<'a> Tracing<'a> {
    /// None is looked at yet.
    pub fn new(evidence: Evidence<'a>, lookup: InterfaceLookup<'a>) -> Self {
        let Evidence { courses, read, .. } = evidence;
        Self {
            evidence,
            lookup,
            first_questions: (0..).zip(courses).map(|(stream, _)| read.first_question(stream)).collect(),
            slowest: read.slowest(),
            streams: vec![Vec::new(); courses.len()],
            unsent: vec![None; courses.len()],
            unexplained: 0,
            packets: 0,
            without_room: 0,
            stray: None,
        }
    }

    /// Looks at the next packet.
    pub fn add(&mut self, mark: Mark, before: Instant, after: Instant) {
        let Evidence { courses, cases, read, .. } = self.evidence;
        let (stream, part, _) = mark;
        let number = stream as usize;
        let arrived = read.arrived.contains_key(&mark);
        let case = cases.get(&flow(mark));
        let Recorded { drop, unjudged } = if arrived { self.arrived(case) } else { self.recorded(case, part) };
        let passage = self.passage(mark, arrived, drop.is_some());
        self.packets += 1;
        self.unexplained += usize::from(!arrived && drop.is_none() && passage != Passage::UnderWay);
        let Some(course) = courses.get(number) else { return };
        let entered = if stays_inside(&course.ask) { Some(after) } else { read.entered.get(&mark).copied() };
        let (Some(entered), None) = (entered, &unjudged) else {
            let why = || unjudged.map_or_else(|| not_sent(course, part), |record| record.to_string());
            return self.leave_out(number, why);
        };
        // A packet that answers no question begins a flow, whatever it looks like.
        let asked = self.first_questions.get(number).copied().flatten();
        if part == Part::Back && asked.is_none_or(|asked| asked > before) {
            return;
        }
        let passed_on = match passage {
            Passage::Done(passed_on) => passed_on,
            Passage::UnderWay => return,
            Passage::Kept(node) => {
                let why = || format!("not all that {node} was to pass on has come from it as it was to be sent");
                return self.leave_out(number, why);
            }
        };
        // It may have been held back where it was sent, or by an appliance.
        let after = after.max(entered).max(passed_on.unwrap_or(entered));
        let judged = case.is_some_and(|case| waiting::is_judged(&course.ask, case));
        if let Some(packets) = self.streams.get_mut(number) {
            packets.push(Packet { part, before, after, arrived, judged, drop });
        }
    }

    /// The record of one that has arrived says nothing of it.
    fn arrived(&mut self, case: Option<&Arc<ProbeRecord>>) -> Recorded {
        self.note_stray(case);
        Recorded { drop: None, unjudged: None }
    }

    /// Finds the record of the drop of one that has not arrived.
    fn recorded(&mut self, case: Option<&Arc<ProbeRecord>>, part: Part) -> Recorded {
        let is_drop = |logged: &Logged| logged.record.is_drop();
        let record = case.and_then(|case| case.records().into_iter().rfind(is_drop));
        let is_crowded_out = record.is_some() && case.is_some_and(|case| held::lacked_room(case));
        self.without_room += usize::from(is_crowded_out);
        self.note_stray(case);
        let record = record.filter(|_| !is_crowded_out);
        let unjudged = record.as_ref().and_then(|logged| {
            let begins = case.filter(|_| part == Part::New);
            resolve::unjudged(logged).or_else(|| resolve::begun_before(logged, &begins?.records()))
        });
        let sent_by = if part == Part::Back { SentBy::Answerer } else { SentBy::Opener };
        Recorded { drop: record.map(|logged| drop_of(&logged, sent_by, self.lookup)), unjudged }
    }

    fn note_stray(&mut self, case: Option<&Arc<ProbeRecord>>) {
        if self.stray.is_none() {
            self.stray = case.and_then(|case| case.stray());
        }
    }

    /// Finds how far one has come at the appliances on its way.
    fn passage(&self, mark: Mark, arrived: bool, dropped: bool) -> Passage {
        let Evidence { known, read, settling, .. } = self.evidence;
        let by = known.looks.get(&flow(mark)).map_or(&[][..], |looks| looks.by.as_slice());
        match read.passage(mark, by, &self.slowest) {
            // No canary is behind it: those that are sent last pass by no appliance.
            Passage::Done(Some(passed_on)) if !arrived && !dropped && passed_on >= settling => Passage::UnderWay,
            passage => passage,
        }
    }

    /// Leaves a packet of a stream out, and says why if it is the first.
    fn leave_out(&mut self, stream: usize, why: impl FnOnce() -> String) {
        if let Some(unsent) = self.unsent.get_mut(stream) {
            unsent.get_or_insert_with(why);
        }
    }

    /// All packets, and what the instrument has not seen.
    pub fn ended(self, held_from: Vec<Option<Port>>, losses: Losses) -> Trace {
        let blind = self.blind(losses);
        Trace { streams: self.streams, held_from, blind, unsent: self.unsent }
    }

    /// The reason why the instrument did not see all, in words.
    fn blind(&self, Losses { packets, records, unsettled }: Losses) -> Option<String> {
        let read = self.evidence.read;
        if let Some(why) = &read.failed {
            return Some(format!("what arrived could not be read: {why}"));
        }
        if read.missed > 0 {
            return Some(format!("{} packets found no place in the buffers of those who watch for them", read.missed));
        }
        if let Some(stray) = &self.stray {
            return Some(resolve::not_asked(stray, self.lookup).to_string());
        }
        if self.without_room > 0 {
            return Some(format!("filters recorded drops, {WANT_OF_ROOM}"));
        }
        if self.unexplained == 0 {
            return (self.packets == 0).then(|| "nothing could be sent".to_owned());
        }
        if packets > 0 {
            return Some(format!(
                "this machine itself lost {packets} packets, of all its namespaces, for want of time"
            ));
        }
        if read.gone {
            let why = "a link was taken away, and what was sent over another in its place was not watched";
            return Some(why.to_owned());
        }
        unsettled.or_else(|| (records > 0).then(|| format!("{records} log records were lost meanwhile")))
    }
}

/// Explains why packets prove nothing that no router has taken in as they were to be sent.
fn not_sent(course: &Course, part: Part) -> String {
    let sender = match (part, &course.ask.receiver) {
        (Part::Back, Some(receiver)) => &receiver.node,
        _ => &course.client.node,
    };
    format!("not all that {sender} was to send has come from it as it was to be sent")
}
