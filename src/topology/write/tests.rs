mod keys;

use ipnet::IpNet;
use proptest::prelude::*;

use super::{Promise, Topology, Unwritable, read, text, write};
use crate::model::sample::*;
use crate::model::*;
use crate::topology::ExpectedOutcome;
use crate::topology::sample::after;

fn dropped(flow: &str) -> Promise {
    Promise::Flows(vec![(ExpectedOutcome::Dropped, vec![flow.to_owned()])])
}

fn written(cloud: &Cloud) -> Result<String, Unwritable> {
    write(cloud, "a cloud", &dropped("office -> a:1"))
}

fn a_cloud_reads_like_a_file_that_people_write() -> String {
    let mut sample = Sample::new(Era::Vpc)
        .group("WEB", &["tcp 80 from anywhere", "icmp 8/0 from 10.0.0.0/8"])
        .group("DB", &["tcp 3306 from WEB"])
        .egress("DB", &["tcp 443 to anywhere"])
        .instance("a", &["WEB"])
        .instance("b", &["DB", "WEB"])
        .with(stop("b"));
    sample.0.vpcs.shift_remove(&VpcName::new("other"));
    sample.0.groups[&GroupName::new("WEB")].ingress[0].description = Some("all: the #1 {world}".to_owned());
    written(&sample.0).unwrap()
}

fn what_an_instance_mounts_is_written_as_it_was_said() -> String {
    let text = r#"
sglab: 1
era: vpc
instances:
  web1:
    services: {web: {command: ./web, port: tcp 80, log: web.log}}
    mounts:
      /srv//www/: ./www
      "/srv/a \"b\"": "../a 'b': c  writable"
      /srv/ro: "./x ro read-only"
      /srv/docker: "./x:ro read-only"
      /srv/word: "./x writable read-only"
      /var/lib/nginx: empty
      /var/lib/all: / writable
"#;
    let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap();
    let cloud = topology.initial_cloud(Era::Vpc).unwrap();
    let written = write(&cloud, "a cloud", &dropped("web1 -> web1:1 by public address")).unwrap();
    let mounts = &read(&written).unwrap().instances[&InstanceName::new("web1")].mounts;
    assert_eq!(*mounts, cloud.instances[&InstanceName::new("web1")].mounts);
    written
}

#[test]
fn secondary_addresses_are_written_and_read_again() {
    let text = "sglab: 1\nera: vpc\ninstances:\n  web1: {secondary-addresses: [10.0.0.20, 10.0.0.32/28], \
                interfaces: {eth1: {secondary-addresses: 10.0.0.21}}}\n";
    let cloud = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap().initial_cloud(Era::Vpc).unwrap();
    let written = write(&cloud, "a cloud", &dropped("web1 -> web1:1 by public address")).unwrap();
    let again = read(&written).unwrap();
    let secondary = |cloud: &Cloud| cloud.network_interfaces().map(|it| it.secondary.clone()).collect::<Vec<_>>();
    assert_eq!(secondary(&again), secondary(&cloud));
    assert!(written.contains("secondary-addresses:"), "{written}");
}

#[test]
fn a_rule_for_a_delegated_prefix_of_ipv6_is_written_and_read_again() {
    let text = "sglab: 1\nera: vpc\nvpcs: {v: {cidr: 10.0.0.0/16, ipv6: yes}}\n\
                groups: {G: ['tcp 22 from 2001:db8:1000:0:1::/80', 'tcp 23 from 2001:db8:1000:0:1::7']}\n\
                instances: {web1: {groups: G, secondary-addresses: '2001:db8:1000:0:1::/80'}}\n";
    let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = topology.initial_cloud(Era::Vpc).unwrap();
    let written = write(&cloud, "a cloud", &dropped("web1 -> web1:1 by public address")).unwrap();
    let rules = |cloud: &Cloud| cloud.groups["G"].ingress.iter().map(|rule| rule.peer.clone()).collect::<Vec<_>>();
    assert_eq!(rules(&read(&written).unwrap()), rules(&cloud));
}

