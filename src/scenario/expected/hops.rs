//! Expectations of the stations of flows. Each is seen to pass them: a box between the ends takes down what comes in and what goes out, and a station
//! is who passes the question on with one hop less. The hops left when it was sent and when it arrived say how many there are, so that none is
//! missing and none is told in place of another.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use etherparse::{NetSlice, SlicedPacket};

use super::super::addresses::addresses_of;
use super::super::backend::Backend;
use super::super::results::{
    Check, CheckStatus, Class, Counted, Details, Evidence, Finding, Headline, Listing, Met, Said, Section, Statement,
};
use super::super::{cells, explain};
use super::seen::Seen;
use crate::compile::names;
use crate::lab::{Captured, LabError};
use crate::model::protocol::{ICMP, ICMPV6, TCP, UDP};
use crate::model::{Cloud, Endpoint, Flow, IcmpMessage, Service};
use crate::network::NodeName;
use crate::policy::{self, Passed};
use crate::probe::Outcome;
use crate::topology::{ExpectedHops, Station};

/// The stations of flows, in reports.
pub const SECTION: Section = Section {
    key: "hops",
    headline: Headline {
        rank: 5,
        before: "hops of ",
        unit: "flow",
        counted: Counted::Alone,
        after: " not as expected",
    },
    listing: Listing::FailuresFirst,
};

/// Takes down what the stations of each flow see, and gives the flows that select nothing now, which is a mistake.
///
/// # Errors
/// When the lab fails.
pub async fn examine<L: Backend>(
    lab: &mut L,
    expected: &[&ExpectedHops],
    seen: &Seen<'_>,
) -> Result<(Vec<Check>, Vec<Finding>), LabError> {
    let (mut checks, mut empty) = (Vec::new(), Vec::new());
    for it in expected {
        match cells::select(&it.flow, None, seen.now) {
            Ok(flows) => {
                for flow in flows {
                    let found = find(lab, &flow, seen.now).await?;
                    checks.push(check(it, &flow, found));
                }
            }
            Err(text) => empty.push(Finding { text, place: it.flow.place.clone() }),
        }
    }
    Ok((checks, empty))
}

/// Result of following a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// It came to its receiver by these stations.
    By(Vec<Station>),
    /// It did not come to its receiver, by proof.
    NotArrived(String),
    /// Nothing proves either.
    Unproved(String),
}

async fn find<L: Backend>(lab: &mut L, flow: &Flow, now: &Cloud) -> Result<Found, LabError> {
    if lab.evidence() == Evidence::Prediction {
        let batch = lab.probe(std::slice::from_ref(flow)).await?;
        let outcome = batch.observations.into_iter().next().map(|seen| seen.outcome);
        let predicted_stations = || Ok(predicted_stations(now, flow));
        return Ok(outcome.map_or_else(nothing, |outcome| found(flow, &outcome, now, predicted_stations)));
    }
    let Some(captured) = lab.probe_captured(flow).await? else { return Ok(nothing()) };
    let seen = || stations(now, flow, &captured);
    Ok(found(flow, &captured.observation.outcome, now, seen))
}

fn nothing() -> Found {
    Found::Unproved("nothing was probed".to_owned())
}

fn found(flow: &Flow, outcome: &Outcome, cloud: &Cloud, by: impl FnOnce() -> Result<Vec<Station>, String>) -> Found {
    let in_words = || {
        let reason = explain::reason(flow, outcome, cloud).map_or_else(String::new, |why| format!("; {why}"));
        format!("{}{reason}", Class::of(outcome).as_str())
    };
    match outcome {
        Outcome::Open { .. } | Outcome::Refused { .. } | Outcome::Closed { .. } => {
            by().map_or_else(Found::Unproved, Found::By)
        }
        Outcome::Dropped(_) | Outcome::Unreachable { .. } | Outcome::Misdelivered { .. } => {
            Found::NotArrived(in_words())
        }
        Outcome::Inconclusive { .. } => Found::Unproved(in_words()),
    }
}

