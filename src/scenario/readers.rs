//! Every reader of outside text by its name, for whoever feeds it any bytes at all: `fuzz/`, and the test that replays
//! what it has found. A reader must come to an end without a panic, and what it says must hold together.

use std::sync::LazyLock;

use super::expected::Expected;
use super::{cells, demand};
use crate::lab::readers;
use crate::model::{Cloud, Era, apply, apply_all};
use crate::network::diff::diff;
use crate::topology::{Action, FlowPattern, Topology, read_flow, read_operations, read_services};
use crate::{compile, policy};

/// A reader of any bytes.
pub type Reader = fn(&[u8]);

/// All of them: what a user writes, what instances send, what the kernel and its tools say.
pub const READERS: [(&str, Reader); 10] = [
    ("topology", topology),
    ("live", live),
    ("dns", |bytes| readers::dns(&CLOUD, bytes)),
    ("http", |bytes| readers::http(&CLOUD, bytes)),
    ("time", readers::time),
    ("answer", readers::answer),
    ("packet", readers::packet),
    ("log", readers::log),
    ("flows", readers::flows),
    ("rules", readers::rules),
];

/// Feeds bytes to the reader of a name; false where there is none.
pub fn read(name: &str, bytes: &[u8]) -> bool {
    let reader = READERS.iter().find(|(known, _)| *known == name);
    reader.map(|(_, reader)| reader(bytes)).is_some()
}

/// A small cloud for those who answer questions about one.
static CLOUD: LazyLock<Cloud> = LazyLock::new(|| {
    let file = "
sglab: 1
era: vpc
vpcs: {one: {cidr: 10.0.0.0/16, ipv6: '2600:1f00:1::/56'}, two: {cidr: 10.0.0.0/16}}
groups: {WEB: {vpc: one, ingress: [tcp 80 from anywhere]}, OTHER: {vpc: two, ingress: [tcp 80 from OTHER]}}
instances: {web1: {vpc: one, groups: WEB}, web2: {vpc: one, groups: WEB}, other: {vpc: two, groups: OTHER}}
scenario: [{step: as launched, expect: {open: ['web1 -> web2:80']}}]
";
    match Topology::parse("readers.yaml", file.as_bytes()).map(|topology| topology.initial_cloud(Era::Vpc)) {
        Ok(Ok(cloud)) => cloud,
        other => unreachable!("the cloud of the readers is one: {other:?}"),
    }
});

/// Beyond so many instances the cells of a file are not counted, only its cloud is made.
const MAX_COUNTED_INSTANCES: usize = 8;

