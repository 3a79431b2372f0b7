//! Trying what a lab needs, inside a sandbox that is thrown away afterwards.

use std::fs;
use std::process::Command;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;
use rtnetlink::LinkVeth;

use super::check::{Check, CheckResult, kernel_version};
use crate::fabric::netlink::{self, Request};
use crate::fabric::{conntrack, nft, sysctl, tap};
use crate::network::{Families, Network, NodeKind};
use crate::sandbox::ids::InstanceRoot;
use crate::sandbox::{self, Sandbox};
use crate::sandbox::{bounds as limits, ids, instance_namespaces, which};

const NEWER_KERNEL: &str = "load the kernel's module (`sudo modprobe NAME`), or use a kernel that has it";

pub(super) fn examine(sandbox: Sandbox, network: &Network) -> Vec<Check> {
    let mut checks = vec![
        proc(sandbox),
        control_groups(),
        names(),
        fence(),
        many_ids(),
        bounds(),
        ruleset("sets and verdict maps", SETS, "groups are sets, interfaces are found by a map"),
        ruleset("connection tracking", TRACKING, "groups are stateful"),
        ruleset("address translation", TRANSLATION, "public addresses are translated in the gateway"),
        ruleset("log of verdicts", LOG, "a drop is believed because its record says so"),
        ruleset("answers for nobody", UNREACHABLE, "an address that nobody holds is said to be unreachable"),
        whole_rulesets(network),
        list_flows(),
        veth(),
        packet_socket(),
    ];
    checks.extend(settings());
    checks.push(bridge());
    checks.extend(netem());
    checks
}

fn needed(name: &str, result: Result<(), String>, matters: &str, remedy: &str) -> Check {
    match result {
        Ok(()) => Check::new(name, CheckResult::Yes, "works", matters, ""),
        Err(words) => Check::new(name, CheckResult::No, words, matters, remedy),
    }
}

fn comfort(check: Check) -> Check {
    if check.ok == CheckResult::No { Check { ok: CheckResult::Degraded, ..check } } else { check }
}

fn proc(sandbox: Sandbox) -> Check {
    let (ok, found) = if sandbox.fresh_proc {
        (CheckResult::Yes, "mounted")
    } else {
        (CheckResult::Degraded, "may not be mounted here")
    };
    Check::new(
        "a /proc of its own",
        ok,
        found,
        "without it, `ps` in a lab shows the host's processes; nothing that is tested depends on it",
        "in a container: run it with an unmasked /proc (docker run --security-opt systempaths=unconfined)",
    )
}

fn control_groups() -> Check {
    let (ok, found) = if sandbox::has_control_groups() {
        (CheckResult::Yes, "in a namespace of the lab's own")
    } else {
        (CheckResult::Degraded, "this kernel has no namespaces of them")
    };
    Check::new(
        "control groups",
        ok,
        found,
        "no instance is to learn in which group the lab runs, or to change it; none can where the kernel has no such groups",
        "use a kernel with CONFIG_CGROUPS",
    )
}

fn names() -> Check {
    let lacking: Vec<&str> =
        ["/etc/hosts", "/etc/resolv.conf"].into_iter().filter(|file| fs::symlink_metadata(file).is_err()).collect();
    let (ok, found) = match lacking.as_slice() {
        [] => (CheckResult::Yes, "have their files".to_owned()),
        lacking => (CheckResult::Degraded, format!("there is no {}, and none can be shown", lacking.join(" and "))),
    };
    Check::new(
        "names in a lab",
        ok,
        found,
        "programs of an instance find the others by name; nothing that is tested depends on it",
        format!("make them, empty: touch {}", lacking.join(" ")),
    )
}

fn fence() -> Check {
    let made =
        instance_namespaces::fenced_namespaces(&ids::of_instances()).map(drop).map_err(|error| error.to_string());
    needed(
        "user namespace of an instance",
        made,
        "root inside an instance must not reach the filter",
        "allow more nested user namespaces (user.max_user_namespaces)",
    )
}

fn bounds() -> Check {
    const MATTERS: &str = "one instance must not starve the others";
    let found = format!("{} processes for each of its users", limits::processes());
    if kernel_version() >= (5, 14) {
        return Check::new("bounds of an instance", CheckResult::Yes, found, MATTERS, "");
    }
    let found = format!("{found}, and on this kernel for all instances together");
    Check::new("bounds of an instance", CheckResult::Degraded, found, MATTERS, "use Linux 5.14 or newer")
}

fn many_ids() -> Check {
    let (ok, count) = if ids::are_many() { (CheckResult::Yes, "a range") } else { (CheckResult::Degraded, "one") };
    let found = match ids::instance_root() {
        InstanceRoot::Nobody(uid) => format!("{count}; root there is nobody here (uid {uid})"),
        InstanceRoot::Caller => format!("{count}; root there is this user here, who sees no folder of their own"),
    };
    Check::new(
        "user ids of an instance",
        ok,
        found,
        "programs that change users (nginx, mariadbd, sshd, tcpdump) need several; nothing that is tested depends on it",
        format!("{}; packets are to be had all the same, by `sglab capture web1 | tcpdump -n -r -`", ids::remedy()),
    )
}

