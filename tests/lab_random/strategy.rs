//! What is drawn: a cloud of any era, and a sequence of changes to it.
//!
//! All names come from small pools, so that what is drawn meets what was drawn before. What makes no sense (an operation
//! on an instance that is not there) is taken out by the reader of topology files; what EC2 would refuse stays.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::draft::{Childless, Diagnostic};

/// What of a cloud is fixed before its groups are drawn.
#[derive(Clone, Debug)]
struct World {
    era: &'static str,
    knobs: Vec<&'static str>,
    layout: Layout,
    ipv6: bool,
    /// Without IPv6 in the second subnet.
    bare: bool,
    /// Traffic of rules; a few kinds, so that rules meet and the table stays small.
    traffic: Vec<&'static str>,
    groups: Vec<&'static str>,
    instances: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// No `vpcs` at all.
    Plain,
    TwoSubnets,
    /// A second VPC with the same addresses.
    TwoVpcs,
    /// The second subnet reaches the world through a NAT instance.
    Nat,
    /// A middlebox stands between the subnets, one way or both.
    Middlebox,
}

impl World {
    fn is_vpc(&self) -> bool {
        self.era == "vpc"
    }

    fn subnets(&self) -> &'static [&'static str] {
        match self.layout {
            Layout::Plain => &[],
            _ => &["one", "two"],
        }
    }

    /// The groups of the first VPC, by which its instances can be named.
    fn home(&self) -> Vec<&'static str> {
        self.groups.iter().copied().filter(|group| *group != "FAR").chain(["default"]).collect()
    }

    fn peers(&self, later: bool) -> Vec<String> {
        let mut peers: Vec<&str> = vec!["anywhere", "anywhere", "anywhere", "office", "world", "e1", "10.0.1.0/24"];
        peers.extend(["10.0.0.0/8", "0.0.0.0/1", "198.18.0.0/15", "198.18.0.12", "10.0.0.11", "10.0.1.11"]);
        peers.extend(&self.groups);
        peers.extend(&self.groups);
        peers.push("default");
        if self.is_vpc() {
            peers.extend(["p4", "p6"]);
        }
        if self.ipv6 {
            peers.extend(["::/0", "::/0", "2001:db8::/32"]);
        }
        let mut peers: Vec<String> = peers.into_iter().map(str::to_owned).collect();
        if later {
            let kinds: &[&str] = if self.ipv6 { &["private", "public", "ipv6"] } else { &["private", "public"] };
            peers.extend(self.instances.iter().flat_map(|i| kinds.iter().map(move |kind| format!("{i}.{kind}"))));
        }
        peers
    }
}

const TRAFFIC: [&str; 10] =
    ["tcp 80", "tcp 80", "tcp 79-81", "tcp all", "udp 53", "udp 50-60", "udp all", "icmp echo", "icmp all", "icmp 13"];
const TRAFFIC_OF_A_VPC: [&str; 5] = ["all", "all", "protocol 47", "icmpv6 all", "icmpv6 echo"];

const KNOBS: [&str; 8] = [
    "self-reference: matches-nobody",
    "self-reference: matches-members",
    "private-address-on-start: new",
    "private-address-on-start: kept",
    "address-on-crash: released",
    "elastic-ip-on-stop: dissociated",
    "change-groups: while-stopped",
    "change-groups: any-time",
];

