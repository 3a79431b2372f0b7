//! What EC2 has and sglab does not: one list, which the reader and docs/semantics.md share.

/// Kinds of load balancer, and what stands under `type` of one.
const KINDS: &[(&str, &str)] = &[
    ("network load balancers", "network"),
    ("application load balancers", "application"),
    ("gateway load balancers", "gateway"),
];

/// What it is, and the keys under which people look for it.
pub const NOT_EMULATED: &[(&str, &[&str])] = &[
    ("VPC peering", &["peering", "peerings", "peering-connections", "vpc-peering", "vpc-peerings"]),
    ("transit gateways", &["transit-gateway", "transit-gateways"]),
    ("network ACLs", &["acl", "acls", "nacl", "nacls", "network-acl", "network-acls"]),
    ("NAT gateways", &["nat-gateway", "nat-gateways"]),
    ("VPC endpoints", &["endpoint", "endpoints", "vpc-endpoint", "vpc-endpoints"]),
    ("network load balancers", &["nlb", "nlbs", "preserve-client-ip"]),
    ("application load balancers", &["alb", "albs", "target-group", "target-groups"]),
    ("gateway load balancers", &["gwlb"]),
    ("secondary addresses", &["secondary-address", "secondary-addresses", "secondary-private-addresses"]),
    ("tags", &["tag", "tags"]),
    ("DHCP", &["dhcp", "dhcp-options"]),
    ("user data", &["user-data"]),
];

/// Says that what a key means is not emulated, if it is one of these. A load balancer has its kind under `type`.
pub fn not_emulated(key: &str, value: Option<&str>) -> Option<String> {
    let word = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let kind = value.filter(|_| key == "type").map(word);
    let of_kind = KINDS.iter().find(|(_, known)| kind.as_deref() == Some(*known)).map(|(what, _)| what);
    let key = word(key);
    let what =
        of_kind.or_else(|| NOT_EMULATED.iter().find(|(_, keys)| keys.contains(&key.as_str())).map(|(what, _)| what))?;
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
        for (what, _) in NOT_EMULATED {
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
