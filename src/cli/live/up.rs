//! `sglab up`.

use std::io::{Write, stderr};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use nix::sys::stat::{Mode, umask};
use sglab::control::supervisor::{self, Start};
use sglab::control::{LabDir, LabDirError, LabName, LockedLabDir};
use sglab::lab::{Lab, Listeners};
use sglab::model::Era;
use sglab::report::live::BootedView;
use sglab::report::{count, shown_lines};
use sglab::sandbox::background::{self, Begun, Ready, Side};
use sglab::scenario;
use sglab::topology::Topology;

use crate::cli::common::{Exit, PlainFormat, no_step, told};
use crate::cli::output::stdout;
use crate::cli::{host, screen, signals, sources, steps};

/// `sglab up`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab up two-tier.yaml                    a lab named two-tier
  sglab up example:two-tier --name demo
      several labs may be up, each under its name
  sglab ps; sglab stop web1; sglab down")]
pub(crate) struct UpArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME")]
    pub topology: String,
    #[command(flatten)]
    pub boot: BootArguments,
    /// How to print that it is up
    #[arg(long, value_enum, default_value_t = PlainFormat::Text)]
    pub format: PlainFormat,
    #[command(flatten)]
    pub keeping: super::flow_logs::KeepingArguments,
}

/// Options of a boot.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct BootArguments {
    /// The lab's name; without it, the file's
    #[arg(long, value_name = "LAB")]
    pub name: Option<String>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<Era>,
    /// Carry out the operations of the steps up to and with this one
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
}

impl BootArguments {
    /// Returns true if nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self { name: None, era: None, step: None }
    }
}

/// Caller that waits until the lab is ready.
static CALLER: OnceLock<Ready> = OnceLock::new();
/// The place that the lab holds.
static PLACE: OnceLock<LockedLabDir> = OnceLock::new();

pub(super) fn run(arguments: &UpArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_cloud(&arguments.topology)? else { return Ok(Exit::BadInput) };
    if !sources::has_its_files(&topology)? {
        return Ok(Exit::BadInput);
    }
    start(&topology, arguments)
}

/// Process that goes on after a lab was booted.
pub(in crate::cli) enum Booted {
    /// The caller's: the lab is up, or the exit code says why not.
    Caller(Exit),
    /// The lab's own, after the end of the lab.
    Lab(Exit),
}

/// Boots a topology in the background, and waits until it is up. Its instances' files are there.
pub(in crate::cli) fn start(topology: &Topology, arguments: &UpArguments) -> anyhow::Result<Exit> {
    let place = LabDir::of(name_of(topology, arguments)?)?;
    Ok(match start_at(&place, topology, arguments)? {
        Booted::Caller(exit) | Booted::Lab(exit) => exit,
    })
}

/// The name of the lab that would be booted.
pub(in crate::cli) fn name_of(topology: &Topology, arguments: &UpArguments) -> anyhow::Result<LabName> {
    // A built-in one is named `example:two-tier`.
    let of_file = topology.name.rsplit([':', '/']).next().unwrap_or(&topology.name);
    let name = arguments.boot.name.as_deref().unwrap_or(of_file);
    LabName::new(name).with_context(|| {
        format!(
            "`{name}` cannot be the name of a lab: it is made of letters, digits, `-` and `_`, at most 63; use --name"
        )
    })
}

