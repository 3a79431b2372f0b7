//! `sglab lint --fix`: cures that need nobody's judgement, in the topology itself. What would change who reaches whom is not written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use anyhow::{Context, bail};
use sglab::import::{Text, account_of};
use sglab::lint::{Finding, Fix, Fixed, Fixes, Level, Outcome, Scope, in_comments};
use sglab::reach::compare;
use sglab::report::lint::subject;
use sglab::report::shown_line;
use sglab::scenario::differing::Differing;
use sglab::scenario::{Options, predict};
use sglab::topology::{Lines, Topology, cut_comment, cut_rule};
use similar::TextDiff;

use super::sources::{self, OwnCloud, Sources};
use crate::cli::common::told;
use crate::cli::{file, screen};

/// Line and column, from 1.
type Place = (u32, u32);

/// Rounds until nothing more is to be fixed. A cut rule leaves its allowance useless, and nothing more behind that.
const ROUNDS: usize = 8;

/// The files of a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// The topology is written.
    Written,
    /// Nothing is.
    Untouched,
}

/// One cut.
#[derive(Clone, Debug)]
struct Cut {
    place: Place,
    fixed: Fixed,
}

/// Mends what can be, and judges what remains. Nothing where the source is none of sglab's own; that has been said then.
///
/// # Errors
/// If a file cannot be read or written.
pub(super) fn run(
    (source, outcome): (Sources, Outcome),
    lint: &dyn Fn(&Sources) -> anyhow::Result<Option<Outcome>>,
    least: Level,
    files: Files,
) -> anyhow::Result<Option<(Sources, Outcome)>> {
    let Some(OwnCloud { text: Some(original), .. }) = &source.own else {
        refuse("the source is no topology of sglab, and `--fix` edits nothing else", &outcome, least);
        return Ok(None);
    };
    let original = original.clone();
    let path = sources::file_of(&original.name);
    if path.is_none() && files == Files::Written {
        refuse(&format!("{} is no file that can be written", told(&original.name)), &outcome, least);
        return Ok(None);
    }
    let old = parsed(&original).map_err(anyhow::Error::msg)?;
    let (mut source, mut outcome, mut fixes) = (source, outcome, Fixes::default());
    for _ in 0..ROUNDS {
        let Some(OwnCloud { text: Some(text), .. }) = &source.own else { break };
        let known: HashSet<String> = fixes.left.iter().map(|(fixed, _)| fixed.fingerprint.clone()).collect();
        let (cuts, left) = cuts(&source, &outcome, least, &known);
        fixes.left.extend(left);
        let (new, done, left) = carried_out(&old, text, cuts);
        fixes.left.extend(left);
        if done.is_empty() {
            break;
        }
        fixes.done.extend(done);
        let Some(next) = sources::of_topology(&new)? else { bail!("the fixed topology cannot be read") };
        let Some(judged) = lint(&next)? else { bail!("the fixed topology cannot be judged") };
        (source, outcome) = (next, judged);
    }
    if let Some(OwnCloud { text: Some(new), .. }) = source.own.as_ref().filter(|_| !fixes.done.is_empty()) {
        let difference = TextDiff::from_lines(original.text.as_ref(), new.text.as_ref());
        fixes.diff = difference.unified_diff().header(&original.name, &original.name).to_string();
        if let Some(path) = path.filter(|_| files == Files::Written) {
            write(&path, &original, new)?;
            fixes.written = Some(original.name.clone());
        }
    }
    outcome.fixes = Some(fixes);
    Ok(Some((source, outcome)))
}

/// Says that nothing is edited, and the cures of what could be.
fn refuse(why: &str, outcome: &Outcome, least: Level) {
    screen::tell(&format!("error: nothing is edited: {why}"));
    for finding in fixable(outcome, least) {
        let head = format!("  {} ({})  {}", subject(finding), finding.check.id, finding.origin.place);
        screen::tell(&shown_line(&head));
        finding.cure.iter().for_each(|cure| screen::tell(&shown_line(&format!("      cure: {cure}"))));
    }
}

fn fixable(outcome: &Outcome, least: Level) -> impl Iterator<Item = &Finding> {
    outcome.findings.iter().filter(move |finding| finding.check.fix.is_some() && finding.level >= least)
}

/// The cuts for findings, and those for which there is none.
fn cuts(
    source: &Sources,
    outcome: &Outcome,
    least: Level,
    known: &HashSet<String>,
) -> (Vec<Cut>, Vec<(Fixed, String)>) {
    let (mut cuts, mut left) = (Vec::new(), Vec::new());
    let Some(OwnCloud { text: Some(text), .. }) = &source.own else { return (cuts, left) };
    let place_of = |place: &sglab::model::SourceLocation| (place.line, place.column);
    // One entry of a list may be several rules, and goes with all of them only.
    let mut said: BTreeMap<Place, usize> = BTreeMap::new();
    for rule in source.account.rules() {
        *said.entry(place_of(&rule.origin.place)).or_default() += 1;
    }
    let mut found: BTreeMap<Place, usize> = BTreeMap::new();
    for finding in fixable(outcome, least).filter(|finding| finding.check.fix == Some(Fix::CutRule)) {
        *found.entry(place_of(&finding.origin.place)).or_default() += 1;
    }
    for finding in fixable(outcome, least).filter(|finding| !known.contains(&finding.fingerprint)) {
        let Some(fix) = finding.check.fix else { continue };
        let place = place_of(&finding.origin.place);
        let fixed = Fixed {
            check: finding.check.id,
            fix,
            subject: subject(finding),
            place: finding.origin.place.clone(),
            fingerprint: finding.fingerprint.clone(),
        };
        if *finding.origin.place.file != *text.name {
            left.push((fixed, "it stands in a file of allowances, which is edited by hand".to_owned()));
        } else if fix == Fix::CutRule && found.get(&place) != said.get(&place) {
            left.push((fixed, "its entry is several rules, and some of them are needed".to_owned()));
        } else {
            cuts.push(Cut { place, fixed });
        }
    }
    (cuts, left)
}

