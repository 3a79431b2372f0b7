//! Commands, arguments and exit codes: one file a command, no logic.

mod account;
mod broken;
mod check;
mod commands;
mod common;
mod completing;
mod completions;
mod desk;
mod doctor;
mod evidence;
mod explain;
mod file;
mod folder;
mod grade;
mod help;
mod host;
mod init;
mod inside;
mod learn;
mod list;
mod live;
mod man;
mod output;
mod outward;
mod predict;
mod render;
mod replay;
mod schema;
mod screen;
mod shard;
mod shell;
mod signals;
mod sources;
mod steps;
mod test;
mod walk;

use std::process::ExitCode;

use clap::CommandFactory;
use nix::errno::Errno;
use sglab::lab::LabError;
use sglab::report;
use sglab::sandbox::limits;
use sglab::scenario::RunError;

use account::AccountCommand;
use commands::{Arguments, Command, ExplainCommand, FileCommand, RunCommand, WorkshopCommand};
use common::{Exit, in_words, typed};
use output::is_reader_gone;

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    completing::answer(Arguments::command);
    let done = match help::arguments().command {
        Command::Run(RunCommand::Test(arguments)) => test::run(*arguments),
        Command::Run(RunCommand::Replay(arguments)) => replay::run(&arguments),
        Command::Run(RunCommand::Shell(arguments)) => shell::run(arguments),
        Command::Run(RunCommand::Doctor(arguments)) => doctor::run(&arguments),
        Command::Explain(ExplainCommand::Explain(arguments)) => explain::run(&arguments),
        Command::Explain(ExplainCommand::Predict(arguments)) => predict::run(&arguments),
        Command::Explain(ExplainCommand::Render(arguments)) => render::run(&arguments),
        Command::Account(AccountCommand::Import(import)) if import.test => {
            let of_import: test::TestArguments = typed(&["test", "--import", "-"]);
            test::run(test::TestArguments { import: import.sources, reading: import.reading, ..of_import })
        }
        Command::Account(command) => account::run(command),
        Command::Live(command) => live::run(command),
        Command::Operation(command) => live::operations::run(&command),
        Command::Workshop(WorkshopCommand::Walk(arguments)) => walk::run(&arguments),
        Command::Workshop(WorkshopCommand::Learn(arguments)) => learn::run(&arguments),
        Command::Workshop(WorkshopCommand::Grade(arguments)) => grade::run(&arguments),
        Command::Workshop(WorkshopCommand::List(arguments)) => list::run(&arguments),
        Command::File(FileCommand::Init(arguments)) => init::run(&arguments),
        Command::File(FileCommand::Check(arguments)) => check::run(&arguments),
        Command::File(FileCommand::Schema) => schema::run(),
        Command::File(FileCommand::Completions(arguments)) => completions::run(&arguments),
        Command::File(FileCommand::Man(arguments)) => man::run(&arguments, Arguments::command()),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) if is_reader_gone(&error) => Exit::Ok.into(),
        Err(error) => {
            screen::tell(&format!("error: {}", report::shown_lines(&in_words(&error))));
            exit_of(&error).into()
        }
    }
}

/// Picks the exit code of an error: bad input, or a machine that cannot host the lab. Prints the limit that is in the way, if one is.
fn exit_of(error: &anyhow::Error) -> Exit {
    let errno = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<std::io::Error>()?.raw_os_error();
    if let Some(limit) = error.chain().filter_map(errno).find_map(|errno| limits::named(Errno::from_raw(errno))) {
        eprintln!("{limit}");
        return Exit::CannotHost;
    }
    let of_run = error.chain().find_map(|cause| cause.downcast_ref::<RunError>());
    let of_lab = error.chain().find_map(|cause| cause.downcast_ref::<LabError>());
    let is_the_machine = match (of_run, of_lab) {
        (Some(RunError::Boot(error)), _) | (None, Some(error)) => !error.is_of_the_file(),
        _ => false,
    };
    if is_the_machine { Exit::CannotHost } else { Exit::BadInput }
}
