//! What an operation has changed, in words.

use crate::model::{Cloud, Interface, Operation, RuleId};

/// The operation in a few words.
pub(super) fn words(operation: &Operation) -> String {
    match operation {
        Operation::CreateGroup(request) => format!("create-group {}", request.name),
        Operation::DeleteGroup(name) => format!("delete-group {name}"),
        Operation::Launch(request) => format!("launch {}", request.name),
        Operation::Stop(name) => format!("stop {name}"),
        Operation::Start(name) => format!("start {name}"),
        Operation::Reboot(name) => format!("reboot {name}"),
        Operation::Crash(name) => format!("crash {name}"),
        Operation::Terminate(name) => format!("terminate {name}"),
        Operation::AuthorizeIngress(group, _) => format!("authorize {group}"),
        Operation::RevokeIngress(group, _) => format!("revoke {group}"),
        Operation::AuthorizeEgress(group, _) => format!("authorize-egress {group}"),
        Operation::RevokeEgress(group, _) => format!("revoke-egress {group}"),
        Operation::SetGroups(target, _) => format!("set-groups {}", target.instance()),
        Operation::AttachInterface(instance, new) => format!("attach-interface {instance}.eth{}", new.device),
        Operation::DetachInterface(id) => format!("detach-interface {id}"),
        Operation::SetSourceDestCheck(target, _) => format!("source-dest-check {}", target.instance()),
        Operation::CreatePrefixList(request) => format!("create-prefix-list {}", request.name),
        Operation::ModifyPrefixList { name, .. } => format!("edit-prefix-list {name}"),
        Operation::AllocateAddress(name) => format!("allocate-address {name}"),
        Operation::AssociateAddress { elastic_ip, to, .. } => {
            format!("associate-address {elastic_ip} {}", to.instance())
        }
        Operation::DisassociateAddress(name) => format!("disassociate-address {name}"),
        Operation::ReleaseAddress(name) => format!("release-address {name}"),
        Operation::CreateLoadBalancer(request) => format!("create-load-balancer {}", request.name),
        Operation::RegisterInstances(load_balancer, _) => format!("register-instances {load_balancer}"),
        Operation::DeregisterInstances(load_balancer, _) => format!("deregister-instances {load_balancer}"),
    }
}

/// What differs between two clouds, a line each.
pub(super) fn between(before: &Cloud, now: &Cloud) -> Vec<String> {
    let mut lines = Vec::new();
    for name in before.instances.keys().filter(|name| !now.instances.contains_key(*name)) {
        lines.push(format!("{name} is gone"));
    }
    for (name, instance) in &now.instances {
        let was = before.instances.get(name);
        let state = |state| format!("{state:?}").to_lowercase();
        match was {
            None => lines.push(format!("{name} {}", state(instance.state))),
            Some(was) if was.state != instance.state => {
                lines.push(format!("{name} {} -> {}", state(was.state), state(instance.state)));
            }
            Some(_) => {}
        }
        for interface in &instance.interfaces {
            interface_changes(before.interface(&interface.id), interface, &mut lines);
        }
        for gone in was.into_iter().flat_map(|was| &was.interfaces) {
            if now.interface(&gone.id).is_none() {
                lines.push(format!("{} is gone", gone.id));
            }
        }
    }
    group_changes(before, now, &mut lines);
    for (name, balancer) in &now.load_balancers {
        let Some(was) = before.load_balancers.get(name) else { continue };
        for (target, address) in &was.registrations {
            if balancer.registrations.get(target) != Some(address) {
                lines.push(format!("{name} - {target}, which was registered with {address}"));
            }
        }
        for (target, address) in &balancer.registrations {
            if was.registrations.get(target) != Some(address) {
                lines.push(format!("{name} + {target}, registered with {address}"));
            }
        }
    }
    for (name, elastic) in &now.elastic_ips {
        if !before.elastic_ips.contains_key(name) {
            lines.push(format!("{name} is {}", elastic.address));
        }
    }
    for (name, elastic) in before.elastic_ips.iter().filter(|(name, _)| !now.elastic_ips.contains_key(*name)) {
        lines.push(format!("{name}, {}, is released", elastic.address));
    }
    for (name, list) in &now.prefix_lists {
        let Some(was) = before.prefix_lists.get(name) else { continue };
        lines.extend(list.entries.difference(&was.entries).map(|entry| format!("{name} + {entry}")));
        lines.extend(was.entries.difference(&list.entries).map(|entry| format!("{name} - {entry}")));
    }
    lines
}

fn interface_changes(was: Option<&Interface>, now: &Interface, lines: &mut Vec<String>) {
    let name = if now.id.device == 0 { now.id.instance.to_string() } else { now.id.to_string() };
    let mut address = |kind: &str, was: Option<String>, now: Option<String>| {
        if was != now {
            let or_none = |address: Option<String>| address.unwrap_or_else(|| "none".to_owned());
            lines.push(format!("{name} {kind} {} -> {}", or_none(was), or_none(now)));
        }
    };
    let text = |address: Option<String>| address;
    address("private", text(was.and_then(|i| i.private).map(|a| a.to_string())), now.private.map(|a| a.to_string()));
    address("public", text(was.and_then(|i| i.public).map(|a| a.to_string())), now.public.map(|a| a.to_string()));
    address("ipv6", text(was.and_then(|i| i.ipv6).map(|a| a.to_string())), now.ipv6.map(|a| a.to_string()));
    if was.is_none_or(|was| was.groups != now.groups) {
        let groups: Vec<&str> = now.groups.iter().map(|group| group.as_str()).collect();
        lines.push(format!("{name} groups {}", groups.join(", ")));
    }
}

fn group_changes(before: &Cloud, now: &Cloud, lines: &mut Vec<String>) {
    for name in before.groups.keys().filter(|name| !now.groups.contains_key(*name)) {
        lines.push(format!("{name} is deleted"));
    }
    let none = Vec::new();
    for (name, group) in &now.groups {
        let was = before.groups.get(name);
        if was.is_none() {
            lines.push(format!("{name} is created"));
        }
        for (arrow, rules, were) in [
            ("", &group.ingress, was.map_or(&none, |was| &was.ingress)),
            ("egress ", &group.egress, was.map_or(&none, |was| &was.egress)),
        ] {
            let has = |rules: &[crate::model::Rule], id: RuleId| rules.iter().any(|rule| rule.id == id);
            for rule in rules.iter().filter(|rule| !has(were, rule.id)) {
                lines.push(format!("{name} {arrow}+ {}", rule.written));
            }
            for rule in were.iter().filter(|rule| !has(rules, rule.id)) {
                lines.push(format!("{name} {arrow}- {}", rule.written));
            }
        }
    }
}
