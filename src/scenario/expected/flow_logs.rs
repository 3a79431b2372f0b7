//! Expectations of flow logs: records that the filters and connection tracking have made of its packets.

use std::net::IpAddr;

use super::super::backend::Backend;
use super::super::cells;
use super::super::results::{
    Check, CheckStatus, Counted, Details, Finding, Headline, Listing, Met, Said, Section, Statement,
};
use super::seen::Seen;
use crate::lab::LabError;
use crate::lab::flow_log::{FlowRecord, ICMP, ICMPV6, TCP, UDP};
use crate::model::{Cloud, Endpoint, Flow, FlowLogAction, InterfaceId, LogStatus, Service, Via};
use crate::topology::{ExpectedLog, FlowPattern, LogPart, LogWanted};

/// So many records are told of an interface that has others than expected.
const TOLD: usize = 4;
const LOST: &str = "records were lost (SKIPDATA)";

/// Flow logs, in reports.
pub const SECTION: Section = Section {
    key: "flow_logs",
    headline: Headline {
        rank: 2,
        before: "",
        unit: "line",
        counted: Counted::Alone,
        after: " of flow logs not as expected",
    },
    listing: Listing::FailuresFirstOnce,
};

/// Ends the window of the step, and judges it. The packets of the evaluators before it are in it.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Backend>(
    lab: &mut L,
    expected: &[&ExpectedLog],
    seen: &Seen<'_>,
) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
    if !seen.keeps_flow_log {
        return Ok(Default::default());
    }
    let window = lab.end_flow_log_window().await?;
    Ok(judge(expected, window.as_deref(), seen.now))
}

/// Judges a window, or says that there is none; gives besides the flows that select nothing now, which is a mistake.
fn judge(all: &[&ExpectedLog], window: Option<&[FlowRecord]>, cloud: &Cloud) -> (Vec<Check>, Vec<Finding>) {
    let (mut checks, mut empty) = (Vec::new(), Vec::new());
    for expected in all {
        let found = match window {
            None => Ok((CheckStatus::Inconclusive, "what flow logs say is not predicted".to_owned())),
            Some(records) => (Window { records, cloud }).says(expected),
        };
        match found {
            Ok((status, observed)) => checks.push(check(expected, status, observed)),
            Err(text) => empty.push(Finding { text, place: expected.place.clone() }),
        }
    }
    (checks, empty)
}

fn check(expected: &ExpectedLog, status: CheckStatus, observed: String) -> Check {
    let interface = expected.interface.short();
    Check {
        subject: format!("flow log of {interface}"),
        expected: expected.written.clone(),
        observed,
        status,
        reason: None,
        said: Said { words: expected.written.clone(), place: expected.place.clone() },
        details: Details::Statement(Statement { section: SECTION, of: Some(interface), met: Met::SaysAll }),
    }
}

/// The records of a step, and the cloud behind it.
#[derive(Clone, Copy)]
struct Window<'a> {
    records: &'a [FlowRecord],
    cloud: &'a Cloud,
}

