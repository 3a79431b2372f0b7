//! `sglab grade`: what a class has handed in, as text, CSV, JSON and one HTML page. The same files give the same reports.

use serde::Serialize;

use super::text::{self, Style, Tone, count, shown};
use crate::scenario::Evidence;
use crate::workshop::lesson::assess::WrongKind;
use crate::workshop::lesson::grade::{Fault, Graded, scheme};
use crate::workshop::lesson::{Kind, Lesson, Task};

const WIDTH: usize = 80;
const INDENT: &str = "     ";

/// All that a class has handed in for one task.
#[derive(Clone, Debug)]
pub struct Class<'a> {
    /// The lesson.
    pub lesson: &'a Lesson,
    /// The task.
    pub task: &'a Task,
    /// Participants, in their order.
    pub all: &'a [Graded],
}

impl Class<'_> {
    fn mean(&self) -> u64 {
        let sum: u64 = self.all.iter().map(|it| u64::from(it.score)).sum();
        sum.checked_div(self.all.len() as u64).unwrap_or(0)
    }

    fn summary(&self) -> String {
        let holding = self.all.iter().filter(|it| it.holds).count();
        let refused = self.all.iter().filter(|it| it.refused.is_some()).count();
        let mut words =
            format!("{}, {holding} with the goal, mean score {}", count(self.all.len(), "participant"), self.mean());
        if refused > 0 {
            words.push_str(&format!("; {} not run", count(refused, "file")));
        }
        words
    }
}

/// For people at a terminal.
pub fn text(class: &Class<'_>, style: Style) -> String {
    let mut out = format!(
        "{}\n",
        style.paint(Tone::Strong, &format!("{}, stage {}", class.lesson.title, class.task.kind.as_str()))
    );
    let names = class.all.iter().map(|it| shown(&it.participant).chars().count()).max().unwrap_or(0);
    for it in class.all {
        let name = shown(&it.participant);
        let (tone, word) = match (&it.refused, it.holds) {
            (Some(_), _) => (Tone::Bad, "not run"),
            (None, true) => (Tone::Good, "the goal holds"),
            (None, false) => (Tone::Unsure, "the goal does not hold"),
        };
        let by = if it.evidence == Some(Evidence::Packets) { ", on packets" } else { "" };
        out.push_str(&format!("{name:<names$}  {:>3}  {}{by}\n", it.score, style.paint(tone, word)));
        it.faults.iter().for_each(|fault| out.push_str(&fault_text(fault, style)));
        for limit in &it.limits {
            out.push_str(&lines(&style.paint(Tone::Bad, "LIMIT  "), &limit.to_string(), style));
        }
        if it.unproved > 0 {
            out.push_str(&format!("{INDENT}{} not proved\n", count(it.unproved, "cell")));
        }
        if let Some(refused) = &it.refused {
            out.push_str(&lines(&style.paint(Tone::Bad, "REFUSED"), &shown(&refused.why), style));
            if let Some(problems) = &refused.problems {
                let told =
                    style.width.map_or_else(|| problems.to_string(), |width| problems.within(width.saturating_sub(7)));
                told.lines().for_each(|line| out.push_str(&format!("{INDENT}  {line}\n")));
            }
        }
    }
    out.push_str(&format!("\n{}\n", class.summary()));
    for line in scheme() {
        for line in text::wrap(&line, style.room(0, WIDTH)) {
            out.push_str(&format!("{}\n", style.paint(Tone::Faint, &line)));
        }
    }
    out
}

fn fault_text(fault: &Fault, style: Style) -> String {
    let place = fault.place.as_ref().map_or_else(String::new, |place| format!("   {place}"));
    let mut out = lines(
        &style.paint(Tone::Bad, &format!("{:<7}", fault.kind.as_str())),
        &format!("{}{place}", shown(&fault.what)),
        style,
    );
    let more = fault.cells.saturating_sub(fault.flows.len());
    let flows = fault.flows.join("; ");
    if !flows.is_empty() {
        let more = if more > 0 { format!("; and {}", count(more, "more cell")) } else { String::new() };
        for line in text::wrap(&format!("{flows}{more}"), style.room(13, WIDTH - 13)) {
            out.push_str(&format!("{INDENT}        {}\n", style.paint(Tone::Faint, &line)));
        }
    }
    out
}

/// A mark, and words beside it.
fn lines(mark: &str, words: &str, style: Style) -> String {
    let wrapped = text::wrap(words, style.room(13, WIDTH - 13));
    let all = wrapped.iter().enumerate().map(|(index, line)| match index {
        0 => format!("{INDENT}{mark} {line}\n"),
        _ => format!("{INDENT}        {line}\n"),
    });
    all.collect()
}

/// For spreadsheets: one line a participant.
pub fn csv(class: &Class<'_>) -> String {
    let mut out = "participant,file,score,holds,right,spoilt,of,unproved,leaks,missing,limits,feedback\r\n".to_owned();
    for it in class.all {
        let of = |kind| it.faults.iter().filter(|fault| fault.kind == kind).count().to_string();
        let faults = it.faults.iter().map(|fault| {
            let place = fault.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
            format!("{} {}{place}", fault.kind.as_str(), fault.what)
        });
        let limits = it.limits.iter().map(|limit| format!("LIMIT {limit}"));
        let refused = it.refused.iter().flat_map(|refused| {
            let problems = refused.problems.iter().flat_map(|problems| problems.iter());
            let problems = problems.map(|problem| format!("{}: {}", problem.place(), problem.message()));
            std::iter::once(refused.why.clone()).chain(problems)
        });
        let feedback: Vec<String> = faults.chain(limits).chain(refused).collect();
        let cells = [
            it.participant.clone(),
            it.file.clone(),
            it.score.to_string(),
            if it.holds { "yes" } else { "no" }.to_owned(),
            it.right.to_string(),
            it.spoilt.to_string(),
            it.of.to_string(),
            it.unproved.to_string(),
            of(WrongKind::Leak),
            of(WrongKind::Missing),
            it.limits.len().to_string(),
            feedback.join("; "),
        ];
        out.push_str(&cells.map(|cell| field(&cell)).join(","));
        out.push_str("\r\n");
    }
    out
}

/// A field of a CSV file. One that a spreadsheet would take for a formula is made a text.
fn field(text: &str) -> String {
    let text = shown(text);
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text.into_owned() };
    if text.contains([',', '"', ';', ' ']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    lesson: &'a str,
    title: &'a str,
    stage: Kind,
    scheme: Vec<String>,
    cells: usize,
    points: usize,
    mean: u64,
    participants: &'a [Graded],
}

/// For programs.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn json(class: &Class<'_>) -> Result<String, serde_json::Error> {
    let document = Document {
        format: 1,
        lesson: &class.lesson.name,
        title: &class.lesson.title,
        stage: class.task.kind,
        scheme: scheme(),
        cells: class.task.goal.counted(),
        points: class.task.goal.points(),
        mean: class.mean(),
        participants: class.all,
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// One self-contained page.
pub fn html(class: &Class<'_>) -> String {
    super::html::grades(&class.lesson.title, class.task.kind.as_str(), &class.summary(), class.all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_spreadsheet_is_no_formula_and_keeps_its_commas() {
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("a,b \"c\""), "\"a,b \"\"c\"\"\"");
        assert_eq!(field("plain"), "plain");
    }
}
