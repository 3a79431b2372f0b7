//! Connections that are held, followed through every change by the model, and held against what the packets say at each step.
//!
//! What the model cannot speak about is told by name, with the reason: it is neither agreement nor silence.

use std::time::{Duration, Instant};

use indexmap::IndexMap;

use super::admitted;
use super::agreement::{Agreement, compare_held};
use super::backend::Backend;
use super::results::{Check, Compared, ConnectionDetails, HeldDisagreement, NotCompared, PredictedState, Why};
use crate::lab::{Admissions, LabError};
use crate::model::{Cloud, ConnectionName, Endpoint, Flow, Forwarding, Operation, Peers, Service, Verdict};
use crate::policy;
use crate::policy::tracking::{Connection, ConnectionState};
use crate::probe::Held;
use crate::topology::ExpectedConnection;

/// A TCP end whose words are lost repeats them after a pause that doubles each time: one that was cut is examined once
/// more, to see whether it comes back, and then only when somebody asks.
const MAX_CUTS: u32 = 2;
/// After a cut of this length TCP may pause between retransmissions for longer than an examination waits.
const EXAMINATION_WINDOW: Duration = Duration::from_secs(2);

/// Every connection that is held, with what the model remembers of it.
#[derive(Debug, Default)]
pub struct ConnectionTracker {
    held: IndexMap<ConnectionName, TrackedConnection>,
    /// Pairs of ends that have ever met from fixed ports, also over what is closed by now.
    met: Vec<Peers>,
}

#[derive(Debug)]
struct TrackedConnection {
    flow: Flow,
    /// Its admissions at both ends.
    admissions: Admissions,
    /// Both ends, if they send from fixed ports.
    peers: Option<Peers>,
    prediction: Prediction,
    cuts: u32,
    cut_since: Option<Instant>,
    used: Instant,
    /// True if the cloud has changed since it was looked at.
    is_stale: bool,
    is_known: bool,
    /// True if all that was sent over it is one question and its answer.
    is_single_question: bool,
}

#[derive(Debug)]
enum Prediction {
    Follows(Box<Connection>),
    NotOpened(Verdict),
    Unknown(&'static str),
}

/// Returns the known limit by which the model and the lab are unable to tell of a connection, if it is opened now: the two crossings of a middlebox
/// are one flow to the kernel, and the server of a datagram does not know the address that a NAT instance has given it.
pub fn limit(cloud: &Cloud, flow: &Flow) -> Option<&'static str> {
    let routed = [&flow.from, &flow.to].into_iter().any(|end| {
        let interface = end.interface().and_then(|id| cloud.interface(&id));
        interface.is_some_and(|i| cloud.vpcs.get(&i.vpc).is_some_and(|vpc| vpc.routes.contains_key(&i.subnet)))
    });
    let middlebox = cloud.instances.values().any(|instance| instance.forwarding == Forwarding::Plain);
    if matches!(flow.from, Endpoint::Forged(..)) {
        Some("it begins with a forged source")
    } else if routed && middlebox {
        Some("it may be held through a middlebox, whose two crossings are one flow to the kernel")
    } else if routed && matches!(flow.service, Service::Udp(_)) {
        Some("it is held over UDP and may lead through a NAT instance, whose address its server does not know")
    } else {
        None
    }
}

impl ConnectionTracker {
    /// A connection that has been opened; `cloud` is the one of that moment.
    pub fn open(&mut self, cloud: &Cloud, name: &ConnectionName, flow: &Flow) {
        let prediction = match (policy::judge(cloud, flow), limit(cloud, flow)) {
            (_, Some(why)) => Prediction::Unknown(why),
            (Verdict::Open { .. }, None) => match Connection::open(cloud, flow) {
                Some(connection) => Prediction::Follows(Box::new(connection)),
                None => Prediction::Unknown("the model does not follow what goes this way"),
            },
            (verdict, None) => Prediction::NotOpened(verdict),
        };
        self.begin(name, flow, prediction, admitted::of_flow(cloud, flow));
    }

