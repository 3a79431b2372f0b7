//! An account as its owner's files tell it: VPCs, groups, interfaces, each with the place it was read from, and what is not known of them.
//!
//! Unlike a `Cloud`, which a lab can boot, an account may hold what no lab has: ids in place of names, interfaces of managed services, several
//! addresses on one interface, and values that are known after a plan is applied only.

mod interface;
mod ipv6;
mod known;
mod left_out;
mod origin;
mod prefix_list;
mod security_group;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net};

pub use interface::{Holder, Interface, Public};
pub use ipv6::Ipv6Block;
pub use known::Known;
pub use left_out::{LeftOut, Reason};
pub use origin::{Origin, ResourceId};
pub(crate) use origin::{plain_name, without_number};
pub(crate) use prefix_list::of_amazon;
pub use prefix_list::{PrefixList, Weight};
pub use security_group::{Peer, Rule, SecurityGroup};

/// All that some sources tell of one account in one region, in the order of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// VPCs by id.
    pub vpcs: IndexMap<ResourceId, Vpc>,
    /// Subnets by id.
    pub subnets: IndexMap<ResourceId, Subnet>,
    /// Security groups by id.
    pub groups: IndexMap<ResourceId, SecurityGroup>,
    /// Network interfaces by id.
    pub interfaces: IndexMap<ResourceId, Interface>,
    /// Prefix lists by id.
    pub prefix_lists: IndexMap<ResourceId, PrefixList>,
    /// Tags of groups, interfaces and prefix lists by which they are found again in another source.
    pub tags: BTreeMap<ResourceId, Tags>,
    /// The kinds of the sources. What one kind leaves out another may not know of.
    pub sources: BTreeSet<SourceKind>,
    /// Auto Scaling groups by the ids of interfaces that they launch, where a source tells them.
    pub fleets: IndexMap<ResourceId, Fleet>,
    /// Interfaces of a launch template or a node group: there may be several of each.
    pub launched: BTreeSet<ResourceId>,
    /// Instances by interfaces that are resources of their own and attached to them, each by the resource that says it.
    pub attached: HashMap<ResourceId, ResourceId>,
    /// Groups that a source only names, and of which it has no rules: they are there whether or not it names them.
    pub outside: BTreeSet<ResourceId>,
    /// All that was read and is not here.
    pub left_out: Vec<LeftOut>,
}

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// Replies of `aws ec2 describe-*`.
    Describe,
    /// A plan or a state of Terraform.
    Terraform,
    /// A template of CloudFormation.
    Cloudformation,
    /// A topology, or a lab that is up.
    Topology,
}

/// Tags by which a resource is found again in another source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The name that its template has for it: in an account the tag `aws:cloudformation:logical-id`.
    pub logical_id: Option<String>,
    /// The tag `Name`.
    pub name: Option<String>,
}

/// An Auto Scaling group, by what its instances have in common. They stand for each other: it ends and launches them as it likes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fleet {
    /// Its name.
    pub name: Option<String>,
    /// The tag `Name` that it gives its instances.
    pub tag: Option<String>,
}

impl Account {
    /// Returns true for an interface of one machine. A service, a fleet and what launches from a template may be several.
    pub fn is_of_one_machine(&self, id: &ResourceId, interface: &Interface) -> bool {
        let may_be_one = match interface.holder {
            Holder::Instance | Holder::StoppedInstance | Holder::Nobody => true,
            Holder::LoadBalancer | Holder::Database | Holder::Function | Holder::Service => false,
        };
        may_be_one && !self.fleets.contains_key(id) && !self.launched.contains(id)
    }

    /// Returns the resource that says the holder of an interface.
    pub fn holder_of<'a>(&'a self, id: &ResourceId, interface: &'a Interface) -> &'a ResourceId {
        self.attached.get(id).unwrap_or(&interface.origin.resource)
    }

