//! `sglab import`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use sglab::account::{Account, LeftOut};
use sglab::import::{Written, topology_of};
use sglab::outward::write;
use sglab::report::count;

use super::exported::exported;
use super::sources::{self, Reading, with_strangers};
use crate::cli::common::{Exit, typed};
use crate::cli::live::up::{self, BootArguments, UpArguments};
use crate::cli::output::stdout;
use crate::cli::outward::{self, To};
use crate::cli::{file, screen, sources as topologies};

/// `sglab import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab import dump/ -o shop.yaml && sglab test shop.yaml
      a folder of `aws ec2 describe-*` replies, on packets
  sglab import - --check < plan.json
      what is read of a plan as `terraform show -json` prints it, and what has no part in a lab
  sglab import plan.json --up --name shop
      a lab of it that stays up
  sglab import dump/ --test
      packets prove the table of what is open in it
  sglab import dump/ --to terraform > main.tf
      the account in a language of others
  sglab import --commands
      the read-only calls to make, and the policy that they need

All that is read and is not in the topology is listed, with its place and the reason. Of an account's names, those that a \
topology cannot have are changed, and the group's own name is kept beside them.")]
pub(crate) struct ImportArguments {
    /// Files, folders, `-` for standard input, `lab:NAME`; several make one cloud
    #[arg(required_unless_present = "commands", value_name = "SOURCE")]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Write the topology to this file, which must not be there yet, instead of the output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the cloud as others have it, and not as a topology
    #[arg(long, value_enum, default_value_t = To::Topology, value_name = "FORM", conflicts_with_all = ["check", "commands"])]
    pub to: To,
    /// Say what was read and what was left out, and write nothing
    #[arg(long, conflicts_with_all = ["output", "cloud_only"])]
    pub check: bool,
    /// Boot a lab of it that stays up, and write nothing
    #[arg(long, conflicts_with_all = ["output", "to", "check", "cloud_only"])]
    pub up: bool,
    /// Name of that lab; without it, that of the first source
    #[arg(long, value_name = "LAB", requires = "up")]
    pub name: Option<String>,
    /// Prove by packets what is open in it, as `sglab test --import` does, and write nothing
    #[arg(long, conflicts_with_all = ["output", "to", "check", "cloud_only", "up", "strict"])]
    pub test: bool,
    /// Write the cloud without a truth table of what is open in it today
    #[arg(long)]
    pub cloud_only: bool,
    /// Make every item that is left out an error
    #[arg(long)]
    pub strict: bool,
    /// Print the read-only calls of the AWS CLI whose replies are a source, and the smallest IAM policy for them
    #[arg(long, conflicts_with_all = ["sources", "output", "check", "strict", "cloud_only", "up", "test"])]
    pub commands: bool,
}

pub(super) fn run(arguments: &ImportArguments) -> anyhow::Result<Exit> {
    if arguments.commands {
        stdout().write_all(COMMANDS.as_bytes())?;
        return Ok(Exit::Ok);
    }
    let Some(account) = sources::read(&arguments.sources, &arguments.reading)? else { return Ok(Exit::BadInput) };
    let title = format!("Imported from {}.", arguments.sources.join(", "));
    if arguments.up {
        return boot(&account, arguments);
    }
    let _working = screen::working("writing what is read");
    let (body, more) = match arguments.to.form() {
        Some(form) => {
            let written = write(&account, form, &title);
            (Body::Others(written.text), written.left_out)
        }
        None => {
            let written = topology_of(&account);
            let left_out = written.left_out.clone();
            (Body::Topology(Box::new(written)), left_out)
        }
    };
    let is_whole = tell_missing(&account, &more, arguments);
    if !is_whole && !arguments.check {
        return Ok(Exit::BadInput);
    }
    if let (true, Body::Topology(written)) = (arguments.check, &body) {
        writeln!(stdout(), "{}", counts(&account, written.guessed))?;
    } else {
        let text = match body {
            Body::Others(text) => Some(text),
            Body::Topology(written) => text(&written, &title, arguments)?,
        };
        let Some(text) = text else { return Ok(Exit::BadInput) };
        file::write_new_or_out(arguments.output.as_deref(), text.as_bytes())?;
    }
    Ok(if is_whole { Exit::Ok } else { Exit::BadInput })
}

