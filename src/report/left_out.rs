//! Items that an import left out, by reason and kind, with their places.

use std::fmt::Write;

use indexmap::IndexMap;

use crate::account::LeftOut;

/// Places that are told of one kind.
const MAX_PLACES: usize = 3;

/// A line for each reason and kind: the count, and the first places.
pub fn text(items: &[LeftOut]) -> String {
    let mut by_kind: IndexMap<(String, &str), Vec<&LeftOut>> = IndexMap::new();
    for item in items {
        by_kind.entry((item.reason.to_string(), &item.kind)).or_default().push(item);
    }
    let mut out = String::new();
    for ((reason, kind), items) in by_kind {
        let _ = writeln!(out, "left out: {} {kind}: {}", items.len(), super::shown_line(&reason));
        for item in items.iter().take(MAX_PLACES) {
            let _ = writeln!(out, "    {}", super::shown_line(&item.origin.to_string()));
        }
        if items.len() > MAX_PLACES {
            let _ = writeln!(out, "    and {} more", items.len() - MAX_PLACES);
        }
    }
    out
}
