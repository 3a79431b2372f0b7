//! What the results say, and which survivors nothing explains.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use super::equivalent::claims;
use super::results::{Commons, File, MutationResult, Task, Word, everything, is_done, out_of, read};

/// Says what became of all.
pub fn mutations(files: &[File], failed: usize) -> ExitCode {
    let claims = claims();
    let commons = Commons::known();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut used = vec![false; claims.len()];
    let mut unexplained = BTreeSet::new();
    for fate in everything() {
        let word = match fate.fate {
            Word::Red => "noticed",
            Word::Refused => "refused by nft",
            Word::Survived if fate.common.as_ref().is_some_and(|common| commons.noticed.contains(common)) => {
                "noticed in another file"
            }
            Word::Survived => {
                let label = fate.label();
                let mut claimed = false;
                for (used, claim) in used.iter_mut().zip(&claims) {
                    if claim.claims(&label) {
                        (*used, claimed) = (true, true);
                    }
                }
                if !claimed {
                    unexplained.insert(label);
                }
                if claimed { "equivalent" } else { "survived" }
            }
            Word::Breaks | Word::Done => continue,
        };
        *counts.entry(word).or_default() += 1;
    }
    for label in &unexplained {
        println!("SURVIVED  {label}");
    }
    let done = files.iter().filter(|file| is_done(&out_of(Task::Mutations, file))).count();
    let whole = done == files.len();
    let idle: Vec<_> = claims.iter().zip(&used).filter(|(_, used)| !**used).map(|(claim, _)| claim).collect();
    for claim in idle.iter().filter(|_| whole) {
        println!("IDLE      {claim} claims nothing");
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    println!("{done} of {} files and eras: {}", files.len(), counts.join(", "));
    if failed > 0 || !unexplained.is_empty() || (whole && !idle.is_empty()) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Says of each gotcha what breaks it by its own expectations; one that nothing breaks is toothless.
pub fn gotchas(files: &[File], failed: usize) -> ExitCode {
    let mut by_file: BTreeMap<String, Vec<MutationResult>> = BTreeMap::new();
    let mut done = 0;
    for file in files {
        let stem = file.0.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let fates = read(&out_of(Task::Gotcha, file));
        done += usize::from(fates.iter().any(|fate| fate.fate == Word::Done));
        by_file.entry(stem).or_default().extend(fates.into_iter().filter(|fate| fate.fate == Word::Breaks));
    }
    for (file, breakers) in &by_file {
        println!("{file}");
        for fate in breakers {
            println!("    {}  {}\n        {}", fate.era, fate.mutation, fate.by);
        }
    }
    let toothless = by_file.values().filter(|breakers| breakers.is_empty()).count();
    println!("{done} of {} gotchas and eras; of {} files nothing breaks {toothless}", files.len(), by_file.len());
    if failed > 0 || toothless > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
