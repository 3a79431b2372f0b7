//! Which flows a mutation may change anything for.

use sglab::model::{Cloud, Endpoint, Flow, InstanceName, Service};

use super::mutation::{Mutation, Of};

/// Whether a mutation may change what becomes of a flow.
pub fn concerns(mutation: &Mutation, cloud: &Cloud, flow: &Flow) -> bool {
    let (from, to) = (flow.from.instance(), flow.to.instance());
    let in_group = |name: Option<&InstanceName>, group: &str| {
        let instance = name.and_then(|name| cloud.instances.get(name));
        let mut groups = instance.into_iter().flat_map(|it| &it.interfaces).flat_map(|it| &it.groups);
        groups.any(|name| name.as_str() == group)
    };
    let is = |name: Option<&InstanceName>, interface: &str| {
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
            let known = cloud.instances.keys().any(|name| is(Some(name), key));
            !known || is(from, key) || is(to, key)
        }
        Of::Element { element, new, .. } => {
            let has = |end: &Endpoint, text: &str| {
                let instance = end.instance().and_then(|name| cloud.instances.get(name));
                let mut addresses = instance.into_iter().flat_map(|it| &it.interfaces).filter_map(|it| it.private);
                addresses.any(|address| text.ends_with(&address.0.to_string()))
            };
            let texts: Vec<&String> = [Some(element), new.as_ref()].into_iter().flatten().collect();
            let known =
                cloud.instances.keys().cloned().map(Endpoint::Instance).any(|end| texts.iter().any(|t| has(&end, t)));
            !known || texts.iter().any(|text| has(&flow.from, text) || has(&flow.to, text))
        }
    }
}

/// Whether the text that a mutation changes speaks of the port of a service, before or after.
pub fn mentions(mutation: &Mutation, service: Service) -> bool {
    let (Service::Tcp(port) | Service::Udp(port)) = service else { return false };
    let texts = match &mutation.of {
        Of::Rule { text, new, .. } => [Some(text), new.as_ref()],
        Of::Element { element, new, .. } => [Some(element), new.as_ref()],
        Of::Entry { .. } | Of::Chain(_) => [None, None],
    };
    let port = port.0.to_string();
    texts.into_iter().flatten().any(|text| text.split(|c: char| !c.is_ascii_digit()).any(|number| number == port))
}
