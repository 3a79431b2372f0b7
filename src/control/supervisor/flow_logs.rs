//! The flow log of a lab that is up: windows that end by the clock or because somebody asks, kept for a while, told to whoever
//! follows, and written to a file.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::broadcast;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::feed::{Answer, Feed};
use crate::lab::flow_log::{Eni, FULL, FlowLogs, FlowRecord};
use crate::lab::{Lab, LabError};
use crate::model::{Cloud, Direction};
use crate::protocol::{Failure, FlowLogRecord, Limited, LoggedRule, Reply};

/// So many records are kept for who asks later.
const KEPT: usize = 65_536;
/// So many replies wait for a slow reader.
const WAITING: usize = 64;
/// So many may follow at the same time.
const MAX_FOLLOWERS: usize = 32;

/// Writes records, a line each.
pub type Write = Box<dyn FnMut(&[FlowLogRecord]) -> io::Result<()> + Send>;

/// Window and file of a lab's flow log.
pub struct Keeping {
    /// The longest window, in seconds; EC2 has 60 and 600.
    pub seconds: u32,
    /// Writer to which the records go as well.
    pub write: Option<Write>,
}

impl std::fmt::Debug for Keeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeping").field("seconds", &self.seconds).finish_non_exhaustive()
    }
}

/// The flow log and its windows.
pub(super) struct Windows {
    pub logs: FlowLogs,
    pub clock: Interval,
    keeping: Keeping,
    kept: ReplyCache,
    news: broadcast::Sender<Arc<Reply>>,
}

impl Windows {
    pub fn new(logs: FlowLogs, keeping: Keeping) -> Self {
        let longest = Duration::from_secs(keeping.seconds.max(1).into());
        let mut clock = interval_at(Instant::now() + longest, longest);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { logs, clock, keeping, kept: ReplyCache::default(), news: broadcast::channel(WAITING).0 }
    }

    /// Refuses to let one more follow, if all that may do already.
    pub fn refusal(&self, follow: bool) -> Option<Answer> {
        let full = follow && self.news.receiver_count() >= MAX_FOLLOWERS;
        full.then(|| Answer::failed(Failure::TooMany { of: Limited::FlowLogFollowers, most: MAX_FOLLOWERS }))
    }

    /// Returns the records that are kept, and those to come if `follow`.
    pub fn feed(&self, follow: bool) -> Answer {
        let news = follow.then(|| self.news.subscribe());
        Answer::Many(Feed { kept: self.kept.all(), news, source: None })
    }

    /// Ends the window of a lab.
    pub async fn close(&mut self, lab: &Lab) -> Result<(), LabError> {
        self.clock.reset();
        let ended = lab.end_window_of(&mut self.logs).await?;
        let cloud = lab.cloud();
        let records: Vec<FlowLogRecord> = ended.iter().map(|record| told(record, cloud)).collect();
        // The log is told anyway; that its file cannot be written is said where the supervisor says things, once.
        if let Some(Err(error)) = self.keeping.write.as_mut().map(|write| write(&records)) {
            eprintln!("the flow log is not written any more: {error}");
            self.keeping.write = None;
        }
        // One request can have probed everybody at once: a reply has a size that can be sent.
        for records in records.chunks(FULL) {
            let reply = Arc::new(Reply::FlowLog(records.to_vec()));
            self.kept.add(Arc::clone(&reply), records.len());
            // Nobody may be following.
            drop(self.news.send(reply));
        }
        Ok(())
    }
}

/// The last replies, and how many records each has.
#[derive(Default)]
struct ReplyCache {
    windows: VecDeque<(Arc<Reply>, usize)>,
    records: usize,
}

impl ReplyCache {
    /// Keeps one more, and those before it as far as there is room.
    fn add(&mut self, window: Arc<Reply>, records: usize) {
        self.windows.push_back((window, records));
        self.records += records;
        while self.records > KEPT && self.windows.len() > 1 {
            self.records -= self.windows.pop_front().map_or(0, |(_, records)| records);
        }
    }

    fn all(&self) -> Vec<Arc<Reply>> {
        self.windows.iter().map(|(window, _)| Arc::clone(window)).collect()
    }
}

fn told(record: &FlowRecord, cloud: &Cloud) -> FlowLogRecord {
    let Eni { id, eni, instance, vpc, subnet, groups, .. } = &*record.eni;
    let traffic = record.traffic;
    let tuple = traffic.map(|it| it.tuple);
    let out = traffic.is_some_and(|it| it.direction == Direction::Egress);
    let rule = |id| LoggedRule { group: cloud.rule(id).map(|(group, _)| group.clone()), id };
    FlowLogRecord {
        interface: id.short(),
        interface_id: *eni,
        instance_id: *instance,
        vpc_id: *vpc,
        subnet_id: *subnet,
        // The interface's own side is always its own address; `pkt-` has the packet's.
        srcaddr: tuple.map(|it| if out { own(&record.eni, it.source) } else { it.source }),
        dstaddr: tuple.map(|it| if out { it.destination } else { own(&record.eni, it.destination) }),
        pkt_srcaddr: tuple.map(|it| it.source),
        pkt_dstaddr: tuple.map(|it| it.destination),
        srcport: tuple.map(|it| it.source_port),
        dstport: tuple.map(|it| it.destination_port),
        protocol: tuple.map(|it| it.protocol),
        packets: tuple.map(|_| record.amount.packets),
        bytes: tuple.map(|_| record.amount.bytes),
        start: record.start,
        end: record.end,
        action: traffic.map(|it| it.action),
        log_status: record.status,
        flow_direction: traffic.map(|it| it.direction),
        groups: groups.clone(),
        rules: record.rules.iter().map(|id| rule(*id)).collect(),
    }
}

fn own(eni: &Eni, address: IpAddr) -> IpAddr {
    let of_family = |own: &IpAddr| own.is_ipv4() == address.is_ipv4();
    eni.addresses.iter().map(IpNet::addr).find(of_family).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_the_flow_log_is_bounded_by_its_records_and_the_last_window_is_always_there() {
        let mut kept = ReplyCache::default();
        for number in 0..100 {
            kept.add(Arc::new(Reply::Text(number.to_string())), KEPT / 4 + number);
            assert!(kept.records <= KEPT, "{} records after window {number}", kept.records);
            assert_eq!(kept.all().last().map(|it| (**it).clone()), Some(Reply::Text(number.to_string())));
        }
        assert_eq!(kept.windows.len(), 3);
        kept.add(Arc::new(Reply::Done), 2 * KEPT);
        assert_eq!(kept.all().len(), 1, "however large it is");
        // Windows without traffic have their records of that too: none is kept for ever.
        let idle = (0..2 * KEPT).map(|_| kept.add(Arc::new(Reply::Done), 1)).count();
        assert_eq!((idle, kept.windows.len()), (2 * KEPT, KEPT));
    }
}
