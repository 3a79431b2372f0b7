//! `sglab exec`: a program in an instance or a host of a lab that is up, with this process's input, output and errors.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sglab::control::{Client, ClientError, LabDir};
use sglab::protocol::{Exec, FrameError, Reply, Request};
use sglab::report::replies;
use sglab::report::shown;
use sglab::sandbox::relay::{Ends, Far, Relay};
use sglab::sandbox::terminal::{self, Raw};

use super::session;
use crate::cli::common::{Exit, LabChoice};
use crate::cli::inside;

/// `sglab exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab exec web1 -- curl -s http://db1:8080
  sglab exec office -- curl -s http://198.18.0.11
      # from outside the cloud: a host of the file
  sglab exec -t web1                        a shell
  sglab exec db1 -- mariadb-dump --all-databases >dump.sql

The program is root in the instance, or the host outside, and nowhere else; it has this command's input, output, errors \
and environment (HOME is /root; TMPDIR and XDG_RUNTIME_DIR are left out), the lab's names, and the folder `/` or that of --workdir. Where one of \
these is a terminal or a socket, it has a pipe in its place, or its own terminal by --tty. Signals go to \
the program's process group. Its exit code is the command's: 128 and the number of the \
signal that ended it, 127 if there is no such program, 126 if it cannot be run. When this command ends first, also by SIGKILL, the program's group is asked to \
end, and killed after 2 s; it is killed when its instance stops or crashes.

What it can and cannot do is a table in docs/architecture.md, \"What an instance can and cannot do\". tcpdump needs several \
user ids, which an ordinary user's lab may lack (`sglab doctor`): `sglab capture web1 | tcpdump -n -r -` does not.")]
pub(crate) struct ExecArguments {
    /// The instance, or the host outside
    #[arg(value_name = "INSTANCE|HOST")]
    pub site: String,
    /// Give the program a terminal of its own, for shells and editors
    #[arg(short, long)]
    pub tty: bool,
    /// Working directory of the program, as the instance sees it
    #[arg(short, long, value_name = "FOLDER", default_value = "/")]
    pub workdir: PathBuf,
    /// Nothing: input is passed on in any case. For who is used to `docker exec -it`
    #[arg(short, long, hide = true)]
    pub interactive: bool,
    #[command(flatten)]
    pub which: LabChoice,
    /// The program and its arguments; a shell, if nothing is said and it has a terminal
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Signals that are passed on to the program. Of a terminal these come as keys, by the program's own terminal.
const PASSED_ON: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCONT,
];

pub(super) fn run(mut arguments: ExecArguments) -> anyhow::Result<Exit> {
    let site = shown(&arguments.site).into_owned();
    if arguments.command.is_empty() && !arguments.tty {
        bail!(
            "what is to run in {site}? `sglab exec {site} -- COMMAND` runs it, and\n`sglab exec -t {site}` opens a shell"
        );
    }
    if arguments.tty && !terminal::at_stdin() {
        bail!("--tty needs a terminal as standard input; without it the program gets standard input as it is");
    }
    let place = session::choose(arguments.which.name.as_deref())?;
    let mut client = Client::connect(&place)?;
    // Before the program is there: none is lost.
    let signals = signals(arguments.tty).context("failed to listen for signals")?;
    let (given, passing) = match arguments.tty {
        true => {
            Ends::own_terminal().map(|(given, far)| (given, Passing::Far(far))).context("failed to make a socket")?
        }
        false => {
            Ends::ours().map(|Ends { given, relay }| (given, Passing::Here(relay))).context("failed to make pipes")?
        }
    };
    let terminal = arguments.tty.then(terminal::size).transpose().context("failed to use the terminal")?;
    let is_shell = arguments.command.is_empty();
    if is_shell {
        arguments.command.push(inside::shell());
    }
    client.send(Request::Exec(Box::new(Exec {
        instance: arguments.site,
        command: arguments.command,
        environment: environment(("SGLAB_LAB", place.name.as_str())),
        folder: arguments.workdir,
        terminal,
    })))?;
    match client.receive().map_err(|error| session::failed(&place, error))? {
        Reply::GoOn => {}
        other => return session::unexpected_reply(other),
    }
    client.send_descriptors(&given.each_ref().map(|end| end as &dyn AsFd))?;
    // Only the program is to keep them open.
    drop(given);
    match client.receive().map_err(|error| session::failed(&place, error))? {
        Reply::Started if is_shell => eprint!("{}", inside::welcome(&site)),
        Reply::Started => {}
        Reply::NotStarted { why, code } => {
            eprintln!("error: {why}");
            std::process::exit(code);
        }
        other => return session::unexpected_reply(other),
    }
    let (relay, pty) = match passing {
        Passing::Far(far) => {
            far.arrive().map(|(relay, pty)| (relay, Some(pty))).context("failed to take the terminal")?
        }
        Passing::Here(relay) => (relay, None),
    };
    let code = {
        let _raw = pty.is_some().then(Raw::begin).transpose().context("failed to use the terminal")?;
        attend((&place, &mut client), &signals, relay, pty.as_ref())?
    };
    // The program's own exit code, whatever it is, and not one of ours.
    std::process::exit(code)
}

