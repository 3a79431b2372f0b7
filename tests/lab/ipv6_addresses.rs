//! Interfaces without an IPv6 address, with several, and with a delegated prefix.

use crate::topologies::holds;

/// Sentences about EC2, each with what shows it.
const STORY: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {a: 10.0.1.0/24, b: {cidr: 10.0.2.0/24, ipv6: no}, c: {cidr: 10.0.3.0/24, ipv6: '2001:db8:1000:a0::/64'}}}}
hosts: {office: [203.0.113.10, '2001:db8:77::10']}
groups:
  WEB: [tcp 80 from WEB, tcp 80 from NARROW, udp 80 from WEB, 'tcp 443 from ::/0', tcp 443 from anywhere, icmpv6 echo from WEB]
  DB:
    ingress: [tcp 5432 from WEB, udp 53 from WEB, 'udp 54 from 2001:db8:1000::a5', 'udp 55 from 2001:db8:1000::a1', 'udp 56 from 2001:db8:1000:0:1::/80']
  NARROW: {ingress: [], egress: ['tcp 80 to WEB', 'tcp 81 to 2001:db8:1000::a1']}
  OPEN: ['udp 53 from ::/0', udp 53 from anywhere]
instances:
  web1: {groups: WEB, ipv6: '2001:db8:1000::a1', secondary-addresses: ['2001:db8:1000::a5', '2001:db8:1000:0:1::/80', 10.0.1.20]}
  web2: {groups: WEB, subnet: c}
  none: {groups: WEB, ipv6: no}
  bare: {groups: WEB, subnet: b}
  db1:
    groups: DB
    interfaces:
      eth1: {groups: WEB, subnet: c, secondary-addresses: ['2001:db8:1000:a0::5', '2001:db8:1000:a0:2::/80']}
      eth2: {groups: WEB, subnet: c, ipv6: no}
  client: {groups: NARROW}
  open: {groups: OPEN}
tables:
  six:
    by: ipv6
    open:
      - WEB -> WEB:80
      - WEB -> WEB:80/udp
      - WEB -> WEB:ping
      - WEB -> DB:5432
      - WEB -> DB:53/udp
      - web1 -> db1:55/udp
      - client -> WEB:80
      - office -> WEB:443
      - elsewhere -> WEB:443
      - WEB -> WEB:443
      - DB -> WEB:443
      - open -> WEB:443
      - office -> open:53/udp
      - elsewhere -> open:53/udp
      - WEB -> open:53/udp
      - DB -> open:53/udp
