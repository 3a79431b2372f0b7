//! Standing of a connection while the cloud changes around it.
//!
//! Sources: "Security group connection tracking" (EC2), and its example of a rule that is taken away. A connection passes
//! an end that tracks it whatever becomes of the rules there, and one that does not track it as long as some rule of that
//! moment admits it. Each end is judged by its own groups, and each family by itself.

use std::net::{IpAddr, Ipv4Addr};

use super::holders::{holder_of, interface_of, ipv6_asked, translated};
use super::judge::{MAX_LEGS, asked, judge};
use super::meeting::meeting;
use super::memory::{self, memory};
use super::routes::holds;
use super::routes::{NextHop, next_hop, passes_on};
use super::walk::Path;
use crate::model::{
    Cloud, Direction, Endpoint, Flow, InstanceState, Interface, InterfaceId, Ipv6, Operation, Peers, Power, PrivateIp,
    PublicIp, Scheme, Service, SourceDestCheck, Via, VpcName,
};

/// Standing of a connection at a moment, by the documented semantics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Packets of each end come to the other.
    Alive,
    /// Packets of each end are dropped, at one of these.
    Cut {
        /// Every end that lets it pass no more.
        at: Vec<(Direction, InterfaceId)>,
    },
    /// Packets of each end are dropped, because an appliance on their way takes only what is its own.
    FailsCheck {
        /// Interface whose check they fail.
        interface: InterfaceId,
        /// The VPC of the interface, whose router checks.
        vpc: VpcName,
    },
    /// It was idle for too long, or an address that it goes by has left its holder, and whoever gets it inherits nothing:
    /// what is sent now belongs to no connection.
    Forgotten,
    /// An end is no more: its instance or its interface has gone, or its programs have ended.
    Gone,
}

/// A connection that was admitted, and what each end that judged it remembers.
#[derive(Clone, Debug)]
pub struct Connection {
    service: Service,
    ends: Vec<End>,
    /// Opener and answerer; a host outside is always there.
    parties: Vec<Hold>,
    appliances: Vec<Hold>,
    is_over: bool,
    is_forgotten: bool,
}

/// An end that has judged a connection: the sender's egress or a receiver's ingress. An appliance is two more.
#[derive(Clone, Debug)]
struct End {
    interface: InterfaceId,
    direction: Direction,
    other: IpAddr,
    path: Path,
    memory: Memory,
}

/// Tracking of a connection by an end, which needs the rule no more once it tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Tracked,
    Untracked,
}

/// Interface as part of a connection, with the addresses that it is part by.
#[derive(Clone, Debug)]
struct Hold {
    interface: InterfaceId,
    /// Tells it from another of the same name, later.
    number: u32,
    private: Option<PrivateIp>,
    /// Public address that the gateway translates the connection at.
    public: Option<PublicIp>,
    ipv6: Option<Ipv6>,
}

impl Connection {
    /// A connection that is opened now; nothing if it does not come about, or is of a kind that nobody holds.
    pub fn open(cloud: &Cloud, flow: &Flow) -> Option<Self> {
        let held = matches!(flow.service, Service::Tcp(_) | Service::Udp(_) | Service::IcmpEcho);
        if !held || !judge(cloud, flow).is_open() {
            return None;
        }
        Self::along(cloud, flow)
    }

    /// Two ends that have sent to each other from fixed ports, and each hears the other; nothing if they would not, or over what is
    /// not sent that way. Each end has sent, and remembers that.
    pub fn meet(cloud: &Cloud, peers: &Peers) -> Option<Self> {
        meeting(cloud, peers).filter(|meeting| meeting.there && meeting.back)?;
        Self::along(cloud, &peers.there)
    }

    fn along(cloud: &Cloud, flow: &Flow) -> Option<Self> {
        let mut way = Way { cloud, service: flow.service, ends: Vec::new(), parties: Vec::new(), passed: Vec::new() };
        way.walk(flow)?;
        Some(Self {
            service: flow.service,
            ends: way.ends,
            parties: way.parties,
            appliances: way.passed,
            is_over: false,
            is_forgotten: false,
        })
    }

    /// Takes note of a change; `cloud` is the one after it.
    ///
    /// A reboot changes nothing that a cloud knows of, and ends the programs all the same.
    pub fn follow(&mut self, operation: &Operation, cloud: &Cloud) {
        let rebooted = operation.power().and_then(|(power, name)| match power {
            Power::Reboot => Some(name),
            Power::Stop | Power::Start | Power::Crash | Power::Terminate => None,
        });
        let is_rebooted = |party: &Hold| rebooted.is_some_and(|name| party.interface.instance() == Some(name));
        self.is_over |= self.parties.iter().any(|party| is_rebooted(party) || !party.is_there(cloud));
    }

