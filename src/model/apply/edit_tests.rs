//! Properties of edits: each can be taken back whole, and says the same as a comparison of the clouds before and after.

use indexmap::IndexMap;
use proptest::prelude::*;

use super::never;
use crate::model::change;
use crate::model::sample::*;
use crate::model::*;

/// Of every kind that there is, and often refused.
fn operation() -> impl Strategy<Value = Operation> {
    let instance = || prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(InstanceName::new);
    let group = || prop::sample::select(vec!["g", "h", "far", "missing", "default"]);
    let target = || {
        let of = |instance| Just(Target::Instance(instance));
        instance().prop_flat_map(move |name| {
            prop_oneof![of(name.clone()), Just(Target::Interface(Attachment { instance: name, device: 1 }))]
        })
    };
    let block = || prop::sample::select(vec!["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"]);
    let blocks = || prop::collection::vec(block().prop_map(|block| block.parse().unwrap()), 0..3);
    let list = || prop::sample::select(vec!["p", "q"]).prop_map(PrefixListName::new);
    let lb = || Just(LoadBalancerName::new("lb"));
    let elastic = || prop::sample::select(vec!["e", "f"]).prop_map(ElasticIpName::new);
    let behind = || prop::collection::vec(instance(), 1..3).prop_map(|all| all.into_iter().collect());
    let everything = || vec![permission("all to 0.0.0.0/0")];
    let attach = |subnet: &str, groups: &[&str], device| NewInterface {
        device,
        subnet: SubnetName::new(subnet),
        groups: groups.iter().map(GroupName::new).collect(),
        address: AddressRequest::Automatic,
        ipv6: AskedIpv6::Automatic,
        secondary: Vec::new(),
        source_dest_check: SourceDestCheck::On,
    };
    prop_oneof![
        20 => never::operation(),
        1 => (target(), group()).prop_map(|(of, name)| Operation::SetGroups(of, [GroupName::new(name)].into())),
        2 => (instance(), group(), 1..3_u8).prop_map(move |(to, group, device)| {
            Operation::AttachInterface(to, attach("default", &[group], device))
        }),
        1 => (instance(), 0..3_u8)
            .prop_map(|(instance, device)| Operation::DetachInterface(Attachment { instance, device })),
        1 => (target(), any::<bool>()).prop_map(|(of, on)| {
            Operation::SetSourceDestCheck(of, if on { SourceDestCheck::On } else { SourceDestCheck::Off })
        }),
        1 => (list(), blocks()).prop_map(|(name, entries)| {
            Operation::CreatePrefixList(CreatePrefixList { name, family: PrefixFamily::Ipv4, entries, max_entries: 2 })
        }),
        1 => (list(), blocks(), blocks())
            .prop_map(|(name, add, remove)| Operation::ModifyPrefixList { name, add, remove }),
        1 => group().prop_map(|group| balancer(&[group])),
        1 => Just(balancer(&[])),
        2 => (lb(), behind()).prop_map(|(name, instances)| Operation::RegisterInstances(name, instances)),
        1 => (lb(), behind()).prop_map(|(name, instances)| Operation::DeregisterInstances(name, instances)),
        1 => (elastic(), target()).prop_map(|(elastic_ip, to)| {
            Operation::AssociateAddress { elastic_ip, to, reassociation: Reassociation::Allowed }
        }),
        1 => group().prop_map(move |name| Operation::RevokeEgress(GroupName::new(name), everything())),
        1 => group().prop_map(move |name| Operation::AuthorizeEgress(GroupName::new(name), everything())),
        1 => group().prop_map(|name| create(name, "other")),
    ]
}

/// A cloud with the order of everything in it, which `==` does not look at.
fn whole(cloud: &Cloud) -> String {
    serde_json::to_string(cloud).unwrap()
}

