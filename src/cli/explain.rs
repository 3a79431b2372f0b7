//! `sglab explain`.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use sglab::model::{Era, Via};
use sglab::report::Style;
use sglab::report::explain::{self, Moment};
use sglab::scenario::{cells, predict};
use sglab::topology::{FlowPattern, TypedFlow};

use super::common::{self, Exit, LabChoice, PlainFormat, When, no_step, told};
use super::output::stdout;
use super::{live, screen, sources};

/// `sglab explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab explain two-tier.yaml 'web1 -> db1:3306'
  sglab explain two-tier.yaml --step 4 'office -> web1:22'
  sglab explain self-trust.yaml 'db1 -> db2:3306 by dns name' --era classic
  sglab explain two-tier.yaml 'any -> db1:ping' --format json
  sglab explain web1 db1:3306
      on a lab that is up: the prediction, then a real probe and what the filters recorded
  sglab explain 'web1 -> db1:3306 by public address'

A flow is written as in a topology file; a group or `any` explains each flow that it means. Of a file, no packet is sent. \
It is a file that is meant where a flow with an arrow follows, or where the name ends in .yaml or .yml, has a `/` \
or begins with `example:`.

Exit codes: 0 explained, whatever the verdict, 2 bad input; on a lab that is up also 1 where model and packets say different things, 4 where \
one of them proves nothing.")]
pub(crate) struct ExplainArguments {
    /// A topology file or a built-in one; on a lab that is up, the source, or the whole flow
    #[arg(value_name = "FILE|example:NAME|FROM")]
    pub subject: String,
    /// The flow, as in a topology file; on a lab that is up, the destination and its port
    #[arg(value_name = "FLOW|TO:PORT")]
    pub flow: Option<String>,
    /// By which address of the receiver, on a lab that is up
    #[arg(long, value_enum, value_name = "ADDRESS", conflicts_with_all = ["step", "era"])]
    pub by: Option<Via>,
    #[command(flatten)]
    pub which: LabChoice,
    /// After the operations of this step; without it, as launched
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<Era>,
    /// How to print the explanation
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    /// When to colour
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub color: When,
}

pub(super) fn run(arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let color = arguments.format == PlainFormat::Text && screen::wanted(arguments.color, stdout().is_terminal());
    let style = Style { color, width: screen::width_of(&stdout()), ..Style::default() };
    let (file, written) = match subject(arguments) {
        Subject::File(file, flow) => (file, flow),
        Subject::Lab(flow) => return live::explain::run(&arguments.which, &flow, arguments.format, style),
        Subject::Neither(why) => bail!("{why}"),
    };
    let Some(topology) = sources::read_cloud(file)? else { return Ok(Exit::BadInput) };
    let step = arguments.step.unwrap_or(0);
    if step > topology.steps.len() {
        bail!("{}", no_step(&topology, step));
    }
    let era = arguments.era.unwrap_or(topology.eras[0]);
    let flow = TypedFlow::new(written);
    let mut cloud = flow.with_synthetic_hosts(&predict::cloud_at(&topology, era, step)?).into_owned();
    let pattern = sources::value_or_tell(FlowPattern::parse(written, &cloud));
    let Some(pattern) = pattern else { return Ok(Exit::BadInput) };
    // The file made no address outside that it does not name.
    if pattern.hosts().any(|host| !cloud.hosts.contains_key(host)) {
        let whole = predict::cloud_at(&topology.clone().with_outside(pattern.hosts()), era, step)?;
        cloud = flow.with_synthetic_hosts(&whole).into_owned();
    }
    let flows = match cells::meant(&pattern, None, &cloud) {
        Ok(flows) => flows,
        Err(why) => bail!("{why}"),
    };
    let explanations: Vec<_> = flows.iter().map(|flow| explain::explain(&cloud, flow)).collect();
    let peers = match cells::peers(&pattern, &cloud) {
        Ok(peers) => peers,
        Err(why) => bail!("{why}"),
    };
    let together: Vec<_> = peers.iter().filter_map(|peers| explain::together(&cloud, peers)).collect();
    let name = topology.steps.get(step.wrapping_sub(1)).map(|step| step.name.as_str());
    let moment = Moment { file: &topology.file, era, step, name };
    let told = match arguments.format {
        PlainFormat::Json => explain::json(moment, &explanations, &together)?,
        PlainFormat::Text => explain::text(moment, &explanations, &together, style),
    };
    stdout().write_all(told.as_bytes())?;
    Ok(Exit::Ok)
}

/// Subject of the explanation, by the form of the words alone: whatever files and labs there are, the same words mean the same.
enum Subject<'a> {
    /// A flow of a file.
    File(&'a str, &'a str),
    /// A flow of a lab that is up.
    Lab(Box<TypedFlow>),
    /// Neither of them, with the reason.
    Neither(String),
}

fn subject(arguments: &ExplainArguments) -> Subject<'_> {
    let ExplainArguments { subject, flow, by, .. } = arguments;
    let is_flow = |words: &str| words.contains("->");
    let is_file = |word: &str| !is_flow(word) && common::is_file(word);
    let of_file = |flow| match (by, &arguments.which.name) {
        (None, None) => Subject::File(subject, flow),
        _ => Subject::Neither("--by and --name are for a lab that is up, and not for a file".to_owned()),
    };
    match flow.as_deref() {
        Some(flow) if is_file(subject) || is_flow(flow) && !is_flow(subject) => of_file(flow),
        None if is_file(subject) => {
            Subject::Neither(format!("which flow of {}? `'web1 -> db1:3306'` is one", told(subject)))
        }
        None if !is_flow(subject) => Subject::Neither(format!("`{subject}` is no flow, such as `'web1 -> db1:3306'`")),
        Some(_) if is_flow(subject) => Subject::Neither("that is one flow too many, or a file too few".to_owned()),
        _ if arguments.step.is_some() || arguments.era.is_some() => {
            Subject::Neither("--step and --era are for a file, and not for a lab that is up".to_owned())
        }
        to => Subject::Lab(Box::new(common::flow(subject, to, *by))),
    }
}
