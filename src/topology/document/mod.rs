//! What a topology file says, with the places where it says it: one type for each part, whose fields are the keys.
//!
//! Everything that knows keys comes from these types and their doc comments: the reader, which tells every problem of the
//! shape at once; the JSON Schema; what `export` and the builder write. What names mean is found out above (`resolve`).

pub mod groups;
pub mod instances;
pub mod networks;
mod not_emulated;
pub mod scenario;
pub mod settings;
pub mod shape;
pub mod values;
pub mod words;
pub mod yaml;

use sglab_macros::Shape;

use crate::model::{Era, GroupName, HostName, InstanceName, LoadBalancerName, PrefixListName, TableName, VpcName};
use groups::Group;
use groups::LoadBalancer;
use instances::Instance;
use networks::{ElasticIps, Host, PrefixList, Vpc};
use scenario::{Step, Table};
use settings::{Knobs, Tracking};
use shape::{At, Definitions, Field, List, Many, Map};
use values::{Choice, Version};
use words::Name;

/// A cloud of security groups and instances, truth tables, and a scenario of steps.
#[derive(Clone, Debug, Default, Shape)]
#[shape("a topology, such as `sglab init` writes")]
pub struct Document {
    /// The version of this format.
    #[shape(needed)]
    pub sglab: Field<Version>,
    /// Which EC2 is emulated. With a list, the file is run under each.
    #[shape(needed, "an era or a list of eras")]
    pub era: Field<Many<Choice<Era>>>,
    /// Single differences between the eras, set by hand.
    pub knobs: Field<Knobs>,
    /// After how many seconds idle flows are forgotten.
    pub tracking: Field<Tracking>,
    /// VPCs. Left out: one called `default`, 10.0.0.0/16.
    #[shape("a mapping of VPCs", some)]
    pub vpcs: Field<Map<Name<VpcName>, Vpc>>,
    /// Hosts outside the cloud, by one address or several. They reach instances by public address.
    #[shape("a mapping of hosts")]
    pub hosts: Field<Map<Name<HostName>, Host>>,
    /// Elastic IPs: names, or names with the instances or interfaces that have them (`none`: nobody).
    #[shape("a list of Elastic IPs, or a mapping from them to instances")]
    pub elastic_ips: Field<ElasticIps>,
    /// Prefix lists: address blocks under one name. Era vpc only.
    #[shape("a mapping of prefix lists")]
    pub prefix_lists: Field<Map<Name<PrefixListName>, PrefixList>>,
    /// Security groups with their ingress rules.
    #[shape("a mapping of security groups", others("security-groups", "security_groups", "sg"))]
    pub groups: Field<Map<Name<GroupName>, Group>>,
    /// Instances that run before the first step.
    #[shape("a mapping of instances")]
    pub instances: Field<Map<Name<InstanceName>, Instance>>,
    /// Load balancers, with the instances that are registered from the start.
    #[shape("a mapping of load balancers")]
    pub load_balancers: Field<Map<Name<LoadBalancerName>, LoadBalancer>>,
    /// Exhaustive truth tables: every cell that a table does not open must be dropped.
    #[shape("a mapping of tables")]
    pub tables: Field<Map<Name<TableName>, Table>>,
    /// What happens, and what must hold then.
    #[shape("a list of steps")]
    pub scenario: Field<List<Step>>,
    /// Where it stands.
    pub at: At,
}

/// The JSON Schema of a topology file.
pub fn schema() -> serde_json::Value {
    Definitions::root::<Document>("sglab topology")
}
