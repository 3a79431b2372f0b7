//! `sglab shell`.

use std::io::{IsTerminal, stdin};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use sglab::compile::names;
use sglab::control::lab_dir;
use sglab::lab::{Lab, Site};
use sglab::model::{Era, InstanceName, no_such};
use sglab::report::{shown, wrap};
use sglab::sandbox::machine::{Folder, Program};
use sglab::scenario;
use sglab::scenario::predict;
use sglab::topology::Topology;

use super::common::{Exit, no_step, told};
use super::live::exec;
use super::{host, inside, screen, sources, steps};

/// `sglab shell`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sglab shell two-tier.yaml
      a shell beside the lab's namespaces
  sglab shell two-tier.yaml --step 3                 after the third step
  sglab shell two-tier.yaml --in web1
      a shell as root inside web1, isolated from the rest
  sglab shell two-tier.yaml -- ip netns exec web1 nc -zv 10.0.0.13 3306")]
pub(crate) struct ShellArguments {
    /// A topology file or a built-in one
    #[arg(value_name = "FILE|example:NAME", required_unless_present = "site")]
    pub topology: Option<String>,
    /// Run the operations up to and with this step; without it, as launched
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Under this era; without it under vpc, or the file's first
    #[arg(long, value_enum, value_name = "ERA")]
    pub era: Option<Era>,
    /// Inside this instance or host outside, as its root; no service of the file is started
    #[arg(long = "in", value_name = "INSTANCE|HOST")]
    pub site: Option<String>,
    /// A command instead of a shell; its exit code becomes the program's
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Variable by which a program in the shell knows that it is in one, and of which file.
const SHELL_VARIABLE: &str = "SGLAB_SHELL";

/// Columns of what it prints, at the most.
const WIDTH: usize = 80;
/// Indent of what has no room beside a name, in columns.
const BELOW: usize = 15;

pub(super) fn run(arguments: ShellArguments) -> anyhow::Result<Exit> {
    let Some(file) = &arguments.topology else {
        let site = arguments.site.as_deref().unwrap_or("web1");
        let boots = format!("of which file? `sglab shell FILE --in {site}` boots a lab of its own");
        match is_one_up() {
            true => bail!("{boots};\n`sglab exec -t {site}` opens a shell in the lab that is up"),
            false => bail!("{boots}"),
        }
    };
    let Some(topology) = sources::read_cloud(file)? else { return Ok(Exit::BadInput) };
    let steps = arguments.step.unwrap_or(0);
    if steps > topology.steps.len() {
        bail!("{}", no_step(&topology, steps));
    }
    let era = arguments.era.unwrap_or(topology.eras[0]);
    if let Some(site) = &arguments.site {
        let cloud = predict::cloud_at(&topology, era, steps)?;
        if Site::named(&cloud, site).is_none() {
            let known: Vec<&str> = Site::names(&cloud).collect();
            let why = no_such("instance or host", site, &known);
            bail!("{}", if steps == 0 { why } else { format!("after step {steps} {why}") });
        }
    }
    if !sources::has_its_files(&topology)? {
        return Ok(Exit::BadInput);
    }
    let Some(_) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let code = runtime.block_on(async {
        let mut lab = boot(&topology, era, steps).await?;
        if arguments.command.is_empty() && stdin().is_terminal() {
            eprint!("{}", guide(&topology, steps, &lab, arguments.site.as_deref()));
        }
        match &arguments.site {
            Some(site) => in_instance(&mut lab, &arguments, site).await,
            None => {
                let mut command = command(&arguments);
                // The lab goes on answering on the runtime's other threads while the shell has this one.
                let status = tokio::task::block_in_place(|| command.status());
                let status = status.with_context(|| format!("failed to run {}", told(command.get_program())))?;
                Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
            }
        }
    })?;
    runtime.shutdown_background();
    // The shell's own exit code, whatever it is, and not one of ours.
    std::process::exit(code)
}

fn file_of(arguments: &ShellArguments) -> &str {
    arguments.topology.as_deref().unwrap_or_default()
}

/// Tells if a lab of this user's is up, which may be meant. Where that cannot be found out there is no tip.
fn is_one_up() -> bool {
    lab_dir::all().is_ok_and(|all| !all.is_empty())
}

/// Boots the lab and carries out the operations up to a step.
async fn boot(topology: &Topology, era: Era, steps: usize) -> anyhow::Result<Lab> {
    let folder = scenario::services::folder_of(&topology.file).context("failed to find the present folder")?;
    let (mut lab, _) = scenario::boot(topology, era).await?;
    lab.tell_waits(screen::tell_waits());
    // For what its instances mount; no service is started.
    lab.find_files_from(&folder);
    steps::carry_out(&mut lab, topology, era, steps).await?;
    // One file for all of its namespaces: what an instance of the first VPC sees.
    let router = lab.cloud().vpcs.keys().next().map_or_else(names::internet, names::router);
    lab.fabric().publish_hosts_file(&router).context("failed to show the lab's names as /etc/hosts")?;
    Ok(lab)
}

/// Returns the command to be run: a shell, if nothing is said.
fn words(arguments: &ShellArguments, shell: String) -> Vec<String> {
    if arguments.command.is_empty() { vec![shell] } else { arguments.command.clone() }
}

/// A program beside the lab's namespaces.
fn command(arguments: &ShellArguments) -> Command {
    let words = words(arguments, std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into()));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    // Debian keeps nft, ip and tcpdump from the paths of ordinary users, who are all-powerful in here.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env(SHELL_VARIABLE, file_of(arguments));
    // It names another lab: this one has no name, and nobody can ask it.
    command.env_remove("SGLAB_LAB");
    command
}