    /// The same of two ends that have met by sending to each other from fixed ports.
    pub fn meet(&mut self, cloud: &Cloud, name: &ConnectionName, peers: &Peers) {
        let flow = &peers.there;
        let prediction = match (policy::meeting(cloud, peers), limit(cloud, flow)) {
            (_, Some(why)) => Prediction::Unknown(why),
            _ if self.have_met(peers) => {
                Prediction::Unknown("its ends have met before from the same ports, and may remember that")
            }
            (None, None) => Prediction::Unknown("the model does not follow what goes this way"),
            (Some(_), None) => match Connection::meet(cloud, peers) {
                Some(connection) => Prediction::Follows(Box::new(connection)),
                None => Prediction::NotOpened(policy::judge(cloud, flow)),
            },
        };
        self.begin(name, flow, prediction, admitted::of_peers(cloud, peers));
        self.met.push(peers.clone());
        // Each end has sent twice.
        if let Some(one) = self.held.get_mut(name) {
            one.is_single_question = false;
            one.peers = Some(peers.clone());
        }
    }

    /// Returns `true` if these ends have met before from these ports: what they remember of it, a new meeting goes by.
    pub fn have_met(&self, peers: &Peers) -> bool {
        self.met.iter().any(|met| met.is_of_the_same(peers))
    }

    /// Finds the connection that is held between these ends and ports.
    pub fn holds(&self, peers: &Peers) -> Option<&ConnectionName> {
        let is_it = |one: &TrackedConnection| one.peers.as_ref().is_some_and(|held| held.is_of_the_same(peers));
        self.held.iter().find_map(|(name, one)| is_it(one).then_some(name))
    }

    fn begin(&mut self, name: &ConnectionName, flow: &Flow, prediction: Prediction, admissions: Admissions) {
        let one = TrackedConnection {
            flow: flow.clone(),
            admissions,
            peers: None,
            prediction,
            cuts: 0,
            cut_since: None,
            used: Instant::now(),
            is_stale: false,
            is_known: false,
            is_single_question: matches!(flow.service, Service::Udp(_)),
        };
        self.held.insert(name.clone(), one);
    }

    /// Admissions of a connection; nothing where the model does not follow it.
    pub fn admissions(&self, name: &ConnectionName) -> Option<&Admissions> {
        let one = self.held.get(name)?;
        matches!(one.prediction, Prediction::Follows(_)).then_some(&one.admissions)
    }

    /// A connection that has been closed.
    pub fn close(&mut self, name: &ConnectionName) {
        self.held.shift_remove(name);
    }

    /// A connection that was idle until nobody remembered it.
    pub fn idle(&mut self, name: &ConnectionName) {
        if let Some(TrackedConnection { prediction: Prediction::Follows(connection), .. }) = self.held.get_mut(name) {
            connection.forget();
        }
    }

    /// A change that has been carried out; `cloud` is the one after it.
    pub fn follow(&mut self, operation: &Operation, cloud: &Cloud) {
        for one in self.held.values_mut() {
            one.is_stale = true;
            if let Prediction::Follows(connection) = &mut one.prediction {
                connection.follow(operation, cloud);
            }
        }
    }

    /// Nothing is compared at this step.
    pub fn not_compared(&self, reason: &str) -> Compared {
        let one = |(name, one): (&ConnectionName, &TrackedConnection)| NotCompared {
            name: name.clone(),
            flow: one.flow.clone(),
            why: Why::Unproved,
            reason: reason.to_owned(),
        };
        Compared { not_compared: self.held.iter().map(one).collect(), ..Compared::default() }
    }

