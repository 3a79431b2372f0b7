//! Operations as they are typed, on a command line or into the page's forms: read, but for their names, which are not looked up yet.

mod arguments;
mod lines;
mod words;

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{ArgAction, Subcommand};
use serde::Deserialize;

use crate::model::{Direction, GroupName, Operation, Permission, Reassociation, SourceDestCheck};
use crate::topology::document::groups::{LongGroup, Rules};
use crate::topology::document::instances::{Instance, Interface};
use crate::topology::document::networks::PrefixListEdit;
use crate::topology::document::scenario::{LongAssociation, Verb};
use crate::topology::document::shape::{Field, Or};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{
    Address, Description, Device, Ec2Name, Holder, ListedBlock, Name, Service, ShortRule,
};
use crate::topology::grammar::TypedRule;
use crate::topology::problem::{Diagnostic, Problems, Source, TYPED};

pub use arguments::{TypedGroup, TypedInstances, TypedLaunch, TypedNames, TypedPublic, TypedRegistrations, TypedRules};
use arguments::{allowed, reassociation};
pub(super) use lines::Lines;

/// An operation on a cloud. Its comments are the help of `sglab`, and its fields what a form of the page sends. Each text is an argument: problems
/// point into it, on a line of its own.
///
/// None starts a program or names a file: the page offers all of them to whoever has its token.
#[derive(Clone, Debug, Subcommand, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Typed {
    /// Launch an instance
    #[command(after_help = "\
Examples:
  sglab launch web3 --group WEB --group ADMIN --listens 'tcp 80'
  sglab launch stranger --group OTHER --address web1.previous")]
    Launch(TypedLaunch),
    /// Stop instances
    #[command(after_help = "\
Examples:
  sglab stop web1 web2")]
    Stop(TypedInstances),
    /// Start instances, crashed ones too
    #[command(after_help = "\
Examples:
  sglab start web1")]
    Start(TypedInstances),
    /// Reboot instances: every address is kept
    #[command(after_help = "\
Examples:
  sglab reboot web1")]
    Reboot(TypedInstances),
    /// Crash instances, as a kernel panic does
    #[command(after_help = "\
Examples:
  sglab crash db1")]
    Crash(TypedInstances),
    /// Terminate instances
    #[command(after_help = "\
Examples:
  sglab terminate web1")]
    Terminate(TypedInstances),
    /// Add rules to a security group
    #[command(after_help = "\
Examples:
  sglab authorize DB 'tcp 3306 from WEB'
  sglab authorize DB 'tcp 22 from office' 'icmp echo from anywhere'
  sglab authorize DB --egress 'tcp 443 to anywhere'
  sglab authorize DB 'tcp 22 from office' --description admins")]
    Authorize {
        #[allow(missing_docs, reason = "clap would show it as the command's")]
        #[command(flatten)]
        #[serde(flatten)]
        rules: TypedRules,
        /// A description of the rules, for each of them
        #[arg(long, value_name = "TEXT")]
        #[serde(default)]
        description: Option<String>,
    },
    /// Remove rules from a security group
    #[command(after_help = "\
Examples:
  sglab revoke DB 'tcp 3306 from WEB'")]
    Revoke(TypedRules),
    /// Change the descriptions of rules; traffic is not affected
    #[command(after_help = "\
Examples:
  sglab update-description DB 'tcp 3306 from WEB' --description queries
  sglab update-description DB --egress 'all to anywhere' --description ''")]
    UpdateDescription {
        #[allow(missing_docs, reason = "clap would show it as the command's")]
        #[command(flatten)]
        #[serde(flatten)]
        rules: TypedRules,
        /// The new description; '' removes it
        #[arg(long, value_name = "TEXT")]
        #[serde(default)]
        description: String,
    },
    /// Create a security group
    #[command(after_help = "\
Examples:
  sglab create-group CACHE 'tcp 6379 from WEB'
  sglab create-group CACHE --group-name 'caches (eu-west)' 'tcp 6379 from WEB'")]
    CreateGroup(TypedGroup),
    /// Delete security groups
    #[command(mut_arg("names", |names| names.value_name("GROUP").help("The security groups")))]
    #[command(after_help = "\
