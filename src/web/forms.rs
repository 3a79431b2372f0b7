//! Operations as the page's forms send them: the closed list of what can be done over HTTP. None starts a program or names a file.

use serde::Deserialize;

use crate::model::{AutomaticPublic, Cloud, Direction, Operation, Reassociation, SourceDestCheck};
use crate::topology::{
    Problems, Typed, TypedGroup, TypedInterface, TypedLaunch, TypedRule, TypedRules, read_operations,
};

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
    /// Describes a rule of a group anew.
    UpdateDescription {
        /// The group.
        group: String,
        /// The rule.
        rule: String,
        /// Its direction.
        direction: Way,
        /// Its description from now on; nothing takes away what it had.
        #[serde(default)]
        description: Option<String>,
    },
    /// Replaces the groups of an instance, or of an interface.
    SetGroups {
        /// The instance or interface.
        instance: String,
        /// All of its groups.
        groups: Vec<String>,
    },
    /// Attaches an interface.
    AttachInterface {
        /// The instance.
        instance: String,
        /// Its name there: `eth1`.
        device: String,
        /// Its groups.
        groups: Vec<String>,
        /// Its subnet, if not the first.
        #[serde(default)]
        subnet: Option<String>,
    },
    /// Detaches an interface.
    DetachInterface {
        /// The interface: `web1.eth1`.
        interface: String,
    },
    /// Switches the check of source and destination.
    SourceDestCheck {
        /// The instance or interface.
        instance: String,
        /// The check from now on.
        check: Switch,
    },
    /// Changes the entries of a prefix list.
    EditPrefixList {
        /// The prefix list.
        list: String,
        /// Blocks that it gets.
        #[serde(default)]
        add: Vec<String>,
        /// Blocks that it loses.
        #[serde(default)]
        remove: Vec<String>,
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

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Ingress => Self::Ingress,
            Way::Egress => Self::Egress,
        }
    }
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
        let described = |group, direction: Way, rule: &str, description| TypedRules {
            group,
            direction: direction.into(),
            rules: vec![TypedRule::new(rule)],
            description,
        };
        let rules = |OfRule { group, rule, direction }: OfRule| described(group, direction, &rule, None);
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
            Self::UpdateDescription { group, rule, direction, description } => {
                Typed::UpdateDescription(described(group, direction, &rule, description))
            }
            Self::AttachInterface { instance, device, groups, subnet } => {
                Typed::AttachInterface(TypedInterface { instance, device, groups, subnet })
            }
            Self::DetachInterface { interface } => Typed::DetachInterface(vec![interface]),
            Self::SourceDestCheck { instance, check } => {
                let check = match check {
                    Switch::On => SourceDestCheck::On,
                    Switch::Off => SourceDestCheck::Off,
                };
                Typed::SourceDestCheck { target: instance, check }
            }
            Self::EditPrefixList { list, add, remove } => Typed::EditPrefixList { list, add, remove },
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::model::Era;
    use crate::topology::Topology;
    use crate::web::assets;

    const CLOUD: &str = "sglab: 1
era: vpc
groups: {a: [tcp 80 from anywhere], b: []}
prefix-lists: {partners: [192.0.2.0/24]}
elastic-ips: [EIP-A]
instances:
  web1: {groups: a, interfaces: {eth1: {groups: b}}}
  web2: {groups: a}
