//! An account as a CloudFormation template in YAML.

use super::names::Language;
use super::notes::Outward;
use super::plan::{Id, Machine, Plan, PlannedInterface, PlannedPeer, PlannedRule};
use super::yaml::Yaml;
use crate::account::{Account, Holder, SecurityGroup};
use crate::model::{Direction, PrefixFamily};

type Resources = Vec<(String, Yaml)>;

pub fn write(account: &Account, title: &str) -> Outward {
    let mut template =
        Template { plan: Plan::of(account, Language::CloudFormation), parameters: Vec::new(), resources: Vec::new() };
    template.parameters.push(("Ami".to_owned(), parameter("AWS::EC2::Image::Id", "The image of each instance", None)));
    let kind = parameter("String", "The type of each instance", Some("t3.micro"));
    template.parameters.push(("InstanceType".to_owned(), kind));
    template.networks();
    template.prefix_lists();
    for (id, group) in &account.groups {
        template.group(&template.plan.groups[id].clone(), group);
    }
    let machines = std::mem::take(&mut template.plan.machines);
    machines.iter().for_each(|machine| template.machine(machine));
    let Template { plan, parameters, resources } = template;
    let document = Yaml::map([
        ("AWSTemplateFormatVersion", Some(Yaml::text("2010-09-09"))),
        ("Parameters", Some(Yaml::Map(parameters))),
        ("Resources", Some(Yaml::Map(resources))),
    ]);
    let mut text = String::new();
    document.write(&mut text, 0);
    Outward { text: format!("{}{}", plan.notes.header(title), text.trim_start()), left_out: plan.notes.into_items() }
}

fn parameter(kind: &str, description: &str, default: Option<&str>) -> Yaml {
    Yaml::map([
        ("Type", Some(Yaml::text(kind))),
        ("Description", Some(Yaml::text(description))),
        ("Default", default.map(Yaml::text)),
    ])
}

fn tags(label: &str) -> Option<Yaml> {
    Some(Yaml::List(vec![Yaml::map([("Key", Some(Yaml::text("Name"))), ("Value", Some(Yaml::text(label)))])]))
}

/// A reference by which a group, a list, a subnet or a VPC is known.
fn reference(id: &Id, attribute: Option<&str>) -> Yaml {
    match (id, attribute) {
        (Id::There(id), _) => Yaml::text(id),
        (Id::Own(name), None) => Yaml::reference(name),
        (Id::Own(name), Some(attribute)) => Yaml::attribute(name, attribute),
    }
}

fn group(id: &Id) -> Yaml {
    reference(id, Some("GroupId"))
}

/// A template in the making.
struct Template<'a> {
    plan: Plan<'a>,
    parameters: Resources,
    resources: Resources,
}

