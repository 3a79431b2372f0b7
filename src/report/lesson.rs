//! `sglab learn`: the list of lessons, their stages, and what a file that was handed in comes to.

use serde::Serialize;

use super::text::{self, Style, Tone, count, shown};
use crate::scenario::Evidence;
use crate::workshop::grading::Score;
use crate::workshop::lesson::assess::Assessment;
use crate::workshop::lesson::check::Checked;
use crate::workshop::lesson::grade::{Fault, faults};
use crate::workshop::lesson::hints::Level;
use crate::workshop::lesson::investigate::{RuleQuestion, RuleQuestions};
use crate::workshop::lesson::{Kind, Lesson, Stage, Task};

const WIDTH: usize = 80;
const INDENT: &str = "     ";

/// Lists lessons by theme, each with what is surprising about it.
pub fn list(lessons: &[Lesson], style: Style) -> String {
    let mut out = String::new();
    let names = lessons.iter().map(|it| it.name.chars().count()).max().unwrap_or(0) + 2;
    let mut themes: Vec<&str> = Vec::new();
    lessons.iter().for_each(|it| {
        if !themes.contains(&it.theme.as_str()) {
            themes.push(&it.theme);
        }
    });
    for theme in themes {
        out.push_str(&format!("{}\n", style.paint(Tone::Strong, theme)));
        for it in lessons.iter().filter(|it| it.theme == theme) {
            let lines = text::wrap(&it.surprise, style.room(names + 2, WIDTH - names - 2));
            for (index, line) in lines.iter().enumerate() {
                let name = if index == 0 { it.name.as_str() } else { "" };
                out.push_str(&format!("  {name:<names$}{line}\n"));
            }
        }
    }
    out.push_str("\nsglab learn NAME plays one; --into DIR writes the files to edit.\n");
    out
}

/// Begins a lesson.
pub fn head(lesson: &Lesson, style: Style) -> String {
    let mut out = format!("{}\n", style.paint(Tone::Strong, &lesson.title));
    let minutes = lesson.minutes.map(|minutes| format!("About {}.", count(minutes as usize, "minute")));
    let needs = (!lesson.needs.is_empty()).then(|| format!("Better after: {}.", lesson.needs.join(", ")));
    let words: Vec<String> = [Some(lesson.surprise.clone()), minutes, needs].into_iter().flatten().collect();
    for line in text::wrap(&words.join(" "), style.room(0, WIDTH)) {
        out.push_str(&format!("{line}\n"));
    }
    out
}

/// Begins a stage.
pub fn stage(number: usize, of: usize, stage: &Stage, style: Style) -> String {
    format!("\n{}\n", style.paint(Tone::Strong, &format!("Stage {number} of {of}, {}", stage_words(stage))))
}

/// Activity of a stage, in a few words.
pub fn stage_words(stage: &Stage) -> &'static str {
    match stage {
        Stage::Predict(_) => "predict, run, reveal",
        Stage::Investigate(_) => "investigate: which rule?",
        Stage::Task(task) => match task.kind {
            Kind::Fix => "fix: the start file is given, its goal must come to hold",
            Kind::Make => "make: only the goal is given",
        },
    }
}

/// Lists the rules that questions are about.
pub fn rules(asked: &RuleQuestions, style: Style) -> String {
    let mut out = format!("{INDENT}Which of these rules lets a flow through? 0: none of them.\n");
    for (index, rule) in asked.rules.iter().enumerate() {
        let number = style.paint(Tone::Strong, &format!("{:>2}", index + 1));
        out.push_str(&format!("{INDENT}{number}  {}: {}\n", rule.group, shown(&rule.written)));
    }
    out
}

/// A question about rules, up to where the answer is typed.
pub fn rule_question(question: &RuleQuestion, of: usize) -> String {
    format!("{INDENT}{}   1 to {of}, or 0 for none ? ", question.flow)
}

/// Reveals which rule it was.
pub fn rule_answer(asked: &RuleQuestions, question: &RuleQuestion, answer: Option<usize>, style: Style) -> String {
    let (tone, mark) = match answer.map(|answer| question.is_right(answer)) {
        Some(true) => (Tone::Good, "right"),
        Some(false) => (Tone::Bad, "wrong"),
        None => (Tone::Faint, "     "),
    };
    let said = answer.map_or_else(String::new, |answer| format!("answered {answer}, "));
    format!("{} {}   {said}{}\n", style.paint(tone, mark), question.flow, right_rule(asked, question))
}

/// The right answer to a question about rules: `it is 2, WEB "tcp 80 from anywhere"`.
pub fn right_rule(asked: &RuleQuestions, question: &RuleQuestion) -> String {
    let rules = question.answers.iter().filter_map(|number| Some((number, asked.rules.get(number.checked_sub(1)?)?)));
    let rules: Vec<String> =
        rules.map(|(number, rule)| format!("{number}, {} \"{}\"", rule.group, shown(&rule.written))).collect();
    if rules.is_empty() { "no rule lets it through".to_owned() } else { format!("it is {}", rules.join("; or ")) }
}

/// Tells a task, and where its file is.
pub fn task(task: &Task, file: Option<&str>, style: Style) -> String {
    let mut out = String::new();
    for limit in task.limits.in_words() {
        out.push_str(&format!("{INDENT}limit: {limit}\n"));
    }
    out.push_str(&format!(
        "{INDENT}{} that count, of {}\n",
        count(task.goal.counted(), "cell or expectation").replace("cell or expectations", "cells and expectations"),
        count(task.goal.points(), "point")
    ));
    let file = file.map_or_else(
        || format!("`sglab learn {} --into DIR` writes the file to edit", task.lesson),
        |file| format!("edit {}", shown(file)),
    );
    out.push_str(&format!("{INDENT}{}\n", style.paint(Tone::Strong, &file)));
    out
}

