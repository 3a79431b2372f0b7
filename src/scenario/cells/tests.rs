use indexmap::IndexSet;

use super::*;
use crate::model::{Cloud, Era, Flow, InstanceName, Service, Via, VpcName};
use crate::scenario::testing::{cloud, columns, pattern, stop};
use crate::topology::FlowPattern;

fn texts(flows: Result<Vec<Flow>, String>) -> Vec<String> {
    flows.expect("some flows").iter().map(ToString::to_string).collect()
}

fn usual() -> IndexSet<Option<Via>> {
    IndexSet::from([None])
}

#[test]
fn the_grid_of_two_tier_has_140_cells() {
    assert_eq!(grid(&cloud(), &columns(), &usual()).count(), 140);
}

#[test]
fn a_grid_of_both_vias_has_the_instances_twice_and_the_hosts_once() {
    let both = IndexSet::from([None, Some(Via::Public)]);
    assert_eq!(grid(&cloud(), &columns(), &both).count(), 140 + 4 * 3 * 5);
}

#[test]
fn a_stopped_instance_is_in_no_cell_of_the_grid() {
    let mut cloud = cloud();
    stop(&mut cloud, "db2");
    assert_eq!(grid(&cloud, &columns(), &usual()).count(), 3 * 4 * 5 + 3 * 2 * 5);
}

#[test]
fn a_pair_in_two_vpcs_has_no_private_cell_and_a_public_one() {
    let mut cloud = cloud();
    cloud.instances[&InstanceName::new("db2")].interfaces[0].vpc = VpcName::new("other");
    assert_eq!(grid(&cloud, &columns(), &usual()).count(), 140 - 6 * 5);
    assert_eq!(grid(&cloud, &columns(), &IndexSet::from([Some(Via::Public)])).count(), 140);
    let refusal = select(&pattern("db1 -> db2:3306"), None, &cloud).unwrap_err();
    assert_eq!(
        refusal,
        "`db1 -> db2:3306` selects no flow: db1 and db2 are in different VPCs, and have no private path"
    );
    assert_eq!(select(&pattern("db1 -> db2:3306"), Some(Via::Public), &cloud).unwrap().len(), 1);
}

#[test]
fn any_is_every_outside_address_and_every_other_running_instance() {
    let flows = texts(select(&pattern("any -> web1:80"), None, &cloud()));
    assert_eq!(
        flows,
        [
            "office -> web1:80",
            "neighbour -> web1:80",
            "world -> web1:80",
            "world -> web1:80",
            "web2 -> web1:80",
            "db1 -> web1:80",
            "db2 -> web1:80"
        ]
    );
}

#[test]
fn what_an_instance_sends_to_itself_leaves_it_by_public_address_only() {
    let asked = |via| select(&pattern("db1 -> db1:3306"), Some(via), &cloud());
    assert_eq!(texts(asked(Via::Public)), ["db1 -> db1:3306 by public address"]);
    for (via, by) in [(Via::Private, "private address"), (Via::Dns, "DNS name"), (Via::Ipv6, "IPv6 address")] {
        let why = format!("by {by} what db1 sends to itself never leaves it; `by public address` it does");
        assert_eq!(asked(via).unwrap_err(), format!("`db1 -> db1:3306` selects no flow: {why}"));
    }
    // A group's instance is not meant as a peer of itself.
    let flows = texts(select(&pattern("SG-T-DB -> SG-T-DB:3306"), Some(Via::Public), &cloud()));
    assert_eq!(flows, ["db1 -> db2:3306 by public address", "db2 -> db1:3306 by public address"]);
}

#[test]
fn both_ways_is_each_way_once_and_nobody_to_itself() {
    let flows = texts(select(&pattern("SG-T-DB <-> SG-T-DB:3306"), None, &cloud()));
    assert_eq!(flows, ["db1 -> db2:3306", "db2 -> db1:3306"]);
}

#[test]
fn a_group_without_a_running_member_selects_no_cell() {
    let refusal = select(&pattern("any -> SG-NONE:80"), None, &cloud()).unwrap_err();
    assert_eq!(refusal, "`any -> SG-NONE:80` selects no flow: SG-NONE has no running member");
}

#[test]
fn a_stopped_instance_may_be_asked_and_cannot_ask() {
    let mut cloud = cloud();
    stop(&mut cloud, "db2");
    assert_eq!(texts(select(&pattern("web1 -> db2:3306"), None, &cloud)), ["web1 -> db2:3306"]);
    let refusal = select(&pattern("db2 -> web1:80"), None, &cloud).unwrap_err();
    assert_eq!(refusal, "`db2 -> web1:80` selects no flow: db2 is stopped, and sends nothing");
}

