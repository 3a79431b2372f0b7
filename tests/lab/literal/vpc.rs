//! Literal cases of today's VPC.

use sglab::model::{IcmpMatch, Traffic};

use super::*;

/// One client `a` in a group of its own, and for each case who is asked in it. Every group has the egress that it is born
/// with unless it says otherwise.
pub const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
hosts: {office: 203.0.113.10, office6: '2001:db8:ffff::10'}
elastic-ips: {eip-a4: a4, eip-b4: b4, eip-b22: b22}
prefix-lists: {offices: [203.0.113.0/28]}
groups:
  A: []
  SSH1: [tcp 22 from 10.0.1.5]
  WEB1: [tcp 80 from 10.0.1.5]
  G2: []
  SELF: [tcp all from SELF]
  CURE5: [tcp all from eip-a4]
  H7: []
  G7: [tcp 22 from H7]
  H8: []
  G8: [tcp 22 from H8]
  WIDE9: [tcp 22 from 10.0.0.0/8]
  NARROW9: [tcp 22 from 10.0.1.0/24]
  G10: [tcp 7000-8000 from A]
  G11: [tcp 53 from A]
  G12: [icmp 8 from A]
  G13: [icmp all from anywhere]
  MEMBERS13: [icmp all from A]
  SIX13: [icmpv6 all from A]
  G14: [tcp 80 from anywhere]
  SIX14: ['tcp 80 from ::/0']
  G15: [protocol 47 from A]
  G16: [tcp 22 from 10.0.1.5]
  G17: [tcp 22 from anywhere]
  G18: {ingress: [tcp 22 from anywhere], egress: [all to 10.0.0.0/8]}
  G19: [icmp all from A]
  JOINED: [tcp 22 from A]
  G20: {ingress: [tcp 80 from A], egress: []}
  G21: {egress: []}
  OPEN21: [tcp 80 from anywhere]
  G22: {egress: [tcp 5432 to DB22]}
  DB22: [tcp 5432 from anywhere]
  OTHER22: [tcp 5432 from anywhere]
  G39: []
  G41: [tcp 80 from A]
  INHERIT: [tcp 22 from WIDE9]
  SIX: [tcp 22 from A]
  LIST: [tcp 22 from offices]
  ITSELF: []
instances:
  a: {groups: A, address: 10.0.1.5}
  b1: {groups: [SSH1, WEB1]}
  a2: {groups: G2}
  b2: {groups: G2}
  a4: {groups: SELF}
  b4: {groups: SELF}
  b5: {groups: [SELF, CURE5]}
  a7: {groups: A}
  b7: {groups: G7}
  a8: {groups: H8, interfaces: {eth1: {groups: A}}}
  b8: {groups: G8}
  b9: {groups: [WIDE9, NARROW9]}
  b10: {groups: G10}
  b11: {groups: G11}
  b12: {groups: G12}
  b13: {groups: G13}
  c13: {groups: MEMBERS13}
  d13: {groups: SIX13}
  b14: {groups: G14}
  c14: {groups: SIX14}
  b15: {groups: G15}
  b16: {groups: G16}
  b17: {groups: G17}
  b18: {groups: G18}
  b19: {groups: G19}
  left: {groups: JOINED}
  b20: {groups: G20}
  a21: {groups: G21}
  b21: {groups: OPEN21}
  a22: {groups: G22}
  b22: {groups: DB22}
  c22: {groups: OTHER22}
  b39: {groups: G39}
  b41: {groups: G41}
  heir: {groups: INHERIT}
  six: {groups: SIX}
  listed: {groups: LIST}
  itself: {groups: ITSELF, public: yes}
scenario:
  - step: so that somebody listens for these, and nobody for that
    expect:
      open: ['a -> b13:icmp 13', 'a -> b12:icmp 13', 'a -> b15:protocol 47', 'a -> b1:443', 'a -> b2:53/udp']
      refused: ['a -> b41:80']
";

