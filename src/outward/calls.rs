//! An account as a shell script of calls of the AWS CLI, which keeps the ids that it gets.

use std::fmt::Write;

use serde_json::json;

use super::names::Language;
use super::names::literal;
use super::notes::Outward;
use super::plan::{Id, Machine, Plan, PlannedInterface};
use super::rule_calls::permission;
use crate::account::{Account, Holder, SecurityGroup};
use crate::model::{PrefixFamily, shell_word};

/// The begin of each script: it stops where a call fails.
const HEAD: &str = "set -euo pipefail
: \"${AMI:?give the image of the instances: AMI=ami-... }\"
: \"${INSTANCE_TYPE:=t3.micro}\"
";

pub fn write(account: &Account, title: &str) -> Outward {
    let mut script = Script { plan: Plan::of(account, Language::Shell), text: String::new() };
    script.networks();
    script.prefix_lists();
    // All groups are there before a rule names one, and all Elastic IPs.
    for (id, group) in &account.groups {
        let name = script.plan.groups[id].clone();
        script.group(&name, group);
    }
    let machines = std::mem::take(&mut script.plan.machines);
    for address in machines.iter().flat_map(|machine| &machine.interfaces).flat_map(|interface| &interface.elastic) {
        script.line(&format!("{address}=$(aws ec2 allocate-address --domain vpc --query AllocationId --output text)"));
        let query = "--query 'Addresses[0].PublicIp' --output text";
        script.line(&format!("{address}_ip=$(aws ec2 describe-addresses --allocation-ids \"${address}\" {query})"));
    }
    for (id, group) in &account.groups {
        let name = script.plan.groups[id].clone();
        script.rules(&name, group);
    }
    machines.iter().for_each(|machine| script.machine(machine));
    let Script { plan, text } = script;
    let header = format!("#!/usr/bin/env bash\n{}{HEAD}", plan.notes.header(title));
    Outward { text: header + &text, left_out: plan.notes.into_items() }
}

/// A reference as a word.
fn word(id: &Id) -> String {
    match id {
        Id::Own(name) => format!("\"${name}\""),
        Id::There(id) => shell_word(id),
    }
}

fn tags(kind: &str, label: &str) -> String {
    let tags = json!([{ "ResourceType": kind, "Tags": [{ "Key": "Name", "Value": label }] }]);
    format!("--tag-specifications {}", shell_word(&tags.to_string()))
}

/// A script in the making.
struct Script<'a> {
    plan: Plan<'a>,
    text: String,
}

