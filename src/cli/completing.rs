//! Completions for a shell: commands and options, and the names of the lab that is up.

use std::ffi::OsStr;
use std::time::Duration;

use clap::{Arg, Command};
use clap_complete::CompleteEnv;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use sglab::control::{Client, LabDir, LabName, lab_dir};
use sglab::protocol::{Reply, Request, State};
use sglab::topology::EXAMPLES;
use sglab::workshop::lesson::built_in;

use super::completions::VARIABLE;
use super::sources::PREFIX;

/// A lab that is busy for longer offers nothing: somebody has pressed a key and waits.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers a shell that asks, and ends then; else does nothing.
pub(super) fn answer(commands: fn() -> Command) {
    if std::env::var_os(VARIABLE).is_some() {
        let offering = move || commands().mut_subcommands(|command| command.mut_args(offer));
        CompleteEnv::with_factory(offering).var(VARIABLE).complete();
    }
}

/// Offers an argument what can stand there, by the name of its value.
fn offer(argument: Arg) -> Arg {
    let said: Vec<String> = argument.get_value_names().into_iter().flatten().map(ToString::to_string).collect();
    let [name] = said.as_slice() else { return argument };
    let offers_examples = name.split('|').any(|word| word == "example:NAME");
    let or_lab = name.ends_with("|FROM");
    if offers_examples {
        return argument.add(ArgValueCompleter::new(move |typed: &OsStr| files_and_examples(typed, or_lab)));
    }
    let offered: fn() -> Vec<CompletionCandidate> = match name.as_str() {
        "INSTANCE" => || of_lab(|state| names(state.cloud.instances.keys())),
        "INSTANCE|HOST" => || of_lab(places),
        "LESSON" => || candidates(built_in::names().into_iter().map(str::to_owned).collect()),
        "GROUP" => || of_lab(|state| names(state.cloud.groups.keys())),
        "ELASTIC-IP" => || of_lab(|state| names(state.cloud.elastic_ips.keys())),
        "PREFIX-LIST" => || of_lab(|state| names(state.cloud.prefix_lists.keys())),
        "FROM|FLOW" => || of_lab(ends),
        "TO:PORT" | "FLOW|TO:PORT" => || of_lab(|state| ends(state).into_iter().map(|name| name + ":").collect()),
        "LAB" => || candidates(lab_dir::all().into_iter().flatten().map(|it| it.name.to_string()).collect()),
        _ => return argument,
    };
    argument.add(ArgValueCandidates::new(offered))
}

/// Lists the files, the built-in topologies and, where a lab can be meant, the ends of flows of that which begin so.
fn files_and_examples(typed: &OsStr, or_lab: bool) -> Vec<CompletionCandidate> {
    let ends = if or_lab { of_lab(ends) } else { Vec::new() };
    let examples = candidates(EXAMPLES.iter().map(|(name, _)| format!("{PREFIX}{name}")).collect());
    let begins = |it: &CompletionCandidate| it.get_value().as_encoded_bytes().starts_with(typed.as_encoded_bytes());
    let named = ends.into_iter().chain(examples).filter(begins);
    named.chain(PathCompleter::any().complete(typed)).collect()
}

/// Lists the instances and hosts in which programs can run.
fn places(state: State) -> Vec<String> {
    [names(state.cloud.instances.keys()), names(state.cloud.hosts.keys())].concat()
}

/// Lists the ends of flows: who can ask and be asked.
fn ends(state: State) -> Vec<String> {
    let cloud = state.cloud;
    let (instances, balancers) = (names(cloud.instances.keys()), names(cloud.load_balancers.keys()));
    [instances, balancers, names(cloud.groups.keys()), names(cloud.hosts.keys())].concat()
}

fn names<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|name| name.to_string()).collect()
}

fn of_lab(names: impl FnOnce(State) -> Vec<String>) -> Vec<CompletionCandidate> {
    state().map_or_else(Vec::new, |state| candidates(names(state)))
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Returns the state of the lab that the words mean. Nothing is said where there is none: somebody is typing.
fn state() -> Option<State> {
    let words: Vec<String> = std::env::args().collect();
    let named = words.windows(2).find(|pair| pair[0] == "--name").map(|pair| pair[1].clone());
    let named = named.or_else(|| std::env::var("SGLAB_LAB").ok()).filter(|name| !name.is_empty());
    let place = match named {
        Some(name) => LabDir::of(LabName::new(&name)?).ok()?,
        None => match lab_dir::all().ok()?.as_slice() {
            [only] => only.clone(),
            _ => return None,
        },
    };
    let client = Client::connect(&place).ok()?;
    client.give_up_after(COMPLETION_TIMEOUT).ok()?;
    match client.ask(Request::State).ok()? {
        Reply::State(state) => Some(*state),
        _ => None,
    }
}
