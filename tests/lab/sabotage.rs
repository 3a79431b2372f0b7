//! Root in an instance breaks its own network, processes and names: that costs the instance, and nobody else. Each operation on it is
//! carried out all the same, and a start makes it anew.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use sglab::fabric::Namespace;
use sglab::lab::{Alteration, Lab};
use sglab::model::Era;
use sglab::network::{Network, NodeName};
use sglab::probe::Outcome;
use sglab::sandbox::machine::{Folder, Program, Running};
use sglab::topology::read_operations;

use crate::bare::{inside, run};
use crate::clients::http;
use crate::clouds::*;
use crate::liars::{self, ENDS, Family};
use crate::patience::patience;

/// The rules are of no use to web1, which breaks itself, and db1 stands for everybody else.
const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: 203.0.113.10}
groups: {WEB: [], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

/// What an instance does to itself; what it starts meanwhile goes on.
const SABOTAGE: &[&str] = &[
    "ip address flush dev eth0",
    "ip route flush table main; ip -6 route flush table main",
    "ip route del default",
    "ip rule flush; ip -6 rule flush",
    "ip link set eth0 down",
    "ip link del eth0",
    "ip link set eth0 down; ip link set eth0 name other",
    // The names and numbers that are the lab's are taken.
    "ip link set eth0 down; ip link set eth0 name other; ip link add eth0 type veth peer name eth1",
    "ip link del eth0; ip link add eth0 index 2 type veth peer name eth1 index 3",
    "ip link set lo down; ip link set lo name eth1",
    // Somewhere else.
    "unshare -n sleep 100000 & while ip link show dev eth0 >/dev/null; do ip link set eth0 netns $!; done",
    "ip link set eth0 mtu 100; ip link set eth0 address 02:de:ad:00:00:02; ip neigh flush all nud permanent",
    "nft 'add table inet own; add chain inet own i { type filter hook input priority 0; policy drop; }; \
     add chain inet own o { type filter hook output priority 0; policy drop; }'",
    // It goes on with it for as long as it may.
    "(while :; do ip link set eth0 down; ip address flush dev eth0; ip route flush table main; done) & true",
    "(while :; do ip link del eth0; ip link add eth0 index 2 type veth peer name eth1 index 3; done) & true",
];

/// Runs a script as root of an instance, and waits until it has ended: its exit code.
pub async fn script(lab: &mut Lab, instance: &str, script: &str) -> i32 {
    let (mut running, _out) = begin(lab, instance, script).await;
    running.ended().await
}

/// Begins a script; and what it prints.
pub async fn begin(lab: &mut Lab, instance: &str, script: &str) -> (Running, File) {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).expect("a pipe");
    let path = std::env::var("PATH").unwrap_or_default();
    let program = Program {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        environment: vec![("PATH".to_owned(), format!("{path}:/usr/sbin:/sbin"))],
        folder: Folder::Only("/".into()),
        terminal: None,
    };
    let nothing = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").expect("/dev/null"));
    let started = lab.start_program(instance, program, [nothing(), write, nothing()]).await;
    (started.unwrap_or_else(|error| panic!("{script}: {error}")), File::from(read))
}

/// Carries out operations in the words of a file's `do:`.
async fn carry_out(lab: &mut Lab, after: &str, words: &str) {
    let operations = read_operations(lab.cloud(), words).unwrap_or_else(|problems| panic!("{problems}"));
    for operation in operations {
        let done = lab.apply(&operation.value).await;
        done.unwrap_or_else(|error| panic!("{words} after `{after}`: {error}"));
    }
}

/// Others are as they were, and so is web1 if it is to be whole.
async fn holds(lab: &mut Lab, after: &str, web1_is_whole: bool) {
    let mut flows = vec![flow("web2", "db1", tcp(3306)), flow("web2", "db1", tcp(22))];
    if web1_is_whole {
        flows.extend([flow("web1", "db1", tcp(3306)), flow("web1", "db1", tcp(22))]);
    }
    let found = outcomes(lab, &flows).await;
    for pair in found.chunks(2) {
        assert!(is_open(&pair[0]) && is_dropped(&pair[1]), "after `{after}`: {found:?}");
    }
}

/// Whether web1 is as good as new after an operation.
#[derive(Clone, Copy, PartialEq)]
enum Whole {
    Always,
    /// Its interfaces, addresses and routes are; its namespace is the same.
    IfLinksWere,
    Never,
}