#[test]
fn a_host_of_the_files_own_is_written_by_whatever_name_and_one_that_a_table_brings_is_not() {
    let text = "sglab: 1\nera: vpc\nhosts: {elsewhere: 203.0.113.9, office: 203.0.113.80, office-neighbour: 203.0.113.81}\n\
                groups: {G: [tcp 22 from office]}\ninstances: {web1: {groups: G}}\ntables: {t: {open: [office -> web1:22]}}\n";
    let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud = topology.initial_cloud(Era::Vpc).unwrap();
    assert!(cloud.hosts.len() > 3, "{:?}", cloud.hosts);
    let kept = super::without_strangers(&cloud);
    assert_eq!(
        kept.hosts.keys().map(HostName::as_str).collect::<Vec<_>>(),
        ["elsewhere", "office", "office-neighbour"]
    );
}

#[test]
fn a_rule_for_a_public_address_names_the_same_instance_afterwards_and_one_for_nobodys_names_nobody() {
    let sample = Sample::new(Era::Vpc)
        .group("G", &[])
        .instance("gone", &["G"])
        .instance("a", &["G"])
        .allow("G", &["tcp 1 from gone.public", "tcp 2 from a.public"])
        .with(terminate("gone"));
    let read = read(&written(&sample.0).unwrap()).unwrap();
    let holder = |address: IpNet| {
        let of = |(name, _, it): (&InstanceName, &Instance, &Interface)| {
            it.public
                .is_some_and(|public| IpNet::from(std::net::IpAddr::V4(public.0)) == address)
                .then(|| name.to_string())
        };
        read.interfaces().find_map(of)
    };
    let named: Vec<_> = read.groups[&GroupName::new("G")]
        .ingress
        .iter()
        .map(|rule| if let Peer::Cidr(net) = rule.peer { holder(net) } else { None })
        .collect();
    assert_eq!(named, [None, Some("a".to_owned())]);
}

#[test]
fn a_name_of_ec2s_own_is_written_and_read_again() {
    let name = "a Z.9_-:/()#,@[]+=&;{}!$*";
    let sample = Sample::new(Era::Vpc).with(create_named("G", name, "default")).group("H", &[]).instance("a", &["G"]);
    let text = written(&sample.0).unwrap();
    assert!(text.contains(&format!("  G: {{name: '{name}', vpc: default, ingress: []}}\n")), "{text}");
    assert_eq!(text.matches("name:").count(), 1, "{text}");
    let again = read(&text).unwrap();
    assert_eq!((again.groups["G"].name.as_str(), again.groups["H"].name.as_str()), (name, "H"));
}

#[test]
fn what_became_of_the_default_groups_of_several_vpcs_is_written_and_read_again() {
    let sample = Sample::new(Era::Vpc).instance("a", &["default"]);
    let west = launch_at("b", &["default-other"], "other", AddressRequest::Automatic);
    let sample = sample.with(west).with(authorize("default-other", "tcp 22 from 192.0.2.0/24"));
    let again = read(&written(&sample.0).unwrap()).unwrap();
    for name in ["default", "default-other"] {
        assert_eq!(again.groups[name].ingress.len(), sample.0.groups[name].ingress.len(), "{name}");
    }
    let refusal = sample.try_apply(&Operation::DeleteGroup(GroupName::new("default-other"))).err().unwrap();
    let text = "the specified group: \"default-other\" name: \"default\" cannot be deleted by a user";
    assert_eq!((refusal.code, refusal.message.as_str()), (RefusalCode::CannotDelete, text));
    let refusal = sample.try_apply(&create("default-other", "default")).err().unwrap();
    assert_eq!(refusal.message, "Cannot use reserved security group name: default");
}

#[test]
fn what_a_file_cannot_say_is_an_error() {
    let sample = Sample::new(Era::Vpc).group("G", &["tcp 1 from 198.18.0.0/28"]).instance("a", &["G"]);
    let error = written(&sample.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a rule names 198.18.0.0/28, a part of the addresses that are given out automatically"
    );
}

