//! A log that loses records, overflows, or cannot be read: verdicts come later or not at all, and are never wrong.

use std::net::UdpSocket;

use indexmap::IndexSet;
use sglab::fabric::faults::{Faults, LogFault};
use sglab::fabric::nflog::LogSocket;
use sglab::lab::Lab;
use sglab::model::{Era, Via};
use sglab::policy;
use sglab::probe::Outcome;
use sglab::scenario::agreement::{Agreement, compare};
use sglab::scenario::cells;

use crate::bare::{Bare, inside};
use crate::clouds::*;

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
    let before = crate::snapshot::Snapshot::of(&lab).await;
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
        assert!(matches!(refused, sglab::lab::LabError::Broken(_)), "{refused}");
        return;
    }
    assert!(is_open(&probe(&mut lab, open).await.outcome), "it works as before");
    change(&mut lab, &stop("web1")).await;
}
