use crate::model::sample::*;
use crate::model::*;

fn interface(device: u8) -> NewInterface {
    NewInterface {
        device,
        subnet: SubnetName::new("default"),
        groups: [GroupName::new("H")].into(),
        address: AddressRequest::Automatic,
        ipv6: AskedIpv6::Automatic,
        secondary: Vec::new(),
        source_dest_check: SourceDestCheck::On,
    }
}

fn attach(device: u8) -> Operation {
    Operation::AttachInterface(InstanceName::new("a"), interface(device))
}

fn id(device: u8) -> Attachment {
    Attachment { instance: InstanceName::new("a"), device }
}

fn sample(era: Era) -> Sample {
    Sample::new(era).group("G", &[]).group("H", &[]).instance("a", &["G"])
}

fn refusal(sample: &Sample, operation: &Operation) -> String {
    sample.try_apply(operation).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_second_interface_has_groups_and_addresses_of_its_own_and_no_automatic_public_one() {
    let with = sample(Era::Vpc).with(attach(1));
    let second = with.0.attached(&id(1)).unwrap();
    let first = with.0.attached(&id(0)).unwrap();
    assert_eq!(second.groups, [GroupName::new("H")].into());
    assert_ne!(second.private, first.private);
    assert_eq!(second.public, None);
    let started = with.clone().with(stop("a")).with(start("a"));
    assert_eq!(started.0.attached(&id(1)), with.0.attached(&id(1)), "it is kept over a restart");
}

#[test]
fn classic_has_one_interface_and_no_switch() {
    for era in [Era::Article, Era::Classic] {
        let expected = "InvalidParameterCombination: Instances of EC2-Classic have one network interface.";
        assert_eq!(refusal(&sample(era), &attach(1)), expected);
        let off = Operation::SetSourceDestCheck(Target::Instance(InstanceName::new("a")), SourceDestCheck::Off);
        let expected = "InvalidParameterCombination: Instances of EC2-Classic always check source and destination.";
        assert_eq!(refusal(&sample(era), &off), expected);
    }
}

#[test]
fn with_several_interfaces_a_call_has_to_name_one() {
    let with = sample(Era::Vpc).with(attach(1)).with(allocate("e"));
    let several = "InvalidInstanceID: There are multiple interfaces attached to instance 'a'. Please specify an \
                   interface ID for the operation instead.";
    assert_eq!(refusal(&with, &set_groups("a", &["H"])), several);
    assert_eq!(refusal(&with, &associate("e", "a")), several);
    let off = |target| Operation::SetSourceDestCheck(target, SourceDestCheck::Off);
    assert_eq!(refusal(&with, &off(Target::Instance(InstanceName::new("a")))), several);
    let changed = with.clone().with(off(Target::Interface(id(1))));
    assert_eq!(changed.0.attached(&id(1)).unwrap().source_dest_check, SourceDestCheck::Off);
    assert_eq!(changed.0.attached(&id(0)).unwrap().source_dest_check, SourceDestCheck::On);
}

#[test]
fn an_elastic_ip_that_leaves_one_of_several_is_not_replaced_by_an_automatic_address() {
    let to = |device| Operation::AssociateAddress {
        elastic_ip: ElasticIpName::new("e"),
        to: Target::Interface(id(device)),
        reassociation: Reassociation::Allowed,
    };
    let with = sample(Era::Vpc).with(attach(1)).with(allocate("e")).with(to(0));
    assert_eq!(with.with(disassociate("e")).public("a"), None);
    let alone = sample(Era::Vpc).with(allocate("e")).with(to(0)).with(disassociate("e"));
    assert!(alone.public("a").is_some());
}

#[test]
fn what_is_detached_is_gone_with_its_elastic_ip_and_the_first_cannot_be() {
    let with = sample(Era::Vpc).with(attach(1)).with(allocate("e")).with(Operation::AssociateAddress {
        elastic_ip: ElasticIpName::new("e"),
        to: Target::Interface(id(1)),
        reassociation: Reassociation::Allowed,
    });
    let without = with.clone().with(Operation::DetachInterface(id(1)));
    assert_eq!(without.0.attached(&id(1)), None);
    assert_eq!(without.0.elastic_ips[0].association, None);
    let expected = "InvalidNetworkInterfaceID.NotFound: The networkInterface ID 'a.eth1' does not exist";
    assert_eq!(refusal(&without, &Operation::DetachInterface(id(1))), expected);
    let expected = "InvalidParameterValue: The network interface at device index 0 cannot be detached.";
    assert_eq!(refusal(&with, &Operation::DetachInterface(id(0))), expected);
    let expected = "InvalidParameterValue: Instance 'a' already has an interface attached at device index '1'.";
    assert_eq!(refusal(&with, &attach(1)), expected);
}
