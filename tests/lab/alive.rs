//! Why a connection that is held is alive: by what the filters have recorded of its packets.

use sglab::model::Era;
use sglab::scenario::{self, Options, RunResult, StepResult, predict};

use crate::clouds::topology;

const CLOUD: &str = "sglab: 1
era: [classic, vpc]
hosts: {office: 203.0.113.10}
groups: {CLIENT: [], DNS: [udp 53 from CLIENT, tcp 22 from anywhere, icmp echo from CLIENT]}
instances: {client: {groups: CLIENT}, ns1: {groups: DNS}, other: {groups: CLIENT}}
scenario:
  - step: opened
    do:
      - open:
          question: 'client -> ns1:53/udp'
          ping: 'client -> ns1:ping'
          near: 'office -> ns1:22'
          far: 'client -> office:443'
          tunnel: 'client:4500 <-> other:500/udp'
          known: 'client:53 <-> ns1:53/udp by public address'
    expect: {alive: [question, ping, near, far, tunnel, known]}
  - step: what rules have admitted outlives them, and what another rule admits it goes on by
    do:
      - authorize: {DNS: [tcp 22 from 203.0.113.0/24], CLIENT: [udp 500 from CLIENT]}
      - revoke: {DNS: [udp 53 from CLIENT, tcp 22 from anywhere]}
    expect: {alive: [question, near, tunnel]}
  - step: what the peers could send by goes as well
    eras: vpc
    do: {revoke-egress: {CLIENT: [all to anywhere]}}
    expect: {alive: [question, tunnel]}
";

fn reasons(result: &RunResult) -> String {
    let all = result.steps.iter().flat_map(StepResult::connections);
    all.map(|(check, it)| format!("{}: {}\n", it.name, check.reason.as_deref().unwrap_or("-"))).collect()
}

#[sglab::test]
async fn of_what_is_alive_it_is_told_by_what_it_is() {
    let topology = topology(CLOUD);
    let mut told = String::new();
    for era in [Era::Classic, Era::Vpc] {
        let options = Options::default();
        let measured = scenario::run(&topology, era, &options, &mut |_| {}).await;
        let measured = reasons(&measured.unwrap_or_else(|error| panic!("{error}")));
        let predicted =
            predict::predict(&topology, era, &options, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
        assert!(measured.starts_with("question: admitted "), "recorded: {measured}");
        // Of some packets no filter says anything: those of a flow that is under way for the kernel.
        let measured = measured.replace("by the model: ", "");
        assert_eq!(reasons(&predicted), measured, "{era}: what is predicted is what is measured");
        told += &format!("{era}\n{measured}\n");
    }
    insta::assert_snapshot!(told);
}