#[test]
fn by_dns_name_a_host_asks_too_and_is_not_asked() {
    let by_name = |written: &str| FlowPattern { via: Some(Via::Dns), ..pattern(written) };
    let flows = texts(select(&by_name("any -> web1:80"), None, &cloud()));
    assert_eq!(flows.len(), 7);
    assert!(flows.iter().all(|flow| flow.ends_with(" -> web1:80 by DNS name")), "{flows:?}");
    let refusal = select(&by_name("web1 -> office:80"), None, &cloud()).unwrap_err();
    assert_eq!(refusal, "`web1 -> office:80` selects no flow: office is outside, and EC2 has no name for it");
    // An IPv6 address asks no resolver, and the name would not help it.
    let mut cloud = cloud();
    cloud.hosts[0].addresses = vec![crate::model::HostIp("2001:db8::7".parse().unwrap())];
    assert_eq!(select(&by_name("any -> web1:80"), None, &cloud).unwrap().len(), 6);
}

#[test]
fn a_host_without_such_an_address_is_named_as_the_reason() {
    let asked = |words: &str| {
        let pattern = crate::topology::read_question(&balanced(), words);
        select(&pattern.unwrap_or_else(|problems| panic!("{problems}")), None, &balanced()).unwrap_err()
    };
    for (words, why) in [
        ("office -> lb:80 by ipv6 address", "office has no IPv6 address"),
        ("lb -> office:80 by ipv6 address", "office has no IPv6 address"),
        ("lb -> office:80 by private address", "office is outside, and private addresses lead nowhere there"),
    ] {
        assert_eq!(asked(words), format!("`{words}` selects no flow: {why}"));
    }
}

fn balanced() -> Cloud {
    let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups: {A: []}\ninstances: {app: {groups: A}}\n\
                load-balancers:\n  lb: {groups: A, listeners: tcp 80}\n  \
                within: {scheme: internal, groups: A, listeners: tcp 80}\n\
                scenario: [{step: s, expect: {dropped: ['app -> lb:80']}}]\n";
    let topology = crate::topology::Topology::parse("t.yaml", text.as_bytes());
    let topology = topology.unwrap_or_else(|problems| panic!("{problems}"));
    topology.initial_cloud(Era::Vpc).unwrap_or_else(|(refusal, _)| panic!("{refusal}"))
}

fn flows(words: &str) -> Vec<Flow> {
    let cloud = balanced();
    let pattern = crate::topology::read_flow(&cloud, words).unwrap_or_else(|problems| panic!("{problems}"));
    select(&pattern, None, &cloud).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn a_load_balancer_is_reached_by_the_address_that_its_name_means_unless_another_is_said() {
    for (words, via, label) in [
        ("app -> lb:80", Via::Public, "app -> lb:80"),
        ("app -> lb:80 by public address", Via::Public, "app -> lb:80"),
        ("app -> lb:80 by private address", Via::Private, "app -> lb:80 by private address"),
        ("app -> within:80", Via::Private, "app -> within:80"),
        ("office -> lb:80", Via::Public, "office -> lb:80"),
        ("office -> within:80 by dns name", Via::Dns, "office -> within:80 by DNS name"),
        ("app -> within:80 by dns name", Via::Dns, "app -> within:80 by DNS name"),
        ("lb -> app:80", Via::Private, "lb -> app:80"),
    ] {
        let flows = flows(words);
        assert_eq!((flows[0].via, flows[0].to_string().as_str()), (via, label), "{words}");
        let again = crate::topology::write::flow(&flows[0]);
        assert_eq!(self::flows(&again), flows, "{words} is written as {again}");
    }
    let cloud = balanced();
    let refused = crate::topology::read_flow(&cloud, "office -> within:80").unwrap_err().to_string();
    assert!(refused.contains("`within` is internal, and has no public address"), "{refused}");
    let pattern = crate::topology::read_question(&cloud, "office -> within:80").expect("a flow");
    assert!(select(&pattern, None, &cloud).unwrap_err().contains("within has no public address"));
}

#[test]
fn a_table_that_says_nothing_has_load_balancers_by_their_names_and_one_that_says_private_has_not() {
    let (cloud, columns) = (balanced(), IndexSet::from([Service::Tcp(crate::model::Port(80))]).into());
    let cells = |said: Option<Via>| -> Vec<String> {
        let vias = IndexSet::from([said]);
        let cells = grid(&cloud, &columns, &vias).filter(|flow| flow.from.to_string() == "app");
        cells.map(|flow| flow.to_string()).collect()
    };
    assert_eq!(cells(None), ["app -> lb:80", "app -> within:80"]);
    assert_eq!(cells(Some(Via::Private)), ["app -> lb:80 by private address", "app -> within:80"]);
    assert_eq!(cells(Some(Via::Public)), ["app -> lb:80"]);
}
