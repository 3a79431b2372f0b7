//! Allowances: findings that somebody has looked at, each with a reason and, if wanted, a last day.

use std::fmt;

use super::checks;
use super::date::Date;
use crate::model::{SourceLocation, shown, suggest};

/// The beginning of a comment that speaks to sglab, behind its `#`.
const MARK: &str = "sglab:";

/// The subject of an allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Findings on a line of a file.
    Line {
        /// The file, as the user named it.
        file: String,
        /// The line, from 1.
        line: u32,
    },
    /// Findings whose origin or subject is this resource: `aws_security_group.web`, `sg-0abc`, or the name of a group.
    Resource(String),
}

/// One allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The check's id.
    pub check: &'static str,
    /// Its subject.
    pub scope: Scope,
    /// The reason.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// Its place.
    pub place: SourceLocation,
}

/// An allowance that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceFault {
    /// Its place.
    pub place: SourceLocation,
    /// The mistake.
    pub message: String,
    /// Advice.
    pub help: Option<String>,
}

impl fmt::Display for AllowanceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n --> {}", shown(&self.message), self.place)?;
        self.help.as_deref().map_or(Ok(()), |help| write!(f, "\n  = help: {}", shown(help)))
    }
}

impl std::error::Error for AllowanceFault {}

impl Allowance {
    /// Makes one of its words.
    ///
    /// # Errors
    /// If there is no such check, no reason, or no such day.
    pub fn new(
        (check, reason, until): (&str, &str, Option<&str>),
        scope: Scope,
        place: &SourceLocation,
    ) -> Result<Self, AllowanceFault> {
        let fault = |message: String, help: Option<String>| AllowanceFault { place: place.clone(), message, help };
        let Some(known) = checks::check(check) else {
            let help = suggest(check, checks::all().map(|check| check.id));
            return Err(fault(
                format!("there is no check `{check}`"),
                help.or_else(|| Some("`sglab lint --list` lists them".to_owned())),
            ));
        };
        let (reason, until) = reasoned((known.id, reason, until), place)?;
        Ok(Self { check: known.id, scope, reason, until, place: place.clone() })
    }
}

/// The reason and the last day of an allowance of something.
pub(super) fn reasoned(
    (what, reason, until): Words<'_>,
    place: &SourceLocation,
) -> Result<(String, Option<Date>), AllowanceFault> {
    let fault =
        |message: String, help: &str| AllowanceFault { place: place.clone(), message, help: Some(help.to_owned()) };
    let reason = reason.trim();
    if reason.is_empty() {
        let message = format!("an allowance of {what} has no reason");
        return Err(fault(message, "say why: the next who reads it does not know"));
    }
    let date = |text: &str| {
        text.parse::<Date>().map_err(|()| fault(format!("`{text}` is no day"), "a day is such as 2027-01-31"))
    };
    Ok((reason.to_owned(), until.map(date).transpose()?))
}

/// Reads the allowances in the comments of a topology: `# sglab: allow CHECK - reason [until YYYY-MM-DD]`, on the line itself or above it.
///
/// # Errors
/// All that cannot be read.
pub fn in_comments(file: &str, text: &str) -> Result<Vec<Allowance>, Vec<AllowanceFault>> {
    let (mut allowances, mut faults) = (Vec::new(), Vec::new());
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some((start, comment)) = comment(line) else { continue };
        let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
        let column = u32::try_from(line[..start].chars().count() + 1).unwrap_or(u32::MAX);
        let place = SourceLocation { file: file.into(), line: number(index), column };
        let is_alone = line[..start].trim().is_empty();
        let is_said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let below = lines[index..].iter().position(is_said).map_or(index, |more| index + more);
        let meant = if is_alone { below } else { index };
        let scope = Scope::Line { file: file.to_owned(), line: number(meant) };
        match read(comment, &place).and_then(|words| Allowance::new(words, scope, &place)) {
            Ok(allowance) => allowances.push(allowance),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(allowances) } else { Err(faults) }
}

