//! The floor: what the kernel itself takes for the namespaces and links of a lab. One socket a
//! namespace, every request of a visit in one send, and an answer to the last of them only.
#![allow(unsafe_code, reason = "an instance's user namespace is made by a child that shares our memory")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use netlink_sys::{Socket, SocketAddr, constants::NETLINK_ROUTE};
use nix::sched::{CloneFlags, setns, unshare};
use sglab::network::{End, Link, Network, NodeKind, NodeName, Route, Way};

/// Makes the namespaces and links of a network, says how long it took, and gives them up.
pub fn time(network: &Network) -> Duration {
    // On a thread of its own: it does not come back to our namespace.
    thread::scope(|scope| scope.spawn(|| make(network)).join().expect("the floor"))
}

fn make(network: &Network) -> Duration {
    let begun = Instant::now();
    // The namespaces on every processor; what follows is under one lock of the kernel and gains nothing by threads.
    let kinds: Vec<(&NodeName, NodeKind)> = network.nodes.iter().map(|(name, node)| (name, node.kind)).collect();
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let nodes: HashMap<&NodeName, OwnedFd> = thread::scope(|scope| {
        let made: Vec<_> = kinds
            .chunks(kinds.len().div_ceil(threads))
            .map(|share| scope.spawn(|| share.iter().map(|(name, kind)| (*name, namespace(*kind))).collect::<Vec<_>>()))
            .collect();
        made.into_iter().flat_map(|made| made.join().expect("namespaces")).collect()
    });
    let mut visits: HashMap<&NodeName, (Batch, Batch)> = HashMap::new();
    for name in network.nodes.keys() {
        visits.entry(name).or_default().1.up(1);
    }
    for link in network.links.values() {
        visits.entry(&link.upper.node).or_default().0.veth(link, nodes[&link.lower.node].as_raw_fd());
        visits.entry(&link.upper.node).or_default().1.dress(&link.upper);
        let lower = &mut visits.entry(&link.lower.node).or_default().1;
        lower.up(link.lower.index);
        lower.dress(&link.lower);
    }
    for (name, node) in &network.nodes {
        node.routes.iter().for_each(|route| visits.entry(name).or_default().1.route(route));
    }
    for (name, (links, _)) in &visits {
        links.send(&nodes[name]);
    }
    for (name, (_, rest)) in &visits {
        rest.send(&nodes[name]);
    }
    begun.elapsed()
}

fn namespace(kind: NodeKind) -> OwnedFd {
    if kind == NodeKind::Instance { fenced() } else { fresh() }
}

/// A network namespace.
fn fresh() -> OwnedFd {
    unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
    File::open("/proc/thread-self/ns/net").expect("a namespace").into()
}

/// A network namespace in a user namespace of its own.
fn fenced() -> OwnedFd {
    let mut stack = vec![0u8; 64 * 1024];
    let mut net: RawFd = -1;
    let shared = &raw mut net;
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let (uid_map, gid_map) = (format!("0 {uid} 1"), format!("0 {gid} 1"));
    let child = Box::new(|| {
        fs::write("/proc/self/setgroups", "deny").expect("setgroups");
        fs::write("/proc/self/uid_map", &uid_map).expect("a map");
        fs::write("/proc/self/gid_map", &gid_map).expect("a map");
        // SAFETY: the parent waits until we are gone, so `net` is there and nobody else looks at it.
        unsafe { *shared = File::open("/proc/self/ns/net").expect("a namespace").into_raw_fd() };
        0
    });
    let sharing = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK | CloneFlags::CLONE_FILES;
    let flags = sharing | CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET;
    // SAFETY: the child has a stack of its own, and with CLONE_VFORK what it borrows stays where it is until its end.
    let pid = unsafe { nix::sched::clone(child, &mut stack, flags, None) }.expect("a child");
    nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::__WALL)).expect("its end");
    // SAFETY: the child opened it in our table for us alone.
    unsafe { OwnedFd::from_raw_fd(net) }
}

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x600;
const IFF_UP: u32 = 1;

/// Requests, one behind the other, as the kernel reads them.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    last: usize,
}

