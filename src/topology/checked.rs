//! A topology file that was read: the cloud that it begins with, its tables and its steps.

use std::slice;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::patterns::Table;
use super::placed::Placed;
use super::steps::Step;
use super::story::Story;
use super::table_columns::Columns;
use crate::model::{
    Cloud, CreateGroup, Ec2Name, Era, InterfaceHolder, Knobs, Operation, Permission, Refusal, RuleEdit, Service,
    SourceLocation, TableName, VpcName, add_default_group, add_elb_group,
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
    /// The knobs of each era with what the file sets of them; empty where the file has no `knobs:`.
    pub own_knobs: IndexMap<Era, Knobs>,
    /// Operations that make the initial cloud out of `empty`: Elastic IPs, prefix lists, groups with their rules, launches, load balancers.
    pub initial: Vec<Placed<Operation>>,
    /// The cloud before the first operation, for one era.
    pub(crate) empty: Cloud,
    /// The VPCs whose default groups the file uses; one that no file names is not there, and no filter is made for it.
    pub default_groups: IndexSet<VpcName>,
    /// The same where only load balancers are in it, which is in era vpc alone.
    pub default_groups_of_balancers: IndexSet<VpcName>,
    /// The VPC to which EC2-Classic's load balancers belong, if the file has any or names their group.
    pub elb_group: Option<VpcName>,
    /// Truth tables by name.
    pub tables: IndexMap<TableName, Table>,
    /// Its steps; some step expects something, unless it was read by `parse_cloud`.
    pub steps: Vec<Step>,
    /// Every column of the exhaustive table: what rules, listeners and expectations of any step name, edges of
    /// ranges and their outside neighbours, one port that nothing names, and ICMP echo.
    pub columns: Columns,
    /// Ports that a `refused` expectation names: the harness does not listen there, unless their holder says that it listens.
    pub closed_ports: IndexSet<(InterfaceHolder, Service)>,
    /// Opening comment of the file, by paragraphs.
    pub story: Story,
}

impl Topology {
    /// The knobs under an era.
    pub fn knobs(&self, era: Era) -> Knobs {
        self.own_knobs.get(&era).copied().unwrap_or_else(|| era.knobs())
    }

    /// The cloud before the first operation under an era, with the file's knobs.
    pub fn empty_cloud(&self, era: Era) -> Cloud {
        let mut cloud = self.empty.clone();
        cloud.era = era;
        cloud.knobs = self.knobs(era);
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

    /// All that EC2 refuses of the cloud before the first step under an era. What is refused is left out, or stands there without the words that
    /// are refused, so that what follows is told by itself.
    pub(super) fn refused_at_first(&self, era: Era) -> Vec<RefusedAtFirst> {
        let mut cloud = self.empty_cloud(era);
        let mut all: Vec<RefusedAtFirst> = Vec::new();
        for Placed { value, place } in &self.initial {
            // A request that is admitted whole is not tried rule by rule, which would note the group for each.
            if crate::model::apply(&mut cloud, value).is_ok() {
                continue;
            }
            for (operation, place) in one_by_one(value, place) {
                let Err(refusal) = crate::model::apply(&mut cloud, &operation) else { continue };
                let plain = without_description(&operation);
                let is_for_its_words = plain.is_some_and(|(plain, _)| crate::model::apply(&mut cloud, &plain).is_ok());
                let description = without_description(&operation).map(|(_, said)| said).filter(|_| is_for_its_words);
                if let (Operation::CreateGroup(group), false) = (&operation, is_for_its_words) {
                    let other = Some(Ec2Name::new(format!("stand-in {}", all.len())));
                    let (ec2_name, description) = (other, None);
                    let group = CreateGroup { ec2_name, description, ..group.clone() };
                    drop(crate::model::apply(&mut cloud, &Operation::CreateGroup(group)));
                }
                // What names something that was refused follows from that; and a quota that is full says so of all that comes later.
                let follows = !refusal.unknown.is_empty();
                let is_quota = refusal.code.as_str().ends_with("LimitExceeded");
                let is_told =
                    |it: &RefusedAtFirst| it.refusal == refusal || is_quota && it.refusal.code == refusal.code;
                if !(follows || is_quota && all.iter().any(is_told)) {
                    all.push(RefusedAtFirst { refusal, place, description });
                }
            }
        }
        all
    }
}

/// Part of the cloud before the first step that EC2 refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RefusedAtFirst {
    pub refusal: Refusal,
    pub place: SourceLocation,
    /// The description, where nothing else is refused.
    pub description: Option<String>,
}

/// An operation rule by rule, each with its place.
fn one_by_one(operation: &Operation, place: &SourceLocation) -> Vec<(Operation, SourceLocation)> {
    let Some(edit) = operation.added_rules() else { return vec![(operation.clone(), place.clone())] };
    let one = |permission: &Permission| {
        let place = permission.place.clone().unwrap_or_else(|| place.clone());
        (Operation::from(RuleEdit { permissions: slice::from_ref(permission), ..edit }), place)
    };
    edit.permissions.iter().map(one).collect()
}

/// The same operation without the description that it gives, and that description.
fn without_description(operation: &Operation) -> Option<(Operation, String)> {
    if let Operation::CreateGroup(group) = operation {
        let said = group.description.clone()?;
        return Some((Operation::CreateGroup(CreateGroup { description: None, ..group.clone() }), said));
    }
    let edit = operation.added_rules()?;
    let [permission] = edit.permissions else { return None };
    let said = permission.description.clone()?;
    let plain = Permission { description: None, ..permission.clone() };
    Some((Operation::from(RuleEdit { permissions: &[plain], ..edit }), said))
}
