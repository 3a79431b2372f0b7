//! The rooms and their arrows (docs/architecture.md): a file that names a room above or beside its own is an error,
//! a pure room never reaches the kernel, the clock, the environment or files, and `unsafe` has one place.

mod catch_alls;
mod circles;
mod source;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use catch_alls::catch_alls;
use source::{Named, Word, paths, without_tests, words};

/// A room, as the table in docs/architecture.md has it.
struct Room {
    name: String,
    /// Touches no file, clock, environment, process or socket.
    pure: bool,
    /// The rooms that it may name.
    below: Vec<String>,
    /// Names no cloud and no group.
    cloudless: bool,
}

/// The rooms of the library, from the top down.
static ROOMS: LazyLock<Vec<Room>> = LazyLock::new(|| {
    let page = include_str!("../../docs/architecture.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rooms = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, pure, below, _] = cells[..] else { panic!("a row of four cells: {row}") };
        let room = Room {
            name: quoted(name).concat(),
            pure: pure == "pure",
            below: quoted(below),
            cloudless: below.contains("no cloud"),
        };
        // The program's own room has no restriction.
        (below != "every room").then_some(room)
    });
    rooms.collect()
});

/// The tests of every room above this one may read their clouds from the text of a file.
const READ_BY_TESTS: &str = "topology";

/// What of `model` is a cloud: a room without one may name the rest, which is addresses, ports and names.
const CLOUD: &[&str] = &["Cloud", "cloud", "SecurityGroup", "apply", "Operation", "operation"];

/// Plain data inside a room: others fill it and read it, and it names nothing else of its room.
const LEAF: &[&str] = &["scenario", "results"];

/// Parts of the standard library that a pure room has no business with, and whole crates.
const IMPURE: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "os"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
    &["tokio"],
    &["nix"],
    &["libc"],
    &["socket2"],
    &["rtnetlink"],
    &["netlink_sys"],
    &["netns_rs"],
    &["caps"],
    &["tempfile"],
    &["println"],
    &["eprintln"],
    &["print"],
    &["eprint"],
];

/// The one file that may say `unsafe`.
const UNSAFE: &str = "sandbox/raw.rs";

/// Enums of which no match may have an arm for whatever is left: each new variant has to be thought of there.
const EXHAUSTIVE: &[&str] = &["Operation", "Expectation", "NameEffect", "RuleEffect", "Power", "Typed", "Verb"];

/// What is wrong with one file; `file` is its path below `src`, `test` whether all of it is compiled for tests only.
fn faults(file: &str, text: &str, test: bool) -> Vec<String> {
    let all = words(text);
    let product = if test { Vec::new() } else { without_tests(all.clone()).0 };
    let home = module(file);
    let mut faults = Vec::new();
    let mut fault = |line: usize, what: String| faults.push(format!("src/{file}:{line}: {what}"));

    if let Some(room) = ROOMS.iter().find(|room| home.first().is_some_and(|first| *first == room.name)) {
        let above = |name: &str| ROOMS.iter().position(|other| other.name == name);
        let reads_files = above(&room.name) < above(READ_BY_TESTS);
        let product_paths = paths(&product, &home);
        for named in paths(&all, &home) {
            let for_tests = reads_files && !product_paths.contains(&named);
            if for_tests && begins(&named.path, &["crate", READ_BY_TESTS]) {
                continue;
            }
            if let Some(what) = upward(room, &named) {
                fault(named.line, what);
            }
        }
        if room.pure {
            for named in product_paths {
                if let Some(path) = IMPURE.iter().find(|path| begins(&named.path, path)) {
                    fault(named.line, format!("`{}` is pure and names {}", room.name, path.join("::")));
                }
            }
        }
    }
    if begins(&home, LEAF) {
        for named in paths(&all, &home).iter().filter(|named| begins(&named.path, &["crate", LEAF[0]])) {
            if !begins(&named.path, &["crate", LEAF[0], LEAF[1]]) {
                fault(named.line, format!("`{}` is plain data and names {}", LEAF.join("::"), named.path.join("::")));
            }
        }
    }
    if home.first().is_some_and(|room| room == "report") {
        for path in all.windows(3) {
            let [owner, colons, kind] = path else { continue };
            let is_kind = ["Details", "Section"].contains(&owner.text.as_str());
            if is_kind && colons.text == "::" {
                fault(kind.line, format!("a report names a kind of expectation, {}", kind.text));
            }
        }
    }
    for (number, word) in all.iter().enumerate() {
        if word.text == "unsafe" && file != UNSAFE {
            fault(word.line, format!("`unsafe` outside {UNSAFE}"));
        }
        if word.text == "crate" && all.get(number + 1).is_some_and(|next| next.text == "as") {
            fault(word.line, "the crate under another name hides what is named".into());
        }
        if word.text == "unsafe_code" && file != UNSAFE {
            fault(word.line, "the lint against `unsafe` is touched".into());
        }
    }
    for line in catch_alls(&product, EXHAUSTIVE) {
        fault(line, "a catch-all swallows variants to come".into());
    }
    for call in product.windows(3) {
        let [dot, name, open] = call else { continue };
        if dot.text == "." && open.text == "(" && ["unwrap", "expect"].contains(&name.text.as_str()) {
            fault(name.line, format!("`{}` outside tests", name.text));
        }
    }
    faults
}

