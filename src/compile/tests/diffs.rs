//! From one network to another: every way there and back, and in which order.

use indexmap::IndexSet;
use proptest::prelude::*;

use super::files::everything;
use super::fixture::*;
use super::interpreter::carry_out;
use crate::compile::network;
use crate::model::*;
use crate::network::diff::diff;
use crate::network::names::{group_chains, is_group_chain};
use crate::network::nft::{Change, Ruleset};
use crate::network::ruleset_diff::changes;
use crate::network::*;
use crate::topology::sample::after;

/// Carries out phases on data, each action as strictly as the kernel would. Gives the network before each action.
fn play(old: &Network, phases: &Phases) -> Network {
    let mut now = old.clone();
    for action in phases.iter().flatten() {
        match action {
            Action::AddNode(name, kind, families) => {
                let (routes, policies) = (IndexSet::new(), IndexSet::new());
                let node = Node { kind: *kind, families: *families, routes, policies, ruleset: None };
                assert!(now.nodes.insert(name.clone(), node).is_none());
            }
            Action::AddLink(name, link) => {
                assert!([&link.upper, &link.lower].iter().all(|end| now.nodes.contains_key(&end.node)));
                assert!(now.links.insert(name.clone(), link.clone()).is_none());
            }
            Action::RemoveLink(name, link) => {
                assert_eq!(now.links.shift_remove(name).as_ref(), Some(link));
                for end in [&link.upper, &link.lower] {
                    let routes = &now.nodes[&end.node].routes;
                    assert!(!routes.iter().any(|route| index_of(route) == Some(end.index)), "routes first");
                }
            }
            Action::AddRoute(name, route) => assert!(now.nodes[name].routes.insert(route.clone())),
            Action::RemoveRoute(name, route) => assert!(now.nodes[name].routes.shift_remove(route)),
            Action::AddPolicy(name, policy) => assert!(now.nodes[name].policies.insert(policy.clone())),
            Action::RemovePolicy(name, policy) => assert!(now.nodes[name].policies.shift_remove(policy)),
            Action::LoadRuleset(name, ruleset) => {
                let loaded = carry_out(&Ruleset::default(), &ruleset.batches(200).concat());
                assert!(now.nodes[name].ruleset.replace(loaded).is_none());
            }
            Action::Nft { node, forward, back } => {
                let before = now.nodes[node].ruleset.clone().unwrap();
                let after = carry_out(&before, forward);
                assert_eq!(carry_out(&after, back), before);
                now.nodes[node].ruleset = Some(after);
            }
            Action::ForgetFlows(name, _) => assert!(now.nodes.contains_key(name)),
            Action::RemoveNode(name) => {
                assert!(now.links.values().all(|link| link.upper.node != *name && link.lower.node != *name));
                assert!(now.nodes.shift_remove(name).is_some());
            }
        }
    }
    now
}

fn index_of(route: &Route) -> Option<u32> {
    match route.way {
        Way::Gateway { index, .. } | Way::Link { index } | Way::Delegated { index, .. } | Way::Local { index } => {
            Some(index)
        }
        Way::Unreachable | Way::Main => None,
    }
}

fn steps(old: &Cloud, new: &Cloud) -> Phases {
    let (old, new) = (network(old).unwrap(), network(new).unwrap());
    let phases = diff(&old, &new);
    assert_eq!(play(&old, &phases), new);
    phases
}

fn transactions(phases: &Phases) -> Vec<&[Change]> {
    let actions = phases.iter().flatten();
    let forward = actions.filter_map(|action| match action {
        Action::Nft { forward, .. } => Some(forward.as_slice()),
        _ => None,
    });
    forward.collect()
}

#[test]
fn the_boot_makes_everything_and_nothing_remains_to_be_done() {
    for era in Era::ALL {
        let network = network(&two_tier(era)).unwrap();
        let nothing = Network { timeouts: network.timeouts, ..Network::default() };
        assert_eq!(play(&nothing, &diff(&nothing, &network)), network);
        assert_eq!(diff(&network, &network), Phases::new());
    }
}

