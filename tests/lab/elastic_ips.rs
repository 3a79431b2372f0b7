//! Elastic IPs on real packets.

use sglab::compile::names;
use sglab::model::{
    DecidedBy, ElasticIpName, Endpoint, Era, Flow, HostName, InstanceName, Operation, Reassociation, Target, VpcName,
};
use sglab::probe::{DropCause, Outcome};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
elastic-ips: {eip: a}
groups: {G: [tcp 80 from office]}
instances: {a: {groups: G, listens: tcp 80}, b: {groups: G, listens: tcp 80}, hidden: {groups: G, public: no}}
scenario: [{step: as launched, expect: {open: ['office -> a:80']}}]
";

fn associate(to: &str) -> Operation {
    Operation::AssociateAddress {
        elastic_ip: ElasticIpName::new("eip"),
        to: Target::Instance(InstanceName::new(to)),
        reassociation: Reassociation::Allowed,
    }
}

#[sglab::test]
async fn an_elastic_ip_moves_and_the_next_owner_inherits_no_flow() {
    use std::net::SocketAddrV4;

    use crate::bare::{Bare, connection, is_silent, passes};

    for era in Era::ALL {
        let mut bare = Bare::boot(initial_cloud(&topology(CLOUD), era).0).await;
        let address = bare.cloud.elastic_ips[0].address;
        assert_eq!(public(&bare.cloud, "a"), address);
        let office = [203, 0, 113, 10].into();
        let at = SocketAddrV4::new(address.0, 80);
        let (mut client, mut server) = connection(&bare.node("office"), office, &bare.node("a"), at).await;
        assert!(passes(&mut client, &mut server) && passes(&mut server, &mut client), "era {era}");
        bare.apply(&associate("b")).await;
        assert_eq!(public(&bare.cloud, "b"), address);
        // What is sent now goes to b, who knows of no such connection; a hears nothing of it.
        std::io::Write::write_all(&mut client, b"word").expect("the sender's own buffer takes it");
        assert!(is_silent(&mut server), "era {era}");
        let (mut client, mut server) = connection(&bare.node("office"), office, &bare.node("b"), at).await;
        assert!(passes(&mut client, &mut server), "a new one reaches b: era {era}");
    }
}

#[sglab::test]
async fn an_elastic_ip_is_reached_from_outside_before_and_after_a_stop_and_a_start() {
    for era in Era::ALL {
        let mut lab = boot(&topology(CLOUD), era).await;
        let address = lab.cloud().elastic_ips[0].address;
        let asked = from_host(lab.cloud(), "office", "a", tcp(80));
        assert!(is_open(&probe(&mut lab, asked.clone()).await.outcome), "era {era}");
        change(&mut lab, &stop("a")).await;
        let found = probe(&mut lab, asked.clone()).await.outcome;
        assert_eq!(found, Outcome::Unreachable { by: Some(names::internet()) }, "era {era}");
        change(&mut lab, &start("a")).await;
        assert_eq!(public(lab.cloud(), "a") == address, era != Era::Classic, "era {era}");
        assert!(is_open(&probe(&mut lab, asked.clone()).await.outcome), "era {era}");
        change(&mut lab, &associate("a")).await;
        assert_eq!(public(lab.cloud(), "a"), address);
        assert!(is_open(&probe(&mut lab, asked).await.outcome), "era {era}");
    }
}

#[sglab::test]
async fn what_has_no_public_address_leaves_no_further_than_the_gateway() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let office = HostName::new("office");
    let address = lab.cloud().hosts[&office].addresses[0];
    let out = Flow { to: Endpoint::Host(office, address), ..by_public(flow("hidden", "a", tcp(80))) };
    let across = by_public(flow("hidden", "a", tcp(80)));
    for asked in [out.clone(), across] {
        let found = probe(&mut lab, asked.clone()).await.outcome;
        let Outcome::Dropped(drop) = &found else { panic!("{asked}: {found:?}") };
        let at = DecidedBy::Translation { vpc: VpcName::new("default") };
        assert_eq!(drop.cause, DropCause::Decided(at), "{asked}");
    }
    change(&mut lab, &associate("hidden")).await;
    assert!(is_open(&probe(&mut lab, out).await.outcome));
}
