//! Accounts by file, folder, standard input, built-in name or git revision.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, bail};
use sglab::account::Account;
use sglab::import::{self, Text};
use sglab::model::Cloud;
use sglab::model::HostName;
use sglab::report::shown_lines;
use sglab::topology::Topology;

use crate::cli::common::told;
use crate::cli::sources::PREFIX;
use crate::cli::{folder, screen, sources};

/// An account, and where it comes from.
pub(super) struct Sources {
    pub account: Account,
    /// The topology that it is of.
    pub topology: Option<OfTopology>,
}

/// A topology as it stands, and its cloud as launched.
pub(super) struct OfTopology {
    pub text: Text,
    pub cloud: Cloud,
}

/// Reads sources into one account. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read(names: &[String]) -> anyhow::Result<Option<Account>> {
    Ok(read_whole(names)?.map(|sources| sources.account))
}

/// As [`read`], with the topology that it is of. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read_whole(names: &[String]) -> anyhow::Result<Option<Sources>> {
    let mut texts = Vec::new();
    for name in names {
        texts.extend(texts_of(name)?);
    }
    let (topologies, others): (Vec<Text>, Vec<Text>) =
        texts.into_iter().partition(|text| import::is_topology(&text.text));
    match (topologies.as_slice(), others.is_empty()) {
        ([], _) => match import::read(&others, None) {
            Ok(account) => Ok(Some(Sources { account, topology: None })),
            Err(faults) => {
                screen::tell(&faults.to_string());
                Ok(None)
            }
        },
        ([topology], true) => of_topology(topology),
        _ => bail!(
            "{} are several clouds: a topology is a cloud of its own",
            names.iter().map(told).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// As [`read_whole`], of a topology's text.
///
/// # Errors
/// If its cloud cannot be launched.
pub(super) fn of_topology(text: &Text) -> anyhow::Result<Option<Sources>> {
    let topology = match Topology::parse_cloud(&text.name, text.text.as_bytes()) {
        Ok(topology) => topology,
        Err(problems) => {
            sources::tell(&[problems]);
            return Ok(None);
        }
    };
    match topology.initial_cloud(topology.eras[0]) {
        Ok(cloud) => {
            let account = import::account_of(&cloud, &text.name);
            Ok(Some(Sources { account, topology: Some(OfTopology { text: text.clone(), cloud }) }))
        }
        Err((refusal, place)) => bail!("{place}: {refusal}"),
    }
}

/// The file of a source that can be written in place; none for standard input, what is built in, and git's revisions.
pub(super) fn file_of(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    (name != "-" && !name.starts_with(PREFIX) && path.is_file()).then(|| path.to_owned())
}

/// The same topology with addresses outside that no rule names: what is open to anywhere is asked of them.
pub(super) fn with_strangers(topology: Topology) -> Topology {
    topology.with_outside([HostName::new("elsewhere")].iter())
}

fn texts_of(name: &str) -> anyhow::Result<Vec<Text>> {
    let path = Path::new(name);
    if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("failed to read standard input")?;
        return Ok(vec![text("-", bytes)?]);
    }
    if name.starts_with(PREFIX) {
        let read = sources::read_clouds(&[name.to_owned()]);
        if let [unreadable, ..] = read.unreadable.as_slice() {
            bail!("{}", shown_lines(&unreadable.message));
        }
        return read.texts.into_iter().map(|(name, bytes)| text(&name, bytes)).collect();
    }
    if path.is_dir() {
        let found = folder::files(path, |ending| {
            ["json", "yaml", "yml", "template", "tfstate"].iter().any(|known| ending == *known)
        });
        let found = found.map_err(|(path, error)| {
            anyhow::Error::new(error).context(format!("failed to read the folder {}", told(&path)))
        })?;
        found.tell_skipped();
        if found.files.is_empty() {
            bail!("{}: there is no source (*.json, *.yaml, *.yml, *.template, *.tfstate) in this folder", told(path));
        }
        return found.files.iter().map(|path| file(path)).collect();
    }
    match name.split_once(':') {
        Some((revision, inner)) if !path.exists() && !revision.is_empty() && !inner.is_empty() => {
            of_git(name, revision)
        }
        _ => Ok(vec![file(path)?]),
    }
}

fn file(path: &Path) -> anyhow::Result<Text> {
    let bytes = std::fs::read(path).with_context(|| format!("failed to read {}", told(path)))?;
    text(&path.to_string_lossy(), bytes)
}

/// A file of a revision: `main:shop.yaml`.
fn of_git(name: &str, revision: &str) -> anyhow::Result<Vec<Text>> {
    if revision.starts_with('-') {
        bail!("`{}` is no revision of git", told(revision));
    }
    let output = Command::new("git").args(["cat-file", "blob", name]).output().context("failed to run git")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("failed to read {}: no such file, and git says: {}", told(name), shown_lines(words.trim()));
    }
    Ok(vec![text(name, output.stdout)?])
}

fn text(name: &str, bytes: Vec<u8>) -> anyhow::Result<Text> {
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no text in UTF-8", told(name)))?;
    // Some shells of Windows begin a file with a mark of its encoding.
    Ok(Text { name: name.to_owned(), text: Arc::from(text.strip_prefix('\u{feff}').unwrap_or(&text)) })
}
