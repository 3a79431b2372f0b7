//! Problems of a topology file, with their positions: shown like a compiler's errors.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use crate::model::{SourceLocation, is_hidden, push_shown, shown, without_commands};

/// Maximum number of problems shown; a file with more is broken in one place that repeats.
const MAX_SHOWN: usize = 100;
/// Lines longer than this are shown around the place only.
const MAX_LINE: usize = 160;
/// So much of a line is shown on the narrowest terminal.
const MIN_LINE: usize = 40;
/// Ellipsis in place of the rest of a line.
const DOTS: &str = "...";
/// Help up to this length stands at the caret, a longer one below.
const MAX_LABEL: usize = 60;

/// A stretch of the file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The place where it begins.
    pub fn beginning(self) -> Self {
        Self { end: self.start, ..self }
    }
}

/// A problem before it has its line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    span: Span,
    message: String,
    help: Option<String>,
    related: Option<(String, Span)>,
}

impl Diagnostic {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None, related: None }
    }

    pub fn span(&self) -> Span {
        self.span
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    pub fn related(mut self, words: impl Into<String>, span: Span) -> Self {
        self.related = Some((words.into(), span));
        self
    }

    /// As [`Self::related`], where there is such a place.
    pub fn maybe_related(self, words: &str, span: Option<Span>) -> Self {
        match span {
            Some(span) => self.related(words, span),
            None => self,
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    place: SourceLocation,
    /// Number of characters meant, at least one.
    width: u32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Related>,
}

/// Another place that belongs to a problem, such as where a name was first given.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Related {
    place: SourceLocation,
    width: u32,
    message: String,
}

impl Problem {
    /// Returns the position in the file.
    pub fn place(&self) -> &SourceLocation {
        &self.place
    }

    /// Number of characters meant, at least one.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the advice on how to mend it, if there is any.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The other place, with a word on it.
    pub fn related(&self) -> Option<(&SourceLocation, &str)> {
        self.related.as_ref().map(|related| (&related.place, related.message.as_str()))
    }
}

/// Everything that is wrong with a file, in its order; never empty. `Display` shows the lines with carets.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problems {
    problems: Vec<Problem>,
    /// Number of problems left out.
    left_out: usize,
    #[serde(skip)]
    source: Arc<str>,
}

impl std::error::Error for Problems {}

impl Problems {
    /// Puts drafts into the file's order. An empty list is not told from one unknown problem: callers check before.
    pub(crate) fn new(source: &Source, mut drafts: Vec<Diagnostic>) -> Self {
        drafts.sort_by_key(|draft| draft.span);
        // An alias repeats its problems at one and the same place.
        drafts.dedup();
        let left_out = drafts.len().saturating_sub(MAX_SHOWN);
        drafts.truncate(MAX_SHOWN);
        let problems = drafts.into_iter().map(|draft| source.problem(draft)).collect();
        Self { problems, left_out, source: source.text.clone() }
    }

    /// The problems, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// The line of a problem as it stands in the source, if that is text.
    pub fn line_of(&self, problem: &Problem) -> Option<&str> {
        let index = usize::try_from(problem.place.line).ok()?.checked_sub(1)?;
        lines(&self.source).nth(index).map(|(_, line)| line)
    }

    /// As `Display`, with lines of the file shown around what is meant where the terminal is too narrow for them.
    pub fn within(&self, width: usize) -> String {
        Shown { problems: self, width: Some(width) }.to_string()
    }

    /// Returns the number of problems, those left out included.
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.problems.len() + self.left_out
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown { problems: self, width: None }.fmt(f)
    }
}

/// Problems as they are shown, on a terminal of some width or elsewhere.
struct Shown<'p> {
    problems: &'p Problems,
    width: Option<usize>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problems: all, width } = *self;
        // What is no text, or too much of it, has no lines that can be shown.
        let lines = if all.source.is_empty() { Vec::new() } else { lines(&all.source).collect() };
        for (index, problem) in all.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            said(f, "error: ", &shown(&problem.message), width)?;
            let help = problem.help.as_deref().map(shown);
            let (label, below) = match &help {
                Some(help) if help.chars().count() <= MAX_LABEL => (help.as_ref(), None),
                Some(help) => ("", Some(help)),
                None => ("", None),
            };
            let gutter = snippet(f, &lines, (&problem.place, problem.width), label, width)?;
            if let Some(help) = below {
                help_below(f, gutter, help, width)?;
            }
            if let Some(related) = &problem.related {
                f.write_str("\n")?;
                said(f, "note: ", &shown(&related.message), width)?;
                snippet(f, &lines, (&related.place, related.width), "", width)?;
            }
        }
        if all.left_out > 0 {
            write!(f, "\n\nerror: {} more problems are not shown", all.left_out)?;
        }
        Ok(())
    }
}

