//! `services:` of an instance: the programs that it runs by itself.

use indexmap::{IndexMap, IndexSet};

use super::resolver::Resolver;
use crate::model::{Process, ProcessName, Service};
use crate::topology::document::instances::{Command, Process as ProcessSaid};
use crate::topology::document::shape::{Either, Field, Map, Shape, SpannedText};
use crate::topology::document::words::{CommandLine, Name, Service as ServiceSaid};
use crate::topology::files::Found;
use crate::topology::problem::{Diagnostic, quote};

const COMMAND: &str = CommandLine::WHAT;

impl Resolver<'_> {
    /// The programs of an instance, beside which the harness listens on some ports.
    pub fn processes(
        &mut self,
        said: &Field<Map<Name<ProcessName>, ProcessSaid>>,
        listens: &IndexSet<Service>,
    ) -> IndexMap<ProcessName, Process> {
        let mut processes: IndexMap<ProcessName, Process> = IndexMap::new();
        for entry in said.get().into_iter().flat_map(|map| &map.entries) {
            let name = entry.key.as_deref().and_then(|key| self.name(key));
            let Some(said) = &entry.value else { continue };
            let port = said.port.get().and_then(|port| self.process_port(port, listens, &processes));
            let log = said.log.get().map(|path| self.log(path));
            if !said.command.is_there() {
                let draft = Diagnostic::new(entry.at, "the service has no command");
                let help = "such as `command: [nginx, -g, daemon off;]`; it stays in the foreground";
                self.missing(&said.at, draft.help(help));
            }
            let command = said.command.get().and_then(|command| self.command(command));
            if let (Some(name), Some(command)) = (name, command) {
                processes.insert(ProcessName::new(name), Process { command, port, log });
            }
        }
        processes
    }

    /// The file that its output is added to.
    fn log(&mut self, path: &SpannedText) -> String {
        if let Some(Found::Unfit { why, help }) = self.told.files.map(|files| files.find_log(path.text())) {
            let draft = Diagnostic::new(path.span, format!("{} cannot be a log: {why}", quote(path.text())));
            self.report(draft.maybe_help(help.map(str::to_owned)));
        }
        path.text().to_owned()
    }

    fn command(&mut self, said: &Command) -> Option<Vec<String>> {
        let (span, found) = match said {
            Either::Line(line) if line.text().trim().is_empty() => (line.span, "nothing"),
            Either::Line(line) => return Some(["sh", "-c", line.text()].map(str::to_owned).into()),
            // An argument may look like a number.
            Either::List(words) => match words.items.first() {
                Some(first) if first.text().is_empty() => (words.span, "no program"),
                Some(_) => return Some(words.items.iter().map(|word| word.text().to_owned()).collect()),
                None => return None,
            },
        };
        self.report(Diagnostic::new(span, format!("expected {COMMAND}, found {found}")));
        None
    }

    fn process_port(
        &mut self,
        said: &ServiceSaid,
        listens: &IndexSet<Service>,
        others: &IndexMap<ProcessName, Process>,
    ) -> Option<Service> {
        let port = self.service(said)?;
        let other = others.iter().find(|(_, other)| other.port == Some(port));
        if !matches!(port, Service::Tcp(_) | Service::Udp(_)) {
            self.report(Diagnostic::new(said.span, format!("nothing listens for {port}")).help("such as `tcp 80`"));
        } else if listens.contains(&port) {
            let draft = Diagnostic::new(said.span, format!("{port} is held by the harness"));
            self.report(draft.help("`listens:` is for ports where no program does: take it out there"));
        } else if let Some((other, _)) = other {
            self.report(Diagnostic::new(said.span, format!("{port} is the port of {} already", quote(other.as_str()))));
        } else {
            return Some(port);
        }
        None
    }
}