pub const LINES: &[Line] = &[
    New("1", "a -> b1 22", "open"),
    New("1", "a -> b1 80", "open"),
    New("1", "a -> b1 443", "dropped at b1's ingress"),
    New("2", "a2 -> b2 22", "dropped at b2's ingress"),
    New("2", "a2 -> b2 udp 53", "dropped at b2's ingress"),
    New("2", "b2 -> a2 ping", "dropped at a2's ingress"),
    New("3", "a4 -> b4 22", "open"),
    New("3", "b4 -> a4 65535", "open"),
    New("4", "a4 -> b4 22 by public", "dropped at b4's ingress"),
    New("4", "b4 -> a4 22 by public", "dropped at a4's ingress"),
    New("4", "a4 -> b4 22 by dns", "open"),
    New("5", "a4 -> b5 22 by public", "open"),
    New("5", "b4 -> b5 22 by public", "dropped at b5's ingress"),
    New("6", "a4 -> b4 ping", "dropped at b4's ingress"),
    New("6", "a4 -> b4 udp 53", "dropped at b4's ingress"),
    New("7", "a7 -> b7 22", "dropped at b7's ingress"),
    New("8", "a8 -> b8 22", "open"),
    New("8", "a8.eth1 -> b8 22", "dropped at b8's ingress"),
    New("9", "a -> b9 22", "open"),
    New("10", "a -> b10 6999", "dropped at b10's ingress"),
    New("10", "a -> b10 7000", "open"),
    New("10", "a -> b10 8000", "open"),
    New("10", "a -> b10 8001", "dropped at b10's ingress"),
    New("11", "a -> b11 53", "open"),
    New("11", "a -> b11 udp 53", "dropped at b11's ingress"),
    New("12", "a -> b12 ping", "open"),
    New("12", "a -> b12 icmp 13", "dropped at b12's ingress"),
    New("13", "a -> b13 ping", "open"),
    New("13", "a -> b13 icmp 13", "open"),
    New("13", "a -> b13 ping by ipv6", "dropped at b13's ingress"),
    New("13", "a -> c13 ping", "open"),
    New("13", "a -> c13 ping by ipv6", "dropped at c13's ingress"),
    New("13", "a -> d13 ping", "dropped at d13's ingress"),
    New("13", "a -> d13 ping by ipv6", "open"),
    New("14", "office -> b14 80", "open"),
    New("14", "office6 -> b14 80", "dropped at b14's ingress"),
    New("14", "office6 -> c14 80", "open"),
    New("14", "office -> c14 80", "dropped at c14's ingress"),
    New("15", "a -> b15 protocol 47", "open"),
    New("15", "a -> b15 80", "dropped at b15's ingress"),
    New("20", "a -> b20 80", "open"),
    New("20", "b20 -> a 80", "dropped at b20's egress"),
    New("21", "a21 -> b21 80", "dropped at a21's egress"),
    New("21", "a21 -> office 80", "dropped at a21's egress"),
    New("21", "a -> b21 80", "open"),
    Served("21", "a21"),
    New("22", "a22 -> b22 5432", "open"),
    New("22", "a22 -> c22 5432", "dropped at a22's egress"),
    New("22", "a22 -> b22 5432 by public", "dropped at a22's egress"),
    New("25", "a -> a2 22", "dropped at a2's ingress"),
    New("25", "a2 -> a 22", "dropped at a's ingress"),
    New("39", "a -> b39 ping", "dropped at b39's ingress"),
    New("41", "a -> b41 80", "refused"),
    New("41", "a -> b41 22", "dropped at b41's ingress"),
    // The members of a group that a rule names, and none of that group's own rules.
    New("3.2", "b9 -> heir 22", "open"),
    New("3.2", "a -> heir 22", "dropped at heir's ingress"),
    // Private IPv6 addresses count, as is commonly held.
    New("3.3", "a -> six 22 by ipv6", "open"),
    New("3.3", "b1 -> six 22 by ipv6", "dropped at six's ingress"),
    New("2", "office -> listed 22", "open"),
    New("2", "b1 -> listed 22", "dropped at listed's ingress"),
    // To one's own public address it is out and in again, and one's own group counts for nothing there.
    New("5", "itself -> itself 22 by public", "dropped at itself's ingress"),
    New("5", "itself -> itself 22", "open"),
    Do(|| authorize("ITSELF", tcp_port(22), block("198.18.0.0/15"))),
    New("5", "itself -> itself 22 by public", "open"),
    // Case 7, during and after.
    Do(|| set_groups("a7", &["H7"])),
    New("7", "a7 -> b7 22", "open"),
    Do(|| set_groups("a7", &["A"])),
    New("7", "a7 -> b7 22", "dropped at b7's ingress"),
    // Case 9, one rule less, and both.
    Do(|| revoke("WIDE9", tcp_port(22), block("10.0.0.0/8"))),
    New("9", "a -> b9 22", "open"),
    Do(|| revoke("NARROW9", tcp_port(22), block("10.0.1.0/24"))),
    New("9", "a -> b9 22", "dropped at b9's ingress"),
    // Cases 16 to 19: sessions that are up when their rule goes.
    Open("s16", "a -> b16 22"),
    Open("s17", "a -> b17 22"),
    Open("s18", "a -> b18 22"),
    Open("s19", "a -> b19 ping"),
    Do(|| revoke("G16", tcp_port(22), block("10.0.1.5/32"))),
    Do(|| revoke("G17", tcp_port(22), block("0.0.0.0/0"))),
    Do(|| revoke("G18", tcp_port(22), block("0.0.0.0/0"))),
    Do(|| revoke("G19", Traffic::Icmp(IcmpMatch::All), group("A"))),
    Became("16", "s16", "alive"),
    Became("17", "s17", "cut"),
    Became("18", "s18", "alive"),
    Became("19", "s19", "alive"),
    New("16", "a -> b16 22", "dropped at b16's ingress"),
    New("17", "a -> b17 22", "dropped at b17's ingress"),
    New("18", "a -> b18 22", "dropped at b18's ingress"),
    New("19", "a -> b19 ping", "dropped at b19's ingress"),
    // A group that the interface leaves is as a rule that goes.
    New("4", "a -> left 22", "open"),
    Open("session", "a -> left 22"),
    Do(|| set_groups("left", &["G2"])),
    Became("4", "session", "alive"),
    New("4", "a -> left 22", "dropped at left's ingress"),
    // The answer to a ping needs no rule for what goes out.
    Do(|| authorize("G39", Traffic::Icmp(IcmpMatch::Type(8)), group("A"))),
    Do(|| egress(revoke("G39", Traffic::All, block("0.0.0.0/0")))),
    New("39", "a -> b39 ping", "open"),
    New("39", "b39 -> a ping", "dropped at b39's egress"),
];

