//! Every single change of a compiled network that a mistake could make: rules, elements, entries and chains.

use std::sync::Arc;

use sglab::lab::Alteration;
use sglab::network::nft::Ruleset;
use sglab::network::{Network, NodeKind, NodeName};

use super::rewriting::{addresses, rewritten};

/// One change of one ruleset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mutation {
    pub node: NodeName,
    pub kind: NodeKind,
    pub of: Of,
    /// The name of the change.
    pub change: String,
}

/// What is changed, as it stood, and what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    Rule { chain: String, id: String, text: String, new: Option<String> },
    Element { set: String, element: String, new: Option<String> },
    Entry { map: String, key: String, value: String, new: Option<String> },
    Chain(String),
}

impl Mutation {
    /// The change in one line, the same for the same change of any network.
    pub fn label(&self) -> String {
        let kind = format!("{:?}", self.kind).to_lowercase();
        let of = match &self.of {
            Of::Rule { chain, id, .. } => format!("rule {chain} {id}"),
            Of::Element { set, element, .. } => format!("element {set} {element}"),
            Of::Entry { map, key, .. } if is_of_the_lab(key) => format!("entry {map} {key} of the lab"),
            Of::Entry { map, key, .. } => format!("entry {map} {key}"),
            Of::Chain(chain) => format!("chain {chain}"),
        };
        format!("{kind} {} {of}: {}", self.node, self.change)
    }

    /// Whether it is of what the compiler writes alike for every cloud, so that one cloud that notices is enough.
    /// Addresses of a cloud in the text make it another change.
    pub fn common(&self) -> Option<String> {
        let of_the_cloud =
            ["ingress/", "egress/", "ingress-live/", "egress-live/", "to/", "from/", "to-live/", "from-live/"];
        let of = match &self.of {
            Of::Rule { chain, .. } | Of::Chain(chain) => {
                let is_common =
                    chain == "to/canary" || chain == "from/any" || !of_the_cloud.iter().any(|of| chain.starts_with(of));
                let id = if let Of::Rule { id, .. } = &self.of { id.as_str() } else { "whole chain" };
                is_common.then(|| format!("{chain} {id}"))
            }
            Of::Element { set, element, .. } => {
                (set.starts_with("services") || is_of_the_lab(element)).then(|| format!("{set} {element}"))
            }
            Of::Entry { map, key, .. } => is_of_the_lab(key).then(|| format!("{map} {key}")),
        };
        let kind = format!("{:?}", self.kind).to_lowercase();
        of.map(|of| format!("{kind} {of}: {}", self.change))
    }

    /// Whether it is of what judges packets of flows that are known.
    pub fn is_of_flows_under_way(&self) -> bool {
        match &self.of {
            Of::Rule { chain, text, .. } => chain.contains("-live/") || text.contains("ct state established"),
            Of::Chain(chain) => chain.contains("-live/"),
            Of::Entry { map, .. } => map.contains("-live-of"),
            Of::Element { .. } => false,
        }
    }

    /// The network with this change, where what it changes stands in it.
    pub fn of(&self, mut network: Network) -> Network {
        if let Some(ruleset) = network.nodes.get_mut(&self.node).and_then(|node| node.ruleset.as_mut()) {
            self.change(ruleset);
        }
        network
    }

    /// The network with this change, or as it is.
    pub fn or_none(this: Option<&Self>, network: Network) -> Network {
        match this {
            Some(mutation) => mutation.of(network),
            None => network,
        }
    }

    /// Whether a network has what it changes.
    pub fn applies(&self, network: &Network) -> bool {
        let Some(ruleset) = network.nodes.get(&self.node).and_then(|node| node.ruleset.as_ref()) else { return false };
        let mut changed = ruleset.clone();
        self.change(&mut changed);
        changed != *ruleset
    }

    pub fn alteration(self: &Arc<Self>) -> Alteration {
        let this = Arc::clone(self);
        Alteration::new(move |network| this.of(network))
    }