/// Collects the differences between the entries of two tables: those that are gone, and then in the order of the new.
fn differences<K: Eq + std::hash::Hash, V>(
    (before, now): (&IndexMap<K, V>, &IndexMap<K, V>),
    difference: fn(&K, Option<&V>, Option<&V>, &mut Vec<Change>),
    changes: &mut Vec<Change>,
) {
    for (key, was) in before.iter().filter(|(key, _)| !now.contains_key(*key)) {
        difference(key, Some(was), None, changes);
    }
    for (key, value) in now {
        difference(key, before.get(key), Some(value), changes);
    }
}

fn compared(before: &Cloud, now: &Cloud) -> Vec<Change> {
    let mut changes = Vec::new();
    differences((&before.instances, &now.instances), change::of_instance, &mut changes);
    differences((&before.groups, &now.groups), change::of_group, &mut changes);
    differences((&before.load_balancers, &now.load_balancers), change::of_load_balancer, &mut changes);
    differences((&before.elastic_ips, &now.elastic_ips), change::of_elastic_ip, &mut changes);
    differences((&before.prefix_lists, &now.prefix_lists), change::of_prefix_list, &mut changes);
    changes
}

fn first(era: Era) -> Cloud {
    Sample::new(era).group("g", &[]).group("h", &[]).with(create("far", "other")).0
}

proptest! {
    #[test]
    fn an_operation_says_all_that_it_changes_and_is_taken_back_whole(
        era in prop::sample::select(Era::ALL.to_vec()),
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let mut cloud = first(era);
        for operation in operations {
            let before = cloud.clone();
            let Ok(changed) = apply(&mut cloud, &operation) else {
                prop_assert_eq!(whole(&cloud), whole(&before), "refused halfway: {:?}", operation);
                continue;
            };
            prop_assert_eq!(changed.changes(), compared(&before, &cloud), "{:?}", operation);
            let holders = changed.holders();
            let same = |name: &InstanceName| before.instances.get(name) == cloud.instances.get(name);
            for name in before.instances.keys().chain(cloud.instances.keys()).filter(|name| !same(name)) {
                prop_assert!(holders.contains(name.as_str()), "{} is another after {:?}", name, operation);
            }
            let after = whole(&cloud);
            changed.undo(&mut cloud);
            prop_assert_eq!(whole(&cloud), whole(&before), "undone: {:?}", operation);
            apply(&mut cloud, &operation).unwrap();
            prop_assert_eq!(whole(&cloud), after, "once more: {:?}", operation);
        }
    }

    #[test]
    fn a_call_is_carried_out_whole_or_not_at_all_and_taken_back_whole(
        era in prop::sample::select(Era::ALL.to_vec()),
        calls in prop::collection::vec(prop::collection::vec(operation(), 1..5), 1..20),
    ) {
        let mut cloud = first(era);
        for call in calls {
            let before = whole(&cloud);
            let Ok(changed) = apply_all(&mut cloud, &call) else {
                prop_assert_eq!(whole(&cloud), before, "refused: {:?}", call);
                continue;
            };
            changed.undo(&mut cloud);
            prop_assert_eq!(whole(&cloud), before, "undone: {:?}", call);
            drop(apply_all(&mut cloud, &call));
        }
    }
}

/// The first place of an entry counts, whatever went before it or came after.
#[test]
fn entries_go_back_to_their_places_in_any_order_of_changes() {
    let mut cloud = Sample::new(Era::Vpc).group("g", &[]).0;
    for name in ["a", "b", "c", "d"] {
        apply(&mut cloud, &launch(name, &["g"])).unwrap();
    }
    let before = whole(&cloud);
    let call =
        [set_groups("a", &["g"]), terminate("b"), terminate("a"), launch("b", &["g"]), terminate("b"), stop("c")];
    let changed = apply_all(&mut cloud, &call).unwrap();
    assert_eq!(cloud.instances.keys().map(InstanceName::as_str).collect::<Vec<_>>(), ["c", "d"]);
    changed.undo(&mut cloud);
    assert_eq!(whole(&cloud), before);
}
