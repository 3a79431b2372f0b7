//! The one door to the nft program: a script goes in, nft's own words come out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::OnceLock;

use nftables::schema::{NfListObject, Rule};

use super::{FabricError, Namespace};
use crate::compile::nft::{Change, Ruleset};
use crate::compile::text::{ADD_TABLE, transaction};

/// At most so many rules in one batch: without root, nft 1.0.6 can send about 440.
pub const MAX_RULES_PER_BATCH: usize = 200;

/// Loads a ruleset into a namespace that has none, in as many batches as it takes; closed until the last.
pub(super) async fn load(namespace: &Arc<Namespace>, ruleset: &Ruleset) -> Result<(), FabricError> {
    for (number, batch) in ruleset.batches(MAX_RULES_PER_BATCH).into_iter().enumerate() {
        let mut script = if number == 0 { format!("{ADD_TABLE}\n") } else { String::new() };
        // Nothing is deleted in a first load, so no handle is asked for.
        script.push_str(&transaction(&batch, &|_, _| None).map_err(|e| missing(namespace, e.to_string()))?);
        run(namespace, &["-f", "-"], script).await?;
    }
    Ok(())
}

/// Carries out one transaction: all of it or nothing.
pub(super) async fn change(namespace: &Arc<Namespace>, changes: &[Change]) -> Result<(), FabricError> {
    if changes.is_empty() {
        return Ok(());
    }
    let handles = if changes.iter().any(|change| matches!(change, Change::DeleteRule(..))) {
        rules(namespace).await?
    } else {
        Vec::new()
    };
    let find = |chain: &str, id: &str| {
        handles.iter().find(|rule| rule.chain == chain && rule.id == id).map(|rule| rule.handle)
    };
    let script = transaction(changes, &find).map_err(|e| missing(namespace, e.to_string()))?;
    run(namespace, &["-f", "-"], script).await.map(drop)
}

/// A rule as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelRule {
    /// Its chain.
    pub chain: String,
    /// The first word of its comment.
    pub id: String,
    /// The kernel's handle, never used twice in a table.
    pub handle: u64,
}

/// Every rule with a comment in a namespace's table, with its handle.
///
/// # Errors
/// nft's own words, or what of its answer could not be read.
pub async fn rules(namespace: &Arc<Namespace>) -> Result<Vec<KernelRule>, FabricError> {
    let text = run(namespace, &["-j", "-a", "list", "table", "inet", "sglab"], String::new()).await?;
    let unread = |e: serde_json::Error| missing(namespace, format!("nft's list could not be read: {e}"));
    // Object by object: the nftables crate gives up a whole list over one object that it does not know.
    let list: serde_json::Value = serde_json::from_str(&text).map_err(unread)?;
    let objects = list.get("nftables").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for object in objects.into_iter().filter(|object| object.get("rule").is_some()) {
        let NfListObject::Rule(Rule { chain, comment, handle, .. }) =
            serde_json::from_value::<NfListObject>(object).map_err(unread)?
        else {
            continue;
        };
        if let (Some(comment), Some(handle)) = (comment, handle) {
            let id = comment.split(' ').next().unwrap_or_default().to_owned();
            found.push(KernelRule { chain: chain.into_owned(), id, handle: u64::from(handle) });
        }
    }
    Ok(found)
}

/// A namespace's ruleset in nft's own text.
///
/// # Errors
/// nft's own words.
pub async fn list(namespace: &Arc<Namespace>) -> Result<String, FabricError> {
    run(namespace, &["list", "ruleset"], String::new()).await
}

fn missing(namespace: &Namespace, message: String) -> FabricError {
    FabricError::Nft { node: namespace.name.clone(), script: String::new(), message }
}

/// Runs nft inside a namespace.
async fn run(
    namespace: &Arc<Namespace>,
    arguments: &'static [&'static str],
    script: String,
) -> Result<String, FabricError> {
    let node = namespace.name.clone();
    let Some(program) = program() else {
        return Err(FabricError::Nft { node, script: String::new(), message: "there is no nft program".into() });
    };
    let sent = script.clone();
    let result = namespace.run(move || run_here(program, arguments, &sent)).await?;
    match result {
        Ok((true, output, _)) => Ok(output),
        Ok((false, _, message)) => Err(FabricError::Nft { node, script, message: message.trim().into() }),
        Err(error) => Err(FabricError::Nft { node, script, message: format!("failed to run nft: {error}") }),
    }
}

/// Runs nft on this thread, in this thread's namespace: (success, stdout, stderr).
pub(super) fn run_here(program: &PathBuf, arguments: &[&str], script: &str) -> io::Result<(bool, String, String)> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // nft reads its whole input before it writes, so one after the other cannot block.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

/// Where nft is: on the path, or where Debian keeps it from ordinary users.
pub fn program() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| find_program("nft")).as_ref()
}

/// A program on the path, or in the places for administrators.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    places.map(|place| place.join(name)).find(|candidate| candidate.is_file())
}
