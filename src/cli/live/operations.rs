//! EC2's operations on a lab that is up, each in the words of a file's `do:`.

mod arguments;

use std::io::{Write, stdout};

use sglab::model::{AutomaticPublic, Direction, Operation, Reassociation};
use sglab::protocol::{Reply, Request, State};
use sglab::report::live::{self, AppliedView};
use sglab::scenario::FilesFrom;
use sglab::topology::{Problems, Typed, TypedGroup, TypedInterface, TypedLaunch, TypedRules, read_operations_beside};

pub(crate) use arguments::OperationCommand;
use arguments::{
    Apply, AssociateAddress, AttachInterface, Authorize, Common, CreateGroup, EditPrefixList, Instances, Launch, Names,
    Registrations, Rules, SetGroups, Switch, UpdateDescription,
};

use super::session;
use super::session::Invalid;
use crate::cli::common::{Exit, PlainFormat};
use crate::cli::screen;

pub(in crate::cli) fn run(command: OperationCommand) -> anyhow::Result<Exit> {
    let (wanted, common) = wanted(command);
    let alone = || wanted.check();
    let read = |state: &State| Ok((Request::Apply { operations: wanted.read(state)?, at: Some(state.revision) }, ()));
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

/// Operations as they were typed.
enum Wanted {
    /// One, in arguments.
    Typed(Typed),
    /// The words of a `do:`.
    Words(String),
}

impl Wanted {
    /// Refuses what is wrong whatever lab is meant.
    fn check(&self) -> Result<(), Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, Typed::check),
            Self::Words(_) => Ok(()),
        }
    }

    /// Reads them for the cloud of a lab.
    fn read(&self, state: &State) -> Result<Vec<Operation>, Invalid> {
        match self {
            Self::Typed(typed) => quoted(typed, |typed| typed.read(&state.cloud)),
            Self::Words(words) => {
                let folder = FilesFrom::folder(state.folder.as_deref());
                let operations = read_operations_beside(&state.cloud, words, &folder)?;
                Ok(operations.into_iter().map(|placed| placed.value).collect())
            }
        }
    }
}

/// Reads rules. Of one that a shell has taken apart, since it stood in no quotes, the words are no rules each: that is said, or what is
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

fn rules_of(arguments: Rules, description: Option<String>) -> (TypedRules, Common) {
    let Rules { group, rules, egress, common } = arguments;
    let direction = if egress { Direction::Egress } else { Direction::Ingress };
    (TypedRules { group, direction, rules, description }, common)
}

/// Takes a command apart.
fn wanted(command: OperationCommand) -> (Wanted, Common) {
    use OperationCommand as Command;
    let rules = |make: fn(TypedRules) -> Typed, arguments, description| {
        let (rules, common) = rules_of(arguments, description);
        (make(rules), common)
    };
    let instances = |make: fn(Vec<String>) -> Typed, Instances { instances, common }| (make(instances), common);
    let names = |make: fn(Vec<String>) -> Typed, Names { names, common }| (make(names), common);
    let (typed, common) = match command {
        Command::Authorize(Authorize { rules: arguments, description }) => {
            rules(Typed::Authorize, arguments, description)
        }
        Command::Revoke(arguments) => rules(Typed::Revoke, arguments, None),
        Command::UpdateDescription(UpdateDescription { rules: arguments, description }) => {
            rules(Typed::UpdateDescription, arguments, Some(description))
        }
        Command::Launch(Launch { instance, group, listens, vpc, subnet, address, public, no_public, common }) => {
            let public = match (public, no_public) {
                (true, _) => Some(AutomaticPublic::Given),
                (false, true) => Some(AutomaticPublic::None),
                (false, false) => None,
            };
            let launch = TypedLaunch { instance, groups: group, listens, vpc, subnet, address, public };
            (Typed::Launch(launch), common)
        }
        Command::Stop(arguments) => instances(Typed::Stop, arguments),
        Command::Start(arguments) => instances(Typed::Start, arguments),
        Command::Reboot(arguments) => instances(Typed::Reboot, arguments),
        Command::Crash(arguments) => instances(Typed::Crash, arguments),
        Command::Terminate(arguments) => instances(Typed::Terminate, arguments),
        Command::CreateGroup(CreateGroup { group, rules, group_name: name, description, vpc, common }) => {
            (Typed::CreateGroup(TypedGroup { group, rules, name, description, vpc }), common)
        }
        Command::DeleteGroup(arguments) => names(Typed::DeleteGroup, arguments),
        Command::SetGroups(SetGroups { instance, groups, common }) => {
            (Typed::SetGroups { target: instance, groups }, common)
        }
        Command::AllocateAddress(arguments) => names(Typed::AllocateAddress, arguments),
        Command::AssociateAddress(AssociateAddress { elastic_ip, instance, no_reassociation, common }) => {
            let reassociation = if no_reassociation { Reassociation::Refused } else { Reassociation::Allowed };
            (Typed::AssociateAddress { elastic_ip, to: instance, reassociation }, common)
        }
        Command::DisassociateAddress(arguments) => names(Typed::DisassociateAddress, arguments),
        Command::ReleaseAddress(arguments) => names(Typed::ReleaseAddress, arguments),
        Command::AttachInterface(AttachInterface { instance, device, group, subnet, common }) => {
            (Typed::AttachInterface(TypedInterface { instance, device, groups: group, subnet }), common)
        }
        Command::DetachInterface(arguments) => names(Typed::DetachInterface, arguments),
        Command::SourceDestCheck(arguments) => {
            let check = match arguments.check {
                Switch::On => sglab::model::SourceDestCheck::On,
                Switch::Off => sglab::model::SourceDestCheck::Off,
            };
            (Typed::SourceDestCheck { target: arguments.instance, check }, arguments.common)
        }
        Command::EditPrefixList(EditPrefixList { list, add, remove, common }) => {
            (Typed::EditPrefixList { list, add, remove }, common)
        }
        Command::RegisterInstances(Registrations { balancer, instances, common }) => {
            (Typed::RegisterInstances { balancer, instances }, common)
        }
        Command::DeregisterInstances(Registrations { balancer, instances, common }) => {
            (Typed::DeregisterInstances { balancer, instances }, common)
        }
        Command::Apply(Apply { operations, common }) => return (Wanted::Words(operations), common),
    };
    (Wanted::Typed(typed), common)
}
