//! What is predicted of a file is what is measured, also where the two once said different things.

use sglab::model::topology::Topology;
use sglab::scenario::{self, Options, RunVerdict, predict};

cases![
    what_a_host_holds_is_foretold_as_anybody_elses,
    what_an_instance_holds_to_itself_is_cut_as_anybody_elses,
    the_name_of_an_internal_load_balancer_leads_nowhere_from_another_vpc,
    what_an_instance_sends_to_its_own_public_address_by_another_protocol_is_its_own_answer,
];

/// Everything that a file expects is found, by packets and by prediction alike.
async fn holds(text: &str) {
    let topology = Topology::parse("past.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for era in &topology.eras {
        let options = Options::default();
        let predicted = predict::predict(&topology, *era, &options, &mut |_| {}).unwrap_or_else(|e| panic!("{e}"));
        let measured = scenario::run(&topology, *era, &options, &mut |_| {}).await.unwrap_or_else(|e| panic!("{e}"));
        for (how, result) in [("predicted", predicted), ("measured", measured)] {
            let wrong: Vec<_> = result.steps.iter().flat_map(|step| &step.wrong).collect();
            let held: Vec<_> = result.steps.iter().flat_map(|step| &step.held).filter(|it| !it.right).collect();
            assert_eq!(result.verdict, RunVerdict::Passed, "{how} under {era}: {wrong:#?} {held:#?}");
        }
    }
}

macro_rules! past {
    ($($name:ident: $file:literal,)*) => {
        $(async fn $name() {
            holds(include_str!(concat!("../topologies-regressions/", $file, ".yaml"))).await;
        })*
    };
}

past! {
    what_a_host_holds_is_foretold_as_anybody_elses: "what-a-host-holds-is-cut-as-anybody-elses",
    what_an_instance_holds_to_itself_is_cut_as_anybody_elses: "what-an-instance-holds-to-itself-is-cut-as-anybody-elses",
    the_name_of_an_internal_load_balancer_leads_nowhere_from_another_vpc: "the-name-of-an-internal-load-balancer-leads-nowhere-from-another-vpc",
    what_an_instance_sends_to_its_own_public_address_by_another_protocol_is_its_own_answer: "what-an-instance-sends-to-its-own-public-address-is-its-own-answer",
}
