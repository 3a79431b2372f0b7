//! EC2's operations on a lab that is up, each in the words of a file's `do:`.

use std::io::{Write, stdout};

use clap::{Args, Subcommand, ValueEnum};
use sglab::model::{AutomaticPublic, Direction, Operation, Reassociation};
use sglab::protocol::{Reply, Request, State};
use sglab::report::live::{self, AppliedView};
use sglab::scenario::FilesFrom;
use sglab::topology::{
    Problems, Typed, TypedGroup, TypedInterface, TypedLaunch, TypedRule, TypedRules, read_operations_beside,
};

use super::session;
use super::session::Invalid;
use crate::cli::common::{Exit, PlainFormat, Which};
use crate::cli::screen;

/// What is common to them.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    which: Which,
    /// How to print what has changed
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    format: PlainFormat,
}

/// One instance or several.
#[derive(Debug, Args)]
pub(crate) struct Instances {
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    instances: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Rules of a group.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// The security group
    #[arg(value_name = "GROUP")]
    group: String,
    /// The rules, such as 'tcp 3306 from WEB'; all of them or none
    #[arg(required = true, value_name = "RULE")]
    rules: Vec<TypedRule>,
    /// For what goes out: 'tcp 443 to anywhere'
    #[arg(long)]
    egress: bool,
    #[command(flatten)]
    common: Common,
}

