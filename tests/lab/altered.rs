//! Labs whose network is not the one that the compiler gives: what is held against them has to notice.

use sglab::lab::{Alteration, Lab};
use sglab::model::Era;
use sglab::network::{Network, NodeName};
use sglab::probe::Outcome;

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: classic
groups: {WEB: [tcp 80 from anywhere], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

/// Takes every rule of DB away.
fn without_db() -> Alteration {
    Alteration::new(|mut network: Network| {
        let router = network.nodes.get_mut(&NodeName("vpc-default".into())).expect("the router");
        let ruleset = router.ruleset.as_mut().expect("its ruleset");
        ruleset.chains.get_mut("ingress/DB").expect("the chain").rules.clear();
        network
    })
}

#[sglab::test]
async fn a_lab_is_altered_from_its_boot_through_each_operation_and_is_as_compiled_again() {
    let (cloud, listeners) = initial_cloud(&topology(CLOUD), Era::Classic);
    let mut lab = Lab::boot_altered(cloud, listeners, without_db()).await.unwrap_or_else(|error| panic!("{error}"));
    let db = || flow("web1", "db1", tcp(3306));
    assert!(is_dropped(&probe(&mut lab, db()).await.outcome));
    change(&mut lab, &authorize("DB", tcp_port(22), group("WEB"))).await;
    for port in [22, 3306] {
        assert!(is_dropped(&probe(&mut lab, flow("web1", "db1", tcp(port))).await.outcome));
    }
    for _ in 0..2 {
        lab.alter(None).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(is_open(&probe(&mut lab, db()).await.outcome));
        // Admitted as well, and nobody listens there.
        let other = probe(&mut lab, flow("web1", "db1", tcp(22))).await.outcome;
        assert!(matches!(other, Outcome::Refused { .. }));
        lab.alter(Some(without_db())).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(is_dropped(&probe(&mut lab, db()).await.outcome));
    }
}