#[test]
fn a_new_membership_is_one_element_and_no_rule() {
    let old = two_tier(Era::Vpc);
    let mut new = old.clone();
    instance(&mut new, "db1").interfaces[0].groups.insert(GroupName::new("SG-T-WEB"));
    let phases = steps(&old, &new);
    let [transaction] = transactions(&phases)[..] else { panic!("{phases:?}") };
    let elements: Vec<_> = transaction.iter().filter(|c| matches!(c, Change::AddElements(..))).collect();
    assert_eq!(elements, [&Change::AddElements("members/SG-T-WEB".to_owned(), vec!["10.0.0.21".to_owned()])]);
    let of_groups = transaction.iter().filter(|change| match change {
        Change::AddRule(chain, _) | Change::DeleteRule(chain, _) | Change::FlushChain(chain) => is_group_chain(chain),
        _ => false,
    });
    assert_eq!(of_groups.count(), 0);
}

#[test]
fn a_new_address_is_elements_and_no_rule() {
    let old = two_tier(Era::Article);
    let mut new = old.clone();
    instance(&mut new, "web1").interfaces[0].private = Some(PrivateIp([10, 0, 0, 31].into()));
    let phases = steps(&old, &new);
    let elements_only = |change: &&Change| {
        matches!(
            change,
            Change::AddElements(..) | Change::AddMapElements(..) | Change::DeleteElements(..) | Change::Forget(_)
        )
    };
    let all: Vec<_> = transactions(&phases).concat();
    assert!(all.iter().all(|change| elements_only(&change)), "{all:?}");
}

#[test]
fn a_rule_more_or_less_is_one_transaction_and_one_rule_in_each_chain() {
    let old = two_tier(Era::Article);
    let mut new = old.clone();
    let id = authorize(&mut new, "SG-T-DB", tcp(3306), of("SG-T-DB")).to_string();
    let added = steps(&old, &new);
    let [transaction] = transactions(&added)[..] else { panic!("{added:?}") };
    assert!(matches!(transaction, [Change::AddRule(a, r), Change::AddRule(b, s)]
        if a == "ingress/SG-T-DB" && b == "ingress-live/SG-T-DB" && r.id == id && s.id == id));
    let removed = steps(&new, &old);
    let [transaction] = transactions(&removed)[..] else { panic!("{removed:?}") };
    assert_eq!(
        transaction,
        ["ingress/SG-T-DB", "ingress-live/SG-T-DB"].map(|chain| Change::DeleteRule(chain.to_owned(), id.clone()))
    );
}

#[test]
fn a_stop_unroutes_then_closes_and_unlinks_and_forgets_last() {
    let old = two_tier(Era::Vpc);
    let mut new = old.clone();
    instance(&mut new, "web1").state = InstanceState::Stopped;
    instance(&mut new, "web1").interfaces[0].public = None;
    assert_eq!(kinds(&steps(&old, &new)), ["-route", "nft -link", "forget", "-node"]);
    assert_eq!(kinds(&steps(&new, &old)), ["+node", "+link", "+route", "nft"]);
    let forgotten = steps(&old, &new).into_iter().flatten().filter_map(|action| match action {
        Action::ForgetFlows(node, block) => Some(format!("{node} {}", block.addr())),
        _ => None,
    });
    assert_eq!(
        forgotten.collect::<Vec<_>>(),
        [
            "vpc-default 10.0.0.11",
            "vpc-default 198.18.0.11",
            "gateway-default 10.0.0.11",
            "gateway-default 198.18.0.11"
        ]
    );
}

#[test]
fn a_crash_that_keeps_the_address_changes_the_link_and_no_ruleset() {
    let old = two_tier(Era::Vpc);
    let mut new = old.clone();
    instance(&mut new, "db1").state = InstanceState::Crashed;
    let phases = steps(&old, &new);
    assert_eq!(kinds(&phases), ["-route", "-link", "+link", "+route"]);
}

