//! Abilities of this machine that a lab needs, and what it lacks, each with its remedy. Nothing outside a sandbox is changed.

mod check;
mod inside;

use std::fmt;
use std::fs;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;
use serde::Serialize;

pub use check::{Check, CheckResult, kernel_release};

use crate::network::Network;
use crate::sandbox::remedies::{APPARMOR, NO_NFT, OTHER_NAMESPACES, USER_NAMESPACES, remedy};
use crate::sandbox::which::{find_program, nft as program};
use crate::sandbox::{self, bounds};
use check::kernel_version;

/// Results of examining this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// True if a lab can be hosted.
    pub can_host: bool,
    /// Every check, what a lab needs most first.
    pub checks: Vec<Check>,
}

/// Looks at the machine, and tries what a lab needs in a sandbox of its own, the rulesets of a whole network among it. Call it
/// before the first thread exists.
pub fn examine(network: &Network) -> Examination {
    let mut checks = vec![kernel(), nft()];
    checks.extend(namespace_settings());
    match sandbox::in_child(|sandbox| serde_json::to_string(&inside::examine(sandbox, network)).unwrap_or_default()) {
        Ok(found) => {
            checks.push(Check::new("sandbox", CheckResult::Yes, "namespaces made and entered", A_LAB_LIVES_IN_IT, ""));
            match serde_json::from_str::<Vec<Check>>(&found) {
                Ok(inside) => checks.extend(inside),
                Err(error) => checks.push(Check::new(
                    "inside the sandbox",
                    CheckResult::No,
                    format!("the examination in there ended early: {error}"),
                    A_LAB_LIVES_IN_IT,
                    "this is a fault of sglab; please report it",
                )),
            }
        }
        Err(error) => checks.push(Check::new("sandbox", CheckResult::No, error, A_LAB_LIVES_IN_IT, remedy())),
    }
    checks.extend([open_files(), memory()]);
    checks.extend(tools());
    Examination { can_host: checks.iter().all(|check| check.ok != CheckResult::No), checks }
}

const A_LAB_LIVES_IN_IT: &str = "a lab lives in namespaces of its own; without them there is none";

/// Returns the version that nft gives; empty where it says nothing.
pub fn nft_version() -> String {
    let said = program().and_then(|program| Command::new(program).arg("--version").output().ok());
    said.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn kernel() -> Check {
    let (release, version) = (kernel_release(), kernel_version());
    let ok = if version >= (5, 12) { CheckResult::Yes } else { CheckResult::No };
    Check::new(
        "kernel",
        ok,
        format!("Linux {release}"),
        "5.12 or newer: before it, what an instance sees of this machine cannot be made read-only",
        "use a newer kernel",
    )
}

fn nft() -> Check {
    const MATTERS: &str = "loads the filter; 1.0 or newer is known to work";
    let Some(program) = program() else { return Check::new("nft", CheckResult::No, "not found", MATTERS, NO_NFT) };
    match Command::new(program).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let old = version.contains(" v0.");
            let ok = if old { CheckResult::Degraded } else { CheckResult::Yes };
            let found = format!("{version}, {}", program.display());
            Check::new("nft", ok, found, MATTERS, "install a newer nftables")
        }
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Check::new("nft", CheckResult::No, message, MATTERS, NO_NFT)
        }
        Err(error) => Check::new("nft", CheckResult::No, format!("{}: {error}", program.display()), MATTERS, NO_NFT),
    }
}

/// Checks the system's settings; whether they hold for this user, the sandbox tells.
fn namespace_settings() -> Vec<Check> {
    let root = geteuid().is_root();
    const USERS: &str = "an ordinary user's lab needs user namespaces; root's only isolates its instances by them";
    const OTHERS: &str = "a lab and its instances are made of namespaces, of this kind too";
    let check = |(name, bad, matters): (&'static str, &str, &str)| {
        let found = read(&format!("/proc/sys/{}", name.replace('.', "/")))?;
        let ok = if found != bad {
            CheckResult::Yes
        } else if name == APPARMOR || root && USER_NAMESPACES.contains(&name) {
            // A profile may lift AppArmor's restriction for this program, so the sandbox has the last word.
            CheckResult::Degraded
        } else {
            CheckResult::No
        };
        Some(Check::new(name, ok, found, matters, remedy()))
    };
    let users = USER_NAMESPACES.map(|name| (name, "0", USERS)).into_iter().chain([(APPARMOR, "1", USERS)]);
    users.chain(OTHER_NAMESPACES.map(|name| (name, "0", OTHERS))).filter_map(check).collect()
}

