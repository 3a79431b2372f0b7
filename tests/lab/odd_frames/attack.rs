//! Who sends and who sees, and the work of the one thread that does both.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use sglab::compile::names;
use sglab::model::{HostName, InstanceName, Interface, SourceDestCheck};
use sglab::network::NodeName;
use socket2::{Domain, Socket, Type};

use super::frames::{Dice, OPEN, Own, PINGED, World, draw};
use super::headers::{self, Ipv4, Ipv6};
use super::witness::{Admits, Sender, Sent, Witness, is_without_ports};
use super::{HOSTS, SENDERS, SHORT};
use crate::bare::{Bare, inside, soon};

/// Addresses that are nobody's, everybody's, or a box' of the lab.
const ODD_IPV4: &str = "0.0.0.0 127.0.0.1 255.255.255.255 224.0.0.1 224.0.0.251 10.0.0.1 10.0.1.1 10.0.1.99 10.0.255.255 \
    169.254.1.1 169.254.2.2 169.254.2.3 169.254.3.1 169.254.4.1 169.254.169.253 169.254.169.254 169.254.169.123 \
    198.18.0.99 203.0.113.99 240.0.0.1 8.8.8.8";
const ODD_IPV6: &str = ":: ::1 ff02::1 ff02::2 ff02::16 ff05::2 fe80::1 fe80::2 fe80::99 2001:db8::1 2001:db8::2 \
    2001:db8:ffff::99 ::ffff:10.0.1.1 2002:a00:101::1 64:ff9b::a00:10c 2000::1";

/// One interface to send by.
struct Place {
    sender: Sender,
    own: Own,
}

fn addresses_of(interface: &Interface) -> (Ipv4Addr, Option<IpAddr>, Ipv6Addr) {
    let private = interface.private.expect("a private address").0;
    (private, interface.public.map(|it| it.0.into()), interface.ipv6.expect("an IPv6 address").0)
}

fn place(bare: &Bare, (name, device): (&str, usize)) -> Place {
    let link = &bare.network().links[&names::link(&NodeName(name.into()), &format!("eth{device}"))];
    let (mac, next) = (link.lower.mac, link.upper.mac);
    if HOSTS.contains(&name) {
        let host = &bare.cloud.hosts[&HostName::new(name)].addresses;
        let (IpAddr::V4(ipv4), IpAddr::V6(ipv6)) = (host[0].0, host[1].0) else { panic!("{name} has one of each") };
        let beyond = vec![ipv4.into(), ipv6.into()];
        let sender = Sender { name: name.into(), vpc: None, within: vec![], beyond, forges: false, by: None };
        return Place { sender, own: Own { mac, next, ipv4, ipv6 } };
    }
    let interfaces = &bare.cloud.instances[&InstanceName::new(name)].interfaces;
    let (ipv4, public, ipv6) = addresses_of(&interfaces[device]);
    let by = [("by-nat", "nat"), ("by-box", "box")].into_iter().find(|(it, _)| *it == name).map(|(_, by)| by);
    let mut beyond: Vec<IpAddr> = public.into_iter().chain([ipv6.into()]).collect();
    if by == Some("nat") {
        beyond.extend(addresses_of(&bare.cloud.instances[&InstanceName::new("nat")].interfaces[0]).1);
    }
    let sender = Sender {
        name: format!("{name}.eth{device}"),
        vpc: Some(interfaces[device].vpc.to_string()),
        within: [&[ipv4.into()][..], &beyond].concat(),
        beyond,
        forges: interfaces[device].source_dest_check == SourceDestCheck::Off,
        by,
    };
    Place { sender, own: Own { mac, next, ipv4, ipv6 } }
}

