//! Ids that values tell: as texts, or as resources of the template.

use indexmap::IndexSet;

use super::super::fault::Mistake;
use super::super::placed::{Groups, Subnets};
use super::super::tree::Node;
use super::resource::Resource;
use super::template::Template;
use super::value::{Found, Reference, Told, Value};
use crate::account::{Known, ResourceId};

/// The kind of resource that a property names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Vpc,
    Subnet,
    Group,
    Instance,
    Interface,
    PrefixList,
}

impl Wanted {
    fn kind(self) -> &'static str {
        match self {
            Self::Vpc => "AWS::EC2::VPC",
            Self::Subnet => "AWS::EC2::Subnet",
            Self::Group => "AWS::EC2::SecurityGroup",
            Self::Instance => "AWS::EC2::Instance",
            Self::Interface => "AWS::EC2::NetworkInterface",
            Self::PrefixList => "AWS::EC2::PrefixList",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Vpc => "VPC",
            Self::Subnet => "subnet",
            Self::Group => "security group",
            Self::Instance => "instance",
            Self::Interface => "network interface",
            Self::PrefixList => "prefix list",
        }
    }

    /// Attributes that are its id. `Ref` of a group without a VPC is its name, which means the same.
    fn has(self, attribute: &str) -> bool {
        let own: &[&str] = match self {
            Self::Vpc => &["VpcId"],
            Self::Subnet => &["SubnetId"],
            Self::Group => &["GroupId", "Id", "GroupName"],
            Self::Instance => &["InstanceId"],
            Self::Interface => &["Id"],
            Self::PrefixList => &["PrefixListId", "Id"],
        };
        own.contains(&attribute)
    }
}

impl<'t> Template<'t> {
    /// The id that a value tells.
    pub fn one(&self, found: &Found<'t>, wanted: Wanted) -> Told<ResourceId> {
        match &found.value {
            Value::Refers(reference) => self.referred(found, reference, wanted),
            _ => match self.text(found) {
                Told::Is(text) if text.is_empty() => Told::Absent,
                Told::Is(text) => {
                    if self.resources.get(text.as_ref()).is_some_and(|resource| resource.kind == wanted.kind()) {
                        let message = format!("`{text}` stands here as a text, not as a reference");
                        let mistake = Mistake::new(found.node.span(), message);
                        self.mistake(mistake.help(format!("write `!Ref {text}`")));
                    }
                    Told::Is(ResourceId::new(&text))
                }
                Told::Absent => Told::Absent,
                Told::Unknown(why) => Told::Unknown(why),
            },
        }
    }

    /// The id of a property.
    pub fn one_of(&self, object: Node<'t>, key: &str, wanted: Wanted) -> Told<ResourceId> {
        self.one(&self.property(object, key), wanted)
    }

    fn referred(&self, found: &Found<'t>, reference: &Reference<'t>, wanted: Wanted) -> Told<ResourceId> {
        let Some(resource) = self.resources.get(reference.resource) else { return Told::Unknown(reference.why()) };
        let attribute = reference.attribute.as_deref();
        if resource.kind == wanted.kind() && attribute.is_none_or(|attribute| wanted.has(attribute)) {
            return Told::Is(self.id(resource.name));
        }
        match (wanted, resource.kind, attribute) {
            (Wanted::Group, "AWS::EC2::VPC", Some("DefaultSecurityGroup")) => {
                return Told::Is(self.default_group(resource.name));
            }
            (Wanted::Group, "AWS::EKS::Cluster", Some("ClusterSecurityGroupId")) => {
                return Told::Is(self.cluster_group(resource.name));
            }
            // A Classic load balancer tells the group that its targets admit: the first of its own.
            (Wanted::Group, "AWS::ElasticLoadBalancing::LoadBalancer", Some("SourceSecurityGroup.GroupName")) => {
                if let Some(first) = self.property(resource.properties, "SecurityGroups").elements().first() {
                    return self.one(first, wanted);
                }
            }
            _ => {}
        }
        // Whatever is of EC2 is known by its type; what another service or a nested stack tells may be anything.
        if resource.kind.starts_with("AWS::EC2::") && attribute.is_none() {
            let message = format!("`{}` is {}, no {}", resource.name, resource.kind, wanted.words());
            self.mistake(Mistake::new(found.node.start(), message));
        }
        Told::Unknown(reference.why())
    }

    /// The group that EKS makes for a cluster.
    pub fn cluster_group(&self, cluster: &str) -> ResourceId {
        self.id(&format!("{cluster}.ClusterSecurityGroupId"))
    }

    /// The ids of a list; nothing where it is absent or empty.
    pub fn several_of(&self, object: Node<'t>, key: &str, wanted: Wanted) -> Option<Groups> {
        let elements = match self.elements_of(object, key) {
            Ok(elements) => elements,
            Err(why) => return Some(Known::Unknown(why)),
        };
        let mut ids = IndexSet::new();
        for element in &elements {
            match self.one(element, wanted) {
                Told::Is(id) => {
                    ids.insert(id);
                }
                Told::Absent => {}
                Told::Unknown(why) => return Some(Known::Unknown(why)),
            }
        }
        (!ids.is_empty()).then_some(Known::Is(ids))
    }

    /// The subnets of a property: those that are known, and the reason why others are not.
    pub fn subnets_of(&self, object: Node<'t>, key: &str) -> Subnets {
        let elements = match self.elements_of(object, key) {
            Ok(elements) => elements,
            Err(why) => return Subnets { known: Vec::new(), unknown: Some(why) },
        };
        let mut subnets = Subnets::default();
        for element in &elements {
            match self.one(element, Wanted::Subnet) {
                Told::Is(id) => subnets.known.push(id),
                Told::Absent => {}
                Told::Unknown(why) => subnets.unknown = Some(why),
            }
        }
        subnets
    }

    /// The resource that a property refers to, where it is of some types.
    pub fn resource_of(&self, object: Node<'t>, key: &str, kinds: &[&str]) -> Option<&Resource<'t>> {
        let Value::Refers(reference) = self.property(object, key).value else { return None };
        self.resources.get(reference.resource).filter(|resource| kinds.contains(&resource.kind))
    }

    /// Security groups by name: ids, references, or names of groups of this template.
    pub fn group_by_name(&self, found: &Found<'t>) -> Told<ResourceId> {
        if let Value::Refers(_) = found.value {
            return self.one(found, Wanted::Group);
        }
        let name = match self.text(found) {
            Told::Is(name) if name.is_empty() => return Told::Absent,
            Told::Is(name) if name.starts_with("sg-") => return Told::Is(ResourceId::new(&name)),
            Told::Is(name) => name,
            Told::Absent => return Told::Absent,
            Told::Unknown(why) => return Told::Unknown(why),
        };
        let groups = self.of_kinds(&["AWS::EC2::SecurityGroup"]);
        let mut named =
            groups.filter(|group| self.known_text(group.properties, "GroupName").is_some_and(|own| own == name));
        match (named.next(), named.next()) {
            (Some(one), None) => Told::Is(self.id(one.name)),
            (None, _) => Told::Unknown(format!("no group of this template has the name `{name}`")),
            (Some(_), Some(_)) => Told::Unknown(format!("several groups have the name `{name}`")),
        }
    }
}
