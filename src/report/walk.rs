//! `sglab walk`: what a class is told, asked and shown.

use std::net::IpAddr;

use serde::Serialize;

use super::text::{self, Tone};
use super::{Entry, Style, json, operation, terminal};
use crate::model::{Cloud, ConnectionName, Era, InstanceState, Via};
use crate::probe::Outcome;
use crate::scenario::subject::Subject;
use crate::scenario::{Check, DecidingRule, RunResult, StepResult};
use crate::topology::{Part, Prediction, Step, Topology};
use crate::workshop::grading::{GradedAnswer, Mark, Score};
use crate::workshop::questions::{Puzzle, Puzzles, Trap};

const WIDTH: usize = 100;
const INDENT: &str = "     ";

/// Renders the story of a file before the first step: what people expect, and not what happens.
pub fn opening(topology: &Topology, style: Style) -> String {
    let expected = topology.story.of_part(Part::Expect);
    let lines = expected.flat_map(|text| text::wrap(&format!("People expect: {text}"), style.room(0, WIDTH)));
    lines.map(|line| format!("{}\n", style.paint(Tone::Faint, &line))).collect()
}

/// Renders the story of a file at the end: what happens, why, and the cure.
pub fn moral(topology: &Topology, style: Style) -> String {
    let mut out = String::new();
    for (part, label) in [(Part::Happens, "What happens"), (Part::Why, "Why"), (Part::Cure, "The cure")] {
        for text in topology.story.of_part(part) {
            for line in text::wrap(&format!("{label}: {text}"), style.room(0, WIDTH)) {
                out.push_str(&format!("{}\n", style.paint(Tone::Faint, &line)));
            }
        }
    }
    out
}

/// The cloud as it stands: who is in which groups, and what these admit.
pub fn cloud(cloud: &Cloud, style: Style) -> String {
    let mut out = String::new();
    let names = cloud.instances.keys().map(|name| name.as_str().chars().count()).max().unwrap_or(0) + 5;
    for (_, instance, interface) in cloud.interfaces() {
        let name = interface.id.short();
        let groups: Vec<&str> = interface.groups.iter().map(|group| group.as_str()).collect();
        let private = interface.private.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let public = interface.public.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let state = match instance.state {
            InstanceState::Running => "",
            InstanceState::Stopped => "   stopped",
            InstanceState::Crashed => "   crashed",
        };
        out.push_str(&format!("{INDENT}{name:<names$}{private:<15} {public:<15} in {}{state}\n", groups.join(", ")));
    }
    let groups = cloud.groups.keys().map(|name| name.as_str().chars().count()).max().unwrap_or(0) + 1;
    for (name, group) in &cloud.groups {
        let written = |rules: &[crate::model::Rule]| {
            let rules: Vec<&str> = rules.iter().map(|rule| rule.written.as_str()).collect();
            if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") }
        };
        let out_too =
            if cloud.has_egress_rules() { format!("; out: {}", written(&group.egress)) } else { String::new() };
        let name = format!("{:<groups$}", format!("{name}:"));
        let rules = format!("in: {}{out_too}", written(&group.ingress));
        out.push_str(&format!("{INDENT}{} {rules}\n", style.paint(Tone::Strong, &name)));
    }
    out
}

/// A step before it is run: its number, its name, its note, and what it does.
pub fn step(number: usize, step: &Step, style: Style) -> String {
    let mut out = format!("\n{}\n", style.paint(Tone::Strong, &format!("Step {number}: {}", text::shown(&step.name))));
    if let Some(note) = &step.note {
        for line in text::wrap(note, style.room(INDENT.len(), WIDTH)) {
            out.push_str(&format!("{INDENT}{}\n", style.paint(Tone::Faint, &line)));
        }
    }
    for action in operation::actions(&step.actions) {
        for (index, line) in text::wrap(&action, style.room(INDENT.len() + 4, WIDTH)).iter().enumerate() {
            let bullet = if index == 0 { "do:" } else { "" };
            out.push_str(&format!("{INDENT}{bullet:<4}{line}\n"));
        }
    }
    out
}