/// `sglab authorize`.
#[derive(Debug, Args)]
pub(crate) struct Authorize {
    #[command(flatten)]
    rules: Rules,
    /// A description of the rules, for each of them
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// `sglab update-description`.
#[derive(Debug, Args)]
pub(crate) struct UpdateDescription {
    #[command(flatten)]
    rules: Rules,
    /// The new description; '' removes it
    #[arg(long, value_name = "TEXT")]
    description: String,
}

/// Names of one kind.
#[derive(Debug, Args)]
pub(crate) struct Names {
    /// The names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// `sglab launch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab launch web3 --group WEB --group ADMIN --listens 'tcp 80'
  sglab launch stranger --group OTHER --address web1.previous")]
pub(crate) struct Launch {
    /// The new instance
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// Its security groups; without any, `default`
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// What answers on it
    #[arg(long, value_name = "PORT")]
    listens: Vec<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    vpc: Option<String>,
    /// Its subnet
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,
    /// Its private address, or `web1.previous`
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// With a public address, also in a subnet that gives none
    #[arg(long, conflicts_with = "no_public")]
    public: bool,
    /// Without a public address
    #[arg(long)]
    no_public: bool,
    #[command(flatten)]
    common: Common,
}

/// `sglab create-group`.
#[derive(Debug, Args)]
pub(crate) struct CreateGroup {
    /// The new group
    #[arg(value_name = "GROUP")]
    group: String,
    /// Its rules for what comes in
    #[arg(value_name = "RULE")]
    rules: Vec<TypedRule>,
    /// The name that EC2 has of it, if that is to be another
    #[arg(long, value_name = "NAME")]
    group_name: Option<String>,
    /// A free text
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    vpc: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `sglab set-groups`.
#[derive(Debug, Args)]
pub(crate) struct SetGroups {
    /// The instance, or an interface such as `web1.eth1`
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// All of its groups from now on
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// `sglab associate-address`.
#[derive(Debug, Args)]
pub(crate) struct AssociateAddress {
    /// The Elastic IP
    #[arg(value_name = "ELASTIC-IP")]
    elastic_ip: String,
    /// The instance, or an interface such as `web1.eth1`
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// Refuse to take it from another instance
    #[arg(long)]
    no_reassociation: bool,
    #[command(flatten)]
    common: Common,
}

/// `sglab attach-interface`.
#[derive(Debug, Args)]
pub(crate) struct AttachInterface {
    /// The instance
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// The device, `eth1` or higher
    #[arg(value_name = "DEVICE")]
    device: String,
    /// Its security groups
    #[arg(long, required = true, value_name = "GROUP")]
    group: Vec<String>,
    /// Its subnet
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// It checks
    On,
    /// It passes on what is not its own
    Off,
}

/// `sglab source-dest-check`.
#[derive(Debug, Args)]
pub(crate) struct SourceDestCheck {
    /// The instance, or an interface such as `web1.eth1`
    #[arg(value_name = "INSTANCE")]
    instance: String,
    /// Whether it checks
    #[arg(value_enum)]
    check: Switch,
    #[command(flatten)]
    common: Common,
}

/// `sglab edit-prefix-list`.
#[derive(Debug, Args)]
pub(crate) struct EditPrefixList {
    /// The prefix list
    #[arg(value_name = "PREFIX-LIST")]
    list: String,
    /// Entries that it gets
    #[arg(long, value_name = "BLOCK")]
    add: Vec<String>,
    /// Entries that it loses
    #[arg(long, value_name = "BLOCK")]
    remove: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// `sglab register-instances` and `deregister-instances`.
#[derive(Debug, Args)]
pub(crate) struct Registrations {
    /// The load balancer
    #[arg(value_name = "LOAD-BALANCER")]
    balancer: String,
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    instances: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// `sglab apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab apply '[{stop: web1}, {start: web1}]'")]
pub(crate) struct Apply {
    /// What a step's `do:` says
    #[arg(value_name = "OPERATIONS")]
    operations: String,
    #[command(flatten)]
    common: Common,
}

/// The operations.
#[derive(Debug, Subcommand)]
pub(crate) enum OperationCommand {
    /// Launch an instance
    Launch(Launch),
    /// Stop instances
    #[command(after_help = "\
Examples:
  sglab stop web1 web2")]
    Stop(Instances),
    /// Start instances, crashed ones too
    #[command(after_help = "\
Examples:
  sglab start web1")]
    Start(Instances),
    /// Reboot instances: every address is kept
    #[command(after_help = "\
Examples:
  sglab reboot web1")]
    Reboot(Instances),
    /// Let the operating system of instances die
    #[command(after_help = "\
Examples:
  sglab crash db1")]
    Crash(Instances),
    /// Terminate instances
    #[command(after_help = "\
Examples:
  sglab terminate web1")]
    Terminate(Instances),
    /// Add rules to a security group
    #[command(after_help = "\
Examples:
  sglab authorize DB 'tcp 3306 from WEB'
  sglab authorize DB 'tcp 22 from office' 'icmp echo from anywhere'
  sglab authorize DB --egress 'tcp 443 to anywhere'
  sglab authorize DB 'tcp 22 from office' --description admins")]
    Authorize(Authorize),
    /// Remove rules from a security group
    #[command(after_help = "\
Examples:
  sglab revoke DB 'tcp 3306 from WEB'")]
    Revoke(Rules),
    /// Describe rules of a security group anew; no packet meets another rule
    #[command(after_help = "\
Examples:
  sglab update-description DB 'tcp 3306 from WEB' --description queries
  sglab update-description DB --egress 'all to anywhere' --description ''")]
    UpdateDescription(UpdateDescription),
    /// Create a security group
    #[command(after_help = "\
Examples:
  sglab create-group CACHE 'tcp 6379 from WEB'
  sglab create-group CACHE --group-name 'caches (eu-west)' 'tcp 6379 from WEB'")]
    CreateGroup(CreateGroup),
    /// Delete security groups
    #[command(after_help = "\
Examples:
  sglab delete-group CACHE")]
    DeleteGroup(Names),
    /// Replace the security groups of an instance
    #[command(after_help = "\
Examples:
  sglab set-groups web1 WEB ADMIN")]
    SetGroups(SetGroups),
    /// Allocate Elastic IPs under names of your own
    #[command(after_help = "\
Examples:
  sglab allocate-address eip-web")]
    AllocateAddress(Names),
    /// Associate an Elastic IP with an instance
    #[command(after_help = "\
Examples:
  sglab associate-address eip-web web1
  sglab associate-address eip-web web1.eth1 --no-reassociation")]
    AssociateAddress(AssociateAddress),
    /// Take Elastic IPs from whoever has them
    #[command(after_help = "\
Examples:
  sglab disassociate-address eip-web")]
    DisassociateAddress(Names),
    /// Give Elastic IPs back
    #[command(after_help = "\
Examples:
  sglab release-address eip-web")]
    ReleaseAddress(Names),
    /// Give an instance another interface
    #[command(after_help = "\
Examples:
  sglab attach-interface web1 eth1 --group ADMIN --subnet b")]
    AttachInterface(AttachInterface),
    /// Take interfaces such as `web1.eth1` away
    #[command(after_help = "\
Examples:
  sglab detach-interface web1.eth1")]
    DetachInterface(Names),
    /// Switch the check of source and destination
    #[command(after_help = "\
Examples:
  sglab source-dest-check nat off")]
    SourceDestCheck(SourceDestCheck),
    /// Change the entries of a prefix list
    #[command(after_help = "\
Examples:
  sglab edit-prefix-list partners --add 192.0.2.0/25 --remove 198.51.100.7")]
    EditPrefixList(EditPrefixList),
    /// Register instances with a load balancer
    #[command(after_help = "\
Examples:
  sglab register-instances site web1 web2")]
    RegisterInstances(Registrations),
    /// Take instances out from behind a load balancer
    #[command(after_help = "\
Examples:
  sglab deregister-instances site web1")]
    DeregisterInstances(Registrations),
    /// Carry out operations in the words of a topology file
    Apply(Apply),
}

pub(in crate::cli) fn run(command: OperationCommand) -> anyhow::Result<Exit> {
    let (wanted, common) = wanted(command);
    let alone = || wanted.check();
    let read = |state: &State| Ok((Request::Apply { operations: wanted.read(state)?, at: Some(state.revision) }, ()));
    let (reply, state, ()) = match session::ask_at(&common.which, alone, read)? {
        Ok(answered) => answered,
        Err(invalid) => return Ok(invalid.say()),
    };
    match reply {
        Reply::Applied(done) => {
            match common.format {
                PlainFormat::Text => stdout().write_all(screen::fit(&stdout(), &live::applied(&done)).as_bytes())?,
                PlainFormat::Json => {
                    let done: Vec<AppliedView> = done.iter().map(AppliedView::of).collect();
                    writeln!(stdout(), "{}", serde_json::to_string_pretty(&done)?)?;
                }
            }
            Ok(Exit::Ok)
        }
        Reply::Refused { operation, refusal } => session::refused(&operation, &refusal, &state.cloud, common.format),
        other => session::unexpected_reply(other),
    }
}

/// Operations as they were typed.
enum Wanted {
    /// One, in arguments.
    Typed(Typed),
    /// The words of a `do:`.
    Words(String),
}

impl Wanted {
    /// What is wrong whatever lab is meant.
    fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, Typed::check),
            Self::Words(_) => Ok(()),
        }
    }

