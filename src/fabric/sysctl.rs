//! Kernel settings of a namespace, written on a thread inside it.

use std::io;

use nix::unistd::getegid;

use crate::network::{FRAGMENTS_MEMORY, FRAGMENTS_TIMEOUT, Families, NodeKind, Timeouts};

/// Returns the settings that a namespace of a kind needs, as (path under `/proc/sys/net`, value).
fn settings(kind: NodeKind, families: Families, timeouts: Option<Timeouts>) -> Vec<(String, String)> {
    // Turning forwarding on resets others, so it comes first.
    let mut settings = Vec::new();
    let routes = matches!(kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet | NodeKind::Appliance);
    if routes {
        settings.push(("ipv4/ip_forward", "1"));
        // A hairpin leaves by the interface it came in on; a redirect would teach the sender a way round the filter.
        settings.push(("ipv4/conf/all/send_redirects", "0"));
        settings.push(("ipv4/conf/default/send_redirects", "0"));
    }
    if matches!(kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet) {
        // Whoever is asked for an address by ARP remembers who asked. All namespaces share one small table for that; so nobody is
        // answered who is not where he says, and entries of those who are there are permanent.
        settings.push(("ipv4/conf/all/arp_filter", "1"));
    }
    // A drop by the reverse path filter is not logged, and what is not logged is no evidence.
    settings.push(("ipv4/conf/all/rp_filter", "0"));
    settings.push(("ipv4/conf/default/rp_filter", "0"));
    match families {
        Families::Ipv4 => {
            settings.push(("ipv6/conf/all/disable_ipv6", "1"));
            settings.push(("ipv6/conf/default/disable_ipv6", "1"));
        }
        Families::Both => {
            if routes {
                settings.push(("ipv6/conf/all/forwarding", "1"));
            }
            // Every address and every neighbour is given: no link-local ones, no solicitations, no waiting.
            settings.push(("ipv6/conf/default/addr_gen_mode", "1"));
            settings.push(("ipv6/conf/default/accept_ra", "0"));
            settings.push(("ipv6/conf/default/accept_dad", "0"));
            settings.push(("ipv6/conf/default/router_solicitations", "0"));
            settings.push(("ipv6/icmp/ratelimit", "0"));
            // No type of message is limited: else a namespace sends 50 errors at once, and then 1,000 a second.
            settings.push(("ipv6/icmp/ratemask", "\n"));
        }
    }
    // Else most closed UDP ports read as silence.
    settings.push(("ipv4/icmp_ratelimit", "0"));
    settings.push(("ipv4/icmp_ratemask", "0"));
    if matches!(kind, NodeKind::Router | NodeKind::Gateway) {
        // A flow that was cut must not come back by being picked up in the middle.
        settings.push(("netfilter/nf_conntrack_tcp_loose", "0"));
        // A stream of UDP is told by its packets.
        settings.push(("netfilter/nf_conntrack_acct", "1"));
    }
    let mut settings: Vec<(String, String)> =
        settings.into_iter().map(|(path, value)| (path.to_owned(), value.to_owned())).collect();
    if matches!(kind, NodeKind::Router | NodeKind::Gateway) {
        for (path, value) in [
            ("ipv4/ipfrag_time", FRAGMENTS_TIMEOUT),
            ("ipv4/ipfrag_high_thresh", FRAGMENTS_MEMORY),
            ("netfilter/nf_conntrack_frag6_timeout", FRAGMENTS_TIMEOUT),
            ("netfilter/nf_conntrack_frag6_high_thresh", FRAGMENTS_MEMORY),
        ] {
            settings.push((path.to_owned(), value.to_string()));
        }
    }
    if let Some(timeouts) = timeouts.filter(|_| matches!(kind, NodeKind::Router | NodeKind::Gateway)) {
        for (name, seconds) in [
            ("tcp_timeout_established", timeouts.tcp_established),
            ("udp_timeout", timeouts.udp),
            ("udp_timeout_stream", timeouts.udp_stream),
            ("icmp_timeout", timeouts.icmp),
            ("icmpv6_timeout", timeouts.icmp),
            ("generic_timeout", timeouts.other),
            ("gre_timeout", timeouts.other),
            ("gre_timeout_stream", timeouts.other),
        ] {
            settings.push((format!("netfilter/nf_conntrack_{name}"), seconds.to_string()));
        }
    }
    if matches!(kind, NodeKind::Instance | NodeKind::Appliance | NodeKind::LoadBalancer | NodeKind::Host) {
        settings.push(("ipv4/ip_unprivileged_port_start".into(), "0".into()));
        let gid = getegid();
        settings.push(("ipv4/ping_group_range".into(), format!("{gid} {gid}")));
    }
    settings
}

/// Writes the settings of a kind into the calling thread's namespace.
pub(super) fn write(kind: NodeKind, families: Families, timeouts: Option<Timeouts>) -> Result<(), (String, io::Error)> {
    for (path, value) in settings(kind, families, timeouts) {
        let path = format!("/proc/sys/net/{path}");
        match std::fs::write(&path, &value) {
            Ok(()) => {}
            // A kernel without IPv6 has nothing to turn off, and one that cannot track GRE tracks it as any other.
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_be_missing(&path) => {}
            Err(error) => return Err((format!("set {path} to {value}"), error)),
        }
    }
    Ok(())
}

fn may_be_missing(path: &str) -> bool {
    path.ends_with("/disable_ipv6")
        || path.contains("nf_conntrack_gre_")
        || path.contains("nf_conntrack_icmpv6_")
        || path.contains("nf_conntrack_frag6_")
}
