//! `sglab list`: what each file is about, a line a file, or its whole story.

use indexmap::IndexMap;
use serde::Serialize;

use super::Style;
use super::text::{self, NARROW, Tone};
use crate::model::Era;
use crate::topology::{Part, Step, Topology};

/// Eras and steps, behind a name.
const COUNTS_WIDTH: usize = 28;
/// A story that is cut shorter than this says nothing.
const MIN_STORY_WIDTH: usize = 40;
/// Longer lines are hard to read.
const MAX_WIDTH: usize = 110;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    topologies: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    file: &'a str,
    topology: &'a str,
    eras: &'a [Era],
    about: Vec<&'a str>,
    expect: Vec<&'a str>,
    happens: Vec<&'a str>,
    why: Vec<&'a str>,
    cure: Vec<&'a str>,
    source: Vec<&'a str>,
    steps: Vec<ListedStep<'a>>,
}

#[derive(Serialize)]
struct ListedStep<'a> {
    number: usize,
    name: &'a str,
    note: Option<&'a str>,
    eras: &'a [Era],
    line: u32,
}

/// Returns true if a file has these words in its name, its story or a step, in any case.
pub fn is_about(topology: &Topology, words: &str) -> bool {
    let words = words.to_lowercase();
    let story = topology.story.paragraphs.iter().map(|(_, text)| text.as_str());
    let steps = topology.steps.iter().flat_map(|step| [Some(step.name.as_str()), step.note.as_deref()]).flatten();
    let eras = topology.eras.iter().map(|era| era.as_str());
    let all = story.chain(steps).chain(eras).chain([topology.name.as_str(), &topology.file]);
    all.into_iter().any(|text| text.to_lowercase().contains(&words))
}

/// The catalogue as one JSON document.
///
/// # Errors
/// None is known: every type here has a JSON form.
pub fn json(topologies: &[Topology]) -> Result<String, serde_json::Error> {
    let document = Document { format: 1, topologies: topologies.iter().map(listed).collect() };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn listed(topology: &Topology) -> Listed<'_> {
    let part = |part| topology.story.of_part(part).collect();
    Listed {
        file: &topology.file,
        topology: &topology.name,
        eras: &topology.eras,
        about: part(Part::About),
        expect: part(Part::Expect),
        happens: part(Part::Happens),
        why: part(Part::Why),
        cure: part(Part::Cure),
        source: part(Part::Source),
        steps: topology.steps.iter().enumerate().map(step).collect(),
    }
}

fn step((index, step): (usize, &Step)) -> ListedStep<'_> {
    ListedStep {
        number: index + 1,
        name: &step.name,
        note: step.note.as_deref(),
        eras: &step.eras,
        line: step.place.line,
    }
}