    /// Returns the rules of every group.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.values().flat_map(SecurityGroup::all_rules)
    }

    /// Returns the blocks of a VPC; none where it is not known.
    pub fn vpc_blocks(&self, vpc: Option<&ResourceId>) -> Vec<IpNet> {
        vpc.and_then(|id| self.vpcs.get(id)).into_iter().flat_map(Vpc::all_blocks).collect()
    }

    /// Returns the blocks that rules name and that one owner may have.
    pub fn blocks_of_one_owner(&self) -> impl Iterator<Item = IpNet> {
        self.rules().filter_map(|rule| rule.peer.block()).filter(may_be_of_one_owner)
    }

    /// Returns the entries of a prefix list, where a source tells them.
    pub fn entries(&self, list: &ResourceId) -> Option<&[IpNet]> {
        self.prefix_lists.get(list)?.entries.known().map(Vec::as_slice)
    }

    /// Returns the blocks that a peer names, itself or by a prefix list; nothing for a group, and where no source tells them.
    pub fn blocks<'a>(&'a self, peer: &'a Peer) -> Option<&'a [IpNet]> {
        match peer {
            Peer::Block(block) => Some(std::slice::from_ref(block)),
            Peer::PrefixList(id) => self.entries(id),
            Peer::Group(_) | Peer::Unknown(_) => None,
        }
    }

    /// Returns true if a VPC has IPv6: a block of its own, or in it a subnet or an interface that has.
    pub fn has_ipv6(&self, vpc: &ResourceId) -> bool {
        let own = self.vpcs.get(vpc).is_some_and(|vpc| !vpc.ipv6.is_empty());
        let of_subnets = self.subnets.values().filter(|subnet| subnet.vpc.as_ref() == Some(vpc));
        let mut of_interfaces = self.interfaces.values().filter(|interface| interface.vpc.as_ref() == Some(vpc));
        own || of_subnets.into_iter().any(|subnet| matches!(subnet.ipv6, Ipv6Block::Is(_) | Ipv6Block::Later))
            || of_interfaces.any(Interface::has_ipv6)
    }

    /// Returns true if a subnet has an IPv6 block. Where that cannot be told it has one if an interface in it has an address.
    pub fn subnet_has_ipv6(&self, id: &ResourceId) -> bool {
        let mut inside = self.interfaces.values().filter(|interface| interface.subnet.as_ref() == Some(id));
        match self.subnets.get(id).map(|subnet| &subnet.ipv6) {
            Some(Ipv6Block::Is(_) | Ipv6Block::Later) => true,
            Some(Ipv6Block::None) => false,
            Some(Ipv6Block::Unknown(_)) | None => inside.any(Interface::has_ipv6),
        }
    }
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// Short name for people: its `Name` tag, the label of its resource, or its id.
    pub label: String,
    /// IPv4 blocks; none where they are not known.
    pub blocks: Vec<Ipv4Net>,
    /// IPv6 blocks.
    pub ipv6: Vec<IpNet>,
    /// Its place in the sources.
    pub origin: Origin,
}

impl Vpc {
    /// Returns its blocks of both families.
    pub fn all_blocks(&self) -> impl Iterator<Item = IpNet> {
        self.blocks.iter().copied().map(IpNet::V4).chain(self.ipv6.iter().copied())
    }
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Short name for people.
    pub label: String,
    /// Its VPC.
    pub vpc: Option<ResourceId>,
    /// Its IPv4 block, where it is known.
    pub block: Option<Ipv4Net>,
    /// Automatic public addresses for what is launched in it.
    pub automatic_public: Known<bool>,
    /// Its IPv6 block.
    pub ipv6: Ipv6Block,
    /// An automatic IPv6 address for what is launched in it and does not say itself.
    pub automatic_ipv6: Known<bool>,
    /// Its place in the sources.
    pub origin: Origin,
}

/// Returns true for a block that one owner may have; a wider one means the internet.
pub fn may_be_of_one_owner(block: &IpNet) -> bool {
    /// The shortest prefix of such a block.
    const OF_ONE_OWNER: u8 = 8;
    block.prefix_len() >= OF_ONE_OWNER
}
