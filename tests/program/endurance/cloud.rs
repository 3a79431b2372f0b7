//! A cloud of any size, and rounds of operations that lead back to it.

pub fn topology(instances: usize) -> String {
    let mut text = "\
sglab: 1
era: vpc
hosts: {office: 198.51.100.7}
prefix-lists:
  partners: {entries: [192.0.2.128/25], max-entries: 4}
groups:
  WEB: [tcp 443 from anywhere, tcp 22 from office, icmp echo from anywhere]
  DB: [tcp 5432 from WEB, tcp 5432 from partners, udp 53 from WEB]
instances:
"
    .to_owned();
    for number in 0..instances {
        text += &format!("  {}\n", launch(number));
    }
    text + "\
load-balancers: {site: {listeners: [tcp 443], targets: [i0], health-check: {interval: 5}}}
scenario: [{step: as launched, expect: {open: [office -> i0:443]}}]
"
}

fn launch(number: usize) -> String {
    format!("i{number}: {{groups: [{}], listens: [tcp 443, tcp 5432]}}", group(number))
}

fn group(number: usize) -> &'static str {
    if number.is_multiple_of(2) { "WEB" } else { "DB" }
}

/// One round: every operation there is, in as many requests, on one instance; the first is left alone. What makes an instance
/// silent or nameless is one request with what ends that, so that a probe in between knows what it asks.
pub fn round(number: usize, instances: usize) -> Vec<String> {
    let it = 1 + number % (instances - 1);
    let (group, port) = (group(it), 6000 + number % 1000);
    [
        "stop: i{it}",
        "start: i{it}",
        "reboot: i{it}",
        "[{crash: i{it}}, {start: i{it}}]",
        "authorize: {DB: [tcp {port} from WEB]}",
        "revoke: {DB: [tcp {port} from WEB]}",
        "authorize-egress: {DB: [tcp {port} to partners]}",
        "revoke-egress: {DB: [tcp {port} to partners]}",
        "create-group: {LATE: [tcp 80 from anywhere, tcp 81 from LATE]}",
        "set-groups: {i{it}: [{group}, LATE]}",
        "set-groups: {i{it}: [{group}]}",
        "delete-group: LATE",
        "allocate-address: spare",
        "associate-address: {spare: i{it}}",
        "disassociate-address: spare",
        "release-address: spare",
        "attach-interface: {i{it}: {eth1: {groups: DB}}}",
        "detach-interface: i{it}.eth1",
        "source-dest-check: {i{it}: off}",
        "source-dest-check: {i{it}: on}",
        "edit-prefix-list: {partners: {add: [203.0.113.{last}/32]}}",
        "edit-prefix-list: {partners: {remove: [203.0.113.{last}/32]}}",
        "register-instances: {site: [i{it}]}",
        "deregister-instances: {site: [i{it}]}",
        "[{terminate: i{it}}, {launch: {{launch}}}]",
    ]
    .iter()
    .map(|words| {
        let words = words.replace("{launch}", &launch(it)).replace("{it}", &it.to_string());
        let words = words.replace("{group}", group).replace("{port}", &port.to_string());
        words.replace("{last}", &(number % 250).to_string())
    })
    .collect()
}

/// A flow of this cloud: another for each number.
pub fn flow(number: u64, instances: u64) -> String {
    // Weyl's sequence spreads them.
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let from = spread % instances;
    let to = (from + 1 + (spread >> 16) % (instances - 1)) % instances;
    match (spread >> 32) % 8 {
        0 => format!("office -> i{to}:443"),
        1 => format!("office -> i{to}:22"),
        2 => format!("i{from} -> i{to}:5432"),
        3 => format!("i{from} -> i{to}:53/udp"),
        4 => format!("i{from} -> i{to}:ping"),
        5 => format!("i{from} -> i{to}:443"),
        6 => format!("i{} -> i0:443 by public address", 1 + from % (instances - 1)),
        _ => format!("i{from} -> i{to}:9999"),
    }
}
