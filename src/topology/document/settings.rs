//! `knobs:` and `tracking:`.

use sglab_macros::Shape;

use super::shape::Field;
use super::values::{Choice, Whole};
use crate::model::{
    ChangeGroups, ElasticIpOnStop, GroupReferenceIpv6, IcmpErrors, OnCrash, OnStart, Quotas, SelfReference,
};

/// Single differences between the eras.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a mapping of knobs")]
pub struct Knobs {
    /// When the groups of an instance may change.
    pub change_groups: Field<Choice<ChangeGroups>>,
    /// What a rule means whose source is its own group.
    pub self_reference: Field<Choice<SelfReference>>,
    /// The private address after a stop and a start.
    pub private_address_on_start: Field<Choice<OnStart>>,
    /// The addresses of an instance whose operating system died.
    pub address_on_crash: Field<Choice<OnCrash>>,
    /// What becomes of an Elastic IP when its instance stops.
    pub elastic_ip_on_stop: Field<Choice<ElasticIpOnStop>>,
    /// Whether EC2's limits hold.
    pub quotas: Field<Choice<Quotas>>,
    /// Whether a group as a peer means the IPv6 addresses of its members too.
    pub group_reference_ipv6: Field<Choice<GroupReferenceIpv6>>,
    /// Which ICMP errors come without a rule that admits them.
    pub icmp_errors: Field<Choice<IcmpErrors>>,
    /// As a program says them.
    pub more: Vec<(String, String)>,
}

/// Idle timeouts in seconds, with the range that EC2 takes; where it takes none, up to a day.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a mapping of timeouts")]
pub struct Tracking {
    /// An established TCP connection.
    #[shape("an idle timeout in seconds")]
    pub tcp_established: Field<Whole<60, 432_000>>,
    /// UDP in one direction, or a single question and answer.
    #[shape("an idle timeout in seconds")]
    pub udp: Field<Whole<30, 60>>,
    /// UDP with more than one question and answer.
    #[shape("an idle timeout in seconds")]
    pub udp_stream: Field<Whole<60, 180>>,
    /// ICMP.
    #[shape("an idle timeout in seconds")]
    pub icmp: Field<Whole<1, 86_400>>,
    /// Every other protocol.
    #[shape("an idle timeout in seconds")]
    pub other: Field<Whole<1, 86_400>>,
    /// All of these are divided by it, so that a test need not wait so long.
    #[shape("a factor of the clock")]
    pub clock_factor: Field<Whole<1, 1_000_000>>,
}
