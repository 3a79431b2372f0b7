//! Accounts by file, folder, standard input, built-in name or git revision.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use sglab::account::Account;
use sglab::control::LabName;
use sglab::import::{self, Kind, Text};
use sglab::model::{Cloud, Era, HostName};
use sglab::report::shown_lines;
use sglab::topology::Topology;

use crate::cli::common::{LabChoice, told};
use crate::cli::live::session;
use crate::cli::sources::PREFIX;
use crate::cli::{folder, progress, screen, sources};

/// Names of labs that are up begin with it.
const LAB: &str = "lab:";

/// The kind of sources, where their content does not tell it.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct KindChoice {
    /// Kind of every source; without it, each is recognised by its content
    #[arg(long, value_enum, value_name = "KIND")]
    pub from: Option<SourceKind>,
}

/// Kinds of sources as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SourceKind {
    /// Replies of `aws ec2 describe-*`
    Describe,
    /// `terraform show -json` of a plan or a state, or a `.tfstate` file
    Terraform,
    /// A CloudFormation template
    Cloudformation,
    /// A topology of sglab's own
    Topology,
}

impl SourceKind {
    /// Returns the kind of other people's files that it is; nothing for a topology.
    fn imported(self) -> Option<Kind> {
        match self {
            Self::Describe => Some(Kind::Describe),
            Self::Terraform => Some(Kind::Terraform),
            Self::Cloudformation => Some(Kind::Cloudformation),
            Self::Topology => None,
        }
    }
}

/// An account, and where it comes from.
pub(super) struct Sources {
    pub account: Account,
    /// The cloud of sglab's own that it is of.
    pub own: Option<OwnCloud>,
}

/// A topology's cloud as launched, or a lab's as it stands.
pub(super) struct OwnCloud {
    /// The file; none for a lab.
    pub text: Option<Text>,
    pub cloud: Cloud,
}

/// Reads sources into one account. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read(names: &[String], kind: KindChoice) -> anyhow::Result<Option<Account>> {
    Ok(read_whole(names, kind)?.map(|sources| sources.account))
}

/// As [`read`], with the cloud of sglab's own that it is of. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read_whole(names: &[String], kind: KindChoice) -> anyhow::Result<Option<Sources>> {
    let several = |what| {
        let names = names.iter().map(told).collect::<Vec<_>>().join(", ");
        bail!("{names} are several clouds: {what} is a cloud of its own")
    };
    let labs: Vec<&str> = names.iter().filter_map(|name| lab_of(name)).collect();
    match (labs.as_slice(), names) {
        ([], _) => {}
        ([lab], [name]) => return of_lab(lab, name).map(Some),
        _ => return several("a lab"),
    }
    let shown = |name: &String| if name == "-" { "standard input".to_owned() } else { shown_lines(name) };
    let _working = progress::working(format!("reading {}", names.iter().map(shown).collect::<Vec<_>>().join(", ")));
    let mut texts = Vec::new();
    for name in names {
        texts.extend(texts_of(name)?);
    }
    let is_topology = |text: &Text| match kind.from {
        Some(kind) => kind == SourceKind::Topology,
        None => import::is_topology(&text.text),
    };
    let (topologies, others): (Vec<Text>, Vec<Text>) = texts.into_iter().partition(is_topology);
    if let (Some(SourceKind::Topology), Some(wrong)) =
        (kind.from, topologies.iter().find(|text| !import::is_topology(&text.text)))
    {
        bail!("{} is no topology: it does not begin with `sglab: 1`", told(wrong.name.as_str()));
    }
    match (topologies.as_slice(), others.is_empty()) {
        ([], _) => match import::read(&others, kind.from.and_then(SourceKind::imported)) {
            Ok(account) => Ok(Some(Sources { account, own: None })),
            Err(faults) => {
                screen::tell(&faults.to_string());
                Ok(None)
            }
        },
        ([topology], true) => of_topology(topology),
        _ => several("a topology"),
    }
}

/// The lab that a source names: `lab:shop`. What cannot be a lab's name may be a file of a git branch named `lab`.
fn lab_of(name: &str) -> Option<&str> {
    name.strip_prefix(LAB).filter(|lab| LabName::new(lab).is_some())
}

fn of_lab(lab: &str, name: &str) -> anyhow::Result<Sources> {
    let cloud = session::state(&LabChoice { name: Some(lab.to_owned()) })?.cloud;
    Ok(Sources {
        account: import::account_of(&cloud, name),
        own: Some(OwnCloud { text: None, cloud: (*cloud).clone() }),
    })
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
            Ok(Some(Sources { account, own: Some(OwnCloud { text: Some(text.clone()), cloud }) }))
        }
        Err((refusal, place)) => bail!("{place}: {refusal}"),
    }
}

/// The file of a source that can be written in place; none for standard input, what is built in, and git's revisions.
pub(super) fn file_of(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    (name != "-" && !name.starts_with(PREFIX) && path.is_file()).then(|| path.to_owned())
}

/// The cloud of a topology as launched, with somebody outside.
///
/// # Errors
/// The first refusal, with its place.
pub(super) fn launched(topology: Topology, era: Era) -> anyhow::Result<Cloud> {
    let cloud = with_strangers(topology).initial_cloud(era);
    cloud.map_err(|(refusal, place)| anyhow::anyhow!("{place}: {refusal}"))
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