fn help_below(f: &mut fmt::Formatter<'_>, gutter: usize, help: &str, terminal: Option<usize>) -> fmt::Result {
    f.write_str("\n")?;
    said(f, &format!("{:gutter$} = help: ", ""), help, terminal)
}

/// Writes words behind a head; what a terminal has no room for goes on below them.
fn said(f: &mut fmt::Formatter<'_>, head: &str, words: &str, terminal: Option<usize>) -> fmt::Result {
    f.write_str(head)?;
    let Some(width) = terminal.map(|width| width.max(MIN_LINE)) else { return f.write_str(words) };
    let indent = head.chars().count();
    let mut at = indent;
    for (index, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && at + 1 + length > width {
            write!(f, "\n{:indent$}", "")?;
            at = indent;
        } else if index > 0 {
            f.write_str(" ")?;
            at += 1;
        }
        f.write_str(word)?;
        at += length;
    }
    Ok(())
}

/// Writes the place, its line and a caret; gives the width of the line numbers.
fn snippet(
    f: &mut fmt::Formatter<'_>,
    lines: &[(usize, &str)],
    (place, width): (&SourceLocation, u32),
    label: &str,
    terminal: Option<usize>,
) -> Result<usize, fmt::Error> {
    let number = place.line.to_string();
    let gutter = number.len();
    write!(f, "\n{:gutter$}--> {place}", "")?;
    let Some((_, line)) = usize::try_from(place.line).ok().and_then(|n| lines.get(n.checked_sub(1)?)) else {
        if !label.is_empty() {
            help_below(f, gutter, label, terminal)?;
        }
        return Ok(gutter);
    };
    let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let width = usize::try_from(width).unwrap_or(1);
    // Behind the line's number and its bar.
    let room = terminal.map_or(MAX_LINE, |terminal| terminal.saturating_sub(gutter + 3).clamp(MIN_LINE, MAX_LINE));
    let (shown, column, width) = window(line, column, width, room);
    let shown = without_commands(shown, " ");
    write!(f, "\n{:gutter$} |\n{number} | {shown}\n{:gutter$} | {:column$}{}", "", "", "", "^".repeat(width))?;
    let end = column + width + 1 + label.chars().count();
    match label {
        "" => {}
        label if terminal.is_some() && end > room => help_below(f, gutter, label, terminal)?,
        label => write!(f, " {label}")?,
    }
    Ok(gutter)
}

/// A line as it can be shown: tabs are one blank wide, and of one that is too long only the part around the place.
fn window(line: &str, column: usize, width: usize, room: usize) -> (String, usize, usize) {
    let visible = |c: char| if is_hidden(c) { ' ' } else { c };
    let length = line.chars().count();
    if length <= room {
        return (line.chars().map(visible).collect::<String>().trim_end().to_owned(), column, width);
    }
    let kept = room.saturating_sub(2 * DOTS.len());
    // What is meant begins in the first quarter, unless the line ends before the room does.
    let first = column.saturating_sub(kept / 4).min(length.saturating_sub(kept));
    let lead = if first > 0 { DOTS } else { "" };
    let mut shown = lead.to_owned();
    shown.extend(line.chars().skip(first).take(kept).map(visible));
    shown.truncate(shown.trim_end().len());
    let column = column - first + lead.len();
    if length > first + kept {
        shown.push_str(DOTS);
    }
    (shown, column, width.min((lead.len() + kept).saturating_sub(column)).max(1))
}

/// Words of the file inside a message: in backticks, without control characters, and not too long.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("`");
    for (index, c) in text.chars().enumerate() {
        if index >= 80 {
            quoted.push_str("...");
            break;
        }
        push_shown(&mut quoted, c);
    }
    quoted.push('`');
    quoted
}