async fn after_each(turns: &[(&str, Whole)]) {
    for sabotage in SABOTAGE {
        let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
        for (words, whole) in turns {
            // What a reboot has left as it was cannot be done again.
            let _ = script(&mut lab, "web1", sabotage).await;
            holds(&mut lab, sabotage, false).await;
            carry_out(&mut lab, sabotage, words).await;
            let beside_links = ["rule", "nft", "mtu", "lo"].iter().any(|what| sabotage.contains(what));
            let is_whole = *whole == Whole::Always || *whole == Whole::IfLinksWere && !beside_links;
            holds(&mut lab, &format!("{sabotage}; {words}"), is_whole).await;
        }
    }
}

#[sglab::test]
async fn whatever_an_instance_did_to_its_network_it_stops_and_starts() {
    let turn = ("[{stop: web1}, {start: web1}]", Whole::Always);
    after_each(&[turn, turn]).await;
}

#[sglab::test]
async fn whatever_an_instance_did_to_its_network_it_crashes_and_starts() {
    after_each(&[("[{crash: web1}, {start: web1}]", Whole::IfLinksWere)]).await;
}

#[sglab::test]
async fn whatever_an_instance_did_to_its_network_it_is_rebooted_and_terminated() {
    after_each(&[("[{reboot: web1}]", Whole::Never), ("[{terminate: web1}]", Whole::Never)]).await;
}

#[sglab::test]
async fn whatever_an_instance_did_to_its_network_interfaces_come_and_go() {
    for sabotage in SABOTAGE {
        let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
        let attach = "[{attach-interface: {web1: {eth1: {groups: [WEB]}}}}]";
        carry_out(&mut lab, "", attach).await;
        let both = format!("{sabotage}; {}", sabotage.replace("eth1", "eth8").replace("eth0", "eth1"));
        // Not all of it can be done to both.
        let _ = script(&mut lab, "web1", &both).await;
        carry_out(&mut lab, &both, "[{detach-interface: web1.eth1}]").await;
        holds(&mut lab, &both, false).await;
        carry_out(&mut lab, &both, "[{stop: web1}, {start: web1}]").await;
        carry_out(&mut lab, &both, attach).await;
        holds(&mut lab, &both, true).await;
    }
}

/// Links and routes of its own that come and go without end: the kernel tells of each, also whoever waits for another.
#[sglab::test]
async fn news_without_end_of_an_instances_links_and_routes_keep_no_interface_from_being_attached() {
    // By `SIOCSIFFLAGS`: a program for each change would be too slow.
    const LOOPS: [&str; 3] = [
        "perl -e 'socket(my $s, 2, 2, 0); ioctl($s, 0x8914, my $f = pack(q(a16 s x22), q(eth1), 0)) while 1' & true",
        "perl -e 'socket(my $s, 2, 2, 0); while (1) { for (0, 1) { ioctl($s, 0x8914, my $f = pack(q(a16 s x22), q(eth0), $_)) } }' & \
         true",
        "(while :; do ip -6 route add 2001:db8:77::/64 dev lo; ip -6 route del 2001:db8:77::/64 dev lo; done) & true",
    ];
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    for words in LOOPS {
        let _ = script(&mut lab, "web1", words).await;
    }
    let all = LOOPS.join("; ");
    carry_out(&mut lab, &all, "[{attach-interface: {web1: {eth1: {groups: [WEB]}}}}]").await;
    holds(&mut lab, &all, false).await;
    carry_out(&mut lab, &all, "[{detach-interface: web1.eth1}, {stop: web1}, {start: web1}]").await;
    holds(&mut lab, &all, true).await;
}

/// The folder that outlives restarts is in the memory of the lab, as its own names are.
#[sglab::test]
async fn an_instance_that_fills_its_folders_takes_nothing_from_others() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let fill = "exec perl -e 'for (1..1e6) { open(my $f, q(>), qq(/run/data/$_)) or exit 0 } exit 1'";
    assert_eq!(script(&mut lab, "web1", fill).await, 0);
    assert_eq!(script(&mut lab, "web2", "echo hello >/run/data/mine && cat /run/data/mine").await, 0);
    carry_out(&mut lab, "full", "[{launch: {web3: {groups: [WEB]}}}, {stop: web1}, {start: web1}]").await;
    holds(&mut lab, "full", true).await;
}

#[sglab::test]
async fn a_fork_bomb_costs_its_own_instance_only() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    // Of a depth that a machine bears on which nothing stops it. A shell tries for long where it cannot fork; this one does not.
    let bomb = "$| = 1; for (1..5000) { my $p = fork; if (!defined $p) { print qq(stopped\n) } elsif (!$p) { sleep 100000 } } \
                print qq(over\n); sleep 100000";
    let (_running, out) = begin(&mut lab, "web1", &format!("exec perl -e '{bomb}'")).await;
    let said: Vec<String> =
        BufReader::new(out).lines().map(|line| line.expect("text")).take_while(|line| line != "over").collect();
    assert!(!said.is_empty(), "{} processes", processes_of(&lab));
    assert_eq!(script(&mut lab, "web2", "sleep 0 & wait").await, 0, "others begin programs");
    holds(&mut lab, "a fork bomb", false).await;
    carry_out(&mut lab, "a fork bomb", "[{authorize: {DB: [tcp 80 from WEB]}}, {stop: web1}, {start: web1}]").await;
    holds(&mut lab, "a fork bomb", true).await;
    assert!(processes_of(&lab) < 100, "{} are left", processes_of(&lab));
}

