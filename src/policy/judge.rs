//! Takes a new flow along its way, and asks everybody who may stop it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::holders::{asked_at, given_back, holder_of, interface_of, ipv6_asked, linked, public_holder_of, translated};
use super::routes::{NextHop, next_hop, passes_on};
use super::routes::{holds, holds_ipv6};
use super::rules;
use super::walk::{Path, RuleEvaluation, Stage, Walk};
use crate::model::{
    Check, Cloud, DecidedBy, Direction, Endpoint, Flow, Half, Hop, InstanceState, Interface, InterfaceId, LetBack,
    PublicIp, Scheme, Service, SourceDestCheck, Verdict, Via,
};

/// Judges a new flow.
pub fn judge(cloud: &Cloud, flow: &Flow) -> Verdict {
    walk(cloud, flow).verdict
}

/// Walks a new flow from its sender to where it ends.
pub fn walk(cloud: &Cloud, flow: &Flow) -> Walk {
    let mut walker = Walker { cloud, service: flow.service, stages: Vec::new() };
    let verdict = walker.flow(flow);
    Walk { stages: walker.stages, verdict }
}

/// Takes a flow along its way, and notes what happens to it.
pub(super) struct Walker<'a> {
    pub cloud: &'a Cloud,
    pub service: Service,
    pub stages: Vec<Stage>,
}

impl<'a> Walker<'a> {
    fn flow(&mut self, flow: &Flow) -> Verdict {
        match (&flow.from, flow.from.interface(), &flow.to, flow.to.interface()) {
            // From a host: only the receiver's groups judge.
            (Endpoint::Host(_, sender), _, _, Some(receiver)) => match sender.0 {
                IpAddr::V4(sender) => self.outside_in(sender, &receiver, flow.via),
                IpAddr::V6(_) => self.outside_in_by_ipv6(sender.0, &receiver, flow.via),
            },
            (_, Some(sender), Endpoint::Host(_, receiver), _) => match receiver.0 {
                IpAddr::V4(address) => self.by_address(flow, &sender, address),
                IpAddr::V6(_) => self.inside_out_by_ipv6(&flow.from, &sender, receiver.0),
            },
            (_, Some(sender), _, Some(receiver)) => match flow.via {
                Via::Private => self.by_private_address(flow, &sender, &receiver),
                Via::Secondary(IpAddr::V4(address)) => self.by_secondary_address(flow, &sender, address),
                // An Elastic IP leads to a stopped instance too, and only behind the gateway to nobody. So does the address
                // that it has given back, and whoever holds that now gets the packet.
                Via::Public => match asked_at(self.cloud, &receiver) {
                    Some(address) => self.by_address(flow, &sender, address.0),
                    None => NOTHING_TO_SEND,
                },
                Via::Ipv6 | Via::Secondary(IpAddr::V6(_)) => {
                    self.by_ipv6_address(&flow.from, &sender, &receiver, flow.via)
                }
                Via::Dns => self.by_dns_name(flow, &sender, &receiver),
            },
            // Between hosts outside there is no group.
            _ => self.open(),
        }
    }

    /// From a host to the public address of an instance: only the receiver's groups judge.
    fn outside_in(&mut self, sender: Ipv4Addr, receiver: &InterfaceId, via: Via) -> Verdict {
        if let Some(balancer) =
            receiver.load_balancer().and_then(|name| self.cloud.load_balancers.get(name)).filter(|_| via == Via::Dns)
            && balancer.scheme == Scheme::Internal
            && let Some(address) = balancer.named_address()
        {
            // The name is known outside, and nothing there leads to the private address that it means.
            self.stages.push(Stage::Resolved { receiver: receiver.clone(), address });
            return Verdict::Unreachable { by: Some(Hop::Internet) };
        }
        let public = match via {
            Via::Dns => {
                // An instance that is stopped keeps the name of its Elastic IP.
                let named = self.cloud.interface(receiver).and_then(|receiver| receiver.public);
                let Some(public) = named else { return Verdict::Unresolved };
                self.stages.push(Stage::Resolved { receiver: receiver.clone(), address: public.0 });
                public
            }
            _ => match asked_at(self.cloud, receiver) {
                Some(public) => public,
                None => return NOTHING_TO_SEND,
            },
        };
        let Some(holder) = public_holder_of(self.cloud, public.0) else {
            return Verdict::Unreachable { by: Some(Hop::Internet) };
        };
        self.arrive(public.0, holder);
        self.ingress(sender.into(), holder, Path::Direct)
    }

