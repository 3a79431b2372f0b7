//! Whole files, predicted.

use super::predict;
use crate::model::Era;
use crate::scenario::{Options, RunVerdict};
use crate::topology::Topology;

/// The verdict on a file of era vpc, whose one step expects this.
fn verdict(cloud: &str, expect: &str) -> RunVerdict {
    let text = format!("sglab: 1\nera: vpc\n{cloud}scenario: [{{step: s, expect: {{{expect}}}}}]\n");
    let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    predict(&topology, Era::Vpc, &Options::default(), &mut |_| {}).unwrap_or_else(|error| panic!("{error}")).verdict
}

#[test]
fn no_refusal_is_expected_into_being_of_an_instance_that_listens() {
    let cloud = "groups: {G: [tcp 22-23 from anywhere], C: []}\n\
                 instances: {web1: {groups: G, listens: tcp 22}, c: {groups: C}}\n";
    for flow in ["c -> G:22", "c -> any:22"] {
        assert_eq!(verdict(cloud, &format!("refused: ['{flow}']")), RunVerdict::Failed, "{flow}");
    }
    assert_eq!(verdict(cloud, "refused: ['c -> G:23', 'c -> any:23']"), RunVerdict::Passed);
}

#[test]
fn a_load_balancer_refuses_where_it_has_no_listener_and_the_file_says_so() {
    let cloud = "groups: {G: [tcp 80-90 from anywhere]}\n\
                 instances: {web1: {groups: G, listens: tcp 80}, web2: {groups: G}}\n\
                 load-balancers: {site: {groups: G, listeners: [tcp 80], targets: [web1]}}\n";
    assert_eq!(verdict(cloud, "refused: ['web2 -> site:85', 'web2 -> any:86']"), RunVerdict::Passed);
    assert_eq!(verdict(cloud, "open: ['web2 -> site:80', 'web2 -> site:87']"), RunVerdict::Passed);
    assert_eq!(verdict(cloud, "refused: ['web2 -> any:80']"), RunVerdict::Failed);
}
