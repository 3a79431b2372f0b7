//! Operations as the page asks for them: the closed list of what can be done over HTTP. None starts a program or names a file.

use serde::Deserialize;

use crate::model::{Cloud, Operation};
use crate::topology::{Problems, Typed};

/// Operations that a form or a button of the page asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// One, by its form.
    Form(Typed),
    /// A remedy that an explanation has offered: its operations in their order, each by the words of its offer. The words are never read.
    Remedy(Vec<String>),
}

/// Reads the operations of a form for a cloud.
///
/// # Errors
/// Everything that is wrong with the words, at once.
pub fn operations(form: &Typed, cloud: &Cloud) -> Result<Vec<Operation>, Problems> {
    form.check()?;
    form.read(cloud)
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
            Operation::RegisterInstances(..) => "register-instances",
            Operation::DeregisterInstances(..) => "deregister-instances",
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
            of_instances.iter().map(|operation| json!({"operation": operation, "instances": ["web2"]})).collect();
        all.extend([
            json!({"operation": "launch", "instance": "web3", "groups": ["a"], "listens": ["tcp 80"], "address": "10.0.0.77", "public": "none"}),
            json!({"operation": "authorize", "group": "b", "direction": "ingress", "rules": ["tcp 22 from a"]}),
            json!({"operation": "authorize", "group": "b", "direction": "egress", "rules": ["tcp 22 to a"]}),
            json!({"operation": "revoke", "group": "a", "direction": "ingress", "rules": ["tcp 80 from anywhere"]}),
            json!({"operation": "update-description", "group": "a", "direction": "ingress", "rules": ["tcp 80 from anywhere"], "description": "the shop"}),
            json!({"operation": "set-groups", "instance": "web1.eth1", "groups": ["a", "b"]}),
            json!({"operation": "attach-interface", "instance": "web2", "device": "eth1", "groups": ["b"]}),
            json!({"operation": "detach-interface", "names": ["web1.eth1"]}),
            json!({"operation": "source-dest-check", "instance": "web1", "check": "off"}),
            json!({"operation": "edit-prefix-list", "list": "partners", "add": ["198.51.100.0/24"], "remove": ["192.0.2.0/24"]}),
            json!({"operation": "create-group", "group": "c", "rules": ["tcp 80 from a"]}),
            json!({"operation": "delete-group", "names": ["b"]}),
            json!({"operation": "allocate-address", "names": ["EIP-B"]}),
            json!({"operation": "associate-address", "elastic_ip": "EIP-A", "instance": "web1"}),
            json!({"operation": "disassociate-address", "names": ["EIP-A"]}),
            json!({"operation": "release-address", "names": ["EIP-A"]}),
            json!({"operation": "register-instances", "balancer": "site", "instances": ["web2"]}),
            json!({"operation": "deregister-instances", "balancer": "site", "instances": ["web1"]}),
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
            let form: Typed =
                serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{error}: {example}"));
            let operations = operations(&form, &cloud).unwrap_or_else(|problems| panic!("{example}: {problems}"));
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

    /// What scripts pass to `act`, each with its script.
    fn asked_for() -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        for name in ["app.js", "picture.js", "explain.js", "forms.js"] {
            let script = std::str::from_utf8(assets::find(name).unwrap().bytes).unwrap();
            let calls = script.match_indices("act({").filter(|(at, _)| !script[..*at].ends_with("function "));
            all.extend(calls.map(|(at, _)| (name, script[at + "act(".len()..].chars().take(70).collect())));
        }
        all
    }

    #[test]
    fn all_that_a_script_asks_for_is_a_form_or_a_remedy() {
        let all = asked_for();
        assert!(all.iter().any(|(name, _)| *name == "picture.js"), "{all:?}");
        for (name, words) in &all {
            let is_wanted = ["{ form: ", "{ remedy: "].iter().any(|begin| words.starts_with(begin));
            assert!(is_wanted, "{name}: {words}");
        }
        // Buttons of a box name what the forms of the same operations name.
        let (_, button) = all.iter().find(|(name, _)| *name == "picture.js").unwrap();
        assert!(button.starts_with("{ form: { operation: verb, instances: ["), "{button}");
    }
}
