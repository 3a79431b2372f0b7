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
