//! Every cell of a step held against what `policy` predicts of it.

use super::agreement::{Agreement, compare_all};
use super::backend::Backend;
use super::predict::observe::{self, Programs};
use super::results::Disagreement;
use crate::lab::Listeners;
use crate::probe::{Batch, Observation};

/// The flows of a batch about which model and kernel disagree. What is not proved is compared with nothing, and neither is
/// anything while the canaries do not hold. Nothing where `lab` has no packets to compare.
pub fn flows<L: Backend>(lab: &L, listeners: &Listeners, batch: &Batch) -> Vec<Disagreement> {
    let cloud = lab.cloud();
    let Some(judge) = lab.predictor().filter(|_| batch.canaries_held) else { return Vec::new() };
    let differs = |seen: &&Observation| {
        let verdict = judge(cloud, &seen.flow);
        let behind = observe::behind(cloud, listeners, &seen.flow, Programs::Decide).map(|(_, behind)| behind);
        compare_all(&verdict, behind.as_ref(), seen) == Agreement::Disagree
    };
    let disagreement = |seen: &Observation| Disagreement {
        flow: seen.flow.clone(),
        predicted: observe::observation(cloud, listeners, &seen.flow),
        observed: seen.outcome.clone(),
        records: seen.records.clone(),
    };
    batch.observations.iter().filter(differs).map(disagreement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cloud, Direction, Flow, Port, RuleId, Service};
    use crate::policy;
    use crate::probe::{DropCause, Outcome};
    use crate::scenario::testing::{Double, cloud, columns, dropped, open, step, table, topology};
    use crate::scenario::{Options, RunVerdict, StepResult, cells, run_on};

    /// Returns the outcome that the policy predicts, for every flow but one.
    fn all_but_one(cloud: &Cloud, flow: &Flow) -> Outcome {
        let listeners = Listeners { columns: columns().iter().copied().collect(), closed_ports: Default::default() };
        if flow.to_string() == "web1 -> db1:22" {
            open(3)
        } else {
            observe::observation(cloud, &listeners, flow).outcome
        }
    }

    fn run(lab: Double) -> StepResult {
        let mut lab = Double { predictor: Some(policy::judge), ..lab };
        // A cloud that is written as a file needs its VPC.
        let subnets = [(crate::model::SubnetName::new("default"), crate::model::DEFAULT_VPC_CIDR)].into();
        let vpc = crate::model::Vpc {
            cidr: crate::model::DEFAULT_VPC_CIDR,
            subnets,
            routes: Default::default(),
            without_public: Default::default(),
            ipv6_subnets: Default::default(),
            ipv6: None,
        };
        lab.cloud.vpcs.insert(crate::model::VpcName::new("default"), vpc);
        let topology = topology(vec![step("as launched", vec![table("two-tier")])]);
        let (options, mut ignore) = (Options::default(), |_: crate::scenario::Progress<'_>| ());
        let running = run_on(&mut lab, &topology, std::time::Duration::ZERO, &options, &mut ignore);
        let result = futures::executor::block_on(running).expect("a result");
        assert_eq!(result.verdict == RunVerdict::Passed, result.steps[0].model.flows.is_empty());
        result.steps.into_iter().next().expect("a step")
    }

    #[test]
    fn a_lab_that_does_as_predicted_agrees_in_every_cell() {
        let lab = Double::new(|cloud, flow| {
            let listeners =
                Listeners { columns: columns().iter().copied().collect(), closed_ports: Default::default() };
            observe::observation(cloud, &listeners, flow).outcome
        });
        assert_eq!(run(lab).model.flows, []);
    }

    #[test]
    fn a_cell_that_the_kernel_opens_against_the_model_is_told_and_cut_down_to_a_file() {
        let result = run(Double::new(all_but_one));
        let told: Vec<String> = result.model.flows.iter().map(|it| it.flow.to_string()).collect();
        assert_eq!(told, ["web1 -> db1:22"]);
        let disagreement = result.model.disagreement.expect("a disagreement");
        assert_eq!(disagreement.folder, "sglab-disagreement-two-tier-article-1");
        let names: Vec<&str> = disagreement.files.iter().map(|(name, _)| name.as_str()).collect();
        let all =
            ["README.txt", "reproduction.yaml", "records.txt", "compiled.nft", "tracked.txt", "kernel-vpc-default.nft"];
        assert_eq!(names, all);
        insta::assert_snapshot!(disagreement.files[1].1, @r"
        # Model and kernel disagree about the flow below, which is expected as the model says.
        sglab: 1
        era: article
        groups:
          SG-T-ADMIN: []
        instances:
          web1: {groups: SG-T-ADMIN, address: 10.0.0.11}
          db1: {groups: SG-T-ADMIN, address: 10.0.0.21}
        scenario:
          - step: as it stands
            expect: {dropped: ['web1 -> db1:22']}
        ");
    }

    #[test]
    fn what_is_not_proved_and_what_broken_canaries_say_is_no_disagreement() {
        let unproved = |_: &Cloud, _: &Flow| Outcome::Inconclusive { why: crate::probe::MissingEvidence::NoTrace };
        let mut lab = Double::new(unproved);
        lab.predictor = Some(policy::judge);
        let flows: Vec<Flow> = cells::grid(&cloud(), &columns(), &[None].into()).collect();
        let listeners = Listeners::default();
        let batch = |lab: &mut Double| futures::executor::block_on(Backend::probe(lab, &flows)).expect("a batch");
        let seen = batch(&mut lab);
        assert_eq!(super::flows(&lab, &listeners, &seen), []);
        let mut lab = Double { canaries_held: false, predictor: lab.predictor, ..Double::new(|_, _| open(9)) };
        let seen = batch(&mut lab);
        assert_eq!(super::flows(&lab, &listeners, &seen), []);
        lab.canaries_held = true;
        let seen = batch(&mut lab);
        assert_eq!(super::flows(&lab, &listeners, &seen).len(), flows.len(), "a rule that nobody knows admits nothing");
    }

    #[test]
    fn a_drop_at_the_other_end_is_a_disagreement() {
        let at_egress = |cloud: &Cloud, flow: &Flow| match dropped(cloud, flow) {
            Outcome::Dropped(mut drop) => {
                if let Some((_, interface, groups)) = drop.cause.groups() {
                    drop.cause = DropCause::by_groups(Direction::Egress, interface.clone(), groups.to_vec());
                }
                Outcome::Dropped(drop)
            }
            other => other,
        };
        let mut lab = Double::new(at_egress);
        lab.predictor = Some(policy::judge);
        let from = crate::scenario::testing::pattern("web1 -> db1:22");
        let flows = cells::select(&from, None, &cloud()).expect("a flow");
        assert_eq!(flows[0].service, Service::Tcp(Port(22)));
        assert!(!policy::judge(&cloud(), &flows[0]).is_open());
        let seen = futures::executor::block_on(Backend::probe(&mut lab, &flows)).expect("a batch");
        assert_eq!(super::flows(&lab, &Listeners::default(), &seen).len(), 1);
    }

    /// Everything that the model says of a cloud with a load balancer, but for what one outcome is put in place of.
    fn balanced(instead: Option<(&'static str, Outcome)>) -> Vec<String> {
        let text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\n\
                    groups: {ELB: [tcp 80-81 from office], WEB: [tcp 80 from ELB], SHUT: []}\n\
                    instances: {web1: {groups: WEB, listens: tcp 80}, web2: {groups: SHUT, listens: tcp 80}}\n\
                    load-balancers:\n  lb: {groups: ELB, listeners: tcp 80, targets: web1}\n  \
                    out: {groups: ELB, listeners: tcp 80, targets: web2}\n\
                    tables: {t: {open: []}}\nscenario: [{step: s, expect: {table: t}}]\n";
        let topology = crate::topology::Topology::parse("t.yaml", text.as_bytes()).expect("a file");
        let cloud = topology.initial_cloud(crate::model::Era::Vpc).expect("a cloud");
        let listeners = crate::scenario::run::listeners(&topology);
        let heard = listeners.clone();
        let mut lab = Double::new(move |cloud, flow| match &instead {
            Some((told, outcome)) if flow.to_string() == *told => outcome.clone(),
            _ => observe::observation(cloud, &heard, flow).outcome,
        });
        lab.cloud = cloud.clone();
        lab.predictor = Some(policy::judge);
        let flows: Vec<Flow> = cells::grid(&cloud, &topology.columns, &[None].into()).collect();
        let batch = futures::executor::block_on(Backend::probe(&mut lab, &flows)).expect("a batch");
        super::flows(&lab, &listeners, &batch).iter().map(|it| it.flow.to_string()).collect()
    }

    #[test]
    fn what_becomes_of_a_connection_behind_a_load_balancer_is_compared_too() {
        let closed =
            |rule| Outcome::Closed { why: crate::probe::CloseReason::NoneInService, admitted_by: Some(RuleId(rule)) };
        assert_eq!(balanced(None), Vec::<String>::new());
        assert_eq!(balanced(Some(("office -> lb:80", closed(0)))), ["office -> lb:80"], "a rule that is none");
        // The rule is right each time: only what follows is not.
        let by_elb =
            (1..20).find(|rule| balanced(Some(("office -> out:80", closed(*rule)))).is_empty()).expect("a rule");
        assert_eq!(balanced(Some(("office -> lb:80", closed(by_elb)))), ["office -> lb:80"]);
        assert_eq!(balanced(Some(("office -> out:80", open(by_elb)))), ["office -> out:80"]);
        assert_eq!(balanced(Some(("office -> lb:80", open(by_elb)))), Vec::<String>::new());
    }
}
