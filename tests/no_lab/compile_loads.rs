//! Compiled rulesets, loaded into a real kernel in a throwaway network namespace, as an ordinary user.
//!
//! Where user namespaces or nft are not to be had they fail, with the tool's own words; none is skipped.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Command;

use sglab::compile::network;
use sglab::model;
use sglab::network::nft::{Change, Ruleset};
use sglab::network::ruleset_diff::changes;
use sglab::network::text::{ADD_TABLE, transaction};

#[path = "../../src/compile/tests/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::*;
use model::*;

/// Feeds files to nft, one after another, in a namespace of its own. Gives what the kernel has then.
fn load(texts: &[String]) -> String {
    // A set that the kernel makes room for meanwhile is listed with elements twice.
    load_and(
        texts,
        r#"one=; while two=$(nft list ruleset); [ "$one" != "$two" ]; do one=$two; done; printf '%s\n' "$two""#,
    )
}

/// The handles by chain and rule that the kernel gives when it has read these files: the same each time.
fn handles_after(texts: &[String]) -> HashMap<(String, String), u64> {
    let mut chain = String::new();
    let mut handles = HashMap::new();
    for line in load_and(texts, "nft -a list ruleset").lines() {
        if let Some(named) = line.trim().strip_prefix("chain ") {
            chain = named.split(' ').next().unwrap().to_owned();
        } else if let (Some((_, comment)), Some((_, handle))) =
            (line.split_once("comment \""), line.rsplit_once(" handle "))
        {
            let id = comment.split([' ', '"']).next().unwrap().to_owned();
            handles.insert((chain.clone(), id), handle.parse().unwrap());
        }
    }
    handles
}

fn load_and(texts: &[String], last: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut script = "set -e\n".to_owned();
    for (i, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("{i}.nft"));
        std::fs::write(&path, text).unwrap();
        writeln!(script, "nft -f '{}'", path.display()).unwrap();
    }
    script += last;
    // Debian keeps nft from the paths of ordinary users.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("unshare").args(["-Urn", "sh", "-c", &script]).env("PATH", path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn rulesets(cloud: &Cloud) -> Vec<Ruleset> {
    network(cloud).unwrap().nodes.into_values().filter_map(|node| node.ruleset).collect()
}

fn batch(changes: &[Change]) -> String {
    batch_after(&HashMap::new(), changes)
}

/// A batch for a kernel that has given its rules these handles.
fn batch_after(handles: &HashMap<(String, String), u64>, changes: &[Change]) -> String {
    let of = |chain: &str, id: &str| handles.get(&(chain.to_owned(), id.to_owned())).copied();
    format!("{ADD_TABLE}\n{}", transaction(changes, &of).unwrap())
}

/// The kernel lists chains in the order of their making, which differs, and so does the order of elements.
fn sorted(text: &str) -> Vec<String> {
    let bare = |line: &str| line.replace("elements = {", "").replace('}', "").trim().trim_end_matches(',').to_owned();
    let mut lines: Vec<String> = text.lines().flat_map(|line| line.split(", ")).map(bare).collect();
    lines.sort_unstable();
    lines
}

/// One rule of every kind.
fn rich(era: Era) -> Cloud {
    let mut cloud = two_tier(era);
    let range = |from, to| PortRange::new(Port(from), Port(to)).unwrap();
    let traffics = [
        Traffic::All,
        tcp(0),
        Traffic::Tcp(PortRange::ALL),
        Traffic::Tcp(range(7000, 8000)),
        Traffic::Udp(PortRange::ALL),
        Traffic::Udp(range(0, 65534)),
        Traffic::Icmp(IcmpMatch::All),
        Traffic::Icmp(IcmpMatch::Type(8)),
        Traffic::Icmp(IcmpMatch::Type(255)),
        Traffic::Icmp(IcmpMatch::TypeAndCode(3, 4)),
    ];
    for traffic in traffics {
        for peer in [anywhere(), cidr("128.0.0.0/1"), cidr("192.0.2.1/32"), of("SG-T-DB"), of("SG-T-WEB")] {
            authorize(&mut cloud, "SG-T-DB", traffic, peer);
        }
    }
    cloud
}

#[test]
fn what_render_prints_loads_and_batches_load_the_same() {
    for era in Era::ALL {
        for ruleset in rulesets(&rich(era)) {
            let batches: Vec<String> = ruleset.batches(200).iter().map(|changes| batch(changes)).collect();
            let (whole, staged) = (load(&[ruleset.to_string()]), load(&batches));
            assert_eq!(sorted(&whole), sorted(&staged));
        }
    }
}

#[test]
fn a_cloud_far_past_one_batch_loads_as_an_ordinary_user() {
    let mut cloud = cloud(Era::Vpc);
    let name = |group| format!("A-GROUP-WITH-QUITE-A-LONG-NAME-{group}");
    for group in 0..300 {
        add_group(&mut cloud, &name(group));
        for port in 1..=10 {
            authorize(&mut cloud, &name(group), tcp(port), of(&name(group)));
        }
    }
    for i in 0..250 {
        launch(&mut cloud, &format!("i{i}"), i, &[&name(1), &name(2)]);
    }
    for ruleset in rulesets(&cloud) {
        let batches: Vec<String> = ruleset.batches(200).iter().map(|changes| batch(changes)).collect();
        load(&batches);
    }
}

#[test]
fn changes_load_in_one_transaction() {
    for era in Era::ALL {
        let old = two_tier(era);
        let mut new = old.clone();
        add_group(&mut new, "SG-NEW");
        launch(&mut new, "new1", 31, &["SG-NEW", "SG-T-WEB"]);
        instance(&mut new, "web1").interfaces[0].groups.insert(GroupName::new("SG-NEW"));
        authorize(&mut new, "SG-NEW", tcp(443), of("SG-T-WEB"));
        authorize(&mut new, "SG-T-WEB", tcp(443), anywhere());
        instance(&mut new, "web2").interfaces[0].private = Some(PrivateIp([10, 0, 0, 32].into()));
        instance(&mut new, "db1").interfaces[0].public = None;
        for (old, new) in rulesets(&old).iter().zip(rulesets(&new)) {
            let there = batch(&changes(old, &new));
            let (loaded, changed) = (load(&[new.to_string()]), load(&[old.to_string(), there]));
            assert_eq!(sorted(&loaded), sorted(&changed));
        }
    }
}

#[test]
fn a_group_with_a_member_comes_and_goes() {
    for era in Era::ALL {
        let old = two_tier(era);
        let mut new = old.clone();
        add_group(&mut new, "SG-NEW");
        authorize(&mut new, "SG-NEW", tcp(443), of("SG-T-WEB"));
        authorize(&mut new, "SG-NEW", tcp(444), of("SG-NEW"));
        instance(&mut new, "web1").interfaces[0].groups.insert(GroupName::new("SG-NEW"));
        for (old, new) in rulesets(&old).iter().zip(rulesets(&new)) {
            let there = batch(&changes(old, &new));
            let handles = handles_after(&[old.to_string(), there.clone()]);
            let back = batch_after(&handles, &changes(&new, old));
            let (before, after) = (load(&[old.to_string()]), load(&[old.to_string(), there, back]));
            assert_eq!(sorted(&before), sorted(&after));
        }
    }
}
