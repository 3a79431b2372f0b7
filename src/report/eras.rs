//! One file under several eras, side by side: where they agree, and which flows they decide otherwise.

use indexmap::{IndexMap, IndexSet};

use super::text::{self, Tone};
use super::{Style, bundle, terminal};
use crate::model::{Flow, HostIp, HostName, Via};
use crate::scenario::differences::{Difference, differences};
use crate::scenario::subject::Subject;
use crate::scenario::{RunResult, StepResult};

/// Width of the names of steps, where the terminal has room for it.
const NAME_WIDTH: usize = 60;
/// No name is broken into narrower lines than this.
const NARROWEST: usize = 16;
/// Maximum number of lines a step, unless everything is asked for.
const MAX_LINES: usize = 6;

/// The runs of one file, one an era.
pub fn eras(results: &[RunResult], style: Style) -> String {
    let Some(first) = results.first() else { return String::new() };
    // The last column needs no gap behind it.
    let names = style.room(4 + (results.len() * COLUMN).saturating_sub(GAP), NAME_WIDTH).max(NARROWEST);
    let mut out = format!(
        "{:<width$}{}\n",
        text::shown_line(&first.head.topology),
        columns(results.iter().map(|result| (Tone::Strong, result.head.era.as_str().to_owned())), style),
        width = names + 4
    );
    let hosts = &first.head.hosts;
    let differing = differences(&results.iter().collect::<Vec<_>>());
    let numbers: IndexSet<usize> = {
        let mut all: Vec<usize> = results.iter().flat_map(|it| it.steps.iter().map(|step| step.number)).collect();
        all.sort_unstable();
        all.into_iter().collect()
    };
    for number in numbers {
        let steps: Vec<Option<&StepResult>> =
            results.iter().map(|result| result.steps.iter().find(|step| step.number == number)).collect();
        let name = steps.iter().flatten().next().map_or("", |step| step.name.as_str());
        let words = columns(steps.iter().map(|step| status(*step)), style);
        // A long name takes several lines; the words stand behind its last.
        let mut lines = text::wrap(name, names - 2);
        if lines.is_empty() {
            lines.push(String::new());
        }
        for (index, line) in lines.iter().enumerate() {
            let number = if index == 0 { number.to_string() } else { String::new() };
            let words = if index + 1 == lines.len() { words.as_str() } else { "" };
            out.push_str(format!("{number:>2}  {line:<names$}{words}").trim_end());
            out.push('\n');
        }
        out.push_str(&told(&differing, number, (hosts, names), style));
    }
    let verdicts = results.iter().map(|result| {
        let code = super::verdict_code(result.verdict);
        let tone = if code == super::PASSED { Tone::Good } else { Tone::Bad };
        (tone, format!("exit {code}"))
    });
    out.push_str(&format!("{:<width$}{}\n", "", columns(verdicts, style), width = names + 4));
    out.push_str(&claims(results, style));
    out
}

const COLUMN: usize = 14;
/// The blanks between the longest word and the next column.
const GAP: usize = 2;

fn columns(cells: impl Iterator<Item = (Tone, String)>, style: Style) -> String {
    let text: String = cells
        .map(|(tone, word)| {
            let gap = " ".repeat(COLUMN.saturating_sub(word.chars().count()));
            format!("{}{gap}", style.paint(tone, &word))
        })
        .collect();
    text.trim_end().to_owned()
}

fn status(step: Option<&StepResult>) -> (Tone, String) {
    let (tone, word) = step.map_or((Tone::Faint, "-"), |step| terminal::status(step.status));
    (tone, word.to_owned())
}

