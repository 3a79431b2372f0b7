//! Keys of the file, which are written once.

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
