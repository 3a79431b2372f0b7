//! Instances, their interfaces and the programs that they run.

use sglab_macros::Shape;

use super::shape::{Any, At, Either, Field, Many, Map};
use super::values::{Choice, Mounts};
use super::words::{Address, CommandLine, CommandWord, Device, Ipv6Address, Name, Secondary, Service, Text};
use crate::model::{AutomaticPublic, Forwarding, GroupName, ProcessName, SourceDestCheck, SubnetName, VpcName};

/// An instance.
#[derive(Clone, Debug, Default, Shape)]
#[shape("an instance")]
pub struct Instance {
    /// Its VPC; to be said where there are several.
    pub vpc: Field<Name<VpcName>>,
    /// Its security groups; left out: `default`.
    #[shape("at least one security group")]
    #[shape(others("security-groups", "security_groups", "sg"))]
    pub groups: Field<Many<Name<GroupName>>>,
    /// Its subnet; else the first.
    pub subnet: Field<Name<SubnetName>>,
    /// The private address that it asks for, or `web1.previous` in a step.
    #[shape(others("private-ip"))]
    pub address: Field<Address>,
    /// Its first IPv6 address; `yes` if left out and its subnet has a block, `no` for none. Era vpc only.
    #[shape(others("ipv6-address"))]
    pub ipv6: Field<Ipv6Address>,
    /// Its addresses beside these: single ones, and prefixes of /28 and /80 that are delegated to it. Era vpc only.
    #[shape(others(
        "secondary",
        "secondary-address",
        "secondary-private-addresses",
        "secondary-private-ips",
        "prefixes",
        "ipv4-prefixes",
        "ipv6-addresses",
        "ipv6_addresses",
        "ipv6-prefix",
        "ipv6-prefixes",
        "ipv6_prefixes"
    ))]
    pub secondary_addresses: Field<Many<Secondary>>,
    /// Whether its first interface drops what is neither from nor to its own addresses; `on` if left out. Era vpc only.
    pub source_dest_check: Field<Choice<SourceDestCheck>>,
    /// What listens on it, besides what the harness adds.
    #[shape("a service or a list of them", unique)]
    #[shape(others("ports", "expose"))]
    pub listens: Field<Any<Service>>,
    /// The programs that it runs by itself, started in this order, each once the one before is ready.
    #[shape("a mapping of services")]
    pub services: Field<Map<Name<ProcessName>, Process>>,
    /// What its programs see beside what every instance sees: by place, an absolute path in the instance.
    #[shape(others("volumes", "volume", "binds"))]
    pub mounts: Field<Mounts>,
    /// Whether it gets a public address; if left out, as its subnet has it, which is `yes` unless that says otherwise.
    pub public: Field<Choice<AutomaticPublic>>,
    /// What it does with packets for others; `no` if left out.
    pub forwards: Field<Choice<Forwarding>>,
    /// Interfaces beside the first, `eth1` and so on. Era vpc only.
    pub interfaces: Field<Interfaces>,
    /// Where it stands.
    pub at: At,
}

/// Interfaces by their names.
pub type Interfaces = Map<Device, Interface>;

/// An interface beside the first.
#[derive(Clone, Debug, Default, Shape)]
#[shape("an interface", "a mapping of interfaces, such as `eth1: {groups: SG-X}`")]
pub struct Interface {
    /// Its security groups; left out: `default`.
    #[shape("at least one security group")]
    #[shape(others("security-groups", "security_groups", "sg"))]
    pub groups: Field<Many<Name<GroupName>>>,
    /// Its subnet; else the first.
    pub subnet: Field<Name<SubnetName>>,
    /// The private address that it asks for.
    #[shape(others("private-ip"))]
    pub address: Field<Address>,
    /// Its first IPv6 address; `yes` if left out and its subnet has a block, `no` for none. Era vpc only.
    #[shape(others("ipv6-address"))]
    pub ipv6: Field<Ipv6Address>,
    /// Its addresses beside these: single ones, and prefixes of /28 and /80 that are delegated to it. Era vpc only.
    #[shape(others(
        "secondary",
        "secondary-address",
        "secondary-private-addresses",
        "secondary-private-ips",
        "prefixes",
        "ipv4-prefixes",
        "ipv6-addresses",
        "ipv6_addresses",
        "ipv6-prefix",
        "ipv6-prefixes",
        "ipv6_prefixes"
    ))]
    pub secondary_addresses: Field<Many<Secondary>>,
    /// Whether it drops what is neither from nor to its own addresses; `on` if left out.
    pub source_dest_check: Field<Choice<SourceDestCheck>>,
}

/// A program that stays in the foreground. `sglab up` starts it with its instance, and ends it with that.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a service")]
pub struct Process {
    /// A line for the shell, or a list of words.
    #[shape(needed, "a command, in a line for the shell or as a list of words")]
    pub command: Field<Command>,
    /// It is ready once it listens here; without, once it has begun.
    pub port: Field<Service>,
    /// A file that its output is added to; without, `sglab logs --service` shows it while the lab is up.
    #[shape("the file that its output is added to")]
    pub log: Field<Text>,
    /// Where it stands.
    pub at: At,
}

/// What a service runs.
pub type Command = Either<CommandLine, Many<CommandWord>>;
