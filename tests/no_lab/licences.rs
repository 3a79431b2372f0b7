//! Every dependency may be used under a permissive licence. Advisories are `scripts/audit`'s matter.

use std::process::Command;

/// What may be accepted. `deny.toml` names the same, for `scripts/audit`.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be met with allowed licences only: `AND` needs both, `OR` one, `WITH` binds to its
/// licence. Crates of old write `/` for `OR`. What cannot be read is not met.
fn permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    matches!(either(&words), Some((true, [])))
}

/// Whether what begins here is met, and what comes after it.
type Met<'a> = Option<(bool, &'a [&'a str])>;

fn either<'a>(words: &'a [&'a str]) -> Met<'a> {
    let (mut met, mut rest) = both(words)?;
    while let ["OR", more @ ..] = rest {
        let (other, after) = both(more)?;
        (met, rest) = (met || other, after);
    }
    Some((met, rest))
}

fn both<'a>(words: &'a [&'a str]) -> Met<'a> {
    let (mut met, mut rest) = one(words)?;
    while let ["AND", more @ ..] = rest {
        let (other, after) = one(more)?;
        (met, rest) = (met && other, after);
    }
    Some((met, rest))
}

fn one<'a>(words: &'a [&'a str]) -> Met<'a> {
    match words {
        ["(", inside @ ..] => match either(inside)? {
            (met, [")", rest @ ..]) => Some((met, rest)),
            _ => None,
        },
        [licence, "WITH", exception, rest @ ..] => {
            Some((ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()), rest))
        }
        ["AND" | "OR" | "WITH" | ")", ..] | [] => None,
        [licence, rest @ ..] => Some((ALLOWED.contains(licence), rest)),
    }
}

#[test]
fn every_dependency_is_permissive() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.len() > 20, "only {} packages: is this the whole list?", packages.len());

    let refused: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(permissive))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "no permissive licence:\n{}", refused.join("\n"));
}

/// `scripts/audit` must not be laxer or stricter than this file.
#[test]
fn deny_toml_allows_the_same() {
    let deny = include_str!("../../deny.toml");
    let (_, list) = deny.split_once("allow = [").expect("an allow list");
    let (list, _) = list.split_once(']').expect("its end");
    let allowed: Vec<&str> =
        list.split(',').map(|item| item.trim().trim_matches('"')).filter(|s| !s.is_empty()).collect();
    assert_eq!(allowed, ALLOWED);
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    for good in [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-2.0-only OR (MIT AND Apache-2.0)",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        "MIT/Apache-2.0",
        "Unlicense OR MIT AND GPL-3.0-only",
    ] {
        assert!(permissive(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0-only",
        "MPL-2.0",
        "MIT AND GPL-3.0-only",
        "(MIT OR Apache-2.0) AND MPL-2.0",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "MIT OR Apache-2.0 AND",
        "MIT WITH Nonsense",
        "(MIT",
        "MIT)",
        "LicenseRef-Proprietary",
        "mit",
    ] {
        assert!(!permissive(bad), "{bad}");
    }
}
