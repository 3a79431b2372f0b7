//! Steps over time: names that are used again, addresses that are asked for later, refusals of what nobody has.

use super::{read, refused};
use crate::model::{Era, apply};
use crate::topology::{Topology, refusal};

/// A file of era vpc with these steps, and two instances without listeners of their own.
fn with(steps: &str) -> String {
    format!(
        "sglab: 1\nera: vpc\ngroups: {{G: [tcp 22 from anywhere]}}\ninstances: {{web1: {{groups: G}}, web2: {{groups: G}}}}\n\
         scenario:\n{steps}"
    )
}

/// The codes with which the steps of a file are refused, in their order.
fn refusals(topology: &Topology) -> Vec<String> {
    let mut cloud = topology.initial_cloud(Era::Vpc).expect("a cloud");
    let operations = topology.steps.iter().flat_map(|step| step.operations());
    operations.filter_map(|it| apply(&mut cloud, &it.value).err()).map(|it| it.code.as_str().to_owned()).collect()
}

#[test]
fn addresses_that_attach_interface_asks_for_are_never_given_out() {
    let topology = read(
        "sglab: 1\nera: vpc\nvpcs: {v: {cidr: 10.0.0.0/16, ipv6: yes}}\ngroups: {G: []}\n\
         instances: {web1: {groups: G}, web2: {groups: G}}\nscenario:\n\
         - step: s\n  do: {attach-interface: {web1: {eth1: {groups: G, address: 10.0.0.11, ipv6: '2001:db8:1000::7', \
         secondary-addresses: [10.0.0.12, 10.0.0.32/28]}}}}\n  expect: {dropped: [web1 -> web2:22]}\n",
    );
    let cloud = topology.initial_cloud(Era::Vpc).expect("a cloud");
    let privates: Vec<String> =
        ["web1", "web2"].map(|name| cloud.instances[name].interfaces[0].private.expect("one").0.to_string()).to_vec();
    assert_eq!(privates, ["10.0.0.13", "10.0.0.14"]);
    assert!(cloud.counters.ipv6.iter().any(|block| block.addr().to_string() == "2001:db8:1000::7"));
    assert_eq!(refusals(&topology), Vec::<String>::new());
}

#[test]
fn a_step_may_expect_that_an_unknown_elastic_ip_vpc_or_subnet_is_refused() {
    let topology = read(&with(
        "- step: eip\n  do: {release-address: nope}\n  expect: {refusal: InvalidAllocationID.NotFound}\n\
         - step: vpc\n  do: {create-group: {H: {vpc: nowhere}}}\n  expect: {refusal: InvalidVpcID.NotFound}\n\
         - step: launch\n  do: {launch: {x: {vpc: nowhere, groups: G}}}\n  expect: {refusal: InvalidVpcID.NotFound}\n\
         - step: subnet\n  do: {launch: {y: {subnet: nowhere, groups: G}}}\n  expect: {refusal: InvalidSubnetID.NotFound}\n",
    ));
    let codes = ["InvalidAllocationID.NotFound", "InvalidVpcID.NotFound", "InvalidVpcID.NotFound"];
    assert_eq!(refusals(&topology), [&codes[..], &["InvalidSubnetID.NotFound"]].concat());
    let others = refused(&with("- step: s\n  do: {launch: {x: {vpc: nowhere}}}\n  expect: {rules: unchanged}\n"));
    assert!(others.contains("unknown VPC `nowhere`"), "{others}");
}

#[test]
fn an_instance_that_is_launched_again_listens_on_its_own_services_alone() {
    let text = with(
        "- step: one\n  do: [{launch: {x: {groups: G, listens: tcp 22}}}, {terminate: x}]\n\
         - step: two\n  do: {launch: {x: {groups: G}}}\n  expect: {refused: ['web1 -> x:22']}\n",
    );
    let topology = read(&text);
    assert_eq!(refusals(&topology), Vec::<String>::new());
    let again = refused(&text.replace("{launch: {x: {groups: G}}}", "{launch: {x: {groups: G, listens: 22}}}"));
    assert!(again.contains("`x` listens on tcp 22, and will not refuse it"), "{again}");
}

