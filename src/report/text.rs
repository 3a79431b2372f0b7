//! Numbers, durations, colours and names, as every text report writes them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use anstyle::{AnsiColor, Color};
use indexmap::IndexMap;

pub use crate::model::shown;
use crate::model::{Ec2Name, Endpoint, GroupName, HostIp, HostName, Service};
use crate::probe::{Outcome, Resolution};
use crate::scenario::results::reason;
use crate::scenario::{Class, DecidingRule};

/// Style of a text report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With the whole grid at every step.
    pub grid: bool,
    /// With everything that is otherwise cut short.
    pub verbose: bool,
    /// Width of the terminal in columns; output to a pipe or a file has none.
    pub width: Option<usize>,
    /// Origin of the topology that was run.
    pub topology: TopologyOrigin,
}

/// Origin of a topology that results are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopologyOrigin {
    /// A file, which other commands take.
    #[default]
    File,
    /// Made of other people's files: there is none that `sglab shell` and `sglab explain` take.
    Import,
}

/// Meaning of a piece of text, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// Not proved.
    Unsure,
    /// Beside the point.
    Faint,
    /// A heading.
    Strong,
}

impl Style {
    /// Returns the room in columns for a text behind so many characters: of a width that reads well, where the terminal has it.
    pub fn room(self, behind: usize, reads_well: usize) -> usize {
        self.width.map_or(reads_well, |width| width.max(NARROW).saturating_sub(behind).min(reads_well))
    }

    /// The text in lines that the terminal has room for, if it is shown on one.
    pub fn fit(self, text: &str) -> String {
        self.width.map_or_else(|| text.to_owned(), |width| fit(text, width.max(NARROW)))
    }

    /// The columns of a table in parts that each fit beside its labels: all of them at once where there is room, or no terminal.
    pub fn parts(self, columns: usize, labels: usize, column: usize) -> Vec<Range<usize>> {
        // The gap behind the last column is not written.
        let room = self.width.map_or(usize::MAX, |width| width.max(NARROW).saturating_sub(labels).saturating_add(GAP));
        let each = (room / column.max(1)).max(1);
        (0..columns).step_by(each).map(|start| start..start.saturating_add(each).min(columns)).collect()
    }

    /// The text in the colour of its meaning, if colours are wanted.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let plain = anstyle::Style::new();
        let colour = |colour: AnsiColor| plain.fg_color(Some(Color::Ansi(colour)));
        let style = match tone {
            Tone::Good => colour(AnsiColor::Green),
            Tone::Bad => colour(AnsiColor::Red).bold(),
            Tone::Unsure => colour(AnsiColor::Yellow),
            Tone::Faint => plain.dimmed(),
            Tone::Strong => plain.bold(),
        };
        format!("{style}{text}{style:#}")
    }
}

/// The blanks behind a column of a table, at least.
const GAP: usize = 2;

/// No line is made shorter than this, however narrow the terminal.
pub const NARROW: usize = 60;

/// Lines that are longer than the width, broken between columns and else between words; what goes on stands below its column.
fn fit(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if visible(line) <= width {
            out.push_str(line);
        } else {
            out.push_str(&broken(line, width));
        }
        out.push_str(end);
    }
    out
}

/// Counts the characters that a text has on a terminal, without the codes of colours.
fn visible(text: &str) -> usize {
    let mut coded = false;
    let mut shown = |c: &char| {
        let was = coded;
        coded = if coded { !c.is_ascii_alphabetic() } else { *c == '\u{1b}' };
        !was && !coded
    };
    text.chars().filter(|c| shown(c)).count()
}

fn broken(line: &str, width: usize) -> String {
    let margin = line.len() - line.trim_start_matches(' ').len();
    let cells = columns(&line[margin..]);
    let second = cells.get(1).zip(cells.first()).map(|((gap, _), (_, first))| margin + visible(first) + gap);
    let below = second.filter(|column| *column <= width / 2).unwrap_or(margin + 4);
    let mut out = " ".repeat(margin);
    let mut at = margin;
    for (gap, cell) in cells {
        let fits = at + gap + visible(cell) <= width;
        let whole = below + visible(cell) <= width;
        // A cell that fits on a line of its own is not broken; one that does not begins where there is room for some words.
        if fits || !whole && at + gap + width / 4 <= width {
            out.push_str(&" ".repeat(gap));
            at += gap;
        } else {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&" ".repeat(below));
            at = below;
        }
        for (index, word) in words(cell, width.saturating_sub(below)).into_iter().enumerate() {
            let blank = usize::from(index > 0);
            if index > 0 && at + blank + visible(word) > width {
                out.push('\n');
                out.push_str(&" ".repeat(below));
                at = below;
            } else if index > 0 {
                out.push(' ');
                at += 1;
            }
            out.push_str(word);
            at += visible(word);
        }
    }
    out
}

