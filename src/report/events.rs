//! Events of a lab that is up, and verdicts on packets in it, for people.

use std::fmt::Write;

use serde::Serialize;

use super::Style;
use super::explain::{self, Explanation, Offer};
use super::live::{self, AppliedView};
use super::probes::{self, ProbeView};
use super::text::shown;
use crate::model::{Flow, Peers};
use crate::network::record::Record;
use crate::protocol::{Event, EventKind, State};
use crate::scenario::{Agreement, PacketVerdict, ProbedFlow};

/// An event in the JSON of `sglab events`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventView {
    /// Events are numbered from 1; a number that is not there was not kept.
    pub number: u64,
    /// Seconds since 1970.
    pub time: f64,
    /// The event.
    #[serde(flatten)]
    pub kind: KindView,
}

/// Kind of event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum KindView {
    /// An operation changed the cloud.
    Change(AppliedView),
    /// EC2 refused an operation.
    Refused {
        /// The operation in a few words.
        operation: String,
        /// EC2's code.
        code: String,
        /// EC2's text.
        message: String,
    },
    /// A probe found something.
    Probe(ProbeView),
    /// A filter admitted a new flow, or dropped a packet: a probe's or anybody's.
    Verdict(VerdictView),
    /// Events that were lost to this listener, or were never known.
    Missed {
        /// Their number.
        events: u64,
    },
}

/// A filter's record of one packet in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerdictView {
    /// `accept`, `drop`, `cut`, `unclaimed`, `spoofed`, `fragments`, `connections`, `no-room`, `foreign-error`, `invalid`, `untranslated`, `unreachable` ...
    pub verdict: String,
    /// End at which groups judged: `egress` of the sender, `ingress` of the receiver.
    pub at: Option<String>,
    /// The interface that judged: `db1`, or `db1.eth1`.
    pub interface: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// The rule that admitted it: `SG-T-DB "tcp 3306 from SG-T-WEB"`.
    pub rule: Option<String>,
    /// Its id.
    pub rule_id: Option<String>,
    /// The namespace of the filter.
    pub filter: String,
    /// The number of the protocol.
    pub protocol: u8,
    /// The source address, as the filter saw it.
    pub source: String,
    /// The source port, or the identifier of an ICMP message.
    pub source_port: u16,
    /// The destination address.
    pub destination: String,
    /// The destination port, or the type of an ICMP message.
    pub destination_port: u16,
    /// The type of an ICMP message, of either family.
    pub icmp_type: Option<u8>,
    /// Its code.
    pub icmp_code: Option<u8>,
}

impl EventView {
    /// An event as it was received.
    pub fn of(event: &Event) -> Self {
        let kind = match &event.kind {
            EventKind::Change(applied) => KindView::Change(AppliedView::of(applied)),
            EventKind::Refused { operation, refusal } => KindView::Refused {
                operation: operation.to_string(),
                code: refusal.code.as_str().to_owned(),
                message: refusal.message.clone(),
            },
            EventKind::Probe(probed) => KindView::Probe(ProbeView::of(probed)),
            EventKind::Verdict(verdict) => KindView::Verdict(VerdictView::of(verdict)),
            EventKind::Missed { events } => KindView::Missed { events: *events },
        };
        Self { number: event.number, time: event.time, kind }
    }
}

impl VerdictView {
    /// A record as it was received.
    pub fn of(it: &PacketVerdict) -> Self {
        let (verdict, at) = match it.record {
            Record::Accept(at, _) | Record::Pass(at) => ("accept".to_owned(), Some(at)),
            Record::Remembered(at) => ("remembered".to_owned(), Some(at)),
            Record::Drop(at) => ("drop".to_owned(), Some(at)),
            Record::Cut(at) => ("cut".to_owned(), Some(at)),
            Record::Unclaimed(at) => ("unclaimed".to_owned(), Some(at)),
            other => (other.to_string(), None),
        };
        let id = if let Record::Accept(_, id) = it.record { Some(id.to_string()) } else { None };
        Self {
            verdict,
            at: at.map(|at| at.to_string()),
            interface: it.interface.as_ref().map(|id| id.short()),
            groups: it.groups.iter().map(ToString::to_string).collect(),
            rule: it.rule.as_ref().map(probes::rule),
            rule_id: id,
            filter: it.filter.clone(),
            protocol: it.protocol,
            source: it.source.to_string(),
            source_port: it.source_port,
            destination: it.destination.to_string(),
            destination_port: it.destination_port,
            icmp_type: it.icmp.map(|message| message.kind),
            icmp_code: it.icmp.map(|message| message.code),
        }
    }
}

/// An event in words, a line or a few, without its time.
pub fn words(event: &Event) -> String {
    match &event.kind {
        EventKind::Change(applied) => live::applied(std::slice::from_ref(applied)),
        EventKind::Refused { operation, refusal } => {
            format!("{operation}    refused: {}: {}\n", refusal.code.as_str(), shown(&refusal.message))
        }
        EventKind::Probe(probed) => format!("probe  {}", probes::probed(std::slice::from_ref(probed))),
        EventKind::Verdict(verdict) => format!("{}\n", self::verdict(&VerdictView::of(verdict))),
        EventKind::Missed { events } => format!("{events} events are not told here: they came too fast\n"),
    }
}

/// The same with its time of the day, in UTC.
pub fn event(event: &Event) -> String {
    let mut text = String::new();
    for (number, line) in words(event).lines().enumerate() {
        let head = if number == 0 { clock(event.time) } else { String::new() };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{head:<12}  {line}");
    }
    text
}

