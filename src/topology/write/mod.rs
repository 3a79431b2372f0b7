//! A cloud written back as a topology file: the reader makes an equal one of it.
//!
//! Private addresses of instances are written down. Public and IPv6 ones cannot be asked for, nor those of load balancers,
//! so others are given, and a rule that names one by its address names the new one instead. Whatever cannot be said in a
//! file is an error, and what was written is read again before it is given out: a file never says something else.

mod addresses;
mod balancers;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::Topology;
use crate::model::{
    AutomaticPublic, Cloud, DEFAULT_GROUP, DEFAULT_VPC_CIDR, Direction, Endpoint, Flow, Forwarding, GroupName,
    Instance, InstanceName, InstanceState, Interface, InterfaceId, Mtu, Peer, Peers, PrivateIp, Rule, SecurityGroup,
    Service, SourceDestCheck, Traffic, Via, Vpc, VpcName, add_default_group,
};

/// Why a cloud cannot be written as a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// It says something for which the format has no words.
    #[error("{0}")]
    NoWords(String),
    /// What was written is not read as the same cloud: a mistake of this module.
    #[error("the file would not say the same: {0}")]
    ReadsDifferently(String),
}

/// Writes a cloud as a file whose last step stands where the cloud stands. `expect` is what follows `expect:` there; it
/// names nothing that has an address of its own.
///
/// # Errors
/// [`Unwritable`]; nothing is left out silently.
pub fn write(cloud: &Cloud, title: &str, expect: &str) -> Result<String, Unwritable> {
    let mut cloud = cloud.clone();
    forget_unused_default(&mut cloud);
    balancers::forget_unused_groups(&mut cloud);
    balancers::refuse_elsewhere(&cloud)?;
    let first = text(&cloud, title, expect)?;
    let renamed = addresses::rename(&cloud, &read(&first)?)?;
    let written = text(&renamed, title, expect)?;
    let again = read(&written)?;
    match addresses::difference(&renamed, &again) {
        None => Ok(written),
        Some(difference) => Err(Unwritable::ReadsDifferently(difference)),
    }
}

/// A flow as a file writes it. A host with several addresses means each of them.
pub fn flow(flow: &Flow) -> String {
    let service = match flow.service {
        Service::Tcp(port) => port.to_string(),
        Service::Udp(port) => format!("{port}/udp"),
        Service::IcmpEcho => "ping".to_owned(),
        Service::Icmp(_) | Service::Protocol(_) => flow.service.to_string(),
    };
    format!("{} -> {}:{service}{}", flow.from, flow.to, by(flow))
}

/// Two ends that send to each other as a file writes them.
pub fn peers(peers: &Peers) -> String {
    let Flow { from, to, service, .. } = &peers.there;
    match (peers.port(), service) {
        (Some(own), Service::Udp(port)) => format!("{from}:{own} <-> {to}:{port}/udp{}", by(&peers.there)),
        _ => format!("{from} <-> {to}:{service}{}", by(&peers.there)),
    }
}

/// By which address, where that has to be said.
fn by(flow: &Flow) -> &'static str {
    let host = |end: &Endpoint| matches!(end, Endpoint::Host(..));
    match flow.via {
        Via::Dns => " by dns name",
        _ if host(&flow.from) || host(&flow.to) => "",
        via if via == flow.to.usual_via() => "",
        Via::Private => " by private address",
        Via::Public => " by public address",
        Via::Ipv6 => " by ipv6 address",
    }
}

/// The cloud of a file that was written here, after its one step.
pub(super) fn read(text: &str) -> Result<Cloud, Unwritable> {
    let unread = |why: String| Unwritable::ReadsDifferently(why);
    let topology = Topology::parse("written.yaml", text.as_bytes()).map_err(|problems| unread(problems.to_string()))?;
    let era = topology.eras.first().copied().ok_or_else(|| unread("it has no era".to_owned()))?;
    let mut cloud = topology.initial_cloud(era).map_err(|(refusal, place)| unread(format!("{place}: {refusal}")))?;
    for operation in topology.steps.iter().flat_map(super::Step::operations) {
        cloud = crate::model::apply(&cloud, &operation.value)
            .map_err(|refusal| unread(format!("{}: {refusal}", operation.place)))?;
    }
    Ok(cloud)
}