/// How many processes there are in the lab.
fn processes_of(_: &Lab) -> usize {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    all.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit())).count()
}

/// So many connections that nobody uses, from one instance, are closed in favour of others.
#[sglab::test]
async fn connections_to_the_services_are_limited_by_who_makes_them() {
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    for service in ["169.254.169.254:80", "169.254.169.253:53"] {
        let to: SocketAddr = service.parse().expect("an address");
        let many = move || {
            let connect = |_| TcpStream::connect_timeout(&to, patience(2)).ok();
            (0..400).filter_map(connect).collect::<Vec<_>>()
        };
        let held = inside(&node(&lab, "web1"), many).await;
        let (status, _) = http(&node(&lab, "web2"), "169.254.169.254:80", INSTANCE_ID.to_owned()).await;
        assert_eq!(status, 200);
        let is_open = |stream: &TcpStream| {
            stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a timeout");
            matches!((&*stream).read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
        };
        // The end of a connection that was closed just now may be on its way.
        let (mut open, until) = (held, Instant::now() + patience(5));
        while open.len() > 64 && Instant::now() < until {
            open.retain(is_open);
        }
        assert!(open.len() <= 64, "{service}: {} are open", open.len());
    }
}

const INSTANCE_ID: &str = "GET /latest/meta-data/instance-id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// ARP and its like of IPv6, with senders who are not there or are somebody else: asking for the router, and telling of themselves.
const FORGED: &str = r#"
    my ($index, $own) = `ip -o link show dev eth0` =~ m{^(\d+):.* link/ether (\S+)} or die;
    $own = pack "H*", $own =~ s/://gr;
    socket(my $s, 17, 3, 0) or die;
    sub out { my ($kind, $body) = @_; my $to = pack "SnlSCCa8", 17, $kind, $index, 0, 0, 6, "\xff" x 6;
              send($s, "\xff" x 6 . $own . pack("n", $kind) . $body, 0, $to) or die $! }
    sub sum { my $n = 0; $n += $_ for unpack "n*", $_[0]; $n = ($n >> 16) + ($n & 0xffff) while $n >> 16; ~$n & 0xffff }
    for my $n (1..200) {
        my @mac = (2, 1, 2, 3, 4, $n);
        for my $sender ([10, 0, 9, $n], [192, 0, 2, $n], [169, 254, 1, $n], [10, 0, 0, $n]) {
            for my $target ([169, 254, 1, 1], [169, 254, 169, 254], $sender) { for my $kind (1, 2) {
                out(0x806, pack("nnCCn", 1, 0x800, 6, 4, $kind) . pack("C6C4", @mac, @$sender) . pack("x6C4", @$target))
            } }
        }
        my ($from, $next) = (pack("H32", sprintf("fe80%026x%02x", 0, $n)), pack("H32", "fe80" . "0" x 27 . "1"));
        for my $from ($from, pack("H32", sprintf("2001%026x%02x", 0, $n))) { for my $type (135, 136) {
            my $body = pack("CCnN", $type, 0, 0, $type == 136 ? 0x60000000 : 0) . ($type == 136 ? $from : $next)
                     . pack("CCC6", $type == 136 ? 2 : 1, 1, @mac);
            my $check = sum($from . $next . pack("NN", length $body, 58) . $body);
            substr($body, 2, 2) = pack "n", $check;
            out(0x86dd, pack("NnCC", 0x60000000, length $body, 58, 255) . $from . $next . $body)
        } }
    }
"#;

/// But for multicast, which nobody answers.
async fn neighbours(router: &Arc<Namespace>) -> Vec<String> {
    let all = run(router, "ip", "neighbour show nud all").await;
    let mut all: Vec<String> = all.lines().filter(|line| !line.contains(" NOARP")).map(str::to_owned).collect();
    all.sort();
    all
}

#[sglab::test]
async fn forged_questions_for_a_neighbour_leave_no_entry_in_a_router() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let router = node(&lab, "vpc-main");
    let before = neighbours(&router).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), FORGED).expect("the script");
    let done = run(&node(&lab, "web1"), "perl", &file.path().display().to_string()).await;
    assert_eq!(done, "");
    // What has come before this has been dealt with.
    holds(&mut lab, "forged neighbours", true).await;
    assert_eq!(neighbours(&router).await, before);
    // Whoever asks honestly is told: an interface that was down and up again has forgotten its neighbours.
    let own = private(lab.cloud(), "web1").0;
    let again = format!(
        "ip link set eth0 down; ip link set eth0 up; ip route add default via 169.254.1.1 dev eth0 onlink src {own}; \
         for i in $(seq 500); do bash -c 'echo word >/dev/udp/169.254.169.253/53'; \
         ip neigh | grep -q '^169.254.1.1 .*lladdr' && exit 0; done; exit 1"
    );
    assert_eq!(script(&mut lab, "web1", &again).await, 0);
}

