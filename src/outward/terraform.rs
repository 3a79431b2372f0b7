//! An account in Terraform's language: networks, groups and rules. Members of groups are in a file beside.

use ipnet::IpNet;

use super::hcl::{Block, list, text};
use super::names::Language;
use super::notes::Outward;
use super::plan::{Id, Plan, PlannedPeer, PlannedRule};
use super::terraform_members::{group_reference, members, reference};
use crate::account::{Account, PrefixList, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

/// Provider, and what no source tells: an image.
const HEAD: &str = r#"terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "ami" {
  description = "The image of each instance"
  type        = string
}

variable "instance_type" {
  description = "The type of each instance"
  type        = string
  default     = "t3.micro"
}
"#;

pub fn write(account: &Account, title: &str) -> Outward {
    let mut plan = Plan::of(account, Language::Terraform);
    let mut blocks = networks(&mut plan);
    blocks.extend(account.prefix_lists.iter().filter_map(|(id, list)| {
        let name = plan.lists.get(id)?;
        Some(prefix_list(name, list, list.entries.known()?))
    }));
    for (id, group) in &account.groups {
        let name = plan.groups[id].clone();
        blocks.extend(group_blocks(&mut plan, &name, group));
    }
    blocks.extend(members(&plan));
    let body: String = blocks.iter().map(|block| format!("\n{}", block.render(0))).collect();
    Outward { text: format!("{}\n{HEAD}{body}", plan.notes.header(title)), left_out: plan.notes.into_items() }
}

/// A variable for a value that no source tells.
fn blank(name: &str, what: &str) -> Block {
    Block::new(&format!("variable {}", text(name))).is("description", text(what)).is("type", "string")
}

fn networks(plan: &mut Plan<'_>) -> Vec<Block> {
    let account = plan.account;
    let mut blocks = Vec::new();
    for (id, vpc) in &account.vpcs {
        let name = plan.vpcs[id].clone();
        let block = match vpc.blocks.first() {
            Some(block) => text(&block.to_string()),
            None => {
                plan.notes.add("block", "it is not known, and a variable", &vpc.origin);
                blocks.push(blank(&format!("vpc_{name}"), "The block of a VPC"));
                format!("var.vpc_{name}")
            }
        };
        let has_ipv6 = account.has_ipv6(id);
        let ipv6 = has_ipv6.then(|| "true".to_owned());
        if ipv6.is_some() {
            plan.notes.add("IPv6 block", "Amazon gives another one", &vpc.origin);
        }
        let own = Block::resource("aws_vpc", &name).is("cidr_block", block);
        blocks
            .push(own.maybe("assign_generated_ipv6_cidr_block", ipv6).named(&vpc.label, vpc.origin.resource.as_str()));
        for (index, block) in vpc.blocks.iter().enumerate().skip(1) {
            let further = Block::resource("aws_vpc_ipv4_cidr_block_association", &format!("{name}_{index}"));
            blocks.push(further.is("vpc_id", format!("aws_vpc.{name}.id")).is("cidr_block", text(&block.to_string())));
        }
        if plan.open.contains(id) {
            blocks.extend(gateway(&name, has_ipv6));
        }
    }
    for (index, (id, subnet)) in account.subnets.iter().enumerate() {
        let name = plan.subnets[id].clone();
        let block = match subnet.block {
            Some(block) => text(&block.to_string()),
            None => {
                plan.notes.add("block", "it is not known, and a variable", &subnet.origin);
                blocks.push(blank(&format!("subnet_{name}"), "The block of a subnet"));
                format!("var.subnet_{name}")
            }
        };
        let of = plan.vpc(subnet.vpc.as_ref(), &subnet.origin);
        let ipv6 = plan.ipv6_of(id, index);
        let ipv6 =
            ipv6.map(|(vpc, number)| format!("cidrsubnet(aws_vpc.{}.ipv6_cidr_block, 8, {number})", plan.vpcs[vpc]));
        let automatic = subnet.automatic_public.known().map(bool::to_string);
        let own = Block::resource("aws_subnet", &name).maybe("vpc_id", of.map(|id| reference("aws_vpc", &id)));
        let own = own.is("cidr_block", block).maybe("ipv6_cidr_block", ipv6);
        blocks.push(
            own.maybe("map_public_ip_on_launch", automatic).named(&subnet.label, subnet.origin.resource.as_str()),
        );
    }
    blocks
}

/// The way to the internet. No source tells it; a public address needs one.
fn gateway(vpc: &str, ipv6: bool) -> Vec<Block> {
    let gateway = Block::resource("aws_internet_gateway", vpc).is("vpc_id", format!("aws_vpc.{vpc}.id"));
    let route = |name: String, key: &str, block: &str| {
        Block::resource("aws_route", &name)
            .is("route_table_id", format!("aws_vpc.{vpc}.main_route_table_id"))
            .is(key, text(block))
            .is("gateway_id", format!("aws_internet_gateway.{vpc}.id"))
    };
    let mut blocks = vec![gateway, route(format!("{vpc}_internet"), "destination_cidr_block", "0.0.0.0/0")];
    if ipv6 {
        blocks.push(route(format!("{vpc}_internet_ipv6"), "destination_ipv6_cidr_block", "::/0"));
    }
    blocks
}

