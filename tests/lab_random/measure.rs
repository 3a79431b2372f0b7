//! Runs one file on a lab of its own, and holds everything that can be measured against the prediction, step by step.

use serde::{Deserialize, Serialize};
use sglab::lab::{Lab, LabError};
use sglab::model::{Cloud, ConnectionName, Operation, apply};
use sglab::policy;
use sglab::policy::tracking::Connection;
use sglab::probe::Observation;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::connection_tracker::ConnectionTracker;
use sglab::scenario::{self, cells};
use sglab::topology::{Action, Opening, Topology};

use crate::flows;
use crate::strategy::END;

/// What running a file gave. Every number counts what was really done.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Changes to the cloud and to connections, carried out or refused.
    pub steps: u64,
    /// Changes that were refused.
    pub refused: u64,
    /// Flows that were probed.
    pub cells: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// How often one was examined.
    pub examined: u64,
    /// Steps whose connection the prediction does not let come about, so that it was not tried.
    pub passed_over: Vec<String>,
    /// Steps whose operation was refused, with the code.
    pub refusals: Vec<(String, String)>,
    /// What did not agree, or could not be proved.
    pub findings: Vec<Finding>,
}

/// Something that was not as it must be.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// The step's name; "boot" for the cloud as launched.
    pub step: String,
    /// The flow or the connection.
    pub what: String,
    pub predicted: String,
    pub measured: String,
}

/// Kinds of findings; a smaller file must show the same kind.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The two readings differ about a new flow.
    Flow,
    /// They differ about a connection.
    Connection,
    /// An outcome that nothing proved.
    Inconclusive,
    /// An outcome that the fallback timeout decided.
    TimedOut,
    /// The lab, or the process that ran it, failed.
    Failure,
}

struct Run {
    lab: Lab,
    report: Report,
    followed: ConnectionTracker,
    step: String,
}

/// Boots the file's cloud and takes every step of it.
pub async fn run(topology: &Topology) -> Report {
    let mut report = Report::default();
    let lab = match scenario::boot(topology, topology.eras[0]).await {
        Ok((lab, _)) => lab,
        Err(error) => {
            report.findings.push(failure("boot", &error));
            return report;
        }
    };
    let mut run = Run { lab, report, followed: ConnectionTracker::default(), step: "boot".to_owned() };
    if let Err(error) = run.steps(topology).await {
        run.report.findings.push(failure(&run.step, &error));
    }
    run.report
}

/// Runs a file as `sglab test` does, and tells what it does not pass.
pub async fn expectations(topology: &Topology) -> Option<Finding> {
    let era = topology.eras[0];
    match scenario::run(topology, era, &scenario::Options::default(), &mut |_| {}).await {
        Ok(result) if result.verdict == scenario::RunVerdict::Passed => None,
        Ok(result) => {
            let failed = result.steps.iter().find(|step| step.status != scenario::StepStatus::Passed);
            let step = failed.map_or_else(String::new, |step| step.name.clone());
            let (predicted, measured) = ("what the file expects".to_owned(), format!("{failed:#?}"));
            Some(Finding { kind: Kind::Flow, step, what: "expectations".to_owned(), predicted, measured })
        }
        Err(error) => Some(failure("expectations", &error)),
    }
}

/// Whether nobody listens, and the model too says that whoever asks does not hear of it.
fn is_as_unheard_as_foretold(cloud: &Cloud, seen: &Observation) -> bool {
    let unheard = policy::port_unreachable_dropped(cloud, &seen.flow, &policy::walk(cloud, &seen.flow));
    let foretold = unheard.map(|asked| (asked.at, asked.interface));
    let measured = seen.answer_dropped.as_ref().and_then(|drop| drop.cause.groups());
    let measured = measured.map(|(at, interface, _)| (at, interface.clone()));
    foretold.is_some() && foretold == measured
}

fn failure(step: &str, error: &dyn std::error::Error) -> Finding {
    let (predicted, measured) = ("a lab that works".to_owned(), error.to_string());
    Finding { kind: Kind::Failure, step: step.to_owned(), what: "the lab".to_owned(), predicted, measured }
}

impl Run {
    async fn steps(&mut self, topology: &Topology) -> Result<(), LabError> {
        self.probe(topology).await?;
        for step in topology.steps.iter().filter(|step| step.name != END) {
            self.step.clone_from(&step.name);
            let mut changed = false;
            for action in &step.actions {
                match action {
                    Action::Call(call) => {
                        for operation in call {
                            self.operate(&operation.value).await?;
                        }
                        changed = true;
                    }
                    Action::Open(opening) => self.open(&opening.value).await?,
                    Action::Close(name) => {
                        self.lab.close(&name.value);
                        self.followed.close(&name.value);
                    }
                    Action::Idle(_) => {}
                }
            }
            self.report.steps += u64::from(!step.actions.is_empty());
            if changed {
                self.probe(topology).await?;
            }
            self.examine().await?;
        }
        Ok(())
    }

