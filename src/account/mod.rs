//! An account as its owner's files tell it: VPCs, groups, interfaces, each with the place it was read from, and what is not known of them.
//!
//! Unlike a `Cloud`, which a lab can boot, an account may hold what no lab has: ids in place of names, interfaces of managed services, several
//! addresses on one interface, and values that are known after a plan is applied only.

mod ipv6;
mod left_out;
mod origin;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::{DEFAULT_GROUP, Direction, Traffic, number};

pub use ipv6::Ipv6Block;
pub use left_out::{LeftOut, Reason};
pub use origin::{Origin, ResourceId};
pub(crate) use origin::{plain_name, without_number};

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

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Short name for people: the label of its resource in Terraform, else its group name, else its id.
    pub label: String,
    /// The name that EC2 has of it, where it is known.
    pub name: Option<String>,
    /// Its free text.
    pub description: Option<String>,
    /// Its VPC, where it is known.
    pub vpc: Option<ResourceId>,
    /// Rules for traffic to members.
    pub ingress: Vec<Rule>,
    /// Rules for traffic from members.
    pub egress: Vec<Rule>,
    /// Its place in the sources.
    pub origin: Origin,
}

impl SecurityGroup {
    /// Returns its rules for one direction.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Returns its rules for one direction, to change them.
    pub fn rules_mut(&mut self, direction: Direction) -> &mut Vec<Rule> {
        match direction {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        }
    }

    /// Returns its rules for both directions, those for ingress first.
    pub fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        self.ingress.iter().chain(&self.egress)
    }

    /// Returns true for the group that EC2 makes itself in each VPC, with the rules that it is born with.
    ///
    /// Source: "Default security groups" (Amazon VPC user guide).
    pub fn is_default_as_born(&self, id: &ResourceId) -> bool {
        let itself = |rule: &Rule| rule.admits_all_of(&Peer::Group(id.clone()));
        let ipv4 = |rule: &Rule| rule.admits_all_of(&Peer::Block(IpNet::V4(Ipv4Net::default())));
        let ipv6 = |rule: &Rule| rule.admits_all_of(&Peer::Block(IpNet::V6(Ipv6Net::default())));
        self.name.as_deref() == Some(DEFAULT_GROUP)
            && matches!(self.ingress.as_slice(), [only] if itself(only))
            && self.egress.iter().any(ipv4)
            && self.egress.iter().all(|rule| ipv4(rule) || ipv6(rule))
    }
}

/// One rule: one traffic, one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Traffic that it admits.
    pub traffic: Known<Traffic>,
    /// Source of ingress, destination of egress.
    pub peer: Peer,
    /// Its free text.
    pub description: Option<String>,
    /// Its place in the sources.
    pub origin: Origin,
}

impl Rule {
    /// Returns true if it admits all traffic of this peer, and no more.
    fn admits_all_of(&self, peer: &Peer) -> bool {
        self.traffic.known() == Some(&Traffic::All) && self.peer == *peer
    }

    /// Returns true if what it admits, or whom, is not known.
    pub fn is_unknown(&self) -> bool {
        self.traffic.known().is_none() || matches!(self.peer, Peer::Unknown(_))
    }
}

/// The other side of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Peer {
    /// A canonical block of either family.
    Block(IpNet),
    /// Members of a group of this account.
    Group(ResourceId),
    /// Entries of a prefix list; one that no source tells has unknown entries.
    PrefixList(ResourceId),
    /// It may be anybody, for this reason.
    Unknown(String),
}

/// A network interface, of whatever holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Short name for people: that of its holder, with `.eth1` for a further interface of an instance.
    pub label: String,
    /// Its holder.
    pub holder: Holder,
    /// Its VPC, where it is known.
    pub vpc: Option<ResourceId>,
    /// Its subnet, where it is known.
    pub subnet: Option<ResourceId>,
    /// Its groups.
    pub groups: Known<IndexSet<ResourceId>>,
    /// Private addresses, prefixes, and IPv6 addresses, as blocks; empty where they are not known yet.
    pub addresses: Vec<IpNet>,
    /// Number of IPv6 addresses that it gets beside these, and that are not known yet.
    pub ipv6_later: usize,
    /// Ways from the internet to it.
    pub public: Public,
    /// Its place in the sources.
    pub origin: Origin,
}

/// The holder of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// An instance that is running, or will be.
    Instance,
    /// An instance that is stopped: its interfaces and groups are there, and nothing answers.
    StoppedInstance,
    /// A load balancer of any kind.
    LoadBalancer,
    /// A managed database or cache.
    Database,
    /// A function.
    Function,
    /// A container task or another service that Amazon runs.
    Service,
    /// Nothing yet: it is attached to nobody.
    Nobody,
}

impl Holder {
    /// Returns true for an instance, whether it runs or not.
    pub fn is_instance(self) -> bool {
        matches!(self, Self::Instance | Self::StoppedInstance)
    }
}

impl Interface {
    /// Returns true if it has an IPv6 address or gets one.
    pub fn has_ipv6(&self) -> bool {
        self.ipv6_later > 0 || self.addresses.iter().any(|block| matches!(block, IpNet::V6(_)))
    }

    /// The name of its holder and its device number: `web1` and 1 of `web1.eth1`. What is no instance has one interface.
    pub fn holder_and_device(&self) -> (&str, u32) {
        let further = self.label.rsplit_once(".eth").filter(|_| self.holder.is_instance());
        let further = further.and_then(|(name, device)| Some((name, number(device)?)));
        further.unwrap_or((self.label.as_str(), 0))
    }
}

/// Ways from the internet to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// These public addresses lead to it; none is listed where it gets one that is not known yet.
    At(Vec<IpAddr>),
    /// None does.
    None,
    /// It cannot be told, for this reason.
    Unknown(String),
}

/// A prefix list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixList {
    /// Short name for people.
    pub label: String,
    /// Its entries.
    pub entries: Known<Vec<IpNet>>,
    /// Texts of entries that have one.
    pub descriptions: IndexMap<IpNet, String>,
    /// As many entries as it may have, where a source tells it: a rule that names it counts as this many.
    pub max_entries: Option<u32>,
    /// Its place in the sources.
    pub origin: Origin,
}

impl PrefixList {
    /// As many entries as it may have; where no source tells it, as many as it has.
    pub fn room(&self) -> u32 {
        let entries = self.entries.known().map_or(0, Vec::len);
        self.max_entries.unwrap_or_else(|| u32::try_from(entries).unwrap_or(u32::MAX).max(1))
    }
}

/// A value, or the reason why no source tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Known<T> {
    /// The value.
    Is(T),
    /// It may be anything, for this reason.
    Unknown(String),
}

impl<T> Known<T> {
    /// Returns the value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the reason why it is not known.
    pub fn why_unknown(&self) -> Option<&str> {
        match self {
            Self::Is(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }
}