/// The comment of a line that speaks to sglab: where its `#` is, and what follows the mark.
fn comment(line: &str) -> Option<(usize, &str)> {
    line.match_indices('#').find_map(|(at, _)| {
        let begins = line[..at].chars().next_back().is_none_or(char::is_whitespace);
        let words = line[at + 1..].trim_start().strip_prefix(MARK)?;
        begins.then_some((at, words.trim()))
    })
}

type Words<'t> = (&'t str, &'t str, Option<&'t str>);

fn read<'t>(comment: &'t str, place: &SourceLocation) -> Result<Words<'t>, AllowanceFault> {
    let fault = |message: String| AllowanceFault {
        place: place.clone(),
        message,
        help: Some(
            "write `# sglab: allow CHECK - reason`, and `until YYYY-MM-DD` behind it if it is to end".to_owned(),
        ),
    };
    let Some(rest) = comment.strip_prefix("allow").filter(|rest| rest.starts_with(char::is_whitespace)) else {
        return Err(fault(format!("`{comment}` is nothing that a comment can say to sglab")));
    };
    let rest = rest.trim();
    let (check, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if check.is_empty() {
        return Err(fault("an allowance names no check".to_owned()));
    }
    let reason = rest.trim_start().trim_start_matches(['-', '\u{2013}', '\u{2014}', ':']).trim();
    let unwrapped = reason.trim_end_matches([']', ')']);
    // A day at the end, in brackets or not; `until` in a sentence is a word.
    let day = unwrapped.rsplit_once("until ").filter(|(_, day)| day.starts_with(|c: char| c.is_ascii_digit()));
    let words = day
        .filter(|(before, day)| !day.trim().contains(' ') && (before.is_empty() || before.ends_with([' ', '[', '('])));
    Ok(match words {
        Some((reason, day)) => (check, reason.trim_end_matches([' ', '[', '(', ',']), Some(day.trim())),
        None => (check, reason, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> Vec<(u32, String, String, Option<String>)> {
        let words = |allowance: Allowance| {
            let Scope::Line { line, .. } = allowance.scope else { panic!("a line") };
            (line, allowance.check.to_owned(), allowance.reason, allowance.until.map(|day| day.to_string()))
        };
        in_comments("a.yaml", text).unwrap().into_iter().map(words).collect()
    }

    #[test]
    fn an_allowance_is_for_its_line_or_the_next_that_says_something() {
        let text = "groups:\n  web: [tcp 22 from anywhere]  # sglab: allow admin-from-anywhere - a honeypot [until 2027-01-31]\n\
                    \n  # sglab: allow address-in-rule \u{2013} until the move\n  # more\n  db: []\n";
        assert_eq!(
            allowed(text),
            [
                (2, "admin-from-anywhere".to_owned(), "a honeypot".to_owned(), Some("2027-01-31".to_owned())),
                (6, "address-in-rule".to_owned(), "until the move".to_owned(), None),
            ]
        );
        assert_eq!(allowed("a: b # sglab: allow all-ports - x, until 2027-01-31")[0].2, "x");
        assert_eq!(allowed("a: b#sglab: allow all-ports - no comment"), []);
    }

    #[test]
    fn one_without_a_reason_or_a_day_that_is_none_is_refused() {
        for (comment, message) in [
            ("allow all-ports", "an allowance of all-ports has no reason"),
            ("allow all-ports until 2027-01-31", "an allowance of all-ports has no reason"),
            ("allow all-port - x", "there is no check `all-port`"),
            ("allow all-ports - x until 2027-02-30", "`2027-02-30` is no day"),
            ("allow", "`allow` is nothing that a comment can say to sglab"),
            ("deny all-ports - x", "`deny all-ports - x` is nothing that a comment can say to sglab"),
        ] {
            let faults = in_comments("a.yaml", &format!("a: b # sglab: {comment}")).unwrap_err();
            assert_eq!((faults[0].message.as_str(), faults[0].place.column), (message, 6), "{comment}");
        }
    }
}
