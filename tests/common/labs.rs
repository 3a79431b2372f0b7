//! Labs that stay up, as their user meets them.
#![allow(dead_code, reason = "not every test that meets labs asks all of it")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use nix::unistd::Pid;
use serde_json::Value;

use super::program::{Program, Said, User, said};

/// A user's labs: a copy of the program, and a folder of labs of its own. What is still up at the end is taken down.
pub struct Labs {
    pub program: Program,
    pub user: User,
}

impl Labs {
    pub fn of(user: User) -> Self {
        Self { program: Program::copy(), user }
    }

    pub fn folder(&self) -> PathBuf {
        self.program.scratch().join("labs")
    }

    pub fn socket(&self, lab: &str) -> PathBuf {
        self.folder().join(format!("{lab}.sock"))
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.run(self.user, arguments);
        command.env("SGLAB_RUNTIME_DIR", self.folder());
        command
    }

    pub fn say(&self, arguments: &[&str]) -> Said {
        said(self.command(arguments))
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.say(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?} as {:?}: {said:?}", self.user);
        said.out
    }

    pub fn states(&self) -> Vec<Value> {
        serde_json::from_str(&self.ok(&["ps", "--format", "json"])).expect("JSON")
    }

    pub fn pid(&self, lab: &str) -> Pid {
        let states = self.states();
        let state = states.iter().find(|state| state["lab"] == lab).expect("the lab");
        Pid::from_raw(i32::try_from(state["pid"].as_u64().expect("a number")).expect("a process"))
    }

    /// Sends bytes to a lab's socket, and gives what it answers until it closes.
    pub fn raw(&self, lab: &str, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket(lab)).expect("the socket");
        // It may close before it has read all of what it does not want.
        drop(stream.write_all(bytes));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        answer
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        drop(self.command(&["down", "--all"]).output());
    }
}
