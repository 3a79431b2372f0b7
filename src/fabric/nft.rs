//! The one door to the nft program: a script goes in, nft's own words come out.
//!
//! What nft says of a transaction that failed is not the whole truth: killed, it may have committed first. So the
//! kernel's own count of transactions is read before and after.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use indexmap::IndexSet;
use netlink_packet_netfilter::nftables::{GenAttribute, GenMessage, NfTablesMessage};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use nftables::stmt::Counter;
use serde::Deserialize;

use super::error::FabricError;
use super::faults::{self, Moment};
use super::kernel_records::{KernelRule, RuleCounts};
use super::namespace::Namespace;
use super::netlink;
use crate::network::nft::{Change, Ruleset};
use crate::network::text::{ADD_TABLE, DELETE_TABLE, MissingHandle, transaction};
use crate::sandbox::child::{self, Ended, Status};
use crate::sandbox::which;

/// Time that nft may take before it counts as hung, and is killed. The largest ruleset that was ever tried took 5 s; a small one took
/// more than 30 s on two processors that 17 programs wanted.
pub const NFT_TIMEOUT: Duration = Duration::from_secs(120);

/// At most so many rules in one batch: without root, nft 1.0.6 can send about 440.
pub const MAX_RULES_PER_BATCH: usize = 200;

/// Loads a ruleset into a namespace that has none, in as many batches as it takes; closed until the last.
pub(super) async fn load(namespace: &Arc<Namespace>, ruleset: &Ruleset) -> Result<(), Failed> {
    for script in scripts(ruleset) {
        let script = script.map_err(|e| missing(namespace, e.to_string())).map_err(without_effect)?;
        transact(namespace, script).await?;
    }
    Ok(())
}

/// The scripts of a first load, one for each batch.
fn scripts(ruleset: &Ruleset) -> impl Iterator<Item = Result<String, MissingHandle>> {
    ruleset.batches(MAX_RULES_PER_BATCH).into_iter().enumerate().map(|(number, batch)| {
        let head = if number == 0 { format!("{ADD_TABLE}\n") } else { String::new() };
        // Nothing is deleted in a first load, so no handle is asked for.
        transaction(&batch, &|_, _| None).map(|text| head + &text)
    })
}

/// Carries out one transaction: all of it or nothing. None of the changes is to be looked up in the kernel first.
pub(super) async fn change(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<(), Failed> {
    if changes.is_empty() {
        return Ok(());
    }
    let rules = rules_to_delete(namespace, changes).await.map_err(without_effect)?;
    // The last time that they can be asked what they counted.
    keep_counts(&mut namespace.counted.lock().unwrap_or_else(PoisonError::into_inner), &rules);
    let script =
        with_handles(changes, &rules).map_err(|e| missing(namespace, e.to_string())).map_err(without_effect)?;
    transact(namespace, script).await
}

/// The script of a transaction, with the handles of the rules that it deletes.
fn with_handles(changes: &[Change], rules: &[KernelRule]) -> Result<String, MissingHandle> {
    let mut handles: HashMap<(&str, &str), u64> = HashMap::with_capacity(rules.len());
    for rule in rules {
        // Of several with one comment the first.
        handles.entry((rule.chain.as_str(), rule.id.as_str())).or_insert(rule.handle);
    }
    transaction(changes, &|chain, id| handles.get(&(chain, id)).copied())
}

/// The rules of every chain of which a rule is to be deleted, and of no other where they are few: a table may have thousands.
async fn rules_to_delete(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<Vec<KernelRule>, FabricError> {
    let chains: IndexSet<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::DeleteRule(chain, _) => Some(chain.as_str()),
            _ => None,
        })
        .collect();
    if chains.len() > MAX_CHAINS_LISTED {
        return rules(namespace).await;
    }
    let mut rules = Vec::new();
    for chain in chains {
        let text = list(namespace, &[LIST_RULES, &["chain", "inet", "sglab", chain]].concat()).await?;
        rules.extend(read_list(namespace, &text)?);
    }
    Ok(rules)
}

/// A transaction that failed, and what it did nevertheless.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: FabricError,
    pub effect: Effect,
}

/// Effect of a transaction that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: the kernel has not taken it.
    None,
    /// All of it.
    Whole,
    /// Nobody knows.
    Unknown,
}

pub(super) fn without_effect(error: FabricError) -> Failed {
    Failed { error, effect: Effect::None }
}