    /// From instance to instance by private address.
    ///
    /// A private address means something only inside a VPC. What the sender asks for is the *number* that the receiver
    /// holds; where the receiver is in another VPC, whoever holds that number in the sender's own VPC gets the packet,
    /// and the verdict is that holder's. With nobody there, nothing is reached. An address that the receiver has given back
    /// leads to whoever holds it by now; in Classic a stop gives it back ("Stop and start", EC2, 2018).
    fn by_private_address(&mut self, flow: &Flow, sender: &InterfaceId, receiver: &InterfaceId) -> Verdict {
        let Some(from) = interface_of(self.cloud, sender) else { return NOTHING_TO_SEND };
        let given_back = given_back(self.cloud, receiver);
        let held = self.cloud.interface(receiver).and_then(|to| to.private);
        let Some(destination) = held.or(given_back) else { return NOTHING_TO_SEND };
        let Some(holder) = holder_of(self.cloud, &from.vpc, destination.0) else {
            return self.nobody_inside(flow, from, destination.0);
        };
        match self.by_address(flow, sender, destination.0) {
            Verdict::Open { .. } if given_back.is_some() => Verdict::Misdelivered { to: holder.id.holder() },
            other => other,
        }
    }

    /// From instance to instance by a secondary private address, which stays with its interface. In another VPC it is somebody else's.
    fn by_secondary_address(&mut self, flow: &Flow, sender: &InterfaceId, destination: Ipv4Addr) -> Verdict {
        let Some(from) = interface_of(self.cloud, sender) else { return NOTHING_TO_SEND };
        if holder_of(self.cloud, &from.vpc, destination).is_some() {
            return self.by_address(flow, sender, destination);
        }
        self.nobody_inside(flow, from, destination)
    }

    /// The verdict on a packet to an address of the sender's VPC that nobody there holds. The check of the source comes before anybody looks
    /// for the destination.
    fn nobody_inside(&mut self, flow: &Flow, from: &'a Interface, destination: Ipv4Addr) -> Verdict {
        let nobody = Verdict::Unreachable { by: Some(Hop::Router(from.vpc.clone())) };
        self.forged_source(flow, from, destination).unwrap_or(nobody)
    }