async fn witnesses(bare: &Bare) -> Vec<Witness> {
    let mut all = Vec::new();
    for (name, instance) in &bare.cloud.instances {
        let own = instance.interfaces.iter().flat_map(|it| {
            let (private, _, ipv6) = addresses_of(it);
            [IpAddr::from(private), ipv6.into()]
        });
        let admits = if SHORT.contains(&name.as_str()) { Admits::ShortList } else { Admits::Nothing };
        let vpc = Some(instance.interfaces[0].vpc.to_string());
        all.push(Witness::of(&bare.node(name.as_str()), vpc, own.collect(), admits).await);
    }
    let balancer = &bare.cloud.load_balancers["site"].interface;
    let own = vec![IpAddr::from(balancer.private.expect("an address").0)];
    all.push(Witness::of(&bare.node("site"), Some("main".into()), own, Admits::ShortList).await);
    for witness in &mut all {
        let vpc = bare.cloud.vpcs.iter().find(|(name, _)| witness.vpc.as_deref() == Some(name.as_str()));
        let block = vpc.and_then(|(_, vpc)| vpc.ipv6).expect("a block");
        witness.router = Some(names::router_ipv6(block).into());
    }
    for name in HOSTS {
        let own = bare.cloud.hosts[&HostName::new(name)].addresses.iter().map(|it| it.0).collect();
        all.push(Witness::of(&bare.node(name), None, own, Admits::Everything).await);
    }
    all
}

/// What a round came to.
#[derive(Default)]
pub struct Round {
    pub sent: u64,
    /// Frames that the sender's own link did not take.
    pub not_taken: u64,
    /// Drawn frames that a rule let in, by sender: more than controls come through.
    pub let_in: BTreeMap<String, u64>,
    pub faults: Vec<String>,
}

/// Everything that sends and sees, and one thread's work.
pub struct Attack {
    seed: u64,
    magic: [u8; 8],
    witnesses: Vec<Witness>,
    places: Vec<(Place, World, Socket)>,
    /// Of the office, for the flow that errors are about.
    office: usize,
    target: [IpAddr; 3],
    next: u32,
    pub round: Round,
    sent: Sent,
    /// As drawn, since they were last looked for.
    under_way: BTreeMap<u32, Vec<Vec<u8>>>,
}

/// Who has seen the answer to a control: its sender.
const ANSWERED: &str = "the sender";
/// A frame of a number from here on is a control.
const CONTROLS: u32 = 1 << 31;
/// So many frames are sent before they are looked for: what a witness has room for is never all taken.
const AT_ONCE: u32 = 64;

pub async fn prepare(bare: &Bare, seed: u64) -> Attack {
    let witnesses = witnesses(bare).await;
    let target = addresses_of(&bare.cloud.instances[&InstanceName::new("target")].interfaces[0]);
    let target = [target.0.into(), target.1.expect("a public address"), target.2.into()];
    let office = bare.cloud.hosts[&HostName::new("office")].addresses.clone();
    let interfaces: Vec<&Interface> = bare.cloud.instances.values().flat_map(|it| &it.interfaces).collect();
    let mut known: Vec<IpAddr> = witnesses.iter().flat_map(|it| it.own.clone()).collect();
    known.extend(interfaces.iter().filter_map(|it| addresses_of(it).1));
    // Where a rule admits something there is most to be found.
    known.extend([target; 5].concat());
    let macs: Vec<[u8; 6]> = bare.network().links.values().flat_map(|link| [link.upper.mac, link.lower.mac]).collect();
    let mut places = Vec::new();
    for who in SENDERS.iter().chain(&[("office", 0)]) {
        let place = place(bare, *who);
        let all = |odd: &str| odd.split(' ').map(|it| it.parse().expect("an address")).collect::<Vec<IpAddr>>();
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for address in known.iter().copied().chain(all(ODD_IPV4)).chain(all(ODD_IPV6)) {
            match address {
                IpAddr::V4(it) => ipv4.push(it),
                IpAddr::V6(it) => ipv6.push(it),
            }
        }
        // From outside any router may speak of a flow, and whose check is off may be its end (docs/semantics.md).
        let speaks = place.sender.vpc.is_none() || place.sender.forges;
        let near = place.sender.vpc.as_deref() == Some("main");
        let asked = [target[usize::from(!near)], target[2]];
        let flow = (!speaks).then(|| [(office[0].0, asked[0]), (office[1].0, asked[1])]);
        let interface = format!("eth{}", who.1);
        let socket = inside(&bare.node(who.0), move || sender_at(&interface)).await;
        places.push((place, World { ipv4, ipv6, macs: macs.clone(), flow }, socket));
    }
    let magic = Dice::of(seed, u32::MAX).next().to_be_bytes();
    let office = places.len() - 1;
    let (round, sent, under_way) = (Round::default(), Sent::new(), BTreeMap::new());
    Attack { seed, magic, witnesses, places, office, target, next: 0, round, sent, under_way }
}

