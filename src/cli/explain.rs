//! `sglab explain`.

use std::io::{IsTerminal, Write, stdout};

use anyhow::bail;
use sglab::model::topology::FlowPattern;
use sglab::model::{Era, Via};
use sglab::report::Style;
use sglab::report::explain::{self, Moment};
use sglab::scenario::{cells, predict};

use super::arguments::{ExplainArguments, PlainFormat};
use super::{Exit, color, sources};

pub(super) fn run(arguments: &ExplainArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_one(&arguments.topology)? else { return Ok(Exit::BadInput) };
    let step = arguments.step.unwrap_or(0);
    if step > topology.steps.len() {
        bail!("{} has {} steps, and no step {step}", topology.file, topology.steps.len());
    }
    let era = arguments.era.map_or(topology.eras[0], Era::from);
    let cloud = predict::cloud_at(&topology, era, step)?;
    let pattern = match FlowPattern::parse(&arguments.flow, &cloud) {
        Ok(pattern) => pattern,
        Err(problems) => {
            eprint!("{problems}");
            return Ok(Exit::BadInput);
        }
    };
    let flows = match cells::select(&pattern, Via::Private, &cloud) {
        Ok(flows) => flows,
        Err(why) => bail!("{why}"),
    };
    let explanations: Vec<_> = flows.iter().map(|flow| explain::explain(&cloud, flow)).collect();
    let name = topology.steps.get(step.wrapping_sub(1)).map(|step| step.name.as_str());
    let moment = Moment { file: &topology.file, era, step, name };
    let told = match arguments.format {
        PlainFormat::Json => explain::json(moment, &explanations)?,
        PlainFormat::Text => {
            let color = color::wanted(arguments.color, stdout().is_terminal());
            explain::text(moment, &explanations, Style { color, ..Style::default() })
        }
    };
    stdout().write_all(told.as_bytes())?;
    Ok(Exit::Ok)
}
