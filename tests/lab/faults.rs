//! Faults of what operations rest on: the nft program, the filters' log, and load balancers with their targets.

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexSet;
use sglab::fabric::faults::{Faults, LogFault, Nft};
use sglab::fabric::nflog::LogSocket;
use sglab::lab::{Lab, LabError};
use sglab::model::{Era, Operation, Via};
use sglab::policy;
use sglab::probe::Outcome;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::cells;

use crate::bare::{Bare, inside};
use crate::clouds::*;
use crate::faults_operations::whole_or_not_at_all;
use crate::patience::patience;
use crate::snapshot::Snapshot;

const CLOUD: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from anywhere], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306']}}]
";

async fn never_wrong(fault: LogFault) {
    let topology = topology(CLOUD);
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    let faults = Faults::default();
    faults.spoil_logs(Some(fault));
    let mut lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    let vias = IndexSet::from([None, Some(Via::Public)]);
    let flows: Vec<_> = cells::grid(lab.cloud(), &topology.columns, &vias).collect();
    let mut unproved = 0;
    // Several, since each time others are lost.
    for _ in 0..3 {
        let batch = lab.probe(&flows).await.unwrap_or_else(|error| panic!("{error}"));
        for seen in batch.observations {
            let verdict = policy::judge(lab.cloud(), &seen.flow);
            match compare(&verdict, &seen) {
                Agreement::Agree => {}
                Agreement::Disagree => panic!("{fault:?}, {}: {verdict:?} and {:?}", seen.flow, seen.outcome),
                Agreement::Unproved => unproved += 1,
            }
        }
    }
    assert!(unproved > 0, "{fault:?} was felt");
}

#[sglab::test]
async fn a_log_that_loses_every_second_record_makes_no_wrong_verdict() {
    never_wrong(LogFault::LoseEvery(2)).await;
}

#[sglab::test]
async fn a_log_that_loses_every_seventh_record_makes_no_wrong_verdict() {
    never_wrong(LogFault::LoseEvery(7)).await;
}

#[sglab::test]
async fn a_log_that_overflows_makes_no_wrong_verdict() {
    never_wrong(LogFault::OverflowEvery(4)).await;
}

#[sglab::test]
async fn a_log_that_cannot_be_read_makes_no_wrong_verdict() {
    never_wrong(LogFault::Unreadable).await;
}

/// Once `open` was told now and then without the rule that admitted it: the receiver's tap was read before the log.
#[sglab::test]
async fn what_a_filter_has_recorded_is_read_before_an_arrival_is_heard_of() {
    let topology = topology(CLOUD);
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    let faults = Faults::default();
    faults.spoil_logs(Some(LogFault::Silent));
    let mut lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    let vias = IndexSet::from([None]);
    let all = cells::grid(lab.cloud(), &topology.columns, &vias);
    let open: Vec<_> = all.filter(|flow| policy::judge(lab.cloud(), flow).is_open()).collect();
    assert!(open.len() > 3, "{open:?}");
    let batch = lab.probe(&open).await.unwrap_or_else(|error| panic!("{error}"));
    for seen in batch.observations {
        assert!(matches!(seen.outcome, Outcome::Open { admitted_by: Some(_) }), "{}: {:?}", seen.flow, seen.outcome);
    }
}

#[sglab::test]
async fn a_log_that_nobody_reads_tells_that_it_lost_records() {
    let bare = Bare::boot(initial_cloud(&topology(CLOUD), Era::Vpc).0).await;
    let mut log = LogSocket::open(&bare.node("vpc-default")).await.unwrap_or_else(|error| panic!("{error}"));
    let (web1, db1) = (private(&bare.cloud, "web1").0, private(&bare.cloud, "db1").0);
    let socket = inside(&bare.node("web1"), move || UdpSocket::bind((web1, 5000))).await.expect("a socket");
    let mut sent = 0;
    for _ in 0..40_000 {
        // The link may be full for a moment.
        sent += u64::from(socket.send_to(b"dropped", (db1, 53)).is_ok());
    }
    let read = log.read().expect("the log");
    let records = u64::try_from(read.records.len()).expect("a number");
    assert!(read.lost > 0 && records > 0 && records < sent, "{} of {sent} records, {} lost", records, read.lost);
    // And it goes on: what comes now is read.
    socket.send_to(b"dropped", (db1, 54)).expect("sent");
    let after = log.read().expect("the log");
    assert!(after.lost > 0 || !after.records.is_empty());
}

