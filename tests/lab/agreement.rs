//! The two readings agree: what the packets do after each step of every file is what the policy says.

use sglab::model::{Cloud, Era, Flow, Forwarding, Service, Via};
use sglab::policy;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::explain::routes_for;
use sglab::topology::Topology;

use crate::cells::cells;
use crate::clouds::boot;
use crate::dealt::is_ours;

/// By every kind of address and after each single operation, also under eras that a file is not about. Eras are dealt out.
pub async fn is_as_the_policy_says(name: &str, text: &str) {
    let topology = Topology::parse(name, text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    for (_, era) in Era::ALL.into_iter().enumerate().filter(|(number, _)| is_ours(*number)) {
        // Some files are of one era only: EC2 refuses what they are made of in the others.
        if topology.initial_cloud(era).is_err() {
            assert!(!topology.eras.contains(&era), "{name} cannot be launched under its own era {era}");
            continue;
        }
        let mut lab = boot(&topology, era).await;
        for step in &topology.steps {
            if !step.is_of(era) {
                continue;
            }
            for operation in step.operations() {
                // Some are to be refused, and under a foreign era more are; refused or not, the readings must agree.
                match lab.apply(&operation.value).await {
                    Ok(_) | Err(sglab::lab::LabError::Refused(_)) => {}
                    Err(error) => panic!("{name} under {era}, {}: {error}", step.name),
                }
                let mut flows = cells(lab.cloud(), &topology);
                flows.retain(|flow| !comes_back_by_its_appliance(lab.cloud(), flow));
                // One instance alone has nobody to ask.
                assert!(!flows.is_empty() || lab.cloud().instances.len() < 2);
                let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
                assert!(batch.canaries_held, "the canaries held");
                let slow: Vec<_> = batch.observations.iter().filter(|seen| seen.timed_out).collect();
                assert!(slow.is_empty(), "evidence and not patience decides: {slow:#?}");
                let differ = batch.observations.iter().filter_map(|seen| {
                    let verdict = policy::judge(lab.cloud(), &seen.flow);
                    (compare(&verdict, seen) != Agreement::Agree)
                        .then(|| (seen.flow.to_string(), verdict, seen.outcome.clone()))
                });
                let differ: Vec<_> = differ.collect();
                assert!(differ.is_empty(), "{name} under {era}, {}: {differ:#?}", step.name);
            }
        }
    }
}

/// Without ports, what a NAT instance sends to its own public address comes back to it as an answer, which it passes on to whom it has sent it for:
/// to a sender whose route leads to it. That is nothing that a table asks about, and no prediction says it.
fn comes_back_by_its_appliance(cloud: &Cloud, flow: &Flow) -> bool {
    let Some((nat, from)) = flow.to.interface().zip(flow.from.interface()) else { return false };
    let Some(instance) = nat.instance() else { return false };
    let is_nat = cloud.instances.get(instance).is_some_and(|it| it.forwarding == Forwarding::Nat);
    let public = cloud.interface(&nat).and_then(|interface| interface.public);
    let leads_there = public.is_some_and(|public| {
        let route = routes_for(cloud, &from, public.0).max_by_key(|route| route.destination.prefix_len());
        route.is_some_and(|route| &route.target.instance == instance)
    });
    matches!(flow.service, Service::Protocol(_)) && flow.via == Via::Public && is_nat && leads_there
}

#[sglab::test]
async fn two_tier_is_as_the_policy_says() {
    is_as_the_policy_says("two-tier.yaml", include_str!("../../topologies/two-tier.yaml")).await;
}

#[sglab::test]
async fn two_tier_vpc_is_as_the_policy_says() {
    is_as_the_policy_says("two-tier-vpc.yaml", include_str!("../../topologies/two-tier-vpc.yaml")).await;
}

#[sglab::test]
async fn by_address_is_as_the_policy_says() {
    is_as_the_policy_says("by-address.yaml", include_str!("../../topologies/by-address.yaml")).await;
}

#[sglab::test]
async fn by_address_vpc_is_as_the_policy_says() {
    is_as_the_policy_says("by-address-vpc.yaml", include_str!("../../topologies/by-address-vpc.yaml")).await;
}

#[sglab::test]
async fn self_trust_is_as_the_policy_says() {
    is_as_the_policy_says("self-trust.yaml", include_str!("../../topologies/self-trust.yaml")).await;
}

#[sglab::test]
async fn two_rules_is_as_the_policy_says() {
    is_as_the_policy_says("two-rules.yaml", include_str!("../../topologies/two-rules.yaml")).await;
}

#[sglab::test]
async fn instance_groups_is_as_the_policy_says() {
    is_as_the_policy_says("instance-groups.yaml", include_str!("../../topologies/instance-groups.yaml")).await;
}

#[sglab::test]
async fn groups_while_stopped_is_as_the_policy_says() {
    is_as_the_policy_says("groups-while-stopped.yaml", include_str!("../../topologies/groups-while-stopped.yaml"))
        .await;
}
