//! Literal cases of the operations that no story needs: groups and interfaces that come and go, and Elastic IPs.

use sglab::model::{CreateGroup, ElasticIpName, NewInterface, SubnetName, VpcName};

use super::*;

pub const CLOUD: &str = "sglab: 1
era: [classic, vpc]
hosts: {office: 203.0.113.10}
groups: {A: [tcp 22 from office], B: [tcp 22 from A]}
instances: {a: {groups: A}, b: {groups: B}, c: {groups: B}}
scenario: [{step: as launched, expect: {open: ['a -> b:22']}}]
";

/// On both platforms.
pub const LINES: &[Line] = &[
    New("1", "a -> b 22", "open"),
    New("1", "office -> a 22", "open"),
    // A group that is made while the cloud runs, with a member and a rule; and is gone again.
    Do(|| create("LATER")),
    Do(|| launch("later", &["LATER"], sglab::model::AddressRequest::Automatic)),
    New("2", "a -> later 22", "dropped at later's ingress"),
    New("2", "later -> b 22", "dropped at b's ingress"),
    Do(|| authorize("LATER", tcp_port(22), group("A"))),
    Do(|| authorize("B", tcp_port(22), group("LATER"))),
    New("2", "a -> later 22", "open"),
    New("2", "later -> b 22", "open"),
    Do(|| revoke("B", tcp_port(22), group("LATER"))),
    Do(|| Operation::Terminate(InstanceName::new("later"))),
    Do(|| Operation::DeleteGroup(GroupName::new("LATER"))),
    New("1", "a -> b 22", "open"),
    New("1", "c -> b 22", "dropped at b's ingress"),
    // An Elastic IP that comes, moves and goes: outside it is the address that counts.
    Do(|| Operation::AllocateAddress(ElasticIpName::new("eip"))),
    Do(|| associate("eip", "a")),
    Address("5", "a", "public", "new"),
    New("5", "office -> a 22", "open"),
    Do(|| associate("eip", "c")),
    New("5", "office -> a 22", "open"),
    New("5", "office -> c 22", "dropped at c's ingress"),
    Do(|| Operation::DisassociateAddress(ElasticIpName::new("eip"))),
    New("5", "office -> c 22", "dropped at c's ingress"),
    Do(|| associate("eip", "a")),
    Do(|| Operation::ReleaseAddress(ElasticIpName::new("eip"))),
    Address("5", "a", "public", "new"),
    New("5", "office -> a 22", "open"),
    New("5", "a -> office 22", "open"),
    // A reboot keeps everything.
    Do(|| Operation::Reboot(InstanceName::new("b"))),
    Address("26", "b", "private", "same"),
    Address("26", "b", "public", "same"),
    New("26", "a -> b 22", "open"),
];

/// In a VPC only.
pub const VPC_LINES: &[Line] = &[
    New("8", "c -> b 22", "dropped at b's ingress"),
    Do(|| attach("c", &["A"])),
    New("8", "c.eth1 -> b 22", "open"),
    New("8", "c -> b 22", "dropped at b's ingress"),
    Do(|| Operation::DetachInterface(Attachment { instance: InstanceName::new("c"), device: 1 })),
    New("8", "c -> b 22", "dropped at b's ingress"),
    New("8", "a -> b 22", "open"),
];

fn create(name: &str) -> Operation {
    Operation::CreateGroup(CreateGroup {
        name: GroupName::new(name),
        ec2_name: None,
        vpc: VpcName::new("default"),
        description: None,
        place: None,
    })
}

fn attach(to: &str, groups: &[&str]) -> Operation {
    let interface = NewInterface {
        device: 1,
        subnet: SubnetName::new("default"),
        groups: groups.iter().map(GroupName::new).collect(),
        address: sglab::model::AddressRequest::Automatic,
        ipv6: sglab::model::AskedIpv6::Automatic,
        secondary: Vec::new(),
        source_dest_check: SourceDestCheck::On,
    };
    Operation::AttachInterface(InstanceName::new(to), interface)
}