#[test]
fn a_deleted_group_and_a_released_elastic_ip_leave_their_names() {
    let topology = read(&with(
        "- step: one\n  do: [{create-group: {H: []}}, {allocate-address: eip}]\n\
         - step: two\n  do: [{delete-group: H}, {release-address: eip}]\n\
         - step: three\n  do: [{create-group: {H: [tcp 80 from G]}}, {allocate-address: eip}]\n  expect: {rules: unchanged}\n",
    ));
    assert_eq!(refusals(&topology), Vec::<String>::new());
    assert_eq!(topology.steps.iter().flat_map(|step| step.operations()).count(), 7);
    let taken = refused(&with(
        "- step: one\n  do: {create-group: {H: []}}\n- step: two\n  do: {create-group: {H: []}}\n  expect: {rules: unchanged}\n",
    ));
    assert!(taken.contains("the name `H` is taken by a security group"), "{taken}");
    let kept = refused(&with(
        "- step: one\n  do: {delete-group: G}\n  expect: {refusal: DependencyViolation}\n\
         - step: two\n  do: {create-group: {G: []}}\n  expect: {rules: unchanged}\n",
    ));
    assert!(kept.contains("the name `G` is taken by a security group"), "{kept}");
}

#[test]
fn a_load_balancer_without_groups_is_a_member_of_the_default_group() {
    let topology = read(
        "sglab: 1\nera: vpc\ngroups: {W: [tcp 80 from default]}\ninstances: {web1: {groups: W, listens: tcp 80}}\n\
         load-balancers: {site: {listeners: [tcp 80], targets: web1}}\n\
         scenario: [{step: s, expect: {open: ['default -> web1:80']}}]\n",
    );
    let cloud = topology.initial_cloud(Era::Vpc).expect("a cloud");
    assert!(cloud.load_balancers["site"].interface.groups.contains("default"));
}

#[test]
fn the_257th_subnet_of_a_vpc_has_no_ipv6_block_and_says_so() {
    let subnets = |count: u32| -> String {
        let one = |number: u32| format!("s{number}: 10.0.{}.{}/28", number / 16, number % 16 * 16);
        (0..count).map(one).collect::<Vec<_>>().join(", ")
    };
    let text = |count: u32, more: &str| {
        format!(
            "sglab: 1\nera: vpc\nvpcs: {{v: {{cidr: 10.0.0.0/16, ipv6: yes, subnets: {{{}{more}}}}}}}\ngroups: {{G: []}}\n\
             instances: {{a: {{groups: G}}, b: {{groups: G}}}}\nscenario: [{{step: s, expect: {{dropped: ['a -> b:22']}}}}]\n",
            subnets(count)
        )
    };
    let topology = read(&text(256, ", t: {cidr: 10.0.99.0/28, ipv6: no}"));
    assert_eq!(topology.empty.vpcs[0].ipv6_subnets.len(), 256);
    let problems = refused(&text(257, ""));
    assert!(problems.contains("no /64 of the VPC's block 2001:db8:1000::/56 is left for this subnet"), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
}

#[test]
fn who_is_a_host_by_its_number_is_told_what_the_host_itself_is_told() {
    let told = |from: &str, instance: &str, expect: &str| {
        refused(&format!(
            "sglab: 1\nera: vpc\nhosts: {{world: [198.51.100.7, 192.0.2.99]}}\ngroups: {{G: []}}\n\
             instances: {{web1: {{groups: G{instance}}}}}\nscenario: [{{step: s, expect: {{{expect}: ['{from}']}}}}]\n"
        ))
    };
    for (flow, instance, expect, message) in [
        ("world[2] -> web1:80", ", public: no", "dropped", "`web1` never has a public address"),
        ("world[2] -> web1:80 by ipv6 address", "", "dropped", "`world[2]` has no IPv6 address"),
        ("world[2] -> dns", "", "answered", "a host outside has none of the services of a VPC"),
        ("web1 as 10.0.0.99 -> dns", "", "answered", "a question to a service of a VPC has its sender's address"),
    ] {
        let problems = told(flow, instance, expect);
        assert!(problems.contains(message), "{flow}: {problems}");
    }
}

#[test]
fn a_refusal_of_a_call_stands_at_the_operation_that_is_refused() {
    let topology =
        read(&with("- step: s\n  do: {stop: [web1, nobody, web2]}\n  expect: {refusal: InvalidInstanceID.NotFound}\n"));
    let cloud = topology.initial_cloud(Era::Vpc).expect("a cloud");
    let call = topology.steps[0].calls().next().expect("a call");
    let (refused, place) = refusal(call, &cloud).expect("nobody is refused");
    assert_eq!((refused.code.as_str(), place), ("InvalidInstanceID.NotFound", &call[1].place));
    assert_ne!(place, &call[0].place);
    assert_eq!(refusal(&call[..1], &cloud), None);
}
