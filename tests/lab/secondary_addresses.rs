//! Interfaces with several private addresses: single ones, and a delegated prefix.

use crate::topologies::holds;

/// Sentences about EC2, each with what shows it.
const STORY: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {a: 10.0.1.0/24, b: 10.0.2.0/24}}}
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from WEB, tcp 80 from NARROW]
  DB:
    ingress: [tcp 5432 from WEB, udp 53 from WEB, tcp 22 from 10.0.1.20, udp 54 from 10.0.1.20, udp 55 from 10.0.1.50, udp 56 from 10.0.1.32/28]
  NARROW: {ingress: [], egress: [tcp 80 to WEB, tcp 81 to 10.0.1.50]}
  OPEN: [udp 53 from anywhere]
instances:
  web1: {groups: WEB, address: 10.0.1.50, secondary-addresses: [10.0.1.20, 10.0.1.32/28]}
  web2: {groups: WEB, subnet: b}
  db1:
    groups: DB
    address: 10.0.1.60
    interfaces: {eth1: {groups: WEB, subnet: b, secondary-addresses: 10.0.2.20}}
  client: {groups: NARROW}
  open: {groups: OPEN}
scenario:
  - step: each of its addresses leads to it, and its groups hold for all of them
    expect:
      open:
        - web2 -> web1:80
        - web2 -> web1:80 by 10.0.1.20
        - web2 -> web1:80 by 10.0.1.32
        - web2 -> web1:80 by 10.0.1.47
        - web1 -> db1.eth1:80 by 10.0.2.20
      dropped:
        - open -> web1:80 by 10.0.1.20 at ingress
        - web2 -> web1:81 by 10.0.1.47 at ingress
        - web1 -> db1.eth1:5432 by 10.0.2.20 at ingress
  - step: a rule that names a group admits its member from any of them
    expect:
      open:
        - web1 -> db1:53/udp
        - web1 as 10.0.1.20 -> db1:53/udp
        - web1 as 10.0.1.40 -> db1:53/udp
        - web1 as 10.0.1.20 -> db1:5432
        - web1 as 10.0.1.20 -> web2:80
        - web1 as 10.0.1.20 -> db1.eth1:80 by 10.0.2.20
  - step: a rule that names an address admits that one, and no other of its holder
    expect:
      open: [web1 as 10.0.1.20 -> db1:54/udp, web1 as 10.0.1.20 -> db1:22, web1 -> db1:55/udp, web1 as 10.0.1.47 -> db1:56/udp]
      dropped:
        - web1 -> db1:54/udp at ingress
        - web1 -> db1:22 at ingress
        - web1 as 10.0.1.32 -> db1:54/udp at ingress
        - web1 as 10.0.1.20 -> db1:55/udp at ingress
        - web1 as 10.0.1.20 -> db1:56/udp at ingress
  - step: so it is on the way out
    expect:
      open: [client -> web1:80 by 10.0.1.20, client -> db1.eth1:80 by 10.0.2.20]
      dropped:
        - client -> web1:81 by 10.0.1.20 at egress
        - client -> web1:81 at ingress
  - step: its own addresses pass the check of the source, and another's does not
    expect:
      open: [web1 as 10.0.1.33 -> open:53/udp]
      dropped: [web1 as 10.0.1.48 -> open:53/udp, open as 10.0.1.20 -> db1:54/udp]
  - step: the public address is that of the primary one, so nothing leaves the VPC with another
    expect:
      open: [web1 -> office:443]
      dropped: [web1 as 10.0.1.20 -> office:443]
  - step: a connection is held by one of them
    do: {open: {session: 'web2 -> web1:80 by 10.0.1.20', datagrams: 'web1 -> db1:53/udp'}}
    expect: {alive: [session, datagrams]}
  - step: they stay with the interface over a stop, while nothing comes to them
    do: {stop: web1}
    expect: {gone: session, unreachable: [web2 -> web1:80 by 10.0.1.20, web2 -> web1:80 by 10.0.1.40]}
  - step: and a start
    do: {start: web1}
    expect:
      same-private: web1
      open: [web2 -> web1:80 by 10.0.1.20, web2 -> web1:80 by 10.0.1.47, web1 as 10.0.1.20 -> db1:53/udp]
  - step: nobody else gets them meanwhile
    do: {launch: {thief: {groups: WEB, address: 10.0.1.40}}}
    expect: {refusal: InvalidIPAddress.InUse}
  - step: they go with it
    do: [{terminate: web1}, {launch: {next: {groups: OPEN, address: 10.0.1.40, secondary-addresses: 10.0.1.20}}}]
    expect:
      open: [web2 -> next:53/udp, web2 -> next:53/udp by 10.0.1.20]
      dropped: [next as 10.0.1.20 -> db1:53/udp at ingress, web2 -> next:80 by 10.0.1.20 at ingress]
  - step: and with an interface that is detached
    do: {detach-interface: db1.eth1}
    expect: {dropped: [web2 -> db1:53 at ingress]}
";

#[sglab::test]
async fn an_interface_with_several_private_addresses_is_one_member_by_each_of_them() {
    holds("secondary.yaml", STORY).await;
}
