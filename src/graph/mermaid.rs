//! A picture for Mermaid, which GitHub, GitLab and others draw in Markdown.

use std::fmt::Write;

use super::picture::{ArrowKind, BoxKind, Picture};
use crate::model::shown;

/// Mermaid draws no more arrows than these by default.
pub const MAX_EDGES: usize = 500;
/// Nor a longer text.
const MAX_TEXT: usize = 50_000;

/// Writes it; nothing where it is larger than what Mermaid draws.
pub fn mermaid(picture: &Picture) -> Option<String> {
    // It has no title but in front matter.
    let title = match picture.unknown {
        0 => String::new(),
        _ => format!("---\ntitle: \"{}\"\n---\n", escaped(&picture.titled("Who reaches whom"))),
    };
    let mut out = format!("{title}flowchart LR\n");
    for (index, one) in picture.boxes.iter().enumerate() {
        let lines = one.lines().iter().map(|line| format!("<br>{}", escaped(line.words()))).collect::<String>();
        let label = format!("\"{}{lines}\"", escaped(&one.head(&one.title)));
        let shape = match one.kind {
            BoxKind::Outside => format!("([{label}])"),
            BoxKind::LoadBalancers => format!("{{{{{label}}}}}"),
            BoxKind::Members => format!("[{label}]"),
            BoxKind::Empty => format!("[/{label}/]"),
        };
        let _ = writeln!(out, "  n{index}{shape}");
    }
    for arrow in &picture.arrows {
        let line = match arrow.kind {
            ArrowKind::Open => "-->",
            ArrowKind::Perhaps => "-.->",
        };
        let _ = writeln!(out, "  n{} {line}|\"{}\"| n{}", arrow.from, escaped(&arrow.words()), arrow.to);
    }
    (picture.arrows.len() <= MAX_EDGES && out.len() <= MAX_TEXT).then_some(out)
}

/// Mermaid's own entities: nothing of a name is syntax or markup.
fn escaped(words: &str) -> String {
    let mut out = String::new();
    for c in shown(words).chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            c => out.push(c),
        }
    }
    out
}
