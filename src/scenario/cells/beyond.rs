//! Cells that somebody in the cloud could send and that are none of the grid: they are counted.

use std::net::IpAddr;

use indexmap::IndexSet;

use super::ends::{has_public, hosts, inside, vpc_of};
use super::grid::{Extent, path};
use crate::model::{Cloud, Endpoint, Flow, Interface, SourceDestCheck, Via};
use crate::scenario::results::NotAsked;
use crate::topology::Columns;

impl Extent {
    /// Counts what the grid leaves out, but for what is asked all the same.
    pub fn not_asked(&self, cloud: &Cloud, columns: &Columns, asked: &IndexSet<Flow>) -> NotAsked {
        let count = |from: &Endpoint, to: &Endpoint, via: Via| {
            let cell = |service| Flow { from: from.clone(), to: to.clone(), via, service };
            columns.by(via).filter(|service| !asked.contains(&cell(*service))).count()
        };
        let mut all = NotAsked::default();
        let left_out: Vec<Endpoint> = hosts(cloud)
            .into_iter()
            .filter(|host| !matches!(host, Endpoint::Host(name, _) if self.egress.has(name)))
            .filter(|_| cloud.has_egress_rules())
            .collect();
        let ends: Vec<Endpoint> = inside(cloud).collect();
        for from in &ends {
            for to in &left_out {
                all.hosts += path(cloud, from, to, None).map_or(0, |via| count(from, to, via));
            }
            for to in &ends {
                if is_itself(from, to) {
                    all.itself += if leaves_and_comes_back(cloud, to) { count(from, to, Via::Public) } else { 0 };
                    continue;
                }
                let gone = self.addresses(cloud, from, to);
                let secondary = to.interface().and_then(|id| cloud.interface(&id)).into_iter().flat_map(secondary);
                for via in [Via::Private, Via::Public, Via::Ipv6].into_iter().chain(secondary) {
                    let is_way = !gone.contains(&via) && path(cloud, from, to, Some(via)).is_some();
                    all.other_addresses += if is_way { count(from, to, via) } else { 0 };
                }
                if may_forge(cloud, from) {
                    all.forged += gone.iter().map(|via| columns.by(*via).count()).sum::<usize>();
                }
            }
        }
        all
    }

    /// The addresses of a receiver that the grid goes by, each once.
    fn addresses(&self, cloud: &Cloud, from: &Endpoint, to: &Endpoint) -> IndexSet<Via> {
        let vias = self.vias.iter().filter_map(|said| path(cloud, from, to, *said));
        let vpc = |end: &Endpoint| end.interface().and_then(|id| vpc_of(cloud, &id).cloned());
        let means = |via| match (via, to) {
            // What a name means to somebody inside.
            (Via::Dns, Endpoint::LoadBalancer(..)) => to.usual_via(),
            (Via::Dns, _) if vpc(from) == vpc(to) => Via::Private,
            (Via::Dns, _) => Via::Public,
            (via, _) => via,
        };
        vias.map(means).collect()
    }
}

/// Returns true for an instance with a public address, which it may send to. A load balancer opens no flow to itself.
fn leaves_and_comes_back(cloud: &Cloud, to: &Endpoint) -> bool {
    let has_public = to.interface().is_some_and(|id| has_public(cloud, &id));
    has_public && !matches!(to, Endpoint::LoadBalancer(..))
}

/// The secondary addresses of a receiver: no table goes by one. Each of a delegated prefix is one of them; of IPv6 one stands for all of it.
fn secondary(of: &Interface) -> impl Iterator<Item = Via> {
    let private = of.secondary.iter().flat_map(|it| it.private_addresses()).map(|address| IpAddr::V4(address.0));
    let ipv6 = of.secondary.iter().filter_map(|it| it.ipv6()).map(|block| IpAddr::V6(block.network()));
    private.chain(ipv6).map(Via::Secondary)
}

/// An instance, by whichever of its interfaces.
fn is_itself(from: &Endpoint, to: &Endpoint) -> bool {
    from.holder() == to.holder()
}

