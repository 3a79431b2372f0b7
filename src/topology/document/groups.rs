//! Security groups and their rules.

use sglab_macros::Shape;

use super::shape::{At, Field, List, Many, Or};
use super::words::{Description, Ec2Name, IcmpCode, IcmpType, Name, NumberOrWord, Peer, ShortRule};
use crate::model::VpcName;

/// A list of ingress rules, or the long form with a description.
pub type Group = Or<Rules, LongGroup>;

/// Rules in their order.
pub type Rules = List<Rule>;

/// `PROTOCOL PORT from PEER`, or the same as fields.
pub type Rule = Or<ShortRule, LongRule>;

/// A security group.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a security group")]
pub struct LongGroup {
    /// The name that EC2 has of it, of any characters that it takes; without, the same as here. Unique in its VPC, where the case of
    /// letters makes no difference.
    pub name: Field<Ec2Name>,
    /// A free text, of 255 characters at most.
    pub description: Field<Description>,
    /// Its VPC; to be said where there are several.
    pub vpc: Field<Name<VpcName>>,
    /// What is let in.
    #[shape("a list of rules", unique, others("inbound"))]
    pub ingress: Field<Rules>,
    /// What is let out, in place of everything. Era vpc only.
    #[shape("a list of rules", unique, others("outbound"))]
    pub egress: Field<Rules>,
}

/// A rule as fields.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a rule")]
pub struct LongRule {
    /// The protocol: tcp, udp, icmp, icmpv6, all, or a number.
    #[shape(needed, "a protocol")]
    pub protocol: Field<NumberOrWord>,
    /// A port, or `all`.
    pub port: Field<NumberOrWord>,
    /// A range, such as 7000-8000.
    pub ports: Field<NumberOrWord>,
    /// An ICMP type, `echo` or `all`.
    pub r#type: Field<IcmpType>,
    /// An ICMP code, or `all`; only with a type.
    #[shape("an ICMP code")]
    pub code: Field<IcmpCode>,
    /// Whom a rule for what comes in is about.
    #[shape("a peer or a list of peers")]
    pub from: Field<Many<Peer>>,
    /// The same for what goes out.
    #[shape("a peer or a list of peers")]
    pub to: Field<Many<Peer>>,
    /// A free text, of 255 characters at most.
    pub description: Field<Description>,
    /// Where it stands.
    pub at: At,
}
