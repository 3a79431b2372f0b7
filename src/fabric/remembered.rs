//! Elements that packets have put into the sets of a namespace: listed, and taken out by address.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use futures::future::join_all;
use serde_json::Value;

use super::{FabricError, Namespace, nft};
use crate::compile::memory::{Remembered, remembered};
use crate::compile::nft::Change;

/// An element that a packet has put into a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Its set.
    pub set: String,
    /// Its fields as nft takes them, with dots between.
    pub key: String,
    /// The packet that it stands for.
    pub packet: Remembered,
    /// Seconds that it lives, and that are left of them.
    pub timeout: Option<(u64, u64)>,
}

impl Element {
    fn names(&self, address: IpAddr) -> bool {
        self.packet.own.0 == address || self.packet.other.0 == address
    }

    /// Out of its set. It may have timed out since it was listed, and what is not there cannot be deleted: so it is added
    /// first, which does nothing where it still is.
    fn taken_out(&self) -> [Change; 2] {
        let key = vec![self.key.clone()];
        [Change::AddElements(self.set.clone(), key.clone()), Change::DeleteElements(self.set.clone(), key)]
    }

    /// Into its set, for the time that was left.
    fn put_back(&self) -> Change {
        let time =
            self.timeout.map_or_else(String::new, |(all, left)| format!(" timeout {all}s expires {}s", left.max(1)));
        Change::AddElements(self.set.clone(), vec![format!("{}{time}", self.key)])
    }
}

/// Changes with each [`Change::Forget`] as the elements that the kernel holds now, and each [`Change::Recall`] as those that were
/// forgotten last.
pub(super) async fn expand(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<Vec<Change>, FabricError> {
    let lists = changes.iter().any(|change| matches!(change, Change::Forget(_)));
    let held = if lists { elements(namespace).await? } else { Vec::new() };
    let mut forgotten = namespace.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
    if lists {
        forgotten.clear();
    }
    let mut expanded = Vec::new();
    for change in changes {
        match change {
            Change::Forget(address) => {
                let of_it: Vec<&Element> = held.iter().filter(|element| element.names(*address)).collect();
                expanded.extend(of_it.iter().flat_map(|element| element.taken_out()));
                forgotten.extend(of_it.into_iter().cloned());
            }
            Change::Recall(address) => {
                expanded.extend(forgotten.iter().filter(|element| element.names(*address)).map(Element::put_back));
            }
            other => expanded.push(other.clone()),
        }
    }
    Ok(expanded)
}

/// Forgets every packet of a protocol that names an address, in each of the namespaces.
///
/// # Errors
/// nft's own words, with the namespace.
pub async fn forget_protocols(nodes: &[Arc<Namespace>], ends: &HashSet<(u8, IpAddr)>) -> Result<(), FabricError> {
    let forgetting = nodes.iter().map(|node| async move {
        let names = |packet: &Remembered| {
            [packet.own.0, packet.other.0].iter().any(|address| ends.contains(&(packet.protocol, *address)))
        };
        let held = elements(node).await?;
        let of_them = held.iter().filter(|element| names(&element.packet));
        let changes: Vec<Change> = of_them.flat_map(Element::taken_out).collect();
        nft::change(node, &changes).await.map_err(|failed| failed.error)
    });
    join_all(forgetting).await.into_iter().collect()
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
            found.push(Element {
                set: name.to_owned(),
                key: key(fields),
                packet,
                timeout: seconds("timeout").zip(seconds("expires")),
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