/// A program in an instance, as those of `sglab exec` are.
async fn in_instance(lab: &mut Lab, arguments: &ShellArguments, site: &str) -> anyhow::Result<i32> {
    let program = Program {
        command: words(arguments, inside::shell()),
        environment: exec::environment((SHELL_VARIABLE, file_of(arguments))),
        folder: Folder::Only("/".into()),
        terminal: None,
    };
    inside::run(lab, site, program).await
}

/// Describes what is there, for whoever stands in the shell.
fn guide(topology: &Topology, steps: usize, lab: &Lab, inside: Option<&str>) -> String {
    use std::fmt::Write;
    let when = match steps {
        0 => "as launched".to_owned(),
        steps => format!("after step {steps}, \"{}\"", shown(&topology.steps[steps - 1].name)),
    };
    let cloud = lab.cloud();
    let head = format!("{}, era {}, {when}", topology.name, cloud.era);
    let mut text = wrap(&head, WIDTH).join("\n") + "\n\n";
    for (name, instance, interface) in cloud.interfaces() {
        let groups: Vec<&str> = interface.groups.iter().map(|group| group.as_str()).collect();
        let private = interface.private.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let public = interface.public.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let state = instance.state.to_string();
        row(&mut text, &name.to_string(), &state, [&private, &public], &groups);
    }
    for (name, balancer) in &cloud.load_balancers {
        let groups: Vec<&str> = balancer.interface.groups.iter().map(|group| group.as_str()).collect();
        let private = balancer.interface.private.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let public = balancer.interface.public.map_or_else(|| "-".to_owned(), |address| address.to_string());
        row(&mut text, name.as_str(), "balances", [&private, &public], &groups);
    }
    let vpcs: Vec<String> = cloud.vpcs.keys().map(|vpc| format!("vpc-{vpc}")).collect();
    let some = cloud.instances.keys().next().map_or("web1", InstanceName::as_str);
    if let Some(name) = inside {
        let _ = write!(text, "\n{}", inside::welcome(name));
        if cloud.instances.values().any(|instance| !instance.processes.is_empty()) {
            text.push_str("The file's services are not started in this lab; `sglab up` starts them.\n");
        }
        if is_one_up() {
            let tip = format!("`sglab exec -t {name}` opens a shell in the lab that is up; this is another.");
            let _ = writeln!(text, "{}", wrap(&tip, WIDTH).join("\n"));
        }
    } else {
        let _ = write!(
            text,
            "\nEvery instance and host is a namespace: ip netns list\n  \
             ip netns exec {some} nc -zv ADDRESS PORT\n    \
             asks from an instance\n  \
             ip netns exec {vpc} nft list ruleset\n    \
             shows the security groups in force\n  \
             ip netns exec {vpc} tcpdump -ni {some}\n    \
             shows what crosses an instance's link\n  \
             ip netns exec {vpc} conntrack -L\n    \
             shows the tracked flows\n\
             No service of the file is started. Everything is gone when you leave.\n",
            vpc = vpcs.first().map_or("vpc-default", String::as_str)
        );
    }
    text.push('\n');
    text
}

/// Adds a row for an instance or load balancer; groups that have no room behind it go below.
fn row(text: &mut String, name: &str, state: &str, [private, public]: [&String; 2], groups: &[&str]) {
    use std::fmt::Write;
    let head = format!("  {name:<12} {state:<8} {private:<15} {public:<15} ");
    let groups = groups.join(", ");
    // Writing to a String cannot fail.
    if head.chars().count() + groups.chars().count() <= WIDTH {
        let _ = writeln!(text, "{head}{groups}");
        return;
    }
    let _ = writeln!(text, "{}", head.trim_end());
    for line in wrap(&groups, WIDTH - BELOW) {
        let _ = writeln!(text, "{:BELOW$}{line}", "");
    }
}
