//! `sglab lint`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use sglab::import::{self, AllowanceWords};
use sglab::lint::{
    ADMIN, AUTHORISED, Allowance, Convention, CureWords, Date, Level, Options, Outcome, Platform, Profile, Scope, all,
    check, in_comments, lint,
};
use sglab::model::{Port, no_such};
use sglab::report::Style;
use sglab::report::lint::{catalogue, json, sarif, text, verdict};
use sglab::report::shown_lines;

use super::fix::{self, Files};
use super::sources::{Reading, Sources};
use super::{prove_findings, sources};
use crate::cli::common::{EVIDENCE, Exit, OWN_CLOUD, REPORTS, SELECTION, When, told};
use crate::cli::output::stdout;
use crate::cli::screen;

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
  sglab lint shop.yaml --fix --dry-run
      the difference that `--fix` would make: rules and allowances that nobody needs
  sglab lint shop.yaml --prove
      and boot the cloud, to show by packets what findings claim
  sglab lint --list
  sglab lint --explain address-in-rule

What is as it should be is allowed on its line of a topology: `# sglab: allow CHECK - reason`, with `until 2027-01-31` behind it \
if that is to end. For other sources a file of `--allow` has a list of `{check, resource, reason, until}`.

Without `--prove` no packet is sent. No cloud is asked, and no privilege is needed. `--fix` writes sglab's own topologies only, and only what \
changes nothing of who reaches whom.

Exit codes: 0 nothing that `--fail-on` names, 1 something, or packets disprove a finding, 2 bad input, or nothing that `--fix` may write, \
3 this machine cannot host the lab of `--prove`, 4 nothing that `--fail-on` names, but something that `--prove` was to prove is not proved.")]
pub(crate) struct LintArguments {
    /// Files, folders, `-` for standard input, `example:NAME`, `lab:NAME`, `REVISION:PATH` of git; several make one cloud
    #[arg(value_name = "SOURCE", required_unless_present_any = ["list", "explain"])]
    pub sources: Vec<String>,
    /// Cut rules and allowances that nobody needs out of the topology
    #[arg(long, conflicts_with_all = ["list", "explain"])]
    pub fix: bool,
    /// Print the difference that `--fix` would make, and write nothing
    #[arg(long, requires = "fix")]
    pub dry_run: bool,
    /// Say why a check is there, with examples
    #[arg(long, value_name = "CHECK", conflicts_with = "list")]
    pub explain: Option<String>,
    /// List the checks
    #[arg(long)]
    pub list: bool,
    /// Profile: the source of the advice
    #[arg(long, value_parser = profiles(), default_value = Profile::All.as_str(), help_heading = SELECTION)]
    pub profile: Profile,
    /// The least level that is shown
    #[arg(long, value_parser = levels(), default_value = Level::Note.as_str(), help_heading = SELECTION)]
    pub level: Level,
    /// The least level that ends with exit code 1
    #[arg(long, value_parser = levels_or_never(), default_value = Level::Error.as_str(), value_name = "LEVEL", help_heading = SELECTION)]
    pub fail_on: FailOn,
    /// Names of groups by role; what is not said is as here
    #[arg(long, value_name = "ROLES", default_value_t = Convention::default(), help_heading = SELECTION)]
    pub convention: Convention,
    /// Ports that may be open to anywhere
    #[arg(long, value_name = "PORTS", value_delimiter = ',', default_value = AUTHORISED_WORDS.as_str(), help_heading = SELECTION)]
    pub authorised: Vec<u16>,
    /// Ports for administration
    #[arg(long, value_name = "PORTS", value_delimiter = ',', default_value = ADMIN_WORDS.as_str(), help_heading = SELECTION)]
    pub admin_ports: Vec<u16>,
    /// A file of allowances
    #[arg(long, value_name = "FILE", help_heading = SELECTION)]
    pub allow: Vec<PathBuf>,
    #[command(flatten, next_help_heading = OWN_CLOUD)]
    pub reading: Reading,
    /// Every finding, where the text would cut a long list
    #[arg(long, help_heading = REPORTS)]
    pub all: bool,
    /// How to print findings
    #[arg(long, value_enum, default_value_t = LintFormat::Text, help_heading = REPORTS)]
    pub format: LintFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto, help_heading = REPORTS)]
    pub color: When,
    /// Boot the cloud, and show by packets what findings claim
    #[arg(long, conflicts_with_all = ["list", "explain"], help_heading = EVIDENCE)]
    pub prove: bool,
}

/// Findings that end with exit code 1: those of a level and above, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailOn(Option<Level>);

const NEVER: &str = "never";

static AUTHORISED_WORDS: LazyLock<String> = LazyLock::new(|| listed(&AUTHORISED));
static ADMIN_WORDS: LazyLock<String> = LazyLock::new(|| listed(&ADMIN));

/// `80,443`.
fn listed(ports: &[Port]) -> String {
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn profiles() -> impl TypedValueParser<Value = Profile> {
    let words = Profile::ALL.map(|profile| PossibleValue::new(profile.as_str()).help(profile.about()));
    let read = |word: String| Profile::ALL.into_iter().find(|profile| profile.as_str() == word).unwrap_or(Profile::All);
    PossibleValuesParser::new(words).map(read)
}

fn level_of(word: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.as_str() == word)
}

fn levels() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(Level::ALL.map(Level::as_str)).map(|word| level_of(&word).unwrap_or(Level::Note))
}