fn may_forge(cloud: &Cloud, from: &Endpoint) -> bool {
    let interface = from.interface().and_then(|id| cloud.interface(&id));
    interface.is_some_and(|it| it.source_dest_check == SourceDestCheck::Off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::scenario::{Options, predict};
    use crate::topology::Topology;

    /// What a file asks, and what it does not.
    fn counts(rest: &str) -> (usize, NotAsked) {
        let text = format!("sglab: 1\nera: vpc\n{rest}\nscenario: [{{step: s, expect: {{table: t}}}}]\n");
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let counts = predict::predict(&topology, Era::Vpc, &Options::default(), &mut |_| ()).expect("a result").counts;
        (counts.cells, counts.not_asked)
    }

    const TWO: &str = "groups: {g: [tcp 22 from g]}\ninstances: {a: {groups: g}, b: {groups: g, public: no}}";
    const OPEN: &str = "open: ['a <-> b:22 by private address']";
    /// 22, 8080 and ping.
    const COLUMNS: usize = 3;

    #[test]
    fn an_address_that_a_table_does_not_go_by_is_counted() {
        let hosts = 2 * 2 * COLUMNS;
        let elsewhere = 2 * COLUMNS;
        let (cells, not_asked) = counts(&format!("{TWO}\ntables: {{t: {{{OPEN}}}}}"));
        let one = NotAsked { hosts, other_addresses: COLUMNS, itself: COLUMNS, forged: 0 };
        assert_eq!((cells, not_asked), (2 * COLUMNS + elsewhere, one), "a has a public address, and b has none");
        // Whatever another table of the file goes by is asked.
        let both = format!("{TWO}\ntables: {{t: {{{OPEN}}}, p: {{by: public, {OPEN}}}}}");
        assert_eq!(counts(&both).1, NotAsked { other_addresses: 0, ..one });
        let six = format!("vpcs: {{m: {{cidr: 10.0.0.0/16, ipv6: yes}}}}\n{TWO}\ntables: {{t: {{{OPEN}}}}}");
        assert_eq!(counts(&six).1.other_addresses, 3 * COLUMNS, "a and b have IPv6 addresses");
        let by_name = format!("{TWO}\ntables: {{t: {{by: dns, {OPEN}}}}}");
        assert_eq!(counts(&by_name).1.other_addresses, COLUMNS + 2, "a's name is its private address; b has none");
    }

    #[test]
    fn each_secondary_address_and_each_of_a_prefix_is_counted() {
        let more = TWO.replace("a: {groups: g", "a: {groups: g, secondary-addresses: [10.0.0.20, 10.0.0.32/28]");
        let other = counts(&format!("{TWO}\ntables: {{t: {{{OPEN}}}}}")).1.other_addresses;
        let (_, not_asked) = counts(&format!("{more}\ntables: {{t: {{{OPEN}}}}}"));
        assert_eq!(not_asked.other_addresses, other + 17 * COLUMNS);
    }

    #[test]
    fn a_private_address_of_a_load_balancer_and_the_public_one_of_another_vpc_are_counted() {
        let balancer = "groups: {g: [tcp 22 from g]}\ninstances: {a: {groups: g, public: no}}\n\
                        load-balancers: {lb: {groups: g, listeners: tcp 22, targets: [a]}}\n\
                        tables: {t: {open: ['lb -> a:22']}}";
        assert_eq!(counts(balancer).1.other_addresses, COLUMNS, "a to lb");
        let far = "vpcs: {m: {cidr: 10.0.0.0/16}, n: {cidr: 10.1.0.0/16}}\nelastic-ips: {e: b}\n\
                   groups: {g: {vpc: m, ingress: [tcp 22 from g]}, h: {vpc: n, ingress: [tcp 22 from h]}}\n\
                   instances: {a: {groups: g, vpc: m, public: no}, b: {groups: h, vpc: n, public: no}}\n\
                   tables: {t: {open: ['elsewhere -> b:9']}}";
        assert_eq!(counts(far).1.other_addresses, COLUMNS + 1, "a to b, which 9 is a column of too");
    }

    #[test]
    fn an_interface_that_may_send_in_others_names_is_counted_for_each_of_its_cells() {
        let off = TWO.replace("a: {groups: g", "a: {groups: g, source-dest-check: off");
        let (_, not_asked) = counts(&format!("{off}\ntables: {{t: {{{OPEN}}}}}"));
        assert_eq!(not_asked.forged, COLUMNS);
    }
}
