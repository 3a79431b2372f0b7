//! Operations as the arguments of a command say them: typed, but for their names, which are not looked up yet.

use crate::model::{AutomaticPublic, Direction, GroupName, Operation, Permission, Reassociation, SourceDestCheck};
use crate::topology::document::groups::{Group, LongGroup, Rules};
use crate::topology::document::instances::{Instance, Interface};
use crate::topology::document::networks::PrefixListEdit;
use crate::topology::document::scenario::{LongAssociation, Verb};
use crate::topology::document::shape::{Any, Entry, Field, Many, Map, Or, SpannedText};
use crate::topology::document::values::Choice;
use crate::topology::document::words::{
    Address, Description, Device, Ec2Name, Holder, ListedBlock, Name, Service, ShortRule,
};
use crate::topology::grammar::{RuleWords, TypedRule};
use crate::topology::problem::{Diagnostic, Problems, Source, Span, TYPED};

/// An operation on a cloud. Each text is an argument: problems point into it, on a line of its own.
#[derive(Clone, Debug)]
pub enum Typed {
    /// Launches an instance.
    Launch(TypedLaunch),
    /// Stops instances.
    Stop(Vec<String>),
    /// Starts instances.
    Start(Vec<String>),
    /// Reboots instances.
    Reboot(Vec<String>),
    /// Lets instances crash.
    Crash(Vec<String>),
    /// Terminates instances.
    Terminate(Vec<String>),
    /// Adds rules to a group.
    Authorize(TypedRules),
    /// Removes rules from a group.
    Revoke(TypedRules),
    /// Describes rules of a group anew.
    UpdateDescription(TypedRules),
    /// Creates a group.
    CreateGroup(TypedGroup),
    /// Deletes groups.
    DeleteGroup(Vec<String>),
    /// Replaces the groups of an instance, or of an interface.
    SetGroups {
        /// The instance or interface.
        target: String,
        /// All of its groups.
        groups: Vec<String>,
    },
    /// Allocates Elastic IPs.
    AllocateAddress(Vec<String>),
    /// Associates an Elastic IP.
    AssociateAddress {
        /// The Elastic IP.
        elastic_ip: String,
        /// The instance or interface.
        to: String,
        /// Permission to take it from another.
        reassociation: Reassociation,
    },
    /// Disassociates Elastic IPs.
    DisassociateAddress(Vec<String>),
    /// Releases Elastic IPs.
    ReleaseAddress(Vec<String>),
    /// Attaches an interface.
    AttachInterface(TypedInterface),
    /// Detaches interfaces.
    DetachInterface(Vec<String>),
    /// Switches the check of source and destination.
    SourceDestCheck {
        /// The instance or interface.
        target: String,
        /// The check from now on.
        check: SourceDestCheck,
    },
    /// Changes the entries of a prefix list.
    EditPrefixList {
        /// The prefix list.
        list: String,
        /// Blocks that it gets.
        add: Vec<String>,
        /// Blocks that it loses.
        remove: Vec<String>,
    },
    /// Registers instances with a load balancer.
    RegisterInstances {
        /// The load balancer.
        balancer: String,
        /// The instances.
        instances: Vec<String>,
    },
    /// Deregisters instances from a load balancer.
    DeregisterInstances {
        /// The load balancer.
        balancer: String,
        /// The instances.
        instances: Vec<String>,
    },
}

/// An instance to launch.
#[derive(Clone, Debug)]
pub struct TypedLaunch {
    /// Its name.
    pub instance: String,
    /// Its groups; without any, `default`.
    pub groups: Vec<String>,
    /// Ports that answer on it: `tcp 80`.
    pub listens: Vec<String>,
    /// Its VPC, where there are several.
    pub vpc: Option<String>,
    /// Its subnet, if not the first.
    pub subnet: Option<String>,
    /// The private address that it asks for.
    pub address: Option<String>,
    /// Its public address; nothing where its subnet decides.
    pub public: Option<AutomaticPublic>,
}

/// Rules of a group, for an operation on them.
pub(super) type WithRules = fn(GroupName, Vec<Permission>) -> Operation;

/// Rules of a group.
#[derive(Clone, Debug)]
pub struct TypedRules {
    /// The group.
    pub group: String,
    /// Direction of the rules.
    pub direction: Direction,
    /// The rules.
    pub rules: Vec<TypedRule>,
    /// Description of each.
    pub description: Option<String>,
}

/// A group to create.
#[derive(Clone, Debug)]
pub struct TypedGroup {
    /// Its name.
    pub group: String,
    /// Its rules for what comes in.
    pub rules: Vec<TypedRule>,
    /// The name that EC2 has of it, if that is to be another.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its VPC, where there are several.
    pub vpc: Option<String>,
}