Examples:
  sglab delete-group CACHE")]
    DeleteGroup(TypedNames),
    /// Replace the security groups of an instance
    #[command(after_help = "\
Examples:
  sglab set-groups web1 WEB ADMIN")]
    SetGroups {
        /// The instance, or an interface such as `web1.eth1`
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// All of its groups from now on
        #[arg(required = true, value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Allocate Elastic IPs under names of your own
    #[command(mut_arg("names", |names| names.help("Names for the new Elastic IPs")))]
    #[command(after_help = "\
Examples:
  sglab allocate-address eip-web")]
    AllocateAddress(TypedNames),
    /// Associate an Elastic IP with an instance
    #[command(after_help = "\
Examples:
  sglab associate-address eip-web web1
  sglab associate-address eip-web web1.eth1 --no-reassociation")]
    AssociateAddress {
        /// The Elastic IP
        #[arg(value_name = "ELASTIC-IP")]
        elastic_ip: String,
        /// The instance, or an interface such as `web1.eth1`
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// Refuse to take it from another instance
        #[arg(long = "no-reassociation", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new().map(reassociation))]
        #[serde(skip, default = "allowed")]
        reassociation: Reassociation,
    },
    /// Take Elastic IPs from whoever has them
    #[command(mut_arg("names", |names| names.value_name("ELASTIC-IP").help("The Elastic IPs")))]
    #[command(after_help = "\
Examples:
  sglab disassociate-address eip-web")]
    DisassociateAddress(TypedNames),
    /// Give Elastic IPs back
    #[command(mut_arg("names", |names| names.value_name("ELASTIC-IP").help("The Elastic IPs")))]
    #[command(after_help = "\
Examples:
  sglab release-address eip-web")]
    ReleaseAddress(TypedNames),
    /// Give an instance another interface
    #[command(after_help = "\
Examples:
  sglab attach-interface web1 eth1 --group ADMIN --subnet b")]
    AttachInterface {
        /// The instance
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// The device, `eth1` or higher
        #[arg(value_name = "DEVICE")]
        device: String,
        /// Its security groups
        #[arg(long = "group", required = true, value_name = "GROUP")]
        groups: Vec<String>,
        /// Its subnet; the first of its VPC if left out
        #[arg(long, value_name = "SUBNET")]
        #[serde(default)]
        subnet: Option<String>,
    },
    /// Take interfaces such as `web1.eth1` away
    #[command(mut_arg("names", |names| names.value_name("INTERFACE").help("The interfaces, such as `web1.eth1`; never `eth0`")))]
    #[command(after_help = "\
Examples:
  sglab detach-interface web1.eth1")]
    DetachInterface(TypedNames),
    /// Switch the source/destination check on or off
    #[command(after_help = "\
Examples:
  sglab source-dest-check nat off")]
    SourceDestCheck {
        /// The instance, or an interface such as `web1.eth1`
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// `on` or `off`
        #[arg(value_enum)]
        check: SourceDestCheck,
    },
    /// Change the entries of a prefix list
    #[command(after_help = "\
Examples:
  sglab edit-prefix-list partners --add 192.0.2.0/25 --remove 198.51.100.7")]
    EditPrefixList {
        /// The prefix list
        #[arg(value_name = "PREFIX-LIST")]
        list: String,
        /// Entries that it gets
        #[arg(long, value_name = "BLOCK")]
        #[serde(default)]
        add: Vec<String>,
        /// Entries that it loses
        #[arg(long, value_name = "BLOCK")]
        #[serde(default)]
        remove: Vec<String>,
    },
    /// Register instances with a load balancer
    #[command(after_help = "\
Examples:
  sglab register-instances site web1 web2")]
    RegisterInstances(TypedRegistrations),
    /// Take instances out from behind a load balancer
    #[command(after_help = "\
Examples:
  sglab deregister-instances site web1")]
    DeregisterInstances(TypedRegistrations),
}

/// An operation on rules of a group.
pub(super) type WithRules = fn(GroupName, Vec<Permission>) -> Operation;

/// An operation as far as it is read without a cloud.
pub(super) enum Unresolved<'t> {
    /// As a document has it.
    Verb(Verb),
    /// Rules, which are read already, for either direction, with their description.
    Rules(&'t TypedRules, Option<&'t str>, [WithRules; 2]),
}

