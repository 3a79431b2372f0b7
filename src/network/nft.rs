//! nftables' own words as data: tables, sets, maps, chains and rules, and their text.
//!
//! Text and not JSON goes into nft: its errors carry line and column, and a person can read what `sglab render`
//! prints. `docs/architecture.md` says what the `nftables` crate is used for, and why not for this.

use std::fmt;

use indexmap::{IndexMap, IndexSet};
use ipnet::IpNet;

/// The one table `inet sglab` of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Named sets.
    pub sets: IndexMap<String, Set>,
    /// Named maps, verdict maps among them.
    pub maps: IndexMap<String, Map>,
    /// Chains. No rule names a chain that is not here.
    pub chains: IndexMap<String, Chain>,
}

/// A named set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The type of its elements.
    pub key: SetKey,
    /// Its elements as nft writes them.
    pub elements: IndexSet<String>,
}

impl Set {
    /// Tells a set that packets fill from one that is compiled.
    pub fn is_filled_by_packets(&self) -> bool {
        matches!(self.key, SetKey::FilledByPackets { .. })
    }
}

/// The type of a set's elements, and how they get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetKey {
    /// Single values of a type: `ipv4_addr` or `ifname . ipv4_addr`.
    Values(String),
    /// Single values of expressions that have no type by name: `@nh,96,32`.
    ValuesOf(String),
    /// Ranges of a type.
    Intervals(String),
    /// Ranges of expressions that have no type by name.
    IntervalsOf(String),
    /// Values that packets add, and that time out. No element of it is the compiler's.
    FilledByPackets {
        /// The expressions whose values they are: `iifname . ip saddr`.
        like: String,
        /// Elements that it may have.
        size: u32,
    },
    /// Values that packets add, each with the flows that connection tracking has of it. The kernel gives such no time to live.
    CountsFlows {
        /// The expressions whose values they are.
        like: String,
        /// Elements that it may have.
        size: u32,
    },
}

impl fmt::Display for SetKey {
    /// As nft declares it, without the last semicolon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(kind) => write!(f, "type {kind}"),
            Self::ValuesOf(like) => write!(f, "typeof {like}"),
            Self::Intervals(kind) => write!(f, "type {kind}; flags interval"),
            Self::IntervalsOf(like) => write!(f, "typeof {like}; flags interval"),
            Self::FilledByPackets { like, size } => write!(f, "typeof {like}; size {size}; flags dynamic,timeout"),
            Self::CountsFlows { like, size } => write!(f, "typeof {like}; size {size}; flags dynamic"),
        }
    }
}

/// A named map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The type of the keys, `ifname`.
    pub key: String,
    /// The type of the values, `verdict` or `ipv4_addr`.
    pub value: String,
    /// Its elements, key to value.
    pub elements: IndexMap<String, String>,
}

/// A chain: a base chain if it has a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// `type filter hook forward priority 0; policy drop;`
    pub hook: Option<String>,
    /// Its rules in order.
    pub rules: Vec<NftRule>,
}

/// A rule of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftRule {
    /// Matches and statements, as nft writes them, without the comment.
    pub text: String,
    /// The id by which it is found again in the kernel: the first word of its comment. Unique in its chain.
    pub id: String,
    /// The rest of the comment, for people; may be empty.
    pub note: String,
}

/// One change of a table. A transaction is a list of these, in the order in which nft must see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `add set`.
    AddSet(String, SetKey),
    /// `add map`, key and value types.
    AddMap(String, String, String),
    /// `add chain`, with the hook of a base chain.
    AddChain(String, Option<String>),
    /// `add rule` at the end of a chain.
    AddRule(String, NftRule),
    /// `delete rule` of a chain, found by the rule's id.
    DeleteRule(String, String),
    /// `flush chain`.
    FlushChain(String),
    /// `add element` to a set.
    AddElements(String, Vec<String>),
    /// `add element` to a map.
    AddMapElements(String, Vec<(String, String)>),
    /// `delete element` of a set or map, by key.
    DeleteElements(String, Vec<String>),
    /// `delete chain`.
    DeleteChain(String),
    /// `delete set`.
    DeleteSet(String),
    /// `delete map`.
    DeleteMap(String),
    /// Takes every element that names an address of a block out of the sets that packets fill. Only the kernel knows which these are, so
    /// that it is text only once they have been listed.
    Forget(IpNet),
    /// Puts back what the last [`Change::Forget`] of an address has taken out.
    Recall(IpNet),
}