/// A topology file, and all that is done with it before a packet is sent.
fn topology(bytes: &[u8]) {
    let topology = match Topology::parse("fuzz.yaml", bytes) {
        Ok(topology) => topology,
        Err(problems) => {
            let told = problems.to_string();
            assert!(told.starts_with("error: "), "{told}");
            return;
        }
    };
    for era in topology.eras.iter().copied() {
        let Ok(mut cloud) = topology.initial_cloud(era) else { continue };
        let mut network = compile::network(&cloud).ok();
        for step in topology.steps.iter().filter(|step| step.is_of(era)) {
            for action in &step.actions {
                let Action::Call(call) = action else { continue };
                let Ok(_) = apply_all(&mut cloud, call.iter().map(|placed| &placed.value)) else { continue };
                let now = compile::network(&cloud).ok();
                if let (Some(before), Some(now)) = (&network, &now) {
                    diff(before, now);
                }
                network = now;
            }
            if cloud.instances.len() <= MAX_COUNTED_INSTANCES {
                let demands = demand::demands(&topology, &Expected::of(step).cells, &cloud);
                let grid: Vec<_> = demand::extent(&topology, &cloud).grid(&cloud, &topology.columns).collect();
                let demanded = demands.demands.iter().map(|demand| &demand.flow);
                for flow in grid.iter().chain(demanded) {
                    policy::judge(&cloud, flow);
                }
            }
        }
        // A cloud that cannot be compiled is told so by a name.
        if let Err(error) = compile::render(&cloud) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Reads what is typed for a lab that is up: operations, flows and ports, and the flow that `explain` is asked about.
fn live(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match read_operations(&CLOUD, &text) {
        Ok(operations) => {
            let mut cloud = CLOUD.clone();
            for operation in operations {
                let before = compile::network(&cloud);
                let Ok(_) = apply(&mut cloud, &operation.value) else { continue };
                if let (Ok(before), Ok(now)) = (before, compile::network(&cloud)) {
                    diff(&before, &now);
                }
            }
        }
        Err(problems) => assert!(problems.to_string().starts_with("error: "), "{problems}"),
    }
    for pattern in [read_flow(&CLOUD, &text), FlowPattern::parse(&text, &CLOUD)] {
        match pattern {
            Ok(pattern) => {
                for flow in cells::select(&pattern, None, &CLOUD).unwrap_or_default() {
                    policy::judge(&CLOUD, &flow);
                }
            }
            Err(problems) => assert!(problems.to_string().starts_with("error: "), "{problems}"),
        }
    }
    if let Err(problems) = read_services(&CLOUD, &text) {
        assert!(problems.to_string().starts_with("error: "), "{problems}");
    }
}

/// The seeds of a reader that have a name: lines of `fuzz/corpus/named.txt`, and the files of its folder.
#[cfg(test)]
pub(crate) fn named_seeds(reader: &str) -> Vec<(String, Vec<u8>)> {
    use std::{fs, path::Path};

    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let table = fs::read_to_string(corpus.join("named.txt")).expect("the seeds with a name");
    let line = |line: &str| {
        let (of, rest) = line.split_once(' ')?;
        let (name, bytes) = rest.split_once(' ')?;
        (of == reader).then(|| (name.to_owned(), unescaped(bytes)))
    };
    let lines = table.lines().filter(|it| !it.starts_with('#')).filter_map(line);
    let files = fs::read_dir(corpus.join(reader)).into_iter().flatten().map(|entry| {
        let path = entry.expect("an entry").path();
        (path.display().to_string(), fs::read(&path).expect("it can be read"))
    });
    lines.chain(files).collect()
}

/// Reads bytes as `printf %b` does, of which the table of seeds has `\\`, `\n`, `\r`, `\t` and `\x` with two digits.
#[cfg(test)]
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, length) = match (first, after) {
            (b'\\', [b'x', digits @ ..]) => {
                let digits = std::str::from_utf8(&digits[..2]).expect("two digits");
                (u8::from_str_radix(digits, 16).expect("two digits"), 4)
            }
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', _) => panic!("no escape that the table has: {text}"),
            (byte, _) => (*byte, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files of an archive: a block of 512 bytes with name and size before each, which is filled up to whole blocks.
    fn unpacked(archive: &[u8]) -> Vec<(String, &[u8])> {
        let text = |field: &[u8]| String::from_utf8_lossy(field).trim_end_matches('\0').to_owned();
        let mut files = Vec::new();
        let mut rest = archive;
        while let Some((header, after)) = rest.split_at_checked(512).filter(|(header, _)| header[0] != 0) {
            let size = text(&header[124..136]);
            let size = usize::from_str_radix(size.trim(), 8).expect("a size");
            assert!(matches!(header[156], b'0' | 0), "{} is no plain file", text(&header[..100]));
            files.push((text(&header[..100]), &after[..size]));
            rest = &after[size.next_multiple_of(512)..];
        }
        files
    }

    #[test]
    fn a_seed_with_a_name_is_read_as_printf_prints_it() {
        assert_eq!(unescaped(r"a\x0011\\\n"), b"a\x0011\\\n");
        let seeds = named_seeds("packet");
        assert!(seeds.iter().any(|(name, bytes)| name == "tcp" && bytes.len() == 40), "{seeds:?}");
    }

    #[test]
    fn every_reader_bears_all_that_fuzzing_has_kept() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let (mut named, mut found) = (0, 0);
        for (name, reader) in READERS {
            for (seed, bytes) in named_seeds(name) {
                // Named before it is read: a hang or an abort says nothing of itself.
                eprintln!("{name}: {seed}");
                reader(&bytes);
                named += 1;
            }
            let archive = fs::read(fuzz.join("corpus").join(format!("{name}.tar"))).unwrap_or_default();
            for (file, bytes) in unpacked(&archive) {
                eprintln!("{name}.tar: {file}");
                reader(bytes);
                found += 1;
            }
        }
        assert!(named >= READERS.len() * 3, "the corpus has only {named} seeds with a name");
        assert!(found >= 1000, "the archives have only {found} files");
        assert!(!read("nobody", b""), "there is no such reader");
    }
}