    fn find(&mut self, kind: Kind, what: String, predicted: impl Into<String>, measured: impl Into<String>) {
        let (step, predicted, measured) = (self.step.clone(), predicted.into(), measured.into());
        self.report.findings.push(Finding { kind, step, what, predicted, measured });
    }

    /// Both sides refuse, or neither; what is refused leaves cloud and kernel as they were.
    async fn operate(&mut self, operation: &Operation) -> Result<(), LabError> {
        let before = self.lab.cloud().clone();
        let mut cloud = before.clone();
        let expected = apply(&mut cloud, operation);
        let handles = if expected.is_err() { Some(self.lab.rule_handles().await?) } else { None };
        let done = self.lab.apply(operation).await;
        match (expected, done) {
            (Ok(_), Ok(_)) => {
                if cloud != *self.lab.cloud() {
                    self.find(Kind::Failure, format!("{operation:?}"), "the cloud as on paper", "another cloud");
                }
                self.followed.follow(operation, &cloud);
            }
            (Err(refusal), Err(LabError::Refused(refused))) if refusal == refused => {
                self.report.refused += 1;
                self.report.refusals.push((self.step.clone(), refusal.code.as_str().to_owned()));
                if before != *self.lab.cloud() || handles != Some(self.lab.rule_handles().await?) {
                    self.find(Kind::Failure, format!("{operation:?}"), "nothing changed by a refusal", "a change");
                }
            }
            (_, Err(error)) => return Err(error),
            (Err(refusal), Ok(_)) => {
                self.find(Kind::Failure, format!("{operation:?}"), refusal.to_string(), "it was carried out");
            }
        }
        Ok(())
    }

    async fn open(&mut self, opening: &Opening) -> Result<(), LabError> {
        let flows = cells::select(&opening.flow, None, self.lab.cloud()).unwrap_or_default();
        let [flow] = flows.as_slice() else {
            self.report.passed_over.push(self.step.clone());
            return Ok(());
        };
        if Connection::open(self.lab.cloud(), flow).is_none() {
            self.report.passed_over.push(self.step.clone());
            return Ok(());
        }
        match self.lab.open(&opening.name, flow).await {
            Ok(()) => {
                self.report.opened += 1;
                self.followed.open(self.lab.cloud(), &opening.name, flow);
            }
            Err(LabError::NotOpened { why, .. } | LabError::NotProved { why, .. }) => {
                self.find(Kind::Connection, format!("{}: {flow}", opening.name), "it is opened", why);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn probe(&mut self, topology: &Topology) -> Result<(), LabError> {
        let flows = flows::all(self.lab.cloud(), &topology.columns);
        if flows.is_empty() {
            return Ok(());
        }
        let batch = self.lab.probe(&flows).await?;
        self.report.cells += batch.observations.len() as u64;
        if !batch.canaries_held {
            self.find(Kind::Inconclusive, "all flows".to_owned(), "canaries that hold", "they did not");
            return Ok(());
        }
        for seen in &batch.observations {
            let verdict = policy::judge(self.lab.cloud(), &seen.flow);
            let kind = match compare(&verdict, seen) {
                Agreement::Disagree => Kind::Flow,
                Agreement::Unproved if is_as_unheard_as_foretold(self.lab.cloud(), seen) => continue,
                Agreement::Unproved => Kind::Inconclusive,
                Agreement::Agree if seen.timed_out => Kind::TimedOut,
                Agreement::Agree => continue,
            };
            self.find(kind, flows::written(&seen.flow), format!("{verdict:?}"), format!("{:?}", seen.outcome));
        }
        Ok(())
    }

    /// As every run does; what could not be compared, and what has been found wrong, is looked at no more.
    async fn examine(&mut self) -> Result<(), LabError> {
        let compared = self.followed.compare(&mut self.lab, &[]).await?;
        self.report.examined += compared.compared as u64;
        for it in compared.disagreements {
            let what = format!("{}: {}", it.name, flows::written(&it.flow));
            self.find(Kind::Connection, what, format!("{:?}", it.predicted), format!("{:?}", it.observed));
            self.close(&it.name);
        }
        for it in compared.not_compared {
            if it.is_unproved() {
                self.report.examined += 1;
                let what = format!("{}: {}", it.name, flows::written(&it.flow));
                self.find(Kind::Inconclusive, what, "what the model says", it.reason);
            }
            self.close(&it.name);
        }
        Ok(())
    }

    fn close(&mut self, name: &ConnectionName) {
        self.lab.close(name);
        self.followed.close(name);
    }
}