/// A file has its `default` group only where something uses it.
fn forget_unused_default(cloud: &mut Cloud) {
    let name = GroupName::new(DEFAULT_GROUP);
    let worn = cloud.network_interfaces().any(|interface| interface.groups.contains(&name));
    let named = cloud.groups.iter().any(|(other, group)| {
        *other != name && group.ingress.iter().chain(&group.egress).any(|rule| rule.peer == Peer::Group(name.clone()))
    });
    if !worn && !named {
        cloud.groups.shift_remove(&name);
    }
}

/// Whether a group is one of those of EC2-Classic's load balancers, whose names a file cannot give.
fn is_amazons(group: &GroupName) -> bool {
    super::names::fault(group.as_str()).is_some()
}

fn text(cloud: &Cloud, title: &str, expect: &str) -> Result<String, Unwritable> {
    let mut out = String::new();
    for line in title.lines() {
        line_of(&mut out, &format!("# {line}"));
    }
    line_of(&mut out, &format!("sglab: 1\nera: {}", cloud.era));
    section(&mut out, "knobs", knobs(cloud));
    section(&mut out, "tracking", tracking(cloud));
    section(&mut out, "vpcs", vpcs(cloud)?);
    let hosts = cloud.hosts.iter().map(|(name, host)| {
        let addresses = host.addresses.iter().map(|address| scalar(&address.to_string()));
        let (name, addresses) = (scalar(name.as_str()), addresses.collect::<Vec<_>>().join(", "));
        match host.mtu {
            Mtu::ETHERNET => format!("{name}: [{addresses}]"),
            mtu => format!("{name}: {{address: [{addresses}], mtu: {mtu}}}"),
        }
    });
    section(&mut out, "hosts", hosts.collect());
    section(&mut out, "elastic-ips", elastic_ips(cloud));
    let lists = cloud.prefix_lists.iter().map(|(name, list)| {
        let entries = list.entries.iter().map(|entry| scalar(&entry.to_string())).collect::<Vec<_>>().join(", ");
        format!("{}: {{entries: [{entries}], max-entries: {}}}", scalar(name.as_str()), list.max_entries)
    });
    section(&mut out, "prefix-lists", lists.collect());
    let mut last = Vec::new();
    let default = GroupName::new(DEFAULT_GROUP);
    let groups = cloud.groups.iter().filter(|(name, _)| **name != default && !is_amazons(name));
    section(&mut out, "groups", groups.map(|(name, it)| group(cloud, name, it)).collect());
    let instances: Result<Vec<String>, _> =
        cloud.instances.iter().map(|(name, it)| instance(cloud, name, it)).collect();
    section(&mut out, "instances", instances?);
    let balancers = cloud.load_balancers.iter().map(|(name, it)| balancers::entry(cloud, name, it));
    section(&mut out, "load-balancers", balancers.collect());
    if let Some(group) = cloud.groups.get(&default) {
        last.extend(edits_of_default(cloud, group));
    }
    for (name, instance) in &cloud.instances {
        match instance.state {
            InstanceState::Running => {}
            InstanceState::Crashed => last.push(format!("crash: {}", scalar(name.as_str()))),
            InstanceState::Stopped => last.push(format!("stop: {}", scalar(name.as_str()))),
        }
    }
    line_of(&mut out, "scenario:\n  - step: as it stands");
    if !last.is_empty() {
        line_of(&mut out, "    do:");
        last.iter().for_each(|operation| line_of(&mut out, &format!("      - {operation}")));
    }
    line_of(&mut out, &format!("    expect: {expect}"));
    Ok(out)
}

