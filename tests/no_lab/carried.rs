//! Rules that other rules carry: each can go, and nobody reaches less.

use sglab::account::{Account, Peer, ResourceId};
use sglab::model::Direction;
use sglab::reach::{carried, compare};

use crate::lint::source;

/// Takes rules away that are carried, all at once.
fn without_carried(account: &Account) -> (Account, usize) {
    let mut left = account.clone();
    let mut gone: Vec<(ResourceId, Direction, usize)> =
        carried(account).into_iter().map(|one| (one.rule.group, one.rule.direction, one.rule.index)).collect();
    gone.sort_by_key(|(_, _, index)| std::cmp::Reverse(*index));
    let count = gone.len();
    for (group, direction, index) in gone {
        let group = left.groups.get_mut(&group).unwrap();
        match direction {
            Direction::Ingress => group.ingress.remove(index),
            Direction::Egress => group.egress.remove(index),
        };
    }
    (left, count)
}

#[test]
fn a_rule_that_others_carry_is_found_and_the_others_are_named() {
    let content = "\
sglab: 1
era: vpc
groups:
  base: [tcp 22 from 203.0.113.0/24]
  web: [tcp 443 from anywhere, tcp 443 from 203.0.113.0/24, tcp 22 from 203.0.113.10, tcp 80 from db]
  db: [tcp 5432 from web, tcp 5432 from 10.0.0.0/16, tcp 22 from 203.0.113.10]
instances: {web1: {groups: [web, base]}, db1: {groups: db}}
";
    let messages: Vec<(String, String)> = source("shop.yaml", content)
        .of("shadowed-rule")
        .into_iter()
        .map(|one| (format!("{}: {}", one.about.label, one.rule.unwrap_or_default()), one.message))
        .collect();
    let told: Vec<(&str, &str)> = messages.iter().map(|(rule, message)| (rule.as_str(), message.as_str())).collect();
    assert_eq!(
        told,
        [
            ("web: tcp 443 from 203.0.113.0/24", "\"tcp 443 from anywhere\" admits all of it"),
            (
                "web: tcp 22 from 203.0.113.10",
                "\"tcp 22 from 203.0.113.0/24\" of base admits all of it, as long as members stay as they are"
            ),
            ("db: tcp 5432 from web", "\"tcp 5432 from 10.0.0.0/16\" admits all of it"),
        ]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// Nobody reaches less without rules that are said to be carried.
    #[test]
    fn nothing_is_closed_without_what_is_carried(
        rules in proptest::collection::vec((0_usize..3, 0_usize..4, 0_usize..7), 1..12),
        members in proptest::collection::vec(1_usize..8, 1..4),
    ) {
        let traffic = ["tcp 22", "tcp 20-30", "tcp 0-65535", "all"];
        let peers = ["anywhere", "10.0.0.0/16", "10.0.0.0/17", "10.0.128.0/17", "g0", "g1", "g2"];
        let of = |group: usize| {
            let own = rules.iter().filter(|(of, ..)| *of == group);
            let mut words: Vec<String> =
                own.map(|(_, wide, peer)| format!("{} from {}", traffic[*wide], peers[*peer])).collect();
            words.sort();
            words.dedup();
            words.join(", ")
        };
        // Who is not a member yet may have any address, and several blocks that are all of them together are not one.
        let lacking = 7 & !members.iter().fold(0, |all, bits| all | bits);
        let instances: Vec<String> = members
            .iter()
            .chain((lacking > 0).then_some(&lacking))
            .enumerate()
            .map(|(index, bits)| {
                let groups: Vec<String> =
                    (0..3).filter(|group| bits & (1 << group) != 0).map(|group| format!("g{group}")).collect();
                format!("  i{index}: {{groups: [{}]}}\n", groups.join(", "))
            })
            .collect();
        let content = format!(
            "sglab: 1\nera: vpc\ngroups:\n  g0: [{}]\n  g1: [{}]\n  g2: [{}]\ninstances:\n{}",
            of(0), of(1), of(2), instances.concat()
        );
        let account = source("random.yaml", &content).account;
        let (left, gone) = without_carried(&account);
        let difference = compare(&account, &left);
        proptest::prop_assert!(difference.is_empty(), "{content}\n{gone} rules gone: {:?}", difference.closed);
        proptest::prop_assert!(carried(&left).is_empty(), "{content}");
    }
}

#[test]
fn a_rule_for_a_group_is_not_carried_by_the_address_of_a_member() {
    let content = "\
sglab: 1
era: vpc
groups: {web: [], db: [tcp 5432 from web, tcp 5432 from 10.0.0.11]}
instances: {web1: {groups: web, address: 10.0.0.11}, db1: {groups: db}}
";
    let account = source("shop.yaml", content).account;
    let named = |one: &sglab::reach::Carried| matches!(one.rule.rule(&account).unwrap().peer, Peer::Group(_));
    assert!(!carried(&account).iter().any(named));
}
