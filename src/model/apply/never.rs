//! Invariants that must never break, over random sequences of operations.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::model::sample::*;
use crate::model::*;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const GROUPS: [&str; 4] = ["g", "h", "far", "missing"];
const RULES: [&str; 5] =
    ["tcp 22 from g", "tcp 22 from far", "udp 53 from a.private", "tcp 1 from b.public", "all from h"];

fn address() -> impl Strategy<Value = AddressRequest> {
    prop_oneof![
        4 => Just(AddressRequest::Automatic),
        1 => (0_u8..20).prop_map(|last| exact(&format!("10.0.0.{last}"))),
        2 => prop::sample::select(NAMES.to_vec()).prop_map(previous),
    ]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let name = || prop::sample::select(NAMES.to_vec());
    let group = || prop::sample::select(GROUPS.to_vec());
    let rule = || prop::sample::select(RULES.to_vec());
    prop_oneof![
        4 => (name(), group(), prop::sample::select(vec!["default", "other"]), address())
            .prop_map(|(name, group, vpc, address)| launch_at(name, &[group], vpc, address)),
        2 => name().prop_map(stop),
        2 => name().prop_map(start),
        1 => name().prop_map(reboot),
        2 => name().prop_map(crash),
        2 => name().prop_map(terminate),
        1 => (group(), rule()).prop_map(|(group, rule)| authorize(group, rule)),
        1 => (group(), rule()).prop_map(|(group, rule)| revoke(group, rule)),
        1 => (name(), group()).prop_map(|(name, group)| set_groups(name, &[group])),
        1 => Just(create("missing", "default")),
        1 => group().prop_map(|name| Operation::DeleteGroup(GroupName::new(name))),
        2 => prop::sample::select(vec!["e", "f"]).prop_map(allocate),
        2 => (prop::sample::select(vec!["e", "f"]), name()).prop_map(|(elastic, name)| associate(elastic, name)),
        1 => prop::sample::select(vec!["e", "f"]).prop_map(disassociate),
        1 => prop::sample::select(vec!["e", "f"]).prop_map(release),
    ]
}

/// Every address held: (VPC, private) and public.
fn held(cloud: &Cloud) -> (Vec<(VpcName, PrivateIp)>, Vec<PublicIp>) {
    let private = cloud.interfaces().filter_map(|(_, _, i)| i.private.map(|ip| (i.vpc.clone(), ip)));
    let public = cloud.interfaces().filter_map(|(_, _, i)| i.public);
    (private.collect(), public.collect())
}

fn all_different<T: std::hash::Hash + Eq>(items: &[T]) -> bool {
    items.iter().collect::<HashSet<_>>().len() == items.len()
}

proptest! {
    #[test]
    fn no_sequence_of_operations_breaks_what_always_holds(
        era in prop::sample::select(Era::ALL.to_vec()),
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let mut cloud = Sample::new(era).group("g", &[]).group("h", &[]).with(create("far", "other")).0;
        for operation in operations {
            let before = cloud.clone();
            if apply(&mut cloud, &operation).is_err() {
                prop_assert_eq!(&cloud, &before, "what is refused changed the cloud: {:?}", operation);
                continue;
            }
            let after = &cloud;

            let (private, public) = held(after);
            prop_assert!(all_different(&private), "one address held twice: {:?}", private);
            prop_assert!(all_different(&public), "one public address held twice: {:?}", public);

            let asked = matches!(&operation, Operation::Launch(launch) if launch.address != AddressRequest::Automatic);
            let (private_before, public_before) = held(&before);
            for (vpc, address) in private.iter().filter(|held| !asked && !private_before.contains(held)) {
                let given = before.counters.private.get(vpc).is_some_and(|given| given.contains(address));
                prop_assert!(!given, "an automatic address came twice: {}", address);
            }
            let elastic = |address: &PublicIp| before.elastic_ips.values().any(|elastic| elastic.address == *address);
            for address in public.iter().filter(|held| !public_before.contains(held) && !elastic(held)) {
                prop_assert!(!before.counters.public.contains(address), "a public address came twice: {}", address);
            }
            for (vpc, address) in &private {
                prop_assert!(after.counters.private[vpc].contains(address), "not remembered: {}", address);
            }
            for (name, elastic) in &after.elastic_ips {
                let Some(holder) = &elastic.association else { continue };
                let held = after.interfaces().find(|(_, _, interface)| *holder == interface.id);
                prop_assert_eq!(held.and_then(|(_, _, i)| i.public), Some(elastic.address), "{} is not there", name);
            }
            let ids: Vec<RuleId> =
                after.groups.values().flat_map(|g| g.all_rules()).map(|rule| rule.id).collect();
            prop_assert!(all_different(&ids), "one rule id twice: {:?}", ids);
        }
    }
}
