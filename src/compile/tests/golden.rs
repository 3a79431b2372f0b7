//! The whole text of a small cloud, to be read by a person when it changes.

use super::files::{boxes, everything};
use super::fixture::*;
use crate::compile::{network, render};
use crate::model::*;
use crate::network::NodeName;
use crate::network::nft::{Change, SetKey};
use crate::network::text::transaction;

#[test]
fn the_two_tiers_of_the_article_and_the_same_in_a_vpc() {
    let [article, vpc] = [Era::Article, Era::Vpc].map(|era| render(&two_tier(era)).unwrap());
    insta::assert_snapshot!(format!("{article}\n==== in a VPC\n{vpc}"));
}

#[test]
fn everything_there_is_as_rulesets_and_boxes() {
    let (rulesets, boxes) = (render(&everything()).unwrap(), boxes(&network(&everything()).unwrap()));
    insta::assert_snapshot!(format!("{rulesets}\n==== boxes\n{boxes}"));
}

/// A name is looked up in `/etc/protocols`, which a minimal system does not have.
#[test]
fn rulesets_name_protocols_by_number() {
    let text = render(&everything()).unwrap();
    let mut found = 0;
    for line in text.lines().map(|line| line.split(" comment ").next().unwrap_or(line)) {
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "!=").collect();
        let asked = words.windows(2).filter(|pair| matches!(pair[0], "l4proto" | "protocol") && pair[1] != ".");
        // An element of a set of services: address, protocol, port.
        let of_elements = words
            .windows(5)
            .filter(|it| it[1] == "." && it[3] == "." && !it[0].contains('_') && !it[2].starts_with('@'));
        for protocol in asked.map(|pair| pair[1]).chain(of_elements.map(|it| it[2])).filter(|it| *it != "l4proto") {
            assert!(protocol.parse::<u8>().is_ok(), "{line}");
            found += 1;
        }
    }
    assert!(found > 50, "{found} protocols are named");
}

#[test]
fn a_transaction_is_one_line_a_change() {
    let changes = [
        Change::AddSet("members/G".to_owned(), SetKey::Values("ipv4_addr".to_owned())),
        Change::AddElements("members/G".to_owned(), vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()]),
        Change::DeleteRule("ingress/G".to_owned(), "sgr-1".to_owned()),
        Change::AddMapElements("egress-of".to_owned(), vec![("\"a\"".to_owned(), "jump from/any".to_owned())]),
        Change::AddChain("x".to_owned(), Some("type filter hook forward priority filter; policy drop;".to_owned())),
    ];
    let text = transaction(&changes, &|chain, id| (chain == "ingress/G" && id == "sgr-1").then_some(7)).unwrap();
    insta::assert_snapshot!(text, @r#"
    add set inet sglab members/G { type ipv4_addr; }
    add element inet sglab members/G { 10.0.0.1, 10.0.0.2 }
    delete rule inet sglab ingress/G handle 7
    add element inet sglab egress-of { "a" : jump from/any }
    add chain inet sglab x { type filter hook forward priority filter; policy drop; }
    "#);
    let error = transaction(&changes, &|_, _| None).unwrap_err();
    assert_eq!(error.to_string(), "chain ingress/G has no rule sgr-1");
}

/// A cloud far past what an ordinary user's buffer holds.
#[test]
fn a_thousand_rules_load_in_batches_that_stay_closed_until_the_last() {
    let mut cloud = cloud(Era::Vpc);
    for group in 0..100 {
        let name = format!("G{group}");
        add_group(&mut cloud, &name);
        for port in 1..=10 {
            authorize(&mut cloud, &name, tcp(port), of(&name));
        }
    }
    for i in 0..200 {
        launch(&mut cloud, &format!("i{i}"), i, &["G0", "G1"]);
    }
    for node in network(&cloud).unwrap().nodes.values() {
        let Some(ruleset) = &node.ruleset else { continue };
        for max in [1, 7, 200] {
            let batches = ruleset.batches(max);
            let rules = |batch: &[Change]| batch.iter().filter(|c| matches!(c, Change::AddRule(..))).count();
            assert!(batches.iter().all(|batch| rules(batch) <= max));
            let all = super::interpreter::carry_out(&Default::default(), &batches.concat());
            assert_eq!(all, *ruleset);
            let opens = |change: &Change| match change {
                Change::AddRule(chain, _) => ruleset.chains[chain].hook.is_some(),
                _ => false,
            };
            let first = batches.concat().iter().position(opens).unwrap();
            assert!(batches.concat()[first..].iter().all(opens), "what opens comes last");
            if max == 200 {
                assert!(batches.iter().rev().skip(1).flatten().all(|change| !opens(change)), "and all at once");
            }
        }
    }
}

/// Changes that open the filter go into one batch where one holds them, and nothing else waits for it.
#[test]
fn a_batch_is_filled_before_the_next_begins() {
    let ruleset = network(&everything()).unwrap().nodes[&NodeName("vpc-main".to_owned())].ruleset.clone().unwrap();
    let sizes = |max| ruleset.batches(max).iter().map(Vec::len).collect::<Vec<_>>();
    let expected: [&[usize]; 4] = [
        &[530],
        &[151, 60, 60, 60, 60, 59, 60, 20],
        &[98, 73, 40, 40, 40, 40, 40, 39, 40, 40, 40],
        &[53, 45, 53, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 19, 20, 20, 20, 20, 20, 20],
    ];
    assert_eq!([1000, 60, 40, 20].map(sizes), expected);
}
