use proptest::prelude::*;

use super::*;
use crate::model::sample::*;
use crate::model::*;

const EXPECT: &str = "{dropped: ['office -> a:1']}";

fn written(cloud: &Cloud) -> Result<String, Unwritable> {
    write(cloud, "a cloud", EXPECT)
}

#[test]
fn a_cloud_reads_like_a_file_that_people_write() {
    let mut sample = Sample::new(Era::Vpc)
        .group("WEB", &["tcp 80 from anywhere", "icmp 8/0 from 10.0.0.0/8"])
        .group("DB", &["tcp 3306 from WEB"])
        .egress("DB", &["tcp 443 to anywhere"])
        .instance("a", &["WEB"])
        .instance("b", &["DB", "WEB"])
        .with(stop("b"));
    sample.0.vpcs.shift_remove(&VpcName::new("other"));
    sample.0.groups[&GroupName::new("WEB")].ingress[0].description = Some("all: the #1 {world}".to_owned());
    insta::assert_snapshot!(written(&sample.0).unwrap());
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
fn what_a_file_cannot_say_is_an_error() {
    let sample = Sample::new(Era::Vpc).group("G", &["tcp 1 from 198.18.0.0/28"]).instance("a", &["G"]);
    let error = written(&sample.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a rule names 198.18.0.0/28, a part of the addresses that are given out automatically"
    );
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
        1 => prop::sample::select(vec!["e", "f"]).prop_map(disassociate),
        2 => (name(), 1_u8..3, group()).prop_map(|(name, device, group)| Operation::AttachInterface(
            InstanceName::new(name),
            NewInterface {
                device,
                subnet: SubnetName::new("default"),
                groups: [GroupName::new(group)].into(),
                address: AddressRequest::Automatic,
                source_dest_check: SourceDestCheck::Off,
            },
        )),
    ]
}

proptest! {
    /// The writer reads what it wrote, so an error is all that could go wrong; it may only lack words.
    #[test]
    fn any_cloud_is_read_back_as_it_was(
        era in prop::sample::select(Era::ALL.to_vec()),
        ipv6 in any::<bool>(),
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let mut cloud = Sample::new(era).0;
        if ipv6 && era == Era::Vpc {
            cloud.vpcs[0].ipv6 = Some(DEFAULT_IPV6_BLOCK);
        }
        cloud.add_default_group(&VpcName::new("default"));
        let mut cloud = Sample(cloud).group("g", &[]).group("h", &[]).with(create("far", "other")).0;
        for operation in operations {
            if let Ok(next) = apply(&cloud, &operation) {
                cloud = next;
            }
        }
        let Some(name) = cloud.instances.keys().next().cloned() else { return Ok(()) };
        let expect = format!("{{dropped: ['office -> {name}:1']}}");
        match write(&cloud, "a cloud", &expect) {
            Ok(_) | Err(Unwritable::NoWords(_)) => {}
            Err(error) => prop_assert!(false, "{error}\n{}", text(&cloud, "", &expect).unwrap_or_default()),
        }
    }
}
