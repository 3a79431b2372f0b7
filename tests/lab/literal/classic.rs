//! Literal cases of EC2-Classic and of the article's world.

use sglab::model::Traffic;

use super::*;

pub const CLOUD: &str = "sglab: 1
era: classic
hosts: {world: 198.51.100.7}
elastic-ips: {eip-a: app, eip-b: b4}
groups:
  A: []
  SSH1: [tcp 22 from A]
  WEB1: [tcp 80 from A]
  SELF: [tcp all from SELF]
  G17: [tcp 22 from anywhere]
  APP: []
  BY-GROUP: [tcp 3306 from APP]
  BY-ADDRESS: [tcp 3306 from 10.0.0.50]
instances:
  a: {groups: A}
  b1: {groups: [SSH1, WEB1]}
  a4: {groups: SELF}
  b4: {groups: SELF}
  b17: {groups: G17}
  app: {groups: APP, address: 10.0.0.50}
  db1: {groups: BY-GROUP}
  db2: {groups: BY-ADDRESS}
scenario: [{step: as launched, expect: {open: ['a -> b1:22', 'a -> b1:443', 'a4 -> b4:53/udp']}}]
";

pub const LINES: &[Line] = &[
    New("1", "a -> b1 22", "open"),
    New("1", "a -> b1 80", "open"),
    New("1", "a -> b1 443", "dropped at b1's ingress"),
    New("2", "b1 -> a 22", "dropped at a's ingress"),
    New("3", "a4 -> b4 22", "open"),
    New("3", "b4 -> a4 22", "open"),
    New("4", "a4 -> b4 22 by public", "dropped at b4's ingress"),
    New("4", "a4 -> b4 22 by dns", "open"),
    New("6", "a4 -> b4 ping", "dropped at b4's ingress"),
    New("6", "a4 -> b4 udp 53", "dropped at b4's ingress"),
    New("27", "app -> db1 3306", "open"),
    New("27", "app -> db2 3306", "open"),
    Do(|| stop("app")),
    Do(|| start("app")),
    Address("27", "app", "private", "new"),
    Address("27", "app", "public", "new"),
    New("27", "app -> db1 3306", "open"),
    New("27", "app -> db2 3306", "dropped at db2's ingress"),
    Do(|| associate("eip-a", "app")),
    Address("27", "app", "public", "same"),
    Refused(
        "28",
        || set_groups("a", &["SSH1"]),
        "InvalidParameterCombination: You may only modify the groupSet attribute for VPC instances",
    ),
    New("28", "b1 -> a 80", "dropped at a's ingress"),
    Do(|| authorize("A", tcp_port(80), group("WEB1"))),
    New("28", "b1 -> a 80", "open"),
    Refused(
        "29",
        || egress(authorize("A", tcp_port(80), group("WEB1"))),
        "InvalidParameterValue: Only Amazon VPC security groups may be used with this operation.",
    ),
    Refused(
        "29",
        || authorize("A", Traffic::All, group("WEB1")),
        "InvalidPermission.Malformed: Unsupported IP protocol \"-1\"  - supported: [tcp, udp, icmp]",
    ),
    New("29", "a -> world 443", "open"),
    New("29", "b17 -> world 22", "open"),
    Open("s17", "a -> b17 22"),
    Do(|| revoke("G17", tcp_port(22), block("0.0.0.0/0"))),
    Became("17", "s17", "cut"),
    New("17", "a -> b17 22", "dropped at b17's ingress"),
];

/// The article: a group that names itself is accepted and matches nobody; groups change while stopped; a crash costs the
/// address.
pub const ARTICLE: &str = "sglab: 1
era: article
elastic-ips: {eip: db1}
groups:
  WEB: []
  TIER: [tcp 3306 from TIER, tcp 22 from WEB]
  OTHER: [tcp 80 from WEB]
  BY-ADDRESS: [tcp 3306 from 10.0.0.50]
instances:
  web1: {groups: WEB, address: 10.0.0.50}
  db1: {groups: TIER}
  db2: {groups: TIER}
  cache: {groups: BY-ADDRESS}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:22']}}]
";

pub const ARTICLE_LINES: &[Line] = &[
    New("article", "db1 -> db2 3306", "dropped at db2's ingress"),
    New("article", "web1 -> db1 22", "open"),
    New("article", "web1 -> db1 22 by public", "dropped at db1's ingress"),
    New("article", "web1 -> cache 3306", "open"),
    Refused(
        "article",
        || set_groups("db2", &["OTHER"]),
        "IncorrectInstanceState: The groups of instance 'db2' can be changed only while it is stopped, says the article.",
    ),
    Do(|| stop("db2")),
    Do(|| set_groups("db2", &["OTHER"])),
    Do(|| start("db2")),
    New("article", "web1 -> db2 80", "open"),
    New("article", "web1 -> db2 22", "dropped at db2's ingress"),
    Do(|| stop("web1")),
    Do(|| start("web1")),
    Address("article", "web1", "private", "new"),
    New("article", "web1 -> db1 22", "open"),
    New("article", "web1 -> cache 3306", "dropped at cache's ingress"),
    Do(|| stop("db1")),
    Do(|| start("db1")),
    Address("article", "db1", "public", "same"),
];