    /// Reads them for the cloud of a lab.
    fn read(&self, state: &State) -> Result<Vec<Operation>, Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, |typed| typed.read(&state.cloud)),
            Self::Words(words) => {
                let folder = FilesFrom::folder(state.folder.as_deref());
                let operations = read_operations_beside(&state.cloud, words, &folder)?;
                Ok(operations.into_iter().map(|placed| placed.value).collect())
            }
        }
    }
}

/// Reads rules. Of one that a shell has taken apart, since it stood in no quotes, the words are no rules each: that is said, or what is
/// wrong with it as a whole.
fn quoted<T>(typed: &Typed, read: impl Fn(&Typed) -> Result<T, Problems>) -> Result<T, Invalid> {
    match (read(typed), typed.with_one_rule()) {
        (Err(_), Some((rule, whole))) => {
            read(&whole)?;
            Err(Invalid::new(&format!("a rule is one argument, in quotes: '{rule}'")))
        }
        (read, _) => Ok(read?),
    }
}

fn rules_of(arguments: Rules, description: Option<String>) -> (TypedRules, Common) {
    let Rules { group, rules, egress, common } = arguments;
    let direction = if egress { Direction::Egress } else { Direction::Ingress };
    (TypedRules { group, direction, rules, description }, common)
}

/// Takes a command apart.
fn wanted(command: OperationCommand) -> (Wanted, Common) {
    use OperationCommand as Command;
    let rules = |make: fn(TypedRules) -> Typed, arguments, description| {
        let (rules, common) = rules_of(arguments, description);
        (make(rules), common)
    };
    let instances = |make: fn(Vec<String>) -> Typed, Instances { instances, common }| (make(instances), common);
    let names = |make: fn(Vec<String>) -> Typed, Names { names, common }| (make(names), common);
    let (typed, common) = match command {
        Command::Authorize(Authorize { rules: arguments, description }) => {
            rules(Typed::Authorize, arguments, description)
        }
        Command::Revoke(arguments) => rules(Typed::Revoke, arguments, None),
        Command::UpdateDescription(UpdateDescription { rules: arguments, description }) => {
            rules(Typed::UpdateDescription, arguments, Some(description))
        }
        Command::Launch(Launch { instance, group, listens, vpc, subnet, address, public, no_public, common }) => {
            let public = match (public, no_public) {
                (true, _) => Some(AutomaticPublic::Given),
                (false, true) => Some(AutomaticPublic::None),
                (false, false) => None,
            };
            let launch = TypedLaunch { instance, groups: group, listens, vpc, subnet, address, public };
            (Typed::Launch(launch), common)
        }
        Command::Stop(arguments) => instances(Typed::Stop, arguments),
        Command::Start(arguments) => instances(Typed::Start, arguments),
        Command::Reboot(arguments) => instances(Typed::Reboot, arguments),
        Command::Crash(arguments) => instances(Typed::Crash, arguments),
        Command::Terminate(arguments) => instances(Typed::Terminate, arguments),
        Command::CreateGroup(CreateGroup { group, rules, group_name: name, description, vpc, common }) => {
            (Typed::CreateGroup(TypedGroup { group, rules, name, description, vpc }), common)
        }
        Command::DeleteGroup(arguments) => names(Typed::DeleteGroup, arguments),
        Command::SetGroups(SetGroups { instance, groups, common }) => {
            (Typed::SetGroups { target: instance, groups }, common)
        }
        Command::AllocateAddress(arguments) => names(Typed::AllocateAddress, arguments),
        Command::AssociateAddress(AssociateAddress { elastic_ip, instance, no_reassociation, common }) => {
            let reassociation = if no_reassociation { Reassociation::Refused } else { Reassociation::Allowed };
            (Typed::AssociateAddress { elastic_ip, to: instance, reassociation }, common)
        }
        Command::DisassociateAddress(arguments) => names(Typed::DisassociateAddress, arguments),
        Command::ReleaseAddress(arguments) => names(Typed::ReleaseAddress, arguments),
        Command::AttachInterface(AttachInterface { instance, device, group, subnet, common }) => {
            (Typed::AttachInterface(TypedInterface { instance, device, groups: group, subnet }), common)
        }
        Command::DetachInterface(arguments) => names(Typed::DetachInterface, arguments),
        Command::SourceDestCheck(arguments) => {
            let check = match arguments.check {
                Switch::On => sglab::model::SourceDestCheck::On,
                Switch::Off => sglab::model::SourceDestCheck::Off,
            };
            (Typed::SourceDestCheck { target: arguments.instance, check }, arguments.common)
        }
        Command::EditPrefixList(EditPrefixList { list, add, remove, common }) => {
            (Typed::EditPrefixList { list, add, remove }, common)
        }
        Command::RegisterInstances(Registrations { balancer, instances, common }) => {
            (Typed::RegisterInstances { balancer, instances }, common)
        }
        Command::DeregisterInstances(Registrations { balancer, instances, common }) => {
            (Typed::DeregisterInstances { balancer, instances }, common)
        }
        Command::Apply(Apply { operations, common }) => return (Wanted::Words(operations), common),
    };
    (Wanted::Typed(typed), common)
}
