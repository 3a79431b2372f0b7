//! What became of mutations, kept in files: one for each topology under each of its eras, a line for each mutation.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use sglab::model::Era;
use sglab::topology::Topology;

use super::equivalent::claims;
use super::mutation::Mutation;

/// What became of a mutation.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct MutationResult {
    pub file: String,
    pub era: String,
    /// In one line.
    pub mutation: String,
    /// Tells mutations apart that are the same in one line.
    pub id: u64,
    /// What it is called where every cloud has it.
    pub common: Option<String>,
    pub fate: Word,
    /// What noticed it, or why nothing could.
    pub by: String,
}

impl MutationResult {
    /// A survivor as the list of equivalent mutations names it.
    pub fn label(&self) -> String {
        match &self.common {
            Some(common) => label_of_common(common),
            None => format!("{} {} {} {}", self.file, self.era, self.mutation, self.by).trim_end().to_owned(),
        }
    }

    /// Whether it need not be tried again.
    pub fn is_settled(&self) -> bool {
        matches!(self.fate, Word::Red | Word::Refused)
    }
}

/// What all clouds have in common as the list of equivalent mutations names it.
pub fn label_of_common(common: &str) -> String {
    format!("* {common}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    Red,
    Survived,
    /// By nft.
    Refused,
    /// A knob or a mutation that the file itself notices.
    Breaks,
    /// The file has been gone through.
    Done,
}

/// What to do with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Try every mutation of its states.
    Mutations,
    /// Find what its own expectations notice.
    Gotcha,
}

/// A file under one of its eras.
pub type File = (PathBuf, Era);

fn root() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
}

/// The folder.
pub fn results() -> PathBuf {
    root().join("target/mutants")
}

/// Every file with each of its eras.
pub fn files() -> Vec<File> {
    let mut files: Vec<PathBuf> = ["topologies", "topologies/gotchas"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root().join(folder)).expect("the topologies"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    let of = |path: PathBuf| {
        let text = std::fs::read(&path).expect("a topology");
        let topology = Topology::parse("", &text).unwrap_or_else(|problems| panic!("{}: {problems}", path.display()));
        topology.eras.into_iter().map(move |era| (path.clone(), era)).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(of).collect()
}

pub fn is_gotcha(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "gotchas")
}

/// Files of what few clouds have, and all compiled rulesets have rules for: translation by an instance, no public address, and
/// IPv6. They are asked of whatever nothing has noticed.
const TELLING: [&str; 3] =
    ["case-24-behind-nat-the-group-is-lost", "case-13-icmp-is-not-icmpv6", "case-14-anywhere-is-not-ipv6"];

pub fn is_telling(stem: &str) -> bool {
    TELLING.contains(&stem)
}

/// Where the results of a file are.
pub fn out_of(task: Task, (path, era): &File) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = if task == Task::Gotcha { "breaks" } else { "jsonl" };
    results().join(format!("{stem}@{era}.{end}"))
}

/// What a file of results says.
pub fn read(path: &Path) -> Vec<MutationResult> {
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    BufReader::new(file).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

pub fn is_done(path: &Path) -> bool {
    read(path).iter().any(|fate| fate.fate == Word::Done)
}

/// What all files say.
pub fn everything() -> Vec<MutationResult> {
    let Ok(folder) = std::fs::read_dir(results()) else { return Vec::new() };
    let mut paths: Vec<_> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

/// Where the fates of a file's mutations are written.
pub struct Results {
    file: String,
    era: String,
    out: std::fs::File,
    /// What need not be tried again.
    settled: HashSet<u64>,
}

impl Results {
    /// Keeps what is settled of what is there, and goes on behind it.
    pub fn open(path: PathBuf, file: String, era: Era) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("{}: {error}", path.display());
        let is_kept =
            |fate: &MutationResult| fate.is_settled() || (fate.fate == Word::Survived && fate.common.is_some());
        let kept: Vec<MutationResult> = read(&path).into_iter().filter(is_kept).collect();
        let out = std::fs::File::create(&path).map_err(text)?;
        let settled = kept.iter().filter(|fate| fate.is_settled()).map(|fate| fate.id).collect();
        let mut results = Self { file, era: era.to_string(), out, settled };
        kept.iter().try_for_each(|fate| results.put(fate))?;
        Ok(results)
    }

    /// Says it.
    pub fn put(&mut self, fate: &MutationResult) -> Result<(), String> {
        let line = serde_json::to_string(fate).map_err(|error| error.to_string())?;
        writeln!(self.out, "{line}").map_err(|error| error.to_string())
    }

    /// Says what became of a mutation.
    pub fn write(&mut self, mutation: &Mutation, word: Word, by: &str) -> Result<(), String> {
        let fate = self.fate(mutation, word, by);
        self.put(&fate)
    }

    /// What is said of a mutation.
    pub fn fate(&self, mutation: &Mutation, word: Word, by: &str) -> MutationResult {
        MutationResult { id: id_of(mutation), common: mutation.common(), ..self.line(mutation.label(), word, by) }
    }

    /// Whether a mutation need not be tried again.
    pub fn has_settled(&self, mutation: &Mutation) -> bool {
        self.settled.contains(&id_of(mutation))
    }

    /// Says what became of something else.
    pub fn write_line(&mut self, line: String, word: Word, by: &str) -> Result<(), String> {
        let fate = self.line(line, word, by);
        self.put(&fate)
    }

    fn line(&self, mutation: String, word: Word, by: &str) -> MutationResult {
        let by = by.chars().take(300).collect();
        MutationResult { file: self.file.clone(), era: self.era.clone(), mutation, id: 0, common: None, fate: word, by }
    }
}

fn id_of(mutation: &Mutation) -> u64 {
    let mut hasher = DefaultHasher::new();
    mutation.hash(&mut hasher);
    hasher.finish()
}

/// What tests of the lab noticed of what all clouds have in common and no file has noticed.
pub fn of_witnesses() -> PathBuf {
    results().join("witnesses.jsonl")
}

/// What is known so far of what all clouds have in common.
#[derive(Default)]
pub struct Commons {
    pub noticed: HashSet<String>,
    /// Nothing noticed it, in these files.
    pub survived: BTreeMap<String, HashSet<(String, String)>>,
    read: Option<Instant>,
}

/// What so many files have not noticed is not asked of others: the tests that look at it are asked.
const ENOUGH: usize = 3;

/// Other files go on meanwhile.
const STALE: Duration = Duration::from_secs(3);

impl Commons {
    pub fn known() -> Self {
        let mut commons = Self { read: Some(Instant::now()), ..Self::default() };
        for fate in everything() {
            match (fate.fate, fate.common) {
                (Word::Red, Some(common)) => drop(commons.noticed.insert(common)),
                (Word::Survived, Some(common)) => {
                    commons.survived.entry(common).or_default().insert((fate.file, fate.era));
                }
                _ => {}
            }
        }
        commons.survived.retain(|common, _| !commons.noticed.contains(common));
        commons
    }

    /// As it is by now.
    pub fn now(&mut self) -> &Self {
        if self.read.is_none_or(|read| read.elapsed() > STALE) {
            *self = Self::known();
        }
        self
    }

    /// Whether so many files have not noticed it that others need not be asked.
    pub fn is_asked_enough(&self, common: &str) -> bool {
        self.survived.get(common).is_some_and(|files| files.len() >= ENOUGH)
    }
}

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