fn check(it: &ExpectedHops, flow: &Flow, found: Found) -> Check {
    let (status, observed) = match found {
        Found::By(stations) if stations == it.stations => (CheckStatus::Passed, passes(&stations)),
        Found::By(stations) => (CheckStatus::Failed, passes(&stations)),
        Found::NotArrived(why) => (CheckStatus::Failed, why),
        Found::Unproved(why) => (CheckStatus::Inconclusive, why),
    };
    let expected = format!("{flow} {}", passes(&it.stations));
    Check {
        subject: String::new(),
        said: Said { words: expected.clone(), place: it.flow.place.clone() },
        expected,
        observed,
        status,
        reason: None,
        details: Details::Statement(Statement { section: SECTION, of: None, met: Met::SaysAll }),
    }
}

fn passes(stations: &[Station]) -> String {
    let mut words = "passes ".to_owned();
    if stations.is_empty() {
        words.push_str("nobody");
    }
    for (number, station) in stations.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(words, "{}{station}", if number == 0 { "" } else { ", " });
    }
    words
}

/// Predicts the stations by the documented semantics.
fn predicted_stations(cloud: &Cloud, flow: &Flow) -> Vec<Station> {
    let passed = policy::walk(cloud, flow).passed(cloud, flow);
    let station = |it| match it {
        Passed::Gateway(_) => Station::Gateway,
        Passed::Internet => Station::Internet,
        Passed::Appliance(at) => Station::Instance(at.instance),
    };
    passed.into_iter().map(station).collect()
}

/// Finds the stations that passed the question on between its ends, by what each box saw.
fn stations(cloud: &Cloud, flow: &Flow, captured: &Captured) -> Result<Vec<Station>, String> {
    let (from, to) = (node(&flow.from), node(&flow.to));
    let packets_of = |name: &NodeName| -> Vec<Packet<'_>> {
        let own = captured.boxes.iter().find(|(node, _)| node == name);
        own.iter().flat_map(|(_, frames)| frames).filter_map(|frame| Packet::of(&frame.bytes)).collect()
    };
    let (sources, destinations) = (addresses_of(cloud, &flow.from), addresses_of(cloud, &flow.to));
    let is_question = |it: &Packet<'_>| {
        it.asks(flow.service) && sources.contains(&it.source) && destinations.contains(&it.destination)
    };
    let sent = packets_of(&from).into_iter().find(is_question).ok_or("no question was seen where it was sent")?;
    let mark = sent.mark().ok_or("what was sent cannot be told from others")?;
    let hops_of = |name: &NodeName| -> Vec<u8> {
        packets_of(name).into_iter().filter(|it| it.mark().as_ref() == Some(&mark)).map(|it| it.hops).collect()
    };
    let arrived = hops_of(&to).into_iter().min().ok_or("it was not seen where it arrived")?;
    let names: BTreeSet<&NodeName> = captured.boxes.iter().map(|(name, _)| name).collect();
    let counted = arrived.saturating_add(1)..=sent.hops;
    let mut passing: Vec<(&NodeName, Vec<u8>)> = Vec::new();
    for name in names.into_iter().filter(|name| **name != from && **name != to) {
        let seen = hops_of(name);
        let passed = passed_on(&seen);
        // An appliance may write another number of hops, and would be none then.
        let is_odd = seen.len() != 2 * passed.len() || !passed.iter().all(|left| counted.contains(left));
        if is_odd && station(cloud, name)?.is_some() {
            return Err(format!("{name} saw it, and did not pass it on with one hop less"));
        }
        passing.push((name, passed));
    }
    let mut stations = Vec::new();
    for left in counted.rev() {
        let by: Vec<&NodeName> = passing.iter().filter(|(_, all)| all.contains(&left)).map(|(name, _)| *name).collect();
        match by[..] {
            [one] => stations.extend(station(cloud, one)?),
            [] => return Err(format!("nothing shows who passed it on with {left} hops left")),
            _ => return Err(format!("several have passed it on with {left} hops left")),
        }
    }
    Ok(stations)
}

/// The hops left of what a box passed on, as it came in: what goes out next has one less.
fn passed_on(seen: &[u8]) -> Vec<u8> {
    let (mut passed, mut at) = (Vec::new(), 0);
    while let Some(&left) = seen.get(at) {
        let goes_out = seen.get(at + 1).is_some_and(|next| next.checked_add(1) == Some(left));
        passed.extend(goes_out.then_some(left));
        at += if goes_out { 2 } else { 1 };
    }
    passed
}