impl Script<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// A call whose answer is kept.
    fn keep(&mut self, name: &str, call: &str, query: &str) {
        self.line(&format!("{name}=$(aws ec2 {call} --query {} --output text)", shell_word(query)));
    }

    fn call(&mut self, call: &str) {
        self.line(&format!("aws ec2 {call} >/dev/null"));
    }

    /// A block, or a variable that the caller gives.
    fn block(&mut self, name: &str, block: Option<String>, origin: &crate::account::Origin) -> String {
        let Some(block) = block else {
            self.plan.notes.add("block", "it is not known, and a variable", origin);
            return format!("\"${{block_of_{name}:?give the block that no source tells}}\"");
        };
        block
    }

    fn networks(&mut self) {
        let account = self.plan.account;
        for (id, vpc) in &account.vpcs {
            let name = self.plan.vpcs[id].clone();
            let block = self.block(&name, vpc.blocks.first().map(ToString::to_string), &vpc.origin);
            let has_ipv6 = account.has_ipv6(id);
            let ipv6 = if has_ipv6 { " --amazon-provided-ipv6-cidr-block" } else { "" };
            self.keep(
                &name,
                &format!("create-vpc --cidr-block {block}{ipv6} {}", tags("vpc", &vpc.label)),
                "Vpc.VpcId",
            );
            for block in vpc.blocks.iter().skip(1) {
                self.call(&format!("associate-vpc-cidr-block --vpc-id \"${name}\" --cidr-block {block}"));
            }
            if has_ipv6 {
                self.plan.notes.add("IPv6 block", "Amazon gives another one", &vpc.origin);
                let query = "--query 'Vpcs[0].Ipv6CidrBlockAssociationSet[0].Ipv6CidrBlock' --output text";
                self.line(&format!("{name}_ipv6=$(aws ec2 describe-vpcs --vpc-ids \"${name}\" {query})"));
            }
            if self.plan.open.contains(id) {
                self.gateway(&name, has_ipv6);
            }
        }
        for (index, (id, subnet)) in account.subnets.iter().enumerate() {
            let name = self.plan.subnets[id].clone();
            let block = self.block(&name, subnet.block.map(|block| block.to_string()), &subnet.origin);
            let vpc = self.plan.vpc(subnet.vpc.as_ref(), &subnet.origin);
            let vpc = vpc.map_or_else(|| "\"${DEFAULT_VPC:?}\"".to_owned(), |id| word(&id));
            // Amazon's block is a /56, and that of a subnet a /64 of it.
            let ipv6 = self.plan.ipv6_of(id, index).map(|(vpc, number)| {
                format!(" --ipv6-cidr-block \"${{{}_ipv6%00::/56}}{number:02x}::/64\"", self.plan.vpcs[vpc])
            });
            let call = format!("create-subnet --vpc-id {vpc} --cidr-block {block}{}", ipv6.unwrap_or_default());
            self.keep(&name, &format!("{call} {}", tags("subnet", &subnet.label)), "Subnet.SubnetId");
            if subnet.automatic_public.known() == Some(&true) {
                self.call(&format!("modify-subnet-attribute --subnet-id \"${name}\" --map-public-ip-on-launch"));
            }
        }
    }

    /// The way to the internet. No source tells it; a public address needs one.
    fn gateway(&mut self, vpc: &str, ipv6: bool) {
        let gateway = format!("gateway_of_{vpc}");
        self.keep(&gateway, "create-internet-gateway", "InternetGateway.InternetGatewayId");
        self.call(&format!("attach-internet-gateway --internet-gateway-id \"${gateway}\" --vpc-id \"${vpc}\""));
        let filters = format!("--filters Name=vpc-id,Values=\"${vpc}\" Name=association.main,Values=true");
        self.keep(
            &format!("routes_of_{vpc}"),
            &format!("describe-route-tables {filters}"),
            "RouteTables[0].RouteTableId",
        );
        let mut route = |block: &str| {
            let to = format!("{block} --gateway-id \"${gateway}\"");
            self.call(&format!("create-route --route-table-id \"$routes_of_{vpc}\" {to}"));
        };
        route("--destination-cidr-block 0.0.0.0/0");
        if ipv6 {
            route("--destination-ipv6-cidr-block ::/0");
        }
    }

    fn prefix_lists(&mut self) {
        for (id, list) in &self.plan.account.prefix_lists {
            let (Some(name), Some(entries)) = (self.plan.lists.get(id).cloned(), list.entries.known()) else {
                continue;
            };
            let family = list.family().unwrap_or(PrefixFamily::Ipv4);
            let each: Vec<String> = match list.descriptions.is_empty() {
                true => entries.iter().map(|entry| format!("Cidr={entry}")).collect(),
                false => {
                    let each = entries.iter().map(|entry| match list.descriptions.get(entry) {
                        Some(text) => json!({ "Cidr": entry.to_string(), "Description": text }),
                        None => json!({ "Cidr": entry.to_string() }),
                    });
                    vec![shell_word(&serde_json::Value::from_iter(each).to_string())]
                }
            };
            let each = if each.is_empty() { String::new() } else { format!(" --entries {}", each.join(" ")) };
            let (label, most) = (value(&list.label), list.room());
            let call = format!(
                "create-managed-prefix-list --prefix-list-name={label} --address-family {family} --max-entries {most}{each}"
            );
            self.keep(&name, &call, "PrefixList.PrefixListId");
        }
    }

    /// A group without a rule: those that AWS gives it are taken away.
    fn group(&mut self, name: &str, group: &SecurityGroup) {
        let vpc = self.plan.vpc(group.vpc.as_ref(), &group.origin).map(|id| word(&id));
        let own = format!("\"${name}\"");
        if self.plan.defaults.contains(name) {
            let of = vpc.map(|vpc| format!("Name=vpc-id,Values={vpc} ")).unwrap_or_default();
            self.keep(
                name,
                &format!("describe-security-groups --filters {of}Name=group-name,Values=default"),
                "SecurityGroups[0].GroupId",
            );
            let members = format!("'[{{\"IpProtocol\":\"-1\",\"UserIdGroupPairs\":[{{\"GroupId\":\"'{own}'\"}}]}}]'");
            self.call(&format!("revoke-security-group-ingress --group-id {own} --ip-permissions {members}"));
        } else {
            let of = vpc.map(|vpc| format!(" --vpc-id {vpc}")).unwrap_or_default();
            let ec2_name = Plan::name_of(group);
            let (ec2_name, description) = (value(ec2_name), value(Plan::description_of(group)));
            let words = format!("--group-name={ec2_name} --description={description}");
            self.keep(
                name,
                &format!("create-security-group {words}{of} {}", tags("security-group", &group.label)),
                "GroupId",
            );
        }
        let everywhere = shell_word(r#"[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]"#);
        self.call(&format!("revoke-security-group-egress --group-id {own} --ip-permissions {everywhere}"));
        if group.vpc.as_ref().is_some_and(|id| self.plan.account.has_ipv6(id)) {
            let everywhere = shell_word(r#"[{"IpProtocol":"-1","Ipv6Ranges":[{"CidrIpv6":"::/0"}]}]"#);
            self.call(&format!("revoke-security-group-egress --group-id {own} --ip-permissions {everywhere}"));
        }
    }

    fn rules(&mut self, name: &str, group: &SecurityGroup) {
        for (word, rules) in [("ingress", &group.ingress), ("egress", &group.egress)] {
            for rule in self.plan.rules(rules) {
                let permission = permission(&rule);
                self.call(&format!(
                    "authorize-security-group-{word} --group-id \"${name}\" --ip-permissions {permission}"
                ));
            }
        }
    }

    fn machine(&mut self, machine: &Machine<'_>) {
        let is_instance = machine.held.holder.is_instance();
        let own = format!("\"${}\"", machine.name);
        for (index, interface) in machine.interfaces.iter().enumerate() {
            let is_first = is_instance && index == 0;
            if is_first {
                self.instance(machine, interface);
            } else {
                let words = interface_words(interface, "--groups");
                let call = format!("create-network-interface{words} {}", tags("network-interface", machine.held.label));
                self.keep(&interface.name, &call, "NetworkInterface.NetworkInterfaceId");
            }
            let further = format!("\"${}\"", interface.name);
            if interface.private.len() > 1 || !interface.prefixes.is_empty() || interface.ipv6_prefixes > 0 {
                if is_first {
                    let query = "Instances[0].NetworkInterfaces[0].NetworkInterfaceId";
                    let call = format!("describe-instances --instance-ids {own}");
                    self.keep(&interface.name, &call, &format!("Reservations[0].{query}"));
                }
                let more: Vec<String> = interface.private.iter().skip(1).map(ToString::to_string).collect();
                let prefixes: Vec<String> = interface.prefixes.iter().map(ToString::to_string).collect();
                for (key, blocks) in [("--private-ip-addresses", more), ("--ipv4-prefixes", prefixes)] {
                    let more = format!("{key} {}", blocks.join(" "));
                    if !blocks.is_empty() {
                        self.call(&format!("assign-private-ip-addresses --network-interface-id {further} {more}"));
                    }
                }
            }
            if interface.ipv6_prefixes > 0 {
                let count = interface.ipv6_prefixes;
                self.call(&format!(
                    "assign-ipv6-addresses --network-interface-id {further} --ipv6-prefix-count {count}"
                ));
            }
            if is_instance && index > 0 {
                let to = format!("--instance-id {own} --device-index {}", interface.device);
                self.call(&format!("attach-network-interface --network-interface-id {further} {to}"));
            }
            for address in &interface.elastic {
                let to =
                    if is_first { format!("--instance-id {own}") } else { format!("--network-interface-id {further}") };
                self.call(&format!("associate-address --allocation-id \"${address}\" {to}"));
            }
        }
        if machine.held.holder == Holder::StoppedInstance {
            self.call(&format!("stop-instances --instance-ids {own}"));
        }
    }

    fn instance(&mut self, machine: &Machine<'_>, interface: &PlannedInterface) {
        let automatic = match interface.automatic {
            Some(true) => " --associate-public-ip-address",
            Some(false) => " --no-associate-public-ip-address",
            None => "",
        };
        let words = interface_words(interface, "--security-group-ids");
        let call = format!(
            "run-instances --image-id \"$AMI\" --instance-type \"$INSTANCE_TYPE\"{words}{automatic} {}",
            tags("instance", machine.held.label)
        );
        self.keep(&machine.name, &call, "Instances[0].InstanceId");
        let stops = machine.held.holder == Holder::StoppedInstance;
        if stops || !interface.elastic.is_empty() || machine.interfaces.len() > 1 {
            self.line(&format!("aws ec2 wait instance-running --instance-ids \"${}\"", machine.name));
        }
    }
}

fn interface_words(interface: &PlannedInterface, groups: &str) -> String {
    let mut words = String::new();
    if let Some(subnet) = &interface.subnet {
        let _ = write!(words, " --subnet-id {}", word(subnet));
    }
    if !interface.groups.is_empty() {
        let all: Vec<String> = interface.groups.iter().map(word).collect();
        let _ = write!(words, " {groups} {}", all.join(" "));
    }
    if let Some(address) = interface.private.first() {
        let _ = write!(words, " --private-ip-address {address}");
    }
    if interface.ipv6 > 0 {
        let _ = write!(words, " --ipv6-address-count {}", interface.ipv6);
    }
    words
}

/// The value of an option.
fn value(text: &str) -> String {
    shell_word(&literal(Language::Shell, text))
}
