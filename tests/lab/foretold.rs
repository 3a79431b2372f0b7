//! What is predicted of a file is what is measured, also where the two once said different things.

use sglab::model::Era;
use sglab::scenario::{self, Options, RunVerdict, predict};
use sglab::topology::Topology;

use crate::clouds::*;
use crate::past_findings;

/// Everything that a file expects is found, by packets and by prediction alike.
async fn holds(text: &str) {
    let topology = Topology::parse("past.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for era in &topology.eras {
        let options = Options::default();
        let predicted = predict::predict(&topology, *era, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
        let measured = scenario::run(&topology, *era, &options, &mut |_| {}).await.unwrap_or_else(|e| panic!("{e}"));
        for (how, result) in [("predicted", predicted), ("measured", measured)] {
            let checks = result.steps.iter().flat_map(|step| &step.checks);
            let wrong: Vec<_> = checks.filter(|check| !check.is_passed()).collect();
            assert_eq!(result.verdict, RunVerdict::Passed, "{how} under {era}: {wrong:#?}");
        }
    }
}

/// A topology that once showed a disagreement.
fn past_finding(name: &str) -> &'static str {
    past_findings::all().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("there is no {name}")).1
}

macro_rules! past {
    ($($name:ident: $file:literal,)*) => {
        $(#[sglab::test]
        async fn $name() {
            holds(past_finding($file)).await;
        })*
    };
}

past! {
    a_connection_through_a_nat_instance_that_stops_is_cut: "a-connection-through-a-nat-instance-that-stops-is-cut",
    what_a_host_holds_is_foretold_as_anybody_elses: "what-a-host-holds-is-cut-as-anybody-elses",
    what_an_instance_holds_to_itself_is_cut_as_anybody_elses: "what-an-instance-holds-to-itself-is-cut-as-anybody-elses",
    the_name_of_an_internal_load_balancer_leads_nowhere_from_another_vpc: "the-name-of-an-internal-load-balancer-leads-nowhere-from-another-vpc",
    who_has_given_its_address_back_in_a_crash_is_reached_by_no_other: "who-has-given-its-address-back-in-a-crash-is-reached-by-no-other",
    what_an_instance_sends_to_its_own_public_address_by_another_protocol_is_its_own_answer: "what-an-instance-sends-to-its-own-public-address-is-its-own-answer",
}

const CLOSED: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}, other: {cidr: 10.1.0.0/16, ipv6: yes}}
hosts: {office: 203.0.113.10, six: '2001:db8:5::5'}
groups:
  U:
    vpc: main
    ingress: ['udp 53 from anywhere', 'udp 53 from ::/0', 'udp all from C']
    egress: ['udp all to anywhere', 'udp all to ::/0']
  C:
    vpc: main
    ingress: ['udp all from anywhere', 'udp all from ::/0']
    egress: ['udp all to anywhere', 'udp all to ::/0']
  MAY: {vpc: main, ingress: ['udp 53 from anywhere', 'udp 53 from ::/0'], egress: ['all to anywhere', 'all to ::/0']}
  X: {vpc: main, ingress: []}
  O:
    vpc: other
    ingress: ['udp all from anywhere', 'udp all from ::/0']
    egress: ['udp all to anywhere', 'udp all to ::/0']
instances:
  u: {vpc: main, groups: U, listens: udp 9}
  c: {vpc: main, groups: C, listens: udp 9}
  may: {vpc: main, groups: MAY, listens: udp 9}
  x: {vpc: main, groups: X}
  o: {vpc: other, groups: O, listens: udp 9}
scenario:
  - step: as launched
    expect:
      refused:
        - office -> u:53/udp
        - six -> u:53/udp
        - office -> may:53/udp
        - six -> may:53/udp
        - c -> u:53/udp
        - c -> u:53/udp by public address
        - c -> u:53/udp by ipv6 address
        - c -> may:53/udp
        - c -> may:53/udp by public address
        - o -> u:53/udp by public address
        - o -> u:53/udp by ipv6 address
        - x -> u:53/udp
        - x -> u:53/udp by ipv6 address
        - x -> may:53/udp by public address
        - c -> o:53/udp by public address
        - c -> o:53/udp by ipv6 address
        - x -> o:53/udp by ipv6 address
        - u -> c:99/udp
";

/// Of every flow, with the reason: where what its answer would be is dropped.
#[sglab::test]
async fn who_does_not_hear_that_a_port_is_closed_is_refused_nothing() {
    for (knobs, verdict) in
        [("", RunVerdict::Inconclusive), ("knobs: {icmp-errors: of-every-flow}\n", RunVerdict::Passed)]
    {
        let topology = topology(&format!("{CLOSED}{knobs}"));
        let options = Options::default();
        let predicted = predict::predict(&topology, Era::Vpc, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
        let measured = scenario::run(&topology, Era::Vpc, &options, &mut |_| {}).await;
        let measured = measured.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((predicted.verdict, measured.verdict), (verdict, verdict), "{knobs}");
        let (predicted, measured) = (crate::topologies::told(predicted), crate::topologies::told(measured));
        for (predicted, measured) in predicted.iter().zip(&measured) {
            assert_eq!(format!("{predicted:#}"), format!("{measured:#}"), "{knobs}");
        }
    }
    holds(past_finding("who-does-not-hear-that-a-port-is-closed-is-refused-nothing")).await;
}
