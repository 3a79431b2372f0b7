//! The one namespace of hosts, instances and groups.

use std::cell::Cell;
use std::collections::HashSet;

use indexmap::IndexMap;

pub(super) use crate::model::name_fault as fault;
use crate::model::suggest;
use crate::model::{DEFAULT_GROUP, Era, LoadBalancerName, VpcName, vpc_of_default_group};
use crate::topology::document::shape::Span;

/// Maximum number of unknown names that get a suggestion; no more problems than that are shown.
const MAX_SEARCHES: usize = 100;

/// A word of so many characters is near to too many names.
const SHORT: usize = 3;

/// Maximum number of names that are listed in place of a suggestion.
const MAX_LISTED: usize = 8;

/// Kind of thing that a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntityKind {
    Host,
    Instance,
    Group,
    ElasticIp,
    PrefixList,
    LoadBalancer,
}

impl EntityKind {
    pub fn article(self) -> &'static str {
        match self {
            Self::Host => "a host",
            Self::Instance => "an instance",
            Self::Group => "a security group",
            Self::ElasticIp => "an Elastic IP",
            Self::PrefixList => "a prefix list",
            Self::LoadBalancer => "a load balancer",
        }
    }

    pub fn noun(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Instance => "instance",
            Self::Group => "security group",
            Self::ElasticIp => "Elastic IP",
            Self::PrefixList => "prefix list",
            Self::LoadBalancer => "load balancer",
        }
    }

    /// The participle of its end.
    pub fn ended(self) -> &'static str {
        match self {
            Self::Instance => "terminated",
            Self::ElasticIp => "released",
            Self::Host | Self::Group | Self::PrefixList | Self::LoadBalancer => "deleted",
        }
    }
}

/// Origin of a name.
pub(super) struct Named {
    pub sort: EntityKind,
    /// Nothing where a running cloud has it, and no file.
    pub span: Option<Span>,
    /// The eras of the step that makes it; empty: all.
    pub eras: Vec<Era>,
    /// True if a step before the one being read ends it: then its name may be made again.
    pub gone: bool,
}

/// Every name of a file.
#[derive(Default)]
pub(super) struct Names {
    pub named: IndexMap<String, Named>,
    /// The VPCs, known before any of them is read.
    pub vpcs: Vec<VpcName>,
    /// Number of searches for a suggestion: in a file with very many names and as many mistakes that is the only thing that takes long.
    searches: Cell<usize>,
    /// Names that could not be read.
    pub doubts: Doubts,
}

impl Names {
    pub fn sort(&self, name: &str) -> Option<EntityKind> {
        let own = || self.is_default_group(name).then_some(EntityKind::Group);
        self.named.get(name).map(|named| named.sort).or_else(own)
    }

    /// Returns true for a group that EC2 makes itself in one of the VPCs.
    pub fn is_default_group(&self, name: &str) -> bool {
        name == DEFAULT_GROUP || vpc_of_default_group(&self.vpcs, name).is_some()
    }

    pub fn span(&self, name: &str) -> Option<Span> {
        self.named.get(name).and_then(|named| named.span)
    }

    /// Takes up a name that a running cloud has.
    pub fn seed(&mut self, name: &str, sort: EntityKind) {
        self.named.insert(name.to_owned(), Named { sort, span: None, eras: Vec::new(), gone: false });
    }

    /// Takes up the name of an instance that a running cloud had: it may be launched again.
    pub fn know_gone(&mut self, name: &str) {
        self.seed(name, EntityKind::Instance);
        self.end(name, EntityKind::Instance);
    }

    /// A step terminates an instance, deletes a group, or releases an Elastic IP.
    pub fn end(&mut self, name: &str, sort: EntityKind) {
        if let Some(named) = self.named.get_mut(name).filter(|named| named.sort == sort) {
            named.gone = true;
        }
    }

    /// Counts a search, and tells whether it may be made.
    fn may_search(&self) -> bool {
        self.searches.replace(self.searches.get() + 1) < MAX_SEARCHES
    }

    /// "did you mean" among names of a namespace of their own, such as tables.
    pub fn nearest<'c>(&self, word: &str, known: impl IntoIterator<Item = &'c str>) -> Option<String> {
        if self.may_search() { suggest(word, known) } else { None }
    }

    /// "did you mean" among the names of these sorts.
    pub fn suggest(&self, word: &str, sorts: &[EntityKind]) -> Option<String> {
        if !self.may_search() {
            return None;
        }
        let known = || self.named.iter().filter(|(_, n)| sorts.contains(&n.sort)).map(|(name, _)| name.as_str());
        // A short word is near to any other: a few names are listed in place of a guess.
        let listed = || {
            let names: Vec<&str> = known().take(MAX_LISTED + 1).collect();
            let few = (1..=MAX_LISTED).contains(&names.len()) && word.chars().count() <= SHORT;
            let there = if names.len() == 1 { "there is" } else { "there are" };
            few.then(|| format!("{there} {}", names.join(", ")))
        };
        suggest(word, known()).or_else(listed)
    }
}

/// Parts that could not be read, and are reported: a name that seems to be missing may stand there.
#[derive(Default)]
pub(super) struct Doubts {
    /// A whole part that makes names.
    pub incomplete: bool,
    /// Names of which a part that could not be read may be the declaration.
    pub unread: HashSet<String>,
    /// Memberships: nobody can say that a group is empty.
    pub members: bool,
    /// Associations: nobody can say who never has a public address.
    pub publics: bool,
    /// The tables.
    pub tables: bool,
    /// A VPC, which is not among those that are known.
    pub vpcs: bool,
    /// The load balancers of which a listener could not be read.
    pub listeners: HashSet<LoadBalancerName>,
}
