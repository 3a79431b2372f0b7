//! A cloud in the kernel without a prober: its logs are free to be read, and its sockets are the test's own.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::patience::patience;
use etherparse::PacketBuilder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sglab::compile::network;
use sglab::fabric::nflog::LogSocket;
use sglab::fabric::packet::Tuple;
use sglab::fabric::tap::Tap;
use sglab::fabric::{Fabric, Namespace};
use sglab::model::{Cloud, Operation, apply};
use sglab::network::diff::diff;
use sglab::network::record::Record;
use sglab::network::{Network, NodeName};
use sglab::sandbox::{self, which};
use socket2::{Domain, Protocol, Socket, Type};

/// So long may an event take that must come; nothing waits for it when it does.
pub fn soon() -> Duration {
    patience(5)
}

pub struct Bare {
    pub cloud: Cloud,
    pub fabric: Fabric,
    network: Network,
}

impl Bare {
    /// Boots a cloud's namespaces, links and rulesets.
    pub async fn boot(cloud: Cloud) -> Self {
        Self::boot_altered(cloud, |network| network).await
    }

    /// The same, of a network that is not as compiled.
    pub async fn boot_altered(cloud: Cloud, alter: fn(Network) -> Network) -> Self {
        let compiled = alter(crate::mutations::altered(network(&cloud).expect("a cloud that compiles")));
        let mut fabric = Fabric::new(sandbox::current().expect("a sandbox")).unwrap_or_else(|e| panic!("{e}"));
        fabric.forget_idle_flows_after(compiled.timeouts);
        fabric.execute(&diff(&Network::default(), &compiled)).await.unwrap_or_else(|error| panic!("{error}"));
        Self { cloud, fabric, network: compiled }
    }

    /// Carries out an operation, as a lab does.
    pub async fn apply(&mut self, operation: &Operation) {
        apply(&mut self.cloud, operation).unwrap_or_else(|refusal| panic!("{refusal}"));
        let compiled = crate::mutations::altered(network(&self.cloud).expect("a cloud that compiles"));
        self.fabric.execute(&diff(&self.network, &compiled)).await.unwrap_or_else(|error| panic!("{error}"));
        self.network = compiled;
    }

    /// What the kernel has been given.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A namespace.
    pub fn node(&self, name: &str) -> Arc<Namespace> {
        Arc::clone(self.fabric.node(&NodeName(name.into())).unwrap_or_else(|error| panic!("{error}")))
    }

    /// The log of a namespace, from now on.
    pub async fn log(&self, name: &str) -> Log {
        Log(LogSocket::open(&self.node(name)).await.unwrap_or_else(|error| panic!("{error}")))
    }
}

/// A namespace's log of verdicts.
pub struct Log(LogSocket);

impl Log {
    /// Waits for the next record of a drop, whatever it is about, and gives it with the interface it came in by.
    pub fn next_drop(&mut self) -> (Record, Tuple, Option<u32>) {
        self.wait().swap_remove(0)
    }

    /// Waits until there is a record of a drop, and gives those that have come by then.
    fn wait(&mut self) -> Vec<(Record, Tuple, Option<u32>)> {
        loop {
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut fds, PollTimeout::try_from(soon()).expect("a short time")).expect("poll");
            assert!(ready > 0, "the filter recorded no drop");
            let read = self.0.read().expect("the log");
            assert_eq!(read.lost, 0, "no record was lost");
            let drops = read.records.into_iter().filter_map(|logged| {
                let record = logged.record.filter(|record| record.is_drop())?;
                Some((record, Tuple::parse(&logged.packet)?, logged.in_index))
            });
            let drops: Vec<_> = drops.collect();
            if !drops.is_empty() {
                return drops;
            }
        }
    }

    /// Waits for a record of a piece of a datagram that was dropped between these two. A piece may show no ports.
    /// Records of others are passed over, and some may have been lost.
    pub fn next_fragment(&mut self, between: (IpAddr, IpAddr)) -> Record {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < soon(), "the filter recorded no fragment");
            let read = self.0.read().expect("the log");
            let of_fragments = read.records.into_iter().find_map(|logged| {
                let record = logged.record.filter(|record| record.is_drop())?;
                (addresses(&logged.packet)? == between).then_some(record)
            });
            if let Some(found) = of_fragments {
                return found;
            }
        }
    }

    /// Waits until there is such a record, whatever it is about. Others are passed over, and some may have been lost.
    pub fn next_of(&mut self, wanted: Record) {
        let begun = Instant::now();
        loop {
            let read = self.0.read().expect("the log");
            if read.records.into_iter().any(|logged| logged.record == Some(wanted)) {
                return;
            }
            assert!(begun.elapsed() < soon(), "the filter recorded no {wanted}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for so many records of drops.
    pub fn next_drops(&mut self, count: usize) -> Vec<(Record, Tuple)> {
        let mut drops = Vec::new();
        while drops.len() < count {
            drops.extend(self.wait().into_iter().map(|(record, tuple, _)| (record, tuple)));
        }
        drops
    }

    /// Every record of a drop so far.
    pub fn drops(&mut self) -> Vec<Record> {
        let read = self.0.read().expect("the log");
        read.records.into_iter().filter_map(|logged| logged.record).filter(|record| record.is_drop()).collect()
    }
}

/// IPv4, and IPv6: what is tried by both.
pub const FAMILIES: [bool; 2] = [true, false];

/// The address of a host, or of an instance inside of its VPC.
pub fn own(bare: &Bare, name: &str, ipv4: bool) -> IpAddr {
    if let Some(host) = bare.cloud.hosts.get(name) {
        return host.addresses[usize::from(!ipv4)].0;
    }
    let interface = &bare.cloud.instances[name].interfaces[0];
    if ipv4 { interface.private.expect("an address").0.into() } else { interface.ipv6.expect("an address").0.into() }
}

/// Source and destination of a packet, whatever it carries.
fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let four = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let six = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?));
    if packet.first()? >> 4 == 4 { Some((four(12)?, four(16)?)) } else { Some((six(8)?, six(24)?)) }
}

