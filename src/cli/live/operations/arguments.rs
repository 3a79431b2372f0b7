//! Arguments of the operations.

use clap::{Args, Subcommand, ValueEnum};
use sglab::topology::TypedRule;

use crate::cli::common::{LabChoice, PlainFormat};

/// Arguments that all operations have.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(super) which: LabChoice,
    /// How to print what has changed
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub(super) format: PlainFormat,
}

/// One instance or several.
#[derive(Debug, Args)]
pub(crate) struct Instances {
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    pub(super) instances: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Rules of a group.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// The security group
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    /// The rules, such as 'tcp 3306 from WEB'; all of them or none
    #[arg(required = true, value_name = "RULE")]
    pub(super) rules: Vec<TypedRule>,
    /// For what goes out: 'tcp 443 to anywhere'
    #[arg(long)]
    pub(super) egress: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab authorize`.
#[derive(Debug, Args)]
pub(crate) struct Authorize {
    #[command(flatten)]
    pub(super) rules: Rules,
    /// A description of the rules, for each of them
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
}

/// `sglab update-description`.
#[derive(Debug, Args)]
pub(crate) struct UpdateDescription {
    #[command(flatten)]
    pub(super) rules: Rules,
    /// The new description; '' removes it
    #[arg(long, value_name = "TEXT")]
    pub(super) description: String,
}

/// Names of one kind.
#[derive(Debug, Args)]
pub(crate) struct Names {
    /// The names
    #[arg(required = true, value_name = "NAME")]
    pub(super) names: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
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
    pub(super) instance: String,
    /// Its security groups; without any, `default`
    #[arg(long, value_name = "GROUP")]
    pub(super) group: Vec<String>,
    /// What answers on it
    #[arg(long, value_name = "PORT")]
    pub(super) listens: Vec<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    pub(super) vpc: Option<String>,
    /// Its subnet
    #[arg(long, value_name = "SUBNET")]
    pub(super) subnet: Option<String>,
    /// Its private address, or `web1.previous`
    #[arg(long, value_name = "ADDRESS")]
    pub(super) address: Option<String>,
    /// With a public address, also in a subnet that gives none
    #[arg(long, conflicts_with = "no_public")]
    pub(super) public: bool,
    /// Without a public address
    #[arg(long)]
    pub(super) no_public: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab create-group`.
#[derive(Debug, Args)]
pub(crate) struct CreateGroup {
    /// The new group
    #[arg(value_name = "GROUP")]
    pub(super) group: String,
    /// Its rules for what comes in
    #[arg(value_name = "RULE")]
    pub(super) rules: Vec<TypedRule>,
    /// The name that EC2 has of it, if that is to be another
    #[arg(long, value_name = "NAME")]
    pub(super) group_name: Option<String>,
    /// A free text
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    pub(super) vpc: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab set-groups`.
#[derive(Debug, Args)]
pub(crate) struct SetGroups {
    /// The instance, or an interface such as `web1.eth1`
    #[arg(value_name = "INSTANCE")]
    pub(super) instance: String,
    /// All of its groups from now on
    #[arg(required = true, value_name = "GROUP")]
    pub(super) groups: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab associate-address`.
#[derive(Debug, Args)]
pub(crate) struct AssociateAddress {
    /// The Elastic IP
    #[arg(value_name = "ELASTIC-IP")]
    pub(super) elastic_ip: String,
    /// The instance, or an interface such as `web1.eth1`
    #[arg(value_name = "INSTANCE")]
    pub(super) instance: String,
    /// Refuse to take it from another instance
    #[arg(long)]
    pub(super) no_reassociation: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab attach-interface`.
#[derive(Debug, Args)]
pub(crate) struct AttachInterface {
    /// The instance
    #[arg(value_name = "INSTANCE")]
    pub(super) instance: String,
    /// The device, `eth1` or higher
    #[arg(value_name = "DEVICE")]
    pub(super) device: String,
    /// Its security groups
    #[arg(long, required = true, value_name = "GROUP")]
    pub(super) group: Vec<String>,
    /// Its subnet
    #[arg(long, value_name = "SUBNET")]
    pub(super) subnet: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
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
    pub(super) instance: String,
    /// Whether it checks
    #[arg(value_enum)]
    pub(super) check: Switch,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab edit-prefix-list`.
#[derive(Debug, Args)]
pub(crate) struct EditPrefixList {
    /// The prefix list
    #[arg(value_name = "PREFIX-LIST")]
    pub(super) list: String,
    /// Entries that it gets
    #[arg(long, value_name = "BLOCK")]
    pub(super) add: Vec<String>,
    /// Entries that it loses
    #[arg(long, value_name = "BLOCK")]
    pub(super) remove: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab register-instances` and `deregister-instances`.
#[derive(Debug, Args)]
pub(crate) struct Registrations {
    /// The load balancer
    #[arg(value_name = "LOAD-BALANCER")]
    pub(super) balancer: String,
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    pub(super) instances: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `sglab apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab apply '[{stop: web1}, {start: web1}]'")]
pub(crate) struct Apply {
    /// What a step's `do:` says
    #[arg(value_name = "OPERATIONS")]
    pub(super) operations: String,
    #[command(flatten)]
    pub(super) common: Common,
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
    /// Crash instances, as a kernel panic does
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
    /// Change the descriptions of rules; traffic is not affected
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
    /// Switch the source/destination check on or off
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
    /// Carry out operations as a topology file has them under `do:`
    Apply(Apply),
}
