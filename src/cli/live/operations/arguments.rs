//! Arguments of the operations: those of each are [`Typed`], and beside them which lab is meant and how to print.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};
use sglab::topology::Typed;

use crate::cli::common::{LabChoice, PlainFormat};

/// Arguments that all operations have.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    pub which: LabChoice,
    /// How to print what has changed
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// Operations as they are typed.
#[derive(Debug, Subcommand)]
pub(super) enum Operations {
    #[command(flatten)]
    Typed(Typed),
    /// Carry out operations as a topology file has them under `do:`
    #[command(after_help = "\
Examples:
  sglab apply '[{stop: web1}, {start: web1}]'")]
    Apply {
        /// Operations as YAML, as under `do:`; a text, not a file name
        #[arg(value_name = "OPERATIONS")]
        operations: String,
    },
}

/// Operations, and the lab that they are for.
#[derive(Debug)]
pub(crate) struct OperationCommand {
    pub(super) operations: Operations,
    pub(super) common: Common,
}

impl FromArgMatches for OperationCommand {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let operations = Operations::from_arg_matches(matches)?;
        let own = matches.subcommand().map_or(matches, |(_, own)| own);
        Ok(Self { operations, common: Common::from_arg_matches(own)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for OperationCommand {
    fn augment_subcommands(command: Command) -> Command {
        let all = Operations::augment_subcommands(Command::new("operations"));
        let common = Common::augment_args(Command::new("common"));
        // In the order in which they come to stand here, and not where they come from.
        let common = || common.get_arguments().map(|argument| argument.clone().display_order(None));
        command.subcommands(all.get_subcommands().map(|one| one.clone().display_order(None).args(common())))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Operations::has_subcommand(name)
    }
}