fn prefix_list(name: &str, list: &PrefixList, entries: &[IpNet]) -> Block {
    let family = list.family().unwrap_or(PrefixFamily::Ipv4).to_string();
    let own = Block::resource("aws_ec2_managed_prefix_list", name)
        .is("name", text(&list.label))
        .is("address_family", text(&family))
        .is("max_entries", list.room().to_string());
    entries.iter().fold(own, |own, entry| {
        let description = list.descriptions.get(entry).map(|words| text(words));
        own.with(Block::new("entry").is("cidr", text(&entry.to_string())).maybe("description", description))
    })
}

/// A group and its rules. The group `default` is there with its VPC, and has its rules inside: so Terraform takes away those that AWS gave it.
fn group_blocks(plan: &mut Plan<'_>, name: &str, group: &SecurityGroup) -> Vec<Block> {
    let of = plan.vpc(group.vpc.as_ref(), &group.origin).map(|id| reference("aws_vpc", &id));
    let (ingress, egress) = (plan.rules(&group.ingress), plan.rules(&group.egress));
    if plan.defaults.contains(name) {
        let own = Block::resource("aws_default_security_group", name).maybe("vpc_id", of);
        let own = ingress.iter().fold(own, |own, rule| own.with(inside(plan, name, "ingress", rule)));
        return vec![egress.iter().fold(own, |own, rule| own.with(inside(plan, name, "egress", rule)))];
    }
    let own = Block::resource("aws_security_group", name)
        .is("name", text(Plan::name_of(group)))
        .is("description", text(Plan::description_of(group)))
        .maybe("vpc_id", of);
    let mut blocks = vec![own];
    for (direction, rules) in [(Direction::Ingress, ingress), (Direction::Egress, egress)] {
        blocks.extend(rules.iter().enumerate().map(|(index, rule)| apart(plan, name, direction, index, rule)));
    }
    blocks
}

/// A rule as a resource of its own.
fn apart(plan: &Plan<'_>, group: &str, direction: Direction, index: usize, rule: &PlannedRule) -> Block {
    let (key, peer) = match &rule.peer {
        PlannedPeer::Block(block) if block.addr().is_ipv4() => ("cidr_ipv4", text(&block.to_string())),
        PlannedPeer::Block(block) => ("cidr_ipv6", text(&block.to_string())),
        PlannedPeer::Address(name) => ("cidr_ipv4", format!("\"${{aws_eip.{name}.public_ip}}/32\"")),
        PlannedPeer::Group(id) => ("referenced_security_group_id", group_reference(plan, id)),
        PlannedPeer::List(id) => ("prefix_list_id", reference("aws_ec2_managed_prefix_list", id)),
    };
    Block::resource(&format!("aws_vpc_security_group_{direction}_rule"), &format!("{group}_{direction}_{}", index + 1))
        .is("security_group_id", format!("aws_security_group.{group}.id"))
        .is("ip_protocol", text(&rule.words.protocol))
        .maybe("from_port", rule.words.ports.map(|(from, _)| from.to_string()))
        .maybe("to_port", rule.words.ports.map(|(_, to)| to.to_string()))
        .is(key, peer)
        .maybe("description", rule.description.as_deref().map(text))
}

/// A rule inside its group.
fn inside(plan: &Plan<'_>, group: &str, word: &str, rule: &PlannedRule) -> Block {
    let (key, peer) = match &rule.peer {
        PlannedPeer::Block(block) if block.addr().is_ipv4() => ("cidr_blocks", list([text(&block.to_string())])),
        PlannedPeer::Block(block) => ("ipv6_cidr_blocks", list([text(&block.to_string())])),
        PlannedPeer::Address(name) => ("cidr_blocks", list([format!("\"${{aws_eip.{name}.public_ip}}/32\"")])),
        // A resource that names itself is a circle.
        PlannedPeer::Group(Id::Own(name)) if name == group => ("self", "true".to_owned()),
        PlannedPeer::Group(id) => ("security_groups", list([group_reference(plan, id)])),
        PlannedPeer::List(id) => ("prefix_list_ids", list([reference("aws_ec2_managed_prefix_list", id)])),
    };
    let (from, to) = rule.words.ports.unwrap_or((0, 0));
    Block::new(word)
        .is("protocol", text(&rule.words.protocol))
        .is("from_port", from.to_string())
        .is("to_port", to.to_string())
        .is(key, peer)
        .maybe("description", rule.description.as_deref().map(text))
}
