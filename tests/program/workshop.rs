//! The commands of docs/workshop.md, as an instructor types them.

use std::process::{Command, Stdio};

use crate::program::{Program, said, users};

#[test]
fn every_command_of_the_workshop_does_what_the_page_says() {
    let page = include_str!("../../docs/workshop.md");
    let blocks: Vec<&str> =
        page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|it| it.0).collect();
    assert!(blocks.len() >= 5, "{} blocks", blocks.len());
    for user in users() {
        let program = Program::copy();
        for block in &blocks {
            let mut shell = Command::new("bash");
            shell.stdin(Stdio::null());
            let mut command = program.dress(*user, shell, &["-euo", "pipefail", "-c", block]);
            let path =
                format!("{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", program.folder().display());
            command.env("PATH", path);
            let said = said(command);
            // The hand-ins of the page are as they were given, and marks are no failure.
            assert_eq!(said.code, Some(0), "{block}\nas {user:?}: {said:?}");
        }
    }
}
