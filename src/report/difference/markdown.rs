//! The difference of two accounts as a comment of a pull request.

use std::fmt::Write;

use super::{Told, behind, entries, held_by, not_compared, proof, reason, senders, whole_verdict};
use crate::reach::{Certainty, Passage, Way};

/// A comment holds 65,536 characters; the rest is for what a workflow adds.
const MAX_BYTES: usize = 60_000;

/// The comment. `marker` is a word by which a workflow finds its own comment again.
pub fn markdown<'a>(told: impl Into<Told<'a>>, marker: &str) -> String {
    let told = told.into();
    let difference = told.difference;
    let mut out = format!("<!-- sglab-diff:{} -->\n", marker.replace("--", "-").replace('>', ""));
    let outside = difference.opened_from_outside().count();
    if outside > 0 {
        let _ = writeln!(out, "### :warning: {} newly open from outside\n", crate::report::count(outside, "passage"));
    } else if difference.unknown().next().is_some() || not_compared(difference).next().is_some() {
        let _ = writeln!(out, "### Nothing is known to be newly open from outside\n");
    } else {
        let _ = writeln!(out, "### Nothing is newly open from outside\n");
    }
    let _ = writeln!(out, "{}\n", cell(&whole_verdict(told)));
    let parts = [
        ("Newly open", &difference.opened, true),
        ("Newly closed", &difference.closed, true),
        ("Perhaps newly open: something is not known", &difference.opened, false),
        ("Perhaps newly closed: something is not known", &difference.closed, false),
    ];
    for (title, passages, known) in parts {
        let wanted: Vec<&Passage> = passages.iter().filter(|passage| passage.is_known() == known).collect();
        table(&mut out, title, &wanted);
    }
    let lines: Vec<String> = not_compared(difference).map(|(line, _)| line).collect();
    if !lines.is_empty() {
        details(&mut out, "Not known, and so not compared", &lines);
    }
    let allowed = told
        .allowed
        .iter()
        .flat_map(|item| item.by.iter().map(|by| format!("{}: {} ({})", item.passage.flow(), reason(by), by.place)));
    let allowed: Vec<String> = allowed.collect();
    if !allowed.is_empty() {
        details(&mut out, "Newly open and allowed", &allowed);
    }
    let useless: Vec<String> = told.useless.iter().map(|item| format!("{item} ({})", item.allowance.place)).collect();
    if !useless.is_empty() {
        details(&mut out, "Allowances that allow nothing", &useless);
    }
    if let Some(proved) = told.proved.filter(|proved| !proved.flows.is_empty()) {
        details(&mut out, &cell(&proof::verdict(proved)), &proof::lines(proved).collect::<Vec<_>>());
    }
    let rules = [('+', &difference.rules_added), ('-', &difference.rules_removed)];
    let lines: Vec<String> = rules
        .iter()
        .flat_map(|(sign, all)| {
            all.iter()
                .map(move |change| format!("{sign} {}: {}  ({})", change.group, change.rule, change.origin.resource))
        })
        .collect();
    if !lines.is_empty() {
        details(&mut out, "Rules", &lines);
    }
    out
}

fn table(out: &mut String, title: &str, passages: &[&Passage]) {
    if passages.is_empty() {
        return;
    }
    let _ = writeln!(out, "**{title}**\n\n| way | from | to | by |\n|---|---|---|---|");
    for (index, passage) in passages.iter().enumerate() {
        let row = row(passage);
        // Behind the last row there is room for the count of what is left out.
        if out.len() + row.len() + 200 > MAX_BYTES {
            let _ = writeln!(out, "\n{} more are left out: the comment is full.", passages.len() - index);
            break;
        }
        out.push_str(&row);
    }
    out.push('\n');
}

fn row(passage: &Passage) -> String {
    let way = match passage.way {
        Way::FromOutside => "**from outside**",
        Way::Inside => "inside",
        Way::ToOutside => "to outside",
    };
    let mut to = code(&passage.target());
    if let Some(behind) = behind(passage) {
        let _ = write!(to, "<br>{}", cell(&behind));
    }
    let mut by: Vec<String> = passage
        .by
        .iter()
        .map(|origin| format!("{}<br>{}", code(origin.resource.as_str()), cell(&origin.place.to_string())))
        .collect();
    by.extend(entries(passage).map(|entries| cell(&entries)));
    by.extend(held_by(passage).map(|held_by| cell(&held_by)));
    if !passage.already.is_empty() {
        by.push(format!("in part before and after: {}", cell(&passage.already.join(", "))));
    }
    if let Certainty::Unknown(why) = &passage.certainty {
        by.push(format!("not known: {}", cell(why)));
    }
    let mut from = code(&passage.from);
    if let Some(senders) = senders(passage) {
        let _ = write!(from, "<br>{}", cell(&senders));
    }
    format!("| {way} | {from} | {to} | {} |\n", by.join("<br>"))
}

fn details(out: &mut String, title: &str, lines: &[String]) {
    let _ = writeln!(out, "<details><summary>{title}</summary>\n\n```diff");
    for (index, line) in lines.iter().enumerate() {
        if out.len() + line.len() + 200 > MAX_BYTES {
            let _ = writeln!(out, "# {} more are left out", lines.len() - index);
            break;
        }
        let _ = writeln!(out, "{}", crate::report::shown_line(line).replace("```", "'''"));
    }
    let _ = writeln!(out, "```\n\n</details>");
}

/// Text of a cell: nothing of it is markup.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in crate::report::shown_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '@' | '#' | '~' | '!' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", cell(text))
}