/// An interface to attach.
#[derive(Clone, Debug)]
pub struct TypedInterface {
    /// The instance.
    pub instance: String,
    /// Its name there: `eth1`.
    pub device: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Its subnet, if not the first.
    pub subnet: Option<String>,
}

/// Arguments, a line each.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub text: String,
}

impl Lines {
    /// Adds an argument.
    pub fn word(&mut self, argument: &str) -> SpannedText {
        let start = self.text.len();
        // It is shown on one line, whatever it has in it.
        self.text.push_str(&argument.replace(['\n', '\r'], " "));
        let span = Span { start, end: self.text.len() };
        self.text.push('\n');
        SpannedText::new(argument, span)
    }

    /// Adds a rule, and reads it unless that is done already.
    pub fn rule(&mut self, rule: &TypedRule, direction: Direction) -> Result<RuleWords, Vec<Diagnostic>> {
        let word = self.word(&rule.text);
        match &rule.words {
            Some(words) => Ok(words.moved(word.span.start)),
            None => RuleWords::parse(&word, Some(direction)),
        }
    }

    pub fn all<T, L: FromIterator<T>>(
        &mut self,
        arguments: impl IntoIterator<Item: AsRef<str>>,
        make: fn(SpannedText) -> T,
    ) -> L {
        arguments.into_iter().map(|argument| make(self.word(argument.as_ref()))).collect()
    }

    fn many<T>(&mut self, arguments: &[String]) -> Many<Name<T>> {
        self.all(arguments, Name::from)
    }

    fn field<T>(&mut self, argument: Option<&String>, make: fn(SpannedText) -> T) -> Field<T> {
        argument.map(|argument| make(self.word(argument))).into()
    }

    pub fn entry<K, V>(
        &mut self,
        argument: &str,
        key: fn(SpannedText) -> K,
        value: impl FnOnce(&mut Self) -> V,
    ) -> Map<K, V> {
        let word = self.word(argument);
        let at = word.span;
        let entry = Entry { key: Some(key(word)), at, value: Some(value(self)) };
        Map { entries: vec![entry], span: at }
    }
}

impl Typed {
    /// Reads what needs no names: the grammar of rules.
    ///
    /// # Errors
    /// Everything that is wrong whatever the names stand for.
    pub fn check(&self) -> Result<(), Problems> {
        let mut lines = Lines::default();
        let (rules, direction) = match self {
            Self::Authorize(said) | Self::Revoke(said) | Self::UpdateDescription(said) => {
                lines.word(&said.group);
                (&said.rules, said.direction)
            }
            Self::CreateGroup(said) => {
                lines.word(&said.group);
                (&said.rules, Direction::Ingress)
            }
            _ => return Ok(()),
        };
        let read: Vec<_> = rules.iter().filter_map(|rule| lines.rule(rule, direction).err()).collect();
        let drafts: Vec<Diagnostic> = read.into_iter().flatten().collect();
        if drafts.is_empty() { Ok(()) } else { Err(Problems::new(&Source::new(TYPED, &lines.text), drafts)) }
    }

    /// The same operation with one rule, where a shell seems to have taken that apart, since it stood in no quotes.
    pub fn with_one_rule(&self) -> Option<(String, Self)> {
        let mut whole = self.clone();
        let rules = match &mut whole {
            Self::Authorize(said) | Self::Revoke(said) | Self::UpdateDescription(said) => &mut said.rules,
            Self::CreateGroup(said) => &mut said.rules,
            _ => return None,
        };
        let is_apart = rules.len() > 1 && rules.iter().all(|rule| !rule.text.contains(char::is_whitespace));
        let words: Vec<&str> = rules.iter().map(TypedRule::text).collect();
        let rule = words.join(" ");
        *rules = vec![TypedRule::new(&rule)];
        is_apart.then_some((rule, whole))
    }

