//! A table about a block of addresses that a rule names, on packets.

use sglab::model::Era;
use sglab::scenario::{self, Options, RunResult, RunVerdict, StepResult};
use sglab::topology::Topology;

use crate::topologies;

/// Two prefix list entries, a block for what goes out, IPv6, and half of all addresses.
fn file(open: &str) -> String {
    format!(
        "sglab: 1\nera: vpc\nvpcs: {{main: {{cidr: 10.0.0.0/16, ipv6: yes}}}}\n\
         hosts: {{office: [203.0.113.5, '2001:db8:7::5']}}\n\
         prefix-lists: {{partners: [192.0.2.128/25, 8.8.4.4/32]}}\n\
         groups:\n  G:\n    ingress: [tcp 22 from 203.0.113.0/24, tcp 443 from partners, tcp 25 from 0.0.0.0/1, 'tcp 22 from 2001:db8:7::/48']\n    \
         egress: [tcp 53 to 203.0.113.0/24]\n\
         instances: {{a: {{groups: G}}}}\n\
         tables:\n  t:\n    open: ['office -> a:22', 'a -> office:53 by public address', {open}]\n\
         scenario: [{{step: s, expect: {{table: t}}}}]\n"
    )
}

async fn run(open: &str) -> RunResult {
    let topology =
        Topology::parse("blocks.yaml", file(open).as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let result = scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[sglab::test]
async fn a_table_that_names_a_host_of_a_block_fails_for_the_rest_of_the_block() {
    let failed = run("'192.0.2.128/25 -> a:443', '0.0.0.0/1 -> a:25'").await;
    assert_eq!(failed.verdict, RunVerdict::Failed);
    let mut wrong: Vec<_> =
        failed.steps.iter().flat_map(StepResult::wrong).map(|(_, cell)| cell.flow.to_string()).collect();
    wrong.sort();
    assert_eq!(
        wrong,
        [
            "a -> in-203-0-113-0-24:53",
            "in-2001-db8-7---48 -> a:22 by IPv6 address",
            "in-203-0-113-0-24 -> a:22",
            "in-8-8-4-4-32 -> a:25",
            "in-8-8-4-4-32 -> a:443",
        ]
    );
}

/// By prediction, too.
#[sglab::test]
async fn a_table_that_names_the_blocks_holds() {
    let open = "'203.0.113.0/24 -> a:22', '2001:db8:7::/48 -> a:22', '192.0.2.128/25 -> a:443', '8.8.4.4 -> a:443', \
                '8.8.4.4 -> a:25', 'in-0-0-0-0-1 -> a:25', 'a -> 203.0.113.0/24:53'";
    topologies::holds("blocks.yaml", &file(open)).await;
}
