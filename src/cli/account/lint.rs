//! `sglab lint`.

use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use sglab::import;
use sglab::lint::{
    Allowance, Convention, Date, Level, Options, Outcome, Platform, Profile, Scope, all, check, in_comments, lint,
};
use sglab::model::{Port, no_such};
use sglab::report::Style;
use sglab::report::lint::{catalogue, json, sarif, text};

use super::sources::{self, KindChoice};
use crate::cli::common::{Exit, When, told};
use crate::cli::{color, screen};

/// `sglab lint`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab lint shop.yaml
      a topology
  sglab lint monday/
      a folder of `aws ec2 describe-*` replies
  sglab lint - --level warning < plan.json
  sglab lint plan.json --profile aws --fail-on warning
  sglab lint plan.json --allow allowed.yaml --format sarif > sglab.sarif
  sglab lint --list
  sglab lint --explain address-in-rule

What is as it should be is allowed on its line of a topology: `# sglab: allow CHECK - reason`, with `until 2027-01-31` behind it \
if that is to end. For other sources a file of `--allow` has a list of `{check, resource, reason, until}`.

Nothing is sent, no cloud is asked, and no privilege is needed. \
Exit codes: 0 nothing that `--fail-on` names, 1 something, 2 bad input.")]
pub(crate) struct LintArguments {
    /// Files, folders, `-` for standard input, `example:NAME`, `lab:NAME`, `REVISION:FILE` of git; several make one cloud
    #[arg(value_name = "SOURCE", required_unless_present_any = ["list", "explain"])]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub kind: KindChoice,
    /// Profile: the source of the advice
    #[arg(long, value_enum, default_value_t = ProfileName::All)]
    pub profile: ProfileName,
    /// The least level that is shown
    #[arg(long, value_enum, default_value_t = LevelName::Note)]
    pub level: LevelName,
    /// The least level that ends with exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "LEVEL")]
    pub fail_on: FailOn,
    /// Names of groups by role; what is not said is as here
    #[arg(long, value_name = "ROLES", default_value = "tier=SG-T-*,instance=SG-I-*,admin=SG-T-ADMIN")]
    pub convention: Convention,
    /// Ports that may be open to anywhere
    #[arg(long, value_name = "PORTS", value_delimiter = ',', default_value = "80,443")]
    pub authorised: Vec<u16>,
    /// Ports for administration
    #[arg(long, value_name = "PORTS", value_delimiter = ',', default_value = "22,3389")]
    pub admin_ports: Vec<u16>,
    /// A file of allowances
    #[arg(long, value_name = "FILE")]
    pub allow: Vec<PathBuf>,
    /// Every finding, where the text would cut a long list
    #[arg(long)]
    pub all: bool,
    /// Say why a check is there, with examples
    #[arg(long, value_name = "CHECK", conflicts_with = "list")]
    pub explain: Option<String>,
    /// List the checks
    #[arg(long)]
    pub list: bool,
    /// How to print findings
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub format: LintFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

/// A profile as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileName {
    /// Groups for tiers, groups as names of instances, no addresses
    Article,
    /// Advice of Amazon and of scanners of accounts
    Aws,
    /// Every check
    All,
}

/// A level as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelName {
    Note,
    Warning,
    Error,
}

/// Findings and changes that end with exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// An error
    Error,
    /// An error or a warning
    Warning,
    /// Any finding
    Note,
    /// Nothing
    Never,
}

/// Formats of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Note => Self::Note,
            LevelName::Warning => Self::Warning,
            LevelName::Error => Self::Error,
        }
    }
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Article => Self::Article,
            ProfileName::Aws => Self::Aws,
            ProfileName::All => Self::All,
        }
    }
}

pub(super) fn run(arguments: &LintArguments) -> anyhow::Result<Exit> {
    let color = color::wanted(arguments.color, stdout().is_terminal());
    let style = Style { color, width: screen::width_of(&stdout()), verbose: arguments.all, ..Style::default() };
    if arguments.list {
        stdout().write_all(catalogue::list(style).as_bytes())?;
        return Ok(Exit::Ok);
    }
    if let Some(id) = &arguments.explain {
        let Some(check) = check(id) else {
            bail!("{}", no_such("check", id, &all().map(|check| check.id).collect::<Vec<_>>()));
        };
        stdout().write_all(text::explained(check, style).as_bytes())?;
        return Ok(Exit::Ok);
    }
    let Some(source) = sources::read_whole(&arguments.sources, arguments.kind)? else { return Ok(Exit::BadInput) };
    let Some(mut allowances) = in_files(&arguments.allow)? else { return Ok(Exit::BadInput) };
    let mut platform = Platform::default();
    let mut listeners = None;
    if let Some(own) = &source.own {
        platform = Platform::of(&own.cloud);
        listeners = Some(import::listeners_of(&own.cloud));
        let told = own.text.as_ref().map_or(Ok(Vec::new()), |text| in_comments(&text.name, &text.text));
        match told {
            Ok(comments) => allowances.extend(comments),
            Err(faults) => {
                faults.iter().for_each(|fault| screen::tell(&fault.to_string()));
                return Ok(Exit::BadInput);
            }
        }
    }
    let ports = |all: &[u16]| all.iter().copied().map(Port).collect();
    let options = Options {
        profile: arguments.profile.into(),
        convention: arguments.convention.clone(),
        platform,
        authorised: ports(&arguments.authorised),
        admin: ports(&arguments.admin_ports),
        ..Options::default()
    };
    let outcome = lint(&source.account, &options, listeners.as_ref(), (&allowances, today()?));
    let least = arguments.level.into();
    let document = match arguments.format {
        LintFormat::Text => text::text(&outcome, least, style),
        LintFormat::Json => json::json(&outcome, least)?,
        LintFormat::Sarif => {
            let base = std::env::current_dir().ok();
            sarif::sarif(&outcome, least, base.as_deref().and_then(std::path::Path::to_str))?
        }
    };
    stdout().write_all(document.as_bytes())?;
    Ok(exit(&outcome, arguments.fail_on))
}

fn exit(outcome: &Outcome, fail_on: FailOn) -> Exit {
    let least = match fail_on {
        FailOn::Error => Level::Error,
        FailOn::Warning => Level::Warning,
        FailOn::Note => Level::Note,
        FailOn::Never => return Exit::Ok,
    };
    if outcome.worst().is_some_and(|worst| worst >= least) { Exit::Differs } else { Exit::Ok }
}

/// Reads files of allowances. Says what is wrong with them, and gives nothing then.
fn in_files(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<Allowance>>> {
    let (mut allowances, mut is_wrong) = (Vec::new(), false);
    for path in paths {
        let content = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", told(path)))?;
        match import::allowances(&path.to_string_lossy(), Arc::from(content)) {
            Err(faults) => {
                screen::tell(&faults.to_string());
                is_wrong = true;
            }
            Ok(all) => {
                for words in all {
                    let said = (words.check.as_str(), words.reason.as_str(), words.until.as_deref());
                    match Allowance::new(said, Scope::Resource(words.resource), &words.place) {
                        Ok(allowance) => allowances.push(allowance),
                        Err(fault) => {
                            screen::tell(&fault.to_string());
                            is_wrong = true;
                        }
                    }
                }
            }
        }
    }
    Ok((!is_wrong).then_some(allowances))
}

/// The day in UTC: the same on every machine of a team.
fn today() -> anyhow::Result<Date> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    Ok(Date::of_days(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX)))
}
