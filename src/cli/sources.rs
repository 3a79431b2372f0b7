//! Topologies by file, folder or built-in name, read and checked before anything is booted.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sglab::model::topology::{MAX_BYTES, Problems, Topology};

/// The article's topologies, so that `example:two-tier` works with no checkout.
const BUILT_IN: &[(&str, &str)] = &[
    ("two-tier", include_str!("../../topologies/two-tier.yaml")),
    ("by-address", include_str!("../../topologies/by-address.yaml")),
    ("by-address-vpc", include_str!("../../topologies/by-address-vpc.yaml")),
    ("self-trust", include_str!("../../topologies/self-trust.yaml")),
    ("two-rules", include_str!("../../topologies/two-rules.yaml")),
    ("instance-groups", include_str!("../../topologies/instance-groups.yaml")),
    ("groups-while-stopped", include_str!("../../topologies/groups-while-stopped.yaml")),
];

/// What marks a built-in topology.
const PREFIX: &str = "example:";

/// What reading topologies came to.
pub(super) struct Read {
    /// Those that can be run, in the order of their naming.
    pub topologies: Vec<Topology>,
    /// What is wrong with the others.
    pub problems: Vec<Problems>,
}

/// Reads every topology that is named.
///
/// # Errors
/// A name that is no topology, or a folder without one.
pub(super) fn read(names: &[String]) -> anyhow::Result<Read> {
    let mut texts: Vec<(String, Vec<u8>)> = Vec::new();
    for name in names {
        if let Some(example) = name.strip_prefix(PREFIX) {
            texts.push((name.clone(), built_in(example)?.as_bytes().to_vec()));
        } else if Path::new(name).is_dir() {
            for path in folder(Path::new(name))? {
                texts.push((path.display().to_string(), read_file(&path)?));
            }
        } else {
            texts.push((name.clone(), read_file(Path::new(name))?));
        }
    }
    let mut read = Read { topologies: Vec::new(), problems: Vec::new() };
    for (name, text) in &texts {
        match Topology::parse(name, text) {
            Ok(topology) => read.topologies.push(topology),
            Err(problems) => read.problems.push(problems),
        }
    }
    Ok(read)
}

/// Reads exactly one topology; prints what is wrong with it.
///
/// # Errors
/// As [`read`]; nothing if the file itself is wrong, which has been said then.
pub(super) fn read_one(name: &str) -> anyhow::Result<Option<Topology>> {
    if Path::new(name).is_dir() {
        bail!("{name} is a folder; this command takes one topology file");
    }
    let mut read = read(&[name.to_owned()])?;
    for problems in &read.problems {
        eprint!("{problems}");
    }
    Ok(read.topologies.pop())
}

fn built_in(name: &str) -> anyhow::Result<&'static str> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    let known = || BUILT_IN.iter().map(|(known, _)| format!("{PREFIX}{known}")).collect::<Vec<_>>().join(", ");
    found
        .map(|(_, text)| *text)
        .with_context(|| format!("there is no built-in topology `{name}`; there are {}", known()))
}

/// At most one byte more than a topology may have: its reader then says that it is too large.
fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("failed to read {}", path.display());
    let file = File::open(path).with_context(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(failed)?;
    Ok(bytes)
}

/// The topologies of a folder, by name; those of its folders too.
fn folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, &mut found).with_context(|| format!("failed to read the folder {}", folder.display()))?;
    found.sort();
    if found.is_empty() {
        bail!("{}: there is no topology (*.yaml, *.yml) in this folder", folder.display());
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    Ok(())
}
