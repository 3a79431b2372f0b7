//! EC2's operations on a lab that is up, each in the words of a file's `do:`.

mod arguments;

use std::io::Write;

use sglab::model::Operation;
use sglab::protocol::{Reply, Request, State};
use sglab::report::live::{self, AppliedView};
use sglab::scenario::FilesFrom;
use sglab::topology::{Problems, Typed, read_operations_beside};

pub(crate) use arguments::OperationCommand;
use arguments::Operations;

use super::session;
use super::session::Invalid;
use crate::cli::common::{Exit, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::screen;

pub(in crate::cli) fn run(OperationCommand { operations, common }: &OperationCommand) -> anyhow::Result<Exit> {
    let alone = || operations.check();
    let read =
        |state: &State| Ok((Request::Apply { operations: operations.read(state)?, at: Some(state.revision) }, ()));
    let (reply, state, ()) = match session::ask_at(&common.which, alone, read)? {
        Ok(answered) => answered,
        Err(invalid) => return Ok(invalid.say()),
    };
    match reply {
        Reply::Applied(done) => {
            match common.format {
                PlainFormat::Text => stdout().write_all(screen::fit(&stdout(), &live::applied(&done)).as_bytes())?,
                PlainFormat::Json => {
                    let done: Vec<AppliedView> = done.iter().map(AppliedView::of).collect();
                    writeln!(stdout(), "{}", serde_json::to_string_pretty(&done)?)?;
                }
            }
            Ok(Exit::Ok)
        }
        Reply::Refused { operation, refusal } => session::refused(&operation, &refusal, &state.cloud, common.format),
        other => session::unexpected_reply(other),
    }
}

impl Operations {
    /// Refuses what is wrong whatever lab is meant.
    fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, Typed::check),
            Self::Apply { .. } => Ok(()),
        }
    }

    /// Reads them for the cloud of a lab.
    fn read(&self, state: &State) -> Result<Vec<Operation>, Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, |typed| typed.read(&state.cloud)),
            Self::Apply { operations } => {
                let folder = FilesFrom::folder(state.folder.as_deref());
                let read = read_operations_beside(&state.cloud, operations, &folder)?;
                Ok(read.into_iter().map(|placed| placed.value).collect())
            }
        }
    }
}

/// Reads rules. Of one that a shell has taken apart, since it stood in no quotes, the words are no rules each: that is operations, or what is
/// wrong with it as a whole.
fn quoted<T>(typed: &Typed, read: impl Fn(&Typed) -> Result<T, Problems>) -> Result<T, Invalid> {
    match (read(typed), typed.with_one_rule()) {
        (Err(_), Some((rule, whole))) => {
            read(&whole)?;
            Err(Invalid::new(&format!("a rule is one argument, in quotes: '{rule}'")))
        }
        (read, _) => Ok(read?),
    }
}
