//! `sglab ui`.

use std::fs;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use sglab::control::{Client, LabDir};
use sglab::model::Era;
use sglab::protocol::{Reply, Request};
use sglab::report::replies;
use sglab::web::{self, LabClient, Script, Serving, Wanted};

use super::up::{self, BootArguments, Booted, UpArguments};
use super::{down, session};
use crate::cli::common::{Exit, PlainFormat, is_file, typed};
use crate::cli::output::{is_reader_gone, stdout};
use crate::cli::{host, signals, sources};

/// `sglab ui`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab ui example:two-tier        boot it, and show it for as long as this runs
  sglab ui                         show the lab that is up, and leave it up
  sglab ui demo --port 8080
  sglab ui example:two-tier --audience 192.168.1.5:8080
      phones that open that address, or its QR code, predict what you ask
  sglab ui example:two-tier --no-browser
      print the address only, as where no browser is started from a terminal

The page is served on 127.0.0.1 alone. Its address ends in a token: whoever has it may change the lab.
From another machine: ssh -L 8080:127.0.0.1:8080 HOST, and `--port 8080` there.")]
pub(crate) struct UiArguments {
    /// A topology file or a built-in one, to be booted; or a lab that is up
    #[arg(value_name = "FILE|example:NAME|LAB")]
    pub subject: Option<String>,
    #[command(flatten)]
    pub boot: BootArguments,
    /// Listen at this port; without it, at the one that the lab's page had before, or at any
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Let a room predict: serve a page for phones at this address of this machine, such as 192.168.1.5:8080
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub audience: Option<SocketAddr>,
    /// Do not start a browser
    #[arg(long)]
    pub no_browser: bool,
    /// How to print the address
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
}

/// The address of a page in JSON.
#[derive(serde::Serialize)]
struct Document<'a> {
    lab: &'a str,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
}

pub(super) fn run(arguments: &UiArguments) -> anyhow::Result<Exit> {
    match arguments.subject.as_deref().filter(|word| is_file(word)) {
        Some(file) => boot_and_show(file, arguments),
        None if !arguments.boot.is_empty() => {
            bail!("--name, --era and --step are for a file that is booted: `sglab ui FILE`")
        }
        None => {
            let place = session::choose_word(arguments.subject.as_deref(), "ui")?;
            show(&place, None, arguments)
        }
    }
}

/// Boots a lab that goes with this process, however that ends.
fn boot_and_show(file: &str, arguments: &UiArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_cloud(file)? else { return Ok(Exit::BadInput) };
    if !sources::has_its_files(&topology)? {
        return Ok(Exit::BadInput);
    }
    let of_up: UpArguments = typed(&["up", file]);
    let of_up = UpArguments { boot: arguments.boot.clone(), ..of_up };
    let place = LabDir::of(up::name_of(&topology, &of_up)?)?;
    match up::start_at(&place, &topology, &of_up) {
        Ok(Booted::Caller(Exit::Ok)) => {}
        Ok(Booted::Caller(other) | Booted::Lab(other)) => return Ok(other),
        Err(error) => {
            // It is up, and nobody heard that.
            if is_reader_gone(&error) {
                down::down(&place)?;
            }
            return Err(error);
        }
    }
    let _holding = match hold(&place) {
        Ok(holding) => holding,
        Err(error) => {
            down::down(&place)?;
            return Err(error);
        }
    };
    let era = arguments.boot.era.map_or(topology.eras[0], Era::from);
    let script = (!topology.steps.is_empty()).then(|| Script::new(&topology, era, arguments.boot.step.unwrap_or(0)));
    let shown = show(&place, script, arguments);
    down::down(&place)?;
    shown
}

/// Has a lab end with this process. A signal waits meanwhile, which would end this process and leave the lab up.
fn hold(place: &LabDir) -> anyhow::Result<Client> {
    let ends: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    let before = ends.thread_swap_mask(SigmaskHow::SIG_BLOCK).context("failed to hold back signals")?;
    let held = Client::connect(place).and_then(|mut client| {
        client.send(Request::Hold)?;
        client.receive().map(|reply| (client, reply))
    });
    before.thread_set_mask().context("failed to let signals through")?;
    match held? {
        (client, Reply::GoOn) => Ok(client),
        _ => bail!(replies::UNEXPECTED),
    }
}

fn show(place: &LabDir, script: Option<Script>, arguments: &UiArguments) -> anyhow::Result<Exit> {
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let client = LabClient { place: place.clone() };
    let done = runtime.block_on(async {
        let wanted = Wanted { port: arguments.port, audience: arguments.audience };
        let mut serving = web::serve(client, script, wanted).await?;
        announce(place, &serving, arguments)?;
        tokio::select! {
            exit = signals::quiet() => exit,
            why = serving.ended() => {
                eprintln!("{why}");
                Ok(Exit::Ok)
            }
        }
    });
    runtime.shutdown_background();
    done
}

fn announce(place: &LabDir, serving: &Serving, arguments: &UiArguments) -> anyhow::Result<()> {
    let mut out = stdout();
    let (address, audience) = (serving.address.as_str(), serving.audience.as_deref());
    match arguments.format {
        PlainFormat::Text => {
            writeln!(out, "{address}")?;
            if let Some(audience) = audience {
                let code = QrCode::new(audience)?.render::<Dense1x2>().build();
                writeln!(out, "{code}\n{audience} is for the audience: it predicts, and changes nothing")?;
            }
            writeln!(out, "Ctrl-C ends the page")?;
        }
        PlainFormat::Json => {
            let document = Document { lab: place.name.as_str(), address, audience };
            writeln!(out, "{}", serde_json::to_string(&document)?)?;
        }
    }
    out.flush()?;
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| std::env::var_os(name).is_some());
    if !arguments.no_browser && has_display && out.is_terminal() {
        // Without xdg-open the printed address is all there is.
        drop(open_browser(place, address));
    }
    Ok(())
}

/// Opens the page by a file that only its owner can read: the arguments of a program can be read by everybody.
fn open_browser(place: &LabDir, address: &str) -> anyhow::Result<()> {
    let path = place.opener();
    drop(fs::remove_file(&path));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let page =
        format!("<!doctype html>\n<meta http-equiv=\"refresh\" content=\"0; url={address}\">\n<title>sglab</title>\n");
    file.write_all(page.as_bytes())?;
    let mut command = Command::new("xdg-open");
    command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop).context("failed to run xdg-open")
}