    /// Finds the interface of the sender's holder that has a private address.
    fn own_interface(&self, sender: &Interface, source: Ipv4Addr) -> Option<&'a Interface> {
        self.cloud.interfaces_of(&sender.id.holder()).find(|interface| holds(interface, source))
    }

    /// Drops a packet from an address that no interface of its sender has, where the sender's source is checked.
    fn forged_source(&mut self, flow: &Flow, sender: &'a Interface, destination: Ipv4Addr) -> Option<Verdict> {
        let Endpoint::Forged(_, IpAddr::V4(source)) = flow.from else { return None };
        if self.own_interface(sender, source).is_some() || sender.source_dest_check == SourceDestCheck::Off {
            return None;
        }
        self.sent(sender, source.into(), destination.into());
        Some(fails(Check::Source, sender))
    }

    /// From an instance to an IPv4 address, wherever that is.
    fn by_address(&mut self, flow: &Flow, sender: &InterfaceId, destination: Ipv4Addr) -> Verdict {
        let Some(sender) = interface_of(self.cloud, sender) else { return NOTHING_TO_SEND };
        let Some(own) = sender.private else { return NOTHING_TO_SEND };
        let Endpoint::Forged(_, IpAddr::V4(source)) = flow.from else {
            return self.leg(&Leg { sender, source: own.0, destination }, 0);
        };
        // With the address of another interface of its own it forges nothing: it sends by that interface.
        let sender = self.own_interface(sender, source).unwrap_or(sender);
        self.leg(&Leg { sender, source, destination }, 0)
    }

    /// From an interface to the next.
    ///
    /// Both ends judge: the sender's egress and the receiver's ingress, each by the groups of its own interface. Being in
    /// one subnet or in one group admits nothing. Source: "Security group rules" (VPC).
    pub fn leg(&mut self, leg: &Leg<'a>, legs_before: usize) -> Verdict {
        let Leg { sender, source, destination } = *leg;
        let is_its_own = holds(sender, source);
        self.sent(sender, source.into(), destination.into());
        // "Source/destination checking ensures that the instance is either the source or the destination of any traffic
        // that it receives" ("Elastic network interfaces", EC2).
        if !is_its_own && sender.source_dest_check == SourceDestCheck::On {
            return fails(Check::Source, sender);
        }
        let from_a_member = match (is_its_own, legs_before) {
            (true, _) => Path::Direct,
            (false, 0) => Path::Forged,
            (false, _) => Path::ThroughAnAppliance,
        };
        let hop = next_hop(self.cloud, sender, destination);
        let local = holder_of(self.cloud, &sender.vpc, destination);
        if local.is_some_and(|holder| holder.id == sender.id) {
            // To its own address: the packet never leaves the instance, so no group sees it.
            return self.open();
        }
        let to_a_member = if matches!(hop, NextHop::AsAddressed) { Path::Direct } else { Path::ThroughAnAppliance };
        if let Some(dropped) = self.egress(sender, destination.into(), to_a_member) {
            return dropped;
        }
        let blackhole = || dropped(DecidedBy::Route { vpc: sender.vpc.clone() });
        match (hop, local) {
            (NextHop::Nobody, _) => blackhole(),
            // What it sends would come back to it, and go round for ever: nobody gets it.
            (NextHop::Interface(appliance), _) if appliance.id == sender.id => blackhole(),
            (NextHop::Interface(appliance), _) => {
                self.stages.push(Stage::Routed { to: appliance.id.clone() });
                if appliance.source_dest_check == SourceDestCheck::On {
                    return fails(Check::Destination, appliance);
                }
                if let Some(dropped) = self.ask(appliance, Direction::Ingress, source.into(), from_a_member) {
                    return dropped;
                }
                match passes_on(self.cloud, appliance, source, self.service) {
                    Some(source) if legs_before < MAX_LEGS => {
                        self.stages.push(Stage::PassedOn { by: appliance.id.clone(), source });
                        self.leg(&Leg { sender: appliance, source, destination }, legs_before + 1)
                    }
                    _ => blackhole(),
                }
            }
            (NextHop::AsAddressed, Some(holder)) => self.ingress(source.into(), holder, from_a_member),
            (NextHop::AsAddressed, None) => self.through_the_gateway(leg),
        }
    }

    /// Out through the gateway, and in again where the address is an instance's: through 1:1 translation.
    ///
    /// The sender's groups have seen the receiver's public address as the destination; the receiver's groups see the
    /// sender's public address as the source. A rule that names a group names *private* addresses, so it does not match
    /// here: that follows from comparing addresses and is no case of its own. Source: "Security group rules" (EC2, 2018):
    /// "based on the private IP addresses ... (and not the public IP or Elastic IP addresses)".
    fn through_the_gateway(&mut self, leg: &Leg<'a>) -> Verdict {
        // "If the sender has no public IP and no NAT, nothing leaves at all" ("Internet gateways", VPC).
        let vpc = &leg.sender.vpc;
        let Some(public) = translated(self.cloud, vpc, leg.source).and_then(|holder| holder.public) else {
            return dropped(DecidedBy::Translation { vpc: vpc.clone() });
        };
        self.stages.push(Stage::TranslatedSource { vpc: vpc.clone(), private: leg.source, public: public.0 });
        if let Some(holder) = public_holder_of(self.cloud, leg.destination) {
            self.arrive(leg.destination, holder);
            if self.is_own_answer(holder, public) {
                self.stages.push(Stage::OwnAnswer { interface: holder.id.clone() });
                return self.open();
            }
            return self.ingress(public.0.into(), holder, Path::Direct);
        }
        let hosts = &self.cloud.hosts;
        let is_a_host = |address: IpAddr| hosts.values().any(|host| host.addresses.iter().any(|a| a.0 == address));
        if is_a_host(leg.destination.into()) { self.open() } else { Verdict::Unreachable { by: Some(Hop::Internet) } }
    }

    /// Returns true if the packet comes to an interface as the answer to one that it sent itself: of a protocol without ports it has sent
    /// from its private address to its public one, and what comes in is from the public one to the private one.
    ///
    /// Source: "Security group connection tracking" (EC2): of protocols other than TCP, UDP and ICMP only addresses and number are
    /// tracked, and what comes the other way is accepted "regardless of inbound security group rules".
    fn is_own_answer(&self, receiver: &Interface, seen: PublicIp) -> bool {
        let begun = self.stages.iter().find_map(|stage| match stage {
            Stage::Sent { from, source, destination } => Some((from, *source, *destination)),
            _ => None,
        });
        let sent = receiver.private.map(|private| (&receiver.id, private.0.into(), seen.0.into()));
        matches!(self.service, Service::Protocol(_)) && begun.is_some() && begun == sent
    }

    /// From instance to instance by public DNS name. Inside the VPC that is the private address, and group references
    /// match; from another VPC it is the public one. Without a public address an instance has no such name; who is stopped keeps that of its
    /// Elastic IP.
    ///
    /// Source: "DNS attributes for your VPC" (VPC).
    fn by_dns_name(&mut self, flow: &Flow, sender: &InterfaceId, receiver: &InterfaceId) -> Verdict {
        let (Some(from), Some(to)) = (interface_of(self.cloud, sender), self.cloud.interface(receiver)) else {
            return Verdict::Unresolved;
        };
        if let Some(balancer) = to.id.load_balancer().and_then(|name| self.cloud.load_balancers.get(name)) {
            // The name of a load balancer is one address for everybody: the public one, of an internal one the private one.
            let Some(address) = balancer.named_address() else { return Verdict::Unresolved };
            self.stages.push(Stage::Resolved { receiver: receiver.clone(), address });
            // From another VPC whose block has the number too it is an address inside.
            let is_inside = self.cloud.vpcs.get(&from.vpc).is_some_and(|vpc| vpc.cidr.contains(&address));
            if is_inside && holder_of(self.cloud, &from.vpc, address).is_none() {
                return self.nobody_inside(flow, from, address);
            }
            return self.by_address(flow, sender, address);
        }
        let Some(public) = to.public else { return Verdict::Unresolved };
        let inside = from.vpc == to.vpc;
        // Inside the name means the private address, which a crash may have taken.
        let named = if inside { to.private.map(|private| private.0) } else { Some(public.0) };
        let Some(address) = named else { return Verdict::Unresolved };
        self.stages.push(Stage::Resolved { receiver: receiver.clone(), address });
        if inside { self.by_private_address(flow, sender, receiver) } else { self.by_address(flow, sender, public.0) }
    }

    /// From a host to an instance over IPv6: nothing is translated, the receiver's groups see the host's address.
    fn outside_in_by_ipv6(&mut self, sender: IpAddr, receiver: &InterfaceId, via: Via) -> Verdict {
        let asked = self.cloud.interface(receiver).and_then(|it| ipv6_asked(it, via));
        if asked.is_none() {
            return NOTHING_TO_SEND;
        }
        let Some(receiver) = linked(self.cloud, receiver) else {
            return Verdict::Unreachable { by: Some(Hop::Internet) };
        };
        self.ingress(sender, receiver, Path::Direct)
    }

    /// From an instance to a host over IPv6.
    fn inside_out_by_ipv6(&mut self, from: &Endpoint, sender: &InterfaceId, receiver: IpAddr) -> Verdict {
        let Some((sender, source)) = self.sender_by_ipv6(from, sender) else { return NOTHING_TO_SEND };
        self.sent(sender, source.into(), receiver);
        if let Some(dropped) = self.source_check_by_ipv6(sender, source) {
            return dropped;
        }
        if let Some(dropped) = self.egress(sender, receiver, Path::Direct) {
            return dropped;
        }
        self.out_by_ipv6(sender, source).unwrap_or_else(|| self.open())
    }

    /// The interface that a packet over IPv6 leaves by, and its source: with the address of another interface of its own it forges nothing.
    fn sender_by_ipv6(&self, from: &Endpoint, sender: &InterfaceId) -> Option<(&'a Interface, Ipv6Addr)> {
        let sender = interface_of(self.cloud, sender)?;
        let own = sender.ipv6?.0;
        let Endpoint::Forged(_, IpAddr::V6(source)) = *from else { return Some((sender, own)) };
        let its_own = self.cloud.interfaces_of(&sender.id.holder()).find(|own| holds_ipv6(own, source));
        Some((its_own.unwrap_or(sender), source))
    }

    fn source_check_by_ipv6(&self, sender: &Interface, source: Ipv6Addr) -> Option<Verdict> {
        let is_its_own = holds_ipv6(sender, source);
        (!is_its_own && sender.source_dest_check == SourceDestCheck::On).then(|| fails(Check::Source, sender))
    }

    /// Out of the VPC over IPv6: nothing is translated, and only what has the address of an interface of the VPC leaves it, as over IPv4.
    fn out_by_ipv6(&self, sender: &Interface, source: Ipv6Addr) -> Option<Verdict> {
        let cloud = self.cloud;
        let is_up = |it: &&Interface| cloud.state_of(&it.id) != Some(InstanceState::Stopped);
        let mut inside =
            cloud.network_interfaces().filter(is_up).filter(|it| it.vpc == sender.vpc && it.private.is_some());
        let is_held = inside.any(|it| holds_ipv6(it, source));
        (!is_held).then(|| dropped(DecidedBy::Translation { vpc: sender.vpc.clone() }))
    }

    /// From instance to instance over IPv6, in one VPC or from one to the other: each end sees the other's own address.
    ///
    /// Source: "Compare IPv4 and IPv6" (VPC): the addresses are global, and nothing translates them.
    fn by_ipv6_address(&mut self, from: &Endpoint, sender: &InterfaceId, receiver: &InterfaceId, via: Via) -> Verdict {
        let (Some((sender, source)), Some(receiver)) =
            (self.sender_by_ipv6(from, sender), self.cloud.interface(receiver))
        else {
            return NOTHING_TO_SEND;
        };
        let Some(destination) = ipv6_asked(receiver, via) else { return NOTHING_TO_SEND };
        let is_up = linked(self.cloud, &receiver.id).is_some();
        let checked = self.source_check_by_ipv6(sender, source);
        let inside = sender.vpc == receiver.vpc;
        if !is_up && inside && checked.is_none() {
            return Verdict::Unreachable { by: Some(Hop::Router(sender.vpc.clone())) };
        }
        self.sent(sender, source.into(), destination.into());
        if let Some(dropped) = checked {
            return dropped;
        }
        if let Some(dropped) = self.egress(sender, destination.into(), Path::Direct) {
            return dropped;
        }
        if !inside && let Some(dropped) = self.out_by_ipv6(sender, source) {
            return dropped;
        }
        if !is_up {
            return Verdict::Unreachable { by: Some(Hop::Internet) };
        }
        let is_its_own = holds_ipv6(sender, source);
        let path = if is_its_own || !inside { Path::Direct } else { Path::Forged };
        self.ingress(source.into(), receiver, path)
    }

    /// The sender's side: nothing if it admits the flow, else the drop.
    ///
    /// Source: "EC2-Classic" (EC2, 2018): rules for inbound traffic only, all that goes out is allowed.
    fn egress(&mut self, sender: &Interface, destination: IpAddr, path: Path) -> Option<Verdict> {
        if !self.cloud.has_egress_rules() {
            self.stages.push(Stage::NoEgressRules { interface: sender.id.clone() });
            return None;
        }
        self.ask(sender, Direction::Egress, destination, path)
    }

    /// The receiver's side, where the way ends.
    fn ingress(&mut self, source: IpAddr, receiver: &Interface, path: Path) -> Verdict {
        self.ask(receiver, Direction::Ingress, source, path).unwrap_or_else(|| self.open())
    }

    /// Asks the groups of an interface: nothing if they admit the flow, else the drop.
    fn ask(&mut self, interface: &Interface, at: Direction, other: IpAddr, path: Path) -> Option<Verdict> {
        let asked = asked(self.cloud, interface, at, other, self.service, path);
        let refused = (!asked.admits()).then(|| dropped(asked.decided()));
        self.stages.push(Stage::RuleEvaluation(asked));
        refused
    }

    /// The verdict at the end of a way on which nobody has dropped it. Groups take the answer at the two ends, also where nobody asks for
    /// rules of egress.
    fn open(&self) -> Verdict {
        let stateful = |at: Direction, interface: &InterfaceId| LetBack::Stateful { at, interface: interface.clone() };
        let receiver = self.stages.last().and_then(|stage| match stage {
            Stage::RuleEvaluation(asked) => {
                (asked.at == Direction::Ingress).then(|| stateful(asked.at, &asked.interface))
            }
            _ => None,
        });
        let sender = self.stages.iter().find_map(|stage| match stage {
            Stage::RuleEvaluation(RuleEvaluation { at: Direction::Egress, interface, .. })
            | Stage::NoEgressRules { interface } => Some(stateful(Direction::Egress, interface)),
            _ => None,
        });
        Verdict::Open {
            request: self.stages.iter().filter_map(Stage::decided).collect(),
            answer: receiver.into_iter().chain(sender).collect(),
        }
    }

    fn sent(&mut self, from: &Interface, source: IpAddr, destination: IpAddr) {
        self.stages.push(Stage::Sent { from: from.id.clone(), source, destination });
    }

    fn arrive(&mut self, public: Ipv4Addr, receiver: &Interface) {
        let private = receiver.private.map(|private| private.0);
        self.stages.push(Stage::TranslatedDestination { vpc: receiver.vpc.clone(), public, private });
    }
}

/// There is no address to send to, or nobody who sends.
const NOTHING_TO_SEND: Verdict = Verdict::Unreachable { by: None };

fn fails(check: Check, interface: &Interface) -> Verdict {
    dropped(DecidedBy::SourceDestCheck { interface: interface.id.clone(), check, vpc: interface.vpc.clone() })
}

/// The verdict of a dropped request; no stage drops answers yet.
fn dropped(by: DecidedBy) -> Verdict {
    Verdict::Dropped { by, half: Half::Request }
}

/// Asks the groups of an interface.
pub(super) fn asked(
    cloud: &Cloud,
    interface: &Interface,
    at: Direction,
    other: IpAddr,
    service: Service,
    path: Path,
) -> RuleEvaluation {
    let groups = interface.groups.iter().cloned().collect();
    let trials = rules::trials(cloud, interface, at, other, service, path);
    RuleEvaluation { interface: interface.id.clone(), at, groups, other, path, trials }
}

/// A packet on its way from one interface to the next.
pub(super) struct Leg<'a> {
    pub sender: &'a Interface,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
}

/// More appliances in a row than this are a circle.
pub(super) const MAX_LEGS: usize = 8;
