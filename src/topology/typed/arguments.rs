//! Arguments that operations share, and those of the larger ones.

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{ArgAction, Args};
use serde::Deserialize;

use crate::model::{AutomaticPublic, Direction, Reassociation};
use crate::topology::grammar::TypedRule;

/// One instance or several.
#[derive(Clone, Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedInstances {
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    pub instances: Vec<String>,
}

/// Names of one kind.
#[derive(Clone, Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedNames {
    /// The names; each operation says of what
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// An instance to launch.
#[derive(Clone, Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedLaunch {
    /// The new instance
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// Its security groups; without any, `default`
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Port that it listens on, such as 'tcp 80'; may be given several times
    #[arg(long, value_name = "PORT")]
    #[serde(default)]
    pub listens: Vec<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    #[serde(default)]
    pub vpc: Option<String>,
    /// Its subnet; the first of its VPC if left out
    #[arg(long, value_name = "SUBNET")]
    #[serde(default)]
    pub subnet: Option<String>,
    /// Its private address, or `web1.previous`
    #[arg(long, value_name = "ADDRESS")]
    #[serde(default)]
    pub address: Option<String>,
    #[allow(missing_docs, reason = "clap would show it as the command's")]
    #[command(flatten)]
    #[serde(default)]
    pub public: TypedPublic,
}

/// Public address that is asked for; nothing where the subnet decides.
#[derive(Clone, Copy, Debug, Default, Args, Deserialize)]
#[serde(from = "Option<AutomaticPublic>")]
pub struct TypedPublic {
    /// With a public address, also in a subnet that gives none
    #[arg(long, conflicts_with = "no_public")]
    public: bool,
    /// Without a public address
    #[arg(long)]
    no_public: bool,
}

/// Rules of a group.
#[derive(Clone, Debug, Args, Deserialize)]
pub struct TypedRules {
    /// The security group
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// The rules, such as 'tcp 3306 from WEB'; all of them or none
    #[arg(required = true, value_name = "RULE")]
    pub rules: Vec<TypedRule>,
    /// Egress rules ('tcp 443 to anywhere') instead of ingress
    #[arg(long = "egress", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new().map(direction))]
    pub direction: Direction,
}

/// A group to create.
#[derive(Clone, Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedGroup {
    /// The new group
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Its rules for what comes in
    #[arg(value_name = "RULE")]
    #[serde(default)]
    pub rules: Vec<TypedRule>,
    /// The name that EC2 has of it, if that is to be another
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub group_name: Option<String>,
    /// A free text
    #[arg(long, value_name = "TEXT")]
    #[serde(default)]
    pub description: Option<String>,
    /// Its VPC, if there are several
    #[arg(long, value_name = "VPC")]
    #[serde(default)]
    pub vpc: Option<String>,
}

/// Instances of a load balancer.
#[derive(Clone, Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedRegistrations {
    /// The load balancer
    #[arg(value_name = "LOAD-BALANCER")]
    pub balancer: String,
    /// The instances
    #[arg(required = true, value_name = "INSTANCE")]
    pub instances: Vec<String>,
}

fn direction(egress: bool) -> Direction {
    if egress { Direction::Egress } else { Direction::Ingress }
}

pub(super) fn reassociation(refused: bool) -> Reassociation {
    if refused { Reassociation::Refused } else { allowed() }
}

pub(super) const fn allowed() -> Reassociation {
    Reassociation::Allowed
}

impl From<Option<AutomaticPublic>> for TypedPublic {
    fn from(asked: Option<AutomaticPublic>) -> Self {
        Self { public: asked == Some(AutomaticPublic::Given), no_public: asked == Some(AutomaticPublic::None) }
    }
}

impl TypedPublic {
    pub(super) fn asked(self) -> Option<AutomaticPublic> {
        let given = self.public.then_some(AutomaticPublic::Given);
        given.or(self.no_public.then_some(AutomaticPublic::None))
    }
}
