//! What a gotcha's own expectations notice: mutations that say something about a semantic, and other values of knobs.

use std::sync::Arc;

use sglab::model::{ChangeGroups, ElasticIpOnStop, Era, Knobs, OnCrash, OnStart, Quotas, SelfReference};
use sglab::network::NodeKind;
use sglab::topology::Topology;

use super::bench::{as_it_is, by_its_own, states};
use super::mutation::{Mutation, Of, all};
use super::results::{Results, Word};

/// Finds which mutations and knobs the file's own expectations notice.
pub async fn run(topology: &Topology, era: Era, results: &mut Results) -> Result<(), String> {
    let limit = as_it_is(topology, era).await?;
    let mut found = 0;
    for mutation in telling(topology, era)? {
        if let Some(red) = by_its_own(topology, era, Some(&mutation), limit).await {
            results.write(&mutation, Word::Breaks, &red)?;
            found += 1;
        }
        if found == ENOUGH {
            break;
        }
    }
    for (name, other) in with_other_knobs(topology, era) {
        if let Some(red) = by_its_own(&other, era, None, limit).await {
            results.write_line(name, Word::Breaks, &red)?;
        }
    }
    Ok(())
}

/// So many mutations that a gotcha itself notices are enough.
const ENOUGH: usize = 8;

/// The mutations that say something about a semantic: of rules of groups, of what is tracked, of members and translations;
/// a rule that is gone, that says the opposite, or that has lost a condition.
fn telling(topology: &Topology, era: Era) -> Result<Vec<Arc<Mutation>>, String> {
    let cloud = topology.initial_cloud(era).map_err(|(refusal, _)| refusal.to_string())?;
    let mut found: indexmap::IndexSet<Arc<Mutation>> = indexmap::IndexSet::new();
    for cloud in states(topology, era, cloud) {
        let network = sglab::compile::network(&cloud).map_err(|error| error.to_string())?;
        found.extend(all(&network).into_iter().filter(is_telling).map(Arc::new));
    }
    Ok(found.into_iter().collect())
}

fn is_telling(mutation: &Mutation) -> bool {
    let of_groups = ["ingress/", "egress/", "ingress-live/", "egress-live/"];
    match &mutation.of {
        Of::Rule { chain, .. } if of_groups.iter().any(|of| chain.starts_with(of)) => {
            mutation.change == "delete" || mutation.change.starts_with("drop ")
        }
        Of::Rule { chain, id, .. } if mutation.kind == NodeKind::Router => {
            let simple = mutation.change == "delete";
            match chain.as_str() {
                "ingress" | "egress" => simple && id != "unclaimed",
                "prerouting" => simple && id.starts_with("spoofed"),
                "unreachable" => simple,
                _ => id == "drop" && chain != "to/canary" && mutation.change == "flip" || id == "destination" && simple,
            }
        }
        Of::Element { set, .. } => {
            mutation.change == "delete" && ["members", "prefixes", "unchecked"].iter().any(|of| set.starts_with(of))
        }
        Of::Entry { map, .. } => {
            mutation.kind == NodeKind::Gateway && map == "public-of" && mutation.change == "delete"
        }
        _ => false,
    }
}

/// The file with each other value of each knob.
fn with_other_knobs(file: &Topology, era: Era) -> Vec<(String, Topology)> {
    let mut all = Vec::new();
    let is = file.knobs(era);
    let mut with = |name: &str, change: &dyn Fn(&mut Knobs)| {
        let mut knobs = is;
        change(&mut knobs);
        if knobs != is {
            let mut topology = file.clone();
            topology.own_knobs.insert(era, knobs);
            all.push((format!("knob {name}"), topology));
        }
    };
    for value in [ChangeGroups::WhileStopped, ChangeGroups::Never, ChangeGroups::AnyTime] {
        with(&format!("change-groups {value:?}"), &|knobs| knobs.change_groups = value);
    }
    for value in [SelfReference::MatchesNobody, SelfReference::MatchesMembers] {
        with(&format!("self-reference {value:?}"), &|knobs| knobs.self_reference = value);
    }
    for value in [OnStart::New, OnStart::Kept] {
        let name = format!("private-address-on-start {value:?}");
        with(&name, &|knobs| knobs.private_address_on_start = value);
    }
    for value in [OnCrash::Released, OnCrash::Kept] {
        with(&format!("address-on-crash {value:?}"), &|knobs| knobs.address_on_crash = value);
    }
    for value in [ElasticIpOnStop::Stays, ElasticIpOnStop::Dissociated] {
        let name = format!("elastic-ip-on-stop {value:?}");
        with(&name, &|knobs| knobs.elastic_ip_on_stop = value);
    }
    for value in [Quotas::Enforced, Quotas::Ignored] {
        with(&format!("quotas {value:?}"), &|knobs| knobs.quotas = value);
    }
    all
}
