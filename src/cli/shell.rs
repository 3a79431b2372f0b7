//! `sglab shell`.

use std::io::{IsTerminal, stdin};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use anyhow::{Context, bail};
use sglab::compile::names;
use sglab::fabric::machine::{Program, view};
use sglab::lab::Lab;
use sglab::model::topology::Topology;
use sglab::model::{Era, InstanceName};
use sglab::report::{shown, shown_line};
use sglab::scenario;

use super::arguments::ShellArguments;
use super::live::exec;
use super::{Exit, host, inside, progress, sources, steps, told};

pub(super) fn run(arguments: ShellArguments) -> anyhow::Result<Exit> {
    let Some(topology) = sources::read_one(&arguments.topology)? else { return Ok(Exit::BadInput) };
    let steps = arguments.step.unwrap_or(0);
    if steps > topology.steps.len() {
        bail!("{} has {} steps, and no step {steps}", told(&*topology.file), topology.steps.len());
    }
    let era = arguments.era.map_or(topology.eras[0], Era::from);
    let Some(_) = host::enter() else { return Ok(Exit::CannotHost) };
    let Some(runtime) = host::runtime() else { return Ok(Exit::CannotHost) };
    let code = runtime.block_on(async {
        let mut lab = boot(&topology, era, steps).await?;
        if arguments.command.is_empty() && stdin().is_terminal() {
            eprint!("{}", guide(&topology, steps, &lab, arguments.instance.as_deref()));
        }
        match &arguments.instance {
            Some(instance) => in_instance(&mut lab, &arguments, instance).await,
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

/// Boots the lab and carries out the operations up to a step.
async fn boot(topology: &Topology, era: Era, steps: usize) -> anyhow::Result<Lab> {
    let folder = scenario::services::folder_of(&topology.file).context("failed to find the present folder")?;
    let (mut lab, _) = scenario::boot(topology, era).await?;
    lab.tell_waits(progress::tell_waits());
    // For what its instances mount; no service is started.
    lab.find_files_from(&folder);
    steps::carry_out(&mut lab, topology, era, steps).await?;
    // One file for all of its namespaces: what an instance of the first VPC sees.
    let router = lab.cloud().vpcs.keys().next().map_or_else(names::internet, names::router);
    lab.fabric().publish_hosts_file(&router).context("failed to show the lab's names as /etc/hosts")?;
    Ok(lab)
}

/// What is to be run: a shell, if nothing is said.
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
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("SGLAB_LAB", arguments.topology.as_str());
    command
}

/// A program in an instance, as those of `sglab exec` are.
async fn in_instance(lab: &mut Lab, arguments: &ShellArguments, instance: &str) -> anyhow::Result<i32> {
    if !lab.cloud().instances.contains_key(&InstanceName::new(instance)) {
        let known: Vec<&str> = lab.cloud().instances.keys().map(InstanceName::as_str).collect();
        bail!("there is no instance `{instance}` at this step; there are {}", known.join(", "));
    }
    // The caller's own may lie where an instance does not see it.
    let shell =
        std::env::var("SHELL").ok().filter(|shell| view::HOST_FOLDERS.iter().any(|shown| shell.starts_with(shown)));
    let program = Program {
        command: words(arguments, shell.unwrap_or_else(|| "/bin/sh".into())),
        environment: exec::environment(arguments.topology.as_str()),
        folder: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        terminal: false,
    };
    inside::run(lab, instance, program).await
}

/// What is there, for whoever stands in the shell.
fn guide(topology: &Topology, steps: usize, lab: &Lab, inside: Option<&str>) -> String {
    use std::fmt::Write;
    let when = match steps {
        0 => "as launched".to_owned(),
        steps => format!("after step {steps}, \"{}\"", shown(&topology.steps[steps - 1].name)),
    };
    let cloud = lab.cloud();
    let mut text = format!("{}, era {}, {when}\n\n", shown_line(&topology.name), cloud.era);
    for (name, instance, interface) in cloud.interfaces() {
        let groups: Vec<&str> = interface.groups.iter().map(|group| group.as_str()).collect();
        let private = interface.private.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let public = interface.public.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let state = format!("{:?}", instance.state).to_lowercase();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<12} {state:<8} {private:<15} {public:<15} {}", groups.join(", "));
    }
    for (name, balancer) in &cloud.load_balancers {
        let groups: Vec<&str> = balancer.interface.groups.iter().map(|group| group.as_str()).collect();
        let private = balancer.interface.private.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let public = balancer.interface.public.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let _ = writeln!(text, "  {name:<12} {:<8} {private:<15} {public:<15} {}", "balances", groups.join(", "));
    }
    let vpcs: Vec<String> = cloud.vpcs.keys().map(|vpc| format!("vpc-{vpc}")).collect();
    let some = cloud.instances.keys().next().map_or("web1", InstanceName::as_str);
    if let Some(name) = inside {
        let _ = writeln!(
            text,
            "\nYou are root in {name}, and nothing outside of it is in your reach. /etc/hosts has the lab's names, \
             and /etc/resolv.conf its resolver."
        );
    } else {
        let _ = write!(
            text,
            "\nEvery instance and host is a namespace: ip netns list\n  \
             ip netns exec {some} nc -zv ADDRESS PORT         ask from an instance\n  \
             ip netns exec {vpc} nft list ruleset   the security groups in force\n  \
             ip netns exec {vpc} tcpdump -ni {some}  what crosses an instance's link\n  \
             ip netns exec {vpc} conntrack -L        the tracked flows\n\
             Everything is gone when you leave.\n",
            vpc = vpcs.first().map_or("vpc-default", String::as_str)
        );
    }
    text.push('\n');
    text
}
