//! Instance metadata: what an instance can learn of itself, path by path.
//!
//! Source: "Instance metadata categories" (EC2 user guide).

use std::net::IpAddr;

use super::super::names::{self, Wire};
use super::zone;
use crate::model::{Cloud, Interface, VpcName};

/// The first interface of the instance that holds an address in a VPC: of several, that one is described. No packet
/// bears another's address, so its source says who asks.
pub fn holder<'a>(cloud: &'a Cloud, vpc: &VpcName, address: IpAddr) -> Option<&'a Interface> {
    let holds = |it: &Interface| match address {
        IpAddr::V4(asker) => it.private_addresses().any(|own| own.0 == asker),
        IpAddr::V6(asker) => it.ipv6_blocks().any(|block| block.contains(&asker)),
    };
    let (_, instance, _) = cloud.interfaces().find(|(_, _, it)| it.vpc == *vpc && holds(it))?;
    instance.interfaces.first()
}

/// Returns the page at a path for whoever holds this interface of a cloud; nothing where there is none.
pub fn page(cloud: &Cloud, interface: &Interface, path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    match path.trim_end_matches('/') {
        "" => return Some("latest".to_owned()),
        "latest" => return Some("meta-data".to_owned()),
        "latest/meta-data" => {
            let keys = leaves(cloud, interface).into_iter().filter(|(_, value)| value.is_some());
            return Some(keys.map(|(key, _)| key).collect::<Vec<_>>().join("\n"));
        }
        _ => {}
    }
    let asked = path.strip_prefix("latest/meta-data/")?;
    leaves(cloud, interface).into_iter().find(|(key, _)| *key == asked)?.1
}