/// What a file comes to; `off` are points that hints have cost.
pub fn assessment(it: &Assessment, off: u32, style: Style) -> String {
    let by = match it.evidence {
        Some(Evidence::Packets) => "on packets",
        Some(Evidence::Prediction) => "by the model",
        None => "not run",
    };
    let (tone, word) =
        if it.holds { (Tone::Good, "The goal holds") } else { (Tone::Bad, "The goal does not hold yet") };
    let hints = if off > 0 { format!(", {off} of them for hints off") } else { String::new() };
    let mut out = format!("{}, {by}: {} of 100 points{hints}\n", style.paint(tone, word), it.score.saturating_sub(off));
    for fault in faults(&it.wrong) {
        out.push_str(&told(&fault, style));
    }
    for broken in &it.broken {
        out.push_str(&format!("{INDENT}{} {broken}\n", style.paint(Tone::Bad, "LIMIT")));
    }
    if it.unproved > 0 {
        out.push_str(&format!("{INDENT}{} not proved\n", count(it.unproved, "cell")));
    }
    out
}

fn told(fault: &Fault, style: Style) -> String {
    let mark = style.paint(Tone::Bad, &format!("{:<7}", fault.kind.as_str()));
    format!("{INDENT}{mark} {}\n", shown_by(fault))
}

/// A fault without what would mend it: the first cell that shows it, and how many do.
pub fn shown_by(fault: &Fault) -> String {
    let first = fault.flows.first().cloned().unwrap_or_else(|| fault.what.clone());
    let more = if fault.cells > 1 { format!(" and {} more", fault.cells - 1) } else { String::new() };
    first + &more
}

/// What was asked for on a hint.
pub fn hint(level: Level, text: &str, style: Style) -> String {
    let mut out = String::new();
    let head = format!("hint, {} points off: ", level.costs());
    for line in text::wrap(&format!("{head}{text}"), style.room(INDENT.len(), WIDTH)) {
        out.push_str(&format!("{INDENT}{line}\n"));
    }
    out
}

/// The result of holding lessons to their word.
pub fn checked(all: &[Checked], style: Style) -> String {
    let mut out = String::new();
    for it in all {
        let (tone, mark) = if it.faults.is_empty() { (Tone::Good, "ok    ") } else { (Tone::Bad, "FAILED") };
        let tasks = it
            .tasks
            .iter()
            .map(|task| format!("{}: {} of {} points", task.kind.as_str(), count(task.cells, "cell"), task.points));
        let tasks: Vec<String> = std::iter::once(count(it.questions, "question")).chain(tasks).collect();
        out.push_str(&format!("{} {:<24} {}\n", style.paint(tone, mark), it.lesson, tasks.join("; ")));
        for fault in &it.faults {
            for (index, line) in text::wrap(fault, style.room(9, WIDTH - 9)).iter().enumerate() {
                let indent = if index == 0 { INDENT.to_owned() + "  " } else { INDENT.to_owned() + "    " };
                out.push_str(&format!("{indent}{line}\n"));
            }
        }
    }
    out
}

/// The end of a stage, for a transcript.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "stage", rename_all = "lowercase")]
pub enum Done {
    /// Predictions.
    Predict {
        /// The topology.
        file: String,
        /// How they were.
        score: Score,
    },
    /// Questions about rules.
    Investigate {
        /// Right answers.
        right: usize,
        /// Answers.
        answered: usize,
        /// Questions.
        of: usize,
    },
    /// A task.
    Task {
        /// Kind of task.
        kind: Kind,
        /// The file, if one was handed in.
        file: Option<String>,
        /// Points of a hundred, those for hints taken off.
        score: Option<u32>,
        /// Points that hints have cost.
        hints: u32,
        /// Whether the goal holds within the limits.
        holds: bool,
        /// What is wrong with it.
        faults: Vec<Fault>,
        /// Limits that are not kept.
        limits: Vec<String>,
    },
}

/// The transcript of a lesson as one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn transcript(lesson: &Lesson, done: &[Done], exit_code: u8) -> Result<String, serde_json::Error> {
    let document = serde_json::json!({
        "format": 1, "exit_code": exit_code, "lesson": lesson.name, "title": lesson.title, "stages": done,
    });
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// The list of lessons as one JSON document.
///
/// # Errors
/// As [`transcript`].
pub fn list_json(lessons: &[Lesson]) -> Result<String, serde_json::Error> {
    let one = |it: &Lesson| {
        let stages: Vec<&str> = it.stages.iter().map(Stage::as_str).collect();
        serde_json::json!({
            "name": it.name, "title": it.title, "theme": it.theme, "surprise": it.surprise, "minutes": it.minutes,
            "needs": it.needs, "stages": stages,
        })
    };
    let lessons: Vec<_> = lessons.iter().map(one).collect();
    serde_json::to_string_pretty(&serde_json::json!({"format": 1, "lessons": lessons})).map(|text| text + "\n")
}

/// The result of holding lessons to their word as one JSON document.
///
/// # Errors
/// As [`transcript`].
pub fn checked_json(all: &[Checked], exit_code: u8) -> Result<String, serde_json::Error> {
    let document = serde_json::json!({"format": 1, "exit_code": exit_code, "lessons": all});
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}
