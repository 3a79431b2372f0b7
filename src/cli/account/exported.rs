//! A topology that was made of an account, as a file with the table of what is open in it.

use sglab::import::Written;
use sglab::scenario::export::{ExportError, export};
use sglab::topology::Topology;

/// The file; the reason, where a file has no words for what is open.
///
/// # Errors
/// If the cloud cannot be launched.
pub(super) fn exported(
    written: &Written,
    topology: Topology,
    title: &str,
) -> anyhow::Result<Result<String, ExportError>> {
    let cloud = written.cloud(&topology.with_hosts_of_a_table());
    let cloud = cloud.map_err(|(refusal, place)| anyhow::anyhow!("{place}: {refusal}"))?;
    Ok(export(&cloud, "").map(|yaml| written.file(title, &yaml)))
}
