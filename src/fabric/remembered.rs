//! Elements that packets have put into the sets of a namespace: listed, and taken out by address.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::error::FabricError;
use super::kept::{Amount, Element};
use super::namespace::Namespace;
use super::nft;
use super::packet::Tuple;
use crate::network::nft::Change;
use crate::network::remembered::{Remembered, is_paid, remembered};

/// Counts of elements that are gone are kept for whoever asks, as many as this.
const MOST_ENDED: usize = 1 << 14;

/// Carries out one transaction: all of it or nothing. Elements that it takes out are kept with what they have counted.
pub(super) async fn change(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<(), nft::Failed> {
    let (changes, gone) = expand(namespace, changes).await.map_err(nft::without_effect)?;
    nft::change(namespace, &changes).await?;
    keep_counts(namespace, gone);
    Ok(())
}

/// Changes with each [`Change::Forget`] as the elements that the kernel holds now, and each [`Change::Recall`] as those that were
/// forgotten last; and the elements that they take out.
async fn expand(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<(Vec<Change>, Vec<Element>), FabricError> {
    let lists = changes.iter().any(|change| matches!(change, Change::Forget(_)));
    let held = if lists { elements(namespace).await? } else { Vec::new() };
    let mut forgotten = namespace.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
    if lists {
        forgotten.clear();
    }
    let (mut expanded, mut gone) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Forget(address) => {
                let of_it: Vec<&Element> = held.iter().filter(|element| element.names(*address)).collect();
                expanded.extend(of_it.iter().flat_map(|element| element.taken_out()));
                gone.extend(of_it.into_iter().cloned());
            }
            Change::Recall(address) => {
                expanded.extend(forgotten.iter().filter(|element| element.names(*address)).map(Element::put_back));
            }
            other => expanded.push(other.clone()),
        }
    }
    forgotten.extend(gone.iter().cloned());
    Ok((expanded, gone))
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
        let of_them = held.iter().filter(|element| !is_paid(&element.set) && names(&element.packet));
        let changes: Vec<Change> = of_them.flat_map(Element::taken_out).collect();
        nft::change(node, &changes).await.map_err(|failed| failed.error)?;
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

/// How long the interfaces of a namespace will remember datagrams between these ends, if they do: whoever has sent them.
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
    let room = MOST_ENDED.saturating_sub(ended.len());
    ended.extend(gone.into_iter().filter(|element| element.amount.is_some()).take(room));
}

/// Every element that packets have put into a set of a namespace.
async fn elements(namespace: &Arc<Namespace>) -> Result<Vec<Element>, FabricError> {
    let text = nft::sets(namespace).await?;
    let unread = |error: serde_json::Error| FabricError::Nft {
        node: namespace.name.clone(),
        script: String::new(),
        message: format!("nft's list of sets could not be read: {error}"),
    };
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
        assert!(read[0].names([10, 0, 0, 12].into()) && !read[0].names([10, 0, 0, 13].into()));
        let [Change::AddElements(set, added), Change::DeleteElements(of, deleted)] = read[0].taken_out() else {
            panic!("an element is added before it is deleted")
        };
        assert_eq!((set, added), (of, deleted), "one that has timed out meanwhile can be deleted too");
        let back = Change::AddElements("udp-sent".into(), vec![format!("{} timeout 30s expires 29s", keys[0].1)]);
        assert_eq!(read[0].put_back(), back);
    }
}