/// A file's text, and the way from bytes to lines and columns.
pub struct Source {
    file: Arc<str>,
    text: Arc<str>,
    /// Offsets of line starts, in bytes.
    starts: Vec<usize>,
    /// Number of characters before each block of bytes: a file may be one line of a megabyte.
    characters: Vec<usize>,
}

/// The size of a block whose characters are counted once.
const BLOCK: usize = 1024;

/// The file of what was typed for a cloud that runs.
pub(super) const TYPED: &str = "command";

impl Source {
    /// Returns true if it was typed for a running cloud, and is no file.
    pub fn is_typed(&self) -> bool {
        &*self.file == TYPED
    }
}

fn characters(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}

impl Source {
    pub fn new(file: &str, text: &str) -> Self {
        Self::shared(file, Arc::from(text))
    }

    /// The same of a text that is shared: it may be large.
    pub fn shared(file: &str, text: Arc<str>) -> Self {
        let starts = lines(&text).map(|(start, _)| start).collect();
        let blocks = text.as_bytes().chunks(BLOCK).scan(0, |before, block| {
            let here = *before;
            *before += characters(block);
            Some(here)
        });
        let characters = blocks.collect();
        Self { file: Arc::from(file), text, starts, characters }
    }

    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Line and column of a place; columns count characters.
    pub fn place(&self, span: Span) -> SourceLocation {
        let start = span.start.min(self.text.len());
        let line = self.starts.partition_point(|&begin| begin <= start).max(1);
        let begin = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self.characters_before(start).saturating_sub(self.characters_before(begin));
        SourceLocation { file: self.file.clone(), line: number(line), column: number(column + 1) }
    }

    /// Digest of a text, white space aside.
    pub fn digest(&self, span: Span) -> u64 {
        let mut digest = DefaultHasher::new();
        let text = self.text.get(span.start..span.end.min(self.text.len())).unwrap_or_default();
        text.split_ascii_whitespace().for_each(|word| digest.write(word.as_bytes()));
        digest.finish()
    }

    /// The word at a place.
    pub fn word_at(&self, place: &SourceLocation) -> Span {
        let line = self.starts.get(place.line.saturating_sub(1) as usize).copied().unwrap_or(0);
        let rest = self.text.get(line..).unwrap_or_default();
        let column = place.column.saturating_sub(1) as usize;
        let start = line + rest.char_indices().nth(column).map_or(0, |(at, _)| at);
        let word = self.text.get(start..).unwrap_or_default();
        let end = word.find(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | ']' | '}')).unwrap_or(word.len());
        Span { start, end: start + end }
    }

    /// The next place behind a word where a text stands as it is.
    pub fn behind(&self, word: Span, text: &str) -> Option<Span> {
        let start = word.start + self.text.get(word.start..)?.find(text)?;
        Some(Span { start, end: start + text.len() })
    }

    fn characters_before(&self, at: usize) -> usize {
        let block = (at / BLOCK).min(self.characters.len().saturating_sub(1));
        let rest = self.text.as_bytes().get(block * BLOCK..at).unwrap_or_default();
        self.characters.get(block).copied().unwrap_or(0) + characters(rest)
    }

    /// Counts the characters of its first line that a span covers, at least one for the caret.
    fn width(&self, span: Span) -> u32 {
        let text = self.text.get(span.start..span.end.max(span.start)).unwrap_or("");
        let first = text.split(['\n', '\r']).next().unwrap_or("").trim_end();
        number(first.chars().count().max(1))
    }

    fn problem(&self, draft: Diagnostic) -> Problem {
        Problem {
            place: self.place(draft.span),
            width: self.width(draft.span),
            message: draft.message,
            help: draft.help,
            related: draft.related.map(|(message, span)| Related {
                place: self.place(span),
                width: self.width(span),
                message,
            }),
        }
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Lines with their beginnings. YAML ends a line at `\n`, `\r\n` and `\r`.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let is_end = |(index, byte): (usize, &u8)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(start + index + 1) != Some(&b'\n'),
            _ => false,
        };
        let end = bytes[start..].iter().enumerate().position(is_end).map(|length| start + length);
        next = end.map(|end| end + 1);
        Some((start, end.map_or(&text[start..], |end| text[start..end].trim_end_matches('\r'))))
    })
}