fn line_of(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn section(out: &mut String, key: &str, entries: Vec<String>) {
    if !entries.is_empty() {
        line_of(out, &format!("{key}:"));
        entries.iter().for_each(|entry| line_of(out, &format!("  {entry}")));
    }
}

/// A word as YAML reads it back as text.
fn scalar(word: &str) -> String {
    let plain = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !["yes", "no", "on", "off", "true", "false", "null", "y", "n"].contains(&word.to_lowercase().as_str());
    let address = word.parse::<Ipv4Net>().is_ok() || word.parse::<Ipv4Addr>().is_ok();
    if plain || address { word.to_owned() } else { serde_json::Value::from(word).to_string() }
}

/// A text in quotes, whatever it looks like.
fn in_quotes(words: &str) -> String {
    serde_json::Value::from(words).to_string()
}

fn knobs(cloud: &Cloud) -> Vec<String> {
    let (own, preset) = (cloud.knobs, cloud.era.knobs());
    [
        ("change-groups", own.change_groups.as_str(), preset.change_groups.as_str()),
        ("self-reference", own.self_reference.as_str(), preset.self_reference.as_str()),
        ("private-address-on-start", own.private_address_on_start.as_str(), preset.private_address_on_start.as_str()),
        ("address-on-crash", own.address_on_crash.as_str(), preset.address_on_crash.as_str()),
        ("elastic-ip-on-stop", own.elastic_ip_on_stop.as_str(), preset.elastic_ip_on_stop.as_str()),
        ("quotas", own.quotas.as_str(), preset.quotas.as_str()),
        ("group-reference-ipv6", own.group_reference_ipv6.as_str(), preset.group_reference_ipv6.as_str()),
        ("icmp-errors", own.icmp_errors.as_str(), preset.icmp_errors.as_str()),
    ]
    .into_iter()
    .filter(|(_, own, preset)| own != preset)
    .map(|(key, own, _)| format!("{key}: {own}"))
    .collect()
}

fn tracking(cloud: &Cloud) -> Vec<String> {
    let (own, usual) = (cloud.tracking, crate::model::TrackingTimeouts::default());
    [
        ("tcp-established", own.tcp_established, usual.tcp_established),
        ("udp", own.udp, usual.udp),
        ("udp-stream", own.udp_stream, usual.udp_stream),
        ("icmp", own.icmp, usual.icmp),
        ("other", own.other, usual.other),
        ("clock-factor", own.clock_factor, usual.clock_factor),
    ]
    .into_iter()
    .filter(|(_, own, usual)| own != usual)
    .map(|(key, own, _)| format!("{key}: {own}"))
    .collect()
}

/// Nothing for the one VPC of a file that names none.
fn vpcs(cloud: &Cloud) -> Result<Vec<String>, Unwritable> {
    if is_usual(cloud) {
        return Ok(Vec::new());
    }
    let of_vpc = |(name, vpc): (&VpcName, &Vpc)| {
        let mut subnets = Vec::new();
        for (subnet, cidr) in &vpc.subnets {
            let mut routes = Vec::new();
            for route in vpc.routes.get(subnet).into_iter().flatten() {
                if cloud.interface(&route.target).is_none() {
                    let gone = format!("a route of subnet {subnet} leads to {}, which is not there", route.target);
                    return Err(Unwritable::NoWords(gone));
                }
                let target = match route.target.device {
                    0 => route.target.instance.to_string(),
                    _ => route.target.to_string(),
                };
                routes.push(format!("{}: {}", route.destination, scalar(&target)));
            }
            subnets.push(if routes.is_empty() {
                format!("{}: {cidr}", scalar(subnet.as_str()))
            } else {
                format!("{}: {{cidr: {cidr}, routes: {{{}}}}}", scalar(subnet.as_str()), routes.join(", "))
            });
        }
        let ipv6 = vpc.ipv6.map_or_else(String::new, |block| format!(", ipv6: \"{block}\""));
        let subnets = subnets.join(", ");
        Ok(format!("{}: {{cidr: {}{ipv6}, subnets: {{{subnets}}}}}", scalar(name.as_str()), vpc.cidr))
    };
    cloud.vpcs.iter().map(of_vpc).collect()
}

fn is_usual(cloud: &Cloud) -> bool {
    let usual = |(name, vpc): (&VpcName, &Vpc)| {
        let one = vpc.subnets.len() == 1
            && vpc.subnets.iter().all(|(name, net)| name.as_str() == "default" && *net == vpc.cidr);
        name.as_str() == "default"
            && vpc.cidr == DEFAULT_VPC_CIDR
            && one
            && vpc.ipv6.is_none()
            && vpc.routes.values().all(Vec::is_empty)
    };
    cloud.vpcs.len() == 1 && cloud.vpcs.iter().all(usual)
}

/// The section, and the associations that only a step can say: those of one interface of several.
fn elastic_ips(cloud: &Cloud) -> Vec<String> {
    let is_only = |id: &InterfaceId| cloud.instances.get(&id.instance).is_some_and(|it| it.interfaces.len() == 1);
    let holder = |id: &InterfaceId| scalar(&if is_only(id) { id.instance.to_string() } else { id.to_string() });
    let entries = cloud.elastic_ips.iter().map(|(name, elastic)| {
        let holder = elastic.association.as_ref().map_or_else(|| "none".to_owned(), holder);
        format!("{}: {holder}", scalar(name.as_str()))
    });
    entries.collect()
}

fn group(cloud: &Cloud, name: &GroupName, group: &SecurityGroup) -> String {
    let born_with = born_egress(cloud, &group.vpc);
    let same = |rule: &Rule, (traffic, peer): &(Traffic, Peer)| rule.traffic == *traffic && rule.peer == *peer;
    let as_born = group.egress.len() == born_with.len()
        && group.egress.iter().zip(&born_with).all(|(rule, born)| same(rule, born) && rule.description.is_none());
    let egress = cloud.has_egress_rules() && !as_born;
    let ingress = rules(&group.ingress, Direction::Ingress);
    let mut fields = Vec::new();
    if cloud.vpcs.len() > 1 {
        fields.push(format!("vpc: {}", scalar(group.vpc.as_str())));
    }
    if let Some(text) = &group.description {
        fields.push(format!("description: {}", serde_json::Value::from(text.as_str())));
    }
    if egress {
        fields.push(format!("egress: {}", rules(&group.egress, Direction::Egress)));
    }
    if fields.is_empty() {
        return format!("{}: {ingress}", scalar(name.as_str()));
    }
    fields.push(format!("ingress: {ingress}"));
    format!("{}: {{{}}}", scalar(name.as_str()), fields.join(", "))
}

fn born_egress(cloud: &Cloud, vpc: &VpcName) -> Vec<(Traffic, Peer)> {
    let ipv6 = cloud.vpcs.get(vpc).is_some_and(|vpc| vpc.ipv6.is_some());
    let everywhere = [Some(IpNet::V4(Default::default())), ipv6.then(|| IpNet::V6(Default::default()))];
    everywhere.into_iter().flatten().map(|net| (Traffic::All, Peer::Cidr(net))).collect()
}

fn rules(rules: &[Rule], direction: Direction) -> String {
    format!("[{}]", rules.iter().map(|it| rule(it, direction)).collect::<Vec<_>>().join(", "))
}

/// A rule, in the long form if it has a description.
fn rule(rule: &Rule, direction: Direction) -> String {
    let preposition = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let Some(description) = &rule.description else {
        return serde_json::Value::from(format!("{} {preposition} {}", rule.traffic, rule.peer)).to_string();
    };
    let traffic = rule.traffic.to_string();
    let (protocol, what) = traffic.split_once(' ').unwrap_or((&traffic, ""));
    let fields = match rule.traffic {
        Traffic::All => "protocol: all".to_owned(),
        Traffic::Protocol(number) => format!("protocol: {number}"),
        Traffic::Tcp(_) | Traffic::Udp(_) => format!("protocol: {protocol}, ports: {what}"),
        Traffic::Icmp(_) | Traffic::Icmpv6(_) => match what.split_once('/') {
            Some((kind, code)) => format!("protocol: {protocol}, type: {kind}, code: {code}"),
            None => format!("protocol: {protocol}, type: {what}"),
        },
    };
    let mut text = format!("{{{fields}, {preposition}: {}", scalar(&rule.peer.to_string()));
    // Writing to a String cannot fail.
    let _ = write!(text, ", description: {}}}", serde_json::Value::from(description.as_str()));
    text
}

fn instance(cloud: &Cloud, name: &InstanceName, instance: &Instance) -> Result<String, Unwritable> {
    let Some((first, more)) = instance.interfaces.split_first() else {
        return Err(Unwritable::NoWords(format!("{name} has no interface")));
    };
    let has_lost_one = first.automatic_public == AutomaticPublic::Given && first.public.is_none();
    // Stopped or crashed, it may have lost it by that, and its private one as well.
    if instance.state != InstanceState::Stopped && first.private.is_some() && has_lost_one {
        let why = format!("{name} has lost its public address with an Elastic IP, and a launch would give it another");
        return Err(Unwritable::NoWords(why));
    }
    // A crash that releases the private address releases an automatic public one too; this one came later.
    let by_itself = first.public.is_some() && cloud.elastic_ip_of(&first.id).is_none();
    if instance.state == InstanceState::Crashed && first.private.is_none() && by_itself {
        let why = format!("{name} has got a public address since it crashed, in place of an Elastic IP");
        return Err(Unwritable::NoWords(why));
    }
    let mut fields = interface(cloud, first, balancers::launched_with(cloud, name, first)?);
    if cloud.vpcs.len() > 1 {
        fields.insert(0, format!("vpc: {}", scalar(first.vpc.as_str())));
    }
    if !instance.listens.is_empty() {
        let listens = instance.listens.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        fields.push(format!("listens: [{listens}]"));
    }
    if !instance.daemons.is_empty() {
        let daemons = instance.daemons.iter().map(|(name, daemon)| {
            let words: Vec<String> = daemon.command.iter().map(|word| in_quotes(word)).collect();
            let mut fields = vec![format!("command: [{}]", words.join(", "))];
            fields.extend(daemon.port.map(|port| format!("port: {port}")));
            fields.extend(daemon.log.as_ref().map(|log| format!("log: {}", in_quotes(log))));
            format!("{}: {{{}}}", scalar(name.as_str()), fields.join(", "))
        });
        fields.push(format!("services: {{{}}}", daemons.collect::<Vec<_>>().join(", ")));
    }
    if !instance.mounts.is_empty() {
        let mounts = instance
            .mounts
            .iter()
            .map(|(place, source)| format!("{}: {}", in_quotes(place.as_str()), in_quotes(&source.to_string())));
        fields.push(format!("mounts: {{{}}}", mounts.collect::<Vec<_>>().join(", ")));
    }
    if first.automatic_public == AutomaticPublic::None {
        fields.push("public: no".to_owned());
    }
    match instance.forwarding {
        Forwarding::None => {}
        Forwarding::Plain => fields.push("forwards: as-is".to_owned()),
        Forwarding::Nat => fields.push("forwards: nat".to_owned()),
    }
    if !more.is_empty() {
        let more =
            more.iter().map(|it| format!("eth{}: {{{}}}", it.id.device, interface(cloud, it, it.private).join(", ")));
        fields.push(format!("interfaces: {{{}}}", more.collect::<Vec<_>>().join(", ")));
    }
    Ok(format!("{}: {{{}}}", scalar(name.as_str()), fields.join(", ")))
}

fn interface(cloud: &Cloud, interface: &Interface, private: Option<PrivateIp>) -> Vec<String> {
    let groups: Vec<String> = interface.groups.iter().map(|group| scalar(group.as_str())).collect();
    let mut fields = vec![format!("groups: [{}]", groups.join(", "))];
    if cloud.vpcs.get(&interface.vpc).is_some_and(|vpc| vpc.subnets.keys().next() != Some(&interface.subnet)) {
        fields.push(format!("subnet: {}", scalar(interface.subnet.as_str())));
    }
    if let Some(private) = private {
        fields.push(format!("address: {private}"));
    }
    if interface.source_dest_check == SourceDestCheck::Off {
        fields.push("source-dest-check: off".to_owned());
    }
    fields
}

/// The `default` group is there before anything that a file says, so what became of its rules is the matter of a step.
fn edits_of_default(cloud: &Cloud, group: &SecurityGroup) -> Vec<String> {
    let mut born = Cloud::new(cloud.era, cloud.knobs, cloud.vpcs.clone(), Default::default());
    add_default_group(&mut born, &group.vpc);
    let Some(born) = born.groups.get(&GroupName::new(DEFAULT_GROUP)) else { return Vec::new() };
    let said = |rules: &[Rule]| {
        rules.iter().map(|it| (it.traffic, it.peer.clone(), it.description.clone())).collect::<Vec<_>>()
    };
    let mut edits = Vec::new();
    let mut edit = |verb: &str, rules_: &[Rule], direction| {
        if !rules_.is_empty() {
            edits.push(format!("{verb}: {{{DEFAULT_GROUP}: {}}}", rules(rules_, direction)));
        }
    };
    if said(&born.ingress) != said(&group.ingress) {
        edit("revoke", &born.ingress, Direction::Ingress);
        edit("authorize", &group.ingress, Direction::Ingress);
    }
    if cloud.has_egress_rules() && said(&born.egress) != said(&group.egress) {
        edit("revoke-egress", &born.egress, Direction::Egress);
        edit("authorize-egress", &group.egress, Direction::Egress);
    }
    edits
}
