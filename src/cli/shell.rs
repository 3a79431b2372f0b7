//! `sglab shell`.
use super::Exit;
use super::arguments::ShellArguments;
pub(super) fn run(_a: ShellArguments) -> anyhow::Result<Exit> {
    anyhow::bail!("not yet")
}
