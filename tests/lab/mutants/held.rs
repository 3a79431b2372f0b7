//! Connections that everybody may open, held while the rule that let everybody in goes: what then still lives is what the
//! present rules admit, and the chains of flows under way decide it.

use sglab::compile::network::Network;
use sglab::lab::{Alteration, Lab, LabError};
use sglab::model::{
    ConnectionName, Flow, GroupName, InstanceState, Operation, Peer, PortRange, Service, Traffic, Verdict,
};
use sglab::policy;
use sglab::probe::Held;

use super::mutation::{Mutation, Of};
use crate::clouds::{block, permission};

/// So many connections at most are held at a time.
const MOST: usize = 24;

/// Whether a mutation is of what judges flows under way.
pub fn is_of_flows_under_way(mutation: &Mutation) -> bool {
    match &mutation.of {
        Of::Rule { chain, .. } | Of::Chain(chain) => chain.contains("gress") || chain.contains("-live/"),
        Of::Entry { map, .. } => map.ends_with("-live-of"),
        Of::Element { set, .. } => set.starts_with("members") || set.starts_with("prefixes"),
    }
}

/// Lets everybody in, opens connections, and takes that back. Gives what each connection is expected to come to: true is alive.
async fn hold(lab: &mut Lab, columns: &[Service]) -> Result<Vec<(ConnectionName, String)>, String> {
    let flows = some_flows(lab, columns);
    let mut taken_back: Vec<Operation> = Vec::new();
    let groups: Vec<GroupName> = lab.cloud().groups.keys().cloned().collect();
    for group in groups {
        for traffic in [Traffic::Tcp(PortRange::ALL), Traffic::Udp(PortRange::ALL)] {
            for everybody in ["0.0.0.0/0", "::/0"] {
                let of = |peer: Peer| permission(traffic, peer);
                let authorize = Operation::AuthorizeIngress(group.clone(), of(block(everybody)));
                match lab.apply(&authorize).await {
                    Ok(_) => taken_back.push(Operation::RevokeIngress(group.clone(), of(block(everybody)))),
                    // It is there already, or the era knows no IPv6.
                    Err(LabError::Refused(_)) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        }
    }
    // A rule that remembers what it admits would hide what judges the rest.
    lab.alter(Some(Alteration::new(untracked_only))).await.map_err(|error| error.to_string())?;
    let mut held = Vec::new();
    for (number, flow) in flows.iter().enumerate() {
        let name = ConnectionName::new(format!("c{number}"));
        match lab.open(&name, flow).await {
            Ok(()) => held.push((name, flow.to_string())),
            Err(LabError::NotOpened { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    lab.alter(None).await.map_err(|error| error.to_string())?;
    for operation in &taken_back {
        lab.apply(operation).await.map_err(|error| error.to_string())?;
    }
    Ok(held)
}

/// Without the ingress rules that track what they admit.
fn untracked_only(mut network: Network) -> Network {
    let rulesets = network.nodes.values_mut().filter_map(|node| node.ruleset.as_mut());
    for (name, chain) in rulesets.flat_map(|ruleset| &mut ruleset.chains) {
        if name.starts_with("ingress/") {
            chain.rules.retain(|rule| !rule.text.contains("ct mark set"));
        }
    }
    network
}

/// To each receiver by each service, one flow that the present rules admit and one that they do not.
fn some_flows(lab: &Lab, columns: &[Service]) -> Vec<Flow> {
    let cloud = lab.cloud();
    let columns: indexmap::IndexSet<Service> =
        columns.iter().filter(|service| matches!(service, Service::Tcp(_) | Service::Udp(_))).copied().collect();
    let vias = indexmap::IndexSet::from([sglab::model::Via::Private, sglab::model::Via::Ipv6]);
    let mut seen = std::collections::HashSet::new();
    let mut flows: Vec<(bool, Flow)> = Vec::new();
    for flow in sglab::scenario::cells::grid(cloud, &columns, &vias) {
        let up = flow.to.instance().and_then(|name| cloud.instances.get(name));
        if up.is_none_or(|instance| instance.state != InstanceState::Running) {
            continue;
        }
        let verdict = policy::judge(cloud, &flow);
        let kind = match &verdict {
            Verdict::Open { admitted_by } => format!("{admitted_by:?}"),
            Verdict::Dropped { at, .. } => at.to_string(),
            _ => continue,
        };
        if seen.insert((flow.to.clone(), flow.service, kind)) {
            flows.push((!matches!(verdict, Verdict::Open { .. }), flow));
        }
    }
    // Those that are admitted first: they show what a rule does; the others show what it does not.
    flows.sort_by_key(|(closed, _)| *closed);
    let (open, closed): (Vec<_>, Vec<_>) = flows.into_iter().partition(|(closed, _)| !closed);
    open.into_iter().take(MOST / 2).chain(closed.into_iter().take(MOST / 2)).map(|(_, flow)| flow).collect()
}

fn word(held: &Held) -> &'static str {
    match held {
        Held::Alive => "alive",
        Held::Cut(_) => "cut",
        Held::Unanswerable(_) => "unanswerable",
        Held::Gone { .. } => "gone",
        Held::Inconclusive { .. } => "inconclusive",
    }
}

/// Holds connections and says what each comes to, with a mutation if there is one: the first that is not as `expected`.
async fn fates(
    lab: &mut Lab,
    columns: &[Service],
    mutation: Option<&std::sync::Arc<Mutation>>,
) -> Result<Vec<(String, &'static str)>, String> {
    let held = hold(lab, columns).await?;
    if let Some(mutation) = mutation {
        lab.alter(Some(mutation.alteration())).await.map_err(|error| error.to_string())?;
    }
    let mut fates = Vec::new();
    for (name, flow) in &held {
        let fate = lab.examine(name).await.map_err(|error| error.to_string())?;
        fates.push((flow.clone(), word(&fate)));
    }
    lab.alter(None).await.map_err(|error| error.to_string())?;
    for (name, _) in &held {
        lab.close(name);
    }
    Ok(fates)
}

/// What connections come to as compiled; it must be what the policy says of those that it admits.
pub async fn as_compiled(lab: &mut Lab, columns: &[Service]) -> Result<Vec<(String, &'static str)>, String> {
    let admitted: std::collections::HashSet<String> = some_flows(lab, columns)
        .into_iter()
        .filter(|flow| matches!(policy::judge(lab.cloud(), flow), Verdict::Open { .. }))
        .map(|flow| flow.to_string())
        .collect();
    let fates = fates(lab, columns, None).await?;
    match fates.iter().find(|(flow, fate)| admitted.contains(flow) && *fate != "alive") {
        Some((flow, fate)) => Err(format!("as compiled, held: {flow} is {fate}, and the rules admit it")),
        None => Ok(fates),
    }
}

/// What a mutation makes of held connections that is not as compiled.
pub async fn red(
    lab: &mut Lab,
    columns: &[Service],
    expected: &[(String, &'static str)],
    mutation: &std::sync::Arc<Mutation>,
) -> Result<Option<String>, String> {
    let fates = fates(lab, columns, Some(mutation)).await?;
    Ok(first_difference(expected, &fates))
}

/// The first connection that came to something else.
pub fn first_difference(expected: &[(String, &'static str)], fates: &[(String, &'static str)]) -> Option<String> {
    if expected.len() != fates.len() {
        return Some(format!("{} connections could be opened in place of {}", fates.len(), expected.len()));
    }
    let differs = expected.iter().zip(fates).find(|(expected, is)| expected != is);
    differs.map(|((flow, was), (_, is))| format!("held {flow} is {is} in place of {was}"))
}

/// Opens what the present rules admit, takes every rule away, and says what each connection comes to.
pub async fn without_rules(lab: &mut Lab, columns: &[Service]) -> Result<Vec<(String, &'static str)>, String> {
    let mut held = Vec::new();
    for (number, flow) in some_flows(lab, columns).iter().enumerate() {
        if !matches!(policy::judge(lab.cloud(), flow), Verdict::Open { .. }) {
            continue;
        }
        let name = ConnectionName::new(format!("r{number}"));
        if lab.open(&name, flow).await.is_ok() {
            held.push((name, flow.to_string()));
        }
    }
    let groups: Vec<_> = lab.cloud().groups.iter().map(|(name, group)| (name.clone(), group.clone())).collect();
    for (name, group) in groups {
        let revokes = group
            .ingress
            .iter()
            .map(|rule| Operation::RevokeIngress(name.clone(), permission(rule.traffic, rule.peer.clone())));
        let of_egress = group
            .egress
            .iter()
            .filter(|_| lab.cloud().has_egress_rules())
            .map(|rule| Operation::RevokeEgress(name.clone(), permission(rule.traffic, rule.peer.clone())));
        for operation in revokes.chain(of_egress).collect::<Vec<_>>() {
            lab.apply(&operation).await.map_err(|error| error.to_string())?;
        }
    }
    let mut fates = Vec::new();
    for (name, flow) in held {
        let fate = lab.examine(&name).await.map_err(|error| error.to_string())?;
        fates.push((flow, word(&fate)));
    }
    Ok(fates)
}
