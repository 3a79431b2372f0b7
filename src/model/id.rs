//! Ids of resources, as EC2 gives them: made in one place, the same at each boot.
//!
//! EC2 makes ids by chance. Here an id is made of the kind of its resource, of the names that a file knows it by, and of how often that
//! name had an id before: so it stays over boots and over edits of other parts of the file, and no two resources ever have the same.

use std::fmt;

use sha2::{Digest, Sha256};

use super::name::{SubnetName, VpcName};

/// Digits of an id after its prefix.
const DIGITS: usize = 17;

/// An id of one kind.
pub(in crate::model) trait ResourceId: Sized {
    /// The beginning of every id of the kind.
    const PREFIX: &'static str;

    /// Takes as many bits as an id has.
    fn from_bits(bits: u128) -> Self;

    /// The resource in words, the widest name first. Two resources of one kind at one moment never have the same.
    fn key(names: &[&str]) -> String {
        format!("{}{}", Self::PREFIX, names.join(" "))
    }

    /// Makes the id of a resource whose names had ids `before`.
    fn of(names: &[&str], before: u32) -> Self {
        let sum = Sha256::digest(format!("{} {before}", Self::key(names)));
        let bits = sum.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        Self::from_bits(bits >> (128 - 4 * DIGITS))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $type:ident $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(u128);

        impl ResourceId for $type {
            const PREFIX: &'static str = $prefix;

            fn from_bits(bits: u128) -> Self {
                Self(bits)
            }
        }

        impl $type {
            /// Makes the first id that a resource of these names has, the widest name first.
            pub fn first_of(names: &[&str]) -> Self {
                Self::of(names, 0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{}{:0DIGITS$x}", $prefix, self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        /// Reads what `Display` writes.
        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == DIGITS);
                let bits = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok()).map(Self);
                // Signs and capitals are no digits of an id.
                bits.filter(|id| id.to_string() == text).ok_or_else(|| format!("{text:?} is no id such as `{}...`", $prefix))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The id of a security group: `sg-0123456789abcdef0`.
    SecurityGroupId "sg-"
);
id!(
    /// The id of an instance: `i-0123456789abcdef0`.
    InstanceId "i-"
);
id!(
    /// The id of a network interface: `eni-0123456789abcdef0`.
    NetworkInterfaceId "eni-"
);
id!(
    /// The id of a VPC: `vpc-0123456789abcdef0`.
    VpcId "vpc-"
);
id!(
    /// The id of a subnet: `subnet-0123456789abcdef0`.
    SubnetId "subnet-"
);
id!(
    /// The id of the allocation of an Elastic IP: `eipalloc-0123456789abcdef0`.
    AllocationId "eipalloc-"
);
id!(
    /// The id of a prefix list: `pl-0123456789abcdef0`.
    PrefixListId "pl-"
);

impl VpcName {
    /// The id of the VPC, which is there as long as the cloud is.
    pub fn id(&self) -> VpcId {
        VpcId::first_of(&[self.as_str()])
    }
}

impl SubnetName {
    /// The id of the subnet of a VPC, which is there as long as the cloud is.
    pub fn id(&self, vpc: &VpcName) -> SubnetId {
        SubnetId::first_of(&[vpc.as_str(), self.as_str()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::super::*;

    /// Every id of a cloud.
    fn ids(cloud: &Cloud) -> Vec<String> {
        let interfaces = cloud.network_interfaces().map(|it| it.eni.to_string());
        let instances = cloud.instances.values().map(|it| it.id.to_string());
        let groups = cloud.groups.values().map(|it| it.id.to_string());
        let lists = cloud.prefix_lists.values().map(|it| it.id.to_string());
        let elastic = cloud.elastic_ips.values().map(|it| it.allocation.to_string());
        let vpcs = cloud.vpcs.keys().map(|vpc| vpc.id().to_string());
        let subnets = cloud.vpcs.iter().flat_map(|(name, vpc)| vpc.subnets.keys().map(|it| it.id(name).to_string()));
        interfaces.chain(instances).chain(groups).chain(lists).chain(elastic).chain(vpcs).chain(subnets).collect()
    }

    /// A bit of everything.
    fn booted() -> Sample {
        let list = CreatePrefixList {
            name: PrefixListName::new("offices"),
            family: PrefixFamily::Ipv4,
            entries: Vec::new(),
            max_entries: 2,
        };
        let web = Sample::new(Era::Vpc).group("web", &[]).group("db", &[]).instance("web1", &["web"]);
        web.instance("web2", &["web"])
            .with(allocate("e"))
            .with(Operation::CreatePrefixList(list))
            .with(balancer(&["web"]))
    }

    #[test]
    fn ids_are_the_same_at_each_boot_and_each_is_another() {
        let all = ids(&booted().0);
        assert_eq!(all, ids(&booted().0));
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), different.len()), (13, 13), "{all:?}");
        for id in all {
            let (kind, digits) = id.split_once('-').unwrap();
            assert!(["eni", "i", "sg", "pl", "eipalloc", "vpc", "subnet"].contains(&kind), "{id}");
            assert!(digits.len() == 17 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        }
        // Written down: another version of sglab has them too.
        assert_eq!(booted().0.groups["web"].id.to_string(), "sg-283af5ff9b9031a48");
    }

    #[test]
    fn ids_do_not_hang_on_other_parts_of_the_file() {
        let alone = Sample::new(Era::Vpc).group("web", &[]).instance("web1", &["web"]);
        let among = Sample::new(Era::Vpc).group("more", &[]).group("web", &["tcp 80 from anywhere"]);
        let among = among.instance("more", &["more"]).instance("web1", &["web", "more"]);
        assert_eq!(alone.0.groups["web"].id, among.0.groups["web"].id);
        assert_eq!(alone.0.instances["web1"].id, among.0.instances["web1"].id);
        assert_eq!(alone.0.instances["web1"].interfaces[0].eni, among.0.instances["web1"].interfaces[0].eni);
    }

    #[test]
    fn a_name_that_is_used_again_has_another_id_each_time() {
        let mut seen = std::collections::HashSet::new();
        let mut sample = Sample::new(Era::Vpc).group("g", &[]);
        for _ in 0..3 {
            sample = sample.with(create("web", "default")).with(launch("web1", &["g"])).with(allocate("e"));
            let web1 = &sample.0.instances["web1"];
            let (instance, eni) = (web1.id.to_string(), web1.interfaces[0].eni.to_string());
            let (group, elastic) =
                (sample.0.groups["web"].id.to_string(), sample.0.elastic_ips["e"].allocation.to_string());
            for id in [instance, eni, group, elastic] {
                assert!(seen.insert(id.clone()), "{id} was given before");
            }
            let delete = Operation::DeleteGroup(GroupName::new("web"));
            sample = sample.with(delete).with(terminate("web1")).with(release("e"));
        }
    }

    #[test]
    fn an_instance_keeps_its_ids_while_it_lives() {
        let sample = booted();
        let before = ids(&sample.0);
        let after =
            sample.with(stop("web1")).with(start("web1")).with(reboot("web1")).with(crash("web1")).with(start("web1"));
        assert_eq!(before, ids(&after.with(set_groups("web1", &["db"])).0));
    }

    #[test]
    fn what_is_refused_or_taken_back_uses_no_id_up() {
        let sample = booted();
        let mut cloud = sample.0.clone();
        let launches = [launch("web3", &["web"]), launch("web3", &["web"])];
        apply_all(&mut cloud, &launches).unwrap_err();
        assert_eq!(cloud, sample.0);
        apply(&mut cloud, &launches[0]).unwrap().undo(&mut cloud);
        assert_eq!(cloud, sample.0);
    }

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is() {
        let id = booted().0.groups["web"].id;
        assert_eq!(id.to_string().parse(), Ok(id));
        let capital = id.to_string().to_uppercase();
        for wrong in ["sg-1", "sg-+123456789abcdef0", "i-0123456789abcdef0", "sg-0123456789abcdef01", capital.as_str()]
        {
            assert!(wrong.parse::<SecurityGroupId>().is_err(), "{wrong}");
        }
    }
}
