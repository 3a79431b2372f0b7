//! What became of mutations, kept in files: one for each topology under each of its eras, a line for each mutation.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sglab::model::Era;
use sglab::model::topology::Topology;

/// What became of a mutation.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Fate {
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

/// Where the results of a file are.
pub fn out_of(task: Task, (path, era): &File) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let end = if task == Task::Gotcha { "breaks" } else { "jsonl" };
    results().join(format!("{stem}@{era}.{end}"))
}

/// What a file of results says.
pub fn read(path: &Path) -> Vec<Fate> {
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    BufReader::new(file).lines().map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

pub fn is_done(path: &Path) -> bool {
    read(path).iter().any(|fate| fate.fate == Word::Done)
}

/// What all files say.
pub fn everything() -> Vec<Fate> {
    let Ok(folder) = std::fs::read_dir(results()) else { return Vec::new() };
    let mut paths: Vec<_> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
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

    /// Whether no more file need be asked.
    pub fn is_settled(&self, common: &str) -> bool {
        self.noticed.contains(common) || self.survived.get(common).is_some_and(|files| files.len() >= ENOUGH)
    }
}