impl Template<'_> {
    fn add<const N: usize>(&mut self, name: &str, kind: &str, properties: [(&str, Option<Yaml>); N]) {
        self.add_after(name, kind, None, properties);
    }

    fn add_after<const N: usize>(
        &mut self,
        name: &str,
        kind: &str,
        after: Option<String>,
        properties: [(&str, Option<Yaml>); N],
    ) {
        let resource = Yaml::map([
            ("Type", Some(Yaml::text(&format!("AWS::EC2::{kind}")))),
            ("DependsOn", after.map(Yaml::Text)),
            ("Properties", Some(Yaml::map(properties))),
        ]);
        self.resources.push((name.to_owned(), resource));
    }

    /// A block, or a parameter for it.
    fn block(&mut self, name: &str, block: Option<String>, origin: &crate::account::Origin) -> Yaml {
        let Some(block) = block else {
            self.plan.notes.add("block", "it is not known, and a parameter", origin);
            let name = format!("{name}Block");
            self.parameters.push((name.clone(), parameter("String", "A block that no source tells", None)));
            return Yaml::reference(&name);
        };
        Yaml::Text(block)
    }

    fn networks(&mut self) {
        let account = self.plan.account;
        for (id, vpc) in &account.vpcs {
            let name = self.plan.vpcs[id].clone();
            let block = self.block(&name, vpc.blocks.first().map(ToString::to_string), &vpc.origin);
            self.add(&name, "VPC", [("CidrBlock", Some(block)), ("Tags", tags(&vpc.label))]);
            let own = || Some(Yaml::reference(&name));
            for (index, block) in vpc.blocks.iter().enumerate().skip(1) {
                let block = Yaml::Text(block.to_string());
                let further = format!("{name}Block{index}");
                self.add(&further, "VPCCidrBlock", [("VpcId", own()), ("CidrBlock", Some(block))]);
            }
            let has_ipv6 = account.has_ipv6(id);
            if has_ipv6 {
                self.plan.notes.add("IPv6 block", "Amazon gives another one", &vpc.origin);
                let amazon = Some(Yaml::Plain("true".to_owned()));
                self.add(
                    &format!("{name}Ipv6"),
                    "VPCCidrBlock",
                    [("VpcId", own()), ("AmazonProvidedIpv6CidrBlock", amazon)],
                );
            }
            if self.plan.open.contains(id) {
                self.gateway(&name, has_ipv6);
            }
        }
        for (index, (id, subnet)) in account.subnets.iter().enumerate() {
            let name = self.plan.subnets[id].clone();
            let block = self.block(&name, subnet.block.map(|block| block.to_string()), &subnet.origin);
            let vpc = self.plan.vpc(subnet.vpc.as_ref(), &subnet.origin);
            let ipv6 = self.plan.ipv6_of(id, index).map(|(vpc, number)| (self.plan.vpcs[vpc].clone(), number));
            let with_ipv6 = ipv6.as_ref().map(|(vpc, _)| vpc.clone());
            let ipv6 = ipv6.map(|(vpc, number)| {
                let blocks = format!("!Cidr [!Select [0, !GetAtt {vpc}.Ipv6CidrBlocks], 256, 64]");
                Yaml::Plain(format!("!Select [{number}, {blocks}]"))
            });
            let automatic = subnet.automatic_public.known().map(|automatic| Yaml::Plain(automatic.to_string()));
            self.add_after(
                &name,
                "Subnet",
                with_ipv6.map(|vpc| format!("{vpc}Ipv6")),
                [
                    ("VpcId", vpc.map(|id| reference(&id, None))),
                    ("CidrBlock", Some(block)),
                    ("Ipv6CidrBlock", ipv6),
                    ("MapPublicIpOnLaunch", automatic),
                    ("Tags", tags(&subnet.label)),
                ],
            );
        }
    }

    /// The way to the internet. No source tells it; a public address needs one.
    fn gateway(&mut self, vpc: &str, ipv6: bool) {
        let account = self.plan.account;
        let (gateway, attachment, table) =
            (format!("{vpc}Gateway"), format!("{vpc}GatewayAttachment"), format!("{vpc}Routes"));
        let own = || Some(Yaml::reference(vpc));
        self.add(&gateway, "InternetGateway", []);
        let to = || Some(Yaml::reference(&gateway));
        self.add(&attachment, "VPCGatewayAttachment", [("VpcId", own()), ("InternetGatewayId", to())]);
        self.add(&table, "RouteTable", [("VpcId", own())]);
        let mut route = |name: String, key: &str, block: &str| {
            let properties =
                [("RouteTableId", Some(Yaml::reference(&table))), (key, Some(Yaml::text(block))), ("GatewayId", to())];
            self.add_after(&name, "Route", Some(attachment.clone()), properties);
        };
        route(format!("{vpc}Internet"), "DestinationCidrBlock", "0.0.0.0/0");
        if ipv6 {
            route(format!("{vpc}InternetIpv6"), "DestinationIpv6CidrBlock", "::/0");
        }
        for (id, subnet) in &account.subnets {
            let is_of = subnet.vpc.as_ref().and_then(|id| self.plan.vpcs.get(id)).is_some_and(|name| name == vpc);
            if is_of {
                let name = self.plan.subnets[id].clone();
                let properties =
                    [("SubnetId", Some(Yaml::reference(&name))), ("RouteTableId", Some(Yaml::reference(&table)))];
                self.add(&format!("{name}Routes"), "SubnetRouteTableAssociation", properties);
            }
        }
    }

    fn prefix_lists(&mut self) {
        for (id, list) in &self.plan.account.prefix_lists {
            let (Some(name), Some(entries)) = (self.plan.lists.get(id).cloned(), list.entries.known()) else {
                continue;
            };
            let family = list.family().unwrap_or(PrefixFamily::Ipv4).to_string();
            let each = entries.iter().map(|entry| {
                let text = list.descriptions.get(entry).map(|text| Yaml::text(text));
                Yaml::map([("Cidr", Some(Yaml::Text(entry.to_string()))), ("Description", text)])
            });
            self.add(
                &name,
                "PrefixList",
                [
                    ("PrefixListName", Some(Yaml::text(&list.label))),
                    ("AddressFamily", Some(Yaml::text(&family))),
                    ("MaxEntries", Some(Yaml::Plain(list.room().to_string()))),
                    ("Entries", Some(Yaml::List(each.collect()))),
                ],
            );
        }
    }

    /// A group. What names no group stands inside; what does is a resource of its own, so that there is no circle.
    fn group(&mut self, name: &str, group: &SecurityGroup) {
        let vpc = self.plan.vpc(group.vpc.as_ref(), &group.origin);
        let mut ec2_name = Plan::name_of(group).to_owned();
        if self.plan.defaults.contains(name) {
            let why = "AWS makes it with its VPC, with rules that a template cannot take away: it has another name";
            self.plan.notes.add("group `default`", why, &group.origin);
            ec2_name = format!("default-{name}");
        }
        let (ingress, egress) = (self.plan.rules(&group.ingress), self.plan.rules(&group.egress));
        let names_group = |rule: &PlannedRule| matches!(rule.peer, PlannedPeer::Group(_));
        let is_all = |rule: &PlannedRule| {
            rule.words.protocol == "-1" && matches!(rule.peer, PlannedPeer::Block(block) if block.prefix_len() == 0)
        };
        // CloudFormation was seen to remove a rule for everything inside a group that gets another one from outside.
        let is_beside = egress.iter().any(names_group);
        let stands_apart = |rule: &&PlannedRule, direction: Direction| {
            names_group(rule) || direction == Direction::Egress && is_beside && is_all(rule)
        };
        let inside = |rules: &[PlannedRule], direction| -> Vec<Yaml> {
            rules
                .iter()
                .filter(|rule| !stands_apart(rule, direction))
                .map(|rule| rule_of(rule, direction, None))
                .collect()
        };
        let mut inside_egress = inside(&egress, Direction::Egress);
        if inside_egress.is_empty() {
            // Without a rule inside the group keeps the one to anywhere that AWS gives it. This one admits nothing.
            inside_egress.push(Yaml::map([
                ("IpProtocol", Some(Yaml::text("-1"))),
                ("CidrIp", Some(Yaml::text("127.0.0.1/32"))),
                ("Description", Some(Yaml::text("Nothing: in place of the default rule"))),
            ]));
        }
        let properties = [
            ("GroupName", Some(Yaml::text(&ec2_name))),
            ("GroupDescription", Some(Yaml::text(Plan::description_of(group)))),
            ("VpcId", vpc.map(|id| reference(&id, None))),
            ("SecurityGroupIngress", Some(Yaml::List(inside(&ingress, Direction::Ingress)))),
            ("SecurityGroupEgress", Some(Yaml::List(inside_egress))),
            ("Tags", tags(&group.label)),
        ];
        self.add(name, "SecurityGroup", properties);
        for (direction, word, rules) in
            [(Direction::Ingress, "Ingress", &ingress), (Direction::Egress, "Egress", &egress)]
        {
            for (index, rule) in rules.iter().filter(|rule| stands_apart(rule, direction)).enumerate() {
                let resource = Yaml::map([
                    ("Type", Some(Yaml::text(&format!("AWS::EC2::SecurityGroup{word}")))),
                    ("Properties", Some(rule_of(rule, direction, Some(name)))),
                ]);
                self.resources.push((format!("{name}{word}{}", index + 1), resource));
            }
        }
    }

    fn machine(&mut self, machine: &Machine<'_>) {
        let is_instance = machine.held.holder.is_instance();
        if let (Holder::StoppedInstance, Some(first)) = (machine.held.holder, machine.held.interfaces.first()) {
            self.plan.notes.add("stopped instance", "a template starts it", &first.interface.origin);
        }
        for (index, interface) in machine.interfaces.iter().enumerate() {
            let is_first = is_instance && index == 0;
            if is_first {
                self.instance(machine, interface);
            } else {
                self.interface(machine, interface);
            }
            if is_instance && index > 0 {
                self.add(
                    &format!("{}Attachment", interface.name),
                    "NetworkInterfaceAttachment",
                    [
                        ("InstanceId", Some(Yaml::reference(&machine.name))),
                        ("NetworkInterfaceId", Some(Yaml::reference(&interface.name))),
                        ("DeviceIndex", Some(Yaml::text(&interface.device.to_string()))),
                    ],
                );
            }
            for address in &interface.elastic {
                self.add(address, "EIP", [("Domain", Some(Yaml::text("vpc")))]);
                let (key, target) =
                    if is_first { ("InstanceId", &machine.name) } else { ("NetworkInterfaceId", &interface.name) };
                self.add(
                    &format!("{address}Association"),
                    "EIPAssociation",
                    [
                        ("AllocationId", Some(Yaml::attribute(address, "AllocationId"))),
                        (key, Some(Yaml::reference(target))),
                    ],
                );
            }
        }
    }

    fn instance(&mut self, machine: &Machine<'_>, interface: &PlannedInterface) {
        let mut first = common(interface);
        if let Yaml::Map(entries) = &mut first {
            entries.insert(0, ("DeviceIndex".to_owned(), Yaml::text("0")));
            let automatic = interface.automatic.map(|automatic| Yaml::Plain(automatic.to_string()));
            entries.extend(automatic.map(|automatic| ("AssociatePublicIpAddress".to_owned(), automatic)));
        }
        self.add(
            &machine.name,
            "Instance",
            [
                ("ImageId", Some(Yaml::reference("Ami"))),
                ("InstanceType", Some(Yaml::reference("InstanceType"))),
                ("NetworkInterfaces", Some(Yaml::List(vec![first]))),
                ("Tags", tags(machine.held.label)),
            ],
        );
    }

    fn interface(&mut self, machine: &Machine<'_>, interface: &PlannedInterface) {
        let mut properties = common(interface);
        if let Yaml::Map(entries) = &mut properties {
            entries.extend(tags(machine.held.label).map(|tags| ("Tags".to_owned(), tags)));
        }
        let resource =
            Yaml::map([("Type", Some(Yaml::text("AWS::EC2::NetworkInterface"))), ("Properties", Some(properties))]);
        self.resources.push((interface.name.clone(), resource));
    }
}

