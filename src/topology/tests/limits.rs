//! Files of a size, or of bytes, that nobody writes.

use super::*;

#[test]
fn a_file_of_one_byte_too_many_is_not_parsed() {
    let problems = Topology::parse("big.yaml", &vec![b'#'; MAX_BYTES + 1]).expect_err("too large").to_string();
    assert!(problems.starts_with("error: the file is larger than 16 MiB, the most that is read\n --> big.yaml:1:1"));
    assert!(problems.contains("its VPCs one by one"), "{problems}");
}

#[test]
fn a_cloud_of_several_megabytes_is_read() {
    let mut text = String::from("sglab: 1\nera: vpc\nknobs: {quotas: ignored}\ngroups:\n");
    for group in 0..2_000 {
        let rules: Vec<_> = (1..40).map(|port| format!("tcp {port} from 198.51.{}.0/24", group % 200)).collect();
        text += &format!("  a-group-of-the-account-{group}: [{}]\n", rules.join(", "));
    }
    text += "instances: {a: {groups: a-group-of-the-account-7}}\n";
    assert!(text.len() > 2 << 20);
    let topology = Topology::parse_cloud("large.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(topology.initial.len(), 4_001);
}

#[test]
fn a_bomb_of_aliases_is_put_out_at_once() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", "));
    }
    assert!(refused(&bomb).contains("with its aliases expanded"));
}

#[test]
fn no_bytes_make_the_reader_panic() {
    for cut in (0..TWO_TIER.len()).step_by(7) {
        let _ = Topology::parse("cut.yaml", &TWO_TIER.as_bytes()[..cut]).map_err(|problems| problems.to_string());
    }
    for index in (0..TWO_TIER.len()).step_by(5) {
        let mut bytes = TWO_TIER.as_bytes().to_vec();
        bytes[index] = b"[]{}:,-*&!'\"\n\t #"[index % 16];
        let _ = Topology::parse("bent.yaml", &bytes).map_err(|problems| problems.to_string());
    }
}

#[test]
fn a_full_size_file_on_one_line_is_read_whole() {
    let rules: Vec<_> = (0..40_000).map(|n| format!("tcp {} from B{n}", n + 1)).collect();
    let text = format!("{{sglab: 1, era: vpc, groups: {{A: [{}], é: []}}}}", rules.join(", "));
    assert!(text.len() < 1 << 20);
    // Each rule has a problem, and a place in a line of a megabyte: what is quadratic there takes minutes.
    assert!(refused(&text).contains("more problems are not shown"));
}

#[test]
fn a_host_of_many_addresses_cannot_be_multiplied_by_many_rules() {
    let addresses: Vec<_> = (0..20_000).map(|n| format!("203.{}.{}.1", n / 250, n % 250)).collect();
    let rules: Vec<_> = (1..10_000).map(|n| format!("tcp {n} from h")).collect();
    let text = format!(
        "sglab: 1\nera: vpc\nhosts: {{h: [{}]}}\ngroups: {{A: [{}]}}\n",
        addresses.join(", "),
        rules.join(", ")
    );
    assert!(refused(&text).contains("more than 100000 addresses of hosts"));
}