/// A question, up to where the answer is typed.
pub fn question(puzzle: &Puzzle) -> String {
    format!("{INDENT}{}   {} ? ", words(&puzzle.subject), puzzle.subject.asked().prompt())
}

/// A question with its answer from a file.
pub fn answered(puzzle: &Puzzle, predicted: Option<Prediction>) -> String {
    format!("{INDENT}{}   {}\n", words(&puzzle.subject), predicted.map_or("?", Prediction::as_str))
}

/// Subject of a question; of a flow inside with the address that it goes by.
pub fn words(subject: &Subject) -> String {
    match subject {
        Subject::Flow(flow) if flow.from.interface().is_some() && flow.via == Via::Private && flow.by().is_none() => {
            format!("{flow} {}", flow.via)
        }
        other => other.words(),
    }
}

/// Observed outcome, with the end that dropped it and the address that a name led to.
pub fn found(it: &GradedAnswer) -> String {
    let found = it.outcome.as_ref().map_or_else(|| it.observed.to_owned(), text::outcome);
    found + &text::resolved(it.resolved)
}

/// Reasons for what was found, and why people expect something else.
pub fn because(it: &GradedAnswer) -> Vec<String> {
    let rule = it.rule.as_ref().map(|rule| {
        let place = rule.place.as_ref().map_or_else(String::new, |place| format!("   {place}"));
        format!("admitted by {}{place}", text::rule(rule))
    });
    let nobody = matches!(it.outcome, Some(Outcome::Unreachable { .. })).then(|| "nobody holds the address".to_owned());
    let trap = it.trap.map(|trap| format!("the trap: {}", trap.as_str()));
    [rule, it.reason.clone(), nobody, trap].into_iter().flatten().collect()
}

/// A step after it was run: each question, then what the file itself expects.
pub fn reveal(
    run: &crate::scenario::Head,
    earlier: &[StepResult],
    step: &StepResult,
    told: &[GradedAnswer],
    style: Style,
) -> String {
    let mut out = String::new();
    for it in told {
        let (tone, mark) = match it.mark {
            Mark::Right => (Tone::Good, "right"),
            Mark::Wrong => (Tone::Bad, "wrong"),
            Mark::Skipped => (Tone::Faint, "     "),
            Mark::Unproved => (Tone::Unsure, "  -  "),
        };
        let found = found(it);
        let predicted = it.predicted.map_or_else(String::new, |it| format!("predicted {}, ", it.as_str()));
        out.push_str(&format!("{} {}   {predicted}observed {found}\n", style.paint(tone, mark), words(&it.subject),));
        for line in because(it).iter().flat_map(|line| text::wrap(line, style.room(INDENT.len() + 2, WIDTH - 8))) {
            out.push_str(&format!("{INDENT}  {line}\n"));
        }
    }
    // The note was told before, and what was asked has just been revealed.
    let is_told = |check: &Check| {
        let asked = |flow| told.iter().any(|it| matches!(&it.subject, Subject::Flow(asked) if asked == flow));
        check.is_passed() && check.details.cell().is_some_and(|cell| asked(&cell.flow))
    };
    let checks = step.checks.iter().filter(|check| !is_told(check)).cloned().collect();
    out + &terminal::step(run, earlier, &StepResult { note: None, checks, ..step.clone() }, style)
}

/// Renders a score: how often the class was right.
pub fn score(score: &Score) -> String {
    let Score { right, wrong, skipped, unproved } = *score;
    if right + wrong == 0 {
        return "No predictions were made.\n".to_owned();
    }
    let more = [(skipped, "skipped"), (unproved, "not proved")];
    let more: String = more.iter().filter(|(count, _)| *count > 0).map(|(n, word)| format!(", {n} {word}")).collect();
    format!("{right} of {} right{more}\n", text::count(right + wrong, "prediction"))
}

