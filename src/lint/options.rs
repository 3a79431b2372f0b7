//! Input of a run beside the account.

use std::collections::HashMap;

use indexmap::IndexSet;

use super::convention::Convention;
use crate::account::ResourceId;
use crate::model::{Cloud, Port, SelfReference, Service};

/// Services by interface, where the source tells who listens.
pub type Listeners = HashMap<ResourceId, IndexSet<Service>>;

/// Egress rules of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressRules {
    /// As in a VPC.
    Enforced,
    /// As in EC2-Classic.
    None,
}

/// The platform that an account is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The meaning of a rule whose source is its own group.
    pub self_reference: SelfReference,
    /// Egress rules of the platform.
    pub egress: EgressRules,
}

/// Today's VPC.
impl Default for Platform {
    fn default() -> Self {
        Self { self_reference: SelfReference::MatchesMembers, egress: EgressRules::Enforced }
    }
}

impl Platform {
    /// The platform of a topology's cloud.
    pub fn of(cloud: &Cloud) -> Self {
        let egress = if cloud.has_egress_rules() { EgressRules::Enforced } else { EgressRules::None };
        Self { self_reference: cloud.knobs.self_reference, egress }
    }
}

/// The words of cures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CureWords {
    /// Commands of sglab.
    Commands,
    /// Those of the source: calls of the AWS CLI for what is told by its id, else the change to what a file declares.
    OfSources,
}

/// Ports that may be open to anywhere, if nothing else is said.
pub const AUTHORISED: [Port; 2] = [Port(80), Port(443)];
/// Ports for administration, if nothing else is said.
pub const ADMIN: [Port; 2] = [Port(22), Port(3389)];

/// Options of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The checks.
    pub profile: Profile,
    /// Names of groups.
    pub convention: Convention,
    /// The platform.
    pub platform: Platform,
    /// Ports that may be open to anywhere.
    pub authorised: Vec<Port>,
    /// Ports for administration.
    pub admin: Vec<Port>,
    /// Ports that a range may have before it is wide.
    pub wide: u16,
    /// The words of cures.
    pub cures: CureWords,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::All,
            convention: Convention::default(),
            platform: Platform::default(),
            authorised: AUTHORISED.to_vec(),
            admin: ADMIN.to_vec(),
            wide: 100,
            cures: CureWords::Commands,
        }
    }
}

/// The selection of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// The strategy of the article: groups for tiers, groups as names of instances, no addresses.
    Article,
    /// Advice of Amazon and of scanners of accounts.
    Aws,
    /// Every check.
    All,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Article, Self::Aws, Self::All];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Aws => "aws",
            Self::All => "all",
        }
    }

    /// The checks that it has.
    pub fn about(self) -> &'static str {
        match self {
            Self::Article => "Groups for tiers, groups as names of instances, no addresses",
            Self::Aws => "Advice of Amazon and of scanners of accounts",
            Self::All => "Every check",
        }
    }
}
