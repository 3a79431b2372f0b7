//! Every gotcha of the library holds under each of its eras, and the two readings agree about every step of it.

use crate::agreement::is_as_the_policy_says;
use crate::dealt::is_ours;
use crate::topologies::holds;

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        const LIBRARY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../topologies/gotchas/", $name, ".yaml")))),*];
    };
}

library![
    "a-load-balancer-target-on-a-new-address",
    "a-middlebox-hides-the-group",
    "a-replaced-instance-in-a-vpc",
    "a-stranger-on-a-recycled-address",
    "an-idle-session-is-forgotten",
    "an-internet-facing-load-balancer-from-inside",
    "behind-a-load-balancer-in-classic",
    "behind-a-load-balancer-the-client-is-gone",
    "large-answers-hang-behind-a-smaller-link",
    "no-blink-while-groups-change",
    "case-01-rules-of-all-groups-count",
    "case-02-one-group-is-no-trust",
    "case-03-a-group-that-names-itself",
    "case-04-trust-ends-at-the-elastic-ip",
    "case-05-a-rule-for-the-senders-elastic-ip",
    "case-06-a-self-rule-for-tcp-is-for-tcp",
    "case-07-a-group-gains-and-loses-a-member",
    "case-08-groups-belong-to-the-interface",
    "case-09-the-wider-of-two-rules-wins",
    "case-10-the-edges-of-a-port-range",
    "case-11-tcp-is-not-udp",
    "case-12-icmp-echo-is-one-message",
    "case-13-icmp-is-not-icmpv6",
    "case-14-anywhere-is-not-ipv6",
    "case-15-other-protocols-have-no-ports",
    "case-16-a-tracked-session-outlives-its-rule",
    "case-17-an-untracked-session-is-cut",
    "case-18-narrower-egress-means-tracked",
    "case-19-a-ping-that-runs-goes-on",
    "case-20-answers-pass-without-an-egress-rule",
    "case-21-no-egress-no-way-out",
    "case-22-egress-by-group-is-by-private-address",
    "case-23-an-answer-needs-no-rule-and-an-afterthought-does",
    "case-24-behind-nat-the-group-is-lost",
    "case-25-one-subnet-is-no-trust",
    "case-26-a-restart-in-a-vpc",
    "case-27-a-restart-in-classic",
    "case-28-classic-groups-are-for-life",
    "case-29-classic-lets-everything-out",
    "case-30-the-source-is-checked-first",
    "case-39-a-ping-that-is-refused-is-one-record",
    "case-41-refused-is-not-dropped",
    "editing-a-prefix-list-edits-the-rules",
    "elastic-ip-trap-for-databases",
    "instance-groups-follow-the-instance",
    "itself-by-its-elastic-ip",
    "peers-that-send-from-fixed-ports",
    "rules-that-name-a-public-address",
    "scaling-out-edits-no-rule",
    "tracked-at-one-end-only",
];

#[sglab::test]
async fn every_gotcha_holds() {
    for (_, (name, text)) in LIBRARY.iter().enumerate().filter(|(number, _)| is_ours(*number)) {
        holds(&format!("{name}.yaml"), text).await;
    }
}

#[sglab::test]
async fn every_gotcha_is_as_the_policy_says() {
    for (name, text) in LIBRARY {
        is_as_the_policy_says(&format!("{name}.yaml"), text).await;
    }
}

/// An ordinary user may not be allowed to look into the folder of the build.
#[sglab::test]
async fn the_library_is_whole() {
    let Ok(folder) = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/gotchas")) else { return };
    for file in folder {
        let file = file.expect("an entry").file_name().into_string().expect("text");
        let name = file.trim_end_matches(".yaml");
        assert!(LIBRARY.iter().any(|(known, _)| *known == name), "{file} is not among the tests");
    }
}

#[sglab::test]
async fn of_every_gotcha_it_is_written_how_it_was_seen_to_fail() {
    let listed =
        include_str!("../mutants/gotchas.md").lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let listed: std::collections::BTreeSet<&str> = listed.skip(1).collect();
    let library = LIBRARY.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, library, "a row of tests/mutants/gotchas.md for each, and for nothing else");
}