fn world() -> impl Strategy<Value = World> {
    let eras = prop_oneof![1 => Just("article"), 1 => Just("classic"), 4 => Just("vpc")];
    let layouts = prop_oneof![
        3 => Just(Layout::Plain),
        3 => Just(Layout::TwoSubnets),
        2 => Just(Layout::TwoVpcs),
        2 => Just(Layout::Nat),
        1 => Just(Layout::Middlebox),
    ];
    let knobs = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(KNOBS.to_vec(), 1..=2)];
    let traffic = (subsequence(TRAFFIC.to_vec(), 2..=4), subsequence(TRAFFIC_OF_A_VPC.to_vec(), 0..=2));
    let groups = subsequence(vec!["A", "B", "C", "D"], 2..=4);
    let instances = subsequence(vec!["a", "b", "c", "d"], 2..=4);
    let families = (any::<bool>(), proptest::bool::weighted(0.25));
    (eras, knobs, layouts, families, traffic, groups, instances).prop_map(
        |(era, knobs, layout, (ipv6, bare), (mut traffic, of_a_vpc), mut groups, mut instances)| {
            let layout = match layout {
                Layout::Nat | Layout::Middlebox if era != "vpc" => Layout::TwoSubnets,
                layout => layout,
            };
            if era == "vpc" {
                traffic.extend(of_a_vpc);
            }
            if layout == Layout::TwoVpcs {
                groups.push("FAR");
                instances.push("x");
            }
            if matches!(layout, Layout::Nat | Layout::Middlebox) {
                instances.push("nat");
            }
            let ipv6 = ipv6 && era == "vpc";
            World { era, knobs, layout, ipv6, bare: ipv6 && bare, traffic, groups, instances }
        },
    )
}

/// `tcp 80 from A`.
fn rule(world: &World, preposition: &'static str, later: bool) -> BoxedStrategy<String> {
    (select(world.traffic.clone()), select(world.peers(later)))
        .prop_map(move |(traffic, peer)| format!("'{traffic} {preposition} {peer}'"))
        .boxed()
}

/// A group: its name, its ingress, and its egress where it is not what it is born with.
type Group = (&'static str, Vec<String>, Option<Vec<String>>);

fn groups(world: &World) -> BoxedStrategy<Vec<Group>> {
    let each = |name: &&'static str| {
        let ingress = proptest::collection::vec(rule(world, "from", false), 0..5);
        let egress = proptest::option::weighted(0.4, proptest::collection::vec(rule(world, "to", false), 0..4));
        (Just(*name), ingress, egress)
    };
    world.groups.iter().map(each).collect::<Vec<_>>().boxed()
}

/// An instance, as the lines below its name.
fn instance(world: &World, name: &'static str) -> BoxedStrategy<(&'static str, Vec<String>)> {
    let appliance = name == "nat";
    let homes = if name == "x" { vec!["FAR"] } else { world.home() };
    let several = homes.len().min(3);
    let groups = subsequence(homes.clone(), 1..=several);
    // What a middlebox passes on must not come back to it.
    let subnets = match (appliance, world.layout) {
        (true, Layout::Middlebox) => vec!["three"],
        (true, _) => vec!["one"],
        (false, _) => world.subnets().to_vec(),
    };
    let second = proptest::option::weighted(0.25, subsequence(homes, 1..=1));
    let (layout, two_vpcs, is_vpc) = (world.layout, world.layout == Layout::TwoVpcs, world.is_vpc());
    // What another has, or no subnet of its own, is taken out again.
    let mut secondary =
        vec!["10.0.0.200", "10.0.1.200", "10.0.1.192/28", "[10.0.2.201, 10.0.2.208/28]", "[10.0.1.202, 10.0.1.224/28]"];
    let mut ipv6 = vec![""];
    if world.ipv6 {
        secondary.extend(["'2001:db8:1000::5'", "'2001:db8:1000:1::5'", "'2001:db8:1000:0:1::/80'"]);
        secondary.extend(["'2001:db8:1000:1:1::/80'", "['2001:db8:1000::6', '2001:db8:1000:0:2::/80', 10.0.0.203]"]);
        ipv6.extend(["", "no", "'2001:db8:1000::7'", "'2001:db8:1000:1::7'"]);
    }
    let secondary = (proptest::option::weighted(0.5, select(secondary)), select(ipv6));
    (groups, any::<prop::sample::Index>(), proptest::bool::weighted(0.85), second, secondary)
        .prop_map(move |(groups, subnet, public, second, (secondary, ipv6))| {
            let mut lines = vec![format!("groups: [{}]", groups.join(", "))];
            let subnet = (!subnets.is_empty()).then(|| *subnet.get(&subnets));
            if two_vpcs {
                lines.push(format!("vpc: {}", if name == "x" { "other" } else { "main" }));
            }
            lines.extend(subnet.filter(|_| name != "x").map(|subnet| format!("subnet: {subnet}")));
            lines.extend((!ipv6.is_empty()).then(|| format!("ipv6: {ipv6}")));
            let secondary = secondary.filter(|_| is_vpc);
            lines.extend(secondary.map(|addresses| format!("secondary-addresses: {addresses}")));
            if appliance {
                let forwards = if layout == Layout::Nat { "nat" } else { "as-is" };
                lines.extend(["source-dest-check: off".to_owned(), format!("forwards: {forwards}")]);
            } else {
                lines.extend((!public).then(|| "public: no".to_owned()));
                lines.extend(
                    second
                        .filter(|_| is_vpc)
                        .map(|groups| format!("interfaces: {{eth1: {{groups: [{}]}}}}", groups.join(", "))),
                );
            }
            (name, lines)
        })
        .boxed()
}