    /// Takes note that it was idle until nobody remembered it. How long that takes is not the model's matter.
    pub fn forget(&mut self) {
        self.is_forgotten = true;
    }

    /// Returns the standing of the connection.
    pub fn standing(&self, cloud: &Cloud) -> ConnectionState {
        if self.is_over {
            return ConnectionState::Gone;
        }
        let mut all = self.parties.iter().chain(&self.appliances);
        if self.is_forgotten || !all.all(|hold| hold.is_there(cloud) && hold.is_known_outside(cloud)) {
            return ConnectionState::Forgotten;
        }
        for Hold { interface, .. } in &self.appliances {
            let checks = |it: &&Interface| it.source_dest_check == SourceDestCheck::On;
            if let Some(checking) = cloud.interface(interface).filter(checks) {
                return ConnectionState::FailsCheck { interface: interface.clone(), vpc: checking.vpc.clone() };
            }
        }
        let closed = self.ends.iter().filter(|end| !end.passes(cloud, self.service));
        let at: Vec<_> = closed.map(|end| (end.direction, end.interface.clone())).collect();
        if at.is_empty() { ConnectionState::Alive } else { ConnectionState::Cut { at } }
    }
}

impl End {
    fn passes(&self, cloud: &Cloud, service: Service) -> bool {
        let Some(interface) = cloud.interface(&self.interface) else { return false };
        self.memory == Memory::Tracked
            || asked(cloud, interface, self.direction, self.other, service, self.path).admits()
    }
}

impl Hold {
    fn of(interface: &Interface) -> Self {
        let Interface { id, number, private, ipv6, .. } = interface;
        Self { interface: id.clone(), number: *number, private: *private, public: None, ipv6: *ipv6 }
    }

    fn is_there(&self, cloud: &Cloud) -> bool {
        let instance = self.interface.instance().and_then(|name| cloud.instances.get(name));
        let runs = instance.is_some_and(|instance| instance.state == InstanceState::Running);
        let same = |interface: &Interface| {
            interface.number == self.number && interface.private == self.private && interface.ipv6 == self.ipv6
        };
        runs && cloud.interface(&self.interface).is_some_and(same)
    }

    fn is_known_outside(&self, cloud: &Cloud) -> bool {
        self.public.is_none() || cloud.interface(&self.interface).is_some_and(|i| i.public == self.public)
    }
}

/// The way of a flow that is admitted everywhere.
struct Way<'a> {
    cloud: &'a Cloud,
    service: Service,
    ends: Vec<End>,
    parties: Vec<Hold>,
    passed: Vec<Hold>,
}