/// Carries cuts out: all at once if that changes nothing, else each that changes nothing, from the last to the first.
fn carried_out(old: &Topology, text: &Text, cuts: Vec<Cut>) -> (Text, Vec<Fixed>, Vec<(Fixed, String)>) {
    let tried = |cuts: &[&Cut]| {
        let new = Text { name: text.name.clone(), text: without(text, cuts)?.into() };
        harmless(old, &new).map(|()| new)
    };
    let all: Vec<&Cut> = cuts.iter().collect();
    if let Ok(new) = tried(&all) {
        return (new, cuts.into_iter().map(|cut| cut.fixed).collect(), Vec::new());
    }
    let (mut kept, mut left): (Vec<&Cut>, Vec<(Fixed, String)>) = (Vec::new(), Vec::new());
    for cut in all.iter().rev() {
        kept.push(cut);
        if let Err(why) = tried(&kept) {
            kept.pop();
            left.push((cut.fixed.clone(), why));
        }
    }
    let new = tried(&kept).unwrap_or_else(|_| text.clone());
    let done = kept.iter().rev().map(|cut| cut.fixed.clone()).collect();
    left.reverse();
    (new, done, left)
}

/// The text without what is cut. From the end to the begin, so that no place moves before its turn.
fn without(text: &Text, cuts: &[&Cut]) -> Result<String, String> {
    let mut queue: BTreeSet<(Place, Part)> = cuts.iter().map(|cut| (cut.place, Part::of(cut.fixed.fix))).collect();
    let mut left = text.text.to_string();
    while let Some((place, part)) = queue.pop_last() {
        match part {
            Part::Comment => {
                left = cut_comment(&left, place).ok_or_else(|| "no comment stands there".to_owned())?;
            }
            Part::Rule => {
                let cut = cut_rule(&left, place).map_err(|fault| fault.to_string())?;
                if cut.lines == Lines::Gone {
                    // An allowance above the line would allow the next.
                    let above = in_comments(&text.name, &left).unwrap_or_default().into_iter().filter(|allowance| {
                        matches!(&allowance.scope, Scope::Line { line, .. } if *line == place.0)
                            && allowance.place.line < place.0
                    });
                    queue.extend(above.map(|it| ((it.place.line, it.place.column), Part::Comment)));
                }
                left = cut.text;
            }
        }
    }
    Ok(left)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Comment,
    Rule,
}

impl Part {
    fn of(fix: Fix) -> Self {
        match fix {
            Fix::CutRule => Self::Rule,
            Fix::CutAllowance => Self::Comment,
        }
    }
}

fn parsed(text: &Text) -> Result<Topology, String> {
    let topology = Topology::parse_cloud(&text.name, text.text.as_bytes());
    topology.map_err(|_| "the file cannot be read without it".to_owned())
}

/// Tests that everybody reaches the same at each step of each era, by rules and by prediction, and that the file expects what it expected.
fn harmless(old: &Topology, text: &Text) -> Result<(), String> {
    let new = parsed(text)?;
    for &era in &old.eras {
        let own = old.steps.iter().enumerate().filter(|(_, step)| step.is_of(era));
        let moments =
            std::iter::once((0, "as launched")).chain(own.map(|(index, step)| (index + 1, step.name.as_str())));
        for (number, name) in moments {
            let at = |topology| predict::cloud_at(topology, era, number).map_err(|error| error.to_string());
            let (before, after) = (at(old)?, at(&new)?);
            let reach = compare(&account_of(&before, &text.name), &account_of(&after, &text.name));
            if !reach.is_empty() || !Differing::new(&before, &after).is_empty() {
                return Err(format!("somebody would reach less at a moment of the file: {name}"));
            }
        }
        let verdict = |topology| {
            let predicted = predict::predict(topology, era, &Options::default(), &mut |_| ());
            predicted.map(|result| result.verdict).map_err(|error| error.to_string())
        };
        if verdict(old)? != verdict(&new)? {
            return Err("by prediction a step of the file would end otherwise".to_owned());
        }
    }
    Ok(())
}

/// Writes the file anew, unless it is another by now.
fn write(path: &Path, old: &Text, new: &Text) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("failed to read {}", told(path)))?;
    let mark = "\u{feff}".as_bytes();
    let (mark, text) = bytes.strip_prefix(mark).map_or((&b""[..], bytes.as_slice()), |rest| (mark, rest));
    if text != old.text.as_bytes() {
        bail!("{} has changed meanwhile: nothing is written", told(path));
    }
    let all = [mark, new.text.as_bytes()].concat();
    file::write(path, &all).with_context(|| format!("failed to write {}", told(path)))
}