#[sglab::test]
async fn without_descriptors_nothing_is_proved_and_nothing_is_changed() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let before = Snapshot::of(&lab).await;
    let open = flow("web1", "db1", tcp(3306));
    assert!(is_open(&probe(&mut lab, open.clone()).await.outcome));
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit");
    let used = std::fs::read_dir("/proc/self/fd").expect("descriptors").count() as u64;
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, used, hard).expect("a limit");
    let mut hoard = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let observation = lab.probe(std::slice::from_ref(&open)).await.expect("an answer").observations.remove(0);
    let failed = lab.apply(&stop("web1")).await;
    drop(hoard);
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft, hard).expect("a limit");
    assert!(matches!(observation.outcome, Outcome::Inconclusive { .. }), "{observation:?}");
    let error = failed.expect_err("there is no socket for it").to_string();
    assert!(error.contains("open files"), "{error}");
    before.assert_is_now(&lab, &error).await;
    if error.contains("broken") {
        // To take something back needs a descriptor too: then nothing is measured any more.
        let refused = lab.probe(&[open]).await.expect_err("nothing is measured");
        assert!(matches!(refused, LabError::Broken(_)), "{refused}");
        return;
    }
    assert!(is_open(&probe(&mut lab, open).await.outcome), "it works as before");
    change(&mut lab, &stop("web1")).await;
}

/// What an nft does in place of its work: its words, and what the error has of them.
const FAULTS: &[(&str, &str)] = &[
    ("echo 'Error: no' >&2; exit 1", "Error: no"),
    ("kill -9 $$", "ended by signal 9"),
    ("exec sleep 1000", "had not ended after"),
    // Here the kernel has taken the transaction.
    ("NFT \"$@\"; kill -9 $$", "has taken the transaction nevertheless"),
    ("NFT \"$@\"; exec sleep 1000", "has taken the transaction nevertheless"),
    ("NFT \"$@\"; exit 1", "has taken the transaction nevertheless"),
];

async fn small() -> (Lab, Faults) {
    let text = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {WEB: [], DB: [tcp 3306 from WEB]}
instances: {web1: {groups: [WEB]}, db1: {groups: [DB]}}
scenario: [{step: as launched, expect: {open: ['web1 -> db1:3306'], dropped: ['web1 -> db1:22']}}]
";
    let (cloud, listeners) = initial_cloud(&topology(text), Era::Vpc);
    let faults = Faults::default();
    let lab = Lab::boot_with(cloud, listeners, faults.clone()).await.unwrap_or_else(|error| panic!("{error}"));
    (lab, faults)
}

/// How often a program in the place of nft fails.
#[derive(Clone, Copy, PartialEq)]
enum Often {
    Once,
    Always,
}

/// A program in the place of nft, which fails to carry out transactions; several may run at the same time.
fn instead(folder: &tempfile::TempDir, fault: &str, often: Often) -> PathBuf {
    let real = sglab::sandbox::which::nft().expect("nft").display().to_string();
    let (path, once) = (folder.path().join("nft"), folder.path().join("once"));
    let guard = if often == Often::Once {
        format!("mkdir {} 2>&- || exec {real} \"$@\"\n", once.display())
    } else {
        String::new()
    };
    let fault = fault.replace("NFT", &real).replace("ONCE", &once.display().to_string());
    std::fs::write(&path, format!("#!/bin/sh\n[ \"$1\" = -f ] || exec {real} \"$@\"\n{guard}{fault}\n"))
        .expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    // There is none the first time.
    let _ = std::fs::remove_dir(once);
    path
}

async fn still_as_launched(lab: &mut Lab) {
    let found = outcomes(lab, &[flow("web1", "db1", tcp(3306)), flow("web1", "db1", tcp(22))]).await;
    assert!(is_open(&found[0]) && is_dropped(&found[1]), "{found:?}");
}

fn operations() -> [Operation; 2] {
    [authorize("DB", tcp_port(22), group("WEB")), stop("web1")]
}