impl Batch {
    fn message(&mut self, kind: u16, flags: u16, header: &[u8], attributes: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.last = start;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((REQUEST | flags).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(header);
        attributes(&mut self.bytes);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn up(&mut self, index: u32) {
        self.message(RTM_NEWLINK, 0, &link_header(index, IFF_UP), |_| {});
    }

    fn veth(&mut self, link: &Link, lower: RawFd) {
        let (upper, peer) = (&link.upper, &link.lower);
        self.message(RTM_NEWLINK, CREATE, &link_header(upper.index, IFF_UP), |bytes| {
            attribute(bytes, 3, |bytes| text(bytes, &upper.interface));
            attribute(bytes, 1, |bytes| bytes.extend(upper.mac));
            attribute(bytes, 18, |bytes| {
                attribute(bytes, 1, |bytes| bytes.extend(b"veth"));
                attribute(bytes, 2, |bytes| {
                    attribute(bytes, 1, |bytes| {
                        bytes.extend(link_header(peer.index, 0));
                        attribute(bytes, 3, |bytes| text(bytes, &peer.interface));
                        attribute(bytes, 1, |bytes| bytes.extend(peer.mac));
                        attribute(bytes, 28, |bytes| bytes.extend(lower.to_ne_bytes()));
                    });
                });
            });
        });
    }

    fn dress(&mut self, end: &End) {
        for address in &end.addresses {
            let mut header = vec![libc::AF_INET as u8, 32, 0, 0];
            header.extend(end.index.to_ne_bytes());
            self.message(RTM_NEWADDR, CREATE, &header, |bytes| {
                attribute(bytes, 2, |bytes| bytes.extend(octets(*address)));
                attribute(bytes, 1, |bytes| bytes.extend(octets(*address)));
            });
        }
        for (address, mac) in &end.neighbours {
            let mut header = vec![libc::AF_INET as u8, 0, 0, 0];
            header.extend(end.index.to_ne_bytes());
            header.extend([0x80, 0, 0, 0]);
            self.message(RTM_NEWNEIGH, CREATE, &header, |bytes| {
                attribute(bytes, 1, |bytes| bytes.extend(octets(*address)));
                attribute(bytes, 2, |bytes| bytes.extend(mac));
            });
        }
    }

    fn route(&mut self, route: &Route) {
        // Family, prefix length, table, protocol static; scope and kind by the way; on-link where there is a gateway.
        let (scope, kind, flags): (u8, u8, u32) = match route.way {
            Way::Gateway { .. } | Way::Delegated { .. } => (0, 1, 4),
            Way::Local { .. } => (254, 2, 0),
            Way::Link { .. } => (253, 1, 0),
            Way::Unreachable => (0, 7, 0),
            Way::Main => (0, 9, 0),
        };
        let table = if route.table.0 == 0 { 254 } else { route.table.0 };
        // A number beyond 8 bits stands in the attribute alone.
        let short = u8::try_from(table).unwrap_or_default();
        let mut header = vec![libc::AF_INET as u8, route.destination.prefix_len(), 0, 0, short, 4, scope, kind];
        header.extend(flags.to_ne_bytes());
        self.message(RTM_NEWROUTE, CREATE, &header, |bytes| {
            attribute(bytes, 15, |bytes| bytes.extend(table.to_ne_bytes()));
            let address = |bytes: &mut Vec<u8>, kind, address: IpAddr| {
                attribute(bytes, kind, |bytes| bytes.extend(octets(address)));
            };
            address(bytes, 1, route.destination.addr());
            match route.way {
                Way::Gateway { index, gateway, source } => {
                    attribute(bytes, 4, |bytes| bytes.extend(index.to_ne_bytes()));
                    address(bytes, 5, gateway);
                    source.into_iter().for_each(|source| address(bytes, 7, source));
                }
                Way::Delegated { index, to } => {
                    attribute(bytes, 4, |bytes| bytes.extend(index.to_ne_bytes()));
                    address(bytes, 5, to);
                }
                Way::Link { index } | Way::Local { index } => {
                    attribute(bytes, 4, |bytes| bytes.extend(index.to_ne_bytes()));
                }
                Way::Unreachable | Way::Main => {}
            }
        });
    }

    /// Enters a namespace and sends everything at once. The kernel answers the last, and whatever it refuses.
    fn send(&self, net: &OwnedFd) {
        if self.bytes.is_empty() {
            return;
        }
        setns(net, CloneFlags::CLONE_NEWNET).expect("to enter");
        let mut socket = Socket::new(NETLINK_ROUTE).expect("a socket");
        socket.bind_auto().expect("a bound socket");
        socket.connect(&SocketAddr::new(0, 0)).expect("the kernel");
        let mut bytes = self.bytes.clone();
        bytes[self.last + 6] |= ACK as u8;
        socket.send(&bytes, 0).expect("to send");
        let (answer, _) = socket.recv_from_full().expect("an answer");
        let code = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
        assert_eq!(code, 0, "the kernel refused something of a batch");
    }
}

fn link_header(index: u32, flags: u32) -> Vec<u8> {
    let mut header = vec![0; 4];
    header.extend(index.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.as_bytes());
    bytes.push(0);
}

fn attribute(bytes: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = bytes.len();
    bytes.extend([0; 2]);
    bytes.extend(kind.to_ne_bytes());
    value(bytes);
    let length = (bytes.len() - start) as u16;
    bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// The floor is that of a cloud without IPv6.
fn octets(address: IpAddr) -> [u8; 4] {
    let IpAddr::V4(address) = address else { panic!("an IPv4 address, not {address}") };
    address.octets()
}
