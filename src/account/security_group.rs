//! Security groups and their rules.

use ipnet::IpNet;

use super::known::Known;
use super::origin::{Origin, ResourceId};
use crate::model::{DEFAULT_GROUP, Direction, PrefixFamily, Traffic};

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

    /// Returns its rules for both directions, to change them.
    pub fn all_rules_mut(&mut self) -> impl Iterator<Item = &mut Rule> {
        self.ingress.iter_mut().chain(&mut self.egress)
    }

    /// Returns true for the group that EC2 makes itself in each VPC, with the rules that it is born with.
    ///
    /// Source: "Default security groups" (Amazon VPC user guide).
    pub fn is_default_as_born(&self, id: &ResourceId) -> bool {
        let itself = |rule: &Rule| rule.admits_all_of(&Peer::Group(id.clone()));
        let everybody = |rule: &Rule, family: PrefixFamily| rule.admits_all_of(&Peer::Block(family.every_address()));
        let ipv4 = |rule: &Rule| everybody(rule, PrefixFamily::Ipv4);
        let ipv6 = |rule: &Rule| everybody(rule, PrefixFamily::Ipv6);
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

impl Peer {
    /// Returns the block that it names itself.
    pub fn block(&self) -> Option<IpNet> {
        match self {
            Self::Block(block) => Some(*block),
            Self::Group(_) | Self::PrefixList(_) | Self::Unknown(_) => None,
        }
    }

    /// Returns the group that it names.
    pub fn group(&self) -> Option<&ResourceId> {
        match self {
            Self::Group(id) => Some(id),
            Self::Block(_) | Self::PrefixList(_) | Self::Unknown(_) => None,
        }
    }
}
