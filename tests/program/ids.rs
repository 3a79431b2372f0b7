//! Ids of resources of a lab that is up, and names that EC2 has of groups.

use serde_json::Value;

use crate::labs::Labs;
use crate::program::User;

#[test]
fn a_name_of_ec2s_own_with_spaces_and_punctuation_is_taken_and_shown() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier"]);
    let name = "caches (eu-west) #1";
    let created = labs.ok(&["create-group", "CACHE", "--group-name", name, "tcp 6379 from SG-T-WEB"]);
    assert!(created.contains("CACHE is created"), "{created}");
    let state = labs.ok(&["state"]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(state.contains(&format!("CACHE (\"{name}\")")), "{state}");
    assert!(labs.ok(&["export"]).contains(&format!("CACHE: {{name: '{name}', ingress: [tcp 6379 from SG-T-WEB]}}")));
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let groups = state["security_groups"].as_array().expect("groups");
    let ours = groups.iter().find(|group| group["group"] == "CACHE").expect("the new one");
    assert_eq!(ours["name"], name);
    assert!(groups.iter().all(|group| group["id"].as_str().is_some_and(|id| id.starts_with("sg-"))), "{groups:?}");
    let again = labs.say(&["create-group", "OTHER", "--group-name", name]);
    let taken = "InvalidGroup.Duplicate: The security group 'caches (eu-west) #1' already exists";
    assert!(again.code == Some(1) && again.err.contains(taken), "{again:?}");
}

#[test]
fn ids_are_the_same_at_each_boot_and_who_is_launched_anew_has_others() {
    let labs = Labs::of(User::Ours);
    let ids = || {
        let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
        let instances = state["instances"].as_array().expect("instances").clone();
        let web1 = instances.iter().find(|it| it["name"] == "web1").expect("web1");
        [web1["id"].to_string(), web1["interfaces"][0]["id"].to_string(), state["security_groups"].to_string()]
    };
    labs.ok(&["up", "example:two-tier"]);
    let first = ids();
    labs.ok(&["stop", "web1"]);
    labs.ok(&["start", "web1"]);
    assert_eq!(ids(), first);
    labs.ok(&["terminate", "web1"]);
    labs.ok(&["launch", "web1", "--group", "SG-T-WEB"]);
    let [instance, interface, groups] = ids();
    assert!(instance != first[0] && interface != first[1] && groups == first[2], "{instance} {interface}");
    labs.ok(&["down"]);
    labs.ok(&["up", "example:two-tier"]);
    assert_eq!(ids(), first);
}

/// Two VPCs may each have a group of EC2's name `web`. Handles are one namespace: that is sglab's, and no refusal of EC2's.
#[test]
fn in_a_lab_of_two_vpcs_an_instance_and_a_group_are_made_in_the_one_that_is_named() {
    let labs = Labs::of(User::Ours);
    let text = "sglab: 1
era: vpc
vpcs: {east: {cidr: 10.0.0.0/16}, west: {cidr: 10.1.0.0/16}}
groups: {web: {vpc: east, ingress: []}, wweb: {vpc: west, ingress: []}}
instances: {e: {vpc: east, groups: web}, w: {vpc: west, groups: wweb}}
scenario: [{step: as launched, expect: {dropped: ['e -> w:80 by public address']}}]
";
    std::fs::write(labs.program.scratch().join("two.yaml"), text).expect("a file");
    labs.ok(&["up", "two.yaml"]);
    labs.ok(&["launch", "n2", "--group", "wweb", "--vpc", "west"]);
    let taken = labs.say(&["create-group", "web", "--vpc", "west"]);
    let told = taken.err.contains("the name `web` is taken by a group of east") && taken.err.contains("--group-name");
    assert!(taken.code == Some(2) && told, "{taken:?}");
    labs.ok(&["create-group", "web-west", "--vpc", "west", "--group-name", "web"]);
}
