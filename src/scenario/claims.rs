//! Claims that hold by the article's word only, and must be labelled wherever they show.

use crate::model::{Cloud, Peer, SelfReference};

/// The label of the article's gotcha 6.
const SELF_REFERENCE: &str = "the article's claim, a rule of this era: a group that contains itself admits nobody. \
    Amazon documents the opposite; the author may have addressed the peer by its public address, which no group \
    reference matches.";

/// The labels that a cloud needs now.
pub fn claims(cloud: &Cloud) -> Vec<String> {
    let names_itself = cloud
        .groups
        .iter()
        .filter(|(name, _)| cloud.network_interfaces().any(|interface| interface.groups.contains(*name)))
        .any(|(name, group)| group.ingress.iter().any(|rule| matches!(&rule.peer, Peer::Group(peer) if peer == name)));
    if cloud.knobs.self_reference == SelfReference::MatchesNobody && names_itself {
        vec![SELF_REFERENCE.to_owned()]
    } else {
        Vec::new()
    }
}