/// Every rule that a namespace's table has, or had, and that counts packets. A rule that is deleted is read in time, from the
/// list in which its handle is looked up; so this costs one list, and the deletion none.
///
/// # Errors
/// As [`rules`].
pub async fn counted(namespace: &Arc<Namespace>) -> Result<Vec<KernelRule>, FabricError> {
    let now = rules(namespace).await?;
    let mut counted = namespace.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let counting = now.into_iter().filter(|rule| rule.packets.is_some());
    counted.extend(counting.map(|rule| (rule.handle, rule)));
    Ok(counted.into_values().collect())
}

/// Counts of rules that may be gone are kept for whoever asks, as many as this: a lab that stays up may have any number of them.
const MAX_COUNTED: usize = 1 << 14;

/// Keeps what rules have counted that will be deleted. That a rule has counted nothing need not be kept.
fn keep_counts(counted: &mut RuleCounts, rules: &[KernelRule]) {
    let counting = rules.iter().filter(|rule| rule.packets.is_some_and(|packets| packets > 0));
    counted.extend(counting.map(|rule| (rule.handle, rule.clone())));
    // The kernel counts handles up: the first is the oldest.
    while counted.len() > MAX_COUNTED {
        counted.pop_first();
    }
}

/// Lists with handles, as JSON; terse (`-t`), since there may be many elements, and no rule is in one. Protocols are
/// numbers (`-p`): their names are those of `/etc/protocols`, which not every machine has.
const LIST_RULES: &[&str] = &["-t", "-j", "-a", "-p", "list"];

/// Object that is listed: the whole table.
const TABLE: &[&str] = &["table", "inet", "sglab"];

/// At most so many chains are listed one by one, each by an nft of its own; the whole table where there are more.
const MAX_CHAINS_LISTED: usize = 4;

/// Every rule with a comment in a namespace's table, with its handle.
///
/// # Errors
/// nft's own words, or what of its answer could not be read.
pub async fn rules(namespace: &Arc<Namespace>) -> Result<Vec<KernelRule>, FabricError> {
    let text = list(namespace, &[LIST_RULES, TABLE].concat()).await?;
    read_list(namespace, &text)
}

fn read_list(namespace: &Namespace, text: &str) -> Result<Vec<KernelRule>, FabricError> {
    read_rules(text).map_err(|error| unlisted(namespace, format!("nft's list could not be read: {error}")))
}

/// nft's own list of every set of a namespace's table, as JSON.
pub(super) async fn sets(namespace: &Arc<Namespace>) -> Result<String, FabricError> {
    list(namespace, &["-j", "list", "sets", "table", "inet", "sglab"]).await
}

/// A list of nft's, of which only rules are read.
#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    nftables: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    rule: Option<ListedRule>,
}

#[derive(Deserialize)]
struct ListedRule {
    chain: String,
    comment: Option<String>,
    handle: Option<u64>,
    #[serde(default)]
    expr: Vec<ListedStatement>,
}

/// Of a statement only a counter is read: to read what a rule matches took longer than nft takes to list it.
#[derive(Deserialize)]
struct ListedStatement {
    counter: Option<Counter<'static>>,
}

/// The rules with a comment in nft's own list.
pub(super) fn read_rules(text: &str) -> Result<Vec<KernelRule>, serde_json::Error> {
    let Listing { nftables } = serde_json::from_str(text)?;
    let rules = nftables.into_iter().filter_map(|listed| listed.rule);
    let found = rules.filter_map(|ListedRule { chain, comment, handle, expr }| {
        let id = comment?.split(' ').next().unwrap_or_default().to_owned();
        let packets = expr.into_iter().find_map(|statement| match statement.counter? {
            Counter::Anonymous(counter) => Some(counter.and_then(|counter| counter.packets).unwrap_or(0) as u64),
            Counter::Named(_) => None,
        });
        Some(KernelRule { chain, id, handle: handle?, packets })
    });
    Ok(found.collect())
}

/// A namespace's ruleset in nft's own text, with protocols as numbers, and without what its rules have counted.
///
/// # Errors
/// nft's own words.
pub async fn ruleset(namespace: &Arc<Namespace>) -> Result<String, FabricError> {
    let text = list(namespace, &["-s", "-p", "list", "ruleset"]).await?;
    Ok(text.split_inclusive('\n').filter(|line| !is_counted_flows(line)).collect())
}

/// Reports whether a line of nft's is of the elements of a set that counts flows. These come and go with the flows; a rule adds to such a set.
fn is_counted_flows(line: &str) -> bool {
    line.contains(" ct count over ") && !line.contains("add @")
}