/// Runs a task in a namespace.
pub async fn inside<T: Send + 'static>(node: &Arc<Namespace>, task: impl FnOnce() -> T + Send + 'static) -> T {
    node.run(task).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a program in a namespace, and gives its output; panics with its words if it fails.
pub async fn run(node: &Arc<Namespace>, program: &'static str, arguments: &str) -> String {
    let words: Vec<String> = arguments.split_whitespace().map(String::from).collect();
    let shown = format!("{program} {arguments}");
    let path = which::find_program(program).unwrap_or_else(|| panic!("there is no {program}"));
    let output = inside(node, move || Command::new(path).args(words).output()).await.expect("it can be started");
    assert!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Feeds a script to nft in a namespace.
pub async fn nft_script(node: &Arc<Namespace>, script: String) {
    let program = which::nft().expect("nft");
    let output = inside(node, move || {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(script.as_bytes()).expect("written");
        Command::new(program).arg("-f").arg(file.path()).output()
    });
    let output = output.await.expect("nft can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The whole table of a namespace, with handles.
pub async fn table(node: &Arc<Namespace>) -> String {
    run(node, "nft", "-a -p list table inet sglab").await
}

/// Rewrites every rule of a table for which `new` gives another text; gives how many.
pub async fn rewrite(node: &Arc<Namespace>, new: impl Fn(&str, &str) -> Option<String>) -> usize {
    let listed = table(node).await;
    let (mut chain, mut script, mut count) = (String::new(), String::new(), 0);
    for line in listed.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("chain ") {
            chain = rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
        let Some((rule, handle)) = line.split_once(" # handle ") else { continue };
        if line.ends_with('{') || rule.starts_with("chain ") || rule.starts_with("set ") || rule.starts_with("map ") {
            continue;
        }
        let handle = handle.trim_end_matches(" {");
        if let Some(text) = new(&chain, rule) {
            script += &format!("replace rule inet sglab {chain} handle {handle} {text}\n");
            count += 1;
        }
    }
    nft_script(node, script).await;
    count
}

/// A TCP connection between two namespaces, both ends held: (client, server).
pub async fn connection(
    from: &Arc<Namespace>,
    source: Ipv4Addr,
    to: &Arc<Namespace>,
    at: SocketAddrV4,
) -> (TcpStream, TcpStream) {
    let port = at.port();
    let listener = inside(to, move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))).await.expect("a listener");
    let client = inside(from, move || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddrV4::new(source, 0).into())?;
        socket.connect_timeout(&at.into(), soon())?;
        Ok::<TcpStream, std::io::Error>(socket.into())
    });
    let client = client.await.expect("a connection");
    let (server, _) = listener.accept().expect("the other end");
    for end in [&client, &server] {
        end.set_read_timeout(Some(soon())).expect("a timeout");
    }
    (client, server)
}

/// What comes to a namespace over IPv4, from now on.
pub async fn tap(node: &Arc<Namespace>) -> Tap {
    taps(node).await.swap_remove(0)
}