/// Rules among the arguments of an operation.
struct RuleArguments<'t> {
    group: &'t str,
    rules: &'t mut Vec<TypedRule>,
    direction: Direction,
}

impl Typed {
    /// Reads what needs no names: the grammar of rules.
    ///
    /// # Errors
    /// Everything that is wrong whatever the names stand for.
    pub fn check(&self) -> Result<(), Problems> {
        let mut lines = Lines::default();
        // `rule_arguments` takes `&mut`, for `with_one_rule`.
        let mut own = self.clone();
        let Some(RuleArguments { group, rules, direction }) = own.rule_arguments() else { return Ok(()) };
        lines.word(group);
        let read: Vec<_> = rules.iter().filter_map(|rule| lines.rule(rule, direction).err()).collect();
        let drafts: Vec<Diagnostic> = read.into_iter().flatten().collect();
        if drafts.is_empty() { Ok(()) } else { Err(Problems::new(&Source::new(TYPED, &lines.text), drafts)) }
    }

    /// The same operation with one rule, where a shell seems to have taken that apart, since it stood in no quotes.
    pub fn with_one_rule(&self) -> Option<(String, Self)> {
        let mut whole = self.clone();
        let RuleArguments { rules, .. } = whole.rule_arguments()?;
        let is_apart = rules.len() > 1 && rules.iter().all(|rule| !rule.text.contains(char::is_whitespace));
        let words: Vec<&str> = rules.iter().map(TypedRule::text).collect();
        let rule = words.join(" ");
        *rules = vec![TypedRule::new(&rule)];
        is_apart.then_some((rule, whole))
    }

