//! Kernel settings of a namespace, written on a thread inside it.

use std::io;

use nix::unistd::getegid;

use crate::compile::network::NodeKind;

/// What a namespace of a kind needs, as (path under `/proc/sys/net`, value).
fn settings(kind: NodeKind) -> Vec<(&'static str, String)> {
    // Turning forwarding on resets others, so it comes first.
    let mut settings = Vec::new();
    let routes = matches!(kind, NodeKind::Router | NodeKind::Gateway | NodeKind::Internet);
    if routes {
        settings.push(("ipv4/ip_forward", "1"));
        // A hairpin leaves by the interface it came in on; a redirect would teach the sender a way round the filter.
        settings.push(("ipv4/conf/all/send_redirects", "0"));
        settings.push(("ipv4/conf/default/send_redirects", "0"));
    }
    // A drop by the reverse path filter is not logged, and what is not logged is no evidence.
    settings.push(("ipv4/conf/all/rp_filter", "0"));
    settings.push(("ipv4/conf/default/rp_filter", "0"));
    // IPv4 only, so far: no router solicitations, no neighbour discovery in the evidence.
    settings.push(("ipv6/conf/all/disable_ipv6", "1"));
    settings.push(("ipv6/conf/default/disable_ipv6", "1"));
    // Else most closed UDP ports read as silence.
    settings.push(("ipv4/icmp_ratelimit", "0"));
    settings.push(("ipv4/icmp_ratemask", "0"));
    if matches!(kind, NodeKind::Router | NodeKind::Gateway) {
        // A flow that was cut must not come back by being picked up in the middle.
        settings.push(("netfilter/nf_conntrack_tcp_loose", "0"));
    }
    let mut settings: Vec<(&str, String)> = settings.into_iter().map(|(path, value)| (path, value.into())).collect();
    if matches!(kind, NodeKind::Instance | NodeKind::Host) {
        settings.push(("ipv4/ip_unprivileged_port_start", "0".into()));
        let gid = getegid();
        settings.push(("ipv4/ping_group_range", format!("{gid} {gid}")));
    }
    settings
}

/// Writes the settings of a kind into the calling thread's namespace.
pub(super) fn write(kind: NodeKind) -> Result<(), (String, io::Error)> {
    for (path, value) in settings(kind) {
        let path = format!("/proc/sys/net/{path}");
        match std::fs::write(&path, &value) {
            Ok(()) => {}
            // A kernel without IPv6 has nothing to turn off.
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.contains("/ipv6/") => {}
            Err(error) => return Err((format!("set {path} to {value}"), error)),
        }
    }
    Ok(())
}