/// Case 26.
pub const RESTARTS: &str = "sglab: 1
era: vpc
elastic-ips: {eip: b}
groups: {H: [], G: [tcp 22 from H]}
instances: {a: {groups: H}, b: {groups: H}, db: {groups: G}}
scenario: [{step: as launched, expect: {open: ['a -> db:22']}}]
";

pub const RESTART_LINES: &[Line] = &[
    New("26", "a -> db 22", "open"),
    Do(|| stop("a")),
    New("26", "db -> a 22", "unreachable"),
    Do(|| start("a")),
    Do(|| stop("b")),
    Do(|| start("b")),
    Address("26", "a", "private", "same"),
    Address("26", "a", "public", "new"),
    Address("26", "b", "private", "same"),
    Address("26", "b", "public", "same"),
    New("26", "a -> db 22", "open"),
    New("26", "b -> db 22", "open"),
    // To stop what is stopped, and to start what runs, does nothing.
    Do(|| start("a")),
    Do(|| stop("b")),
    Do(|| stop("b")),
    New("26", "a -> db 22", "open"),
    New("26", "db -> b 22", "unreachable"),
];

/// Case 30.
pub const FORGED: &str = "sglab: 1
era: vpc
groups: {A: [], B: [udp 53 from 10.9.9.9, udp 54 from A]}
instances: {a: {groups: A}, b: {groups: B}}
scenario: [{step: as launched, expect: {open: ['a -> b:54/udp']}}]
";

pub const FORGED_LINES: &[Line] = &[
    New("30", "a as 10.9.9.9 -> b udp 53", "spoofed"),
    New("30", "a -> b udp 54", "open"),
    Do(|| check("a", SourceDestCheck::Off)),
    New("30", "a as 10.9.9.9 -> b udp 53", "open"),
    New("30", "a as 10.9.9.8 -> b udp 53", "dropped at b's ingress"),
    New("30", "a as 10.9.9.9 -> b udp 54", "dropped at b's ingress"),
];

/// Case 24.
pub const NAT: &str = "sglab: 1
era: vpc
vpcs:
  main:
    cidr: 10.0.0.0/16
    subnets: {public: 10.0.1.0/24, private: {cidr: 10.0.2.0/24, routes: {0.0.0.0/0: n}}}
elastic-ips: {eip-n: n}
groups: {N: [all from A], A: [], G: [tcp 443 from A]}
instances:
  n: {groups: N, subnet: public, source-dest-check: off, forwards: nat}
  a: {groups: A, subnet: private, public: no}
  b: {groups: G, subnet: public}
scenario: [{step: as launched, expect: {open: ['a -> b:443']}}]
";

pub const NAT_LINES: &[Line] = &[
    New("24", "a -> b 443", "open"),
    New("24", "a -> b 443 by public", "dropped at b's ingress"),
    // The first of the pool is the Elastic IP.
    Do(|| authorize("G", tcp_port(443), block("198.18.0.11/32"))),
    New("24", "a -> b 443 by public", "open"),
];

/// Case 23; 30 s are over in one.
pub const IDLE: &str = "sglab: 1
era: vpc
tracking: {clock-factor: 30}
groups: {A: [], B: {ingress: [udp 53 from A], egress: []}}
instances: {a: {groups: A}, b: {groups: B}}
scenario: [{step: as launched, expect: {open: ['a -> b:53/udp']}}]
";

pub const IDLE_LINES: &[Line] = &[
    New("23", "a -> b udp 53", "open"),
    New("23", "b -> a udp 53", "dropped at b's egress"),
    Open("question", "a -> b udp 53"),
    Became("23", "question", "alive"),
    Idle("question"),
    Became("23", "question", "unanswerable"),
];

/// "Private IP addresses", to the letter.
pub const LETTER: &str = "sglab: 1
era: vpc
knobs: {group-reference-ipv6: matches-nobody}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {A: [], B: [tcp 22 from A, 'tcp 80 from ::/0'], C: {egress: [tcp 22 to B, 'tcp 80 to ::/0']}}
instances: {a: {groups: A}, b: {groups: B}, c: {groups: C}}
scenario: [{step: as launched, expect: {open: ['a -> b:22']}}]
";

pub const LETTER_LINES: &[Line] = &[
    New("3.3", "a -> b 22", "open"),
    New("3.3", "a -> b 22 by ipv6", "dropped at b's ingress"),
    New("3.3", "a -> b 80 by ipv6", "open"),
    New("3.3", "c -> b 22", "dropped at b's ingress"),
    New("3.3", "c -> b 22 by ipv6", "dropped at c's egress"),
    New("3.3", "c -> b 80 by ipv6", "open"),
];
