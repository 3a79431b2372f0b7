//! A file of predictions for `sglab walk`: one a line, in the order of the questions.

use super::expected::{ExpectedConnection, ExpectedOutcome};
use super::problem::{Diagnostic, Problems, Source, Span, quote};
use crate::model::suggest;

/// Outcome that a person predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Prediction {
    /// The instance asked for answers.
    Open,
    /// A filter drops it.
    Dropped,
    /// The groups let it in, and nobody listens.
    Refused,
    /// Nobody holds the address.
    Unreachable,
    /// The connection still carries what each end sends.
    Alive,
    /// Packets of each end over the connection are dropped.
    Cut,
    /// An end of the connection is no more.
    Gone,
}

/// Subject of a question, which decides the words that answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QuestionSubject {
    /// A new flow.
    Flow,
    /// A connection that is held.
    Connection,
    /// Which of so many rules lets a flow through.
    Rule {
        /// Number of rules to choose from.
        of: usize,
    },
}

/// Reply to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A prediction.
    Predicted(Prediction),
    /// The number of a rule, from 1; 0 for none.
    Rule(usize),
    /// `?`: no prediction.
    Skip,
    /// `q`: that is the end of it.
    Quit,
}

impl Prediction {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => ExpectedOutcome::Open.as_str(),
            Self::Dropped => ExpectedOutcome::Dropped.as_str(),
            Self::Refused => ExpectedOutcome::Refused.as_str(),
            Self::Unreachable => ExpectedOutcome::Unreachable.as_str(),
            Self::Alive => ExpectedConnection::Alive.as_str(),
            Self::Cut => ExpectedConnection::Cut.as_str(),
            Self::Gone => ExpectedConnection::Gone.as_str(),
        }
    }
}

impl QuestionSubject {
    /// The predictions that answer such a question.
    pub fn answers(self) -> &'static [Prediction] {
        match self {
            Self::Flow => &[Prediction::Open, Prediction::Dropped, Prediction::Refused, Prediction::Unreachable],
            Self::Connection => &[Prediction::Alive, Prediction::Cut, Prediction::Gone],
            Self::Rule { .. } => &[],
        }
    }

    /// The words that answer it, as a prompt shows them: `o(pen) d(ropped) ...`.
    pub fn prompt(self) -> String {
        if let Self::Rule { of } = self {
            return format!("1 to {of}, or 0 for none");
        }
        let words = self.answers().iter().map(|it| it.as_str()).map(|word| match word.split_at_checked(1) {
            Some((first, rest)) => format!("{first}({rest})"),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Parses a reply to such a question: a word in full or its first letter, in any case.
    pub fn reply(self, word: &str) -> Option<Reply> {
        let word = word.to_lowercase();
        match word.as_str() {
            "?" | "skip" => return Some(Reply::Skip),
            "q" | "quit" => return Some(Reply::Quit),
            _ => {}
        }
        if let Self::Rule { of } = self {
            let number = if word == "none" { Some(0) } else { word.parse().ok() };
            return number.filter(|number| *number <= of).map(Reply::Rule);
        }
        let is = |it: &Prediction| it.as_str() == word || (word.len() == 1 && it.as_str().starts_with(&word));
        self.answers().iter().copied().find(is).map(Reply::Predicted)
    }
}

/// A question that a file of predictions answers: what it is about, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Subject of the question.
    pub asked: QuestionSubject,
    /// Such as `step 2, web1 -> db1:3306`.
    pub words: String,
}

/// Reads a file of predictions for these questions. `#` begins a comment, and blank lines do not count.
///
/// # Errors
/// Every word that is no answer to its question, and every answer too many or too few, at once.
pub fn predictions(file: &str, bytes: &[u8], wanted: &[Wanted]) -> Result<Vec<Reply>, Problems> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let draft = Diagnostic::new(Span { start: 0, end: 0 }, "the file is not text: it is not UTF-8");
        return Err(Problems::new(&Source::new(file, ""), vec![draft]));
    };
    let source = Source::new(file, text);
    let mut problems = Vec::new();
    let mut replies = Vec::new();
    let mut questions = wanted.iter();
    let mut ended = false;
    for (word, span) in words(text) {
        let Some(question) = questions.next().filter(|_| !ended) else {
            let why = if ended { "stands behind `q`, which ends it" } else { "answers no question" };
            let message = format!("{} {why}", quote(word));
            problems.push(Diagnostic::new(span, message).help(format!("there are {} questions", wanted.len())));
            continue;
        };
        match question.asked.reply(word) {
            Some(reply) => {
                ended = reply == Reply::Quit;
                replies.push(reply);
            }
            None => {
                let known = question.asked.answers().iter().map(|it| it.as_str());
                let all = match question.asked {
                    QuestionSubject::Rule { .. } => question.asked.prompt(),
                    QuestionSubject::Flow | QuestionSubject::Connection => known.clone().collect::<Vec<_>>().join(", "),
                };
                let help = suggest(word, known).unwrap_or_else(|| format!("{all}, or `?` to skip"));
                let message = format!("{} is no answer to {}", quote(word), question.words);
                problems.push(Diagnostic::new(span, message).help(help));
            }
        }
    }
    if let Some(question) = questions.next().filter(|_| !ended) {
        let (given, all) = (wanted.len() - questions.len() - 1, wanted.len());
        let end = text.trim_end().len();
        let message = format!("{given} answers to {all} questions: {} has none", question.words);
        problems.push(Diagnostic::new(Span { start: end, end }, message).help("`?` skips a question, `q` ends there"));
    }
    if problems.is_empty() { Ok(replies) } else { Err(Problems::new(&source, problems)) }
}

