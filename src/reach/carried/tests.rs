//! The index finds what a look at each rule finds.

use indexmap::IndexMap;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::account::{Holder, Interface, Known, Origin, PrefixList, Public, SecurityGroup, Vpc};
use crate::model::{IcmpMatch, Port, PortRange, SourceLocation};

const BLOCKS: [&str; 10] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.0.0/16",
    "10.0.0.0/17",
    "10.0.128.0/17",
    "10.0.0.0/24",
    "10.0.0.7/32",
    "198.51.100.0/24",
    "::/0",
    "2001:db8::/32",
];
const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

fn origin() -> Origin {
    Origin::new(ResourceId::new("x"), SourceLocation { file: "x".into(), line: 1, column: 1 })
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let ports = (0_u16..6, 0_u16..3).prop_map(|(from, more)| PortRange::new(Port(from), Port(from + more)).unwrap());
    prop_oneof![
        1 => Just(Traffic::All),
        6 => ports.clone().prop_map(Traffic::Tcp),
        2 => ports.prop_map(Traffic::Udp),
        1 => select(vec![IcmpMatch::All, IcmpMatch::Type(8), IcmpMatch::TypeAndCode(8, 0)]).prop_map(Traffic::Icmp),
        1 => Just(Traffic::Icmpv6(IcmpMatch::All)),
        1 => Just(Traffic::Tcp(PortRange::ALL)),
        1 => Just(Traffic::Protocol(47)),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let peer = prop_oneof![
        5 => select(&BLOCKS[..]).prop_map(|block| Peer::Block(block.parse().unwrap())),
        3 => select(&GROUPS[..]).prop_map(|group| Peer::Group(ResourceId::new(group))),
        1 => select(vec!["halves", "far", "gone"]).prop_map(|list| Peer::PrefixList(ResourceId::new(list))),
        1 => Just(Peer::Unknown("somebody".to_owned())),
    ];
    let traffic = prop_oneof![12 => traffic().prop_map(Known::Is), 1 => Just(Known::Unknown("later".to_owned()))];
    (traffic, peer).prop_map(|(traffic, peer)| Rule { traffic, peer, description: None, origin: origin() })
}

fn account() -> impl Strategy<Value = Account> {
    let rules = || prop::collection::vec(rule(), 0..9);
    let groups = prop::collection::vec((rules(), rules()), GROUPS.len());
    let members = prop::collection::vec(subsequence(&GROUPS[..], 1..=3), 0..5);
    (groups, members, 0_u8..12).prop_map(|(groups, members, unknown)| {
        let mut account = Account::default();
        let vpc = ResourceId::new("vpc");
        let blocks = vec!["10.0.0.0/16".parse().unwrap()];
        account.vpcs.insert(vpc.clone(), Vpc { label: "vpc".to_owned(), blocks, ipv6: Vec::new(), origin: origin() });
        for (label, entries) in
            [("halves", ["10.0.0.0/17", "10.0.128.0/17"]), ("far", ["198.51.100.0/25", "2001:db8::/48"])]
        {
            let entries = Known::Is(entries.iter().map(|entry| entry.parse().unwrap()).collect());
            let list = PrefixList {
                label: label.to_owned(),
                entries,
                descriptions: IndexMap::new(),
                max_entries: None,
                address_family: None,
                published: None,
                origin: origin(),
            };
            account.prefix_lists.insert(ResourceId::new(label), list);
        }
        for (label, (ingress, egress)) in GROUPS.iter().zip(groups) {
            let group = SecurityGroup {
                label: (*label).to_owned(),
                name: None,
                description: None,
                vpc: Some(vpc.clone()),
                ingress,
                egress,
                origin: origin(),
            };
            account.groups.insert(ResourceId::new(label), group);
        }
        for (number, groups) in members.iter().enumerate() {
            let groups = match number == 0 && unknown == 0 {
                true => Known::Unknown("later".to_owned()),
                false => Known::Is(groups.iter().map(|group| ResourceId::new(group)).collect()),
            };
            let interface = Interface {
                label: format!("i{number}"),
                holder: Holder::Instance,
                vpc: Some(vpc.clone()),
                subnet: None,
                groups,
                addresses: Vec::new(),
                ipv6_later: 0,
                public: Public::None,
                origin: origin(),
            };
            account.interfaces.insert(ResourceId::new(&format!("i{number}")), interface);
        }
        account
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn by_the_index_the_same_rules_are_carried_by_the_same(account in account()) {
        prop_assert_eq!(search(&account, LookUp::ByIndex), search(&account, LookUp::AtEach));
    }
}