/// What comes to a namespace, from now on: over IPv4, and over IPv6 if it speaks that.
pub async fn taps(node: &Arc<Namespace>) -> Vec<Tap> {
    Tap::open(node).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that a tap has seen by the time that it has seen this.
pub fn seen(tap: &mut Tap, last: impl Fn(&Tuple) -> bool) -> Vec<Tuple> {
    let (mut seen, begun) = (Vec::new(), Instant::now());
    while !seen.iter().any(&last) {
        assert!(begun.elapsed() < soon(), "it has not come: {seen:?}");
        let timeout = PollTimeout::try_from(soon()).expect("a short time");
        poll(&mut [PollFd::new(tap.as_fd(), PollFlags::POLLIN)], timeout).expect("poll");
        seen.extend(tap.read().expect("the tap").into_iter().map(|it| it.tuple));
    }
    seen
}

/// Sends many datagrams to an address, and waits until each has been answered with a message of this protocol and type.
pub async fn answers_to_many(from: &Arc<Namespace>, to: IpAddr, message: (u8, u16)) {
    // A kernel that limits its errors sends 50 at once, and 1,000 a second.
    const MANY: u16 = 200;
    let mut tap = taps(from).await.swap_remove(usize::from(to.is_ipv6()));
    let sent = inside(from, move || {
        let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0))?;
        (0..MANY).try_for_each(|number| socket.send_to(b"word", (to, 9000 + number)).map(drop))
    });
    sent.await.expect("they leave the sender");
    let is_answer = |tuple: &Tuple| (tuple.protocol, tuple.destination_port) == message;
    let mut answers = 0;
    while answers < usize::from(MANY) {
        answers += seen(&mut tap, is_answer).into_iter().filter(is_answer).count();
    }
}

/// Sends packets as they are, whatever their headers say.
pub async fn send_raw(from: &Arc<Namespace>, packets: Vec<Vec<u8>>) {
    let sent = inside(from, move || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
        for packet in packets {
            let to = SocketAddrV4::new(Ipv4Addr::from([packet[16], packet[17], packet[18], packet[19]]), 0);
            socket.send_to(&packet, &to.into())?;
        }
        Ok::<(), std::io::Error>(())
    });
    sent.await.expect("they leave the sender");
}

/// A raw socket of a protocol, bound to an address.
pub async fn raw(node: &Arc<Namespace>, protocol: u8, address: Ipv4Addr) -> Socket {
    let made = inside(node, move || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(i32::from(protocol))))?;
        socket.bind(&SocketAddrV4::new(address, 0).into())?;
        socket.set_read_timeout(Some(soon()))?;
        Ok::<Socket, std::io::Error>(socket)
    });
    made.await.expect("a socket")
}

/// Sends a packet of the protocol.
pub fn word(from: &Socket, to: Ipv4Addr) {
    from.send_to(&[0x20; 24], &SocketAddrV4::new(to, 0).into()).expect("sent");
}

/// Waits for a packet of the protocol.
pub fn hears(socket: &Socket, what: &str) {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 128];
    socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Sets of flags that no stack begins a connection with. FIN is 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32: null, xmas, and others.
pub const ODD_FLAGS: [u8; 11] = [0, 1, 4, 16, 1 | 8 | 32, 1 | 2, 2 | 4, 1 | 4, 63, 2 | 16, 1 | 16];

/// A TCP segment with these flags.
pub fn segment(source: SocketAddrV4, destination: SocketAddrV4, flags: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(source.ip().octets(), destination.ip().octets(), 64);
    let builder = builder.tcp(source.port(), destination.port(), 1, 1024);
    builder.write(&mut packet, &[]).expect("a vector takes it");
    packet[33] = flags;
    // The checksum without flags, less what they add.
    let sum = u32::from(u16::from_be_bytes([packet[36], packet[37]]));
    let sum = sum + 0xffff - u32::from(flags);
    let sum = ((sum & 0xffff) + (sum >> 16)) as u16;
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Sends a word one way and reads it there.
pub fn passes(from: &mut TcpStream, to: &mut TcpStream) -> bool {
    let mut word = [0; 4];
    from.write_all(b"word").is_ok() && to.read_exact(&mut word).is_ok() && word == *b"word"
}

/// Whether an end has seen neither data nor an end of the connection: no farewell and no reset.
pub fn is_silent(end: &mut TcpStream) -> bool {
    end.set_nonblocking(true).expect("a flag");
    let read = end.read(&mut [0; 4]);
    end.set_nonblocking(false).expect("a flag");
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