/// The properties that the interfaces of an instance and others share.
fn common(interface: &PlannedInterface) -> Yaml {
    let private = interface.private.iter().enumerate().map(|(index, address)| {
        Yaml::map([
            ("Primary", Some(Yaml::Plain((index == 0).to_string()))),
            ("PrivateIpAddress", Some(Yaml::Text(address.to_string()))),
        ])
    });
    let private: Vec<Yaml> = private.collect();
    let prefixes = interface.prefixes.iter();
    let prefixes: Vec<Yaml> =
        prefixes.map(|block| Yaml::map([("Ipv4Prefix", Some(Yaml::Text(block.to_string())))])).collect();
    Yaml::map([
        ("SubnetId", interface.subnet.as_ref().map(|id| reference(id, None))),
        ("GroupSet", Some(Yaml::List(interface.groups.iter().map(group).collect()))),
        ("PrivateIpAddresses", (!private.is_empty()).then_some(Yaml::List(private))),
        ("Ipv4Prefixes", (!prefixes.is_empty()).then_some(Yaml::List(prefixes))),
        ("Ipv6AddressCount", (interface.ipv6 > 0).then(|| Yaml::Plain(interface.ipv6.to_string()))),
        ("Ipv6PrefixCount", (interface.ipv6_prefixes > 0).then(|| Yaml::Plain(interface.ipv6_prefixes.to_string()))),
    ])
}

