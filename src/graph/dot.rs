//! A picture for graphviz.

use std::fmt::Write;

use super::picture::{ArrowKind, BoxKind, Line, Picture};
use crate::model::shown;

/// Writes it; ids are numbers, so that no name is syntax.
pub fn dot(picture: &Picture, title: &str) -> String {
    let mut out = format!(
        "digraph sglab {{\n  label={}; rankdir=LR; node [shape=box, fontname=\"sans-serif\"];\n",
        quoted(&picture.titled(title))
    );
    for (index, one) in picture.boxes.iter().enumerate() {
        let lines = one.lines();
        let head = one.head(&one.title);
        let label = std::iter::once(head.as_str()).chain(lines.iter().map(Line::words)).collect::<Vec<_>>().join("\n");
        let style = match one.kind {
            _ if one.is_stopped() => ", fontcolor=\"#8c959f\", color=\"#8c959f\"",
            BoxKind::Outside => ", style=filled, fillcolor=\"#fff8c5\"",
            BoxKind::LoadBalancers => ", style=filled, fillcolor=\"#ddf4ff\"",
            BoxKind::Members => "",
            BoxKind::Empty => ", style=dashed",
        };
        let _ = writeln!(out, "  n{index} [label={}{style}];", quoted(&label));
    }
    for arrow in &picture.arrows {
        let style = match arrow.kind {
            ArrowKind::Open => "",
            ArrowKind::Perhaps => ", style=dashed",
        };
        let _ = writeln!(out, "  n{} -> n{} [label={}{style}];", arrow.from, arrow.to, quoted(&arrow.words()));
    }
    out.push_str("}\n");
    out
}

fn quoted(words: &str) -> String {
    let lines: Vec<String> =
        words.split('\n').map(|line| shown(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