fn levels_or_never() -> impl TypedValueParser<Value = FailOn> {
    let words = Level::ALL.into_iter().rev().map(Level::as_str).chain([NEVER]);
    PossibleValuesParser::new(words).map(|word| FailOn(level_of(&word)))
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

pub(super) fn run(arguments: &LintArguments) -> anyhow::Result<Exit> {
    let color = screen::wanted(arguments.color, stdout().is_terminal());
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
    let Some(source) = sources::read_whole(&arguments.sources, &arguments.reading)? else { return Ok(Exit::BadInput) };
    let Some(allowances) = in_files(&arguments.allow)? else { return Ok(Exit::BadInput) };
    let judged = |source: &Sources| judged(arguments, source, &allowances);
    let Some(outcome) = judged(&source)? else { return Ok(Exit::BadInput) };
    let (source, mut outcome) = if arguments.fix {
        let files = if arguments.dry_run { Files::Untouched } else { Files::Written };
        let fixed = fix::run((source, outcome), &judged, arguments.level, files)?;
        let Some(fixed) = fixed else { return Ok(Exit::BadInput) };
        fixed
    } else {
        (source, outcome)
    };
    let no_lab = if arguments.prove { prove_findings::run(&mut outcome, &source, arguments.level)? } else { None };
    print(arguments, &outcome, style)?;
    let exit = exit(&outcome, arguments.fail_on);
    Ok(match (no_lab, exit, prove_findings::exit(&outcome)) {
        (Some(no_lab), ..) => no_lab,
        (None, Exit::Ok, by_packets) => by_packets,
        (None, exit, _) => exit,
    })
}

/// Judges a source. Says what is wrong with its allowances, and gives nothing then.
fn judged(arguments: &LintArguments, source: &Sources, in_files: &[Allowance]) -> anyhow::Result<Option<Outcome>> {
    let _working = screen::working("checking groups and rules");
    let mut allowances = in_files.to_vec();
    let (mut platform, mut listeners, mut cures) = (Platform::default(), None, CureWords::OfSources);
    if let Some(own) = &source.own {
        platform = Platform::of(&own.cloud);
        listeners = Some(import::listeners_of(&own.cloud));
        cures = CureWords::Commands;
        let told = own.text.as_ref().map_or(Ok(Vec::new()), |text| in_comments(&text.name, &text.text));
        match told {
            Ok(comments) => allowances.extend(comments),
            Err(faults) => {
                faults.iter().for_each(|fault| screen::tell(&fault.to_string()));
                return Ok(None);
            }
        }
    }
    let ports = |all: &[u16]| all.iter().copied().map(Port).collect();
    let options = Options {
        profile: arguments.profile,
        convention: arguments.convention.clone(),
        platform,
        authorised: ports(&arguments.authorised),
        admin: ports(&arguments.admin_ports),
        cures,
        ..Options::default()
    };
    Ok(Some(lint(&source.account, &options, listeners.as_ref(), (&allowances, today()?))))
}

fn print(arguments: &LintArguments, outcome: &Outcome, style: Style) -> anyhow::Result<()> {
    let document = match (arguments.format, &outcome.fixes) {
        (LintFormat::Text, Some(fixes)) if arguments.dry_run => {
            // The difference alone, for `patch`.
            screen::tell(&format!("{}{}", text::fixes(outcome, style), verdict(outcome)));
            shown_lines(&fixes.diff).to_string()
        }
        (LintFormat::Text, _) => text::text(outcome, arguments.level, style),
        (LintFormat::Json, _) => json::json(outcome, arguments.level)?,
        (LintFormat::Sarif, _) => {
            let base = std::env::current_dir().ok();
            sarif::sarif(outcome, arguments.level, base.as_deref().and_then(std::path::Path::to_str))?
        }
    };
    Ok(stdout().write_all(document.as_bytes())?)
}

fn exit(outcome: &Outcome, FailOn(least): FailOn) -> Exit {
    let fails = least.zip(outcome.worst()).is_some_and(|(least, worst)| worst >= least);
    if fails { Exit::Differs } else { Exit::Ok }
}

/// Reads files of allowances. Says what is wrong with them, and gives nothing then.
fn in_files(paths: &[PathBuf]) -> anyhow::Result<Option<Vec<Allowance>>> {
    let mut all = Some(Vec::new());
    for path in paths {
        let content = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", told(path)))?;
        let read = screen::value_or_tell(import::allowances(&path.to_string_lossy(), Arc::from(content)));
        all = all.zip(read.and_then(of_words)).map(|(all, more)| [all, more].concat());
    }
    Ok(all)
}

/// Makes allowances of their words. Says what is wrong with them, and gives nothing then.
fn of_words(words: Vec<AllowanceWords>) -> Option<Vec<Allowance>> {
    let allowance = |AllowanceWords { check, resource, reason, until, place }: AllowanceWords| {
        let said = (check.as_str(), reason.as_str(), until.as_deref());
        screen::value_or_tell(Allowance::new(said, Scope::Resource(resource), &place))
    };
    // Every mistake is said, not the first alone.
    let all: Vec<Option<Allowance>> = words.into_iter().map(allowance).collect();
    all.into_iter().collect()
}

/// The day in UTC: the same on every machine of a team.
pub(super) fn today() -> anyhow::Result<Date> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?.as_secs();
    Ok(Date::of_days(u32::try_from(seconds / 86_400).unwrap_or(u32::MAX)))
}
