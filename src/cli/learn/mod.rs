//! `sglab learn`.

mod arguments;
mod lessons;
mod play;
mod runs;
mod serve;

use std::io::{IsTerminal, Write};

use sglab::report::{Style, lesson as told, walk};
use sglab::scenario::run_eras;
use sglab::workshop::lesson::check::Checked;
use sglab::workshop::lesson::{Lesson, Stage, investigate};
use sglab::workshop::questions;

use super::common::{Exit, PlainFormat};
use super::desk::Source;
use super::{host, screen};

use crate::cli::output::stdout;

pub(super) use arguments::LearnArguments;
pub(super) use lessons::one;

pub(super) fn run(arguments: &LearnArguments) -> anyhow::Result<Exit> {
    if arguments.check {
        return check(arguments);
    }
    if let Some(seats) = arguments.serve {
        let lessons = match &arguments.lesson {
            Some(name) => one(name)?.map(|lesson| vec![lesson]),
            None => Some(lessons::all()?),
        };
        return lessons.map_or(Ok(Exit::BadInput), |lessons| serve::serve(arguments, lessons, seats));
    }
    let Some(name) = &arguments.lesson else {
        let lessons = lessons::all()?;
        let text = match arguments.format {
            PlainFormat::Json => told::list_json(&lessons)?,
            PlainFormat::Text => told::list(&lessons, style(arguments)),
        };
        stdout().write_all(text.as_bytes())?;
        return Ok(Exit::Ok);
    };
    let Some(lesson) = one(name)? else { return Ok(Exit::BadInput) };
    if arguments.questions {
        stdout().write_all(template(&lesson).as_bytes())?;
        return Ok(Exit::Ok);
    }
    let Some(source) = Source::of(arguments.answers.as_deref(), &play::wanted(&lesson))? else {
        return Ok(Exit::BadInput);
    };
    play::play(arguments, &lesson, source)
}

fn style(arguments: &LearnArguments) -> Style {
    let color = screen::wanted(arguments.color, stdout().is_terminal());
    Style { color, width: screen::width_of(&stdout()), ..Style::default() }
}

/// The questions of a lesson, as a file of answers to be filled in.
fn template(lesson: &Lesson) -> String {
    let mut out = String::new();
    for stage in &lesson.stages {
        match stage {
            Stage::Predict(topology) => {
                let era = lesson.era_of(topology);
                out.push_str(&walk::template(topology, era, &questions::of(topology, era).unwrap_or_default()));
            }
            Stage::Investigate(which) => {
                let asked = lesson.file(*which).map(investigate::of).unwrap_or_default();
                for line in told::rules(&asked, Style::default()).lines() {
                    out.push_str(&format!("# {}\n", line.trim()));
                }
                for question in &asked.questions {
                    out.push_str(&format!("?   # {}\n", question.flow));
                }
            }
            Stage::Task(_) => {}
        }
    }
    out
}

/// Holds lessons to their word.
fn check(arguments: &LearnArguments) -> anyhow::Result<Exit> {
    let lessons = match &arguments.lesson {
        Some(name) => match one(name)? {
            Some(lesson) => vec![lesson],
            None => return Ok(Exit::BadInput),
        },
        None => lessons::all()?,
    };
    let checked = if arguments.packets {
        match host::run_until_signal(check_on_packets(&lessons))? {
            Ok(checked) => checked,
            Err(exit) => return Ok(exit),
        }
    } else {
        lessons.iter().map(runs::check_by_the_model).collect()
    };
    let exit = if checked.iter().all(|it| it.faults.is_empty()) { Exit::Ok } else { Exit::Differs };
    let text = match arguments.format {
        PlainFormat::Json => told::checked_json(&checked, exit as u8)?,
        PlainFormat::Text => told::checked(&checked, style(arguments)),
    };
    stdout().write_all(text.as_bytes())?;
    Ok(exit)
}

async fn check_on_packets(lessons: &[Lesson]) -> anyhow::Result<Vec<Checked>> {
    let mut all = Vec::new();
    for lesson in lessons {
        let mut checked = Checked::of(lesson);
        for task in lesson.tasks() {
            let (start, solution) = (run_eras(&task.start).await?, run_eras(&task.solution).await?);
            checked.task(task, &start, &solution);
        }
        all.push(checked);
    }
    Ok(all)
}