/// A file of predictions without a prediction, to be filled in.
pub fn template(topology: &Topology, era: Era, all: &[Puzzles]) -> String {
    let mut out = format!(
        "# Predictions for {}, era {era}: one a line. `?` skips, `q` ends there.\n",
        text::shown(&topology.file)
    );
    for it in all.iter().filter(|it| !it.puzzles.is_empty()) {
        let name = topology.steps.get(it.step - 1).map_or("", |step| step.name.as_str());
        out.push_str(&format!("\n# step {}: {}\n", it.step, text::shown(name)));
        for puzzle in &it.puzzles {
            let answers: Vec<&str> = puzzle.subject.asked().answers().iter().map(|it| it.as_str()).collect();
            out.push_str(&format!("?   # {}: {}\n", words(&puzzle.subject), answers.join(", ")));
        }
    }
    out
}

/// End of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// After its last step.
    Finished,
    /// Somebody had enough.
    Quit,
}

/// One step of a walk, for the transcript.
#[derive(Clone, Debug)]
pub struct Walked {
    /// Actions of the step, in words.
    pub actions: Vec<String>,
    /// The questions and answers.
    pub told: Vec<GradedAnswer>,
}

impl Walked {
    /// A step that was walked.
    pub fn new(step: &Step, told: Vec<GradedAnswer>) -> Self {
        Self { actions: operation::actions(&step.actions), told }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    exit_code: u8,
    file: &'a str,
    era: Era,
    ended: Ended,
    score: Score,
    steps: Vec<WalkedStep<'a>>,
}

#[derive(Serialize)]
struct WalkedStep<'a> {
    actions: &'a [String],
    questions: Vec<Question<'a>>,
    result: json::Step<'a>,
}

#[derive(Serialize)]
struct Question<'a> {
    flow: Option<json::Which>,
    connection: Option<&'a ConnectionName>,
    predicted: Option<Prediction>,
    observed: &'static str,
    mark: Mark,
    trap: Option<Trap>,
    rule: Option<&'a DecidingRule>,
    reason: Option<&'a str>,
    resolved: Option<IpAddr>,
}

/// The transcript as one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn transcript(
    result: &RunResult,
    walked: &[Walked],
    score: Score,
    ended: Ended,
) -> Result<String, serde_json::Error> {
    let document = Document {
        format: 1,
        exit_code: Entry::from(result.clone()).exit_code(),
        file: &result.head.file,
        era: result.head.era,
        ended,
        score,
        steps: result
            .steps
            .iter()
            .zip(walked)
            .map(|(step, walked)| WalkedStep {
                actions: &walked.actions,
                questions: walked.told.iter().map(asked).collect(),
                result: json::step(step, json::Listed::All),
            })
            .collect(),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn asked(it: &GradedAnswer) -> Question<'_> {
    let (flow, connection) = match &it.subject {
        Subject::Flow(flow) => (Some(json::which(flow)), None),
        Subject::Connection(name) => (None, Some(name)),
    };
    Question {
        flow,
        connection,
        predicted: it.predicted,
        observed: it.observed,
        mark: it.mark,
        trap: it.trap,
        rule: it.rule.as_ref(),
        reason: it.reason.as_deref(),
        resolved: it.resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn a_transcript_is_whole_however_many_cells_it_tells_of() {
        let mut result = testing::failed();
        result.steps.truncate(1);
        let step = &mut result.steps[0];
        let wrong: Vec<_> = step.checks.iter().filter(|check| check.is_failed()).cloned().collect();
        step.checks = wrong.iter().cycle().take(json::MAX_LISTED + 200).cloned().collect();
        let walked = [Walked { actions: Vec::new(), told: Vec::new() }];
        let told = transcript(&result, &walked, Score::default(), Ended::Finished).unwrap();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let step = &told["steps"][0]["result"];
        assert_eq!(step["wrong"].as_array().unwrap().len(), json::MAX_LISTED + 200);
        assert_eq!(step["left_out"]["wrong"], 0);
    }
}