load-balancers: {site: {groups: a, listeners: [tcp 80], targets: [web1]}}
";

    /// Operations without a form: no command for a live lab has them either (docs/page.md).
    const NONE: &str = "";

    /// The form of an operation.
    fn form_of(operation: &Operation) -> &'static str {
        match operation {
            Operation::CreateGroup(_) => "create-group",
            Operation::DeleteGroup(_) => "delete-group",
            Operation::Launch(_) => "launch",
            Operation::Stop(_) => "stop",
            Operation::Start(_) => "start",
            Operation::Reboot(_) => "reboot",
            Operation::Crash(_) => "crash",
            Operation::Terminate(_) => "terminate",
            Operation::AuthorizeIngress(..) | Operation::AuthorizeEgress(..) => "authorize",
            Operation::RevokeIngress(..) | Operation::RevokeEgress(..) => "revoke",
            Operation::UpdateDescription(..) | Operation::UpdateDescriptionEgress(..) => "update-description",
            Operation::SetGroups(..) => "set-groups",
            Operation::AttachInterface(..) => "attach-interface",
            Operation::DetachInterface(_) => "detach-interface",
            Operation::SetSourceDestCheck(..) => "source-dest-check",
            Operation::ModifyPrefixList { .. } => "edit-prefix-list",
            Operation::RegisterInstances(..) => "register-instance",
            Operation::DeregisterInstances(..) => "deregister-instance",
            Operation::AllocateAddress(_) => "allocate-address",
            Operation::AssociateAddress { .. } => "associate-address",
            Operation::DisassociateAddress(_) => "disassociate-address",
            Operation::ReleaseAddress(_) => "release-address",
            Operation::CreatePrefixList(_) | Operation::CreateLoadBalancer(_) => NONE,
        }
    }

    /// One of each form, as the page sends it.
    fn examples() -> Vec<Value> {
        let of_instances = ["stop", "start", "reboot", "crash", "terminate"];
        let mut all: Vec<Value> =
            of_instances.iter().map(|operation| json!({"operation": operation, "instance": "web2"})).collect();
        all.extend([
            json!({"operation": "launch", "instance": "web3", "groups": ["a"], "listens": ["tcp 80"], "address": "10.0.0.77", "public": "no"}),
            json!({"operation": "authorize", "group": "b", "direction": "ingress", "rule": "tcp 22 from a"}),
            json!({"operation": "authorize", "group": "b", "direction": "egress", "rule": "tcp 22 to a"}),
            json!({"operation": "revoke", "group": "a", "direction": "ingress", "rule": "tcp 80 from anywhere"}),
            json!({"operation": "update-description", "group": "a", "direction": "ingress", "rule": "tcp 80 from anywhere", "description": "the shop"}),
            json!({"operation": "set-groups", "instance": "web1.eth1", "groups": ["a", "b"]}),
            json!({"operation": "attach-interface", "instance": "web2", "device": "eth1", "groups": ["b"]}),
            json!({"operation": "detach-interface", "interface": "web1.eth1"}),
            json!({"operation": "source-dest-check", "instance": "web1", "check": "off"}),
            json!({"operation": "edit-prefix-list", "list": "partners", "add": ["198.51.100.0/24"], "remove": ["192.0.2.0/24"]}),
            json!({"operation": "create-group", "group": "c", "rules": ["tcp 80 from a"]}),
            json!({"operation": "delete-group", "group": "b"}),
            json!({"operation": "allocate-address", "elastic_ip": "EIP-B"}),
            json!({"operation": "associate-address", "elastic_ip": "EIP-A", "instance": "web1"}),
            json!({"operation": "disassociate-address", "elastic_ip": "EIP-A"}),
            json!({"operation": "release-address", "elastic_ip": "EIP-A"}),
            json!({"operation": "register-instance", "balancer": "site", "instance": "web2"}),
            json!({"operation": "deregister-instance", "balancer": "site", "instance": "web1"}),
        ]);
        all
    }

    #[test]
    fn every_operation_of_a_live_lab_has_a_form_on_the_page() {
        let topology =
            Topology::parse_cloud("t.yaml", CLOUD.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let cloud = topology.initial_cloud(Era::Vpc).unwrap();
        let mut read = BTreeSet::new();
        for example in examples() {
            let form: Form =
                serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
            let operations = form.read(&cloud).unwrap_or_else(|problems| panic!("{example}: {problems}"));
            let named = example["operation"].as_str().unwrap().to_owned();
            // A group with rules is one form and two operations.
            assert_eq!(operations.first().map(form_of), Some(named.as_str()));
            read.insert(named);
        }
        let script = std::str::from_utf8(assets::find("forms.js").unwrap().bytes).unwrap();
        let list = script.split_once("const FORMS = [").unwrap().1.split_once("\n];").unwrap().0;
        let shown =
            list.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next().map(str::to_owned));
        assert_eq!(shown.collect::<BTreeSet<String>>(), read);
    }
}