/// A membership goes and another comes: one transaction, and nobody meets half of it.
#[test]
fn what_changes_rulesets_alone_is_one_transaction() {
    let cloud = everything();
    for operation in [
        "set-groups: {db: WEB}",
        "[{revoke: {DB: [tcp 3306 from WEB]}}, {authorize: {DB: [tcp 3307 from WEB]}}]",
        "edit-prefix-list: {partners: {remove: 192.0.2.0/25, add: 203.0.113.0/24}}",
        "source-dest-check: {firewall: off}",
    ] {
        let new = after(&cloud, operation);
        assert_eq!(kinds(&steps(&cloud, &new)), ["nft"], "{operation}");
        assert_eq!(kinds(&steps(&new, &cloud)), ["nft"], "{operation}, undone");
    }
}

/// Counts of a group's rules are read as these go, one by one; nobody reads what the others have counted.
#[test]
fn the_rules_of_a_group_come_and_go_one_by_one_and_those_of_an_interface_all_at_once() {
    let cloud = everything();
    let less = after(
        &cloud,
        "[{detach-interface: web.eth1}, {terminate: db}, {revoke: {DB: [all from DB]}}, {delete-group: DB}]",
    );
    let gone = transactions(&steps(&cloud, &less)).concat();
    let rules = network(&cloud).unwrap().nodes[&NodeName("vpc-main".to_owned())].ruleset.clone().unwrap().chains;
    for (name, chain) in rules.iter().filter(|(name, _)| name.ends_with("/DB")) {
        let one_by_one = chain.rules.iter().map(|rule| Change::DeleteRule(name.clone(), rule.id.clone()));
        let of_chain = gone
            .iter()
            .filter(|change| matches!(change, Change::DeleteRule(of, _) | Change::FlushChain(of) if of == name));
        assert_eq!(of_chain.cloned().collect::<Vec<_>>(), one_by_one.collect::<Vec<_>>(), "{name}");
    }
    assert!(gone.contains(&Change::FlushChain("to/db.eth0".to_owned())));
    let other = after(&cloud, "set-groups: {db: WEB}");
    let changed = transactions(&steps(&cloud, &other)).concat();
    assert!(changed.contains(&Change::FlushChain("to/db.eth0".to_owned())), "{changed:?}");
}

#[test]
fn an_elastic_ip_is_routes_of_the_internet_and_rulesets_and_no_link() {
    let cloud = after(&everything(), "allocate-address: eip-new");
    let bound = after(&cloud, "associate-address: {eip-new: db}");
    assert_eq!(kinds(&steps(&cloud, &bound)), ["+route", "nft"]);
    assert_eq!(kinds(&steps(&bound, &cloud)), ["-route", "nft", "forget"]);
    // It takes the place of another, which has to be forgotten.
    let moved = after(&cloud, "associate-address: {eip-new: far}");
    assert_eq!(kinds(&steps(&cloud, &moved)), ["-route", "nft", "+route", "nft", "forget"]);
}

#[test]
fn an_interface_comes_and_goes_with_its_policies_and_routes() {
    let cloud = everything();
    let less = after(&cloud, "detach-interface: web.eth1");
    assert_eq!(kinds(&steps(&cloud, &less)), ["-route -policy", "nft -link", "forget"]);
    assert_eq!(kinds(&steps(&less, &cloud)), ["+link", "+route +policy", "nft"]);
}

#[test]
fn without_its_next_hop_a_route_leads_to_the_canary_and_nothing_else_of_the_subnet_moves() {
    let cloud = everything();
    let stopped = after(&cloud, "stop: firewall");
    let phases = steps(&cloud, &stopped);
    let routes = phases.iter().flatten().filter_map(|action| match action {
        Action::AddRoute(node, Route { destination, way, .. }) => Some(format!("{node} {destination} {way:?}")),
        _ => None,
    });
    let added = ["vpc-main 10.0.2.0/24 Gateway { index: 3, gateway: 169.254.4.1, source: None }"];
    assert_eq!(routes.collect::<Vec<_>>(), added);
}

