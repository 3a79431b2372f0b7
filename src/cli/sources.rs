//! Topologies by file, folder or built-in name, read and checked before anything is booted.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sglab::import::{self, Kind};
use sglab::model::closest;
use sglab::report::shown_lines;
use sglab::scenario::FilesFrom;
use sglab::scenario::services::folder_of;
use sglab::topology::{EXAMPLES, MAX_BYTES, Problems, Topology};

use super::common::{in_words, told};
use super::{folder, screen};

/// Prefix of a built-in topology.
pub(super) const PREFIX: &str = "example:";

/// Purpose for which a topology is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// To be run: it must expect something.
    Verdict,
    /// For its cloud: it need not have a scenario.
    Cloud,
}

/// Result of reading topologies.
#[derive(Clone)]
pub(super) struct Read {
    /// Those that can be run, in the order of their naming.
    pub topologies: Vec<Topology>,
    /// Problems of the others.
    pub problems: Vec<Problems>,
    /// Names that nothing could be read by, each with the reason.
    pub unreadable: Vec<Unreadable>,
    /// All of them as they were read, by name.
    pub texts: Vec<(String, Vec<u8>)>,
}

/// A name that nothing could be read by.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Unreadable {
    /// The name.
    pub file: String,
    /// The reason.
    pub message: String,
}

impl Read {
    /// One topology that no file has, with the text that it was made of.
    pub fn of(topology: Topology, text: String) -> Self {
        let texts = vec![(topology.file.to_string(), text.into_bytes())];
        Self { topologies: vec![topology], problems: Vec::new(), unreadable: Vec::new(), texts }
    }

    /// Says what could not be read, and what is wrong with the rest, an empty line between two files.
    pub fn tell(&self) {
        for unreadable in &self.unreadable {
            screen::tell(&format!("error: {}", shown_lines(&unreadable.message)));
        }
        if !self.unreadable.is_empty() && !self.problems.is_empty() {
            eprintln!();
        }
        tell(&self.problems);
    }

    /// True if all that was named can be run.
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.unreadable.is_empty()
    }
}

/// Reads every topology that is named, to be run: each must expect something. A name that is no topology, or a folder without one, hides no other.
pub(super) fn read(names: &[String]) -> Read {
    read_for(Wanted::Verdict, names)
}

/// The same for their clouds: they need not have a scenario.
pub(super) fn read_clouds(names: &[String]) -> Read {
    read_for(Wanted::Cloud, names)
}

fn read_for(wanted: Wanted, names: &[String]) -> Read {
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    let mut unreadable = Vec::new();
    for name in names {
        let mut take = |name: &str, read: anyhow::Result<Vec<(String, Vec<u8>)>>| match read {
            Ok(read) => texts.extend(read),
            Err(error) => unreadable.push(Unreadable { file: name.to_owned(), message: in_words(&error) }),
        };
        if let Some(example) = name.strip_prefix(PREFIX) {
            take(name, built_in(example));
        } else if Path::new(name).is_dir() {
            match folder(Path::new(name)) {
                Ok(paths) => {
                    for path in paths {
                        let name = path.display().to_string();
                        take(&name, read_all(&path, folder::open(&path)).map(|text| vec![(name.clone(), text)]));
                    }
                }
                Err(error) => take(name, Err(error)),
            }
        } else {
            take(name, read_file(Path::new(name)).map(|text| vec![(name.clone(), text)]));
        }
    }
    let mut read = parse(wanted, texts);
    read.unreadable.splice(0..0, unreadable);
    read
}

/// Checks that the files that a built-in topology names are in the present folder, from which they are meant; says which are not. Those of other
/// topologies are looked for when they are read.
///
/// # Errors
/// If the present folder cannot be found.
pub(super) fn has_its_files(topology: &Topology) -> anyhow::Result<bool> {
    let Some(name) = topology.file.strip_prefix(PREFIX) else { return Ok(true) };
    let Some((known, text)) = EXAMPLES.iter().find(|(known, _)| *known == name) else { return Ok(true) };
    let folder = folder_of(&topology.file).context("failed to find the present folder")?;
    let files = FilesFrom::folder(Some(&folder));
    let Err(problems) = Topology::parse_cloud_beside(&topology.file, text.as_bytes(), &files) else { return Ok(true) };
    tell(&[problems]);
    let beside = Path::new(known).parent().unwrap_or(Path::new(""));
    let note = format!(
        "note: {} is built in, and the files that it mounts are not: they lie in topologies/{} of sglab's source, and are \
         looked for in {}",
        topology.file,
        beside.display(),
        told(&folder)
    );
    screen::tell(&note);
    Ok(false)
}

/// Reads every topology that is built in.
pub(super) fn read_built_in() -> Read {
    parse(Wanted::Verdict, EXAMPLES.iter().map(named).collect())
}