/// A rule; `of` is its group where it stands apart.
fn rule_of(rule: &PlannedRule, direction: Direction, of: Option<&str>) -> Yaml {
    let (list_key, group_key) = match direction {
        Direction::Ingress => ("SourcePrefixListId", "SourceSecurityGroupId"),
        Direction::Egress => ("DestinationPrefixListId", "DestinationSecurityGroupId"),
    };
    let (key, peer) = match &rule.peer {
        PlannedPeer::Block(block) if block.addr().is_ipv4() => ("CidrIp", Yaml::Text(block.to_string())),
        PlannedPeer::Block(block) => ("CidrIpv6", Yaml::Text(block.to_string())),
        PlannedPeer::Address(name) => ("CidrIp", Yaml::Plain(format!("!Sub \"${{{name}}}/32\""))),
        PlannedPeer::Group(id) => (group_key, group(id)),
        PlannedPeer::List(id) => (list_key, reference(id, Some("PrefixListId"))),
    };
    Yaml::map([
        ("GroupId", of.map(|name| Yaml::attribute(name, "GroupId"))),
        ("IpProtocol", Some(Yaml::text(&rule.words.protocol))),
        ("FromPort", rule.words.ports.map(|(from, _)| Yaml::Plain(from.to_string()))),
        ("ToPort", rule.words.ports.map(|(_, to)| Yaml::Plain(to.to_string()))),
        (key, Some(peer)),
        ("Description", rule.description.as_deref().map(Yaml::text)),
    ])
}