/// A line a file, or two where that is too narrow, below the folder it is in; cut to the width, if there is one.
pub fn short(topologies: &[Topology], width: Option<usize>, style: Style) -> String {
    let mut folders: IndexMap<&str, Vec<&Topology>> = IndexMap::new();
    for topology in topologies {
        folders.entry(folder(&topology.file)).or_default().push(topology);
    }
    let width = width.map(|width| width.max(NARROW));
    let names = topologies.iter().map(|it| text::shown_line(&it.name).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (folder, files) in folders {
        if !out.is_empty() {
            out.push('\n');
        }
        if !folder.is_empty() {
            out.push_str(&format!("{}\n", style.paint(Tone::Strong, &text::shown_line(folder))));
        }
        let indent = if folder.is_empty() { "" } else { "  " };
        for topology in files {
            let name = text::shown_line(&topology.name);
            let column = width.map_or(names, |width| names.min(width.saturating_sub(indent.len() + COUNTS_WIDTH)));
            let counts = format!(
                "{:<15} {:>2} {:<5}",
                eras(topology),
                topology.steps.len(),
                if topology.steps.len() == 1 { "step" } else { "steps" }
            );
            // A name that leaves no room for them has them below it.
            let apart = if name.chars().count() > column { format!("\n{indent}    ") } else { "  ".to_owned() };
            let head = format!("{indent}{name:<column$}{apart}{counts}  ");
            let about = topology.story.headline().unwrap_or_default();
            let used = head.rsplit('\n').next().unwrap_or_default().chars().count();
            let room = width.map(|width| width.saturating_sub(used));
            // Where there is little room behind the name, there is more below it.
            let (between, room) = match (room, width) {
                (Some(room), Some(width)) if room < MIN_STORY_WIDTH => {
                    (format!("\n{indent}    "), Some(width - indent.len() - 4))
                }
                (room, _) => (String::new(), room),
            };
            let head = if between.is_empty() && !about.is_empty() { head.as_str() } else { head.trim_end() };
            let line = format!("{head}{between}{}", style.paint(Tone::Faint, &cut(&text::shown(about), room)));
            let line = if about.is_empty() { head.to_owned() } else { line };
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// Every file with its whole story and its steps.
pub fn long(topologies: &[Topology], width: Option<usize>, style: Style) -> String {
    let style = Style { width, ..style };
    let width = width.unwrap_or(MAX_WIDTH).clamp(NARROW, MAX_WIDTH);
    let parts = topologies.iter().map(|topology| {
        let name = style.paint(Tone::Strong, &text::shown_line(&topology.file));
        let mut out = style.fit(&format!("{name}   {}\n", eras_in_full(topology)));
        for (part, text) in &topology.story.paragraphs {
            let label = if *part == Part::About { "" } else { part.as_str() };
            for (index, line) in text::wrap(text, width - 17).iter().enumerate() {
                let label = format!("{:<15}", if index == 0 { label } else { "" });
                out.push_str(format!("  {}{line}", style.paint(Tone::Faint, &label)).trim_end());
                out.push('\n');
            }
        }
        for (index, step) in topology.steps.iter().enumerate() {
            let only: Vec<&str> = step.eras.iter().map(|era| era.as_str()).collect();
            let only = if only.is_empty() { String::new() } else { format!("  (era {})", only.join(", ")) };
            for (row, line) in text::wrap(&format!("{}{only}", step.name), width - 6).iter().enumerate() {
                let number = if row == 0 { (index + 1).to_string() } else { String::new() };
                out.push_str(&format!("  {number:>2}  {line}\n"));
            }
        }
        out
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// All but the last part of a file's name.
fn folder(file: &str) -> &str {
    match (file.rsplit_once('/'), file.split_once(':')) {
        (Some((folder, _)), _) => folder,
        (None, Some(("example", _))) => "example:",
        _ => "",
    }
}

fn eras(topology: &Topology) -> String {
    if topology.eras.len() == Era::ALL.len() { "every era".to_owned() } else { names(topology, " ") }
}

fn eras_in_full(topology: &Topology) -> String {
    let word = if topology.eras.len() == 1 { "era" } else { "eras" };
    format!("{word} {}", names(topology, ", "))
}

fn names(topology: &Topology, between: &str) -> String {
    topology.eras.iter().map(|era| era.as_str()).collect::<Vec<_>>().join(between)
}

/// The text, cut to the room with `...`.
fn cut(text: &str, room: Option<usize>) -> String {
    let Some(room) = room else { return text.to_owned() };
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::EXAMPLES;

    fn some() -> Vec<Topology> {
        let named = ["two-rules", "gotchas/case-02-one-group-is-no-trust", "gotchas/case-13-icmp-is-not-icmpv6"];
        let read = |name: &str| {
            let (_, text) = EXAMPLES.iter().find(|(known, _)| *known == name).expect("a built-in topology");
            Topology::parse(&format!("example:{name}"), text.as_bytes()).expect("a topology")
        };
        let bare = "sglab: 1\nera: vpc\ngroups: {A: []}\ninstances: {a: {groups: A}, b: {groups: A}}\nscenario: [{step: one, expect: {dropped: ['a -> b:22']}}]\n";
        let bare = Topology::parse("bare.yaml", bare.as_bytes()).expect("a topology");
        named.map(read).into_iter().chain([bare]).collect()
    }

    fn a_line_a_file_below_its_folder_cut_to_the_width() -> String {
        let named = |name: &str| Topology { name: name.to_owned(), ..some().swap_remove(1) };
        let all: Vec<Topology> = some().into_iter().chain([named(&"a-name-".repeat(8))]).collect();
        let widths = [60, 80, 110, 140].map(|width| {
            let text = short(&all, Some(width), Style::default());
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            format!("{width} wide\n{text}")
        });
        widths.join("\n")
    }

    fn the_whole_story_within_the_width_and_a_file_without_one_is_there_too() -> String {
        let text = long(&some(), Some(80), Style::default());
        assert!(text.lines().skip(1).all(|line| line.chars().count() <= 80), "{text}");
        text
    }

    /// In short and in full.
    #[test]
    fn catalogues_read_like_this() {
        let all = [
            ("a line a file below its folder cut to the width", a_line_a_file_below_its_folder_cut_to_the_width()),
            (
                "the whole story within the width and a file without one is there too",
                the_whole_story_within_the_width_and_a_file_without_one_is_there_too(),
            ),
        ];
        insta::assert_snapshot!(crate::report::testing::sections(&all));
    }

    #[test]
    fn what_is_looked_for_may_stand_anywhere_in_the_story() {
        let found = |words: &str| some().iter().filter(|it| is_about(it, words)).count();
        assert_eq!((found("ICMPv6"), found("two-rules"), found("no such words")), (1, 1, 0));
        assert_eq!(found("STATEFUL"), 1);
    }

    #[test]
    fn programs_get_every_part_of_the_story() {
        let document: serde_json::Value = serde_json::from_str(&json(&some()).unwrap()).unwrap();
        let two_rules = &document["topologies"][0];
        assert_eq!(two_rules["file"], "example:two-rules");
        assert!(two_rules["happens"][0].as_str().is_some_and(|text| text.starts_with("one rule")), "{two_rules}");
        assert_eq!(document["topologies"][3]["expect"], serde_json::json!([]));
    }
}