impl<'a> Way<'a> {
    fn walk(&mut self, flow: &Flow) -> Option<()> {
        let find = |end: &Endpoint| end.interface().and_then(|id| interface_of(self.cloud, &id));
        match (&flow.from, find(&flow.from), &flow.to, find(&flow.to)) {
            (Endpoint::Host(_, sender), _, _, Some(receiver)) => {
                self.party(receiver, sender.0.is_ipv4());
                self.end(receiver, Direction::Ingress, sender.0, Path::Direct);
            }
            (_, Some(sender), Endpoint::Host(_, receiver), _) => match receiver.0 {
                IpAddr::V4(address) => self.legs(sender, address)?,
                IpAddr::V6(_) => {
                    self.party(sender, false);
                    self.end(sender, Direction::Egress, receiver.0, Path::Direct);
                }
            },
            (_, Some(sender), _, Some(receiver)) => {
                let by_name = match receiver.id.load_balancer().and_then(|name| self.cloud.load_balancers.get(name)) {
                    Some(balancer) => balancer.scheme == Scheme::Internal,
                    None => sender.vpc == receiver.vpc,
                };
                let inside = flow.via == Via::Private || flow.via == Via::Dns && by_name;
                match flow.via {
                    Via::Ipv6 | Via::Secondary(IpAddr::V6(_)) => {
                        self.party(sender, false);
                        self.party(receiver, false);
                        self.end(sender, Direction::Egress, ipv6_asked(receiver, flow.via)?.into(), Path::Direct);
                        self.end(receiver, Direction::Ingress, sender.ipv6?.0.into(), Path::Direct);
                    }
                    Via::Secondary(IpAddr::V4(address)) => self.legs(sender, address)?,
                    _ if inside => self.legs(sender, receiver.private?.0)?,
                    _ => self.legs(sender, receiver.public?.0)?,
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// From interface to interface over IPv4, through whatever appliances the routes name.
    fn legs(&mut self, first: &'a Interface, destination: Ipv4Addr) -> Option<()> {
        let (mut sender, mut source) = (first, first.private?.0);
        self.party(first, false);
        for _ in 0..=MAX_LEGS {
            let own = holds(sender, source);
            let from = if own { Path::Direct } else { Path::ThroughAnAppliance };
            let hop = next_hop(self.cloud, sender, destination);
            let to = if matches!(hop, NextHop::AsAddressed) { Path::Direct } else { Path::ThroughAnAppliance };
            self.end(sender, Direction::Egress, destination.into(), to);
            match (hop, holder_of(self.cloud, &sender.vpc, destination)) {
                (NextHop::Nobody, _) => return None,
                (NextHop::Interface(appliance), _) => {
                    self.end(appliance, Direction::Ingress, source.into(), from);
                    self.passed.push(Hold::of(appliance));
                    source = passes_on(self.cloud, appliance, source, self.service)?;
                    sender = appliance;
                }
                (NextHop::AsAddressed, Some(holder)) => {
                    self.party(holder, false);
                    self.end(holder, Direction::Ingress, source.into(), from);
                    return Some(());
                }
                (NextHop::AsAddressed, None) => return self.outside(sender, source, destination),
            }
        }
        None
    }

    /// Out through the gateway, and in again if the address is an instance's.
    fn outside(&mut self, sender: &Interface, source: Ipv4Addr, destination: Ipv4Addr) -> Option<()> {
        let translated = translated(self.cloud, &sender.vpc, source)?;
        let public = translated.public?;
        for hold in self.parties.iter_mut().chain(&mut self.passed) {
            if hold.interface == translated.id {
                hold.public = Some(public);
            }
        }
        let has_it = |interface: &&Interface| {
            interface.public.is_some_and(|public| public.0 == destination) && interface.private.is_some()
        };
        let up = self.cloud.interfaces().filter(|(_, instance, _)| instance.state != InstanceState::Stopped);
        if let Some(receiver) = up.map(|(_, _, interface)| interface).find(has_it) {
            self.party(receiver, true);
            self.end(receiver, Direction::Ingress, public.0.into(), Path::Direct);
        }
        Some(())
    }

    fn party(&mut self, interface: &Interface, translated: bool) {
        let public = interface.public.filter(|_| translated);
        self.parties.push(Hold { public, ..Hold::of(interface) });
    }

    fn end(&mut self, interface: &Interface, direction: Direction, other: IpAddr, path: Path) {
        if direction == Direction::Egress && !self.cloud.has_egress_rules() {
            return;
        }
        let asked = asked(self.cloud, interface, direction, other, self.service, path);
        let tracked = memory(self.cloud, &asked, self.service).is_none_or(memory::Memory::is_tracked);
        let memory = if tracked { Memory::Tracked } else { Memory::Untracked };
        self.ends.push(End { interface: interface.id.clone(), direction, other, path, memory });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::*;
    use crate::model::{Era, GroupName, HostIp, HostName, InstanceName, Port};

    fn end(name: &str) -> Endpoint {
        Endpoint::Instance(InstanceName::new(name))
    }

    fn office() -> Endpoint {
        Endpoint::Host(HostName::new("office"), HostIp("203.0.113.10".parse().unwrap()))
    }

    fn flow(from: Endpoint, to: &str, via: Via, service: Service) -> Flow {
        Flow { from, to: end(to), via, service }
    }

    const WEB: Service = Service::Tcp(Port(80));

    /// A connection that is held through changes: what has become of it after each.
    fn story(mut sample: Sample, flow: &Flow, changes: &[Operation]) -> Vec<ConnectionState> {
        let mut connection = Connection::open(&sample.0, flow).expect("it comes about");
        let mut standings = Vec::new();
        for change in changes {
            sample = sample.with(change.clone());
            connection.follow(change, &sample.0);
            standings.push(connection.standing(&sample.0));
        }
        standings
    }

    fn cut(at: Direction, instance: &str) -> ConnectionState {
        ConnectionState::Cut { at: vec![(at, InterfaceId::first_of(&InstanceName::new(instance)))] }
    }

    fn two(era: Era, rules: &[&str]) -> Sample {
        Sample::new(era).group("W", &[]).group("D", rules).instance("w", &["W"]).instance("d", &["D"])
    }

    #[test]
    fn what_is_tracked_outlives_its_rule_and_what_is_not_is_cut_with_it_and_revived_by_it() {
        for era in Era::ALL {
            let private = flow(end("w"), "d", Via::Private, WEB);
            let narrow = story(two(era, &["tcp 80 from W"]), &private, &[revoke("D", "tcp 80 from W")]);
            assert_eq!(narrow, [ConnectionState::Alive], "{era}");
            let wide = [revoke("D", "tcp 80 from anywhere"), authorize("D", "tcp 80 from anywhere")];
            let wide = story(two(era, &["tcp 80 from anywhere"]), &private, &wide);
            assert_eq!(wide, [cut(Direction::Ingress, "d"), ConnectionState::Alive], "{era}");
        }
    }

    #[test]
    fn a_second_rule_that_admits_keeps_it_and_the_first_that_matches_decides() {
        let private = flow(end("w"), "d", Via::Private, WEB);
        let both = [revoke("D", "tcp 80 from anywhere"), revoke("D", "tcp 80 from W")];
        let wide_first = story(two(Era::Vpc, &["tcp 80 from anywhere", "tcp 80 from W"]), &private, &both);
        assert_eq!(wide_first, [ConnectionState::Alive, cut(Direction::Ingress, "d")]);
        let narrow_first = story(two(Era::Vpc, &["tcp 80 from W", "tcp 80 from anywhere"]), &private, &both);
        assert_eq!(narrow_first, [ConnectionState::Alive, ConnectionState::Alive]);
    }

    #[test]
    fn narrower_egress_means_tracked_and_a_ping_always_is() {
        let private = flow(end("w"), "d", Via::Private, WEB);
        let narrowed = two(Era::Vpc, &["tcp 80 from anywhere"]).egress("D", &["tcp 443 to anywhere"]);
        assert_eq!(story(narrowed, &private, &[revoke("D", "tcp 80 from anywhere")]), [ConnectionState::Alive]);
        let ping = flow(end("w"), "d", Via::Private, Service::IcmpEcho);
        let pinged = story(two(Era::Vpc, &["icmp all from anywhere"]), &ping, &[revoke("D", "icmp all from anywhere")]);
        assert_eq!(pinged, [ConnectionState::Alive]);
    }

    #[test]
    fn each_end_is_judged_by_its_own_groups() {
        let private = flow(end("w"), "d", Via::Private, WEB);
        // Both directions of the sender are open to all, so that it does not track what it opens.
        let open = two(Era::Vpc, &["tcp 80 from W"]).allow("W", &["all from anywhere"]);
        let all = vec![permission("all to anywhere")];
        let closed = [Operation::RevokeEgress(GroupName::new("W"), all), revoke("D", "tcp 80 from W")];
        assert_eq!(story(open, &private, &closed), [cut(Direction::Egress, "w"), cut(Direction::Egress, "w")]);
    }

    #[test]
    fn a_stop_or_a_reboot_of_an_end_ends_it_and_of_another_does_not() {
        let private = flow(end("w"), "d", Via::Private, WEB);
        let sample = two(Era::Vpc, &["tcp 80 from W"]).instance("x", &["W"]);
        assert_eq!(
            story(sample.clone(), &private, &[stop("d"), start("d")]),
            [ConnectionState::Gone, ConnectionState::Gone]
        );
        assert_eq!(story(sample.clone(), &private, &[reboot("w")]), [ConnectionState::Gone]);
        assert_eq!(
            story(sample, &private, &[reboot("x"), stop("x")]),
            [ConnectionState::Alive, ConnectionState::Alive]
        );
    }

    #[test]
    fn a_public_address_that_moves_takes_the_connections_by_it_along_and_no_others() {
        let sample = two(Era::Vpc, &["tcp 80 from anywhere"]).with(allocate("e"));
        let moved = [associate("e", "d")];
        let outside = flow(office(), "d", Via::Public, WEB);
        assert_eq!(story(sample.clone(), &outside, &moved), [ConnectionState::Forgotten]);
        let private = flow(end("w"), "d", Via::Private, WEB);
        assert_eq!(story(sample.clone(), &private, &moved), [ConnectionState::Alive]);
        let out_and_in = flow(end("w"), "d", Via::Public, WEB);
        assert_eq!(story(sample, &out_and_in, &[associate("e", "w")]), [ConnectionState::Forgotten]);
    }
}