#[test]
fn a_host_behind_a_small_link_is_written_with_it_and_any_other_in_one_word() {
    let mut sample = Sample::new(Era::Vpc).group("G", &[]).instance("a", &["G"]);
    let addresses = ["203.0.113.80", "2001:db8:ffff::80"].map(|address| HostIp(address.parse().unwrap())).to_vec();
    for (name, addresses, mtu) in [
        ("old", addresses[..1].to_vec(), Mtu::MIN_IPV4),
        ("home", vec![HostIp("203.0.113.81".parse().unwrap()), addresses[1]], Mtu::MIN_IPV6),
        ("near", vec![HostIp("203.0.113.82".parse().unwrap())], Mtu(1499)),
    ] {
        sample.0.hosts.insert(HostName::new(name), Host { addresses, mtu, place: None });
    }
    let text = written(&sample.0).unwrap();
    let hosts: Vec<&str> = text.lines().skip_while(|line| *line != "hosts:").skip(1).take(5).collect();
    assert_eq!(
        hosts,
        [
            "  office: [203.0.113.10]",
            "  world: [198.51.100.7]",
            "  old: {address: [203.0.113.80], mtu: 576}",
            "  home: {address: [203.0.113.81, '2001:db8:ffff::80'], mtu: 1280}",
            "  near: {address: [203.0.113.82], mtu: 1499}",
        ]
    );
    let mtus: Vec<u16> = read(&text).unwrap().hosts.values().map(|host| host.mtu.0).collect();
    assert_eq!(mtus, [1500, 1500, 576, 1280, 1499]);
}

#[test]
fn an_elastic_ip_of_a_further_interface_is_written_with_it() {
    let mut sample = Sample::new(Era::Vpc).group("G", &[]).instance("a", &["G"]).instance("b", &["G"]);
    sample.0.vpcs.shift_remove(&VpcName::new("other"));
    let cloud = after(
        &sample.0,
        "[{attach-interface: {a: {eth1: {groups: G}, eth3: {groups: G}}}}, {allocate-address: [e0, e1, e3, eb, spare]}, \
         {associate-address: {e1: a.eth1, e0: a.eth0, e3: a.eth3, eb: b}}, {source-dest-check: {a.eth3: off}}]",
    );
    let text = written(&cloud).unwrap();
    let elastic: Vec<&str> = text.lines().skip_while(|line| *line != "elastic-ips:").skip(1).take(5).collect();
    assert_eq!(elastic, ["  e0: a.eth0", "  e1: a.eth1", "  e3: a.eth3", "  eb: b", "  spare: none"]);
    let again = read(&text).unwrap();
    let holders = |cloud: &Cloud| -> Vec<_> {
        cloud.elastic_ips.iter().map(|(name, it)| (name.clone(), it.association.clone())).collect()
    };
    assert_eq!(holders(&again), holders(&cloud));
    // What is detached leaves it, and of the one interface that is left no name is needed.
    let cloud = after(&cloud, "[{detach-interface: a.eth1}, {detach-interface: a.eth3}]");
    let text = written(&cloud).unwrap();
    assert!(text.contains("elastic-ips:\n  e0: a\n  e1: none\n  e3: none\n"), "{text}");
}

fn register(balancer: &str, instances: &[&str]) -> Operation {
    Operation::RegisterInstances(LoadBalancerName::new(balancer), instances.iter().map(InstanceName::new).collect())
}

