//! Elements that packets have put into the sets of a namespace: listed, and taken out by address.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use indexmap::IndexMap;
use ipnet::IpNet;
use serde_json::Value;

use super::error::FabricError;
use super::kernel_records::{Amount, Element};
use super::namespace::Namespace;
use super::nft::{self, Effect};
use super::packet::Tuple;
use crate::network::nft::Change;
use crate::network::remembered::{Remembered, is_paid, remembered};

/// Counts of elements that are gone are kept for whoever asks, as many as this.
const MAX_ENDED: usize = 1 << 14;

/// Elements in one transaction. Without root, nft 1.0.6 can send some 1,500 of the longest to be added and deleted: its socket's buffer
/// holds 208 KiB.
const MAX_PER_TRANSACTION: usize = 700;

/// Carries out a change: all of it or nothing, or a failure says that it has had an effect. Elements that it takes out are kept with what
/// they have counted.
///
/// One transaction, unless more elements leave or return than one holds. The rest of those that leave go in transactions behind it, and what
/// is to return is there before the last: the filter is closed for their address meanwhile.
pub(super) async fn change(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<(), nft::Failed> {
    let Expanded { transactions, gone } = expand(namespace, changes).await.map_err(nft::without_effect)?;
    carry_out(namespace, &transactions).await?;
    keep_counts(namespace, gone);
    Ok(())
}

/// Carries out transactions in their order. One that fails behind another has not been without effect.
async fn carry_out(namespace: &Arc<Namespace>, transactions: &[Vec<Change>]) -> Result<(), nft::Failed> {
    for (number, transaction) in transactions.iter().enumerate() {
        nft::change(namespace, transaction).await.map_err(|failed| match failed.effect {
            Effect::None if number > 0 => nft::Failed { effect: Effect::Whole, ..failed },
            _ => failed,
        })?;
    }
    Ok(())
}

/// Changes with each [`Change::Forget`] as the elements that the kernel holds now, and each [`Change::Recall`] as those that were
/// forgotten last.
struct Expanded {
    transactions: Vec<Vec<Change>>,
    /// The elements that they take out.
    gone: Vec<Element>,
}

async fn expand(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<Expanded, FabricError> {
    let (mut leaving, mut returning, mut others) = (HashSet::new(), HashSet::new(), Vec::new());
    for change in changes {
        match change {
            Change::Forget(block) => drop(leaving.insert(*block)),
            Change::Recall(block) => drop(returning.insert(*block)),
            other => others.push(other.clone()),
        }
    }
    let names = |blocks: &HashSet<IpNet>, element: &Element| blocks.iter().any(|it| element.names(it));
    let held = if leaving.is_empty() { Vec::new() } else { elements(namespace).await? };
    let gone: Vec<Element> = held.into_iter().filter(|element| names(&leaving, element)).collect();
    let mut forgotten = namespace.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
    let back: Vec<&Element> = forgotten.iter().filter(|element| names(&returning, element)).collect();
    let mut transactions = in_transactions(&back, Element::put_back);
    let last = transactions.pop().unwrap_or_default();
    let mut rest = in_transactions(&gone.iter().collect::<Vec<_>>(), Element::taken_out).into_iter();
    let first = rest.next().unwrap_or_default();
    transactions.push([last, others, first].concat());
    transactions.extend(rest);
    if !leaving.is_empty() {
        forgotten.clone_from(&gone);
    }
    Ok(Expanded { transactions, gone })
}

/// Splits what is to be done with elements into as many transactions as it takes.
fn in_transactions(elements: &[&Element], change: impl Fn(&str, &[&Element]) -> Vec<Change>) -> Vec<Vec<Change>> {
    let transactions = elements.chunks(MAX_PER_TRANSACTION).map(|some| {
        let mut by_set: IndexMap<&str, Vec<&Element>> = IndexMap::new();
        for element in some {
            by_set.entry(&element.set).or_default().push(element);
        }
        by_set.into_iter().flat_map(|(set, elements)| change(set, &elements)).collect()
    });
    transactions.collect()
}

/// Forgets every packet of a protocol that names an address, in each of the namespaces. What is paid for stays so, or those who ask
/// often would run out of tokens.
///
/// # Errors
/// nft's own words, with the namespace.
pub async fn forget_protocols(nodes: &[Arc<Namespace>], ends: &HashSet<(u8, IpAddr)>) -> Result<(), FabricError> {
    let forgetting = nodes.iter().map(|node| async move {
        let names = |packet: &Remembered| {
            [packet.own.0, packet.other.0].iter().any(|address| ends.contains(&(packet.protocol, *address)))
        };
        let held = elements(node).await?;
        let of_them: Vec<&Element> =
            held.iter().filter(|element| !is_paid(&element.set) && names(&element.packet)).collect();
        carry_out(node, &in_transactions(&of_them, Element::taken_out)).await.map_err(|failed| failed.error)?;
        keep_counts(node, held.into_iter().filter(|element| names(&element.packet)).collect());
        Ok(())
    });
    join_all(forgetting).await.into_iter().collect()
}

/// Packets of protocols that connection tracking does not know, as the interfaces of a namespace remember them, with how many there
/// were; and whether they are forgotten by now. What has timed out is not among them.
///
/// # Errors
/// nft's own words, with the namespace.
pub async fn counted(namespace: &Arc<Namespace>) -> Result<Vec<(Remembered, Amount, bool)>, FabricError> {
    let standing = elements(namespace).await?;
    let ended = std::mem::take(&mut *namespace.ended.lock().unwrap_or_else(PoisonError::into_inner));
    let with_amount = |ended| move |element: Element| Some((element.packet, element.amount?, ended));
    Ok(ended
        .into_iter()
        .filter_map(with_amount(true))
        .chain(standing.into_iter().filter_map(with_amount(false)))
        .collect())
}

/// Returns the time for which the interfaces of a namespace will remember datagrams between these ends, if they do: whoever has sent them.
///
/// # Errors
/// nft's own words, with the namespace.
pub async fn remembered_for(namespace: &Arc<Namespace>, tuples: &[Tuple]) -> Result<Option<Duration>, FabricError> {
    let is_it = |packet: &Remembered| {
        tuples.iter().any(|tuple| {
            let ends = [(tuple.source, tuple.source_port), (tuple.destination, tuple.destination_port)];
            let [own, other] = [packet.own, packet.other];
            packet.protocol == tuple.protocol && (ends == [own, other] || ends == [other, own])
        })
    };
    let left = |element: Element| Duration::from_secs(element.timeout.map_or(0, |(_, left)| left));
    Ok(elements(namespace).await?.into_iter().filter(|element| is_it(&element.packet)).map(left).max())
}

/// Keeps the counts of elements that a transaction has taken out, until somebody asks.
fn keep_counts(namespace: &Namespace, gone: Vec<Element>) {
    let mut ended = namespace.ended.lock().unwrap_or_else(PoisonError::into_inner);
    let room = MAX_ENDED.saturating_sub(ended.len());
    ended.extend(gone.into_iter().filter(|element| element.amount.is_some()).take(room));
}

/// Every element that packets have put into a set of a namespace.
async fn elements(namespace: &Arc<Namespace>) -> Result<Vec<Element>, FabricError> {
    let text = nft::sets(namespace).await?;
    let unread = |error| nft::unlisted(namespace, format!("nft's list of sets could not be read: {error}"));
    read(&text).map_err(unread)
}

/// The elements in nft's own list that stand for packets.
pub(super) fn read(text: &str) -> Result<Vec<Element>, serde_json::Error> {
    let list: Value = serde_json::from_str(text)?;
    let objects = list.get("nftables").and_then(Value::as_array).into_iter().flatten();
    let mut found = Vec::new();
    for set in objects.filter_map(|object| object.get("set")) {
        let Some(name) = set.get("name").and_then(Value::as_str) else { continue };
        let listed = set.get("elem").and_then(Value::as_array).into_iter().flatten();
        for element in listed.filter_map(|element| element.get("elem")) {
            let fields = element.get("val").and_then(|value| value.get("concat")).and_then(Value::as_array);
            let Some(fields) = fields else { continue };
            let Some(packet) = remembered(name, fields) else { continue };
            let seconds = |key| element.get(key).and_then(Value::as_u64);
            let counter = element.get("counter");
            let counted = |key| counter.and_then(|counter| counter.get(key)).and_then(Value::as_u64);
            let amount = counted("packets").zip(counted("bytes")).map(|(packets, bytes)| Amount { packets, bytes });
            found.push(Element {
                set: name.to_owned(),
                key: key(fields),
                packet,
                timeout: seconds("timeout").zip(seconds("expires")),
                amount,
            });
        }
    }
    Ok(found)
}

/// The first field is an interface's name, and needs quotes.
fn key(fields: &[Value]) -> String {
    let text = |(number, field): (usize, &Value)| match field.as_str() {
        Some(text) if number == 0 => format!("\"{text}\""),
        Some(text) => text.to_owned(),
        None => field.to_string(),
    };
    fields.iter().enumerate().map(text).collect::<Vec<_>>().join(" . ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As nft 1.0.6 lists it.
    const LISTED: &str = include_str!("../../fuzz/corpus/rules/sets-that-packets-fill");

    #[test]
    fn elements_are_read_as_nft_lists_them_and_written_as_it_takes_them() {
        let read = read(LISTED).unwrap();
        let keys: Vec<(&str, &str)> = read.iter().map(|it| (it.set.as_str(), it.key.as_str())).collect();
        assert_eq!(
            keys,
            [
                ("udp-sent", "\"web1\" . 10.0.0.11 . 10.0.0.12 . 45001 . 45002"),
                (
                    "other-sent-ipv6",
                    "\"web1\" . 50 . 0x20010db8000000000000000000000001 . 0x20010db8000000000000000000000002"
                ),
            ]
        );
        assert_eq!(read[1].amount, Some(Amount { packets: 1, bytes: 60 }));
        let names = |block: &str| read[0].names(&block.parse().unwrap());
        assert!(names("10.0.0.12/32") && !names("10.0.0.13/32") && names("10.0.0.0/28"));
        let taken = Element::taken_out("udp-sent", &[&read[0], &read[0]]);
        let [Change::AddElements(set, added), Change::DeleteElements(of, deleted)] = taken.as_slice() else {
            panic!("elements are added before they are deleted")
        };
        assert_eq!((set, added), (of, deleted), "those that have timed out meanwhile can be deleted too");
        assert_eq!(added.as_slice(), [keys[0].1, keys[0].1], "one command for all");
        let back = vec![Change::AddElements("udp-sent".into(), vec![format!("{} timeout 30s expires 29s", keys[0].1)])];
        assert_eq!(Element::put_back("udp-sent", &[&read[0]]), back);
    }
}