scenario:
  - step: a cell by IPv6 is there where both ends have an address
    expect:
      table: six
      open: [web2 -> web1:80 by ipv6 address, none -> web1:80, bare -> web1:80, web1 -> none:80, web1 -> bare:80]
  - step: each of its addresses leads to it, and its groups hold for all of them
    expect:
      open:
        - web2 -> web1:80 by 2001:db8:1000::a5
        - web2 -> web1:80/udp by 2001:db8:1000::a5
        - 'web2 -> web1:80 by 2001:db8:1000:0:1::'
        - web2 -> web1:80 by 2001:db8:1000:0:1:1:2:3
        - web2 -> web1:80/udp by 2001:db8:1000:0:1:1:2:3
        - web2 -> web1:ping by 2001:db8:1000:0:1:1:2:3
        - office -> web1:443 by 2001:db8:1000::a5
        - office -> web1:443 by 2001:db8:1000:0:1:ffff:ffff:ffff
        - web1 -> db1.eth1:80 by 2001:db8:1000:a0::5
        - web1 -> db1.eth1:80 by 2001:db8:1000:a0:2::77
        - office -> db1.eth1:443 by 2001:db8:1000:a0:2::77
      dropped:
        - open -> web1:80 by 2001:db8:1000::a5 at ingress
        - web2 -> web1:81 by 2001:db8:1000:0:1::7 at ingress
        - web1 -> db1.eth1:5432 by 2001:db8:1000:a0:2::77 at ingress
        - office -> web1:80 by 2001:db8:1000:0:1::7 at ingress
  - step: a rule that names a group admits its member from any of them
    expect:
      open:
        - web1 as 2001:db8:1000::a5 -> db1:53/udp
        - web1 as 2001:db8:1000:0:1::7 -> db1:53/udp
        - web1 as 2001:db8:1000::a5 -> db1:5432
        - web1 as 2001:db8:1000:0:1::7 -> db1:5432
        - web1 as 2001:db8:1000:0:1::7 -> web2:ping
        - web1 as 2001:db8:1000:0:1::7 -> db1.eth1:80 by 2001:db8:1000:a0::5
        - db1 as 2001:db8:1000:a0:2::77 -> web1:80/udp
  - step: a rule that names an address admits that one, and no other of its holder
    expect:
      open:
        - web1 as 2001:db8:1000::a5 -> db1:54/udp
        - web1 -> db1:55/udp by ipv6 address
        - web1 as 2001:db8:1000:0:1:ffff:ffff:ffff -> db1:56/udp
      dropped:
        - web1 -> db1:54/udp by ipv6 address at ingress
        - web1 as 2001:db8:1000:0:1::7 -> db1:54/udp at ingress
        - web1 as 2001:db8:1000::a5 -> db1:55/udp at ingress
        - web1 as 2001:db8:1000::a5 -> db1:56/udp at ingress
  - step: so it is on the way out
    expect:
      open: [client -> web1:80 by 2001:db8:1000::a5, client -> web1:80 by 2001:db8:1000:0:1::7]
      dropped: [client -> web1:81 by 2001:db8:1000::a5 at egress, client -> web1:81 by ipv6 address at ingress]
  - step: its own addresses pass the check of the source, and another's does not
    expect:
      open: [web1 as 2001:db8:1000:0:1::33 -> open:53/udp]
      dropped: [web1 as 2001:db8:1000:0:3::33 -> open:53/udp, open as 2001:db8:1000::a5 -> db1:54/udp, open as 2001:db8:1000:0:1::33 -> db1:56/udp]
  - step: they are global, so they leave the VPC as they are
    expect:
      open: [web1 as 2001:db8:1000::a5 -> office:443, web1 as 2001:db8:1000:0:1::7 -> office:443]
  - step: a connection is held by one of them
    do: {open: {session: 'web2 -> web1:80 by 2001:db8:1000:0:1::9', other: 'web2 -> web1:80 by 2001:db8:1000::a5', datagrams: 'web2 -> web1:80/udp by 2001:db8:1000:0:1::9'}}
    expect: {alive: [session, other, datagrams]}
  - step: they stay with the interface over a stop, while nothing comes to them
    do: {stop: web1}
    expect: {gone: [session, other], unreachable: [web2 -> web1:80 by 2001:db8:1000::a5, web2 -> web1:80 by 2001:db8:1000:0:1::7]}
  - step: and a start
    do: {start: web1}
    expect: {open: [web2 -> web1:80 by 2001:db8:1000::a5, web2 -> web1:80 by 2001:db8:1000:0:1::7, web1 as 2001:db8:1000:0:1::7 -> db1:53/udp]}
  - step: nobody else gets them meanwhile
    do: {launch: {thief: {groups: WEB, ipv6: '2001:db8:1000:0:1::40'}}}
    expect: {refusal: InvalidIPAddress.InUse}
  - step: they go with it, to whoever asks for them
    do: [{terminate: web1}, {launch: {next: {groups: OPEN, ipv6: '2001:db8:1000::a5', secondary-addresses: '2001:db8:1000:0:1::/80'}}}]
    expect:
      open: [web2 -> next:53/udp by ipv6 address, web2 -> next:53/udp by 2001:db8:1000:0:1::7]
      dropped: [next as 2001:db8:1000:0:1::7 -> db1:53/udp at ingress, web2 -> next:80 by 2001:db8:1000:0:1::7 at ingress]
  - step: and with an interface that is detached
    do: {detach-interface: db1.eth1}
    expect: {dropped: [web2 -> db1:53 by ipv6 address at ingress]}
  - step: a further interface may have them too
    do: {attach-interface: {db1: {eth1: {groups: WEB, subnet: c, secondary-addresses: '2001:db8:1000:a0:3::/80'}}}}
    expect: {open: [web2 -> db1.eth1:80 by 2001:db8:1000:a0:3::7]}
";

#[sglab::test]
async fn an_interface_is_one_member_by_each_of_its_ipv6_addresses_or_has_none() {
    holds("ipv6-addresses.yaml", STORY).await;
}
