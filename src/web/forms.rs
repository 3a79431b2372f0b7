//! Operations as the page's forms send them: the closed list of what can be done over HTTP. None starts a program or names a file.

use serde::Deserialize;

use crate::model::{AutomaticPublic, Cloud, Direction, Operation, Reassociation};
use crate::topology::{Problems, Typed, TypedGroup, TypedLaunch, TypedRule, TypedRules, read_operations};

/// An operation as a form sends it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Form {
    /// Stops an instance.
    Stop(OfInstance),
    /// Starts an instance.
    Start(OfInstance),
    /// Reboots an instance.
    Reboot(OfInstance),
    /// Lets an instance crash.
    Crash(OfInstance),
    /// Terminates an instance.
    Terminate(OfInstance),
    /// Launches an instance.
    Launch {
        /// Its name.
        instance: String,
        /// Its groups.
        groups: Vec<String>,
        /// Ports that answer on it.
        #[serde(default)]
        listens: Vec<String>,
        /// Its subnet, if not the first.
        #[serde(default)]
        subnet: Option<String>,
        /// The private address that it asks for.
        #[serde(default)]
        address: Option<String>,
        /// `yes` or `no`; nothing where its subnet decides.
        #[serde(default)]
        public: Option<Choice>,
    },
    /// Adds a rule to a group.
    Authorize(OfRule),
    /// Removes a rule from a group.
    Revoke(OfRule),
    /// Replaces the groups of an instance.
    SetGroups {
        /// The instance or interface.
        instance: String,
        /// All of its groups.
        groups: Vec<String>,
    },
    /// Creates a group.
    CreateGroup {
        /// Its name.
        group: String,
        /// Its rules for what comes in.
        #[serde(default)]
        rules: Vec<String>,
    },
    /// Deletes a group.
    DeleteGroup {
        /// The group.
        group: String,
    },
    /// Allocates an Elastic IP.
    AllocateAddress {
        /// Its name.
        elastic_ip: String,
    },
    /// Associates an Elastic IP.
    AssociateAddress {
        /// The Elastic IP.
        elastic_ip: String,
        /// The instance.
        instance: String,
    },
    /// Disassociates an Elastic IP.
    DisassociateAddress {
        /// The Elastic IP.
        elastic_ip: String,
    },
    /// Releases an Elastic IP.
    ReleaseAddress {
        /// The Elastic IP.
        elastic_ip: String,
    },
    /// Registers an instance with a load balancer.
    RegisterInstance(OfBalancer),
    /// Deregisters an instance from a load balancer.
    DeregisterInstance(OfBalancer),
    /// A remedy that an explanation has offered: operations in the words of a file.
    Remedy {
        /// The operations, in their order.
        changes: Vec<String>,
    },
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfInstance {
    instance: String,
}

/// A rule of a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfRule {
    group: String,
    rule: String,
    direction: Way,
}

/// Direction of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

/// An instance and a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfBalancer {
    balancer: String,
    instance: String,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Form {
    /// Reads it for a cloud.
    ///
    /// # Errors
    /// Everything that is wrong with its words, at once.
    pub fn read(self, cloud: &Cloud) -> Result<Vec<Operation>, Problems> {
        match self.typed() {
            Ok(typed) => {
                typed.check()?;
                typed.read(cloud)
            }
            Err(changes) => {
                let lines: Vec<String> = changes.iter().map(|change| format!("- {change}")).collect();
                let operations = read_operations(cloud, &lines.join("\n"))?;
                Ok(operations.into_iter().map(|placed| placed.value).collect())
            }
        }
    }

    /// The operation as a command line has it; of a remedy its words.
    fn typed(self) -> Result<Typed, Vec<String>> {
        let rules = |OfRule { group, rule, direction }: OfRule| {
            let direction = match direction {
                Way::Ingress => Direction::Ingress,
                Way::Egress => Direction::Egress,
            };
            TypedRules { group, direction, rules: vec![TypedRule::new(&rule)], description: None }
        };
        Ok(match self {
            Self::Stop(it) => Typed::Stop(vec![it.instance]),
            Self::Start(it) => Typed::Start(vec![it.instance]),
            Self::Reboot(it) => Typed::Reboot(vec![it.instance]),
            Self::Crash(it) => Typed::Crash(vec![it.instance]),
            Self::Terminate(it) => Typed::Terminate(vec![it.instance]),
            Self::Launch { instance, groups, listens, subnet, address, public } => {
                let public = public.map(|public| match public {
                    Choice::Yes => AutomaticPublic::Given,
                    Choice::No => AutomaticPublic::None,
                });
                Typed::Launch(TypedLaunch { instance, groups, listens, vpc: None, subnet, address, public })
            }
            Self::Authorize(it) => Typed::Authorize(rules(it)),
            Self::Revoke(it) => Typed::Revoke(rules(it)),
            Self::SetGroups { instance, groups } => Typed::SetGroups { target: instance, groups },
            Self::CreateGroup { group, rules } => Typed::CreateGroup(TypedGroup {
                group,
                rules: rules.iter().map(|rule| TypedRule::new(rule)).collect(),
                name: None,
                description: None,
                vpc: None,
            }),
            Self::DeleteGroup { group } => Typed::DeleteGroup(vec![group]),
            Self::AllocateAddress { elastic_ip } => Typed::AllocateAddress(vec![elastic_ip]),
            Self::AssociateAddress { elastic_ip, instance } => {
                Typed::AssociateAddress { elastic_ip, to: instance, reassociation: Reassociation::Allowed }
            }
            Self::DisassociateAddress { elastic_ip } => Typed::DisassociateAddress(vec![elastic_ip]),
            Self::ReleaseAddress { elastic_ip } => Typed::ReleaseAddress(vec![elastic_ip]),
            Self::RegisterInstance(it) => {
                Typed::RegisterInstances { balancer: it.balancer, instances: vec![it.instance] }
            }
            Self::DeregisterInstance(it) => {
                Typed::DeregisterInstances { balancer: it.balancer, instances: vec![it.instance] }
            }
            Self::Remedy { changes } => return Err(changes),
        })
    }

    /// The words of a remedy, which must have been offered.
    pub fn remedy(&self) -> Option<&[String]> {
        if let Self::Remedy { changes } = self { Some(changes) } else { None }
    }
}
