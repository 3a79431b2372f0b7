//! `sglab --help`: the commands under headings, as one list of fifty says little.

use clap::builder::StyledStr;
use clap::{Command, CommandFactory, FromArgMatches, Subcommand};

use super::account::AccountCommand;
use super::commands::{Arguments, ExplainCommand, FileCommand, MAX_WIDTH, RunCommand, WorkshopCommand};
use super::live::LiveCommand;
use super::live::operations::OperationCommand;

/// Reads the command line; ends the program where it asks for help or is wrong.
pub(super) fn arguments() -> Arguments {
    let matches = command().get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line, whose help has its commands in groups.
fn command() -> Command {
    let all = Arguments::command();
    // As wide and as coloured as the rest.
    let empty = Command::new("").styles(all.get_styles().clone()).max_term_width(MAX_WIDTH);
    let group = |heading, augment: fn(Command) -> Command| group(heading, augment(empty.clone()));
    let groups = [
        group("Run", RunCommand::augment_subcommands),
        group("Explain", ExplainCommand::augment_subcommands),
        group("Your own cloud", AccountCommand::augment_subcommands),
        group("Live lab", LiveCommand::augment_subcommands),
        group("EC2 operations on a live lab", OperationCommand::augment_subcommands),
        group("Workshop", WorkshopCommand::augment_subcommands),
        group("Files", FileCommand::augment_subcommands),
    ];
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups.concat()
    );
    all.help_template(StyledStr::from(template))
}

/// A heading and its commands, with the styles of a terminal; clap takes these away where there is none.
fn group(heading: &'static str, commands: Command) -> String {
    let commands = commands.disable_help_flag(true).disable_help_subcommand(true).subcommand_help_heading(heading);
    let list = commands.help_template("{all-args}").render_help();
    format!("{}\n\n", list.ansi().to_string().trim_end())
}
