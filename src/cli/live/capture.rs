//! `sglab capture`.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use sglab::control::CancelHandle;
use sglab::fabric::capture::Frame;
use sglab::model::InstanceName;
use sglab::protocol::{CapturedFrame, EventKind, Reply, Request};
use sglab::report::{count, pcap, shown_lines};

use super::session;
use crate::cli::common::{Exit, LabChoice, in_words, told};
use crate::cli::output::{Piped, is_reader_gone, stdout};

/// `sglab capture`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab capture web1 -w web1.pcap
      until Ctrl-C; tcpdump and Wireshark read it
  sglab capture web1 | tcpdump -n -r -        as it happens
  sglab capture db1 | wireshark -k -i -")]
pub(crate) struct CaptureArguments {
    /// Whose packets: all that its interfaces send and receive
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// The file; `-` for the output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub write: String,
    #[command(flatten)]
    pub which: LabChoice,
}

/// A pcap file that is whole after every write.
struct Output {
    file: Box<dyn Write + Send>,
    packets: u64,
}

pub(super) fn run(arguments: &CaptureArguments) -> anyhow::Result<Exit> {
    let to_output = arguments.write == "-";
    if to_output && stdout().is_terminal() {
        bail!("packets are nothing for a terminal: name a file with -w, or pipe them to `tcpdump -n -r -`");
    }
    // Before there is a thread that they could end: they are waited for.
    let mut ends = SigSet::empty();
    ends.add(Signal::SIGINT);
    ends.add(Signal::SIGTERM);
    ends.thread_block().context("failed to hold back signals")?;
    let output: Arc<Mutex<Option<Output>>> = Arc::default();
    let (which, instance, path) = (arguments.which.clone(), arguments.instance.clone(), arguments.write.clone());
    let shared = Arc::clone(&output);
    let ender: Arc<Mutex<Option<CancelHandle>>> = Arc::default();
    let begun = Arc::clone(&ender);
    std::thread::spawn(move || {
        let done = follow(&which, &instance, &path, &shared, &begun);
        let code = match done {
            Ok(exit) => {
                say(&shared);
                exit
            }
            // Whoever reads has gone, as after `| head`.
            Err(error) if is_reader_gone(&error) => Exit::Ok,
            Err(error) => {
                eprintln!("error: {}", shown_lines(&in_words(&error)));
                Exit::BadInput
            }
        };
        std::process::exit(i32::from(code as u8));
    });
    ends.wait().context("failed to wait for a signal")?;
    // Packets captured by now are still to come; a user who cannot wait for them asks twice.
    if ender.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|it| it.end().is_ok()) {
        ends.wait().context("failed to wait for a signal")?;
    }
    // Whoever writes has this lock, and so nothing is half written.
    say(&output);
    std::process::exit(0)
}

fn follow(
    which: &LabChoice,
    instance: &str,
    path: &str,
    shared: &Mutex<Option<Output>>,
    ender: &Mutex<Option<CancelHandle>>,
) -> anyhow::Result<Exit> {
    let begun = |it| *ender.lock().unwrap_or_else(PoisonError::into_inner) = Some(it);
    session::follow_until(which, Request::Capture { instance: InstanceName::new(instance) }, begun, |reply| {
        let mut output = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match reply {
            // Before any is there: it is under way.
            Reply::Frames(_) if output.is_none() => {
                *output = Some(begin(path)?);
                eprintln!("capturing what {instance} sends and receives; Ctrl-C ends it");
            }
            Reply::Frames(frames) => {
                if let Some(output) = output.as_mut() {
                    write(output, &frames)?;
                }
            }
            Reply::Event(event) => {
                if let EventKind::Missed { events } = event.kind {
                    eprintln!("{events} packets or readings are missing here: they came too fast");
                }
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    })
}

/// Says how many packets there are. The lock is kept: nothing is written after it.
fn say(output: &Mutex<Option<Output>>) {
    let output = output.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(output) = output.as_ref() {
        eprintln!("{}", count(usize::try_from(output.packets).unwrap_or(usize::MAX), "packet"));
    }
    std::mem::forget(output);
}

fn begin(path: &str) -> anyhow::Result<Output> {
    let mut file: Box<dyn Write + Send> = if path == "-" {
        Box::new(stdout())
    } else {
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        Box::new(Piped(opened.with_context(|| format!("failed to open {}", told(path)))?))
    };
    file.write_all(&pcap::pcap(&[]))?;
    file.flush()?;
    Ok(Output { file, packets: 0 })
}

/// All in one piece, so that the file is whole whenever it ends.
fn write(output: &mut Output, frames: &[CapturedFrame]) -> anyhow::Result<()> {
    let frame = |told: &CapturedFrame| {
        let at = Duration::new(told.seconds, told.nanoseconds);
        Some(Frame { at, bytes: bytes(&told.hex)? })
    };
    let frames: Vec<Frame> = frames.iter().map(frame).collect::<Option<_>>().context("the lab told no packet")?;
    output.file.write_all(&pcap::more(&frames))?;
    output.file.flush()?;
    output.packets += frames.len() as u64;
    Ok(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