/// What a step does, without its name.
fn operation(world: &World, drawn: &[Group]) -> BoxedStrategy<String> {
    let home = world.home();
    let mut named: Vec<&str> = world.instances.clone();
    named.extend(["l1", "l2"]);
    let instance = select(named);
    // What forwards would be silent, and an open door with silence behind it is no evidence.
    let mortal: Vec<&str> = world.instances.iter().copied().filter(|name| *name != "nat").chain(["l1", "l2"]).collect();
    let mortal = select(mortal);
    let rules: Vec<(&str, String)> =
        drawn.iter().flat_map(|(name, rules, _)| rules.iter().map(|rule| (*name, rule.clone()))).collect();
    let some_rule = |verb: &'static str, preposition: &'static str| {
        (select(world.groups.clone()), rule(world, preposition, true))
            .prop_map(move |(group, rule)| format!("{verb}: {{{group}: [{rule}]}}"))
    };
    let known_rule = |verb: &'static str| match rules.is_empty() {
        true => some_rule(verb, "from").boxed(),
        false => select(rules.clone()).prop_map(move |(group, rule)| format!("{verb}: {{{group}: [{rule}]}}")).boxed(),
    };
    let groups = subsequence(home.clone(), 1..=home.len().min(2)).prop_map(|groups| groups.join(", "));
    let lives = (select(vec!["stop", "start", "start", "start", "reboot", "terminate"]), mortal.clone());
    let life = lives.prop_map(|(verb, instance)| format!("{verb}: {instance}"));
    let crash = mortal.clone().prop_map(|instance| format!("crash: {instance}"));
    let second = if world.is_vpc() { ".eth1" } else { "" };
    let with = (select(vec!["e1", "e2", "e3"]), mortal.clone(), select(vec!["", "", second]), any::<bool>());
    let associate = with.prop_map(|(elastic, instance, device, may)| {
        let reassociation = if may { "" } else { ", allow-reassociation: no" };
        match device {
            "" => format!("associate-address: {{{elastic}: {{instance: {instance}{reassociation}}}}}"),
            device => format!("associate-address: {{{elastic}: {instance}{device}}}"),
        }
    });
    let elastic = (
        select(vec!["allocate-address", "disassociate-address", "disassociate-address", "release-address"]),
        select(vec!["e1", "e2", "e3"]),
    )
        .prop_map(|(verb, elastic)| format!("{verb}: {elastic}"));
    let vpc = if world.layout == Layout::TwoVpcs { ", vpc: main" } else { "" };
    let mut launched = vec!["", ", address: a.previous", ", public: no"];
    let mut more =
        vec!["", "", ", secondary-addresses: [10.0.0.220, 10.0.1.220]", ", secondary-addresses: 10.0.0.208/28"];
    if world.ipv6 {
        launched.extend([", ipv6: no", ", secondary-addresses: ['2001:db8:1000::8', '2001:db8:1000:0:3::/80']"]);
        more.extend([", ipv6: no", ", secondary-addresses: ['2001:db8:1000::9', '2001:db8:1000:0:4::/80']"]);
    }
    let launch = (select(vec!["l1", "l2"]), groups.clone(), select(launched))
        .prop_map(move |(name, groups, more)| format!("launch: {{{name}: {{groups: [{groups}]{vpc}{more}}}}}"));
    let of = (mortal.clone(), select(vec!["", "", second]), groups.clone());
    let set_groups =
        of.prop_map(|(instance, device, groups)| format!("set-groups: {{{instance}{device}: [{groups}]}}"));
    let create = (select(vec!["N1", "N2"]), rule(world, "from", true)).prop_map(move |(name, rule)| match vpc {
        "" => format!("create-group: {{{name}: [{rule}]}}"),
        _ => format!("create-group: {{{name}: {{vpc: main, ingress: [{rule}]}}}}"),
    });
    let deletable: Vec<&str> = world.groups.iter().copied().chain(["N1", "N2", "default"]).collect();
    let delete = select(deletable).prop_map(|group| format!("delete-group: {group}"));
    let joined =
        (mortal.clone(), groups.clone()).prop_map(|(instance, groups)| (instance, format!("groups: [{groups}]")));
    let joined = (joined, select(more)).prop_map(|((instance, groups), more)| {
        format!("attach-interface: {{{instance}: {{eth1: {{{groups}{more}}}}}}}")
    });
    let left = mortal.clone().prop_map(|instance| format!("detach-interface: {instance}.eth1"));
    let check = (instance, any::<bool>())
        .prop_map(|(instance, on)| format!("source-dest-check: {{{instance}: {}}}", if on { "on" } else { "off" }));
    let entry = select(vec!["10.0.0.11/32", "10.0.0.0/16", "198.18.0.0/15", "203.0.113.0/24", "0.0.0.0/0"]);
    let edit = (select(vec!["add", "remove"]), entry)
        .prop_map(|(what, entry)| format!("edit-prefix-list: {{p4: {{{what}: [{entry}]}}}}"));
    let edit_ipv6 = select(vec!["add", "remove"])
        .prop_map(|what| format!("edit-prefix-list: {{p6: {{{what}: ['2001:db8:1000::/36']}}}}"));
    // Filled in when it is known what would be open.
    let open = any::<u32>().prop_map(|number| format!("open: ?{number}"));
    let closed = (1_usize..20).prop_map(|number| format!("close: k{number}"));
    let only_in_a_vpc = u32::from(world.is_vpc());
    prop_oneof![
        5 => known_rule("revoke"),
        3 => known_rule("authorize"),
        4 => some_rule("authorize", "from"),
        1 => some_rule("revoke", "from"),
        2 * only_in_a_vpc.max(1) => prop_oneof![
            some_rule("authorize-egress", "to"),
            (select(world.groups.clone()), select(vec!["anywhere", "::/0"]))
                .prop_map(|(group, all)| format!("revoke-egress: {{{group}: ['all to {all}']}}")),
        ],
        6 => life,
        1 => crash,
        2 => launch,
        2 => set_groups,
        2 => associate,
        1 => elastic,
        1 => create,
        1 => delete,
        only_in_a_vpc.max(1) => prop_oneof![joined, left],
        only_in_a_vpc.max(1) => check,
        only_in_a_vpc.max(1) => prop_oneof![2 => edit, 1 => edit_ipv6],
        8 => open,
        1 => closed,
    ]
    .boxed()
}

