//! An account as a topology that a lab can boot. What a lab cannot hold is listed, and never made wider.

mod addresses;
mod guesses;
mod instances;
mod making;
mod names;
mod networks;
mod rules;

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::account::{Account, LeftOut};
use crate::model::{Cloud, Era, InstanceName, Operation, Refusal, SourceLocation, apply};
use crate::topology::{Builder, Problems, Topology};
use making::Making;
use names::{Names, Places};

/// A topology that was made of an account.
#[derive(Clone, Debug)]
pub struct Written {
    /// The topology in the making.
    pub builder: Builder,
    /// Items of the account that it does not hold.
    pub left_out: Vec<LeftOut>,
    /// Instances that the account has stopped. A topology launches them, and a first step stops them.
    pub stopped: Vec<InstanceName>,
    /// Number of services that are guessed.
    pub guessed: usize,
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

    /// Returns a topology of it as a file under a title, with a mark behind what is guessed.
    pub fn file(&self, title: &str, yaml: &str) -> String {
        let of_guesses = "# `# guessed`: no source tells what listens; these are the single ports that rules name.\n";
        let more = if self.guessed > 0 { of_guesses } else { "" };
        format!("# {title}\n{more}{}", guesses::marked(yaml))
    }

    /// Returns the cloud of a topology that was read of it, as it stands in the account: its stopped instances are stopped.
    ///
    /// # Errors
    /// The first refusal, with its place.
    pub fn cloud(&self, topology: &Topology) -> Result<Cloud, (Refusal, SourceLocation)> {
        let mut cloud = topology.initial_cloud(Era::Vpc)?;
        for name in &self.stopped {
            let place = cloud.instances.get(name).and_then(|instance| instance.place.clone());
            let place = place.unwrap_or_else(|| SourceLocation { file: topology.file.clone(), line: 1, column: 1 });
            apply(&mut cloud, &Operation::Stop(name.clone())).map_err(|refusal| (refusal, place))?;
        }
        Ok(cloud)
    }

    /// Returns a scenario whose first step stops the instances that are stopped in the account; nothing where none is.
    pub fn stopping(&self) -> String {
        let names: Vec<&str> = self.stopped.iter().map(InstanceName::as_str).collect();
        match names.as_slice() {
            [] => String::new(),
            names => format!("scenario:\n  - step: as in the account\n    do: [{{stop: [{}]}}]\n", names.join(", ")),
        }
    }
}

/// Makes a topology of an account: groups with their rules, an instance for each interface's holder.
pub fn topology_of(account: &Account) -> Written {
    let mut making = Making {
        account,
        names: Names::default(),
        vpcs: IndexMap::new(),
        subnets: HashMap::new(),
        ipv6: HashMap::new(),
        groups: HashMap::new(),
        lists: HashMap::new(),
        elastic_ips: HashMap::new(),
        left_out: Vec::new(),
        stopped: Vec::new(),
        guessed: 0,
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
    Written {
        builder,
        left_out: making.left_out,
        stopped: making.stopped,
        guessed: making.guessed,
        places: making.places,
    }
}
