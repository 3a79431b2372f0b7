//! Which flows a mutation may change anything for, and whose rules decide that.

use std::collections::{BTreeSet, HashMap};

use sglab::compile::names;
use sglab::model::{
    Cloud, Endpoint, Flow, GroupName, Interface, InterfaceHolder, InterfaceId, Peer, Rule, SecurityGroup, Service, Via,
};

use super::mutation::{Mutation, Of};

/// Whether a mutation may change what becomes of a flow.
pub fn concerns(mutation: &Mutation, cloud: &Cloud, flow: &Flow) -> bool {
    let (from, to) = (flow.from.holder(), flow.to.holder());
    let (from, to) = (from.as_ref(), to.as_ref());
    let interfaces = |holder| interfaces_of(cloud, holder);
    let in_group =
        |holder, group: &str| interfaces(holder).flat_map(|it| &it.groups).any(|name| name.as_str() == group);
    let is = |name: Option<&InterfaceHolder>, interface: &str| {
        name.is_some_and(|name| interface.rsplit_once('.').map_or(interface, |(name, _)| name) == name.as_str())
    };
    match &mutation.of {
        Of::Rule { chain, .. } | Of::Chain(chain) => match chain.split_once('/') {
            Some(("ingress" | "ingress-live", group)) => in_group(to, group),
            Some(("egress" | "egress-live", group)) => in_group(from, group),
            Some(("to" | "to-live", interface)) => is(to, interface),
            Some(("from" | "from-live", interface)) if interface != "any" => is(from, interface),
            _ => true,
        },
        Of::Entry { key, .. } => {
            let key = key.trim_matches('"');
            let mut of_this = cloud.network_interfaces().filter(|it| names::port(&it.id, it.number) == key);
            let is_an_end =
                |id: &InterfaceId| [&flow.from, &flow.to].iter().any(|end| end.interface().as_ref() == Some(id));
            of_this.next().is_none_or(|it| is_an_end(&it.id))
        }
        Of::Element { element, new, .. } => {
            let spoken_of = |interface: &Interface| {
                let own = interface.private.map(|private| private.0.to_string());
                let texts = [Some(element), new.as_ref()].into_iter().flatten();
                own.is_some_and(|own| texts.into_iter().any(|text| text.ends_with(&own)))
            };
            let known = cloud.network_interfaces().any(spoken_of);
            !known || interfaces(from).any(spoken_of) || interfaces(to).any(spoken_of)
        }
    }
}

/// Whose rules decide what a mutation may change: of one direction, those of some groups; or all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Judged(Option<(String, BTreeSet<GroupName>)>);

impl Judged {
    /// No rule at all.
    pub fn nobody() -> Self {
        Self(Some((String::new(), BTreeSet::new())))
    }

    /// All groups of the interfaces whose way in, or out, a mutation is about.
    pub fn by(mutation: &Mutation, cloud: &Cloud) -> Self {
        let of = |direction: &str, is: &dyn Fn(&Interface) -> bool| {
            let worn = cloud.network_interfaces().filter(|it| is(it)).flat_map(|it| it.groups.iter().cloned());
            Self(Some((direction.to_owned(), worn.collect())))
        };
        match &mutation.of {
            Of::Rule { chain, .. } | Of::Chain(chain) => match chain.split_once('/') {
                Some((kind @ ("ingress" | "ingress-live" | "egress" | "egress-live"), group)) => {
                    of(kind.trim_end_matches("-live"), &|it| it.groups.iter().any(|name| name.as_str() == group))
                }
                Some(("to" | "to-live", id)) => of("ingress", &|it| it.id.to_string() == id),
                Some(("from" | "from-live", id)) => of("egress", &|it| it.id.to_string() == id),
                _ => Self(None),
            },
            Of::Entry { map, key, .. } => {
                let is = |it: &Interface| names::port(&it.id, it.number) == key.trim_matches('"');
                match map.trim_end_matches("-of").trim_end_matches("-live") {
                    direction @ ("ingress" | "egress") if cloud.network_interfaces().any(is) => of(direction, &is),
                    _ => Self(None),
                }
            }
            Of::Element { .. } => Self(None),
        }
    }

    /// The same, one by one, for new flows. An element of a group's members is judged by the rules that name the group.
    pub fn each_by(mutation: &Mutation, cloud: &Cloud) -> Vec<Self> {
        let one = Self::by(mutation, cloud);
        let Of::Element { set, .. } = &mutation.of else { return Vec::from_iter(one.0.is_some().then_some(one)) };
        let Some((_, named)) = set.split_once('/') else { return Vec::new() };
        let names =
            |rules: &[Rule]| rules.iter().any(|rule| matches!(&rule.peer, Peer::Group(peer) if peer.as_str() == named));
        let worn_with = |group: &GroupName| {
            let wearing = cloud.network_interfaces().filter(|it| it.groups.contains(group));
            wearing.flat_map(|it| it.groups.iter().cloned()).collect()
        };
        let of = |direction: &str, rules: &dyn Fn(&SecurityGroup) -> bool| {
            let groups = cloud.groups.iter().filter(|(_, group)| rules(group));
            groups.map(|(name, _)| Self(Some((direction.to_owned(), worn_with(name))))).collect::<Vec<_>>()
        };
        let mut each = of("ingress", &|group| names(&group.ingress));
        each.extend(of("egress", &|group| names(&group.egress)));
        each
    }

    /// Whether the rules of a group in a direction, `ingress` or `egress`, decide.
    pub fn includes(&self, direction: &str, group: &str) -> bool {
        self.0.as_ref().is_none_or(|(of, groups)| of == direction && groups.iter().any(|name| name.as_str() == group))
    }
}

/// The interfaces of an end; none of a host.
fn interfaces_of<'a>(cloud: &'a Cloud, holder: Option<&'a InterfaceHolder>) -> impl Iterator<Item = &'a Interface> {
    holder.into_iter().flat_map(|holder| cloud.interfaces_of(holder))
}

/// How near a service is to what a mutation changes: 0 if one of the texts before and after speaks of its port and the
/// other does not, 1 if both do, else 2. Where a condition is gone there is nothing near.
pub fn nearness(mutation: &Mutation, service: Service) -> u8 {
    let (Service::Tcp(port) | Service::Udp(port)) = service else { return 2 };
    if mutation.change.starts_with("drop ") {
        return 2;
    }
    let (before, after) = match &mutation.of {
        Of::Rule { text, new, .. } => (text, new.as_deref().unwrap_or_default()),
        Of::Element { element, new, .. } => (element, new.as_deref().unwrap_or_default()),
        Of::Entry { .. } | Of::Chain(_) => return 2,
    };
    let port = port.0.to_string();
    let speaks = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|number| number == port);
    match (speaks(before), speaks(after)) {
        (true, true) => 1,
        (false, false) => 2,
        _ => 0,
    }
}

/// The nearest first, of these the first from each sender by each of the receivers' addresses, then the second of each, and so
/// on: where only some are taken, every sender is among them.
pub fn in_turn<'a, T>(mutation: &Mutation, things: Vec<T>, flow: impl Fn(&T) -> &'a Flow) -> Vec<T> {
    let mut of_sender: HashMap<(u8, Endpoint, Via), usize> = HashMap::new();
    let mut numbered: Vec<((u8, usize), T)> = Vec::new();
    for thing in things {
        let Flow { from, via, service, .. } = flow(&thing);
        let near = nearness(mutation, *service);
        let number = of_sender.entry((near, from.clone(), *via)).or_default();
        numbered.push(((near, *number), thing));
        *number += 1;
    }
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, thing)| thing).collect()
}
