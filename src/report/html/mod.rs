//! Results as one HTML page that needs nothing else: no script, no network, readable from a file, on paper, light and dark.
//!
//! The same results give the same page, apart from durations, which stand in elements of the class `duration`.

mod grade;
mod grid;
mod markup;

pub(super) use grade::grades;
use markup::{anchor, escaped};

use super::coverage::summary;
use super::evidence::{Versions, sha256};
use super::terminal;
use super::text::{self, Style, Tone};
use super::{Broken, Entry};
use crate::scenario::{Class, Coverage, RunResult, RunVerdict, StepResult, StepStatus};

/// A file of the results, as a page shows it.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The file as the user named it.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// A picture of its cloud, as SVG.
    pub picture: Option<String>,
}

/// The page.
pub fn html(entries: &[Entry], inputs: &[Input], versions: &Versions) -> String {
    let title = if let [entry] = entries { format!("sglab: {}", name(entry)) } else { "sglab".to_owned() };
    let mut body = String::new();
    if entries.len() > 1 {
        body.push_str(&contents(entries));
    }
    for (index, entry) in entries.iter().enumerate() {
        let input = inputs.iter().find(|input| input.file == file(entry));
        match entry {
            Entry::Ran(result) => body.push_str(&run(index, result, input)),
            Entry::Broken(broken) => body.push_str(&not_run(index, broken)),
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n{}</body>\n</html>\n",
        escaped(&title),
        markup::STYLE,
        footer(inputs, versions)
    )
}

fn file(entry: &Entry) -> &str {
    match entry {
        Entry::Ran(result) => &result.head.file,
        Entry::Broken(broken) => &broken.file,
    }
}

fn name(entry: &Entry) -> String {
    match entry {
        Entry::Ran(result) => format!("{}, era {}", result.head.topology, result.head.era),
        Entry::Broken(broken) => broken.file.to_string(),
    }
}

/// The word of a verdict, and its class in the style sheet.
fn verdict(entry: &Entry) -> (&'static str, &'static str) {
    match entry {
        Entry::Ran(result) => of_run(result.verdict),
        Entry::Broken(_) => ("NOT RUN", "bad"),
    }
}

fn of_run(verdict: RunVerdict) -> (&'static str, &'static str) {
    match verdict {
        RunVerdict::Passed => ("PASSED", "good"),
        RunVerdict::Failed => ("FAILED", "bad"),
        RunVerdict::Inconclusive => ("INCONCLUSIVE", "unsure"),
    }
}

fn contents(entries: &[Entry]) -> String {
    let items = entries.iter().enumerate().map(|(index, entry)| {
        let (word, class) = verdict(entry);
        format!(
            "<li><a href=\"#run-{}\">{}</a> <span class=\"verdict {class}\">{word}</span></li>\n",
            index + 1,
            escaped(&name(entry))
        )
    });
    format!("<h1>Results</h1>\n<ol class=\"contents\">\n{}</ol>\n", items.collect::<String>())
}

fn not_run(index: usize, broken: &Broken) -> String {
    let (number, file, error) = (index + 1, escaped(&broken.file), escaped(&broken.error));
    format!(
        "<section id=\"run-{number}\">\n<h1>{file} <span class=\"verdict bad\">NOT RUN</span></h1>\n<pre>{error}</pre>\n</section>\n"
    )
}

fn run(index: usize, result: &RunResult, input: Option<&Input>) -> String {
    let head = &result.head;
    let number = index + 1;
    let (word, class) = of_run(result.verdict);
    let facts = [
        text::count(result.steps.len(), "step"),
        text::count(result.counts.cells, "cell"),
        format!("{} wrong", text::number(result.counts.wrong)),
        format!("{} inconclusive", text::number(result.counts.inconclusive)),
        text::count(head.instances, "instance"),
        text::count(head.groups, "group"),
        text::count(head.rules, "rule"),
    ];
    let mut out = format!(
        "<section id=\"run-{number}\">\n<h1>{} <small>era {}</small> <span class=\"verdict {class}\">{word}</span></h1>\n\
         <p class=\"facts\">{} · <span class=\"duration\">{}</span></p>\n",
        escaped(&head.topology),
        escaped(head.era.as_str()),
        facts.join(" · "),
        text::duration(result.took)
    );
    if let Some(picture) = input.and_then(|input| input.picture.as_ref()) {
        out.push_str(&format!(
            "<figure>{picture}<figcaption>Who reaches whom as launched, by the rules.</figcaption></figure>\n"
        ));
    }
    for (at, step) in result.steps.iter().enumerate() {
        out.push_str(&a_step(number, result, at, step));
    }
    if let Some(coverage) = &result.coverage {
        out.push_str(&rules(number, coverage));
    }
    out.push_str("</section>\n");
    out
}

fn a_step(run: usize, result: &RunResult, at: usize, step: &StepResult) -> String {
    let (tone, word) = terminal::status(step.status);
    let class = match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Unsure => "unsure",
        Tone::Faint | Tone::Strong => "faint",
    };
    let id = format!("run-{run}-step-{}", step.number);
    let mut out = format!(
        "<article id=\"{id}\">\n<h2><a href=\"#{id}\">{}</a> {} <span class=\"verdict {class}\">{word}</span></h2>\n",
        step.number,
        escaped(&step.name)
    );
    if let Some(note) = &step.note {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(note)));
    }
    let changed: Vec<String> = step
        .probed
        .changed
        .iter()
        .map(|cell| {
            format!(
                "<li>{}: {} before, {} now</li>",
                escaped(&cell.flow.to_string()),
                cell.was.as_str(),
                cell.now.as_str()
            )
        })
        .collect();
    if matches!(step.status, StepStatus::Failed | StepStatus::Inconclusive) {
        let earlier = result.steps.get(..at).unwrap_or_default();
        let style = Style { verbose: true, ..Style::default() };
        out.push_str(&format!(
            "<pre class=\"walk\">{}</pre>\n",
            escaped(&terminal::step(&result.head, earlier, step, style))
        ));
    }
    for claim in &step.claims {
        out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(claim)));
    }
    out.push_str(&grid::table(&id, step, &result.head.hosts));
    if !changed.is_empty() {
        let count = text::count(changed.len(), "cell");
        out.push_str(&format!(
            "<details><summary>{count} other than before</summary>\n<ul>\n{}\n</ul></details>\n",
            changed.join("\n")
        ));
    }
    out.push_str("</article>\n");
    out
}

