//! EC2's operations on a lab that is up, each in the words of a file's `do:`.

use std::io::{Write, stdout};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use sglab::model::{Direction, GroupName, Operation, Permission};
use sglab::protocol::{Reply, Request, State};
use sglab::report::live::{self, AppliedView};
use sglab::scenario::FilesFrom;
use sglab::topology::{Problems, read_operations_beside, read_rules};

use super::speak;
use super::speak::Invalid;
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
    rules: Vec<String>,
    /// For what goes out: 'tcp 443 to anywhere'
    #[arg(long)]
    egress: bool,
    #[command(flatten)]
    common: Common,
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
    /// Its subnet
    #[arg(long, value_name = "SUBNET")]
    subnet: Option<String>,
    /// Its private address, or `web1.previous`
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
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
    rules: Vec<String>,
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
  sglab authorize DB --egress 'tcp 443 to anywhere'")]
    Authorize(Rules),
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
    let read = |state: &State| Ok((Request::Apply { operations: wanted.read(state)?, at: Some(state.revision) }, ()));
    let (reply, state, ()) = match speak::ask_at(&common.which, read)? {
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
        Reply::Refused { operation, refusal } => speak::refused(&operation, &refusal, &state.cloud, common.format),
        other => speak::otherwise(other),
    }
}

/// Operations as they were typed.
enum Wanted {
    /// Rules of a group, perhaps with a description.
    Rules {
        group: String,
        rules: Vec<String>,
        description: Option<String>,
        direction: Direction,
        make: fn(GroupName, Vec<Permission>) -> Operation,
    },
    /// A group that is created with these rules.
    Group { name: String, rules: Vec<String>, fields: serde_json::Map<String, Value> },
    /// The words of a `do:`.
    Words(String),
}

impl Wanted {
    /// Reads them for the cloud of a lab.
    fn read(&self, state: &State) -> Result<Vec<Operation>, Invalid> {
        match self {
            Self::Rules { group, rules, description, direction, make } => {
                let read = |rules: &[String]| read_rules(&state.cloud, group, *direction, rules);
                let (group, mut permissions) = quoted(rules, read)?;
                permissions.iter_mut().for_each(|rule| rule.description.clone_from(description));
                Ok(vec![make(group, permissions)])
            }
            Self::Group { name, rules, fields } => quoted(rules, |rules| {
                let mut fields = fields.clone();
                fields.insert("ingress".to_owned(), json!(rules));
                read_words(state, &json!({ "create-group": { name: fields } }).to_string())
            }),
            Self::Words(words) => Ok(read_words(state, words)?),
        }
    }
}

fn read_words(state: &State, words: &str) -> Result<Vec<Operation>, Problems> {
    let folder = FilesFrom::folder(state.folder.as_deref());
    let operations = read_operations_beside(&state.cloud, words, &folder)?;
    Ok(operations.into_iter().map(|placed| placed.value).collect())
}

/// Reads rules. Of one that a shell has taken apart, since it stood in no quotes, the words are no rules each: that is said, or what is
/// wrong with it as a whole.
fn quoted<T>(rules: &[String], read: impl Fn(&[String]) -> Result<T, Problems>) -> Result<T, Invalid> {
    let is_apart = rules.len() > 1 && rules.iter().all(|word| !word.contains(char::is_whitespace));
    match read(rules) {
        Err(_) if is_apart => {
            let whole = rules.join(" ");
            read(std::slice::from_ref(&whole))?;
            Err(Invalid::new(&format!("a rule is one argument, in quotes: '{whole}'")))
        }
        read => Ok(read?),
    }
}

fn rules_of(arguments: Rules, [ingress, egress]: [fn(GroupName, Vec<Permission>) -> Operation; 2]) -> (Wanted, Common) {
    let Rules { group, rules, egress: is_egress, common } = arguments;
    let (direction, make) = if is_egress { (Direction::Egress, egress) } else { (Direction::Ingress, ingress) };
    (Wanted::Rules { group, rules, description: None, direction, make }, common)
}

