//! Eras: presets of the named knobs that tell the article's world, EC2-Classic and today's VPC apart.

use std::fmt;

/// Era of EC2 that is emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// As the article of January 2013 states it.
    Article,
    /// EC2-Classic, as Amazon documented it in 2013.
    Classic,
    /// Today's VPC.
    Vpc,
}

impl Era {
    /// All eras, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Article, Self::Classic, Self::Vpc];

    /// The word in a topology file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Classic => "classic",
            Self::Vpc => "vpc",
        }
    }

    /// The preset of the era's knobs. Sources: the article for `article`; "EC2-Classic" and "Amazon EC2
    /// instance IP addressing" (EC2 user guide) for the others; `docs/semantics.md` has them all.
    pub fn knobs(self) -> Knobs {
        match self {
            Self::Article => Knobs {
                change_groups: ChangeGroups::WhileStopped,
                self_reference: SelfReference::MatchesNobody,
                private_address_on_start: OnStart::New,
                address_on_crash: OnCrash::Released,
                elastic_ip_on_stop: ElasticIpOnStop::Stays,
                quotas: Quotas::Enforced,
                group_reference_ipv6: GroupReferenceIpv6::MatchesMembers,
                icmp_errors: IcmpErrors::OfTrackedFlows,
            },
            Self::Classic => Knobs {
                change_groups: ChangeGroups::Never,
                self_reference: SelfReference::MatchesMembers,
                private_address_on_start: OnStart::New,
                address_on_crash: OnCrash::Kept,
                elastic_ip_on_stop: ElasticIpOnStop::Dissociated,
                quotas: Quotas::Enforced,
                group_reference_ipv6: GroupReferenceIpv6::MatchesMembers,
                icmp_errors: IcmpErrors::OfTrackedFlows,
            },
            Self::Vpc => Knobs {
                change_groups: ChangeGroups::AnyTime,
                self_reference: SelfReference::MatchesMembers,
                private_address_on_start: OnStart::Kept,
                address_on_crash: OnCrash::Kept,
                elastic_ip_on_stop: ElasticIpOnStop::Stays,
                quotas: Quotas::Enforced,
                group_reference_ipv6: GroupReferenceIpv6::MatchesMembers,
                icmp_errors: IcmpErrors::OfTrackedFlows,
            },
        }
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Times at which the groups of an instance may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeGroups {
    /// Only while it is stopped (the article, gotcha 4).
    WhileStopped,
    /// Never after launch (EC2-Classic).
    Never,
    /// Any time, running or stopped (VPC).
    AnyTime,
}

/// Meaning of a rule whose source is its own group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelfReference {
    /// Accepted without an error, and matches nobody (the article, gotcha 6).
    MatchesNobody,
    /// Matches the members, as Amazon documents.
    MatchesMembers,
}

/// The private address after a stop and a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnStart {
    /// A new one.
    New,
    /// The same one: it belongs to the interface.
    Kept,
}

/// The addresses of an instance whose operating system died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnCrash {
    /// Released, as the article says.
    Released,
    /// Kept; they answer nothing.
    Kept,
}

/// Fate of an Elastic IP when its instance stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElasticIpOnStop {
    /// It stays with the instance.
    Stays,
    /// It is dissociated, and has to be associated again after the start.
    Dissociated,
}

/// Enforcement of EC2's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quotas {
    /// An operation beyond them is refused.
    Enforced,
    /// No limits.
    Ignored,
}

/// IPv6 addresses of the members of a group that is a peer: matched or not.
///
/// "Security group referencing" (Amazon VPC user guide) speaks of "private IP addresses" and leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupReferenceIpv6 {
    /// Matched, as is commonly held.
    MatchesMembers,
    /// Not matched: the group means private addresses, to the letter.
    MatchesNobody,
}

/// ICMP errors that come, without a rule that admits them, to the sender of the packet that they are about.
///
/// "Network MTU" (EC2 user guide) reads as if groups let every answer in. Field reports say that "fragmentation needed" about an
/// untracked flow is dropped unless a rule admits it (kubernetes #24254, kube-aws #214, kops #6297).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IcmpErrors {
    /// Those about flows that the end tracks; others need a rule.
    OfTrackedFlows,
    /// Those about every flow that the end has admitted.
    OfEveryFlow,
}

/// The values of a knob, each with its word in a topology file.
macro_rules! words {
    ($($knob:ident: $($value:ident $word:literal),+;)+) => {$(
        impl $knob {
            /// Every value with its word in a topology file.
            pub const WORDS: &[(&str, Self)] = &[$(($word, Self::$value)),+];

            /// The word for it in a topology file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word),+
                }
            }
        }
    )+};
}

words! {
    ChangeGroups: WhileStopped "while-stopped", Never "never", AnyTime "any-time";
    SelfReference: MatchesNobody "matches-nobody", MatchesMembers "matches-members";
    OnStart: New "new", Kept "kept";
    OnCrash: Released "released", Kept "kept";
    ElasticIpOnStop: Stays "stays", Dissociated "dissociated";
    Quotas: Enforced "enforced", Ignored "ignored";
    GroupReferenceIpv6: MatchesMembers "matches-members", MatchesNobody "matches-nobody";
    IcmpErrors: OfTrackedFlows "of-tracked-flows", OfEveryFlow "of-every-flow";
}

/// The differences between the eras, each overridable by itself in a topology file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Knobs {
    /// `change-groups`: `while-stopped`, `never` or `any-time`.
    pub change_groups: ChangeGroups,
    /// `self-reference`: `matches-nobody` or `matches-members`.
    pub self_reference: SelfReference,
    /// `private-address-on-start`: `new` or `kept`.
    pub private_address_on_start: OnStart,
    /// `address-on-crash`: `released` or `kept`.
    pub address_on_crash: OnCrash,
    /// `elastic-ip-on-stop`: `stays` or `dissociated`.
    pub elastic_ip_on_stop: ElasticIpOnStop,
    /// `quotas`: `enforced` or `ignored`. The same in every era; a file may switch it off.
    pub quotas: Quotas,
    /// `group-reference-ipv6`: `matches-members` or `matches-nobody`. No difference of the eras either, but of what is
    /// taken to be true of the one that has IPv6.
    pub group_reference_ipv6: GroupReferenceIpv6,
    /// `icmp-errors`: `of-tracked-flows` or `of-every-flow`. No difference of the eras: the documents and the field disagree.
    pub icmp_errors: IcmpErrors,
}

/// Seconds after which an idle flow is forgotten, and how much faster than in EC2 the clock of that goes.
///
/// Source: "Security group connection tracking" (EC2 user guide), "Idle connection tracking timeout".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct TrackingTimeouts {
    /// An established TCP connection, 60 s to 5 days.
    pub tcp_established: u32,
    /// UDP in one direction, or a single question and answer, 30 to 60 s.
    pub udp: u32,
    /// UDP with more than one question and answer, 60 to 180 s.
    pub udp_stream: u32,
    /// ICMP. Amazon does not say; the choice is sglab's.
    pub icmp: u32,
    /// Every other protocol.
    pub other: u32,
    /// All of these are divided by it, and are at least a second then.
    pub clock_factor: u32,
}

impl Default for TrackingTimeouts {
    fn default() -> Self {
        Self { tcp_established: 432_000, udp: 30, udp_stream: 180, icmp: 30, other: 600, clock_factor: 1 }
    }
}