/// How many messages of a kind a namespace has taken in.
async fn taken_in(node: &Arc<Namespace>, counter: &str) -> u64 {
    let lines = run(node, "cat", "/proc/net/snmp6").await;
    let line = lines.lines().find(|line| line.starts_with(counter)).expect("a number");
    line.split_whitespace().last().and_then(|number| number.parse().ok()).expect("a number")
}

/// The kernel writes to the machine's log of one that is for an address of its own.
#[sglab::test]
async fn what_a_host_advertises_as_a_neighbour_comes_to_no_kernel_of_the_labs() {
    const COUNTERS: [&str; 2] = ["Icmp6InNeighborSolicits", "Icmp6InNeighborAdvertisements"];
    let mut lab = liars::cloud().await;
    let internet = node(&lab, "internet");
    let before = [taken_in(&internet, COUNTERS[0]).await, taken_in(&internet, COUNTERS[1]).await];
    let office = node(&lab, "office");
    let sent = inside(&office, || {
        let (own, router) =
            ([0x20, 1, 0xd, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10], sglab::model::INTERNET_ADDRESS_IPV6);
        let kind = Some(socket2::Protocol::from(libc::IPPROTO_RAW));
        let socket = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::RAW, kind)?;
        // Kind, and that of its option: a question is taken in, and so an advertisement would be.
        for (kind, option) in [(135, 1), (136, 2)] {
            let words = [&router.octets()[..], &[option, 1, 2, 3, 0, 0, 0, 9]].concat();
            let mut packet = Vec::new();
            let builder = PacketBuilder::ipv6(own, router.octets(), 255).icmpv6_raw(kind, 0, [0x20, 0, 0, 0]);
            builder.write(&mut packet, &words).expect("a vector takes it");
            socket.send_to(&packet, &SocketAddr::new(router.into(), 0).into())?;
        }
        Ok::<_, std::io::Error>(())
    });
    sent.await.expect("sent");
    // What has come before this has been dealt with.
    let asked = liars::over(&lab, ENDS[1], Family::Ipv6, tcp(80));
    assert!(is_open(&probe(&mut lab, asked).await.outcome));
    let now = [taken_in(&internet, COUNTERS[0]).await, taken_in(&internet, COUNTERS[1]).await];
    assert_eq!(now, [before[0] + 1, before[1]]);
}

const ALTERED: &str = "sglab: 1
era: classic
groups: {WEB: [tcp 80 from anywhere], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

/// Takes every rule of DB away.
fn without_db() -> Alteration {
    Alteration::new(|mut network: Network| {
        let router = network.nodes.get_mut(&NodeName("vpc-default".into())).expect("the router");
        let ruleset = router.ruleset.as_mut().expect("its ruleset");
        ruleset.chains.get_mut("ingress/DB").expect("the chain").rules.clear();
        network
    })
}

#[sglab::test]
async fn a_lab_is_altered_from_its_boot_through_each_operation_and_is_as_compiled_again() {
    let (cloud, listeners) = initial_cloud(&topology(ALTERED), Era::Classic);
    let mut lab = Lab::boot_altered(cloud, listeners, without_db()).await.unwrap_or_else(|error| panic!("{error}"));
    let db = || flow("web1", "db1", tcp(3306));
    assert!(is_dropped(&probe(&mut lab, db()).await.outcome));
    change(&mut lab, &authorize("DB", tcp_port(22), group("WEB"))).await;
    for port in [22, 3306] {
        assert!(is_dropped(&probe(&mut lab, flow("web1", "db1", tcp(port))).await.outcome));
    }
    for _ in 0..2 {
        lab.alter(None).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(is_open(&probe(&mut lab, db()).await.outcome));
        // Admitted as well, and nobody listens there.
        let other = probe(&mut lab, flow("web1", "db1", tcp(22))).await.outcome;
        assert!(matches!(other, Outcome::Refused { .. }));
        lab.alter(Some(without_db())).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(is_dropped(&probe(&mut lab, db()).await.outcome));
    }
}