    fn change(&self, ruleset: &mut Ruleset) {
        match &self.of {
            Of::Rule { chain, id, text, new } => {
                let Some(chain) = ruleset.chains.get_mut(chain) else { return };
                let Some(at) = chain.rules.iter().position(|rule| rule.id == *id && rule.text == *text) else { return };
                match new {
                    Some(new) => chain.rules[at].text.clone_from(new),
                    None => drop(chain.rules.remove(at)),
                }
            }
            Of::Element { set, element, new } => {
                let Some(set) = ruleset.sets.get_mut(set) else { return };
                if set.elements.shift_remove(element) {
                    set.elements.extend(new.clone());
                }
            }
            Of::Entry { map, key, value, new } => {
                let Some(map) = ruleset.maps.get_mut(map) else { return };
                if map.elements.get(key) == Some(value) {
                    match new {
                        Some(new) => drop(map.elements.insert(key.clone(), new.clone())),
                        None => drop(map.elements.shift_remove(key)),
                    }
                }
            }
            Of::Chain(chain) => {
                if let Some(chain) = ruleset.chains.get_mut(chain) {
                    chain.rules.clear();
                }
            }
        }
    }
}

/// Whether an element or entry is of an interface that every lab has: the gateway's, or that of the canaries.
fn is_of_the_lab(key: &str) -> bool {
    key.starts_with("\"gw") || key.starts_with("\"canary\"")
}

/// Every mutation of a network.
pub fn all(network: &Network) -> Vec<Mutation> {
    let mut all = Vec::new();
    for (name, node) in &network.nodes {
        let Some(ruleset) = &node.ruleset else { continue };
        let mut add = |of: Of, change: String| {
            all.push(Mutation { node: name.clone(), kind: node.kind, of, change });
        };
        for (chain_name, chain) in &ruleset.chains {
            for rule in &chain.rules {
                let of =
                    |new| Of::Rule { chain: chain_name.clone(), id: rule.id.clone(), text: rule.text.clone(), new };
                add(of(None), "delete".to_owned());
                for (change, new) in rewritten(&rule.text) {
                    add(of(Some(new)), change);
                }
            }
            // Without its one rule a chain is empty.
            if chain.rules.len() > 1 {
                add(Of::Chain(chain_name.clone()), "empty".to_owned());
            }
        }
        for (set_name, set) in &ruleset.sets {
            for element in &set.elements {
                let of = |new| Of::Element { set: set_name.clone(), element: element.clone(), new };
                add(of(None), "delete".to_owned());
                for other in other_elements(element).into_iter().filter(|other| !set.elements.contains(other)) {
                    let change = format!("is {other}");
                    add(of(Some(other)), change);
                }
            }
        }
        for (map_name, map) in &ruleset.maps {
            for (key, value) in &map.elements {
                let of = |new| Of::Entry { map: map_name.clone(), key: key.clone(), value: value.clone(), new };
                add(of(None), "delete".to_owned());
                let other = match value.as_str() {
                    "accept" => "drop".to_owned(),
                    jump if jump.starts_with("jump ") => "accept".to_owned(),
                    address => {
                        let another = map.elements.values().find(|other| *other != address);
                        another.cloned().unwrap_or_else(|| addresses(address).concat())
                    }
                };
                add(of(Some(other.clone())), format!("is {other}"));
            }
        }
    }
    all
}

/// Its last part with a value nearby.
fn other_elements(element: &str) -> Vec<String> {
    let (head, last) = element.rsplit_once(" . ").map_or(("", element), |(head, last)| (head, last));
    let others = match last.parse::<u16>() {
        Ok(port) => vec![port.wrapping_add(1).to_string()],
        Err(_) => addresses(last),
    };
    others.into_iter().map(|other| if head.is_empty() { other } else { format!("{head} . {other}") }).collect()
}
