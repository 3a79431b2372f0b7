//! Findings as SARIF 2.1.0, which code scanning of GitHub and others reads.
//!
//! Source: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" (OASIS); "SARIF support for code scanning" (GitHub).

use std::collections::HashMap;

use serde::Serialize;

use super::{catalogue, shown, subject};
use crate::account::Origin;
use crate::lint::{Allowance, Check, Finding, Level, Outcome, Scope};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Results that GitHub takes in one run; the worst are kept.
const MAX_RESULTS: usize = 25_000;
/// Places of one result that GitHub shows.
const MAX_RELATED: usize = 100;

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'a str,
    version: &'a str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'a str,
    results: Vec<ResultJson<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    semantic_version: &'a str,
    rules: Vec<RuleJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleJson<'a> {
    id: &'a str,
    short_description: Message<'a>,
    full_description: Message<'a>,
    help: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<&'a str>,
    default_configuration: Configuration,
    properties: Properties<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    text: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Configuration {
    level: Level,
}

#[derive(Serialize)]
struct Properties<'a> {
    tags: [&'a str; 1],
    profiles: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultJson<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: Level,
    message: Message<'a>,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    partial_fingerprints: Fingerprints<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<[Suppression<'a>; 1]>,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    /// The one that GitHub compares.
    #[serde(rename = "primaryLocationLineHash")]
    line: String,
    #[serde(rename = "sglabFinding/v1")]
    own: &'a str,
}

#[derive(Serialize)]
struct Suppression<'a> {
    kind: &'a str,
    status: &'a str,
    justification: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'a> {
    fully_qualified_name: &'a str,
    kind: &'a str,
}

/// The log: findings of a level and above, and those that are allowed as suppressed ones. `base` is the folder that files are told from.
///
/// # Errors
/// None that is known: all of it can be written.
pub fn sarif(outcome: &Outcome, least: Level, base: Option<&str>) -> Result<String, serde_json::Error> {
    let allowed = outcome.allowed.iter().map(|(finding, allowance)| (finding, Some(allowance)));
    let mut all: Vec<(&Finding, Option<&Allowance>)> =
        shown(outcome, least).map(|finding| (finding, None)).chain(allowed).collect();
    all.sort_by_key(|(finding, allowance)| (allowance.is_some(), std::cmp::Reverse(finding.level)));
    all.truncate(MAX_RESULTS);
    let index: HashMap<&str, usize> =
        outcome.checks.iter().enumerate().map(|(index, check)| (check.id, index)).collect();
    let results = all
        .iter()
        .filter_map(|(finding, allowance)| Some(result(finding, *allowance, *index.get(finding.check.id)?, base)));
    let driver = Driver {
        name: "sglab",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: outcome.checks.iter().map(|check| rule(check)).collect(),
    };
    let run = Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results: results.collect() };
    Ok(serde_json::to_string_pretty(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] })? + "\n")
}

fn rule(check: &Check) -> RuleJson<'_> {
    let message = |text| Message { text: std::borrow::Cow::Borrowed(text) };
    let advice: Vec<String> = check.advice.iter().map(|advice| format!("{}: {}", advice.who, advice.link)).collect();
    let help = format!(
        "{}\n\nAdvice of:\n{}\n\nIt says something of\n\n{}\nand nothing of\n\n{}",
        check.why,
        advice.join("\n"),
        check.bad,
        check.good
    );
    RuleJson {
        id: check.id,
        short_description: message(check.title),
        full_description: message(check.why),
        help: Message { text: help.into() },
        help_uri: check.advice.iter().map(|advice| advice.link).find(|link| link.starts_with("https://")),
        default_configuration: Configuration { level: check.level },
        properties: Properties { tags: ["security"], profiles: catalogue::profiles(check) },
    }
}

fn result<'a>(
    finding: &'a Finding,
    allowance: Option<&'a Allowance>,
    rule_index: usize,
    base: Option<&str>,
) -> ResultJson<'a> {
    let mut text = format!("{}: {}", subject(finding), finding.message);
    if !finding.cure.is_empty() {
        text.push_str("\nCure:");
        finding.cure.iter().for_each(|operation| text.push_str(&format!("\n{operation}")));
    }
    let related = finding.related.iter().take(MAX_RELATED).enumerate();
    let suppression = |allowance: &'a Allowance| Suppression {
        kind: match allowance.scope {
            Scope::Line { .. } => "inSource",
            Scope::Resource(_) => "external",
        },
        status: "accepted",
        justification: &allowance.reason,
    };
    ResultJson {
        rule_id: finding.check.id,
        rule_index,
        level: finding.level,
        message: Message { text: text.into() },
        locations: [location(&finding.origin, None, base)],
        related_locations: related.map(|(index, origin)| location(origin, Some(index + 1), base)).collect(),
        partial_fingerprints: Fingerprints { line: format!("{}:1", finding.fingerprint), own: &finding.fingerprint },
        suppressions: allowance.map(|allowance| [suppression(allowance)]),
    }
}

fn location<'a>(origin: &'a Origin, id: Option<usize>, base: Option<&str>) -> Location<'a> {
    let place = &origin.place;
    Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(&place.file, base) },
            region: Region { start_line: place.line.max(1), start_column: place.column.max(1) },
        },
        logical_locations: [LogicalLocation { fully_qualified_name: origin.resource.as_str(), kind: "resource" }],
    }
}

/// A file as a URI: relative to the base where it lies below it.
fn uri(file: &str, base: Option<&str>) -> String {
    let below = base.and_then(|base| file.strip_prefix(base.trim_end_matches('/'))?.strip_prefix('/'));
    let path = below.unwrap_or(file);
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut out = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in if path == "-" { "stdin" } else { path }.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_the_base_with_forward_slashes() {
        for (file, wanted) in [
            ("./a/b.yaml", "a/b.yaml"),
            ("/home/me/a b.json", "a%20b.json"),
            ("/etc/x.json", "file:///etc/x.json"),
            ("/home/me2/x", "file:///home/me2/x"),
            ("main:shop.yaml", "main%3Ashop.yaml"),
            ("-", "stdin"),
            ("\u{e9}\\", "%C3%A9%5C"),
        ] {
            assert_eq!(uri(file, Some("/home/me")), wanted);
        }
    }
}
