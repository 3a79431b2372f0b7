//! `sglab doctor`.

use super::Exit;
use super::arguments::DoctorArguments;

pub(super) fn run(_arguments: &DoctorArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("not written yet")
}