/// Renders the differences between eras at the moment that ends with a step.
fn told(
    all: &[Difference],
    number: usize,
    (hosts, names): (&IndexMap<HostName, Vec<HostIp>>, usize),
    style: Style,
) -> String {
    let here: Vec<&Difference> = all.iter().filter(|it| it.last_step() == Some(number)).collect();
    let cells = here.iter().filter_map(|it| match &it.subject {
        Subject::Flow(flow) => Some((flow, (it.outcomes.clone(), unsaid(flow)))),
        Subject::Connection(_) => None,
    });
    let bundles = bundle::bundle(cells);
    let connections = here.iter().filter_map(|it| match &it.subject {
        Subject::Flow(_) => None,
        connection @ Subject::Connection(_) => Some((connection.words(), it.outcomes.clone())),
    });
    let flows = bundles.iter().map(|it| {
        let (outcomes, unsaid) = it.key.clone();
        let by = unsaid.map_or_else(String::new, |via| format!(" {via}"));
        (it.text(hosts) + &by, outcomes)
    });
    let lines = flows.chain(connections);
    let lines: Vec<(String, Vec<Option<&'static str>>)> = lines.collect();
    let shown = if style.verbose { lines.len() } else { MAX_LINES };
    let mut out = String::new();
    for (what, outcomes) in lines.iter().take(shown) {
        let words = columns(outcomes.iter().map(|word| (Tone::Unsure, word.unwrap_or("-").to_owned())), style);
        let parts = text::wrap(what, names - 4);
        for (index, part) in parts.iter().enumerate() {
            let words = if index + 1 == parts.len() { words.as_str() } else { "" };
            out.push_str(format!("      {part:<width$}{words}", width = names - 2).trim_end());
            out.push('\n');
        }
    }
    if lines.len() > shown {
        out.push_str(&format!("      and {} more; --grid shows them\n", lines.len() - shown));
    }
    out
}

/// Returns the address by which a flow between two instances goes, where its words leave that out as the usual one: eras are told
/// apart by addresses.
fn unsaid(flow: &Flow) -> Option<Via> {
    let inside = flow.from.interface().is_some() && flow.to.interface().is_some();
    (inside && flow.by().is_none()).then_some(flow.via)
}

/// Lists the claims that hold by the article's word only, with the eras they hold in.
fn claims(results: &[RunResult], style: Style) -> String {
    let mut eras: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for result in results {
        for claim in result.claims() {
            eras.entry(claim).or_default().push(result.head.era.as_str());
        }
    }
    let lines = eras
        .iter()
        .flat_map(|(claim, eras)| text::wrap(&format!("era {}: {claim}", eras.join(", ")), style.room(6, 100)));
    lines.map(|line| format!("      {}\n", style.paint(Tone::Unsure, &line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::report::testing;

    fn eras_stand_side_by_side_with_the_flows_that_they_decide_otherwise() -> String {
        let article = testing::passed();
        let mut vpc = testing::failed();
        vpc.head.era = Era::Vpc;
        vpc.steps.truncate(3);
        let mut classic = testing::claimed();
        classic.head.era = Era::Classic;
        eras(&[article, vpc, classic], Style::default())
    }

    fn on_a_terminal_of_80_columns_no_line_is_longer() -> String {
        let runs = [Era::Article, Era::Classic, Era::Vpc].map(|era| {
            let mut run = if era == Era::Vpc { testing::failed() } else { testing::claimed() };
            run.head.era = era;
            run
        });
        let told = eras(&runs, Style { width: Some(80), ..Style::default() });
        let long: Vec<_> = told.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
        told
    }

    /// On any terminal, and on a narrow one.
    #[test]
    fn eras_read_like_this() {
        let all = [
            (
                "eras stand side by side with the flows that they decide otherwise",
                eras_stand_side_by_side_with_the_flows_that_they_decide_otherwise(),
            ),
            ("on a terminal of 80 columns no line is longer", on_a_terminal_of_80_columns_no_line_is_longer()),
        ];
        insta::assert_snapshot!(testing::sections(&all));
    }

    #[test]
    fn a_step_whose_name_is_blank_has_its_row() {
        let mut run = testing::passed();
        run.steps[0].name = " ".to_owned();
        assert!(eras(&[run], Style::default()).contains("\n 1  "));
    }

    #[test]
    fn no_runs_are_no_table() {
        assert_eq!(eras(&[], Style::default()), "");
    }
}