    /// The rules among its arguments.
    fn rule_arguments(&mut self) -> Option<RuleArguments<'_>> {
        match self {
            Self::Authorize { rules: it, .. } | Self::Revoke(it) | Self::UpdateDescription { rules: it, .. } => {
                Some(RuleArguments { group: &it.group, rules: &mut it.rules, direction: it.direction })
            }
            Self::CreateGroup(it) => {
                Some(RuleArguments { group: &it.group, rules: &mut it.rules, direction: Direction::Ingress })
            }
            Self::Launch(_)
            | Self::Stop(_)
            | Self::Start(_)
            | Self::Reboot(_)
            | Self::Crash(_)
            | Self::Terminate(_)
            | Self::DeleteGroup(_)
            | Self::SetGroups { .. }
            | Self::AllocateAddress(_)
            | Self::AssociateAddress { .. }
            | Self::DisassociateAddress(_)
            | Self::ReleaseAddress(_)
            | Self::AttachInterface { .. }
            | Self::DetachInterface(_)
            | Self::SourceDestCheck { .. }
            | Self::EditPrefixList { .. }
            | Self::RegisterInstances(_)
            | Self::DeregisterInstances(_) => None,
        }
    }

    /// The operation as a document has it; its words go to `lines`.
    pub(super) fn unresolved<'t>(&'t self, lines: &mut Lines) -> Unresolved<'t> {
        use Operation as Op;
        Unresolved::Verb(match self {
            Self::Authorize { rules, description } => {
                return Unresolved::Rules(rules, description.as_deref(), [Op::AuthorizeIngress, Op::AuthorizeEgress]);
            }
            Self::Revoke(rules) => return Unresolved::Rules(rules, None, [Op::RevokeIngress, Op::RevokeEgress]),
            Self::UpdateDescription { rules, description } => {
                let operations: [WithRules; 2] = [Op::UpdateDescription, Op::UpdateDescriptionEgress];
                return Unresolved::Rules(rules, Some(description), operations);
            }
            Self::Launch(it) => Verb::Launch(lines.entry(&it.instance, Name::from, |lines| Instance {
                groups: lines.names(&it.groups),
                listens: lines.some(&it.listens, Service),
                vpc: lines.field(it.vpc.as_ref(), Name::from),
                subnet: lines.field(it.subnet.as_ref(), Name::from),
                address: lines.field(it.address.as_ref(), Address),
                public: it.public.asked().map(Into::into).into(),
                ..Instance::default()
            })),
            Self::Stop(it) => Verb::Stop(lines.many(&it.instances)),
            Self::Start(it) => Verb::Start(lines.many(&it.instances)),
            Self::Reboot(it) => Verb::Reboot(lines.many(&it.instances)),
            Self::Crash(it) => Verb::Crash(lines.many(&it.instances)),
            Self::Terminate(it) => Verb::Terminate(lines.many(&it.instances)),
            Self::CreateGroup(it) => Verb::CreateGroup(lines.entry(&it.group, Name::from, |lines| {
                let rules: Rules = it.rules.iter().map(|rule| Or::Short(ShortRule(lines.word(&rule.text)))).collect();
                Or::Long(LongGroup {
                    ingress: Field::of(rules),
                    name: lines.field(it.group_name.as_ref(), Ec2Name),
                    description: lines.field(it.description.as_ref(), Description),
                    vpc: lines.field(it.vpc.as_ref(), Name::from),
                    ..LongGroup::default()
                })
            })),
            Self::DeleteGroup(it) => Verb::DeleteGroup(lines.many(&it.names)),
            Self::SetGroups { instance, groups } => {
                Verb::SetGroups(lines.entry(instance, Holder, |lines| lines.many(groups)))
            }
            Self::AllocateAddress(it) => Verb::AllocateAddress(lines.many(&it.names)),
            Self::AssociateAddress { elastic_ip, instance, reassociation } => {
                Verb::AssociateAddress(lines.entry(elastic_ip, Name::from, |lines| {
                    Or::Long(LongAssociation {
                        instance: Field::of(Holder(lines.word(instance))),
                        allow_reassociation: Field::of(Choice::from(*reassociation)),
                        ..LongAssociation::default()
                    })
                }))
            }
            Self::DisassociateAddress(it) => Verb::DisassociateAddress(lines.many(&it.names)),
            Self::ReleaseAddress(it) => Verb::ReleaseAddress(lines.many(&it.names)),
            Self::AttachInterface { instance, device, groups, subnet } => {
                Verb::AttachInterface(lines.entry(instance, Name::from, |lines| {
                    lines.entry(device, Device, |lines| Interface {
                        groups: lines.names(groups),
                        subnet: lines.field(subnet.as_ref(), Name::from),
                        ..Interface::default()
                    })
                }))
            }
            Self::DetachInterface(it) => Verb::DetachInterface(lines.all(&it.names, Holder)),
            Self::SourceDestCheck { instance, check } => {
                Verb::SourceDestCheck(lines.entry(instance, Holder, |_| Choice::from(*check)))
            }
            Self::EditPrefixList { list, add, remove } => {
                Verb::EditPrefixList(lines.entry(list, Name::from, |lines| PrefixListEdit {
                    add: lines.some(add, ListedBlock),
                    remove: lines.some(remove, ListedBlock),
                    ..PrefixListEdit::default()
                }))
            }
            Self::RegisterInstances(TypedRegistrations { balancer, instances }) => {
                Verb::RegisterInstances(lines.entry(balancer, Name::from, |lines| lines.all(instances, Name::from)))
            }
            Self::DeregisterInstances(TypedRegistrations { balancer, instances }) => {
                Verb::DeregisterInstances(lines.entry(balancer, Name::from, |lines| lines.all(instances, Name::from)))
            }
        })
    }

    /// True if a name that nobody has is told at its argument, and not by EC2.
    pub(super) fn tells_unknown_names(&self) -> bool {
        match self {
            Self::Launch(_) | Self::CreateGroup(_) | Self::AttachInterface { .. } | Self::EditPrefixList { .. } => true,
            Self::Stop(_)
            | Self::Start(_)
            | Self::Reboot(_)
            | Self::Crash(_)
            | Self::Terminate(_)
            | Self::Authorize { .. }
            | Self::Revoke(_)
            | Self::UpdateDescription { .. }
            | Self::DeleteGroup(_)
            | Self::SetGroups { .. }
            | Self::AllocateAddress(_)
            | Self::AssociateAddress { .. }
            | Self::DisassociateAddress(_)
            | Self::ReleaseAddress(_)
            | Self::DetachInterface(_)
            | Self::SourceDestCheck { .. }
            | Self::RegisterInstances(_)
            | Self::DeregisterInstances(_) => false,
        }
    }
}