/// What sends frames as they are by an interface of the calling thread's namespace.
fn sender_at(interface: &str) -> Socket {
    let mut all = nix::ifaddrs::getifaddrs().expect("the interfaces");
    let link = all.find_map(|it| it.address.filter(|_| it.interface_name == interface)?.as_link_addr().copied());
    let socket = Socket::new(Domain::PACKET, Type::RAW, None).expect("a packet socket");
    nix::sys::socket::bind(socket.as_raw_fd(), &link.expect("the interface")).expect("it is there");
    socket
}

/// The number of a marked frame.
fn number(magic: &[u8], frame: &[u8]) -> Option<u32> {
    let marked = frame.windows(12).find(|window| window[..8] == *magic)?;
    Some(u32::from_be_bytes([marked[8], marked[9], marked[10], marked[11]]))
}

impl Attack {
    fn token(&self, number: u32) -> [u8; 12] {
        let mut token = [0; 12];
        token[..8].copy_from_slice(&self.magic);
        token[8..].copy_from_slice(&number.to_be_bytes());
        token
    }

    /// Sends so many frames from everybody, and looks for them.
    pub fn run(&mut self, each: u32) {
        for (who, (name, _)) in SENDERS.iter().enumerate() {
            self.controls(self.office);
            for first in (0..each).step_by(AT_ONCE as usize) {
                for _ in first..each.min(first + AT_ONCE) {
                    self.next += 1;
                    let (number, token) = (self.next, self.token(self.next));
                    let (place, world, socket) = &self.places[who];
                    let frames = draw(&mut Dice::of(self.seed, number), world, &place.own, &token, number);
                    for frame in &frames {
                        self.round.sent += 1;
                        self.round.not_taken += u64::from(socket.send(frame).is_err());
                        if let Some(packet) = headers::read(frame).filter(|it| is_without_ports(it.protocol)) {
                            self.sent.insert(((*name).to_owned(), packet.protocol, packet.to));
                        }
                    }
                    self.under_way.insert(number, frames);
                }
                // Twice, as what was sent may have a longer way than a control: the second leaves when the first is there.
                self.controls(who);
                self.controls(who);
                for witness in &mut self.witnesses {
                    let left =
                        witness.pieces.drain(..).map(|it| format!("{} has seen a piece alone: {it:?}", witness.name));
                    self.round.faults.extend(left);
                }
                self.under_way.clear();
            }
        }
    }

    /// What each may send arrives, and is answered; and all that was sent before has arrived by then, or never will.
    fn controls(&mut self, who: usize) {
        let mut missing = Vec::new();
        for (witness, to) in self.controls_of(who) {
            // The answer to the ping comes behind that to the beginning of a connection.
            for ping in [false, true] {
                self.next += 1;
                let token = self.token(CONTROLS | self.next);
                let (place, _, socket) = &self.places[who];
                let id = if who == self.office { PINGED } else { self.next as u16 };
                socket.send(&control(&place.own, to, ping, id, &token)).expect("a control leaves");
                missing.push((witness, CONTROLS | self.next));
            }
            missing.push((ANSWERED, CONTROLS | self.next));
        }
        let begun = Instant::now();
        while !missing.is_empty() {
            let seen = self.look(who);
            missing.retain(|control| !seen.contains(control));
            let sender = &self.places[who].0.sender.name;
            assert!(begun.elapsed() < soon(), "seed {}: what {sender} may send has not come: {missing:?}", self.seed);
        }
    }