/// Every key, in their order, with its value if it has one.
fn leaves(cloud: &Cloud, interface: &Interface) -> [(&'static str, Option<String>); 8] {
    let groups = interface.groups.iter().filter_map(|group| cloud.groups.get(group));
    let groups = groups.map(|group| group.name.as_str()).collect::<Vec<_>>().join("\n");
    [
        ("instance-id", interface.attached_to.map(|id| id.to_string())),
        ("ipv6", interface.ipv6.map(|ip| ip.to_string())),
        ("local-hostname", interface.private.map(zone::private_name)),
        ("local-ipv4", interface.private.map(|ip| ip.to_string())),
        ("mac", Some(mac(interface))),
        ("public-hostname", interface.public.map(zone::public_name)),
        ("public-ipv4", interface.public.map(|ip| ip.to_string())),
        ("security-groups", Some(groups)),
    ]
}

/// The hardware address of the instance's end of its link.
fn mac(interface: &Interface) -> String {
    let (_, mac) = names::macs(Wire::Instance, interface.number);
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Sample, create_named, launch, set_groups, start, stop, terminate};
    use crate::model::{Era, InstanceName, Ipv6};

    fn read(sample: &Sample, name: &str, path: &str) -> Option<String> {
        page(&sample.0, &sample.0.instances[&InstanceName::new(name)].interfaces[0], path)
    }

    fn sample(era: Era) -> Sample {
        Sample::new(era).group("WEB", &[]).group("ADMIN", &[]).instance("web1", &["WEB", "ADMIN"])
    }

    #[test]
    fn an_instance_reads_of_itself() {
        let sample = sample(Era::Vpc);
        let get = |key: &str| read(&sample, "web1", &format!("/latest/meta-data/{key}"));
        assert_eq!(get("local-ipv4").as_deref(), Some("10.0.0.11"));
        assert_eq!(get("public-ipv4").as_deref(), Some("198.18.0.11"));
        assert_eq!(get("security-groups").as_deref(), Some("WEB\nADMIN"));
        assert_eq!(get("mac").as_deref(), Some("02:00:01:00:00:01"));
        assert_eq!(get("public-hostname").as_deref(), Some("ec2-198-18-0-11.compute-1.amazonaws.com"));
        let listing = "instance-id\nlocal-hostname\nlocal-ipv4\nmac\npublic-hostname\npublic-ipv4\nsecurity-groups";
        assert_eq!(get("").as_deref(), Some(listing));
        assert_eq!(read(&sample, "web1", "/latest/meta-data").as_deref(), Some(listing));
        for nothing in ["ami-id", "local-ipv4/", "instance-id/x", "ipv6"] {
            assert_eq!(get(nothing), None, "{nothing}");
        }
        assert_eq!(read(&sample, "web1", "latest/meta-data/mac"), None, "a path begins with a slash");
    }

    #[test]
    fn without_a_public_address_there_is_no_such_page() {
        let mut sample = sample(Era::Vpc);
        sample.0.instances[0].interfaces[0].public = None;
        assert_eq!(read(&sample, "web1", "/latest/meta-data/public-ipv4"), None);
        assert!(!read(&sample, "web1", "/latest/meta-data/").unwrap().contains("public"));
    }

    #[test]
    fn an_id_stays_over_a_restart_and_is_another_for_another_instance() {
        let id = |sample: &Sample, name: &str| read(sample, name, "/latest/meta-data/instance-id").unwrap();
        let first = sample(Era::Classic).instance("web2", &["WEB"]);
        let own = id(&first, "web1");
        assert_eq!(own, first.0.instances["web1"].id.to_string());
        assert_ne!(own, id(&first, "web2"));
        let restarted = first.with(stop("web1")).with(start("web1"));
        assert_eq!(id(&restarted, "web1"), own);
        let again = restarted.with(terminate("web1")).with(launch("web1", &["WEB"]));
        assert_ne!(id(&again, "web1"), own);
    }

    #[test]
    fn groups_are_read_by_the_names_that_ec2_has_of_them() {
        let named = Sample::new(Era::Vpc).with(create_named("WEB", "web servers (eu) #1", "default")).group("DB", &[]);
        let page = read(&named.instance("web1", &["WEB", "DB"]), "web1", "/latest/meta-data/security-groups");
        assert_eq!(page.as_deref(), Some("web servers (eu) #1\nDB"));
    }

    #[test]
    fn other_groups_are_read_at_once() {
        let sample = sample(Era::Vpc).with(set_groups("web1", &["ADMIN"]));
        assert_eq!(read(&sample, "web1", "/latest/meta-data/security-groups").as_deref(), Some("ADMIN"));
    }

    #[test]
    fn an_instance_is_known_by_each_of_its_addresses() {
        let mut sample = sample(Era::Vpc);
        let first = &mut sample.0.instances[0].interfaces[0];
        first.ipv6 = Some(Ipv6("2001:db8:1000::11".parse().unwrap()));
        first.secondary =
            ["10.0.0.20", "2001:db8:1000::20", "2001:db8:1000:0:1::/80"].map(|it| it.parse().unwrap()).to_vec();
        let all = ["10.0.0.11", "10.0.0.20", "2001:db8:1000::11", "2001:db8:1000::20", "2001:db8:1000:0:1::7"];
        for address in all {
            let found = holder(&sample.0, &VpcName::new("default"), address.parse().unwrap());
            assert_eq!(found.and_then(|it| it.id.instance()), Some(&InstanceName::new("web1")), "{address}");
        }
        assert_eq!(holder(&sample.0, &VpcName::new("default"), "2001:db8:1000:0:2::7".parse().unwrap()), None);
    }

    #[test]
    fn an_address_is_held_in_its_vpc_and_nowhere_else() {
        let sample = sample(Era::Vpc);
        let holder_in =
            |vpc: &str| holder(&sample.0, &VpcName::new(vpc), [10, 0, 0, 11].into()).and_then(|it| it.id.instance());
        assert_eq!(holder_in("default"), Some(&InstanceName::new("web1")));
        assert_eq!(holder_in("other"), None);
    }
}