/// Takes a command apart. JSON is YAML, and quotes what needs quotes.
fn wanted(command: OperationCommand) -> (Wanted, Common) {
    use OperationCommand as Command;
    let entry = |verb: &str, value: Value| json!({ verb: value }).to_string();
    let under = |verb: &str, key: &str, value: Value| json!({ verb: { key: value } }).to_string();
    let instances = |verb, Instances { instances, common }| (entry(verb, json!(instances)), common);
    let names = |verb, Names { names, common }| (entry(verb, json!(names)), common);
    let (words, common) = match command {
        Command::Authorize(rules) => {
            return rules_of(rules, [Operation::AuthorizeIngress, Operation::AuthorizeEgress]);
        }
        Command::Revoke(rules) => return rules_of(rules, [Operation::RevokeIngress, Operation::RevokeEgress]),
        Command::UpdateDescription(UpdateDescription { rules, description: text }) => {
            let (mut wanted, common) =
                rules_of(rules, [Operation::UpdateDescription, Operation::UpdateDescriptionEgress]);
            if let Wanted::Rules { description, .. } = &mut wanted {
                *description = Some(text);
            }
            return (wanted, common);
        }
        Command::Launch(launch) => {
            let mut fields = serde_json::Map::new();
            let mut say = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
            if !launch.group.is_empty() {
                say("groups", json!(launch.group));
            }
            if !launch.listens.is_empty() {
                say("listens", json!(launch.listens));
            }
            if let Some(subnet) = launch.subnet {
                say("subnet", json!(subnet));
            }
            if let Some(address) = launch.address {
                say("address", json!(address));
            }
            if launch.no_public {
                say("public", json!("no"));
            }
            (under("launch", &launch.instance, fields.into()), launch.common)
        }
        Command::Stop(arguments) => instances("stop", arguments),
        Command::Start(arguments) => instances("start", arguments),
        Command::Reboot(arguments) => instances("reboot", arguments),
        Command::Crash(arguments) => instances("crash", arguments),
        Command::Terminate(arguments) => instances("terminate", arguments),
        Command::CreateGroup(group) => {
            let mut fields = serde_json::Map::new();
            fields.extend(group.group_name.map(|name| ("name".to_owned(), json!(name))));
            fields.extend(group.description.map(|text| ("description".to_owned(), json!(text))));
            fields.extend(group.vpc.map(|vpc| ("vpc".to_owned(), json!(vpc))));
            return (Wanted::Group { name: group.group, rules: group.rules, fields }, group.common);
        }
        Command::DeleteGroup(arguments) => names("delete-group", arguments),
        Command::SetGroups(SetGroups { instance, groups, common }) => {
            (under("set-groups", &instance, json!(groups)), common)
        }
        Command::AllocateAddress(arguments) => names("allocate-address", arguments),
        Command::AssociateAddress(AssociateAddress { elastic_ip, instance, no_reassociation, common }) => {
            let to = match no_reassociation {
                true => json!({ "instance": instance, "allow-reassociation": "no" }),
                false => json!(instance),
            };
            (under("associate-address", &elastic_ip, to), common)
        }
        Command::DisassociateAddress(arguments) => names("disassociate-address", arguments),
        Command::ReleaseAddress(arguments) => names("release-address", arguments),
        Command::AttachInterface(AttachInterface { instance, device, group, subnet, common }) => {
            let mut fields = serde_json::Map::new();
            fields.insert("groups".to_owned(), json!(group));
            fields.extend(subnet.map(|subnet| ("subnet".to_owned(), json!(subnet))));
            (under("attach-interface", &instance, json!({ device: fields })), common)
        }
        Command::DetachInterface(arguments) => names("detach-interface", arguments),
        Command::SourceDestCheck(SourceDestCheck { instance, check, common }) => {
            let check = match check {
                Switch::On => "on",
                Switch::Off => "off",
            };
            (under("source-dest-check", &instance, json!(check)), common)
        }
        Command::EditPrefixList(EditPrefixList { list, add, remove, common }) => {
            let mut fields = serde_json::Map::new();
            for (key, entries) in [("add", add), ("remove", remove)] {
                if !entries.is_empty() {
                    fields.insert(key.to_owned(), json!(entries));
                }
            }
            (under("edit-prefix-list", &list, fields.into()), common)
        }
        Command::RegisterInstances(Registrations { balancer, instances, common }) => {
            (under("register-instances", &balancer, json!(instances)), common)
        }
        Command::DeregisterInstances(Registrations { balancer, instances, common }) => {
            (under("deregister-instances", &balancer, json!(instances)), common)
        }
        Command::Apply(Apply { operations, common }) => (operations, common),
    };
    (Wanted::Words(words), common)
}