fn rules(run: usize, coverage: &Coverage) -> String {
    if coverage.unread.is_some() {
        return format!("<p class=\"note\">{}</p>\n", escaped(&summary(coverage)));
    }
    let rows = coverage.rules.iter().enumerate().map(|(index, counted)| {
        let (word, class) = match (counted.is_exercised(), counted.unprovable) {
            (true, _) => ("exercised", "good"),
            (false, Some(_)) => ("not provable", "faint"),
            (false, None) => ("no packet", "unsure"),
        };
        let place = counted.rule.place.as_ref().map_or_else(String::new, ToString::to_string);
        let id = anchor(run, "rule", index + 1);
        format!(
            "<tr id=\"{id}\"><td>{}</td><td><code>{}</code></td><td class=\"{class}\">{word}</td><td class=\"faint\">{}</td></tr>\n",
            escaped(counted.rule.group.as_str()),
            escaped(&counted.rule.written),
            escaped(&place)
        )
    });
    let rows: String = rows.collect();
    format!(
        "<details class=\"rules\"><summary>Rules, and whether a packet of this run matched them</summary>\n<table><thead><tr><th>group</th><th>rule</th><th>coverage</th><th>place</th></tr></thead>\n<tbody>\n{rows}</tbody></table></details>\n"
    )
}

fn footer(inputs: &[Input], versions: &Versions) -> String {
    let files: String = inputs
        .iter()
        .map(|input| {
            format!("<li><code>{}</code> sha256 <code>{}</code></li>\n", escaped(&input.file), sha256(&input.bytes))
        })
        .collect();
    let letters =
        Class::ALL.iter().map(|class| format!("<b>{}</b> {}", escaped(&class.letter().to_string()), class.as_str()));
    let letters: Vec<String> = letters.collect();
    format!(
        "<footer>\n<p>{}; <b>!</b> not as expected; a frame marks what differs from the step before.</p>\n<ul>\n{files}</ul>\n<p>sglab {}, Linux {}, nft {}</p>\n</footer>\n",
        letters.join(", "),
        escaped(&versions.sglab),
        escaped(&versions.kernel),
        escaped(&versions.nft)
    )
}
