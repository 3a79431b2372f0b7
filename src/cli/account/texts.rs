//! Texts of sources by file, folder, standard input, built-in name or git revision.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use sglab::import::{self, Text};
use sglab::report::shown_lines;

use super::{revision, wrong_input};
use crate::cli::common::told;
use crate::cli::sources::PREFIX;
use crate::cli::{folder, sources};

/// The largest source. Replies about the largest accounts have a tenth of it.
const MAX_BYTES: u64 = 256 << 20;

/// Tests whether a file of a folder is read, by its name.
fn is_source(name: &Path) -> bool {
    let ending = name.extension();
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

/// Says that a folder has none.
const NO_SOURCE: &str = "there is no source (*.json, *.yaml, *.yml, *.template, *.tfstate)";

/// Endings of sources in a folder.
const ENDINGS: [&str; 5] = ["json", "yaml", "yml", "template", "tfstate"];

/// The texts of a source.
///
/// # Errors
/// If it cannot be found or read, or is something that must be made a source first.
pub(super) fn texts_of(name: &str) -> anyhow::Result<Vec<Text>> {
    let path = Path::new(name);
    if name == "-" {
        return Ok(vec![text("-", bounded("-", std::io::stdin().lock(), "failed to read standard input")?)?]);
    }
    if name.starts_with(PREFIX) {
        let read = sources::read_clouds(&[name.to_owned()]);
        if let [unreadable, ..] = read.unreadable.as_slice() {
            bail!("{}", shown_lines(&unreadable.message));
        }
        return read.texts.into_iter().map(|(name, bytes)| text(&name, bytes)).collect();
    }
    if path.is_dir() {
        wrong_input::folder_of_cdk(path)?;
        let found = folder::files(path, |ending| ENDINGS.iter().any(|known| ending == *known));
        let found = found.map_err(|(path, error)| {
            anyhow::Error::new(error).context(format!("failed to read the folder {}", told(&path)))
        })?;
        found.tell_skipped();
        let texts = found.files.iter().map(|path| file(path)).collect::<anyhow::Result<Vec<Text>>>()?;
        let is_source = |text: &Text| import::is_topology(&text.text) || import::kind_of(&text.text).is_some();
        if wrong_input::has_hcl(path)? && !texts.iter().any(is_source) {
            return Err(wrong_input::of_hcl(path));
        }
        if texts.is_empty() {
            bail!("{}: {NO_SOURCE} in this folder", told(path));
        }
        return Ok(texts);
    }
    match name.split_once(':') {
        Some((revision, _)) if !path.exists() && !revision.is_empty() => of_revision(name),
        _ => Ok(vec![file(path)?]),
    }
}

/// A file of a revision, or all sources of a folder of it: `main:shop.yaml`, `main:dumps`.
fn of_revision(name: &str) -> anyhow::Result<Vec<Text>> {
    let files = revision::files(name, is_source)?;
    if files.is_empty() {
        bail!("{}: {NO_SOURCE} in this folder of the revision", told(name));
    }
    files.into_iter().map(|(name, bytes)| text(&name, bytes)).collect()
}

fn file(path: &Path) -> anyhow::Result<Text> {
    let failed = format!("failed to read {}", told(path));
    let file = std::fs::File::open(path).with_context(|| failed.clone())?;
    text(&path.to_string_lossy(), bounded(&path.to_string_lossy(), file, &failed)?)
}

/// Reads to the end, or to the limit: a device or a pipe may have no end.
fn bounded(name: &str, from: impl std::io::Read, failed: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| failed.to_owned())?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("{} is larger than the limit of {} MiB for a source", told(name), MAX_BYTES >> 20);
    }
    Ok(bytes)
}

fn text(name: &str, bytes: Vec<u8>) -> anyhow::Result<Text> {
    wrong_input::file(name, &bytes)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is no text in UTF-8", told(name)))?;
    // Some shells of Windows begin a file with a mark of its encoding.
    Ok(Text { name: name.to_owned(), text: Arc::from(text.strip_prefix('\u{feff}').unwrap_or(&text)) })
}
