//! Parts of EC2 that sglab does not have: one list, which the reader and docs/semantics.md share.

/// Something of EC2's, and how people ask for it.
struct Missing {
    what: &'static str,
    /// The keys under which they look for it.
    keys: &'static [&'static str],
    /// The word under `type` of a load balancer that stands for it.
    kind: Option<&'static str>,
}

const fn missing(what: &'static str, keys: &'static [&'static str]) -> Missing {
    Missing { what, keys, kind: None }
}

const fn balancers(what: &'static str, kind: &'static str, keys: &'static [&'static str]) -> Missing {
    Missing { what, keys, kind: Some(kind) }
}

const NOT_EMULATED: &[Missing] = &[
    missing("VPC peering", &["peering", "peerings", "peering-connections", "vpc-peering", "vpc-peerings"]),
    missing("transit gateways", &["transit-gateway", "transit-gateways"]),
    missing("network ACLs", &["acl", "acls", "nacl", "nacls", "network-acl", "network-acls"]),
    missing("NAT gateways", &["nat-gateway", "nat-gateways"]),
    missing("VPC endpoints", &["endpoint", "endpoints", "vpc-endpoint", "vpc-endpoints"]),
    balancers("network load balancers", "network", &["nlb", "nlbs", "preserve-client-ip"]),
    balancers("application load balancers", "application", &["alb", "albs", "target-group", "target-groups"]),
    balancers("gateway load balancers", "gateway", &["gwlb"]),
    missing("tags", &["tag", "tags"]),
    missing("DHCP", &["dhcp", "dhcp-options"]),
    missing("user data", &["user-data"]),
];

/// Says that what a key means is not emulated, if it is one of these.
pub fn not_emulated(key: &str, value: Option<&str>) -> Option<String> {
    let word = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let kind = value.filter(|_| key == "type").map(word);
    let key = word(key);
    let is_meant = |it: &&Missing| it.keys.contains(&key.as_str()) || it.kind.is_some() && it.kind == kind.as_deref();
    let what = NOT_EMULATED.iter().find(is_meant)?.what;
    let verb = if what.ends_with('s') { "are" } else { "is" };
    Some(format!("{what} {verb} not emulated"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_same_list() {
        let semantics = include_str!("../../../docs/semantics.md");
        let (_, section) = semantics.split_once("\n## Not emulated\n").expect("it has the section");
        for Missing { what, .. } in NOT_EMULATED {
            assert!(section.to_lowercase().contains(&what.to_lowercase()), "{what}");
        }
    }

    #[test]
    fn what_is_not_emulated_is_said_by_its_name() {
        assert_eq!(not_emulated("type", Some("network")).as_deref(), Some("network load balancers are not emulated"));
        assert_eq!(not_emulated("network_acls", None).as_deref(), Some("network ACLs are not emulated"));
        assert_eq!(not_emulated("dhcp", None).as_deref(), Some("DHCP is not emulated"));
        assert_eq!(not_emulated("type", None), None);
        assert_eq!(not_emulated("type", Some("tags")), None);
        assert_eq!(not_emulated("network", None), None, "it may be another key, misspelt");
    }
}