/// Why a room may not name this, if it may not.
fn upward(room: &Room, named: &Named) -> Option<String> {
    let name = &room.name;
    if named.path[0] == "sglab" && named.path.len() > 1 {
        return Some(format!("`{name}` names its own crate from outside"));
    }
    if named.path[0] != "crate" || named.path.len() == 1 {
        return None;
    }
    let other = &named.path[1];
    if !ROOMS.iter().any(|room| room.name == *other) {
        return Some(format!("`{other}` is no room: every path names the room it comes from"));
    }
    if other != name && !room.below.contains(other) {
        return Some(format!("`{name}` may not know `{other}`"));
    }
    let inner = named.path.get(2).map_or("*", String::as_str);
    if room.cloudless && other == "model" && (inner == "*" || CLOUD.contains(&inner)) {
        return Some(format!("`{name}` knows no cloud and names `model::{inner}`"));
    }
    None
}

/// Whether a path begins so, or takes in what does by a `*`, or names the folder it is in for later use.
fn begins(path: &[String], start: &[&str]) -> bool {
    let whole = |path: &[String]| path.len() >= start.len() && path.iter().zip(start).all(|(a, b)| a == b);
    whole(path)
        || path.split_last().is_some_and(|(last, parents)| {
            last == "*"
                && !parents.is_empty()
                && parents.len() < start.len()
                && parents.iter().zip(start).all(|(a, b)| a == b)
        })
}