fn parse(wanted: Wanted, texts: Vec<(String, Vec<u8>)>) -> Read {
    let mut read = Read { topologies: Vec::new(), problems: Vec::new(), unreadable: Vec::new(), texts: Vec::new() };
    for (name, text) in &texts {
        let parsed = match (name.starts_with(PREFIX), wanted) {
            (true, _) => Topology::parse(name, text),
            (false, Wanted::Verdict) => Topology::parse_beside(name, text, &FilesFrom::beside(name)),
            (false, Wanted::Cloud) => Topology::parse_cloud_beside(name, text, &FilesFrom::beside(name)),
        };
        match parsed {
            Ok(topology) => read.topologies.push(topology),
            Err(problems) => match of_others(text) {
                Some(kind) => read.unreadable.push(Unreadable {
                    file: name.clone(),
                    message: format!(
                        "{0} is {kind}, and no topology; `sglab import {0}` makes one of it",
                        told(name.as_str())
                    ),
                }),
                None => read.problems.push(problems),
            },
        }
    }
    read.texts = texts;
    read
}

/// Tells which kind of other people's files a text is, where it is one.
fn of_others(text: &[u8]) -> Option<Kind> {
    let text = std::str::from_utf8(text).ok()?;
    (!import::is_topology(text)).then(|| import::kind_of(text)).flatten()
}

/// Reads exactly one topology; prints what is wrong with it.
///
/// # Errors
/// As [`read`]; nothing if the file itself is wrong, which has been said then.
pub(super) fn read_one(name: &str) -> anyhow::Result<Option<Topology>> {
    read_one_for(Wanted::Verdict, name)
}

/// Reads exactly one topology for its cloud: it need not have a scenario. Prints what is wrong with it.
///
/// # Errors
/// As [`read_one`].
pub(super) fn read_cloud(name: &str) -> anyhow::Result<Option<Topology>> {
    read_one_for(Wanted::Cloud, name)
}

fn read_one_for(wanted: Wanted, name: &str) -> anyhow::Result<Option<Topology>> {
    if Path::new(name).is_dir() {
        bail!("{} is a folder; this command takes one topology file", told(name));
    }
    let mut read = read_for(wanted, &[name.to_owned()]);
    let several = read.topologies.len() + read.problems.len();
    if several > 1 {
        bail!("{} is {several} topologies; this command takes one", told(name));
    }
    read.tell();
    Ok(read.topologies.pop())
}

/// Returns what was read of a file; says what is wrong with it where that is nothing.
pub(super) fn value_or_tell<T>(result: Result<T, Problems>) -> Option<T> {
    result.map_err(|problems| tell(&[problems])).ok()
}

/// Says what is wrong with some files, an empty line between two.
pub(super) fn tell(files: &[Problems]) {
    for (index, problems) in files.iter().enumerate() {
        let before = if index == 0 { "" } else { "\n" };
        eprintln!("{before}{}", screen::problems(problems));
    }
}

/// A built-in topology by its name or the beginning of it, or all of a folder: `gotchas`.
fn built_in(name: &str) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let of = |wanted: &dyn Fn(&str) -> bool| -> Vec<&(&str, &str)> {
        EXAMPLES.iter().filter(|(known, _)| wanted(known)).collect()
    };
    let folder = format!("{}/", name.trim_end_matches('/'));
    let exact = of(&|known| known == name || known.starts_with(&folder));
    if !exact.is_empty() {
        return Ok(exact.into_iter().map(named).collect());
    }
    let begin = of(&|known| !name.is_empty() && known.starts_with(name));
    let words = |some: &[&(&str, &str)]| {
        some.iter().map(|(known, _)| format!("{PREFIX}{known}")).collect::<Vec<_>>().join(", ")
    };
    match begin.as_slice() {
        [one] => Ok(vec![named(one)]),
        [] => {
            let top = of(&|known| !known.contains('/'));
            let inside =
                of(&|known| !name.is_empty() && known.rsplit('/').next().is_some_and(|last| last.starts_with(name)));
            if !inside.is_empty() {
                bail!("there is no built-in topology `{name}`; did you mean {}?", words(&inside));
            }
            bail!(
                "there is no built-in topology `{name}`; {}there are {}, and more in {PREFIX}gotchas: `sglab list` tells them",
                closest(name, EXAMPLES.iter().map(|(known, _)| *known))
                    .map_or_else(String::new, |known| format!("did you mean `{PREFIX}{known}`? ")),
                words(&top)
            )
        }
        several => bail!("`{PREFIX}{name}` is the beginning of {}", words(several)),
    }
}

fn named((name, text): &(&str, &str)) -> (String, Vec<u8>) {
    (format!("{PREFIX}{name}"), text.as_bytes().to_vec())
}

/// Reads what somebody has named, be it a pipe.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_all(path, File::open(path))
}

/// At most one byte more than a topology may have: its reader then says that it is too large.
pub(super) fn read_all(path: &Path, opened: io::Result<File>) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("failed to read {}", told(path));
    let mut bytes = Vec::new();
    opened.with_context(failed)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(failed)?;
    Ok(bytes)
}

/// The topologies of a folder, by name; those of its folders too. What is skipped is told.
fn folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = folder::topologies(folder);
    let found = found.map_err(|(path, error)| {
        anyhow::Error::new(error).context(format!("failed to read the folder {}", told(&path)))
    })?;
    found.tell_skipped();
    if found.files.is_empty() {
        bail!("{}: there is no topology (*.yaml, *.yml) in this folder", told(folder));
    }
    Ok(found.files)
}
