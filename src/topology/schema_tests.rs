//! The schema and the reader take the same: documents that are bent at random, one place or two at a time.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::document::shape::{Diagnostics, Shape};
use super::document::{Document, schema};
use super::{EXAMPLES, Topology, tree};

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::validator_for(&schema()).expect("the schema is one"));

/// Good documents with most of what a file can say.
static GOOD: LazyLock<Vec<Json>> = LazyLock::new(|| {
    let more = [
        "{sglab: 1, era: vpc, vpcs: {a: {cidr: 10.0.0.0/16, ipv6: yes}, b: {cidr: 10.1.0.0/16, subnets: {s: 10.1.0.0/24}}}, \
         hosts: {h: {address: 203.0.113.9, mtu: 1400}, k: 203.0.113.10}, elastic-ips: {e: i.eth1}, \
         prefix-lists: {p: {entries: [192.0.2.0/25], max-entries: 3}}, tracking: {udp: 30, clock-factor: 10}, \
         groups: {g: {vpc: a, description: x, ingress: [{protocol: icmp, type: 8, code: 0, from: h}, tcp 22 from p], egress: [all to anywhere]}}, \
         instances: {i: {vpc: a, groups: g, public: no, listens: [tcp 22, udp 53], source-dest-check: off, forwards: nat, interfaces: {eth1: {groups: g}}}}, \
         scenario: [{step: s, do: [{source-dest-check: {i: on}}, {associate-address: {e: {instance: i.eth1, allow-reassociation: no}}}], expect: {open: ['h -> i.eth1:22'], hops: {'h -> i.eth1:22': [internet, gateway]}}}]}",
        "{sglab: 1, era: vpc, groups: {g: [tcp 80 from g]}, instances: {i: {groups: g}, j: {groups: g}}, \
         load-balancers: {lb: {groups: g, scheme: internal, listeners: [tcp 80], targets: [i], health-check: {port: 80, interval: 0.2, unhealthy: 2}}}, \
         tables: {t: {ports: [tcp 8080], by: private, open: [any -> g:80]}}, scenario: [{step: s, expect: {table: t}}]}",
    ];
    let examples = ["two-tier", "self-trust"]
        .map(|name| EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).expect("it is built in"));
    let good: Vec<Json> =
        more.into_iter().chain(examples).map(|text| serde_saphyr::from_str(text).expect("YAML")).collect();
    for document in &good {
        Topology::parse_cloud("good.yaml", document.to_string().as_bytes())
            .unwrap_or_else(|problems| panic!("{problems}"));
    }
    good
});

/// What is put in place of something.
fn words() -> Vec<Json> {
    let texts = [
        "-1",
        "0",
        "8",
        "80",
        "80/tcp",
        "tcp 80",
        "tcp",
        "TCP",
        "icmp",
        "all",
        "yes",
        "no",
        "on",
        "off",
        "none",
        "g",
        "i",
        "",
        " ",
        "anywhere",
        "tcp -1 from g",
        "-1 from g",
        "icmp 8/-1 from g",
        "10.0.0.0/16",
        "1.5",
        "01",
        "255",
        "256",
        "2e-1",
        "80.0",
        "eth1",
        "empty",
        "./www",
        "i -> j:80",
        "default",
    ];
    let mut words: Vec<Json> = texts.into_iter().map(Json::from).collect();
    words.extend([
        json!(-1),
        json!(0),
        json!(1),
        json!(8),
        json!(80),
        json!(1400),
        json!(65536),
        json!(255),
        json!(256),
        json!(80.0),
        json!(1.0),
        json!(1e1),
        json!(0.5),
        json!(true),
        json!(false),
    ]);
    words.extend([Json::Null, json!([]), json!({}), json!(["g"]), json!({"g": []}), json!([8])]);
    words
}

#[derive(Clone, Debug)]
enum Bend {
    Replace(usize),
    Quote,
    Unquote,
    Remove,
    Wrap,
    Twice,
    Rename(&'static str),
}

/// What a key becomes.
const KEYS: [&str; 6] = ["eth0", "eth01", "eth15", "eth16", "1", "a b"];

fn bend() -> impl Strategy<Value = (prop::sample::Index, Bend)> {
    let how = prop_oneof![
        4 => (0..words().len()).prop_map(Bend::Replace),
        1 => Just(Bend::Quote),
        1 => Just(Bend::Unquote),
        1 => Just(Bend::Remove),
        1 => Just(Bend::Wrap),
        1 => Just(Bend::Twice),
        1 => prop::sample::select(&KEYS[..]).prop_map(Bend::Rename),
    ];
    (any::<prop::sample::Index>(), how)
}

fn places(document: &Json, here: String, found: &mut Vec<String>) {
    match document {
        Json::Object(entries) => {
            entries.iter().for_each(|(key, value)| {
                places(value, format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), found)
            });
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| places(value, format!("{here}/{index}"), found))
        }
        _ => {}
    }
    if !here.is_empty() {
        found.push(here);
    }
}