impl Window<'_> {
    fn says(self, expected: &ExpectedLog) -> Result<(CheckStatus, String), String> {
        let own: Vec<&FlowRecord> = self.records.iter().filter(|it| it.eni.id == expected.interface).collect();
        let lost = self.records.iter().any(|it| it.status == LogStatus::SkipData);
        Ok(match &expected.wanted {
            LogWanted::Record(action, part, pattern) => {
                let flows = cells::select(pattern, None, self.cloud)?;
                let has = |flow: &&Flow| own.iter().any(|it| acts(it, *action) && self.is_of(it, flow, *part, pattern));
                match flows.iter().find(|flow| !has(flow)) {
                    None => (CheckStatus::Passed, "it is there".to_owned()),
                    Some(_) if lost => (CheckStatus::Inconclusive, LOST.to_owned()),
                    Some(flow) if flows.len() > 1 => (CheckStatus::Failed, format!("none of {flow}; {}", told(&own))),
                    Some(_) => (CheckStatus::Failed, told(&own)),
                }
            }
            LogWanted::NoRecord(action, part, pattern) => {
                let flows = cells::select(pattern, None, self.cloud)?;
                let of = |it: &FlowRecord, part| flows.iter().any(|flow| self.is_of(it, flow, part, pattern));
                let there: Vec<_> = own.iter().copied().filter(|it| acts(it, *action) && of(it, *part)).collect();
                let anywhere = |it: &FlowRecord| {
                    let pattern = &FlowPattern { at: None, ..pattern.clone() };
                    let parts = [LogPart::Request, LogPart::Response];
                    flows.iter().any(|flow| parts.iter().any(|part| self.is_of(it, flow, *part, pattern)))
                };
                if !there.is_empty() {
                    (CheckStatus::Failed, told(&there))
                } else if lost {
                    (CheckStatus::Inconclusive, LOST.to_owned())
                } else if self.records.iter().any(anywhere) {
                    (CheckStatus::Passed, "there is none".to_owned())
                } else {
                    // That what was never sent was not recorded is no news.
                    (CheckStatus::Inconclusive, format!("no interface recorded anything of `{}`", pattern.written))
                }
            }
            LogWanted::None(action) => {
                let there: Vec<_> = own.iter().copied().filter(|it| acts(it, *action)).collect();
                if !there.is_empty() {
                    (CheckStatus::Failed, told(&there))
                } else if lost {
                    (CheckStatus::Inconclusive, LOST.to_owned())
                } else if own.iter().any(|it| it.traffic.is_some()) {
                    (CheckStatus::Passed, "there is none".to_owned())
                } else {
                    (CheckStatus::Inconclusive, "nothing was recorded there at all, which is `NODATA`".to_owned())
                }
            }
            LogWanted::NoData => {
                let traffic: Vec<_> = own.iter().copied().filter(|it| it.traffic.is_some()).collect();
                if !traffic.is_empty() {
                    (CheckStatus::Failed, told(&traffic))
                } else if lost {
                    (CheckStatus::Inconclusive, LOST.to_owned())
                } else if own.iter().any(|it| it.status == LogStatus::NoData) {
                    (CheckStatus::Passed, "it had no traffic".to_owned())
                } else {
                    (CheckStatus::Failed, "there is no such interface".to_owned())
                }
            }
        })
    }

    /// Returns `true` if a record counts packets of a flow, as they are at that interface.
    fn is_of(self, record: &FlowRecord, flow: &Flow, part: LogPart, pattern: &FlowPattern) -> bool {
        let Some(traffic) = record.traffic else { return false };
        let tuple = traffic.tuple;
        let (source, destination, port) = match part {
            LogPart::Request => (tuple.source, tuple.destination, tuple.destination_port),
            LogPart::Response => (tuple.destination, tuple.source, tuple.source_port),
        };
        let asked = match flow.service {
            Service::Tcp(asked) => tuple.protocol == TCP && port == asked.0,
            Service::Udp(asked) => tuple.protocol == UDP && port == asked.0,
            // The ports of ICMP are 0 0 in a record.
            Service::IcmpEcho | Service::Icmp(_) => {
                tuple.protocol == if tuple.source.is_ipv4() { ICMP } else { ICMPV6 }
            }
            Service::Protocol(number) => tuple.protocol == number,
        };
        asked
            && pattern.at.is_none_or(|at| at == traffic.direction)
            && self.addresses(&flow.from, flow, &record.eni.id).contains(&source)
            && self.addresses(&flow.to, flow, &record.eni.id).contains(&destination)
    }

    /// The addresses of an end in packets at an interface: there its own is always private.
    fn addresses(self, end: &Endpoint, flow: &Flow, at: &InterfaceId) -> Vec<IpAddr> {
        match end {
            Endpoint::Host(_, address) => return vec![address.0],
            Endpoint::Forged(_, source) => return vec![*source],
            Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) => {}
        }
        let Some(interface) = end.interface().and_then(|id| self.cloud.interface(&id)) else { return Vec::new() };
        let private = || interface.private.map(|it| IpAddr::V4(it.0));
        let public = || interface.public.map(|it| IpAddr::V4(it.0));
        let ipv6 = || interface.ipv6.map(|it| IpAddr::V6(it.0));
        let is_other = [&flow.from, &flow.to].iter().any(|it| it.interface().is_some_and(|id| id == *at));
        let outside = matches!(flow.from, Endpoint::Host(..)) || matches!(flow.to, Endpoint::Host(..));
        match flow.via {
            Via::Ipv6 => ipv6().into_iter().collect(),
            Via::Private => private().into_iter().collect(),
            Via::Secondary(address) if *end == flow.to => vec![address],
            Via::Secondary(IpAddr::V6(_)) => ipv6().into_iter().collect(),
            Via::Secondary(IpAddr::V4(_)) => private().into_iter().collect(),
            // Inside, a public DNS name means the private address, unless a load balancer faces the internet.
            Via::Dns if !outside && flow.to.usual_via() == Via::Private => private().into_iter().collect(),
            Via::Public | Via::Dns if interface.id == *at => private().into_iter().collect(),
            Via::Public | Via::Dns if is_other => public().into_iter().collect(),
            // On the way, before and behind the translation.
            Via::Public | Via::Dns => private().into_iter().chain(public()).collect(),
        }
    }
}

fn acts(record: &FlowRecord, action: FlowLogAction) -> bool {
    record.traffic.is_some_and(|it| it.action == action)
}

/// Records in words.
fn told(records: &[&FlowRecord]) -> String {
    let mut lines: Vec<String> = records.iter().filter_map(|it| Some(it.traffic?.to_string())).collect();
    if lines.is_empty() {
        return "no record at all".to_owned();
    }
    let rest = lines.len().saturating_sub(TOLD);
    lines.truncate(TOLD);
    if rest > 0 {
        lines.push(format!("and {rest} more"));
    }
    lines.join(", ")
}
