//! What a step does, in words.

use crate::model::{Operation, Permission, Reassociation, SourceDestCheck, Target};
use crate::topology::Action;

/// Actions, each change as a sentence without a subject: `stop web1`.
pub fn actions(all: &[Action]) -> Vec<String> {
    let of = |action: &Action| match action {
        Action::Call(call) => call.iter().map(|placed| operation(&placed.value)).collect(),
        Action::Open(placed) => {
            vec![format!("open the connection {}: {}", placed.value.name, placed.value.flow.written)]
        }
        Action::Close(placed) => vec![format!("close the connection {}", placed.value)],
        Action::Idle(placed) => vec![format!("wait, in silence, until the connection {} is forgotten", placed.value)],
    };
    all.iter().flat_map(of).collect()
}

fn operation(operation: &Operation) -> String {
    match operation {
        Operation::CreateGroup(group) => format!("create the group {}", group.name),
        Operation::DeleteGroup(name) => format!("delete the group {name}"),
        Operation::Launch(launch) => format!("launch {}, in {}", launch.name, list(&launch.groups)),
        Operation::Stop(name) => format!("stop {name}"),
        Operation::Start(name) => format!("start {name}"),
        Operation::Reboot(name) => format!("reboot {name}"),
        Operation::Crash(name) => format!("crash {name}"),
        Operation::Terminate(name) => format!("terminate {name}"),
        Operation::AuthorizeIngress(name, rules) => format!("add to {name}: {}", permissions(rules)),
        Operation::RevokeIngress(name, rules) => format!("take out of {name}: {}", permissions(rules)),
        Operation::AuthorizeEgress(name, rules) => format!("add to what {name} lets out: {}", permissions(rules)),
        Operation::RevokeEgress(name, rules) => {
            format!("take out of what {name} lets out: {}", permissions(rules))
        }
        Operation::SetGroups(target, groups) => {
            format!("put {} into {}, and no other group", whom(target), list(groups))
        }
        Operation::AttachInterface(name, interface) => {
            format!("attach eth{} to {name}, in {}", interface.device, list(&interface.groups))
        }
        Operation::DetachInterface(id) => format!("detach {id}"),
        Operation::SetSourceDestCheck(target, check) => {
            let verb = match check {
                SourceDestCheck::On => "check",
                SourceDestCheck::Off => "do not check",
            };
            format!("{verb} source and destination at {}", whom(target))
        }
        Operation::CreatePrefixList(prefixes) => format!("create the prefix list {}", prefixes.name),
        Operation::ModifyPrefixList { name, add, remove } => {
            let part = |verb: &str, entries: &[ipnet::IpNet]| {
                (!entries.is_empty()).then(|| format!("{verb} {}", list(entries)))
            };
            let parts: Vec<String> = [part("add", add), part("remove", remove)].into_iter().flatten().collect();
            format!("in the prefix list {name}: {}", parts.join(", "))
        }
        Operation::CreateLoadBalancer(balancer) => format!("create the load balancer {}", balancer.name),
        Operation::RegisterInstances(name, instances) => {
            format!("register {} with the load balancer {name}", list(instances))
        }
        Operation::DeregisterInstances(name, instances) => {
            format!("deregister {} from the load balancer {name}", list(instances))
        }
        Operation::AllocateAddress(name) => format!("allocate the Elastic IP {name}"),
        Operation::AssociateAddress { elastic_ip, to, reassociation } => {
            let only = match reassociation {
                Reassociation::Allowed => "",
                Reassociation::Refused => ", unless another has it",
            };
            format!("associate the Elastic IP {elastic_ip} with {}{only}", whom(to))
        }
        Operation::DisassociateAddress(name) => format!("disassociate the Elastic IP {name}"),
        Operation::ReleaseAddress(name) => format!("release the Elastic IP {name}"),
    }
}

fn whom(target: &Target) -> String {
    match target {
        Target::Instance(name) => name.to_string(),
        Target::Interface(id) => id.to_string(),
    }
}

fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|it| it.to_string()).collect();
    if all.is_empty() { "no group".to_owned() } else { all.join(", ") }
}

/// The rules as their author wrote them, each once.
fn permissions(all: &[Permission]) -> String {
    let mut words: Vec<String> = Vec::new();
    for (_, written) in all.iter().flat_map(|permission| &permission.peers) {
        if !words.contains(written) {
            words.push(written.clone());
        }
    }
    words.join(", ")
}
