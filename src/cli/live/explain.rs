//! `sglab explain` on a lab that is up.

use std::io::Write;
use std::sync::Arc;

use sglab::protocol::{ProbeDetails, Reply, State};
use sglab::report::{Style, events};
use sglab::scenario::agreement::Agreement;
use sglab::scenario::cells;
use sglab::topology::TypedFlow;

use super::session::{self, Invalid};
use crate::cli::common::{Exit, LabChoice, PlainFormat};
use crate::cli::output::stdout;

pub(in crate::cli) fn run(
    which: &LabChoice,
    flow: &TypedFlow,
    format: PlainFormat,
    style: Style,
) -> anyhow::Result<Exit> {
    let alone = || Ok(flow.check()?);
    let read = |state: &State| {
        let cloud = &flow.with_synthetic_hosts(&state.cloud);
        let pattern = flow.question(cloud)?;
        let flows = cells::meant(&pattern, None, cloud).map_err(|why| Invalid::new(&why))?;
        Ok((flows, cells::peers(&pattern, cloud).unwrap_or_default()))
    };
    let (all, state, peers) = match session::probe_at(which, alone, ProbeDetails::Records, read)? {
        Ok((Reply::Probed(all), state, peers)) => {
            let cloud = Arc::new(flow.with_synthetic_hosts(&state.cloud).into_owned());
            (all, State { cloud, ..state }, peers)
        }
        Ok((other, ..)) => return session::unexpected_reply(other),
        Err(invalid) => return Ok(invalid.say()),
    };
    let all = events::explained(&state, &all, &peers, style);
    match format {
        PlainFormat::Text => stdout().write_all(style.fit(&events::explanations(&all)).as_bytes())?,
        PlainFormat::Json => writeln!(stdout(), "{}", serde_json::to_string_pretty(&all)?)?,
    }
    let any = |wanted: Agreement| all.iter().any(|it| it.agreement == wanted);
    Ok(match (any(Agreement::Disagree), any(Agreement::Unproved)) {
        (true, _) => Exit::Differs,
        (false, true) => Exit::Inconclusive,
        (false, false) => Exit::Ok,
    })
}
