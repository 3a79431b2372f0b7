//! VPCs, hosts, Elastic IPs and prefix lists.

use sglab_macros::Shape;

use super::shape::{Any, At, Field, List, Many, Map, Or};
use super::values::{Choice, Whole};
use super::words::{Address, Block, Holder, Ipv6Block, Ipv6Subnet, ListedBlock, Name, PacketSize};
use crate::model::{AutomaticPublic, ElasticIpName, SubnetName};

/// A VPC.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a VPC")]
pub struct Vpc {
    /// Its address block, from /16 to /28.
    #[shape(needed)]
    pub cidr: Field<Block>,
    /// Its IPv6 block, a /56 of global addresses, or `yes` for one of the documentation's. Era vpc only.
    pub ipv6: Field<Ipv6Block>,
    /// Its subnets. Left out: one called `default`, the whole block.
    #[shape("a mapping of subnets")]
    pub subnets: Field<Map<Name<SubnetName>, Subnet>>,
    /// Where it stands.
    pub at: At,
}

/// An address block, or the long form.
pub type Subnet = Or<Block, LongSubnet>;

/// A subnet with settings of its own.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a subnet")]
pub struct LongSubnet {
    /// Its address block.
    #[shape(needed)]
    pub cidr: Field<Block>,
    /// Address blocks with the instances that are the next hop to them. Era vpc only.
    #[shape("a mapping from address blocks to instances")]
    pub routes: Field<Map<Block, Holder>>,
    /// Whether an instance gets a public address that does not say itself; `yes` if left out. Era vpc only.
    pub public: Field<Choice<AutomaticPublic>>,
    /// Its IPv6 block, a /64 of that of its VPC; `yes` if left out and the VPC has one, `no` for none. Era vpc only.
    pub ipv6: Field<Ipv6Subnet>,
    /// Where it stands.
    pub at: At,
}

/// The address or the addresses, or the long form.
pub type Host = Or<Addresses, LongHost>;

/// An address or several.
pub type Addresses = Many<Address>;

/// A host behind a link of its own.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a host")]
pub struct LongHost {
    /// Its address or addresses.
    #[shape(needed, "an address or a list of addresses")]
    pub address: Field<Addresses>,
    /// The largest packet that its link takes on the way to it, in bytes, from 576 to 1500; at least 1280 where it has an IPv6 address.
    #[shape("an MTU")]
    pub mtu: Field<PacketSize>,
    /// Where it stands.
    pub at: At,
}

/// Names, or names with who has them.
pub type ElasticIps = Or<List<Name<ElasticIpName>>, Map<Name<ElasticIpName>, Holder>>;

/// Its entries, or the long form.
pub type PrefixList = Or<Any<ListedBlock>, LongPrefixList>;

/// A prefix list with room for more.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a prefix list")]
pub struct LongPrefixList {
    /// Its entries, of one family.
    #[shape(unique)]
    pub entries: Field<Any<ListedBlock>>,
    /// As many as it may have; a rule that names it counts as this many.
    #[shape("a number of entries")]
    pub max_entries: Field<Whole<1, 1_000>>,
    /// Where it stands.
    pub at: At,
}

/// Entries that a prefix list gets and loses.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a change of entries")]
pub struct PrefixListEdit {
    /// Gets.
    pub add: Field<Any<ListedBlock>>,
    /// Loses.
    pub remove: Field<Any<ListedBlock>>,
    /// Where it stands.
    pub at: At,
}