/// The words of a text. What stands in backticks is to be typed: it is one word where a line has room for it.
fn words(text: &str, room: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let blank = |from: usize| rest[from..].find(' ').map_or(rest.len(), |at| from + at);
        let quoted = rest.find('`').filter(|begin| *begin < blank(0));
        let closed = quoted.and_then(|begin| Some(begin + 2 + rest[begin + 1..].find('`')?));
        let end = closed.map(blank).filter(|end| visible(&rest[..*end]) <= room).unwrap_or_else(|| blank(0));
        words.push(&rest[..end]);
        rest = rest[end..].strip_prefix(' ').unwrap_or("");
    }
    words
}

/// The columns of a line: what two blanks or more divide, each with the number of them before it.
fn columns(line: &str) -> Vec<(usize, &str)> {
    let mut columns = Vec::new();
    let (mut rest, mut gap) = (line, 0);
    while !rest.is_empty() {
        let end = rest.find("  ").unwrap_or(rest.len());
        columns.push((gap, &rest[..end]));
        let after = rest[end..].trim_start_matches(' ');
        gap = rest.len() - end - after.len();
        rest = after;
    }
    columns
}

/// `1170` as `1,170`.
pub fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 cell`, `2 cells`.
pub fn count(value: usize, what: &str) -> String {
    format!("{} {what}{}", number(value), if value == 1 { "" } else { "s" })
}

/// `0.4 ms`, `24 ms`, `0.31 s`, `12.5 s`.
pub fn duration(value: Duration) -> String {
    let ms = value.as_secs_f64() * 1e3;
    match ms {
        _ if ms < 9.95 => format!("{ms:.1} ms"),
        _ if ms < 99.5 => format!("{ms:.0} ms"),
        _ if ms < 9_995.0 => format!("{:.2} s", ms / 1e3),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

/// The column's name in a grid and after a colon: `22`, `53/udp`, `ping`.
pub fn service(service: Service) -> String {
    match service {
        Service::Tcp(port) => port.to_string(),
        Service::Udp(port) => format!("{port}/udp"),
        Service::IcmpEcho => "ping".to_owned(),
        Service::Icmp(_) | Service::Protocol(_) => service.to_string(),
    }
}

/// The letters of a grid: those of what is rare, load balancers that close and others who answer, only where they are in it.
pub fn letters(there: impl Fn(Class) -> bool) -> String {
    let rare = |class: &Class| matches!(class, Class::Closed | Class::Misdelivered);
    let told = Class::ALL.iter().filter(|class| !rare(class) || there(**class));
    told.map(|class| format!("{} {}", class.letter(), class.as_str())).collect::<Vec<_>>().join("  ")
}

/// An end by name; one address of several is numbered: `world[2]`.
pub fn endpoint(end: &Endpoint, hosts: &IndexMap<HostName, Vec<HostIp>>) -> String {
    match end {
        Endpoint::Instance(_) | Endpoint::LoadBalancer(..) | Endpoint::Interface(_) | Endpoint::Forged(..) => {
            end.to_string()
        }
        Endpoint::Host(name, address) => match hosts.get(name) {
            Some(all) if all.len() > 1 => match all.iter().position(|ip| ip == address) {
                Some(index) => format!("{name}[{}]", index + 1),
                None => format!("{name} ({address})"),
            },
            _ => name.to_string(),
        },
    }
}

/// Several ends by name; a host of which every address is there is named once.
pub fn endpoints(ends: &[Endpoint], hosts: &IndexMap<HostName, Vec<HostIp>>) -> String {
    let mut names: Vec<String> = Vec::new();
    for end in ends {
        let name = match end {
            Endpoint::Host(name, _) if hosts.get(name).is_some_and(|all| all_there(name, all, ends)) => {
                name.to_string()
            }
            _ => endpoint(end, hosts),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn all_there(name: &HostName, all: &[HostIp], ends: &[Endpoint]) -> bool {
    all.iter().all(|&address| ends.contains(&Endpoint::Host(name.clone(), address)))
}

/// Renders an outcome in a word or two.
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Dropped(drop) => match drop.cause.groups() {
            Some((at, interface, _)) => format!("dropped at {}'s {at}", interface.holder()),
            None => reason::cause(&drop.cause),
        },
        Outcome::Misdelivered { answered_by } => format!("answered by {}", shown(answered_by)),
        other => Class::of(other).as_str().to_owned(),
    }
}

/// Renders the address that a flow by DNS name went to: `, at 10.0.0.12 by its resolver`.
pub fn resolved(address: Option<IpAddr>) -> String {
    address.map_or_else(String::new, |address| format!(", at {address} by its resolver"))
}

/// Says that there is no name to ask for.
pub fn name_said(said: Option<Resolution>) -> &'static str {
    if said == Some(Resolution::NoSuchName) { ", as there is no such name" } else { "" }
}

/// `SG-T-DB "tcp 3306 from SG-T-WEB"`.
pub fn rule(rule: &DecidingRule) -> String {
    format!("{} \"{}\"", rule.group, shown(&rule.written))
}

/// A line of others that nothing stands before but blanks, as [`shown`]: with `::` it would be a command of a workflow.
pub fn shown_line(text: &str) -> Cow<'_, str> {
    match shown(text) {
        line if line.trim_start().starts_with("::") => line.replacen(':', "\\u{3a}", 1).into(),
        line => line,
    }
}

/// `WEB`, or `WEB ("web servers")` where EC2 has another name of the group than the file.
pub fn group(file: &GroupName, ec2: Option<&Ec2Name>) -> String {
    match ec2.filter(|name| name.as_str() != file.as_str()) {
        Some(name) => format!("{file} (\"{}\")", shown(name.as_str())),
        None => file.to_string(),
    }
}

/// Several lines of others, each as [`shown_line`].
pub fn shown_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => shown_line(line).into_owned() + "\n",
            None => shown_line(line).into_owned(),
        })
        .collect()
}

/// Breaks a text into lines of at most `width` characters, each as [`shown_line`].
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let plain = shown(word);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + plain.chars().count() <= width => {
                line.push(' ');
                line.push_str(&plain);
            }
            _ => lines.push(shown_line(word).into_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 1170, 1_234_567].map(number), ["0", "999", "1,000", "1,170", "1,234,567"]);
    }

    #[test]
    fn durations_have_two_or_three_digits() {
        let of = |us| duration(Duration::from_micros(us));
        assert_eq!(
            [400, 6_000, 24_000, 310_000, 12_500_000].map(of),
            ["0.4 ms", "6.0 ms", "24 ms", "0.31 s", "12.5 s"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_below_its_column() {
        let style = Style { width: Some(60), ..Style::default() };
        let step = " 1 FAILED  as launched                                    2 of 24 cells are wrong";
        let rule = "         admitted by  db \"tcp 5432 from anywhere\"               shop.yaml:9:8";
        let because =
            "         because      no rule of WEB admits tcp 80 from a load balancer, which is not a member of it";
        let narrow = style.fit(&format!("{step}\n{rule}\n{because}\nshort\n"));
        assert_eq!(
            narrow,
            " 1 FAILED  as launched\n           2 of 24 cells are wrong\n\
             \x20        admitted by  db \"tcp 5432 from anywhere\"\n\
             \x20                     shop.yaml:9:8\n\
             \x20        because      no rule of WEB admits tcp 80 from a\n\
             \x20                     load balancer, which is not a member\n\
             \x20                     of it\nshort\n"
        );
        let red = Style { color: true, ..style };
        let coloured = format!("{}  {}", red.paint(Tone::Bad, "WRONG"), "x".repeat(53));
        assert_eq!(red.fit(&coloured), coloured, "codes of colours have no width");
        assert_eq!(Style::default().fit(step), step);
    }

    #[test]
    fn what_is_to_be_typed_is_not_broken_where_a_line_has_room_for_it() {
        let style = Style { width: Some(60), ..Style::default() };
        let narrow =
            style.fit("     remedy:  give it a range: `apt-get install uidmap`, then `echo me:1:2 | tee`; or not\n");
        assert_eq!(
            narrow,
            "     remedy:  give it a range: `apt-get install uidmap`,\n              then `echo me:1:2 | tee`; or not\n"
        );
        assert_eq!(words("a `b c`; d `e", 9), ["a", "`b c`;", "d", "`e"]);
        assert_eq!(words("a `b c d e` f", 5), ["a", "`b", "c", "d", "e`", "f"]);
    }

    #[test]
    fn a_table_that_is_too_wide_is_shown_in_parts() {
        let narrow = Style { width: Some(60), ..Style::default() };
        assert_eq!(narrow.parts(5, 20, 14), [0..3, 3..5]);
        assert_eq!(narrow.parts(2, 80, 14), [0..1, 1..2], "a column at least");
        assert_eq!(Style::default().parts(5, 20, 14), vec![0..5]);
    }

    #[test]
    fn colours_are_left_out_unless_wanted() {
        assert_eq!(Style::default().paint(Tone::Bad, "no"), "no");
        assert!(Style { color: true, ..Style::default() }.paint(Tone::Bad, "no").starts_with('\u{1b}'));
    }
}
