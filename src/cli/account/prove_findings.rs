//! `sglab lint --prove`: what findings claim, sent as packets in labs of the cloud.

use anyhow::Context;
use sglab::import::topology_of;
use sglab::lint::{Claim, Level, Outcome, Proof};
use sglab::model::{Cloud, Era, GroupName};
use sglab::reach::RuleAt;
use sglab::scenario::proving::{CloudRule, Stranger, stranger_at, without_rules};
use sglab::scenario::results::RunResult;
use sglab::scenario::{self, Options, RunVerdict, StepStatus, predict};
use sglab::topology::Topology;

use super::sources::{OwnCloud, Sources, launched};
use crate::cli::common::Exit;
use crate::cli::host;

/// A lab for some findings, by their numbers.
struct Job {
    findings: Vec<usize>,
    topology: Topology,
    era: Era,
    /// The claim that is proved if the topology holds.
    proved: String,
    claim: Claim,
}

/// Proves what can be of findings of a level and above. Gives the exit code where no lab can be or a signal came.
///
/// # Errors
/// If the machine cannot listen to signals.
pub(super) fn run(outcome: &mut Outcome, source: &Sources, least: Level) -> anyhow::Result<Option<Exit>> {
    let wanted: Vec<(usize, Claim)> = outcome
        .findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.level >= least)
        .filter_map(|(index, finding)| Some((index, finding.check.claim?)))
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let cloud = match cloud(source) {
        Ok(cloud) => cloud,
        Err(why) => {
            all_unproved(outcome, wanted.iter().map(|(index, _)| *index), &format!("the cloud is no lab: {why:#}"));
            return Ok(None);
        }
    };
    let mut jobs = Vec::new();
    let mut same: Vec<(usize, CloudRule)> = Vec::new();
    for (index, claim) in wanted {
        let Some(finding) = outcome.findings.get_mut(index) else { continue };
        let Some(rule) = finding.at.as_ref().and_then(|at| in_cloud(source, &cloud, at)) else {
            finding.proof = Some(Proof::NotProved("the lab does not have this rule".to_owned()));
            continue;
        };
        match claim {
            Claim::SameWithout => same.push((index, rule)),
            Claim::AddressOfAnybody => match stranger(&cloud, &rule, index) {
                Ok(job) => jobs.push(job),
                Err(why) => finding.proof = Some(Proof::NotProved(why)),
            },
        }
    }
    match same_without(&cloud, &same) {
        Some(Ok(job)) => jobs.push(job),
        Some(Err(why)) => all_unproved(outcome, same.iter().map(|(index, _)| *index), &why),
        None => {}
    }
    if jobs.is_empty() {
        return Ok(None);
    }
    let proofs = match host::run_until_signal(async { Ok(all(&jobs).await) })? {
        Ok(proofs) => proofs,
        Err(exit) => {
            if exit == Exit::CannotHost {
                let findings = jobs.iter().flat_map(|job| job.findings.iter().copied());
                all_unproved(outcome, findings, "this machine cannot host a lab");
            }
            return Ok(Some(exit));
        }
    };
    for (job, proof) in jobs.iter().zip(proofs) {
        for index in &job.findings {
            if let Some(finding) = outcome.findings.get_mut(*index) {
                finding.proof = Some(proof.clone());
            }
        }
    }
    Ok(None)
}

/// The exit code by what packets say: another than what the findings ask for, where they do not agree or say nothing.
pub(super) fn exit(outcome: &Outcome) -> Exit {
    let proofs = || outcome.findings.iter().filter_map(|finding| finding.proof.as_ref());
    if proofs().any(|proof| matches!(proof, Proof::Disproved(_))) {
        Exit::Differs
    } else if proofs().any(|proof| matches!(proof, Proof::NotProved(_))) {
        Exit::Inconclusive
    } else {
        Exit::Ok
    }
}

fn all_unproved(outcome: &mut Outcome, findings: impl Iterator<Item = usize>, why: &str) {
    for index in findings {
        if let Some(finding) = outcome.findings.get_mut(index) {
            finding.proof = Some(Proof::NotProved(why.to_owned()));
        }
    }
}

/// The cloud of a lab, with somebody outside.
fn cloud(source: &Sources) -> anyhow::Result<Cloud> {
    let (topology, era) = match &source.own {
        Some(OwnCloud { text: Some(text), .. }) => {
            let topology = Topology::parse_cloud(&text.name, text.text.as_bytes());
            let topology = topology.map_err(|problems| anyhow::anyhow!("{problems}"))?;
            let era = *topology.eras.first().context("the topology has no era")?;
            (topology, era)
        }
        // A lab that is up is proved in another of the same cloud.
        Some(own) => return Ok(own.cloud.clone()),
        None => {
            let topology = topology_of(&source.account).topology("SOURCE", "");
            (topology.map_err(|problems| anyhow::anyhow!("{problems}"))?, Era::Vpc)
        }
    };
    launched(topology, era)
}