fn bent(document: &mut Json, place: &str, how: &Bend) {
    if let Bend::Remove = how {
        let (parent, key) = place.rsplit_once('/').expect("it is below the root");
        match document.pointer_mut(parent).expect("it is there") {
            Json::Object(entries) => drop(entries.remove(&key.replace("~1", "/").replace("~0", "~"))),
            Json::Array(items) => drop(items.remove(key.parse().expect("an index"))),
            _ => {}
        }
        return;
    }
    if let Bend::Twice | Bend::Rename(_) = how {
        let (parent, key) = place.rsplit_once('/').expect("it is below the root");
        match (document.pointer_mut(parent).expect("it is there"), how) {
            (Json::Array(items), Bend::Twice) => {
                let index: usize = key.parse().expect("an index");
                items.insert(index, items[index].clone());
            }
            (Json::Object(entries), Bend::Rename(name)) => {
                let value = entries.remove(&key.replace("~1", "/").replace("~0", "~")).expect("it is there");
                entries.insert((*name).to_owned(), value);
            }
            _ => {}
        }
        return;
    }
    let value = document.pointer_mut(place).expect("it is there");
    match (how, &*value) {
        (Bend::Replace(index), _) => *value = words()[*index].clone(),
        (Bend::Quote, Json::Number(_) | Json::Bool(_)) => *value = Json::from(value.to_string()),
        (Bend::Unquote, Json::String(text)) => {
            if let Ok(number) = text.parse::<i64>() {
                *value = number.into();
            }
        }
        (Bend::Wrap, Json::Array(items)) if items.len() == 1 => *value = items[0].clone(),
        (Bend::Wrap, _) => *value = json!([value.clone()]),
        _ => {}
    }
}

/// Messages of the reader about documents of the right shape that a schema can refuse too.
const OF_THE_SHAPE: [&str; 5] = [
    "is not a further interface",
    "this expects nothing",
    "no VPC is named",
    "is not an ICMP type",
    "is not an ICMP code",
];

#[test]
fn what_is_said_twice_is_refused_by_both() {
    let twice = ["/instances/i/listens", "/groups/g/ingress", "/prefix-lists/p/entries"];
    for place in twice {
        let mut document = GOOD[0].clone();
        let Some(Json::Array(items)) = document.pointer_mut(place) else { panic!("{place} is a list") };
        items.push(items[0].clone());
        assert!(!VALIDATOR.is_valid(&document), "the schema takes it: {place}");
        assert!(Topology::parse_cloud("twice.yaml", document.to_string().as_bytes()).is_err(), "the reader: {place}");
    }
}

/// Problems of the shape alone, by the reader.
fn misshapen(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    match tree::parse(text, &mut problems) {
        Ok(Some(root)) => drop(Document::read(&root, Document::WHAT, &mut Diagnostics(&mut problems))),
        Ok(None) => {}
        Err(draft) => problems.push(draft),
    }
    problems.iter().map(|problem| problem.message().to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_schema_and_the_reader_take_the_same(which in any::<prop::sample::Index>(), bends in prop::collection::vec(bend(), 1..3)) {
        let mut document = GOOD[which.index(GOOD.len())].clone();
        for (at, how) in &bends {
            let mut found = Vec::new();
            places(&document, String::new(), &mut found);
            bent(&mut document, &found[at.index(found.len())], how);
        }
        let text = document.to_string();
        let errors: Vec<_> = VALIDATOR.iter_errors(&document).map(|e| format!("{e} at {}", e.instance_path())).collect();
        match Topology::parse_cloud("bent.yaml", text.as_bytes()) {
            Ok(_) => prop_assert!(errors.is_empty(), "the reader takes it, the schema says {errors:?}: {text}"),
            Err(problems) if errors.is_empty() => {
                let problems = problems.to_string();
                let told = OF_THE_SHAPE.iter().find(|words| problems.contains(*words));
                prop_assert!(told.is_none(), "the schema takes it, the reader says {problems}: {text}");
            }
            Err(_) => {}
        }
        if errors.is_empty() {
            let told = misshapen(&text);
            // Ranges of numbers in quotes are the reader's alone.
            let told: Vec<_> = told.into_iter().filter(|it| !it.contains("is too large") && !it.contains("is too small") && !it.contains("is no time")).collect();
            prop_assert!(told.is_empty(), "the schema takes it, the reader says {told:?}: {text}");
        }
    }
}
