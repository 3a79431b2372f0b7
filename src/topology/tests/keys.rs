//! Keys of the file, files that the reader and the JSON Schema have to agree on, and files of a size, or of bytes, that nobody writes.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Keys that are also words of sentences (`tcp 80 from anywhere`, `by public address`), of reports, of JSON Schema or of other tools.
const ALSO_WORDS: [&str; 31] = [
    "address",
    "alive",
    "answered",
    "by",
    "closed",
    "command",
    "cut",
    "description",
    "dropped",
    "egress",
    "from",
    "gone",
    "icmp",
    "in-service",
    "ingress",
    "instance",
    "ipv6",
    "open",
    "out-of-service",
    "port",
    "name",
    "ports",
    "protocol",
    "public",
    "refused",
    "to",
    "type",
    "udp",
    "unanswerable",
    "unreachable",
    "step",
];

#[test]
fn a_key_stands_nowhere_but_in_its_type() {
    fn keys(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                let properties = object.get("properties").and_then(|it| it.as_object());
                found.extend(properties.into_iter().flat_map(|it| it.keys().cloned()));
                object.values().for_each(|value| keys(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
            _ => {}
        }
    }
    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("tests") {
                continue;
            }
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.push((path.display().to_string(), code.collect()));
            }
        }
    }
    let (mut known, mut files) = (BTreeSet::new(), Vec::new());
    keys(&schema(), &mut known);
    assert!(known.contains("elastic-ips") && known.contains("set-groups"), "{known:?}");
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/topology"), &mut files);
    let second: Vec<String> = files
        .iter()
        .flat_map(|(file, text)| {
            let written = |key: &&String| text.contains(&format!("\"{key}\"")) && !ALSO_WORDS.contains(&key.as_str());
            known.iter().filter(written).map(move |key| format!("{key} in {file}"))
        })
        .collect();
    assert!(second.is_empty(), "{second:?}");
}

#[test]
fn questions_to_services_are_read_and_fit_the_schema() {
    let file = |questions: &str| {
        format!(
            "sglab: 1\nera: vpc\nhosts: {{office: 203.0.113.10}}\ngroups: {{A: []}}\ninstances: {{a: {{groups: A}}}}\n\
             scenario:\n- step: s\n  expect: {{answered: {questions}}}\n"
        )
    };
    let text = file("['a -> dns', 'A->metadata', 'any ->  time']");
    let topology = read(&text);
    let Expectation::Answered(questions) = &topology.steps[0].expectations[0].value else { panic!("questions") };
    let read: Vec<_> = questions.iter().map(|it| (it.from.clone(), it.service)).collect();
    let (instance, group) = (InstanceName::new("a"), GroupName::new("A"));
    let expected = [Selector::Instance(instance), Selector::Group(group), Selector::Any].into_iter();
    assert!(read.into_iter().eq(expected.zip(VpcService::ALL)));
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    assert!(validator.is_valid(&as_json(&text)));
    for bad in ["['a -> dsn']", "['a']", "['a -> dns:53']", "[]"] {
        let text = file(bad);
        refused(&text);
        assert!(!validator.is_valid(&as_json(&text)), "{bad}");
    }
    assert!(refused(&file("['office -> dns']")).contains("a host outside has none of the services"));
    assert!(refused(&file("['a -> dsn']")).contains("did you mean `dns`?"));
}

#[test]
fn the_starter_file_is_good() {
    let topology = read(STARTER);
    assert_eq!(topology.steps.len(), 4);
    assert!(STARTER.contains("# "), "it explains itself");
}

#[test]
fn the_schema_takes_every_good_file() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    for (name, yaml) in [("two-tier", TWO_TIER), ("starter", STARTER)] {
        let errors: Vec<_> =
            validator.iter_errors(&as_json(yaml)).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn load_balancers_are_read_as_the_schema_has_them() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    for yaml in [
        include_str!("../../../topologies/gotchas/a-load-balancer-target-on-a-new-address.yaml"),
        include_str!("../../../topologies/gotchas/behind-a-load-balancer-in-classic.yaml"),
        include_str!("../../../topologies/gotchas/behind-a-load-balancer-the-client-is-gone.yaml"),
    ] {
        read(yaml);
        let errors: Vec<_> =
            validator.iter_errors(&as_json(yaml)).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
        for (good, bad) in [
            ("listeners: [tcp 80]", "listeners: [udp 80]"),
            ("interval: 0.2", "interval: 0"),
            ("unhealthy: 2", "unhealthy: 1"),
            ("targets: [web1, web2]", "instances: [web1, web2]"),
        ] {
            let changed = yaml.replace(good, bad);
            refused(&changed);
            assert!(!validator.is_valid(&as_json(&changed)), "{bad}");
        }
    }
    let one = |scheme: &str| {
        format!(
            "sglab: 1\nera: vpc\ngroups: {{A: []}}\ninstances: {{app: {{groups: A}}}}\n\
             load-balancers: {{lb: {{scheme: {scheme}, groups: A, listeners: tcp 80}}}}\n\
             scenario: [{{step: s, expect: {{dropped: ['app -> lb:80']}}}}]\n"
        )
    };
    for scheme in ["internet-facing", "internal"] {
        read(&one(scheme));
        assert!(validator.is_valid(&as_json(&one(scheme))), "{scheme}");
    }
    refused(&one("public"));
    assert!(!validator.is_valid(&as_json(&one("public"))));
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    let changes = [
        ("era: article", "era: roman"),
        ("era: article", "eras: article"),
        ("sglab: 1 ", "sglab: 2 "),
        ("SG-I-WEB1: []", "SG-I-WEB1: 7"),
        ("SG-I-WEB1: []", "SG-I-WEB1:"),
        ("[tcp 80 from anywhere]", "[gre 80 from anywhere]"),
        ("[tcp 80 from anywhere]", "[{protocol: tcp, prot: 80, from: anywhere}]"),
        ("listens: [tcp 22, tcp 80]", "listens: {tcp: 22}"),
        ("  - step: db1 and db2 share SG-T-DB", "  - note: db1 and db2 share SG-T-DB"),
        ("{stop: web1}", "{restart: web1}"),
        ("{stop: web1}", "{stop: web1, crash: web1}"),
        ("rules: unchanged", "rules: same"),
        ("expect: {table: two-tier}", "expect: {}"),
    ];
    for (good, bad) in changes {
        assert!(TWO_TIER.contains(good), "{good}");
        let changed = TWO_TIER.replace(good, bad);
        refused(&changed);
        assert!(!validator.is_valid(&as_json(&changed)), "{bad}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_one_good_file() {
    let text = include_str!("../../../docs/topology.md");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let file: String = blocks.collect();
    read(&file);
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    assert!(validator.is_valid(&as_json(&file)));
}

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