fn missing(namespace: &Namespace, message: String) -> FabricError {
    FabricError::Nft { node: namespace.name.clone(), script: String::new(), message }
}

/// That nft lists nothing, or what cannot be read.
pub(super) fn unlisted(namespace: &Namespace, message: String) -> FabricError {
    FabricError::Listing { node: namespace.name.clone(), message }
}

/// Carries out a script inside a namespace. If nft fails, the kernel tells whether it has taken the transaction.
async fn transact(namespace: &Arc<Namespace>, script: String) -> Result<(), Failed> {
    let (program, patience) = door(namespace).map_err(without_effect)?;
    let fault = namespace.faults.step(&namespace.name, "carry out a transaction");
    let sent = script.clone();
    let done = namespace.run(move || {
        let before = read().map_err(|error| (error.to_string(), Effect::None))?;
        let ended = match fault {
            Some(Moment::Before) => Err(faults::error()),
            _ => run_here(&program, &["-f", "-"], &sent, patience),
        };
        let failure = match (ended, fault) {
            (Ok(Ended { status: Status::Success, .. }), None) => return Ok(()),
            (Ok(ended), None) => said(&ended, patience),
            (Ok(_), Some(_)) => format!("failed to hear nft: {}", faults::error()),
            (Err(error), _) => format!("failed to run nft: {error}"),
        };
        match read() {
            Ok(after) if after == before => Err((failure, Effect::None)),
            Ok(after) if after == before.wrapping_add(1) => {
                Err((format!("{failure}; the kernel has taken the transaction nevertheless"), Effect::Whole))
            }
            Ok(_) => Err((format!("{failure}; somebody else has changed the ruleset meanwhile"), Effect::Unknown)),
            Err(error) => {
                Err((format!("{failure}; whether the kernel has taken it is unknown: {error}"), Effect::Unknown))
            }
        }
    });
    let done = done.await.map_err(without_effect)?;
    let node = namespace.name.clone();
    done.map_err(|(message, effect)| Failed { error: FabricError::Nft { node, script, message }, effect })
}

/// Asks nft for a list inside a namespace.
async fn list(namespace: &Arc<Namespace>, arguments: &[&str]) -> Result<String, FabricError> {
    let (program, patience) = door(namespace)?;
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let fault = namespace.faults.step(&namespace.name, "list the rules");
    let listed = namespace.run(move || match fault {
        Some(_) => Err(faults::error()),
        None => run_here(&program, &arguments, "", patience),
    });
    match listed.await? {
        Ok(Ended { status: Status::Success, output, .. }) => Ok(output),
        Ok(ended) => Err(unlisted(namespace, said(&ended, patience))),
        Err(error) => Err(unlisted(namespace, error.to_string())),
    }
}

/// The program that a namespace's rulesets go through, and how long it may take.
fn door(namespace: &Namespace) -> Result<(PathBuf, Duration), FabricError> {
    if let Some(nft) = namespace.faults.nft() {
        return Ok((nft.program, nft.patience));
    }
    let program = which::nft().ok_or_else(|| missing(namespace, "there is no nft program".into()))?;
    Ok((program.clone(), NFT_TIMEOUT))
}

/// Describes a run of nft that failed, in words.
fn said(ended: &Ended, patience: Duration) -> String {
    let words = ended.errors.trim();
    match ended.status {
        Status::Success | Status::Failure if words.is_empty() => "nft failed without a word".to_owned(),
        Status::Success | Status::Failure => words.to_owned(),
        Status::Signalled(signal) => format!("nft was ended by signal {signal} {words}").trim().to_owned(),
        Status::Overdue => {
            format!("nft had not ended after {} s, and was killed {words}", patience.as_secs_f64()).trim().to_owned()
        }
    }
}

/// Runs nft on this thread, in this thread's namespace.
pub(super) fn run_here(
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    script: &str,
    patience: Duration,
) -> io::Result<Ended> {
    child::run(Command::new(program).args(arguments).env("LC_ALL", "C"), script.as_bytes(), patience)
}