/// The module that a file is: `model/apply/mod.rs` is `model::apply`.
fn module(file: &str) -> Vec<String> {
    let mut path: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    path.pop_if(|last| last == "mod" || last == "lib" || last == "main");
    path
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `src` with its text.
fn source_files() -> Vec<(String, String)> {
    let src = source_folder();
    let files: Vec<(String, String)> = rust_files(&src)
        .into_iter()
        .map(|path| (path.strip_prefix(&src).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(files.len() > 50, "src has only {} files: is this the right folder?", files.len());
    files
}

/// Modules in files of their own that are compiled for tests only, by `#[cfg(test)] mod name;`.
fn modules_for_tests(files: &[(String, String)]) -> Vec<Vec<String>> {
    files
        .iter()
        .flat_map(|(file, text)| {
            let home = module(file);
            let (_, names) = without_tests(words(text));
            names.into_iter().map(move |name| [home.clone(), vec![name]].concat())
        })
        .collect()
}

#[test]
fn arrows_point_down_and_pure_rooms_stay_pure() {
    let src = source_folder();
    let files = source_files();
    let for_tests = modules_for_tests(&files);
    let is_test = |file: &str| for_tests.iter().any(|test| module(file).starts_with(test));

    let mut report = String::new();
    for (file, text) in &files {
        for fault in faults(file, text, is_test(file)) {
            writeln!(report, "{fault}").unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");

    // A new room must be put in the table; the binary's two are above it.
    for entry in fs::read_dir(&src).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().display().to_string();
        let known = ROOMS.iter().any(|room| room.name == name) || ["cli", "lib", "main"].contains(&name.as_str());
        assert!(known, "src/{name} is in no row of the table of rooms");
    }
}

/// That the table itself points down: each room names only rooms that stand below it.
#[test]
fn the_table_has_no_circle() {
    for (number, room) in ROOMS.iter().enumerate() {
        for other in &room.below {
            assert!(ROOMS[number + 1..].iter().any(|below| below.name == *other), "{} -> {other} points up", room.name);
        }
    }
    let may_name = |room: &str, other: &str| ROOMS.iter().any(|r| r.name == room && r.below.iter().any(|b| b == other));
    assert!(may_name("compile", "model") && may_name("policy", "model"));
    assert!(!may_name("policy", "compile") && !may_name("compile", "policy"));
    assert!(!may_name("compile", "fabric") && !may_name("fabric", "compile"));
}

/// Fails where a file reaches itself by what it names: what several need belongs in a file below them, and a `mod.rs` only passes on what
/// its files make.
#[test]
fn no_file_reaches_itself_by_what_it_names() {
    let files = source_files();
    let for_tests = modules_for_tests(&files);
    let mut rooms: BTreeMap<String, Vec<circles::Source>> = BTreeMap::new();
    for (file, text) in &files {
        let home = module(file);
        if let Some(room) = home.first().cloned()
            && !for_tests.iter().any(|test| home.starts_with(test))
        {
            rooms.entry(room).or_default().push((home, without_tests(words(text)).0));
        }
    }
    let mut report = String::new();
    for files in rooms.values() {
        let graph = circles::graph(files);
        for circle in circles::circles(&graph) {
            writeln!(report, "files in a circle:").unwrap();
            report.push_str(&circles::arrows(&graph, &circle));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// Planted circles, and what looks like one: files of a room `a`, with the files that must be found in circles.
#[test]
fn planted_circles_are_found() {
    type Files<'a> = &'a [(&'a str, &'a str)];
    let planted: [(Files<'_>, &[&str]); 7] = [
        (&[("a/b.rs", "use super::c::C;"), ("a/c.rs", "fn f() { super::b::f() }")], &["a::b", "a::c"]),
        // By the hub, which passes on what another file makes.
        (
            &[("a/mod.rs", "mod b; mod c; pub use c::{C, D};"), ("a/b.rs", ""), ("a/c.rs", "use super::{E, F};")],
            &["a", "a::c"],
        ),
        (&[("a/mod.rs", "mod b; fn f() { b::g() }"), ("a/b.rs", "use crate::a::*;")], &["a", "a::b"]),
        (&[("a/mod.rs", "mod b; pub use b::B;"), ("a/b.rs", "pub(super) fn f() {} pub(in crate::a) fn g() {}")], &[]),
        (&[("a/mod.rs", "mod b; mod c;"), ("a/b.rs", "use super::c::C;"), ("a/c.rs", "use crate::d::D;")], &[]),
        (&[("a/mod.rs", "mod b; fn f(b: B) { b.g() }"), ("a/b.rs", "use super::F;")], &[]),
        (&[("a/b.rs", "mod c { use super::super::d::D; }"), ("a/d.rs", "use super::b;")], &["a::b", "a::d"]),
    ];
    for (files, expected) in planted {
        let parsed: Vec<_> = files.iter().map(|(file, text)| (module(file), words(text))).collect();
        let found = circles::circles(&circles::graph(&parsed));
        let found: Vec<String> = found.iter().flatten().map(|file| file.join("::")).collect();
        assert_eq!(found, expected, "{files:?}");
    }
}

/// Planted faults: (file, source, what must be said). Without these, a scanner that sees nothing passes.
#[test]
fn planted_faults_are_found() {
    let planted = [
        ("model/x.rs", "use crate::policy::judge;", "`model` may not know `policy`"),
        ("model/x.rs", "#[cfg(test)] mod tests { use crate::topology::schema; }", "`model` may not know `topology`"),
        ("policy/x.rs", "use crate::topology::Topology;", "`policy` may not know `topology`"),
        ("policy/x.rs", "use crate::compile::nft;", "`policy` may not know `compile`"),
        ("compile/x.rs", "fn f() { crate::policy::judge() }", "`compile` may not know `policy`"),
        ("compile/x.rs", "use crate::{model::Cloud, policy as p};", "`compile` may not know `policy`"),
        (
            "fabric/x.rs",
            "use crate::{\n  network::{Link, nft}, compile::network,\n};",
            "`fabric` may not know `compile`",
        ),
        ("fabric/x.rs", "use crate::model::{Mtu, Cloud};", "knows no cloud and names `model::Cloud`"),
        ("network/x.rs", "use crate::model::apply::Refusal;", "knows no cloud and names `model::apply`"),
        ("network/x.rs", "use crate::model;", "knows no cloud and names `model::*`"),
        ("probe/x.rs", "use super::super::lab::Lab;", "`probe` may not know `lab`"),
        ("probe/x/y.rs", "use super::super::super::{model::Flow, lab::Lab};", "`probe` may not know `lab`"),
        ("probe/x.rs", "mod a { use super::super::super::lab::Lab; }", "`probe` may not know `lab`"),
        ("scenario/mod.rs", "use super::report::text;", "`scenario` may not know `report`"),
        ("scenario/x.rs", "use crate::fabric::Fabric;", "`scenario` may not know `fabric`"),
        ("scenario/results/x.rs", "use super::super::judge;", "`scenario::results` is plain data"),
        (
            "report/x.rs",
            "fn f(d: &Details) { match d { Details::Statement(_) => {} _ => {} } }",
            "a kind of expectation, Statement",
        ),
        ("report/x.rs", "fn f(s: Section) -> bool { s == Section::TRAFFIC }", "a kind of expectation, TRAFFIC"),
        ("lab/x.rs", "#[cfg(test)] mod tests { use crate::scenario::run; }", "`lab` may not know `scenario`"),
        ("model/x.rs", "use crate::*;", "`*` is no room"),
        ("model/x.rs", "use crate as all; use all::policy::judge;", "under another name"),
        ("model/x.rs", "use sglab::lab::Lab;", "from outside"),
        ("model/x.rs", "use std::fs;", "`model` is pure and names std::fs"),
        ("model/x.rs", "fn f() { std::env::var(\"A\"); }", "names std::env"),
        ("policy/x.rs", "use std::{fmt, process::Command};", "names std::process"),
        ("compile/x.rs", "use std::time::{Duration, Instant};", "names std::time::Instant"),
        ("compile/x.rs", "use std::net::*;", "names std::net::TcpStream"),
        ("report/x.rs", "async fn f() { tokio::task::yield_now().await }", "names tokio"),
        ("report/x.rs", "fn f() { println!(\"a\") }", "names println"),
        ("lab/x.rs", "fn f() { unsafe { g() } }", "`unsafe` outside"),
        ("lab/x.rs", "#![allow(unsafe_code)]", "lint against `unsafe`"),
        ("lab/x.rs", "fn f() { g().unwrap(); }", "`unwrap` outside tests"),
        ("cli/x.rs", "fn f() { g()\n    .expect(\"a\"); }", "src/cli/x.rs:2: `expect` outside tests"),
        ("lab/x.rs", "#[cfg(test)] mod tests { fn f() {} } fn f() { g().unwrap(); }", "`unwrap` outside tests"),
        (
            "model/x.rs",
            "fn f(it: &Operation) { match it { Operation::Stop(_) => g(), _ => {} } }",
            "a catch-all swallows variants to come",
        ),
    ];
    for (file, source, expected) in planted {
        let found = faults(file, source, false);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{file}: {source}: found {found:?}");
    }
}

/// What looks like a fault and is none.
#[test]
fn innocents_pass() {
    let innocent = [
        ("model/x.rs", "// use crate::policy;\n/* std::fs /* nested */ tokio:: */ const A: &str = \"crate::lab\";"),
        (
            "model/x.rs",
            "const A: &str = r#\"unsafe { \"crate::lab\" }\"#; const B: char = '\\''; fn f<'a>(_: &'a str) {}",
        ),
        ("model/apply/x.rs", "use super::super::{Cloud, Flow}; pub(crate) fn f() {} pub(in crate::model) fn g() {}"),
        ("compile/x.rs", "use std::time::Duration; use std::net::{IpAddr, Ipv4Addr}; use crate::model::*;"),
        ("fabric/x.rs", "use crate::network::{End, Link}; use crate::model::Mtu; use std::fs; use nix::sched;"),
        ("model/x.rs", "#[cfg(test)] mod tests { fn f() { std::fs::read(\"a\").unwrap(); } }"),
        ("policy/x.rs", "#[cfg(test)] mod tests { use crate::topology::Topology; }"),
        ("scenario/results/x.rs", "use super::cells::Grid; use crate::model::Flow;"),
        ("report/x.rs", "fn f() { for section in SECTIONS {} }"),
        ("lab/x.rs", "fn f() { g().unwrap_or(1); h().expect_err; }"),
        (
            "model/x.rs",
            "fn f(it: &Operation) { match it { Operation::Stop(n) => match n { 1 => g(), _ => {} }, Operation::Start(_) => {} } }",
        ),
        ("model/x.rs", "fn f(n: u8) { match n { 1 => g(Operation::Stop), _ => h() } match n { 1 => g(), _ => {} } }"),
    ];
    for (file, source) in innocent {
        assert_eq!(faults(file, source, false), Vec::<String>::new(), "{file}: {source}");
    }
    assert_eq!(faults("lab/tests.rs", "fn f() { g().unwrap(); }", true), Vec::<String>::new());
    assert_eq!(words("a\n'b' 'c d"), [("a", 1), ("c", 2), ("d", 2)].map(|(t, line)| Word { text: t.into(), line }));
}
