//! Load balancers as receivers, as senders, and as members of the groups that rules name: hand-written verdicts.

use super::tests::check;
use crate::model::sample::*;
use crate::model::*;

fn two_tiers(web: &str) -> Sample {
    Sample::new(Era::Vpc)
        .group("CLIENTS", &[])
        .group("ELB", &["tcp 80 from CLIENTS"])
        .group("WEB", &[web])
        .instance("client", &["CLIENTS"])
        .instance("web1", &["WEB"])
        .with(balancer(&["ELB"]))
}

#[test]
fn a_rule_for_the_clients_group_does_not_match_behind_it_and_one_for_its_own_does() {
    let for_clients = two_tiers("tcp 8080 from CLIENTS");
    check(&for_clients, &[("client -> web1 8080", "open"), ("lb -> web1 8080", "dropped at web1's ingress")]);
    let for_balancer = two_tiers("tcp 8080 from ELB");
    check(&for_balancer, &[("client -> web1 8080", "dropped at web1's ingress"), ("lb -> web1 8080", "open")]);
}

#[test]
fn in_a_vpc_its_own_groups_judge_both_directions() {
    let sample = two_tiers("tcp 8080 from ELB");
    check(
        &sample,
        &[
            ("client -> lb 80", "open"),
            ("client -> lb 80 by public", "dropped at lb's ingress"),
            ("client -> lb 81", "dropped at lb's ingress"),
            ("world -> lb 80", "dropped at lb's ingress"),
        ],
    );
    check(&sample.egress("ELB", &[]), &[("client -> lb 80", "open"), ("lb -> web1 8080", "dropped at lb's egress")]);
}

#[test]
fn its_name_means_its_public_address_inside_as_well() {
    let sample = two_tiers("tcp 8080 from ELB");
    check(&sample, &[("client -> lb 80 by dns", "dropped at lb's ingress")]);
    let open = sample.allow("ELB", &["tcp 80 from client.public"]);
    check(&open, &[("client -> lb 80 by dns", "open"), ("client -> lb 80 by public", "open")]);
}

#[test]
fn in_classic_its_listeners_are_open_to_everybody_and_rules_name_the_group_of_all() {
    for era in [Era::Article, Era::Classic] {
        let sample = Sample::new(era).with(balancer(&[])).group("WEB", &["tcp 8080 from amazon-elb/amazon-elb-sg"]);
        let sample = sample.instance("web1", &["WEB"]).instance("web2", &["WEB"]);
        check(
            &sample,
            &[
                ("world -> lb 80", "open"),
                ("web1 -> lb 80", "open"),
                ("world -> lb 8080", "dropped at lb's ingress"),
                ("world -> lb ping", "dropped at lb's ingress"),
                ("lb -> web1 8080", "open"),
                ("lb -> web1 80", "dropped at web1's ingress"),
                ("web2 -> web1 8080", "dropped at web1's ingress"),
                ("lb -> web1 8080 by public", "dropped at web1's ingress"),
            ],
        );
    }
}

#[test]
fn the_name_of_an_internal_one_means_its_private_address_also_where_that_leads_nowhere() {
    let Operation::CreateLoadBalancer(request) = balancer(&["ELB"]) else { unreachable!() };
    let internal = CreateLoadBalancer { scheme: Scheme::Internal, ..request };
    let sample = Sample::new(Era::Vpc)
        .group("CLIENTS", &[])
        .group("ELB", &["tcp 80 from CLIENTS", "tcp 80 from anywhere"])
        .instance("client", &["CLIENTS"])
        .with(Operation::CreateLoadBalancer(internal));
    check(
        &sample,
        &[
            ("client -> lb 80", "open"),
            ("client -> lb 80 by dns", "open"),
            ("client -> lb 80 by public", "nothing to send"),
            ("world -> lb 80", "nothing to send"),
            ("world -> lb 80 by dns", "unreachable outside"),
        ],
    );
}

#[test]
fn in_a_vpc_of_the_same_block_the_name_of_an_internal_one_is_an_address_inside() {
    let Operation::CreateLoadBalancer(request) = balancer(&["ELB"]) else { unreachable!() };
    let internal = CreateLoadBalancer { scheme: Scheme::Internal, ..request };
    let alone = Sample::new(Era::Vpc)
        .group("CLIENTS", &[])
        .group("ELB", &["tcp 80 from anywhere"])
        .instance("client", &["CLIENTS"])
        .with(Operation::CreateLoadBalancer(internal))
        .with(create("FAR", "other"))
        .with(launch_at("far", &["FAR"], "other", AddressRequest::Automatic));
    check(&alone, &[("far -> lb 80 by dns", "unreachable"), ("client -> lb 80 by dns", "open")]);
    let address = alone.0.load_balancers[0].interface.private.unwrap().to_string();
    let with_a_twin = alone.with(launch_at("twin", &["FAR"], "other", exact(&address)));
    check(&with_a_twin, &[("far -> lb 80 by dns", "dropped at twin's ingress")]);
}