/// Loads a script on this thread, in this thread's namespace; the first line of what nft says is the reason.
pub(super) fn load_here(program: &Path, script: &str) -> Result<(), String> {
    match run_here(program, &["-f", "-"], script, NFT_TIMEOUT) {
        Ok(Ended { status: Status::Success, .. }) => Ok(()),
        // The rest points into a script that nobody sees.
        Ok(ended) => Err(said(&ended, NFT_TIMEOUT).lines().next().unwrap_or_default().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Loads a whole ruleset on this thread, in this thread's namespace, reads its rules back and takes it away again. Gives how
/// many rules it has.
///
/// # Errors
/// The first line of what nft says, with the command that it says it of.
pub(super) fn try_here(program: &Path, ruleset: &Ruleset) -> Result<usize, String> {
    let heard = |arguments: &[&str], script: &str| match run_here(program, arguments, script, NFT_TIMEOUT) {
        Ok(Ended { status: Status::Success, output, .. }) => Ok(output),
        Ok(ended) => Err(with_command(&said(&ended, NFT_TIMEOUT), script)),
        Err(error) => Err(error.to_string()),
    };
    for script in scripts(ruleset) {
        heard(&["-f", "-"], &script.map_err(|error| error.to_string())?)?;
    }
    let listed = read_rules(&heard(&[LIST_RULES, TABLE].concat(), "")?)
        .map_err(|e| format!("nft's list could not be read: {e}"))?
        .len();
    heard(&["-f", "-"], DELETE_TABLE)?;
    let given: usize = ruleset.chains.values().map(|chain| chain.rules.len()).sum();
    if listed == given { Ok(given) } else { Err(format!("{given} rules were loaded, and nft lists {listed}")) }
}

/// The first line of nft's words, `FILE:LINE:COLUMNS: Error: ...`, with that line of the script.
fn with_command(words: &str, script: &str) -> String {
    let first = words.lines().next().unwrap_or_default();
    let number = first.split(':').nth(1).and_then(|number| number.parse::<usize>().ok());
    let command = number.and_then(|number| script.lines().nth(number.checked_sub(1)?));
    command.map_or_else(|| first.to_owned(), |command| format!("{first}: {command}"))
}

/// Reads it, on a thread inside the namespace. Each transaction that changes anything, whoever's it is, adds one.
pub(super) fn read() -> io::Result<u32> {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, 0);
    let question = NetfilterMessage::new(header, NfTablesMessage::GetGen(GenMessage { attributes: Vec::new() }));
    let answer = netlink::ask(netlink_sys::constants::NETLINK_NETFILTER, question)?;
    let NetfilterMessageInner::NfTables(NfTablesMessage::NewGen(generation)) = answer.inner else {
        return Err(io::Error::other("the kernel answers something else than the ruleset's generation"));
    };
    let id = generation.attributes.iter().find_map(|it| if let GenAttribute::Id(id) = it { Some(*id) } else { None });
    id.ok_or_else(|| io::Error::other("the kernel does not say the ruleset's generation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_deleted_by_the_handle_that_it_has_in_its_own_chain() {
        let rule =
            |chain: &str, id: &str, handle| KernelRule { chain: chain.into(), id: id.into(), handle, packets: None };
        let rules = [rule("ingress/WEB", "sgr-1", 4), rule("egress/WEB", "sgr-1", 5), rule("egress/WEB", "sgr-2", 6)];
        let delete = |chain: &str, id: &str| Change::DeleteRule(chain.to_owned(), id.to_owned());
        let script = with_handles(&[delete("egress/WEB", "sgr-1"), delete("ingress/WEB", "sgr-1")], &rules).unwrap();
        let handles: Vec<&str> = script.lines().filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(handles, ["5", "4"], "{script}");
        assert!(with_handles(&[delete("ingress/WEB", "sgr-2")], &rules).is_err());
    }

    #[test]
    fn of_rules_that_are_gone_only_so_many_counts_are_kept_and_none_of_nothing() {
        let rule = |handle: u64, packets| KernelRule { chain: "ingress/WEB".into(), id: "1".into(), handle, packets };
        let mut counted = RuleCounts::new();
        keep_counts(&mut counted, &[rule(1, Some(0)), rule(2, None), rule(3, Some(7))]);
        assert_eq!(counted.keys().copied().collect::<Vec<_>>(), [3]);
        let many: Vec<KernelRule> = (4..=MAX_COUNTED as u64 + 10).map(|handle| rule(handle, Some(1))).collect();
        many.iter().for_each(|one| keep_counts(&mut counted, std::slice::from_ref(one)));
        let newest = counted.last_key_value().map(|(handle, _)| *handle);
        assert_eq!((counted.len(), newest), (MAX_COUNTED, Some(MAX_COUNTED as u64 + 10)));
    }
}