fn open_files() -> Check {
    const MATTERS: &str = "each instance takes about 10 descriptors, and each port that the harness listens on one";
    const REMEDY: &str = "raise the hard limit (ulimit -Hn, LimitNOFILE= of a service)";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) => {
            let ok = if hard >= 4096 { CheckResult::Yes } else { CheckResult::Degraded };
            let found = format!("{soft}, and sglab raises it to {hard}");
            Check::new("open files", ok, found, MATTERS, REMEDY)
        }
        Err(errno) => Check::new("open files", CheckResult::Degraded, errno.to_string(), MATTERS, REMEDY),
    }
}

fn memory() -> Check {
    const MATTERS: &str =
        "a program in an instance that takes all memory can end programs of others, the lab's own too";
    const REMEDY: &str = "run the lab in a control group with a limit: `systemd-run --scope -p MemoryMax=4G sglab up FILE` (an \
                          ordinary user's: `systemd-run --user`)";
    match bounds::memory() {
        Some(bytes) => {
            let found = format!("{} MiB for the lab and all its instances, by a control group", bytes >> 20);
            Check::new("memory of a lab", CheckResult::Yes, found, MATTERS, "")
        }
        None => Check::new("memory of a lab", CheckResult::Degraded, "not bounded", MATTERS, REMEDY),
    }
}

fn tools() -> impl Iterator<Item = Check> {
    let tools = [
        ("ip", "iproute2", "to look around in `sglab shell` (ip netns exec)"),
        ("tcpdump", "tcpdump", "to see packets in `sglab shell`"),
        ("conntrack", "conntrack", "to see tracked flows in `sglab shell`"),
        ("nc", "netcat-openbsd", "to try a port in `sglab shell`"),
        ("ping", "iputils-ping", "to try an echo in `sglab shell`"),
    ];
    tools.into_iter().map(|(tool, package, matters)| {
        let (ok, found) = match find_program(tool) {
            Some(path) => (CheckResult::Yes, path.display().to_string()),
            None => (CheckResult::Degraded, "not found".into()),
        };
        Check::new(tool, ok, found, matters, format!("install it: apt-get install {package}"))
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let standing = match check.ok {
                CheckResult::Yes => "ok",
                CheckResult::Degraded => "WARN",
                CheckResult::No => "NO",
            };
            writeln!(f, "{standing:<5}{:<40}{}", check.name, check.found)?;
            if check.ok != CheckResult::Yes {
                writeln!(f, "     matters: {}", check.matters)?;
                for (number, line) in check.remedy.iter().flat_map(|remedy| remedy.lines()).enumerate() {
                    let head = if number == 0 { "remedy:  " } else { "         " };
                    writeln!(f, "{}", format!("     {head}{line}").trim_end())?;
                }
            }
        }
        let less = self.checks.iter().filter(|check| check.ok == CheckResult::Degraded).count();
        match (self.can_host, less) {
            (true, 0) => writeln!(f, "This machine can host a lab."),
            (true, _) => writeln!(f, "This machine can host a lab; {less} checks warn, above."),
            (false, _) => writeln!(f, "This machine cannot host a lab as it is."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_no_is_enough_and_comes_with_its_remedy() {
        let check = Check::new("nft", CheckResult::No, "not found", "loads the filter", NO_NFT);
        let text = Examination { can_host: false, checks: vec![check] }.to_string();
        assert!(text.contains("NO   nft") && text.contains("remedy:  install it") && text.contains("cannot host"));
    }

    #[test]
    fn what_is_as_it_should_be_has_no_remedy() {
        assert_eq!(Check::new("nft", CheckResult::Yes, "v1", "loads the filter", NO_NFT).remedy, None);
    }

    /// A test process has threads; forking it would not be safe, so it must be refused.
    #[test]
    fn a_process_with_threads_is_not_forked() {
        let threads = std::thread::spawn(|| sandbox::in_child(|_| String::new())).join();
        let error = threads.ok().and_then(Result::err);
        assert!(error.is_some_and(|error| error.contains("threads")));
    }
}
