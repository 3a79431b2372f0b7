//! Evidence kept of a disagreement between model and kernel, and a file that shows it again.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::addresses::addresses_of;
use super::backend::Backend;
use super::reproduce::{self, Reproduction};
use super::results::{Disagreement, DisagreementFiles, Head, HeldDisagreement};
use super::{explain, held};
use crate::compile;
use crate::lab::{LabError, Listeners};
use crate::model::{Cloud, Flow};

/// Disagreement of model and kernel at a step.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// Flows.
    pub flows: &'a [Disagreement],
    /// Connections that are held.
    pub connections: &'a [HeldDisagreement],
}

impl Found<'_> {
    fn first(&self) -> Option<&Flow> {
        let connections = self.connections.iter().map(|it| &it.flow);
        self.flows.iter().map(|it| &it.flow).chain(connections).next()
    }
}

/// Collects the files while the lab still stands where it disagreed.
///
/// # Errors
/// When the lab fails. That no small reproduction was found is no failure: the files say so.
pub async fn gather<L: Backend>(
    lab: &mut L,
    head: &Head,
    number: usize,
    listeners: &Listeners,
    disagree: Found<'_>,
) -> Result<Option<DisagreementFiles>, LabError> {
    let Some(first) = disagree.first() else { return Ok(None) };
    let cloud = lab.cloud().clone();
    let addresses = addresses(&cloud, first);
    let testimony = lab.kernel_snapshot(&addresses).await?;
    let folder = format!("sglab-disagreement-{}-{}-{number}", head.topology, head.era);
    let mut files = Vec::new();
    let again = format!("Run it: sglab test {} --era {} --step {number}", head.file, head.era);
    let reproduction = match disagree.flows.first() {
        Some(first) => reproduce::reproduce(lab, &cloud, listeners, first).await,
        None => Reproduction::None { why: "a connection that is held takes its whole past".to_owned() },
    };
    let found = match &reproduction {
        Reproduction::Shown { text, labs } => {
            files.push(("reproduction.yaml".to_owned(), text.clone()));
            format!(
                "reproduction.yaml shows it again; it was cut down in {labs} labs. Run it: sglab test reproduction.yaml"
            )
        }
        Reproduction::NotShown { text } => {
            files.push(("reproduction.yaml".to_owned(), text.clone()));
            format!(
                "A fresh lab in this state does NOT show it (reproduction.yaml is that state): it takes the way there.\n\
                 {again}"
            )
        }
        Reproduction::None { why } => {
            format!("The state could not be written as a file of its own: {why}\n{again}")
        }
    };
    files.insert(0, ("README.txt".to_owned(), readme(head, number, disagree, &cloud, &found)));
    files.push(("records.txt".to_owned(), records(disagree)));
    // The ruleset that the compiler makes of this cloud, beside the kernel's: they may differ, too.
    let compiled = compile::render(&cloud).unwrap_or_else(|error| format!("# it does not compile: {error}\n"));
    files.push(("compiled.nft".to_owned(), compiled));
    let tracked =
        testimony.tracked.iter().flat_map(|(node, lines)| lines.iter().map(move |line| format!("{node}: {line}\n")));
    let tracked: String = tracked.collect();
    files.push(("tracked.txt".to_owned(), if tracked.is_empty() { "none\n".to_owned() } else { tracked }));
    for (node, ruleset) in testimony.rulesets {
        files.push((format!("kernel-{node}.nft"), ruleset));
    }
    Ok(Some(DisagreementFiles { folder, files }))
}

fn readme(head: &Head, number: usize, disagree: Found<'_>, cloud: &Cloud, found: &str) -> String {
    let mut out = format!(
        "Model and kernel disagree: {} (era {}), step {number}.\n\n\
         One of the two is wrong, and this is a bug of sglab. Please report it with this folder.\n\n",
        head.file, head.era
    );
    for it in disagree.flows {
        // Writing to a String cannot fail.
        let [predicted, observed] =
            [&it.predicted.outcome, &it.observed].map(|outcome| explain::in_words(&it.flow, outcome, cloud));
        let _ = writeln!(out, "{}\n  predicted: {predicted}\n  observed:  {observed}", it.flow);
    }
    for it in disagree.connections {
        let because = held::reason(&it.observed).map_or_else(String::new, |reason| format!("; {reason}"));
        let (predicted, observed) = (&it.predicted, held::word(&it.observed));
        let _ = writeln!(
            out,
            "connection {}: {}\n  predicted: {predicted}\n  observed:  {observed}{because}",
            it.name, it.flow
        );
    }
    let _ = write!(
        out,
        "\n{found}\n\n\
         records.txt    what the filters recorded of these flows\n\
         compiled.nft   the rulesets as compiled\n\
         kernel-*.nft   the rulesets as the kernel has them\n\
         tracked.txt    the tracked flows of the first one's addresses\n"
    );
    out
}

fn records(disagree: Found<'_>) -> String {
    let mut out = String::new();
    for it in disagree.flows {
        let _ = writeln!(out, "{}", it.flow);
        if it.records.is_empty() {
            out.push_str("  none\n");
        }
        for record in &it.records {
            let _ = writeln!(out, "  {record}");
        }
    }
    for it in disagree.connections {
        let _ = writeln!(out, "connection {}: {}", it.name, it.flow);
        let said = held::reason(&it.observed);
        let _ = writeln!(out, "  {}", said.as_deref().unwrap_or("none"));
    }
    out
}

/// Every address that an end of the flow has.
fn addresses(cloud: &Cloud, flow: &Flow) -> Vec<IpAddr> {
    [&flow.from, &flow.to].into_iter().flat_map(|end| addresses_of(cloud, end)).collect()
}
