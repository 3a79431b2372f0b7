//! `sglab learn --serve`.

use std::io::Write;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use sglab::web::classroom::{Class, Place, Serving, Wanted};
use sglab::workshop::lesson::Lesson;

use super::arguments::LearnArguments;
use crate::cli::common::{Exit, PlainFormat};
use crate::cli::output::stdout;
use crate::cli::{host, signals};

/// The addresses of a class in JSON.
#[derive(serde::Serialize)]
struct Document<'a> {
    address: &'a str,
    code: &'a str,
    instructor: &'a str,
    seats: u16,
}

/// Serves lessons until it is interrupted.
pub(super) fn serve(arguments: &LearnArguments, lessons: Vec<Lesson>, seats: u16) -> anyhow::Result<Exit> {
    // The sandbox has a network of its own: what listens before it is entered listens outside.
    let place = Place::at(arguments.at)?;
    let Some(_sandbox) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let wanted = Wanted { seats: seats.into(), at_once: arguments.jobs.into() };
    let done = runtime.block_on(async {
        let (serving, labs) = Class::serve(place, lessons, wanted)?;
        announce(arguments, &serving, seats)?;
        tokio::select! {
            exit = signals::quiet() => exit,
            () = labs.hold() => Ok(Exit::Ok),
        }
    });
    runtime.shutdown_background();
    done
}

fn announce(arguments: &LearnArguments, serving: &Serving, seats: u16) -> anyhow::Result<()> {
    let mut out = stdout();
    let Serving { address, code, instructor, .. } = serving;
    match arguments.format {
        PlainFormat::Text => {
            writeln!(out, "{address}")?;
            if arguments.at.is_some() {
                let code = QrCode::new(address)?.render::<Dense1x2>().build();
                writeln!(out, "{code}")?;
            }
            let plain = address.split('#').next().unwrap_or(address);
            writeln!(out, "for learners, {seats} at most; or {plain} and the code {code}")?;
            writeln!(out, "{instructor}\nfor the instructor: who is where\nCtrl-C ends the class")?;
        }
        PlainFormat::Json => {
            let document = Document { address, code, instructor, seats };
            writeln!(out, "{}", serde_json::to_string(&document)?)?;
        }
    }
    out.flush()?;
    Ok(())
}