/// The name of the last step, which changes nothing.
pub const END: &str = "end";

/// The steps of one cloud.
const STEPS: std::ops::Range<usize> = 8..24;

/// Clouds with their sequences of changes.
pub fn clouds() -> impl Strategy<Value = Diagnostic> {
    world()
        .prop_flat_map(|world| (groups(&world), Just(world)))
        .prop_flat_map(|(groups, world)| {
            let instances: Vec<_> = world.instances.iter().map(|name| instance(&world, name)).collect();
            let steps = proptest::collection::vec(operation(&world, &groups), STEPS);
            let prefixes = subsequence(vec!["10.0.0.0/24", "203.0.113.0/24", "198.18.0.0/15"], 1..=2);
            (Just(world), Just(groups), instances, prefixes, steps)
        })
        .prop_map(|(world, groups, instances, prefixes, steps)| {
            let mut draft = head(&world);
            if world.is_vpc() {
                draft.add(0, "prefix-lists:", Childless::Gone);
                draft.add(2, format!("p4: {{entries: [{}], max-entries: 4}}", prefixes.join(", ")), Childless::Itself);
                if world.ipv6 {
                    draft.add(2, "p6: {entries: ['2001:db8::/33'], max-entries: 2}", Childless::Itself);
                }
            }
            draft.add(0, "groups:", Childless::Gone);
            for (name, ingress, egress) in groups {
                draft.add(2, format!("{name}:"), Childless::List);
                if world.layout == Layout::TwoVpcs {
                    let vpc = if name == "FAR" { "other" } else { "main" };
                    draft.add(4, format!("vpc: {vpc}"), Childless::Itself);
                }
                for (word, rules) in [("ingress:", Some(ingress)), ("egress:", egress)] {
                    let Some(rules) = rules else { continue };
                    draft.add(4, word, Childless::List);
                    rules.iter().for_each(|rule| draft.add(6, format!("- {rule}"), Childless::Itself));
                }
            }
            draft.add(0, "instances:", Childless::Gone);
            for (name, lines) in instances {
                draft.add(2, format!("{name}:"), Childless::Mapping);
                lines.iter().for_each(|line| draft.add(4, line, Childless::Itself));
            }
            draft.fix(0, "scenario:");
            for (number, step) in (1..).zip(steps) {
                draft.add(2, format!("- {{step: s{number}, do: {{{step}}}}}"), Childless::Itself);
            }
            // A file expects something; what is measured here is more than files can say.
            draft.fix(
                2,
                format!("- {{step: {END}, do: {{disassociate-address: spare}}, expect: {{rules: unchanged}}}}"),
            );
            draft
        })
}