/// Says what is left out; returns false if `--strict` makes an error of it.
fn tell_missing(account: &Account, more: &[LeftOut], arguments: &ImportArguments) -> bool {
    // Items without a part in reach are listed by `--check` only.
    let missing = account.left_out.iter().chain(more).filter(|item| arguments.check || item.matters());
    let missing: Vec<LeftOut> = missing.cloned().collect();
    outward::tell(&missing);
    let is_whole = !(arguments.strict && missing.iter().any(LeftOut::matters));
    if !is_whole {
        screen::tell("error: something is left out, and `--strict` takes nothing but the whole");
    }
    is_whole
}

/// `sglab up` of the topology that the account is.
fn boot(account: &Account, arguments: &ImportArguments) -> anyhow::Result<Exit> {
    let written = topology_of(account);
    if !tell_missing(account, &written.left_out, arguments) {
        return Ok(Exit::BadInput);
    }
    let source = arguments.sources.first().map_or("", String::as_str);
    let stem = Path::new(source.rsplit(':').next().unwrap_or(source)).file_stem();
    let name = stem.map_or_else(|| "imported".into(), |stem| stem.to_string_lossy());
    let topology = topologies::value_or_tell(written.topology(&name, &written.stopping()));
    let Some(topology) = topology else { return Ok(Exit::BadInput) };
    let of_up: UpArguments = typed(&["up", source]);
    let boot = BootArguments { name: arguments.name.clone(), step: Some(topology.steps.len()), ..of_up.boot };
    up::start(&with_strangers(topology), &UpArguments { boot, ..of_up })
}

/// A text made of an account.
enum Body {
    Topology(Box<Written>),
    /// A text in the form of others.
    Others(String),
}

fn text(written: &Written, title: &str, arguments: &ImportArguments) -> anyhow::Result<Option<String>> {
    let Some(topology) = topologies::value_or_tell(written.builder.build()) else { return Ok(None) };
    let cloud_only = written.file(title, &written.builder.to_yaml());
    if arguments.cloud_only {
        return Ok(Some(cloud_only));
    }
    let _working = screen::working("judging what is open today, for the table (`--cloud-only` has none)");
    Ok(Some(exported(written, topology, title)?.unwrap_or_else(|error| {
        screen::tell(&format!("note: written without a table: {error}"));
        cloud_only
    })))
}

fn counts(account: &Account, guessed: usize) -> String {
    let unknown = account.rules().filter(|rule| rule.is_unknown()).count();
    format!(
        "{}, {}, {} with {} ({unknown} unknown), {}, {}, {} guessed",
        count(account.vpcs.len(), "VPC"),
        count(account.subnets.len(), "subnet"),
        count(account.groups.len(), "group"),
        count(account.rules().count(), "rule"),
        count(account.interfaces.len(), "interface"),
        count(account.prefix_lists.len(), "prefix list"),
        count(guessed, "service")
    )
}

/// Calls whose replies are a source, and what may make them.
const COMMANDS: &str = r#"# Each reply into a file of one folder, which is a source: sglab import dump/. One folder for each account and region.
mkdir -p dump
aws ec2 describe-vpcs > dump/vpcs.json
aws ec2 describe-subnets > dump/subnets.json
aws ec2 describe-security-groups > dump/groups.json
aws ec2 describe-instances > dump/instances.json
aws ec2 describe-network-interfaces > dump/interfaces.json
aws ec2 describe-managed-prefix-lists > dump/prefix-lists.json
for id in $(aws ec2 describe-managed-prefix-lists --query 'PrefixLists[].PrefixListId' --output text); do
  aws ec2 get-managed-prefix-list-entries --prefix-list-id "$id" \
    --query "{PrefixLists: [{PrefixListId: '$id', Entries: Entries}]}" > "dump/$id.json"
done
aws ec2 describe-route-tables > dump/route-tables.json
aws ec2 describe-network-acls > dump/network-acls.json

# The smallest IAM policy for them:
# {
#   "Version": "2012-10-17",
#   "Statement": [{
#     "Effect": "Allow",
#     "Action": [
#       "ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeInstances",
#       "ec2:DescribeNetworkInterfaces", "ec2:DescribeManagedPrefixLists", "ec2:GetManagedPrefixListEntries",
#       "ec2:DescribeRouteTables", "ec2:DescribeNetworkAcls"
#     ],
#     "Resource": "*"
#   }]
# }
"#;