/// Renders a filter's record in a line.
fn verdict(it: &VerdictView) -> String {
    let whose = it.interface.as_deref().unwrap_or(&it.filter);
    let at = it.at.as_deref().unwrap_or("-");
    let protocol = match it.protocol {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        number => format!("protocol {number}"),
    };
    let protocol = match (it.icmp_type, it.icmp_code) {
        (Some(kind), Some(code)) => format!("{protocol} {kind}/{code}"),
        _ => protocol,
    };
    let (source, destination) = match it.protocol {
        6 | 17 => (end(&it.source, it.source_port), end(&it.destination, it.destination_port)),
        _ => (it.source.clone(), it.destination.clone()),
    };
    let by = match (&it.rule, it.verdict.as_str()) {
        (Some(rule), _) => format!("  by {rule}"),
        (None, "drop" | "cut") if !it.groups.is_empty() => format!("  no rule of {}", it.groups.join(", ")),
        _ => String::new(),
    };
    format!("{:<7}  {whose} {at}  {protocol} {source} -> {destination}{by}", it.verdict)
}

fn end(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// A flow explained and probed, in the JSON of `sglab explain`.
#[derive(Serialize)]
pub struct Explained {
    /// The flow.
    pub flow: String,
    /// Agreement of model and packets: `agree`, `disagree`, or `unproved` where the probe proved nothing.
    pub agreement: Agreement,
    /// The predicted walk, as `sglab explain FILE --format json` has it.
    predicted: Explanation,
    /// The same in words for people.
    text: String,
    /// Result of the probe.
    probed: ProbeView,
    /// Records of the filters about the probe, in the order of their reading.
    met: Vec<VerdictView>,
    /// Of a `<->`, with the flow of the other end: what the two come to where both send.
    #[serde(skip_serializing_if = "Option::is_none")]
    together: Option<Together>,
}

/// Prediction for two ends that send to each other. Probes of each way prove nothing of that.
#[derive(Serialize)]
struct Together {
    predicted: explain::Together,
    text: String,
}

impl Explained {
    /// Every operation that the explanation offers.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.predicted.offers()
    }
}

/// Explains flows that were probed, and with the flow of each second end what two come to that both send.
pub fn explained(state: &State, probed: &[ProbedFlow], peers: &[Peers], style: Style) -> Vec<Explained> {
    let one = |probed: &ProbedFlow| {
        let (text, predicted) = explain::both(&state.cloud, &probed.flow, style);
        let records = probed.records.as_ref();
        Explained {
            flow: probed.flow.to_string(),
            agreement: records.map_or(Agreement::Unproved, |records| records.agreement),
            predicted,
            text,
            probed: ProbeView::of(probed),
            met: records.iter().flat_map(|records| &records.met).map(VerdictView::of).collect(),
            together: both_send(state, peers, &probed.flow, style),
        }
    };
    probed.iter().map(one).collect()
}

fn both_send(state: &State, peers: &[Peers], flow: &Flow, style: Style) -> Option<Together> {
    let peers = peers.iter().find(|peers| peers.back == *flow)?;
    let (text, predicted) = explain::both_together(&state.cloud, peers, style)?;
    Some(Together { predicted, text })
}

/// Flows explained and probed, for people: each walk as predicted, then what its packets met. Each way of a `<->` was probed by itself, so
/// that no packet speaks for both.
pub fn explanations(all: &[Explained]) -> String {
    let ways = all.iter().map(explanation);
    let both = all.iter().filter_map(|it| it.together.as_ref());
    let told: String =
        ways.chain(both.map(|it| format!("{}  by prediction: a probe sends one way\n", it.text))).collect();
    // Each begins with an empty line, which is to stand between two.
    told.trim_start_matches('\n').to_owned()
}

fn explanation(it: &Explained) -> String {
    let mut text = it.text.clone();
    let mut line = |label: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {label:<10} {what}");
    };
    if it.met.is_empty() {
        line("recorded", "no filter recorded a packet of it");
    }
    for (number, met) in it.met.iter().enumerate() {
        line(if number == 0 { "recorded" } else { "" }, &verdict(met));
    }
    let reason = it.probed.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", shown(reason)));
    line("probed", &format!("{}{reason}", it.probed.outcome));
    line(
        "",
        match it.agreement {
            Agreement::Agree => "as predicted",
            Agreement::Disagree => {
                "NOT as predicted: model and kernel disagree, and one of the two is wrong; please report it"
            }
            Agreement::Unproved => "the probe proved nothing, so there is nothing to compare",
        },
    );
    text
}

/// `13:05:59.120` of a day, in UTC.
fn clock(time: f64) -> String {
    // Milliseconds since 1970 are far below 2^53.
    let millis = (time * 1000.0) as u64;
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_message_is_named_by_its_type_and_code() {
        let told = PacketVerdict {
            record: Record::Drop(crate::model::Direction::Ingress),
            interface: Some(crate::model::InterfaceId::first_of(&crate::model::InstanceName::new("web1"))),
            groups: vec![crate::model::GroupName::new("WEB")],
            rule: None,
            filter: "vpc-default".to_owned(),
            protocol: 1,
            source: std::net::Ipv4Addr::new(169, 254, 3, 1).into(),
            source_port: 0,
            destination: std::net::Ipv4Addr::new(10, 0, 0, 11).into(),
            destination_port: 3,
            icmp: Some(crate::model::IcmpMessage { kind: 3, code: 4 }),
        };
        let line = "drop     web1 ingress  icmp 3/4 169.254.3.1 -> 10.0.0.11  no rule of WEB";
        assert_eq!(verdict(&VerdictView::of(&told)), line);
    }
}