/// The station that a box is; none for the router of a VPC, which EC2 shows nobody.
fn station(cloud: &Cloud, name: &NodeName) -> Result<Option<Station>, String> {
    if cloud.vpcs.keys().any(|vpc| names::router(vpc) == *name) {
        return Ok(None);
    }
    if cloud.vpcs.keys().any(|vpc| names::gateway(vpc) == *name) {
        return Ok(Some(Station::Gateway));
    }
    if names::internet() == *name {
        return Ok(Some(Station::Internet));
    }
    let instance = cloud.instances.get_key_value(name.0.as_str());
    instance
        .map(|(it, _)| Some(Station::Instance(it.clone())))
        .ok_or_else(|| format!("{name} passed it on, and is no station"))
}

fn node(end: &Endpoint) -> NodeName {
    match end {
        Endpoint::Host(name, _) => names::host(name),
        Endpoint::Instance(name) => names::instance(name),
        Endpoint::LoadBalancer(name, _) => names::load_balancer(name),
        Endpoint::Interface(id) | Endpoint::Forged(id, _) => names::instance(&id.instance),
    }
}

/// A packet, as far as a station is told by it.
#[derive(Clone, Copy, Debug)]
struct Packet<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// The hops that it has left.
    hops: u8,
    protocol: u8,
    /// Bytes behind its IP header.
    payload: &'a [u8],
}

/// Part of a packet that stays on its way, whoever translates it: of TCP the sequence number, of everything else what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    protocol: u8,
    /// The port, or the ICMP message, that is asked for.
    asked: [u8; 2],
    carried: Vec<u8>,
}

impl<'a> Packet<'a> {
    /// Reads a frame, from its Ethernet header on.
    fn of(frame: &'a [u8]) -> Option<Self> {
        match SlicedPacket::from_ethernet(frame).ok()?.net? {
            NetSlice::Ipv4(ip) => Some(Self {
                source: ip.header().source_addr().into(),
                destination: ip.header().destination_addr().into(),
                hops: ip.header().ttl(),
                protocol: ip.payload().ip_number.0,
                payload: ip.payload().payload,
            }),
            NetSlice::Ipv6(ip) => Some(Self {
                source: ip.header().source_addr().into(),
                destination: ip.header().destination_addr().into(),
                hops: ip.header().hop_limit(),
                protocol: ip.payload().ip_number.0,
                payload: ip.payload().payload,
            }),
            NetSlice::Arp(_) => None,
        }
    }

    fn asks(&self, service: Service) -> bool {
        let port = || self.payload.get(2..4).and_then(|port| Some(u16::from_be_bytes(port.try_into().ok()?)));
        let is_icmp = matches!(self.protocol, ICMP | ICMPV6);
        let message = || self.payload.first().zip(self.payload.get(1)).map(|(kind, code)| (*kind, *code));
        match service {
            Service::Tcp(asked) => self.protocol == TCP && port() == Some(asked.0),
            Service::Udp(asked) => self.protocol == UDP && port() == Some(asked.0),
            Service::IcmpEcho => is_icmp && matches!(message(), Some((8 | 128, 0))),
            Service::Icmp(IcmpMessage { kind, code }) => is_icmp && message() == Some((kind, code)),
            Service::Protocol(number) => self.protocol == number,
        }
    }

    fn mark(&self) -> Option<Mark> {
        let part = |from: usize, to: usize| self.payload.get(from..to);
        let (asked, carried) = match self.protocol {
            // Of what comes later the numbers are others.
            TCP if part(13, 14)?.first()? & 0x12 == 0x02 => (part(2, 4)?, part(4, 8)?),
            TCP => return None,
            UDP => (part(2, 4)?, self.payload.get(8..)?),
            ICMP | ICMPV6 => (part(0, 2)?, self.payload.get(8..)?),
            _ => (&[0, 0][..], self.payload),
        };
        Some(Mark { protocol: self.protocol, asked: asked.try_into().ok()?, carried: carried.to_vec() })
    }
}

#[cfg(test)]
mod tests;