const SETS: &str = "\
add table inet d1
add chain inet d1 c { type filter hook forward priority filter; policy drop; }
add chain inet d1 web1
add set inet d1 members/A { type ipv4_addr; }
add set inet d1 sources { type ifname . ipv4_addr; }
add map inet d1 doors { type ifname : verdict; }
add element inet d1 doors { \"web1\" : jump web1 }
add rule inet d1 web1 ip saddr @members/A tcp dport 22-23 accept
add rule inet d1 c iifname . ip saddr @sources oifname vmap @doors
";

const TRACKING: &str = "\
add table inet d2
add chain inet d2 c { type filter hook forward priority filter; policy drop; }
add rule inet d2 c ct state established,related ct direction reply ct mark and 1 == 1 accept
add rule inet d2 c ct mark set ct mark or 2
";

const TRANSLATION: &str = "\
add table inet d3
add map inet d3 public { type ipv4_addr : ipv4_addr; }
add chain inet d3 in { type nat hook prerouting priority dstnat; }
add chain inet d3 out { type nat hook postrouting priority srcnat; }
add rule inet d3 in dnat ip to ip daddr map @public
add rule inet d3 out iifname \"vpc\" snat ip to ip saddr map @public
";

const LOG: &str = "\
add table inet d4
add chain inet d4 c { type filter hook forward priority filter; policy drop; }
add rule inet d4 c log prefix \"d\" group 1 queue-threshold 1 drop
";

const UNREACHABLE: &str = "\
add table inet d6
add chain inet d6 c { type filter hook prerouting priority raw + 10; policy accept; }
add rule inet d6 c meta nfproto ipv4 fib daddr oif missing reject with icmp type host-unreachable
";

const BRIDGE: &str = "\
add table bridge d5
add chain bridge d5 c { type filter hook forward priority filter; }
add rule bridge d5 c ct state established accept
";

fn ruleset(name: &str, script: &str, matters: &str) -> Check {
    needed(
        name,
        load(script),
        matters,
        &NEWER_KERNEL.replace("NAME", "nf_tables nf_conntrack nf_nat nfnetlink_log nft_fib_inet nft_reject_inet"),
    )
}

/// Loads every word that a lab has for nft, and reads it back: the small rulesets above do not have them all.
fn whole_rulesets(network: &Network) -> Check {
    const MATTERS: &str = "this is what a lab loads when it boots";
    const REMEDY: &str = "where all that stands above this is ok: use nftables 1.0.6 or newer, or report this";
    let name = "rulesets of a whole lab";
    match try_rulesets(network) {
        Ok((rules, namespaces)) => {
            let found = format!("{rules} rules of {namespaces} namespaces loaded and read back");
            Check::new(name, CheckResult::Yes, found, MATTERS, "")
        }
        Err(words) => Check::new(name, CheckResult::No, words, MATTERS, REMEDY),
    }
}

/// Rules that were loaded, and namespaces that they are of.
fn try_rulesets(network: &Network) -> Result<(usize, usize), String> {
    let program = which::nft().ok_or("there is no nft program")?;
    let rulesets = network.nodes.iter().filter_map(|(name, node)| Some((name, node.ruleset.as_ref()?)));
    let loaded = rulesets.map(|(name, ruleset)| nft::try_here(program, ruleset).map_err(|e| format!("{name}: {e}")));
    let loaded = loaded.collect::<Result<Vec<_>, _>>()?;
    Ok((loaded.iter().sum(), loaded.len()))
}

fn load(script: &str) -> Result<(), String> {
    let program = which::nft().ok_or("there is no nft program")?;
    nft::load_here(program, script)
}

fn list_flows() -> Check {
    let listed = conntrack::list_here().map_err(|refused| refused.source.to_string());
    let remedy = NEWER_KERNEL.replace("NAME", "nf_conntrack_netlink");
    needed("list of tracked flows", listed, "the flows of an address that moves are forgotten", &remedy)
}

fn veth() -> Check {
    let message = LinkVeth::new("doctor0", "doctor1").build();
    let request = Request::create("add a link", RouteNetlinkMessage::NewLink(message));
    let made = netlink::request(NETLINK_ROUTE, vec![request]).map_err(|refused| refused.source.to_string());
    needed("veth", made, "instances are connected by it", &NEWER_KERNEL.replace("NAME", "veth"))
}

fn packet_socket() -> Check {
    let opened = tap::open_here().map(drop).map_err(|error| error.to_string());
    needed("packet socket", opened, "the receiver is the second witness of a drop", "use a kernel with AF_PACKET")
}

/// Writes every setting that a lab's namespaces get, as a lab does.
fn settings() -> impl Iterator<Item = Check> {
    let kinds = [
        (
            "settings of a router",
            NodeKind::Router,
            "the VPC is a router, whose drops are evidence, and flows that were cut stay cut",
        ),
        (
            "settings of an instance",
            NodeKind::Instance,
            "services of a lab listen on ports below 1024, and closed ports say so",
        ),
    ];
    kinds.into_iter().map(|(name, kind, matters)| {
        let written = sysctl::write(kind, Families::Ipv4, None);
        let written = written.map_err(|(attempt, error)| format!("failed to {attempt}: {error}"));
        needed(name, written, matters, "in a container: run it with a writable /proc/sys")
    })
}

fn bridge() -> Check {
    comfort(needed(
        "tracking on bridges",
        load(BRIDGE),
        "for information: labs route and do not need it",
        &NEWER_KERNEL.replace("NAME", "nf_conntrack_bridge"),
    ))
}

/// Nothing if there is no program to ask by.
fn netem() -> Option<Check> {
    let tc = which::find_program("tc")?;
    let output = Command::new(tc).args(["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]).output();
    let result = match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")),
        Err(error) => Err(error.to_string()),
    };
    let matters = "for information: only needed to slow links down by hand in `sglab shell`";
    Some(comfort(needed("netem", result, matters, &NEWER_KERNEL.replace("NAME", "sch_netem"))))
}