/// Boots a topology in the background at a place, and waits until it is up. Two processes come back.
pub(in crate::cli) fn start_at(place: &LabDir, topology: &Topology, arguments: &UpArguments) -> anyhow::Result<Booted> {
    let steps = arguments.boot.step.unwrap_or(0);
    if steps > topology.steps.len() {
        bail!("{}", no_step(topology, steps));
    }
    let folder = scenario::services::folder_of(&arguments.topology).context("failed to find the present folder")?;
    // Before the lab's own process leaves this folder.
    let Some(flow_logs) = super::flow_logs::keeping(&arguments.keeping)? else {
        return Ok(Booted::Caller(Exit::BadInput));
    };
    let taken = place.begin().map_err(|error| match error {
        LabDirError::Up(ref name) => {
            anyhow!("{error}; `sglab down {name}` takes it down, and --name gives the new one another name")
        }
        error => error.into(),
    })?;
    // Nobody else may speak to it, also before its mode could be set.
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(place.socket());
    umask(before);
    let listener = listener.with_context(|| format!("failed to listen at {}", told(place.socket())))?;
    match background::detach(&place.log()).context("failed to go on in the background")? {
        Side::Caller(word) => {
            // The lab has its own copies; with the lock's, this process would wait for itself where the lab does not come up.
            drop((listener, taken));
            let tell = screen::tell_waits();
            let word = word.wait(|waits| tell.into_iter().for_each(|tell| tell(waits)));
            match word.context("failed to wait for the lab")? {
                Begun::Ready(word) => {
                    writeln!(stdout(), "{word}")?;
                    Ok(Booted::Caller(Exit::Ok))
                }
                Begun::Ended(code) => {
                    let said = std::fs::read_to_string(place.log()).unwrap_or_default();
                    eprint!("{}", screen::fit(&stderr(), &shown_lines(&said)));
                    place.wait_until_down()?;
                    place.clear()?;
                    // Every other end is the system's doing.
                    let of_file = code == Some(i32::from(Exit::BadInput as u8));
                    Ok(Booted::Caller(if of_file { Exit::BadInput } else { Exit::CannotHost }))
                }
            }
        }
        Side::Background(ready) => {
            let start = Start {
                name: place.name.clone(),
                file: arguments.topology.clone(),
                pid: std::process::id(),
                listener,
                flow_logs,
            };
            let era = arguments.boot.era.unwrap_or(topology.eras[0]);
            supervise(topology, (era, steps, folder), (start, arguments.format), ready, taken).map(Booted::Lab)
        }
    }
}

/// The lab's own process: it never comes back to the caller's terminal.
fn supervise(
    topology: &Topology,
    (era, steps, folder): (Era, usize, PathBuf),
    start: (Start, PlainFormat),
    ready: Ready,
    place: LockedLabDir,
) -> anyhow::Result<Exit> {
    let place = PLACE.get_or_init(|| place);
    let done = supervise_in_place(topology, (era, steps, folder), start, ready);
    place.note_end();
    done
}

fn supervise_in_place(
    topology: &Topology,
    (era, steps, folder): (Era, usize, PathBuf),
    (start, format): (Start, PlainFormat),
    ready: Ready,
) -> anyhow::Result<Exit> {
    let Some(_sandbox) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let ready = CALLER.get_or_init(|| ready);
    // A boot that nobody waits for any more ends, whatever it is at.
    ready.when_nobody_waits(|| {
        eprintln!("nobody waits for the lab any more, and it has not come up");
        PLACE.get().inspect(|place| place.note_end());
        std::process::exit(Exit::Interrupted as i32);
    })?;
    let done = runtime.block_on(async {
        let (mut lab, took) = boot(topology, era, steps, folder).await?;
        lab.tell_waits(None);
        let (lab_name, instances) = (start.name.to_string(), lab.cloud().instances.len());
        let word = match format {
            PlainFormat::Text => {
                format!("{lab_name} is up, era {era}, {}    {:.0} ms", count(instances, "instance"), millis(took))
            }
            PlainFormat::Json => serde_json::to_string(&BootedView {
                lab: lab_name,
                era: era.to_string(),
                instances,
                boot_ms: millis(took),
            })?,
        };
        ready.say(&word).map_err(|_| anyhow!("nobody waits for the lab any more"))?;
        let mut by_signal = None;
        let served = supervisor::serve(lab, start, async { by_signal = Some(signals::received().await) }).await;
        by_signal.unwrap_or_else(|| served.map(|()| Exit::Ok).context("the socket failed"))
    });
    runtime.shutdown_background();
    done
}

/// Boots the lab and carries out the operations up to a step.
async fn boot(topology: &Topology, era: Era, steps: usize, folder: PathBuf) -> anyhow::Result<(Lab, Duration)> {
    // Ports that nobody names are left to the programs that are started in it; probes listen there for a moment.
    let (mut lab, took) = scenario::boot_listening(topology, era, Listeners::default()).await?;
    lab.tell_waits(Some(|waits| CALLER.get().into_iter().for_each(|caller| caller.tell(waits))));
    steps::carry_out(&mut lab, topology, era, steps).await?;
    lab.start_processes(folder).await.context("the lab is not up")?;
    Ok((lab, took))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
