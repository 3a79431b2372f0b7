//! Circles of files: which files of a room reach themselves by the paths that they name.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Word, paths};

/// The files of one room by module, each with the modules of the room that it names.
pub type Graph = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

/// A file: its module and its words.
pub type Source = (Vec<String>, Vec<Word>);

/// Draws the graph of one room. A path leads to the innermost file on it, so that an item which a `mod.rs` passes on leads to that
/// `mod.rs`, and from there to where it is made. `mod name;` is no arrow.
pub fn graph(files: &[Source]) -> Graph {
    let modules: BTreeSet<&[String]> = files.iter().map(|(home, _)| home.as_slice()).collect();
    let innermost = |path: &[String]| {
        let length = (1..=path.len()).rev().find(|length| modules.contains(&path[..*length]))?;
        Some(path[..length].to_vec())
    };
    files
        .iter()
        .map(|(home, words)| {
            let named = paths(&without_visibility(words), home).into_iter().filter_map(|named| {
                let whole = match named.path.split_first() {
                    Some((first, rest)) if first == "crate" => rest.to_vec(),
                    // A module of one's own may be named without `self`.
                    Some((_, rest)) if !rest.is_empty() => [home.as_slice(), &named.path].concat(),
                    _ => return None,
                };
                innermost(&whole)
            });
            (home.clone(), named.filter(|other| other != home).collect())
        })
        .collect()
}

/// Groups the files that reach each other; only groups of two and more.
pub fn circles(graph: &Graph) -> Vec<BTreeSet<Vec<String>>> {
    let reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = graph
        .keys()
        .map(|file| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![file]);
            while let Some(at) = next.pop() {
                next.extend(graph.get(at).into_iter().flatten().filter(|other| seen.insert(*other)));
            }
            (file, seen)
        })
        .collect();
    let mut circles = BTreeSet::new();
    for (file, seen) in reached.iter().filter(|(file, seen)| seen.contains(*file)) {
        let circle = seen.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(file)));
        circles.insert(circle.map(|other| (*other).clone()).collect());
    }
    circles.into_iter().collect()
}

/// Lists the arrows of one circle, a file a line.
pub fn arrows(graph: &Graph, circle: &BTreeSet<Vec<String>>) -> String {
    let line = |file: &Vec<String>| {
        let named = graph.get(file).into_iter().flatten().filter(|other| circle.contains(*other));
        let named: Vec<String> = named.map(|other| other.join("::")).collect();
        format!("    {} -> {}\n", file.join("::"), named.join(", "))
    };
    circle.iter().map(line).collect()
}

/// Takes out `pub(super)` and `pub(in crate::room)`, which name a module and use nothing of it.
fn without_visibility(words: &[Word]) -> Vec<Word> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let text = |n: usize| words.get(at + n).map(|word| word.text.as_str());
        if text(0) == Some("pub") && text(1) == Some("(") && matches!(text(2), Some("crate" | "super" | "self" | "in"))
        {
            at += words[at..].iter().position(|word| word.text == ")").map_or(2, |end| end + 1);
        } else {
            kept.push(words[at].clone());
            at += 1;
        }
    }
    kept
}
