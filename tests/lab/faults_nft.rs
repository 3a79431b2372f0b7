//! The nft program fails, hangs or is killed, before and after the kernel took what it was to bring.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use sglab::fabric::faults::{Faults, Nft};
use sglab::lab::{Lab, LabError};
use sglab::model::{Era, Operation};

use crate::clouds::*;
use crate::snapshot::Snapshot;

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
            faults.replace_nft(Some(Nft::new(&program, Duration::from_secs(2))));
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
    faults.replace_nft(Some(Nft::new(&program, Duration::from_secs(2))));
    let [operation, _] = operations();
    let error = lab.apply(&operation).await.expect_err("nft died").to_string();
    faults.replace_nft(None);
    assert!(error.contains("taking it back failed"), "{error}");
    let refused = lab.probe(&[flow("web1", "db1", tcp(22))]).await.expect_err("nothing is measured");
    assert!(matches!(refused, LabError::Broken(_)), "{refused}");
}
