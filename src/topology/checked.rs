//! A topology file that was read: the cloud that it begins with, its tables and its steps.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::patterns::Table;
use super::placed::Placed;
use super::steps::Step;
use super::story::Story;
use super::table_columns::Columns;
use crate::model::{
    Cloud, Era, InterfaceHolder, Knobs, Operation, Refusal, Service, SourceLocation, TableName, VpcName,
    add_default_group, add_elb_group,
};

/// A checked topology file: whatever it names exists, and its initial cloud can be launched.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The file's stem, such as `two-tier`.
    pub name: String,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The eras it is to run under, at least one: `vpc` first, then those of the file in its order. `sglab test --era` chooses among all three.
    pub eras: Vec<Era>,
    /// Overrides of single knobs, applied on top of the era's preset.
    pub overrides: KnobOverrides,
    /// Hosts, VPCs, and what makes the initial cloud, as operations (groups with their rules, then launches).
    pub initial: Vec<Placed<Operation>>,
    /// The cloud before the first operation, for one era.
    pub(crate) empty: Cloud,
    /// The VPCs whose default groups the file uses; one that no file names is not there, and no filter is made for it.
    pub default_groups: IndexSet<VpcName>,
    /// The same where only load balancers wear it, which is in era vpc alone.
    pub default_groups_of_balancers: IndexSet<VpcName>,
    /// The VPC to which EC2-Classic's load balancers belong, if the file has any or names their group.
    pub elb_group: Option<VpcName>,
    /// Truth tables by name.
    pub tables: IndexMap<TableName, Table>,
    /// The scenario; at least one step, and at least one expectation in the file.
    pub steps: Vec<Step>,
    /// Every column of the exhaustive table: what rules, listeners and expectations of any step name, edges of
    /// ranges and their outside neighbours, one port that nothing names, and ICMP echo.
    pub columns: Columns,
    /// Ports that a `refused` expectation names: the harness does not listen there.
    pub closed_ports: IndexSet<(InterfaceHolder, Service)>,
    /// Opening comment of the file, by paragraphs.
    pub story: Story,
}

/// Single knobs that the file sets by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnobOverrides {
    /// See [`Knobs::change_groups`].
    pub change_groups: Option<crate::model::ChangeGroups>,
    /// See [`Knobs::self_reference`].
    pub self_reference: Option<crate::model::SelfReference>,
    /// See [`Knobs::private_address_on_start`].
    pub private_address_on_start: Option<crate::model::OnStart>,
    /// See [`Knobs::address_on_crash`].
    pub address_on_crash: Option<crate::model::OnCrash>,
    /// See [`Knobs::elastic_ip_on_stop`].
    pub elastic_ip_on_stop: Option<crate::model::ElasticIpOnStop>,
    /// See [`Knobs::quotas`].
    pub quotas: Option<crate::model::Quotas>,
    /// See [`Knobs::group_reference_ipv6`].
    pub group_reference_ipv6: Option<crate::model::GroupReferenceIpv6>,
    /// See [`Knobs::icmp_errors`].
    pub icmp_errors: Option<crate::model::IcmpErrors>,
}

impl Topology {
    /// The cloud before the first operation under an era, with the file's overrides.
    pub fn empty_cloud(&self, era: Era) -> Cloud {
        let mut cloud = self.empty.clone();
        cloud.era = era;
        cloud.knobs = self.overrides.over(era.knobs());
        let is_used = |vpc: &&VpcName| {
            self.default_groups.contains(*vpc) || era == Era::Vpc && self.default_groups_of_balancers.contains(*vpc)
        };
        for vpc in self.empty.vpcs.keys().filter(is_used) {
            add_default_group(&mut cloud, vpc);
        }
        if let Some(vpc) = self.elb_group.as_ref().filter(|_| era != Era::Vpc) {
            add_elb_group(&mut cloud, vpc);
        }
        cloud
    }
}

impl Topology {
    /// The cloud as launched, under an era; or the operation that EC2 refuses, and why.
    ///
    /// # Errors
    /// The refusal, and the place of what is refused. Only under an era that the file does not name.
    pub fn initial_cloud(&self, era: Era) -> Result<Cloud, (Refusal, SourceLocation)> {
        let mut cloud = self.empty_cloud(era);
        for Placed { value, place } in &self.initial {
            crate::model::apply(&mut cloud, value).map_err(|refusal| (refusal, place.clone()))?;
        }
        Ok(cloud)
    }
}

impl Topology {
    /// The groups that EC2 refuses to create under an era, each with its place: names are wrong by themselves, so all are told at once.
    pub(super) fn refused_groups(&self, era: Era) -> Vec<(Refusal, SourceLocation)> {
        let mut cloud = self.empty_cloud(era);
        let groups = self.initial.iter().filter(|it| matches!(it.value, Operation::CreateGroup(_)));
        let refused = groups.filter_map(|group| {
            let refusal = crate::model::apply(&mut cloud, &group.value).err()?;
            Some((refusal, group.place.clone()))
        });
        let mut refused: Vec<_> = refused.collect();
        // A quota that is full says so of each further group.
        refused.dedup_by(|(next, _), (first, _)| next == first);
        refused
    }
}

impl KnobOverrides {
    /// The preset with the overrides in place.
    pub fn over(self, preset: Knobs) -> Knobs {
        Knobs {
            change_groups: self.change_groups.unwrap_or(preset.change_groups),
            self_reference: self.self_reference.unwrap_or(preset.self_reference),
            private_address_on_start: self.private_address_on_start.unwrap_or(preset.private_address_on_start),
            address_on_crash: self.address_on_crash.unwrap_or(preset.address_on_crash),
            elastic_ip_on_stop: self.elastic_ip_on_stop.unwrap_or(preset.elastic_ip_on_stop),
            quotas: self.quotas.unwrap_or(preset.quotas),
            group_reference_ipv6: self.group_reference_ipv6.unwrap_or(preset.group_reference_ipv6),
            icmp_errors: self.icmp_errors.unwrap_or(preset.icmp_errors),
        }
    }
}