    /// Holds each against the model: by what the step itself has found of it, or by examining it, which takes a packet or
    /// two.
    ///
    /// # Errors
    /// When the lab fails.
    pub async fn compare<L: Backend>(&mut self, lab: &mut L, found: &[Check]) -> Result<Compared, LabError> {
        let mut compared = Compared::default();
        for (name, one) in &mut self.held {
            let mut not = |flow: &Flow, why: Why, reason: String| {
                compared.not_compared.push(NotCompared { name: name.clone(), flow: flow.clone(), why, reason });
            };
            let foretold = match one.foretold(lab.cloud()) {
                Ok(foretold) => foretold,
                Err(reason) => {
                    not(&one.flow, Why::Limit, reason.to_owned());
                    continue;
                }
            };
            let is_it = |it: &&ConnectionDetails| it.name == *name && it.expected != ExpectedConnection::Unanswerable;
            let examined = found.iter().rev().filter_map(|it| it.details.connection()).find(is_it);
            // It has just been answered. Another question would make a stream of it, which is remembered for longer.
            let is_assumed = examined.is_none() && one.is_single_question && !one.is_stale;
            let held = match examined {
                Some(result) => result.found.clone(),
                None if is_assumed => Held::Alive,
                None => {
                    if let Some(reason) = one.is_better_left_alone(lab.cloud(), &foretold) {
                        not(&one.flow, Why::Limit, reason);
                        continue;
                    }
                    lab.examine(name).await?
                }
            };
            let agreement = match &foretold {
                PredictedState::NotOpened(_) => Agreement::Disagree,
                PredictedState::Stands(standing) => compare_held(standing, &held),
            };
            // A slow machine is no bug: whoever comes too late finds that it has been forgotten.
            if let Some(reason) = one.may_be_forgotten(lab.cloud(), 1).filter(|_| agreement != Agreement::Agree) {
                not(&one.flow, Why::Limit, reason);
                continue;
            }
            if !is_assumed {
                one.note(&held);
            }
            match (agreement, held) {
                (Agreement::Agree, _) => compared.compared += 1,
                (Agreement::Unproved, Held::Inconclusive { why } | Held::Gone { why }) => {
                    not(&one.flow, Why::Unproved, why)
                }
                (_, observed) => {
                    compared.compared += 1;
                    let is_new = !std::mem::replace(&mut one.is_known, true);
                    let (name, flow) = (name.clone(), one.flow.clone());
                    compared.disagreements.push(HeldDisagreement { name, flow, predicted: foretold, observed, is_new });
                }
            }
        }
        Ok(compared)
    }
}

impl TrackedConnection {
    fn foretold(&self, cloud: &Cloud) -> Result<PredictedState, &'static str> {
        match &self.prediction {
            Prediction::Unknown(why) => Err(why),
            Prediction::NotOpened(verdict) => Ok(PredictedState::NotOpened(verdict.clone())),
            Prediction::Follows(connection) => match connection.standing(cloud) {
                ConnectionState::Forgotten if !self.is_tcp() => {
                    Err("nobody remembers it, so that what is sent over it begins a new flow")
                }
                standing => Ok(PredictedState::Stands(standing)),
            },
        }
    }

    fn is_tcp(&self) -> bool {
        matches!(self.flow.service, Service::Tcp(_))
    }

    /// Gives the reason not to examine it unless the file asks.
    fn is_better_left_alone(&self, cloud: &Cloud, foretold: &PredictedState) -> Option<String> {
        let alive = *foretold == PredictedState::Stands(ConnectionState::Alive);
        let gone = *foretold == PredictedState::Stands(ConnectionState::Gone);
        let for_long = self.cut_since.is_some_and(|since| since.elapsed() > EXAMINATION_WINDOW);
        if gone {
            None
        } else if self.is_tcp() && self.cuts > 0 && !self.is_stale {
            Some("nothing has changed since it was found cut".to_owned())
        } else if self.is_tcp() && (for_long || self.cuts >= MAX_CUTS && !alive) {
            Some("it has been cut, and TCP retransmits after ever longer pauses".to_owned())
        } else {
            self.may_be_forgotten(cloud, 2)
        }
    }

    /// Gives the reason to doubt that it is still tracked, if it was silent for so long, or for a part of so long: the model has no clock.
    fn may_be_forgotten(&self, cloud: &Cloud, part: u32) -> Option<String> {
        let seconds = match self.flow.service {
            Service::Tcp(_) => cloud.tracking.tcp_established,
            Service::Udp(_) => cloud.tracking.udp.min(cloud.tracking.udp_stream),
            Service::IcmpEcho | Service::Icmp(_) => cloud.tracking.icmp,
            Service::Protocol(_) => cloud.tracking.other,
        };
        let limit = Duration::from_secs(seconds.into()) / cloud.tracking.clock_factor.max(1);
        // The kernel counts in whole seconds.
        let limit = limit.max(Duration::from_secs(1)) / part.max(1);
        let too_long = self.used.elapsed() >= limit;
        too_long.then(|| "it has been silent for so long that it may have been forgotten".to_owned())
    }

    fn note(&mut self, held: &Held) {
        (self.used, self.is_stale) = (Instant::now(), false);
        self.is_single_question = false;
        match held {
            Held::Alive => (self.cuts, self.cut_since) = (0, None),
            Held::Cut(_) => {
                self.cuts += 1;
                self.cut_since.get_or_insert_with(Instant::now);
            }
            Held::Unanswerable(_) | Held::Gone { .. } | Held::Inconclusive { .. } => {}
        }
    }
}

mod prediction;
#[cfg(test)]
mod tests;