/// The relay between the caller and the program.
enum Passing {
    /// There is one.
    Here(Relay),
    /// It comes with the program's own terminal.
    Far(Far),
}

/// Variables that are set anew, and those that name a folder or a lab of the caller's, which is not to be seen inside.
const NOT_INHERITED: [&str; 6] = ["PATH", "SGLAB_LAB", "SGLAB_SHELL", "HOME", "TMPDIR", "XDG_RUNTIME_DIR"];

/// The caller's environment without what names folders of the caller's, and with where Debian keeps what an ordinary user's path leaves
/// out: inside the program is root.
pub(in crate::cli) fn environment((variable, lab): (&str, &str)) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !NOT_INHERITED.contains(&name.as_str()))
        .collect();
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    all.push(("PATH".to_owned(), format!("{path}:/usr/sbin:/sbin")));
    all.push((variable.to_owned(), lab.to_owned()));
    // The caller's own folders are not to be seen inside.
    all.push(("HOME".to_owned(), "/root".to_owned()));
    all
}

fn signals(tty: bool) -> io::Result<SignalFd> {
    let mut set = SigSet::empty();
    PASSED_ON.iter().for_each(|signal| set.add(*signal));
    if tty {
        set.add(Signal::SIGWINCH);
    }
    set.thread_block()?;
    Ok(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

/// Passes on signals, what is typed and what is printed, until the program has ended: its exit code.
fn attend(
    (place, client): (&LabDir, &mut Client),
    signals: &SignalFd,
    mut relay: Relay,
    pty: Option<&OwnedFd>,
) -> anyhow::Result<i32> {
    loop {
        let [signalled, answered] =
            relay.turn([signals.as_fd(), client.as_fd()]).context("failed to wait for the program")?;
        // The answer first: it says how the program has ended, also where nobody takes a signal any more.
        if answered {
            match client.receive().map_err(|error| session::failed(place, error))? {
                Reply::Ended(code) => {
                    relay.finish();
                    return Ok(code);
                }
                Reply::Failed(failure) => bail!(failure),
                _ => bail!(replies::UNEXPECTED),
            }
        }
        if signalled {
            pass_on(client, signals, pty)?;
        }
    }
}

fn pass_on(client: &mut Client, signals: &SignalFd, pty: Option<&OwnedFd>) -> anyhow::Result<()> {
    while let Ok(Some(signal)) = signals.read_signal() {
        let number = i32::try_from(signal.ssi_signo)?;
        match pty {
            Some(pty) if number == Signal::SIGWINCH as i32 => terminal::resize(pty)?,
            _ => match client.signal(number) {
                // The next turn reads why the lab has closed.
                Err(ClientError::Frame { source: FrameError::Io(error), .. })
                    if error.kind() == io::ErrorKind::BrokenPipe => {}
                done => done?,
            },
        }
    }
    Ok(())
}
