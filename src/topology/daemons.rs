//! `services:` of an instance: the programs that it runs by itself.

use indexmap::{IndexMap, IndexSet};

use super::mounts::Found;
use super::problem::{Draft, quote};
use super::reading::Reading;
use super::tree::{Node, Value};
use crate::model::{Daemon, DaemonName, Service};

const COMMAND: &str = "a command, in a line for the shell or as a list of words";

impl Reading<'_> {
    /// The programs of an instance, beside which the harness listens on some ports.
    pub fn daemons(&mut self, node: Option<&Node>, listens: &IndexSet<Service>) -> IndexMap<DaemonName, Daemon> {
        let mut daemons: IndexMap<DaemonName, Daemon> = IndexMap::new();
        let Some(node) = node else { return daemons };
        for (key, value) in self.mapping(node, "a mapping of services") {
            let name = self.name(key, "a service");
            let Some(fields) = self.fields(value, "a service", &["command", "port", "log"]) else { continue };
            let port = fields.get("port").and_then(|node| self.daemon_port(node, listens, &daemons));
            let log = fields.get("log").and_then(|node| self.log(node));
            let Some(command) = fields.get("command") else {
                let draft = Draft::new(key.span, "the service has no command");
                self.missing(
                    &fields,
                    draft.help("such as `command: [nginx, -g, daemon off;]`; it stays in the foreground"),
                );
                continue;
            };
            if let (Some(name), Some(command)) = (name, self.command(command)) {
                daemons.insert(DaemonName::new(name), Daemon { command, port, log });
            }
        }
        daemons
    }

    /// The file that its output is added to.
    fn log(&mut self, node: &Node) -> Option<String> {
        let path = self.text(node, "the file that its output is added to")?;
        if let Some(Found::Unfit { why, help }) = self.files.map(|files| files.find_log(path)) {
            let draft = Draft::new(node.span, format!("{} cannot be a log: {why}", quote(path)));
            self.report(draft.maybe_help(help.map(str::to_owned)));
        }
        Some(path.to_owned())
    }

    fn command(&mut self, node: &Node) -> Option<Vec<String>> {
        if let Value::Scalar(_) = &node.value {
            let line = self.text(node, COMMAND)?;
            if line.trim().is_empty() {
                self.report(Draft::new(node.span, format!("expected {COMMAND}, found nothing")));
                return None;
            }
            return Some(["sh", "-c", line].map(str::to_owned).into());
        }
        let items = self.some(node, COMMAND);
        let mut words = Vec::new();
        for item in items {
            match &item.value {
                // An argument may look like a number.
                Value::Scalar(scalar) => words.push(scalar.text.clone()),
                _ => drop(self.text(item, "a word of a command")),
            }
        }
        match words.first() {
            Some(first) if first.is_empty() => {
                self.report(Draft::new(node.span, format!("expected {COMMAND}, found no program")));
                None
            }
            Some(_) => Some(words),
            None => None,
        }
    }

    fn daemon_port(
        &mut self,
        node: &Node,
        listens: &IndexSet<Service>,
        others: &IndexMap<DaemonName, Daemon>,
    ) -> Option<Service> {
        let port = self.service(node)?;
        let other = others.iter().find(|(_, other)| other.port == Some(port));
        if !matches!(port, Service::Tcp(_) | Service::Udp(_)) {
            self.report(Draft::new(node.span, format!("nothing listens for {port}")).help("such as `tcp 80`"));
        } else if listens.contains(&port) {
            let draft = Draft::new(node.span, format!("{port} is held by the harness"));
            self.report(draft.help("`listens:` is for ports where no program does: take it out there"));
        } else if let Some((other, _)) = other {
            self.report(Draft::new(node.span, format!("{port} is the port of {} already", quote(other.as_str()))));
        } else {
            return Some(port);
        }
        None
    }
}