/// What stands above the groups.
fn head(world: &World) -> Diagnostic {
    let mut draft = Diagnostic::default();
    draft.fix(0, "sglab: 1");
    draft.fix(0, format!("era: {}", world.era));
    draft.add(0, "knobs:", Childless::Gone);
    world.knobs.iter().for_each(|knob| draft.add(2, *knob, Childless::Itself));
    draft.add(0, "vpcs:", Childless::Gone);
    if world.layout != Layout::Plain || world.ipv6 {
        draft.add(2, "main:", Childless::Gone);
        draft.add(4, "cidr: 10.0.0.0/16", Childless::Itself);
        if world.ipv6 {
            draft.add(4, "ipv6: yes", Childless::Itself);
        }
        if world.layout != Layout::Plain {
            let (from_one, from_two) = match world.layout {
                Layout::Nat => ("", ", routes: {0.0.0.0/0: nat}"),
                Layout::Middlebox => (", routes: {10.0.1.0/24: nat}", ", routes: {10.0.0.0/24: nat}"),
                _ => ("", ""),
            };
            draft.add(4, "subnets:", Childless::Gone);
            let bare = if world.bare { ", ipv6: no" } else { "" };
            draft.add(6, format!("one: {{cidr: 10.0.0.0/24{from_one}}}"), Childless::Itself);
            draft.add(6, format!("two: {{cidr: 10.0.1.0/24{from_two}{bare}}}"), Childless::Itself);
            if world.layout == Layout::Middlebox {
                draft.add(6, "three: {cidr: 10.0.2.0/24}", Childless::Itself);
            }
        }
    }
    if world.layout == Layout::TwoVpcs {
        draft.add(2, "other: {cidr: 10.0.0.0/16}", Childless::Itself);
    }
    draft.add(0, "hosts:", Childless::Gone);
    draft.add(2, "office: 203.0.113.10", Childless::Itself);
    let world_at = if world.ipv6 { "[198.51.100.7, '2001:db8:ffff::7']" } else { "198.51.100.7" };
    draft.add(2, format!("world: {world_at}"), Childless::Itself);
    draft.fix(0, "elastic-ips:");
    draft.fix(2, "spare: none");
    draft.add(2, "e1: none", Childless::Itself);
    draft.add(2, format!("e2: {}", world.instances[0]), Childless::Itself);
    draft
}
