//! Instances, as a file describes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::{Forwards, Interface, Name, OnOrOff, OneOrMany, Service, Services, YesOrNo};

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Instance {
    /// Its security groups; left out: `default`.
    groups: Option<OneOrMany<Name>>,
    /// What listens on it, besides what the harness adds.
    listens: Option<Services>,
    /// The programs that it runs by itself, started in this order, each once the one before is ready.
    services: Option<BTreeMap<Name, Daemon>>,
    /// What its programs see beside what every instance sees: by place, an absolute path in the instance.
    mounts: Option<BTreeMap<MountPlace, MountSource>>,
    /// The private address that it asks for, or `web1.previous` in a step.
    address: Option<String>,
    /// Whether it gets a public address; `yes` if left out.
    public: Option<YesOrNo>,
    /// Its VPC; to be said where there are several.
    vpc: Option<Name>,
    /// Its subnet; else the first.
    subnet: Option<Name>,
    /// Whether its first interface drops what is neither from nor to its own addresses; `on` if left out. Era vpc only.
    source_dest_check: Option<OnOrOff>,
    /// What it does with packets for others; `no` if left out.
    forwards: Option<Forwards>,
    /// Interfaces beside the first, `eth1` and so on. Era vpc only.
    interfaces: Option<BTreeMap<String, Interface>>,
}

/// A program that stays in the foreground. `sglab up` starts it with its instance, and ends it with that.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Daemon {
    /// A line for the shell, or a list of words.
    command: CommandWords,
    /// It is ready once it listens here; without, once it has begun.
    port: Option<Service>,
    /// A file that its output is added to; without, `sglab logs --service` shows it while the lab is up.
    log: Option<String>,
}

/// An absolute path in an instance, but `/`, and what every instance has of its own.
#[derive(JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(transparent)]
struct MountPlace(#[schemars(regex(pattern = r"^/"))] String);

/// `./www`, to read: a path from the folder of the file, or an absolute one; `./data writable`; or `empty`, a folder in memory.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct MountSource(
    #[schemars(regex(pattern = r"^\s*(empty\s*$|\.{0,2}/|\.{1,2}(\s+(writable|read-only))?\s*$)"))] String,
);

#[derive(JsonSchema)]
#[schemars(untagged)]
enum CommandWords {
    Line(#[schemars(length(min = 1))] String),
    Words(#[schemars(length(min = 1))] Vec<CommandWord>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum CommandWord {
    Word(String),
    Number(f64),
    Truth(bool),
}