#[sglab::test]
async fn an_nft_that_fails_once_in_any_way_leaves_everything_as_it_was() {
    let (mut lab, faults) = small().await;
    let before = Snapshot::of(&lab).await;
    let folder = tempfile::tempdir().expect("a folder");
    for (fault, words) in FAULTS {
        for operation in operations() {
            let program = instead(&folder, fault, Often::Once);
            faults.replace_nft(Some(Nft::new(&program, patience(2))));
            let error = lab.apply(&operation).await.expect_err("nft failed").to_string();
            faults.replace_nft(None);
            assert!(error.contains(words) && error.contains("failed to change the ruleset of"), "{fault}: {error}");
            before.assert_is_now(&lab, fault).await;
        }
        still_as_launched(&mut lab).await;
    }
    for operation in operations() {
        change(&mut lab, &operation).await;
    }
}

#[sglab::test]
async fn an_nft_that_never_works_changes_nothing() {
    let (mut lab, faults) = small().await;
    let before = Snapshot::of(&lab).await;
    let folder = tempfile::tempdir().expect("a folder");
    // One transaction: there is nothing to be undone by the same nft.
    let [operation, _] = operations();
    for (fault, _) in FAULTS.iter().filter(|(fault, _)| !fault.contains("NFT")) {
        let program = instead(&folder, fault, Often::Always);
        faults.replace_nft(Some(Nft::new(&program, Duration::from_millis(500))));
        lab.apply(&operation).await.expect_err("nft failed");
        faults.replace_nft(None);
        before.assert_is_now(&lab, fault).await;
    }
    still_as_launched(&mut lab).await;
}

#[sglab::test]
async fn an_nft_that_commits_and_then_always_dies_breaks_the_lab() {
    let (mut lab, faults) = small().await;
    let folder = tempfile::tempdir().expect("a folder");
    // It commits once, and never works again: what it has committed cannot be taken back.
    let program = instead(&folder, "mkdir ONCE 2>&- && NFT \"$@\"; kill -9 $$", Often::Always);
    faults.replace_nft(Some(Nft::new(&program, patience(2))));
    let [operation, _] = operations();
    let error = lab.apply(&operation).await.expect_err("nft died").to_string();
    faults.replace_nft(None);
    assert!(error.contains("taking it back failed"), "{error}");
    let refused = lab.probe(&[flow("web1", "db1", tcp(22))]).await.expect_err("nothing is measured");
    assert!(matches!(refused, LabError::Broken(_)), "{refused}");
}

const VPC: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups:
  ELB: [tcp 80 from anywhere]
  WEB: [tcp 80 from ELB, tcp 4000-4009 from office]
  DB: [tcp 4000-4009 from WEB]
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, web3: {groups: [WEB]}, db1: {groups: [DB]}}
load-balancers:
  lb: {groups: ELB, listeners: [tcp 80], targets: [web1, web3], health-check: {interval: 0.05, healthy: 2, unhealthy: 2}}
scenario:
- step: as launched
  expect: {open: ['office -> lb:80']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['office -> lb:80']}
";

const CLASSIC: &str = "sglab: 1
era: classic
hosts: {office: 203.0.113.10}
groups:
  WEB: [tcp 80 from amazon-elb/amazon-elb-sg, tcp 4000-4009 from office]
  DB: [tcp 4000-4009 from WEB]
instances: {web1: {groups: [WEB]}, web2: {groups: [WEB]}, web3: {groups: [WEB]}, db1: {groups: [DB]}}
load-balancers:
  lb: {listeners: [tcp 80], targets: [web1, web3], health-check: {interval: 0.05, healthy: 2, unhealthy: 2}}
scenario:
- step: as launched
  expect: {open: ['office -> lb:80']}
- step: all that is done
  do:
  OPERATIONS
  expect: {open: ['office -> lb:80']}
";

#[sglab::test]
async fn targets_of_a_vpc_are_registered_and_come_and_go_whole_or_not_at_all() {
    let operations = "
    - register-instances: {lb: web2}
    - stop: web3
    - start: web3
    - deregister-instances: {lb: web2}
    - terminate: web3";
    whole_or_not_at_all(VPC, operations, Era::Vpc).await;
}

#[sglab::test]
async fn targets_of_classic_are_registered_and_come_and_go_whole_or_not_at_all() {
    let operations = "
    - stop: web3
    - start: web3
    - deregister-instances: {lb: web3}
    - register-instances: {lb: [web2, web3]}
    - terminate: web3";
    whole_or_not_at_all(CLASSIC, operations, Era::Classic).await;
}
