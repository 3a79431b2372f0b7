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
    fn every_reader_bears_all_that_fuzzing_has_kept() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let (mut named, mut found) = (0, 0);
        for (name, reader) in READERS {
            let folder = fuzz.join("corpus").join(name);
            for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
                let path = entry.expect("an entry").path();
                // Named before it is read: a hang or an abort says nothing of itself.
                eprintln!("{}", path.display());
                reader(&fs::read(&path).expect("it can be read"));
                named += 1;
            }
            let archive = fs::read(folder.with_extension("tar")).unwrap_or_default();
            for (file, bytes) in unpacked(&archive) {
                eprintln!("{}.tar: {file}", folder.display());
                reader(bytes);
                found += 1;
            }
        }
        assert!(named >= READERS.len() * 3, "the corpus has only {named} files with a name");
        assert!(found >= 1000, "the archives have only {found} files");
        assert!(!read("nobody", b""), "there is no such reader");
    }
}
