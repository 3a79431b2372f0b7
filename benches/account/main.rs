//! The commands on accounts: a dump against one of twice its size, and a group of 1,000 rules against one of 2,000. Work that grows with the account
//! doubles, and work that grows with pairs of its parts takes four times as long.
//!
//! `cargo bench --bench account -- --write FILE GROUPS` writes such a dump, for the program: 5,000 groups are 51 MB.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "each benchmark takes what it needs")]
#[path = "../common/mod.rs"]
mod common;
mod dump;

use std::time::{Duration, Instant};

use sglab::account::Account;
use sglab::graph::Picture;
use sglab::import::{Text, read, topology_of};
use sglab::lint::{Date, Options, lint};
use sglab::reach::compare;

/// Twice as long for twice as much, and a little for memory that is farther away.
const AIM: f64 = 2.5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--write") {
        let groups = arguments[at + 2].parse().expect("a number of groups");
        return std::fs::write(&arguments[at + 1], dump::account(groups, dump::Version::First)).expect("a file");
    }
    let rounds = common::rounds(5);
    // Where tests are run, only to see that it works.
    let (groups, rules) = if rounds > 1 { (1_250, 1_000) } else { (20, 20) };
    let sizes = [groups, groups * 2]
        .map(|groups| [dump::Version::First, dump::Version::Second].map(|version| dump::account(groups, version)));
    let megabytes = |text: &str| text.len() / 1_000_000;
    let what = format!("{groups} groups, {} interfaces, {} MB", groups * 4, megabytes(&sizes[0][0]));
    doubled(&format!("import of {what}"), rounds, |size| drop(topology_of(&account(&sizes[size][0]))));
    let accounts = sizes.each_ref().map(|versions| versions.each_ref().map(|text| account(text)));
    doubled("diff of two such", rounds, |size| drop(compare(&accounts[size][0], &accounts[size][1])));
    doubled("lint of one", rounds, |size| checked(&accounts[size][0]));
    doubled("graph of one", rounds, |size| drop(Picture::new(&accounts[size][0])));
    for kind in dump::Rules::ALL {
        let wide = [rules, rules * 2].map(|count| account(&dump::one_group(count, kind)));
        doubled(&format!("lint of one group with {rules} rules, {kind:?}"), rounds, |size| checked(&wide[size]));
    }
}

fn account(text: &str) -> Account {
    read(&[Text { name: "dump.json".into(), text: text.into() }], None).unwrap_or_else(|faults| panic!("{faults}"))
}

fn checked(account: &Account) {
    drop(lint(account, &Options::default(), None, (&[], Date::of_days(20_000))));
}

/// Times both sizes in turn, and prints their ratio.
fn doubled(what: &str, rounds: usize, mut work: impl FnMut(usize)) {
    let mut took: [Vec<Duration>; 2] = Default::default();
    for _ in 0..rounds {
        for (size, took) in took.iter_mut().enumerate() {
            let begun = Instant::now();
            work(size);
            took.push(begun.elapsed());
        }
    }
    let [once, twice] = took;
    common::row(what, &once);
    common::ratio("    twice as large", &twice, &once, AIM);
}