/// Splits a text into the words of its lines, without comments, each with its span.
fn words(text: &str) -> impl Iterator<Item = (&str, Span)> {
    let mut next = 0;
    text.split('\n').filter_map(move |line| {
        let start = next;
        next += line.len() + 1;
        let said = line.split('#').next().unwrap_or_default();
        let word = said.trim();
        let start = start + (said.len() - said.trim_start().len());
        (!word.is_empty()).then_some((word, Span { start, end: start + word.len() }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(asked: &[QuestionSubject]) -> Vec<Wanted> {
        asked.iter().enumerate().map(|(n, &asked)| Wanted { asked, words: format!("question {}", n + 1) }).collect()
    }

    fn refused(text: &str, asked: &[QuestionSubject]) -> String {
        predictions("answers", text.as_bytes(), &wanted(asked)).unwrap_err().to_string()
    }

    #[test]
    fn one_a_line_in_full_or_by_letter_with_comments_and_blank_lines() {
        let text = "# the first step\nopen\n\n D   # as it happens\r\n?\nCut\n";
        let read = predictions(
            "a",
            text.as_bytes(),
            &wanted(&[
                QuestionSubject::Flow,
                QuestionSubject::Flow,
                QuestionSubject::Flow,
                QuestionSubject::Connection,
            ]),
        );
        let predicted = Reply::Predicted;
        assert_eq!(
            read.unwrap(),
            [predicted(Prediction::Open), predicted(Prediction::Dropped), Reply::Skip, predicted(Prediction::Cut)]
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once_with_carets() {
        let said = refused(
            "opne\ncut  # a flow is not cut\nopen\nd\n",
            &[QuestionSubject::Flow, QuestionSubject::Flow, QuestionSubject::Connection],
        );
        assert_eq!(
            said,
            "\
error: `opne` is no answer to question 1
 --> answers:1:1
  |
1 | opne
  | ^^^^ did you mean `open`?

error: `cut` is no answer to question 2
 --> answers:2:1
  |
2 | cut  # a flow is not cut
  | ^^^ open, dropped, refused, unreachable, or `?` to skip

error: `open` is no answer to question 3
 --> answers:3:1
  |
3 | open
  | ^^^^ alive, cut, gone, or `?` to skip

error: `d` answers no question
 --> answers:4:1
  |
4 | d
  | ^ there are 3 questions"
        );
    }

    #[test]
    fn too_few_are_told_and_q_may_end_them() {
        let said = refused("o\n# no more\n", &[QuestionSubject::Flow, QuestionSubject::Flow, QuestionSubject::Flow]);
        assert!(said.starts_with("error: 1 answers to 3 questions: question 2 has none\n --> answers:2:"), "{said}");
        let ended = predictions(
            "a",
            b"o\nq\n",
            &wanted(&[QuestionSubject::Flow, QuestionSubject::Flow, QuestionSubject::Flow]),
        )
        .unwrap();
        assert_eq!(ended, [Reply::Predicted(Prediction::Open), Reply::Quit]);
        assert!(refused("q\no\n", &[QuestionSubject::Flow, QuestionSubject::Flow]).contains("stands behind `q`"));
        assert!(predictions("a", b"\xff", &[]).is_err());
        assert_eq!(predictions("a", b"", &[]).unwrap(), []);
    }
}
