//! Files of a revision of git: one, or those of a folder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use sglab::report::shown_lines;

use crate::cli::common::told;

/// Mode of a link in a tree of git; what it leads to may lie outside.
const LINK: &str = "120000";

/// A file with the name that the user knows it by.
type Named = (String, Vec<u8>);

/// The file that `main:shop.yaml` names, or all files of the folder that `main:dumps` names and that are wanted.
///
/// # Errors
/// If git has no such thing.
pub(super) fn files(name: &str, is_wanted: fn(&Path) -> bool) -> anyhow::Result<Vec<Named>> {
    if name.starts_with('-') {
        bail!("`{}` is no revision of git", told(name));
    }
    let said = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    let id = said(git(name, &["rev-parse", "--verify", "--quiet", "--end-of-options", name])?);
    match said(git(name, &["cat-file", "-t", &id])?).as_str() {
        "blob" => Ok(vec![(name.to_owned(), git(name, &["cat-file", "blob", &id])?)]),
        "tree" => {
            let listed = git(name, &["ls-tree", "-r", "-z", "--full-tree", &id])?;
            let entries = listed.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
            let mut files = Vec::new();
            for entry in entries {
                let Some((about, path)) = entry.split_once('\t') else { continue };
                let [mode, kind, id] = about.split(' ').collect::<Vec<_>>()[..] else { continue };
                if kind != "blob" || mode == LINK || !is_wanted(Path::new(path)) {
                    continue;
                }
                let between = if name.ends_with([':', '/']) { "" } else { "/" };
                files.push((format!("{name}{between}{path}"), git(name, &["cat-file", "blob", id])?));
            }
            Ok(files)
        }
        other => bail!("{} is a {other} of git, and no file or folder", told(name)),
    }
}

/// The output of git; its error is told with the name.
fn git(name: &str, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("git").args(arguments).output().context("failed to run git")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let words = if words.trim().is_empty() { "no such path" } else { words.trim() };
        bail!("failed to read {}: no such file, and git says: {}", told(name), shown_lines(words));
    }
    Ok(output.stdout)
}