/// By networks made by hand: no operation changes these alone.
#[test]
fn a_node_a_route_a_policy_or_a_ruleset_alone_is_more_than_rulesets() {
    let old = network(&everything()).unwrap();
    let node = |name: &str| NodeName(name.to_owned());
    let altered = |alter: &dyn Fn(&mut Network)| {
        let mut new = old.clone();
        alter(&mut new);
        let (there, back) = (diff(&old, &new), diff(&new, &old));
        assert_eq!(play(&old, &there), new);
        assert_eq!(play(&new, &back), old);
        (kinds(&there), kinds(&back))
    };
    let words = |word: &str| vec![word.to_owned()];
    let more = altered(&|new| {
        let route =
            Route { table: Table(9), destination: "192.0.2.1/32".parse().unwrap(), way: Way::Unreachable, limit: None };
        new.nodes[&node("web")].routes.insert(route);
    });
    assert_eq!(more, (words("+route"), words("-route")));
    let more = altered(&|new| {
        let policy = Policy { of: Selected::From("eth0".to_owned()), table: Table(9) };
        new.nodes[&node("web")].policies.insert(policy);
    });
    assert_eq!(more, (words("+policy"), words("-policy")));
    let more = altered(&|new| {
        let alone = new.nodes[&node("web")].clone();
        let (routes, policies) = (IndexSet::new(), IndexSet::new());
        new.nodes.insert(node("alone"), Node { routes, policies, ..alone });
    });
    assert_eq!(more, (words("+node"), words("-node")));
    let mut new = old.clone();
    new.nodes[&node("web")].ruleset = old.nodes[&node("vpc-other")].ruleset.clone();
    assert_eq!(play(&old, &diff(&old, &new)), new);
    assert_eq!(kinds(&diff(&old, &new)), words("load"));
}

/// Describes each phase, in words; the same word twice in a row is said once.
fn kinds(phases: &Phases) -> Vec<String> {
    let words = |phase: &Vec<Action>| {
        let mut words: Vec<_> = phase.iter().map(kind).collect();
        words.dedup();
        words.join(" ")
    };
    phases.iter().map(words).collect()
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::AddNode(..) => "+node",
        Action::AddLink(..) => "+link",
        Action::RemoveLink(..) => "-link",
        Action::AddRoute(..) => "+route",
        Action::RemoveRoute(..) => "-route",
        Action::AddPolicy(..) => "+policy",
        Action::RemovePolicy(..) => "-policy",
        Action::Nft { .. } => "nft",
        Action::LoadRuleset(..) => "load",
        Action::ForgetFlows(..) => "forget",
        Action::RemoveNode(..) => "-node",
    }
}

#[test]
fn group_chains_are_those_of_groups() {
    let network = network(&two_tier(Era::Article)).unwrap();
    let ruleset = network.nodes[&NodeName("vpc-default".to_owned())].ruleset.as_ref().unwrap();
    let mut chains: Vec<_> = group_chains(ruleset).collect();
    chains.sort_unstable();
    assert_eq!(chains.len(), 6);
    assert_eq!(chains[0], "ingress-live/SG-T-ADMIN");
}

/// One instance of a drawn cloud: its state, its address if it has one, and which groups it is in.
type Drawn = (u8, Option<u8>, Vec<bool>);

