//! Accounts of sources, and how these are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indexmap::IndexSet;
use sglab::account::Account;
use sglab::control::LabName;
use sglab::import::{self, Kind, Parameters, Plan, Text};
use sglab::model::{Cloud, Era, HostName, no_such};
use sglab::report::shown_lines;
use sglab::topology::Topology;

use super::texts::texts_of;
use crate::cli::common::{LabChoice, told};
use crate::cli::live::session;
use crate::cli::sources::PREFIX;
use crate::cli::{screen, sources};

/// Names of labs that are up begin with it.
const LAB: &str = "lab:";

/// Options for reading sources, beside their content.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct Reading {
    /// Kind of every source; without it, each is recognised by its content
    #[arg(long, value_enum, value_name = "KIND")]
    pub from: Option<SourceKind>,
    /// Value of a parameter of CloudFormation templates
    #[arg(long, value_name = "NAME=VALUE")]
    pub parameter: Vec<String>,
    /// A file of such values, as `aws cloudformation --parameters file://FILE` takes it
    #[arg(long, value_name = "FILE")]
    pub parameters: Vec<PathBuf>,
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
pub(super) fn read(names: &[String], reading: &Reading) -> anyhow::Result<Option<Account>> {
    Ok(read_whole(names, reading)?.map(|sources| sources.account))
}

/// As [`read`], with the cloud of sglab's own that it is of. Says what is wrong with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read_whole(names: &[String], reading: &Reading) -> anyhow::Result<Option<Sources>> {
    let gathered = gathered(names)?;
    let Some(parameters) = parameters(reading, &[&gathered])? else { return Ok(None) };
    account(gathered, reading, &parameters)
}

/// Reads the two sides of a comparison. One source alone is a Terraform plan, which is compared with its own prior state. Says what is wrong
/// with them, and gives nothing then.
///
/// # Errors
/// If a source cannot be found or read.
pub(super) fn read_both(old: &str, new: Option<&str>, reading: &Reading) -> anyhow::Result<Option<(Account, Account)>> {
    let old = gathered(&[old.to_owned()])?;
    let Some(new) = new else {
        if parameters(reading, &[&old])?.is_none() {
            return Ok(None);
        }
        return own_change(&old);
    };
    let new = gathered(&[new.to_owned()])?;
    let Some(parameters) = parameters(reading, &[&old, &new])? else { return Ok(None) };
    let read = |side| Ok::<_, anyhow::Error>(account(side, reading, &parameters)?.map(|sources| sources.account));
    let (old, new) = (read(old)?, read(new)?);
    Ok(old.zip(new))
}

/// The two sides of one Terraform plan.
fn own_change(gathered: &Gathered) -> anyhow::Result<Option<(Account, Account)>> {
    let plan = match &gathered.what {
        What::Texts(texts) => match texts.as_slice() {
            [text] => import::plan(text),
            _ => Ok(None),
        },
        What::Lab(_) => Ok(None),
    };
    match screen::value_or_tell(plan) {
        Some(Some(Plan { before, after })) => Ok(Some((before, after))),
        Some(None) => bail!(
            "{} is no plan of Terraform, which alone can be compared with its own prior state: give a second source",
            gathered.shown()
        ),
        None => Ok(None),
    }
}

/// Sources as they were found.
struct Gathered {
    names: Vec<String>,
    what: What,
}

/// Contents of sources.
enum What {
    /// A lab that is up.
    Lab(String),
    Texts(Vec<Text>),
}

impl Gathered {
    /// Their names for people.
    fn shown(&self) -> String {
        self.names.iter().map(|name| told(name).to_string()).collect::<Vec<_>>().join(", ")
    }

    fn several(&self, what: &str) -> anyhow::Error {
        anyhow::anyhow!("{} are several clouds: {what} is a cloud of its own", self.shown())
    }
}

fn gathered(names: &[String]) -> anyhow::Result<Gathered> {
    let of = |what| Gathered { names: names.to_vec(), what };
    let labs: Vec<&str> = names.iter().filter_map(|name| lab_of(name)).collect();
    match (labs.as_slice(), names) {
        ([], _) => {}
        ([lab], [_]) => return Ok(of(What::Lab((*lab).to_owned()))),
        _ => return Err(of(What::Texts(Vec::new())).several("a lab")),
    }
    let shown = |name: &String| if name == "-" { "standard input".to_owned() } else { shown_lines(name) };
    let _working = screen::working(format!("reading {}", names.iter().map(shown).collect::<Vec<_>>().join(", ")));
    let mut texts = Vec::new();
    for name in names {
        texts.extend(texts_of(name)?);
    }
    Ok(of(What::Texts(texts)))
}

/// The values of parameters, each of which a template must have. Says what is wrong with a file of them, and gives nothing then.
fn parameters(reading: &Reading, sides: &[&Gathered]) -> anyhow::Result<Option<Arc<Parameters>>> {
    let mut parameters = Parameters::default();
    for path in &reading.parameters {
        let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", told(path)))?;
        if screen::value_or_tell(parameters.take_file(&path.to_string_lossy(), &text)).is_none() {
            return Ok(None);
        }
    }
    for typed in &reading.parameter {
        parameters.take(typed).map_err(|wrong| anyhow::anyhow!(wrong))?;
    }
    if parameters.names().next().is_some() {
        let texts = sides.iter().filter_map(|side| match &side.what {
            What::Texts(texts) => Some(texts.as_slice()),
            What::Lab(_) => None,
        });
        let known: IndexSet<String> = texts.flat_map(import::parameters_of).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Some(unknown) = parameters.names().find(|name| !known.contains(name)) {
            match known.is_empty() {
                true => bail!("there is no parameter `{unknown}`: no source is a CloudFormation template"),
                false => bail!("{}", no_such("parameter", unknown, &known)),
            }
        }
    }
    Ok(Some(Arc::new(parameters)))
}

/// The account of some sources. Says what is wrong with them, and gives nothing then.
fn account(gathered: Gathered, reading: &Reading, parameters: &Arc<Parameters>) -> anyhow::Result<Option<Sources>> {
    let kind = reading.from;
    let names = Gathered { names: gathered.names, what: What::Texts(Vec::new()) };
    let texts = match gathered.what {
        What::Lab(lab) => return of_lab(&lab, names.names.first().map_or("", String::as_str)).map(Some),
        What::Texts(texts) => texts,
    };
    let is_topology = |text: &Text| match kind {
        Some(kind) => kind == SourceKind::Topology,
        None => import::is_topology(&text.text),
    };
    let (topologies, others): (Vec<Text>, Vec<Text>) = texts.into_iter().partition(is_topology);
    if let (Some(SourceKind::Topology), Some(wrong)) =
        (kind, topologies.iter().find(|text| !import::is_topology(&text.text)))
    {
        bail!("{} is no topology: it does not begin with `sglab: 1`", told(wrong.name.as_str()));
    }
    match (topologies.as_slice(), others.is_empty()) {
        ([], _) => {
            let read = import::read_with(&others, kind.and_then(SourceKind::imported), parameters);
            Ok(screen::value_or_tell(read).map(|account| Sources { account, own: None }))
        }
        ([topology], true) => of_topology(topology),
        _ => Err(names.several("a topology")),
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
    let topology = sources::value_or_tell(Topology::parse_cloud(&text.name, text.text.as_bytes()));
    let Some(topology) = topology else { return Ok(None) };
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
