//! Claims about rules, as `sglab lint --prove` makes scenarios of them: true ones hold on packets, and false ones do not.

use sglab::model::{Cloud, Direction, Era, GroupName};
use sglab::scenario::proving::{CloudRule, stranger_at, without_rules};
use sglab::scenario::{Options, RunVerdict, run};

use crate::clouds::topology;

const SHOP: &str = "\
sglab: 1
era: vpc
hosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}
groups:
  web: [tcp 443 from anywhere, tcp 443 from office, tcp 22 from office]
  db: [tcp 5432 from 10.0.0.11, tcp 5433 from 10.0.0.0/16]
instances:
  web1: {groups: web, listens: [tcp 443], address: 10.0.0.11}
  db1: {groups: db, listens: [tcp 5432]}
scenario:
  - step: as launched
    expect: {open: [web1 -> db1:5432]}
";

fn cloud(text: &str) -> Cloud {
    let topology = topology(text);
    let era = topology.eras[0];
    topology.initial_cloud(era).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"))
}

fn rule(group: &str, direction: Direction, index: usize) -> CloudRule {
    CloudRule { group: GroupName::new(group), direction, index }
}

async fn verdict(text: &str) -> (RunVerdict, Vec<String>) {
    let topology = topology(text);
    let result = run(&topology, topology.eras[0], &Options::default(), &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let wrong = result.steps.iter().flat_map(|step| step.wrong()).map(|(_, cell)| cell.flow.to_string()).collect();
    (result.verdict, wrong)
}

#[sglab::test]
async fn the_table_without_a_rule_that_another_carries_is_the_same() {
    let text = without_rules(&cloud(SHOP), &[rule("web", Direction::Ingress, 1)]).unwrap();
    assert!(text.contains("- revoke: {web: [tcp 443 from 203.0.113.10]}"), "{text}");
    assert_eq!(verdict(&text).await, (RunVerdict::Passed, Vec::new()), "{text}");
}

#[sglab::test]
async fn the_table_without_a_rule_that_somebody_needs_is_another() {
    let text = without_rules(&cloud(SHOP), &[rule("web", Direction::Ingress, 2)]).unwrap();
    let (verdict, wrong) = verdict(&text).await;
    assert_eq!((verdict, wrong), (RunVerdict::Failed, vec!["office -> web1:22".to_owned()]), "{text}");
}

#[sglab::test]
async fn a_stranger_gets_the_address_that_a_rule_names_in_each_era() {
    for era in [Era::Vpc, Era::Classic] {
        let cloud = cloud(&SHOP.replace("era: vpc", &format!("era: {era}")));
        let stranger = stranger_at(&cloud, &rule("db", Direction::Ingress, 0)).unwrap();
        assert_eq!(
            (stranger.address.to_string().as_str(), stranger.asked.as_str()),
            ("10.0.0.11", "stranger -> db1:5432")
        );
        assert_eq!(stranger.holder.unwrap().as_str(), "web1");
        assert_eq!(verdict(&stranger.text).await, (RunVerdict::Passed, Vec::new()), "{}", stranger.text);
    }
}

#[sglab::test]
async fn a_stranger_who_does_not_get_the_address_is_not_let_in() {
    let stranger = stranger_at(&cloud(SHOP), &rule("db", Direction::Ingress, 0)).unwrap();
    let text = stranger.text.replace("address: web1.previous", "address: 10.0.0.77");
    assert_ne!(text, stranger.text);
    let (verdict, wrong) = verdict(&text).await;
    assert_eq!((verdict, wrong), (RunVerdict::Failed, vec!["stranger -> db1:5432".to_owned()]), "{text}");
}

#[sglab::test]
async fn whoever_gets_an_address_of_a_block_is_let_in_and_nobody_beside_it() {
    let narrow = SHOP.replace("10.0.0.0/16", "10.0.0.64/26");
    let stranger = stranger_at(&cloud(&narrow), &rule("db", Direction::Ingress, 1)).unwrap();
    assert_eq!((stranger.address.to_string().as_str(), stranger.holder), ("10.0.0.64", None));
    assert_eq!(verdict(&stranger.text).await, (RunVerdict::Passed, Vec::new()), "{}", stranger.text);
    let why = stranger_at(&cloud(SHOP), &rule("db", Direction::Ingress, 1)).unwrap_err().to_string();
    assert!(why.starts_with("the block has every address"), "{why}");
}

#[sglab::test]
async fn whoever_is_put_to_an_address_that_members_may_send_to_is_reached() {
    let text = SHOP.replace(
        "  db: [tcp 5432 from 10.0.0.11, tcp 5433 from 10.0.0.0/16]",
        "  db: {ingress: [tcp 5432 from 10.0.0.11], egress: [tcp 8443 to 10.0.0.11]}",
    );
    let stranger = stranger_at(&cloud(&text), &rule("db", Direction::Egress, 0)).unwrap();
    assert_eq!(stranger.asked, "db1 -> stranger:8443");
    assert_eq!(verdict(&stranger.text).await, (RunVerdict::Passed, Vec::new()), "{}", stranger.text);
}
