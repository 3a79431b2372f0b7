//! A user's labs: a copy of the program, and a folder of labs of its own. What is still up at the end is taken down.

use std::path::PathBuf;
use std::process::Command;

use super::program::{Program, User};

pub struct Labs {
    pub program: Program,
    pub user: User,
}

/// What a command came to.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Labs {
    pub fn of(user: User) -> Self {
        Self { program: Program::copy(), user }
    }

    pub fn folder(&self) -> PathBuf {
        self.program.scratch().join("labs")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.run(self.user, arguments);
        command.env("SGLAB_RUNTIME_DIR", self.folder());
        command
    }

    pub fn say(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the program");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.say(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?} as {:?}: {said:?}", self.user);
        said.out
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        drop(self.command(&["down", "--all"]).output());
    }
}