    /// The operation as a document has it; of rules, which are read already, what it does with them.
    pub(super) fn verb(&self, lines: &mut Lines) -> Result<Verb, (WithRules, &TypedRules)> {
        use Operation::{
            AuthorizeEgress, AuthorizeIngress, RevokeEgress, RevokeIngress, UpdateDescription, UpdateDescriptionEgress,
        };
        let of = |rules: &TypedRules, ingress: WithRules, egress: WithRules| match rules.direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        };
        Ok(match self {
            Self::Authorize(rules) => return Err((of(rules, AuthorizeIngress, AuthorizeEgress), rules)),
            Self::Revoke(rules) => return Err((of(rules, RevokeIngress, RevokeEgress), rules)),
            Self::UpdateDescription(rules) => {
                return Err((of(rules, UpdateDescription, UpdateDescriptionEgress), rules));
            }
            Self::Launch(said) => Verb::Launch(lines.entry(&said.instance, Name::from, |lines| Instance {
                groups: lines.groups(&said.groups),
                listens: lines.some(&said.listens, Service),
                vpc: lines.field(said.vpc.as_ref(), Name::from),
                subnet: lines.field(said.subnet.as_ref(), Name::from),
                address: lines.field(said.address.as_ref(), Address),
                public: said.public.map(Into::into).into(),
                ..Instance::default()
            })),
            Self::Stop(names) => Verb::Stop(lines.many(names)),
            Self::Start(names) => Verb::Start(lines.many(names)),
            Self::Reboot(names) => Verb::Reboot(lines.many(names)),
            Self::Crash(names) => Verb::Crash(lines.many(names)),
            Self::Terminate(names) => Verb::Terminate(lines.many(names)),
            Self::CreateGroup(said) => {
                Verb::CreateGroup(lines.entry(&said.group, Name::from, |lines| lines.group(said)))
            }
            Self::DeleteGroup(names) => Verb::DeleteGroup(lines.many(names)),
            Self::SetGroups { target, groups } => {
                Verb::SetGroups(lines.entry(target, Holder, |lines| lines.many(groups)))
            }
            Self::AllocateAddress(names) => Verb::AllocateAddress(lines.many(names)),
            Self::AssociateAddress { elastic_ip, to, reassociation } => {
                Verb::AssociateAddress(lines.entry(elastic_ip, Name::from, |lines| {
                    Or::Long(LongAssociation {
                        instance: Field::of(Holder(lines.word(to))),
                        allow_reassociation: Field::of(Choice::from(*reassociation)),
                        ..LongAssociation::default()
                    })
                }))
            }
            Self::DisassociateAddress(names) => Verb::DisassociateAddress(lines.many(names)),
            Self::ReleaseAddress(names) => Verb::ReleaseAddress(lines.many(names)),
            Self::AttachInterface(said) => Verb::AttachInterface(lines.entry(&said.instance, Name::from, |lines| {
                lines.entry(&said.device, Device, |lines| Interface {
                    groups: lines.groups(&said.groups),
                    subnet: lines.field(said.subnet.as_ref(), Name::from),
                    ..Interface::default()
                })
            })),
            Self::DetachInterface(names) => Verb::DetachInterface(lines.all(names, Holder)),
            Self::SourceDestCheck { target, check } => {
                Verb::SourceDestCheck(lines.entry(target, Holder, |_| Choice::from(*check)))
            }
            Self::EditPrefixList { list, add, remove } => {
                Verb::EditPrefixList(lines.entry(list, Name::from, |lines| PrefixListEdit {
                    add: lines.some(add, ListedBlock),
                    remove: lines.some(remove, ListedBlock),
                    ..PrefixListEdit::default()
                }))
            }
            Self::RegisterInstances { balancer, instances } => {
                Verb::RegisterInstances(lines.entry(balancer, Name::from, |lines| lines.all(instances, Name::from)))
            }
            Self::DeregisterInstances { balancer, instances } => {
                Verb::DeregisterInstances(lines.entry(balancer, Name::from, |lines| lines.all(instances, Name::from)))
            }
        })
    }

    /// True if a name that nobody has is told at its argument, and not by EC2.
    pub(super) fn tells_unknown_names(&self) -> bool {
        matches!(self, Self::Launch(_) | Self::CreateGroup(_) | Self::AttachInterface(_) | Self::EditPrefixList { .. })
    }
}

impl Lines {
    fn groups(&mut self, names: &[String]) -> Field<Many<Name<GroupName>>> {
        (!names.is_empty()).then(|| self.many(names)).into()
    }

    fn some<T>(&mut self, arguments: &[String], make: fn(SpannedText) -> T) -> Field<Any<T>> {
        (!arguments.is_empty()).then(|| self.all(arguments, make)).into()
    }

    fn group(&mut self, said: &TypedGroup) -> Group {
        let ingress: Rules = said.rules.iter().map(|rule| Or::Short(ShortRule(self.word(&rule.text)))).collect();
        Or::Long(LongGroup {
            ingress: Field::of(ingress),
            name: self.field(said.name.as_ref(), Ec2Name),
            description: self.field(said.description.as_ref(), Description),
            vpc: self.field(said.vpc.as_ref(), Name::from),
            ..LongGroup::default()
        })
    }
}
