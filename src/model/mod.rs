//! Parts of a cloud: instances, groups, rules, addresses, eras.
//!
//! Pure. Nothing here says whether a rule matches a flow or an address: that is for [`policy`](crate::policy) and
//! [`compile`](crate::compile), which must not share an answer.

mod address;
mod apply;
mod change;
mod cloud;
mod effect;
mod era;
mod flow;
mod flow_log;
mod id;
mod interface;
mod interface_id;
mod load_balancer;
mod meant;
mod mount;
mod name;
mod operation;
mod process;
pub mod protocol;
mod refusal;
mod request;
pub(crate) mod reserved_addresses;
mod rule;
#[cfg(test)]
pub(crate) mod sample;
mod secondary;
mod service_address;
mod shown;
mod unprobeable;
mod verdict;
mod via;

pub use address::{HostIp, Ipv6, Port, PrivateIp, PublicIp};
pub use apply::{Changed, MAX_NAME_LENGTH, Refused, apply, apply_all};
pub(crate) use apply::{
    ELASTIC_IPS, Limits, add_default_group, add_elb_group, automatic_ipv6, is_description, is_group_name,
};
pub use change::{AddressType, Change, RuleReference};
pub use cloud::*;
pub use cloud::{DEFAULT_GROUP, default_group, vpc_of_default_group};
pub use effect::{EntryEdit, NameEffect, Power, RuleEdit, RuleEffect};
pub use era::TrackingTimeouts;
pub use era::*;
pub use flow::{Direction, Endpoint, Flow, IcmpMessage, Peers, Service, VpcService};
pub use flow_log::{FlowLogAction, LogStatus};
pub use id::{AllocationId, InstanceId, NetworkInterfaceId, PrefixListId, SecurityGroupId, SubnetId, VpcId};
pub use interface::Mtu;
pub use interface::*;
pub use interface_id::*;
pub use load_balancer::*;
pub use meant::{closest, meant, no_such, suggest};
pub(crate) use mount::unfit_path;
pub use mount::{DATA_FOLDER, MountAccess, MountPlace, MountSource, NoPlace};
pub use name::*;
pub(crate) use name::{MAX_NAME, name_fault};
pub use operation::*;
pub use process::Process;
pub use refusal::{Refusal, RefusalCode};
pub use request::*;
pub use rule::*;
pub use secondary::SecondaryAddress;
pub use service_address::{service_address, service_addresses};
pub use shown::number;
pub use shown::shell_word;
pub use shown::shown;
pub(crate) use shown::within_quotes;
pub(crate) use shown::{is_hidden, push as push_shown, without_commands};
pub use unprobeable::{Unprobeable, Unproved};
pub use verdict::{Check, DecidedBy, Half, Hop, LetBack, Verdict};
pub use via::Via;