    /// Whom a control of a sender reaches, by which address.
    fn controls_of(&self, who: usize) -> Vec<(&'static str, IpAddr)> {
        let (place, ..) = &self.places[who];
        let [private, public, ipv6] = self.target;
        let mut all = vec![("target", public), ("target", ipv6)];
        if place.sender.vpc.as_deref() == Some("main") {
            all.push(("target", private));
        }
        if place.sender.vpc.is_some() {
            all.extend([("office", OFFICE[0]), ("office", OFFICE[1])]);
        }
        all
    }

    /// Looks at all that has come; the controls among it, by who has seen them.
    fn look(&mut self, who: usize) -> Vec<(&'static str, u32)> {
        let mut controls = Vec::new();
        let own = SENDERS.get(who).map_or("office", |(name, _)| *name);
        let sender = &self.places[who].0.sender;
        for witness in &mut self.witnesses {
            for frame in witness.frames() {
                let number = number(&self.magic, &frame);
                if witness.name == own {
                    controls.extend(number.filter(|number| *number >= CONTROLS).map(|number| (ANSWERED, number)));
                    continue;
                }
                if let Some(why) = witness.fault(sender, &self.sent, &frame, number.is_some()) {
                    let drawn = number.and_then(|number| self.under_way.get(&number));
                    self.round.faults.push(told(self.seed, sender, witness, why, number, drawn, &frame));
                }
                match number {
                    Some(number) if number >= CONTROLS => {
                        let name = ["target", "office"].into_iter().find(|name| *name == witness.name);
                        controls.extend(name.map(|name| (name, number)));
                    }
                    Some(_) => *self.round.let_in.entry(sender.name.clone()).or_default() += 1,
                    None => {}
                }
            }
        }
        controls
    }
}

const OFFICE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x10))];

/// A ping, or the beginning of a connection to the open port.
fn control(own: &Own, to: IpAddr, ping: bool, id: u16, token: &[u8]) -> Vec<u8> {
    let (source, kind, echo) = match to {
        IpAddr::V4(_) => (IpAddr::from(own.ipv4), 0x0800u16, (1, 8)),
        IpAddr::V6(_) => (own.ipv6.into(), 0x86dd, (58, 128)),
    };
    let (protocol, mut body, at) = if ping {
        (echo.0, [&[echo.1, 0, 0, 0][..], &id.to_be_bytes(), &[0, 1], token].concat(), 2)
    } else {
        let ports = [id | 0x8000, OPEN].map(u16::to_be_bytes).concat();
        (6, [&ports[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0], token].concat(), 16)
    };
    let sum = headers::sum(source, to, protocol, &body);
    body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let packet = match (source, to) {
        (IpAddr::V4(source), IpAddr::V4(to)) => Ipv4::of(source, to, protocol).packet(&body),
        (IpAddr::V6(source), IpAddr::V6(to)) => Ipv6 { source, to, protocol, hops: 64 }.packet(&body),
        _ => unreachable!("of one family"),
    };
    [&own.next[..], &own.mac, &kind.to_be_bytes(), &packet].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text");
        text
    })
}

fn told(
    seed: u64,
    sender: &Sender,
    witness: &Witness,
    why: &str,
    number: Option<u32>,
    drawn: Option<&Vec<Vec<u8>>>,
    frame: &[u8],
) -> String {
    let sent: Vec<String> = drawn.into_iter().flatten().map(|frame| hex(frame)).collect();
    format!(
        "seed {seed}, number {number:?}, from {}: {why}, and {} has seen it\n  sent {}\n  came {}",
        sender.name,
        witness.name,
        sent.join("\n       "),
        hex(frame)
    )
}
