//! An account as a topology that a lab can boot. What a lab cannot hold is listed, and never made wider.

mod hosts;
mod making;
mod names;
mod places;
mod rules;

use std::collections::HashMap;

use crate::account::{Account, LeftOut};
use crate::model::Era;
use crate::topology::{Builder, Problems, Topology};
use making::Making;
use names::Names;
use places::Places;

/// A topology that was made of an account.
#[derive(Clone, Debug)]
pub struct Written {
    /// The topology in the making.
    pub builder: Builder,
    /// Items of the account that it does not hold.
    pub left_out: Vec<LeftOut>,
    /// Places of its groups, rules and instances in the sources.
    places: Places,
}

impl Written {
    /// Reads what was written, with more sections such as `scenario`. Its rules and instances keep the places of the sources.
    ///
    /// # Errors
    /// Everything that is wrong, at once; the lines shown are those of what was written.
    pub fn topology(&self, name: &str, more: &str) -> Result<Topology, Problems> {
        let text = self.builder.to_yaml() + more;
        let mut topology = Topology::parse_cloud(name, text.as_bytes())?;
        self.places.put_into(&mut topology);
        Ok(topology)
    }
}

/// Makes a topology of an account: groups with their rules, an instance for each interface's holder.
pub fn topology_of(account: &Account) -> Written {
    let mut making = Making {
        account,
        names: Names::default(),
        vpcs: HashMap::new(),
        subnets: HashMap::new(),
        groups: HashMap::new(),
        lists: HashMap::new(),
        elastic_ips: HashMap::new(),
        left_out: Vec::new(),
        places: Places::default(),
    };
    let mut builder = Topology::builder(Era::Vpc).knob("quotas", "ignored");
    builder = making.vpcs(builder);
    builder = making.prefix_lists(builder);
    builder = making.hosts(builder);
    making.name_groups();
    let instances = making.name_instances();
    builder = making.elastic_ips(builder, &instances);
    builder = making.groups(builder);
    builder = making.instances(builder, &instances);
    Written { builder, left_out: making.left_out, places: making.places }
}