/// A load balancer, with groups or without, which one half of the eras refuses.
fn balancer_at() -> impl Strategy<Value = Operation> {
    let port = || (1_u16..4).prop_map(Port);
    let millis = || prop::sample::select(vec![50, 200, 1_001, 30_000]).prop_map(std::time::Duration::from_millis);
    let groups = prop::sample::subsequence(vec!["g", "h", "default"], 0..3);
    let check = (port(), millis(), millis(), 2_u32..4, 2_u32..11).prop_map(
        |(port, interval, timeout, unhealthy_threshold, healthy_threshold)| HealthCheck {
            port,
            interval,
            timeout,
            unhealthy_threshold,
            healthy_threshold,
        },
    );
    let check = (prop::bool::ANY, check);
    let name = (prop::sample::select(vec!["x", "y"]), prop::sample::select(Scheme::ALL.to_vec()));
    (name, groups, prop::collection::vec((port(), port()), 1..3), check).prop_map(
        |((name, scheme), groups, listeners, (usual, check))| {
            let usual_check = HealthCheck::of_port(listeners[0].1);
            let Operation::CreateLoadBalancer(request) = balancer(&groups) else { unreachable!() };
            Operation::CreateLoadBalancer(CreateLoadBalancer {
                name: LoadBalancerName::new(name),
                scheme,
                listeners: listeners.into_iter().collect(),
                health_check: if usual { usual_check } else { check },
                ..request
            })
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let group = || prop::sample::select(vec!["g", "h", "far", "default"]);
    let rule = || {
        prop::sample::select(vec![
            "tcp 22 from g",
            "udp 53-60 from a.private",
            "tcp 1 from b.public",
            "tcp all from 0.0.0.0/0",
            "all from h",
            "icmp echo from 10.0.0.0/8",
            "icmp 3/4 from anywhere",
            "tcp 2 from default",
            "tcp 3 from amazon-elb/amazon-elb-sg",
            "tcp 4 from 10.0.0.11",
            "tcp 5 from 198.18.0.12",
        ])
    };
    prop_oneof![
        4 => (name(), group(), prop::sample::select(vec!["default", "other"]))
            .prop_map(|(name, group, vpc)| launch_at(name, &[group], vpc, AddressRequest::Automatic)),
        2 => name().prop_map(stop),
        1 => name().prop_map(start),
        1 => name().prop_map(crash),
        1 => name().prop_map(terminate),
        4 => (group(), rule()).prop_map(|(group, rule)| authorize(group, rule)),
        1 => (group(), rule()).prop_map(|(group, rule)| revoke(group, rule)),
        1 => (name(), group()).prop_map(|(name, group)| set_groups(name, &[group])),
        2 => prop::sample::select(vec!["e", "f"]).prop_map(allocate),
        2 => (prop::sample::select(vec!["e", "f"]), name()).prop_map(|(elastic, name)| associate(elastic, name)),
        2 => (prop::sample::select(vec!["e", "f"]), name(), 0_u8..3).prop_map(|(elastic, name, device)| {
            let to = Target::Interface(Attachment { instance: InstanceName::new(name), device });
            let (elastic_ip, reassociation) = (ElasticIpName::new(elastic), Reassociation::Allowed);
            Operation::AssociateAddress { elastic_ip, to, reassociation }
        }),
        1 => (name(), 1_u8..3).prop_map(|(name, device)| {
            Operation::DetachInterface(Attachment { instance: InstanceName::new(name), device })
        }),
        1 => prop::sample::select(vec!["e", "f"]).prop_map(disassociate),
        2 => balancer_at(),
        3 => (prop::sample::select(vec!["x", "y"]), name()).prop_map(|(balancer, name)| register(balancer, &[name])),
        1 => (prop::sample::select(vec!["x", "y"]), name()).prop_map(|(balancer, name)| {
            Operation::DeregisterInstances(LoadBalancerName::new(balancer), [InstanceName::new(name)].into())
        }),
        2 => (name(), 1_u8..3, group()).prop_map(|(name, device, group)| Operation::AttachInterface(
            InstanceName::new(name),
            NewInterface {
                device,
                subnet: SubnetName::new("default"),
                groups: [GroupName::new(group)].into(),
                address: AddressRequest::Automatic,
                ipv6: AskedIpv6::Automatic,
                secondary: Vec::new(),
                source_dest_check: SourceDestCheck::Off,
            },
        )),
    ]
}

fn a_load_balancer_is_written_with_all_that_it_has() -> String {
    let mut sample = Sample::new(Era::Vpc).group("ELB", &["tcp 80 from anywhere"]).group("WEB", &["tcp 8080 from ELB"]);
    sample.0.vpcs.shift_remove(&VpcName::new("other"));
    let sample = sample.instance("a", &["WEB"]).instance("b", &["WEB"]).with(balancer(&["ELB"]));
    let mut sample = sample.with(register("lb", &["b", "a"])).with(stop("b"));
    let told = written(&sample.0).unwrap();
    let check = &mut sample.0.load_balancers["lb"].health_check;
    (check.interval, check.healthy_threshold) = (std::time::Duration::from_millis(200), 2);
    let text = written(&sample.0).unwrap();
    assert!(text.contains("health-check: {port: 8080, interval: 0.2, timeout: 5, unhealthy: 2, healthy: 2}"), "{text}");
    told
}

/// Each of them, with what is to be seen above it.
#[test]
fn files_are_written_like_this() {
    let sections =
        |all: &[(&str, String)]| all.iter().map(|(of, text)| format!("==== {of}\n{text}\n")).collect::<String>();
    let all = [
        ("a cloud reads like a file that people write", a_cloud_reads_like_a_file_that_people_write()),
        ("what an instance mounts is written as it was said", what_an_instance_mounts_is_written_as_it_was_said()),
        ("a load balancer is written with all that it has", a_load_balancer_is_written_with_all_that_it_has()),
    ];
    insta::assert_snapshot!(sections(&all));
}

#[test]
fn a_load_balancer_of_classic_is_written_without_amazons_groups_which_rules_still_name() {
    for era in [Era::Article, Era::Classic] {
        let sample = Sample::new(era).group("WEB", &[]).instance("a", &["WEB"]).with(balancer(&[]));
        let sample = sample.with(register("lb", &["a"])).allow("WEB", &["tcp 8080 from amazon-elb/amazon-elb-sg"]);
        let text = written(&sample.0).unwrap();
        assert!(
            !text.contains("listeners:\n") && text.contains("lb: {vpc: default, listeners: [tcp 80 to 8080]"),
            "{text}"
        );
        assert_eq!(read(&text).unwrap().groups[ELB_GROUP].ingress, []);
    }
}

#[test]
fn amazons_group_that_nothing_uses_is_left_out() {
    let mut sample = Sample::new(Era::Classic).group("WEB", &[]).instance("a", &["WEB"]);
    add_elb_group(&mut sample.0, &VpcName::new("default"));
    assert!(!read(&written(&sample.0).unwrap()).unwrap().groups.contains_key(ELB_GROUP));
}

#[test]
fn who_was_registered_and_has_given_its_address_back_is_registered_with_it_again() {
    let sample = Sample::new(Era::Classic).group("WEB", &[]).instance("a", &["WEB"]).with(balancer(&[]));
    let sample = sample.with(register("lb", &["a"])).with(stop("a"));
    let (was, text) = (sample.0.load_balancers["lb"].registrations.clone(), written(&sample.0).unwrap());
    assert_eq!(read(&text).unwrap().load_balancers["lb"].registrations, was);
    let left = Sample::with(sample.with(start("a")), authorize("WEB", "tcp 1 from anywhere"));
    let error = written(&left.0).unwrap_err().to_string();
    assert_eq!(error, format!("lb has registered a with {}, an address that it has left", was[0].0));
}

#[test]
fn a_rule_for_a_load_balancers_private_address_follows_it_and_one_for_some_of_the_block_is_an_error() {
    let sample = Sample::new(Era::Vpc).group("G", &[]).instance("gone", &["G"]).instance("a", &["G"]);
    let sample = sample.with(balancer(&["G"])).with(terminate("gone"));
    let private = |cloud: &Cloud| cloud.load_balancers["lb"].interface.private.unwrap().0;
    let was = private(&sample.0);
    let named = sample.clone().allow("G", &[&format!("tcp 1 from {was}")]);
    let again = read(&written(&named.0).unwrap()).unwrap();
    assert_ne!(private(&again), was);
    let peer = Peer::Cidr(IpNet::from(std::net::IpAddr::V4(private(&again))));
    assert_eq!(again.groups[&GroupName::new("G")].ingress[0].peer, peer);
    for part in [format!("tcp 1 from {was}/31"), format!("tcp 1 from {}", private(&again))] {
        let error = written(&sample.clone().allow("G", &[&part]).0).unwrap_err();
        assert!(error.to_string().contains("a load balancer in default would have the private address"), "{error}");
    }
}

proptest! {
    /// The writer reads what it wrote, so an error is all that could go wrong; it may only lack words.
    #[test]
    fn any_cloud_is_read_back_as_it_was(
        era in prop::sample::select(Era::ALL.to_vec()),
        ipv6 in any::<bool>(),
        mtu in Mtu::MIN_IPV6.0..=Mtu::ETHERNET.0,
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let mut cloud = Sample::new(era).0;
        if ipv6 && era == Era::Vpc {
            cloud.vpcs[0].ipv6 = Some(DEFAULT_IPV6_BLOCK);
        }
        cloud.hosts[0].mtu = Mtu(mtu);
        add_default_group(&mut cloud, &VpcName::new("default"));
        let mut cloud = Sample(cloud).group("g", &[]).group("h", &[]).with(create("far", "other")).0;
        for operation in operations {
            // What is refused changes nothing.
            drop(apply(&mut cloud, &operation));
        }
        let Some(name) = cloud.instances.keys().next().cloned() else { return Ok(()) };
        let expect = dropped(&format!("office -> {name}:1"));
        match write(&cloud, "a cloud", &expect) {
            Ok(_) | Err(Unwritable::NoWords(_)) => {}
            Err(error) => prop_assert!(false, "{error}\n{}", text(&cloud, "", &expect).unwrap_or_default()),
        }
    }
}