fn drawn_cloud() -> impl Strategy<Value = Cloud> {
    let rule = (0usize..4, 0u8..7, 0usize..4);
    let instances = proptest::collection::vec(
        (0u8..3, proptest::option::of(0u8..40), proptest::collection::vec(any::<bool>(), 4)),
        0..5,
    );
    (0usize..3, 1usize..5, proptest::collection::vec(rule, 0..12), instances, any::<u64>()).prop_map(
        |(era, groups, rules, instances, mix): (usize, usize, Vec<_>, Vec<Drawn>, u64)| {
            let mut cloud = cloud(Era::ALL[era]);
            (0..groups).for_each(|i| add_group(&mut cloud, &format!("G{i}")));
            for (nth, (group, traffic, peer)) in rules.into_iter().enumerate() {
                let traffic = [
                    Traffic::All,
                    tcp(22),
                    tcp(80),
                    Traffic::Tcp(PortRange::ALL),
                    Traffic::Udp(PortRange::ALL),
                    Traffic::Icmp(IcmpMatch::All),
                    Traffic::Udp(PortRange::single(Port(53))),
                ][usize::from(traffic)];
                let peer = match peer {
                    0 => anywhere(),
                    1 => cidr("192.0.2.0/24"),
                    n => of(&format!("G{}", n % groups)),
                };
                // Skipped ids stand for rules that were revoked.
                if mix >> (nth % 64) & 1 == 0 {
                    cloud.counters.rule += 1;
                }
                authorize(&mut cloud, &format!("G{}", group % groups), traffic, peer);
            }
            for (i, (state, address, member)) in instances.into_iter().enumerate() {
                let name = format!("i{i}");
                let of = (0..groups).filter(|g| member[*g]).map(|g| format!("G{g}")).collect::<Vec<_>>();
                let of = if of.is_empty() { vec!["G0"] } else { of.iter().map(String::as_str).collect() };
                // Addresses of one cloud differ from one another.
                launch(&mut cloud, &name, address.unwrap_or(0) * 5 + i as u8, &of);
                let it = instance(&mut cloud, &name);
                it.state = [InstanceState::Running, InstanceState::Crashed, InstanceState::Stopped][usize::from(state)];
                if address.is_none() {
                    it.interfaces[0].private = None;
                    it.interfaces[0].public = None;
                }
            }
            cloud
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_network_becomes_any_other(old in drawn_cloud(), new in drawn_cloud()) {
        steps(&old, &new);
    }

    #[test]
    fn any_ruleset_becomes_any_other_and_back(old in drawn_cloud(), new in drawn_cloud()) {
        let (old, new) = (network(&old).unwrap(), network(&new).unwrap());
        for (name, node) in &old.nodes {
            let Some((old, new)) = node.ruleset.as_ref().zip(new.nodes.get(name).and_then(|n| n.ruleset.as_ref())) else { continue };
            let there = carry_out(old, &changes(old, new));
            prop_assert_eq!(&there, new);
            prop_assert_eq!(&carry_out(&there, &changes(new, old)), old);
        }
    }

    #[test]
    fn rules_that_stand_in_both_are_not_touched(cloud in drawn_cloud(), revoked in any::<u64>()) {
        let mut less = cloud.clone();
        for rules in less.groups.values_mut().map(|group| &mut group.ingress) {
            rules.retain(|rule| revoked >> (rule.id.0 % 64) & 1 == 0);
        }
        let (old, new) = (network(&cloud).unwrap(), network(&less).unwrap());
        for transaction in transactions(&diff(&old, &new)) {
            for change in transaction {
                if let Change::FlushChain(chain) | Change::AddRule(chain, _) = change {
                    prop_assert!(!is_group_chain(chain));
                }
            }
        }
    }
}

#[test]
fn a_description_is_nothing_to_the_kernel() {
    let old = two_tier(Era::Vpc);
    let mut new = old.clone();
    let described = new.groups.values_mut().flat_map(|group| group.ingress.iter_mut().chain(&mut group.egress));
    described.for_each(|rule| rule.description = Some("another".to_owned()));
    assert_ne!(old, new);
    assert_eq!(network(&old).expect("it compiles"), network(&new).expect("it compiles"));
    assert_eq!(steps(&old, &new), Phases::default());
}