/// A rule of the account in the cloud that was made of it: by name in a topology, else by its place in the source.
fn in_cloud(source: &Sources, cloud: &Cloud, at: &RuleAt) -> Option<CloudRule> {
    use sglab::account::Peer as Told;
    use sglab::model::Peer as Own;

    if source.own.is_some() {
        let group = GroupName::new(at.group.as_str());
        return Some(CloudRule { group, direction: at.direction, index: at.index });
    }
    let (told, rule) = (source.account.groups.get(&at.group)?, at.rule(&source.account)?);
    let traffic = *rule.traffic.known()?;
    let (group, made) = cloud.groups.iter().find(|(_, group)| group.place.as_ref() == Some(&told.origin.place))?;
    let is_it = |own: &sglab::model::Rule| {
        let peer = match (&own.peer, &rule.peer) {
            (Own::Cidr(own), Told::Block(told)) => own == told,
            (Own::Group(_), Told::Group(_)) | (Own::PrefixList(_), Told::PrefixList(_)) => true,
            _ => false,
        };
        peer && own.traffic == traffic && own.place.as_ref() == Some(&rule.origin.place)
    };
    let mut found = made.rules(at.direction).iter().enumerate().filter(|(_, own)| is_it(own)).map(|(index, _)| index);
    let index = found.next().filter(|_| found.next().is_none())?;
    Some(CloudRule { group: group.clone(), direction: at.direction, index })
}

/// One lab for all rules without which everybody reaches the same. Rules only admit: what is open without all of them is open without each.
fn same_without(cloud: &Cloud, rules: &[(usize, CloudRule)]) -> Option<Result<Job, String>> {
    if rules.is_empty() {
        return None;
    }
    let own: Vec<CloudRule> = rules.iter().map(|(_, rule)| rule.clone()).collect();
    let text = without_rules(cloud, &own).map_err(|why| why.to_string());
    Some(text.and_then(|text| {
        let (topology, era) = parsed(&text)?;
        let findings = rules.iter().map(|(index, _)| *index).collect();
        Ok(Job { findings, topology, era, proved: String::new(), claim: Claim::SameWithout })
    }))
}

fn stranger(cloud: &Cloud, rule: &CloudRule, finding: usize) -> Result<Job, String> {
    let Stranger { text, address, asked, holder } = stranger_at(cloud, rule).map_err(|why| why.to_string())?;
    let (topology, era) = parsed(&text)?;
    let predicted = predict::predict(&topology, era, &Options::default(), &mut |_| ());
    let predicted = predicted.map_err(|error| error.to_string())?;
    if let Some(wrong) = first_wrong(&predicted) {
        return Err(format!("by prediction the address decides nothing: {wrong}"));
    }
    if predicted.verdict != RunVerdict::Passed {
        return Err("what a stranger with the address would reach cannot be predicted".to_owned());
    }
    let whose = holder.map(|holder| format!("{holder}'s ")).unwrap_or_default();
    let proved =
        format!("{asked} is open where the stranger got {whose}{address}, and dropped where it has another address");
    Ok(Job { findings: vec![finding], topology, era, proved, claim: Claim::AddressOfAnybody })
}

fn parsed(text: &str) -> Result<(Topology, Era), String> {
    let topology = Topology::parse("proof.yaml", text.as_bytes());
    let topology =
        topology.map_err(|problems| format!("the lab cannot be written: {}", first_line(&problems.to_string())))?;
    let era = topology.eras.first().copied().ok_or("the lab has no era")?;
    Ok((topology, era))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

async fn all(jobs: &[Job]) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for job in jobs {
        let ran = scenario::run(&job.topology, job.era, &Options::default(), &mut |_| {}).await;
        proofs.push(match ran {
            Ok(result) => proof(job, &result),
            Err(error) => Proof::NotProved(first_line(&error.to_string()).to_owned()),
        });
    }
    proofs
}

fn proof(job: &Job, result: &RunResult) -> Proof {
    match result.verdict {
        RunVerdict::Passed => Proof::Proved(match job.claim {
            Claim::AddressOfAnybody => job.proved.clone(),
            Claim::SameWithout => {
                let cells = result.steps.last().map_or(0, |step| step.counts.cells);
                format!("all {cells} cells of the truth table are the same with and without it")
            }
        }),
        RunVerdict::Failed => {
            let told = first_wrong(result).unwrap_or_else(|| "a step did not end as expected".to_owned());
            // With the rule the table must be as predicted, or it is the lab that is wrong.
            let is_of_lab = job.claim == Claim::SameWithout
                && result.steps.first().is_some_and(|step| step.status != StepStatus::Passed);
            if is_of_lab { Proof::NotProved(told) } else { Proof::Disproved(told) }
        }
        RunVerdict::Inconclusive => Proof::NotProved("packets gave no proof".to_owned()),
    }
}

/// The first cell that is not as expected.
fn first_wrong(result: &RunResult) -> Option<String> {
    let mut wrong = result.steps.iter().flat_map(|step| step.wrong());
    wrong.next().map(|(check, cell)| format!("{}: expected {}, observed {}", cell.flow, check.expected, check.observed))
}
