//! The source of answers to a workshop's questions, and the output that goes to it.

use std::io::{BufRead, IsTerminal, Read, Write, stderr, stdin};
use std::path::Path;

use anyhow::Context;
use sglab::report::Style;
use sglab::topology::{MAX_BYTES, Reply, Wanted, predictions};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::common::{PlainFormat, When};
use super::output::stdout;
use super::{screen, sources};

/// Source of answers.
pub(super) enum Source {
    /// From a file that fits the questions.
    File(std::vec::IntoIter<Reply>),
    /// From whoever sits at the terminal.
    Person,
    /// From nowhere: all is told, and nothing asked.
    Nobody,
}

impl Source {
    /// A file of answers to these questions, else a terminal; nothing if the file does not fit them, which has been told then.
    pub fn of(file: Option<&Path>, wanted: &[Wanted]) -> anyhow::Result<Option<Self>> {
        let Some(path) = file else {
            return Ok(Some(if stdin().is_terminal() { Self::Person } else { Self::Nobody }));
        };
        let (name, bytes) = answers(path)?;
        let replies = sources::value_or_tell(predictions(&name, &bytes, wanted));
        Ok(replies.map(|replies| Self::File(replies.into_iter())))
    }
}

/// The file of answers: its name and its bytes.
fn answers(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    if path != Path::new("-") {
        return Ok((path.display().to_string(), sources::read_file(path)?));
    }
    let mut bytes = Vec::new();
    stdin().lock().take(MAX_BYTES as u64).read_to_end(&mut bytes).context("failed to read the answers")?;
    Ok(("<input>".to_owned(), bytes))
}

/// Source of replies, once lines can be awaited.
pub(super) enum Desk {
    File(std::vec::IntoIter<Reply>),
    Person(UnboundedReceiver<String>),
    Nobody,
}

impl Desk {
    pub fn new(source: Source) -> Self {
        match source {
            Source::File(replies) => Self::File(replies),
            Source::Nobody => Self::Nobody,
            Source::Person => {
                let (send, lines) = unbounded_channel();
                // A plain thread: a read from a terminal cannot be taken back, and must not hold up the end.
                std::thread::spawn(move || {
                    for line in stdin().lock().lines() {
                        let Ok(line) = line else { return };
                        if send.send(line).is_err() {
                            return;
                        }
                    }
                });
                Self::Person(lines)
            }
        }
    }
}

/// Speech to a class or a learner.
#[derive(Clone, Copy)]
pub(super) struct Talk {
    format: PlainFormat,
    pub style: Style,
}

impl Talk {
    pub fn new(format: PlainFormat, color: When) -> Self {
        let to_stdout = format == PlainFormat::Text;
        let is_terminal = if to_stdout { stdout().is_terminal() } else { stderr().is_terminal() };
        let width = if to_stdout { screen::width_of(&stdout()) } else { screen::width_of(&stderr()) };
        let style = Style { color: screen::wanted(color, is_terminal), width, ..Style::default() };
        Self { format, style }
    }

    /// Says something at once: on stdout, unless a transcript is to stand there.
    pub fn say(&self, text: &str) -> std::io::Result<()> {
        // An answer is typed behind the last line, which has no end.
        let (lines, prompt) = text.split_at(text.rfind('\n').map_or(0, |end| end + 1));
        let text = self.style.fit(lines) + prompt;
        match self.format {
            PlainFormat::Text => {
                let mut out = stdout();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            PlainFormat::Json if stdin().is_terminal() => stderr().write_all(text.as_bytes()),
            PlainFormat::Json => Ok(()),
        }
    }
}
