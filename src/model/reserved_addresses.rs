//! Addresses that are nobody's: those that AWS reserves, and those outside that no host of a cloud has, for whoever asks about one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::address::HostIp;
use super::cloud::{Cloud, DEFAULT_PUBLIC_POOL, GATEWAYS_IPV6, Host, INTERNET_ADDRESS_IPV6, Vpc};
use super::interface::Mtu;
use super::name::{HostName, VpcName};

impl Cloud {
    /// Returns the host that an address outside is for as long as somebody asks for it, by the address as its name. Nothing where somebody of the
    /// cloud has the address already, and where no host can have it.
    pub fn synthetic_host(&self, address: IpAddr) -> Option<(HostName, Host)> {
        let is_hosts = self.hosts.values().any(|host| host.addresses.iter().any(|own| own.0 == address));
        if is_hosts || belongs(address, &self.vpcs).is_some() {
            return None;
        }
        let host = Host { addresses: vec![HostIp(address)], mtu: Mtu::ETHERNET, place: None };
        Some((HostName::new(address.to_string()), host))
    }
}

/// Owner of an address that no host can have.
pub(crate) enum Belongs<'v> {
    Vpc(&'v VpcName),
    Lab(&'static str),
    Block(&'static str),
    NotGlobal,
}

/// Returns the owner of an address that no host outside can have.
pub(crate) fn belongs(address: IpAddr, vpcs: &IndexMap<VpcName, Vpc>) -> Option<Belongs<'_>> {
    let block = || match address {
        IpAddr::V4(address) => {
            taken_blocks().into_iter().find(|(taken, _)| taken.contains(&address)).map(|(_, what)| Belongs::Block(what))
        }
        IpAddr::V6(address) => {
            let lab =
                || LAB_IPV6.into_iter().find(|(its, _)| its.contains(&address)).map(|(_, whose)| Belongs::Lab(whose));
            (!is_global(address.into())).then_some(Belongs::NotGlobal).or_else(lab)
        }
    };
    let inside = |vpc: &Vpc| match address {
        IpAddr::V4(address) => vpc.cidr.contains(&address),
        IpAddr::V6(address) => vpc.ipv6.is_some_and(|block| block.contains(&address)),
    };
    let vpc = || vpcs.iter().find(|(_, vpc)| inside(vpc)).map(|(name, _)| Belongs::Vpc(name));
    block().or_else(vpc)
}

/// The global addresses of the lab's own boxes; those of IPv4 are link-local.
pub(crate) const LAB_IPV6: [(Ipv6Net, &str); 2] = [
    (Ipv6Net::new_assert(INTERNET_ADDRESS_IPV6, 128), "the internet's own router"),
    (GATEWAYS_IPV6, "the gateways of VPCs"),
];

/// The blocks of both families from which no host outside has an address: those of [`belongs`].
pub(crate) fn reserved_blocks(vpcs: &IndexMap<VpcName, Vpc>) -> Vec<IpNet> {
    let taken = taken_blocks().map(|(block, _)| IpNet::V4(block));
    let lab = LAB_IPV6.map(|(block, _)| IpNet::V6(block));
    let vpc = |vpc: &Vpc| [Some(IpNet::V4(vpc.cidr)), vpc.ipv6.map(IpNet::V6)];
    let vpcs = vpcs.values().flat_map(vpc).flatten();
    taken.into_iter().chain(lab).chain(NOT_GLOBAL.map(IpNet::V6)).chain(vpcs).collect()
}

/// All but 2000::/3.
const NOT_GLOBAL: [Ipv6Net; 3] = [
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 3),
    Ipv6Net::new_assert(Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 0), 2),
    Ipv6Net::new_assert(Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1),
];

/// Blocks that no VPC and no host may use.
pub(crate) fn taken_blocks() -> [(Ipv4Net, &'static str); 6] {
    let net = |a, b, length| Ipv4Net::new_assert(Ipv4Addr::new(a, b, 0, 0), length);
    [
        (net(0, 0, 8), "\"this network\""),
        (net(127, 0, 8), "loopback"),
        (net(169, 254, 16), "link-local addresses"),
        (net(224, 0, 4), "multicast"),
        (net(240, 0, 4), "nobody"),
        (DEFAULT_PUBLIC_POOL, "the public addresses of instances"),
    ]
}

/// The first four addresses of a subnet are Amazon's, and so is the last.
///
/// Source: "Subnet CIDR blocks" (Amazon VPC user guide), of both families.
pub(crate) const RESERVED_AT_START: u32 = 4;

/// Returns true if a subnet gives a block away, be it one address: none of it is outside, or Amazon's.
pub(crate) fn gives(subnet: impl Into<IpNet>, block: impl Into<IpNet>) -> bool {
    let (subnet, block) = (subnet.into(), block.into());
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let first = number(block.network()).saturating_sub(number(subnet.network()));
    subnet.contains(&block) && first >= u128::from(RESERVED_AT_START) && !block.contains(&subnet.broadcast())
}

/// Returns true if a VPC of a lab can have an IPv6 block: a /56 of global addresses that has none of the lab's own in it.
pub(crate) fn is_ipv6_block(block: Ipv6Net) -> bool {
    let is_the_labs = |(own, _): &(Ipv6Net, &str)| block.contains(own) || own.contains(&block);
    block.prefix_len() == 56 && is_global(block.network().into()) && !LAB_IPV6.iter().any(is_the_labs)
}

/// Returns true if an IPv6 address is one of 2000::/3, where all global ones are.
pub(crate) fn is_global(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.segments()[0] & 0xe000 == 0x2000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::model::sample::Sample;

    #[test]
    fn nobody_is_a_stranger_whose_address_a_host_has_or_none_can_have() {
        let mut cloud = Sample::new(Era::Vpc).0;
        let synthetic_host =
            |cloud: &Cloud, address: &str| cloud.synthetic_host(address.parse().unwrap()).map(|it| it.0.to_string());
        assert_eq!(synthetic_host(&cloud, "8.8.8.8"), Some("8.8.8.8".to_owned()));
        assert_eq!(synthetic_host(&cloud, "2001:DB8:80::80"), Some("2001:db8:80::80".to_owned()));
        for none in
            ["10.0.0.99", "127.0.0.1", "169.254.169.254", "198.18.0.99", "224.0.0.1", "::1", "fe80::1", "2001:db8::1"]
        {
            assert_eq!(synthetic_host(&cloud, none), None, "{none}");
        }
        let (name, host) = cloud.synthetic_host("8.8.8.8".parse().unwrap()).unwrap();
        cloud.hosts.insert(name, host);
        assert_eq!(synthetic_host(&cloud, "8.8.8.8"), None);
    }

    #[test]
    fn a_subnet_gives_none_of_its_first_four_addresses_nor_its_last() {
        let cases = [
            ("10.0.0.0/24", "10.0.0.3/32", false),
            ("10.0.0.0/24", "10.0.0.4/32", true),
            ("10.0.0.0/24", "10.0.0.254/32", true),
            ("10.0.0.0/24", "10.0.0.255/32", false),
            ("10.0.0.0/24", "10.0.0.0/28", false),
            ("10.0.0.0/24", "10.0.0.16/28", true),
            ("10.0.0.0/24", "10.0.0.240/28", false),
            ("10.0.1.0/24", "10.0.0.16/28", false),
            ("10.0.0.0/24", "10.0.1.16/28", false),
            ("2001:db8:1000::/64", "2001:db8:1000::3/128", false),
            ("2001:db8:1000::/64", "2001:db8:1000::4/128", true),
            ("2001:db8:1000::/64", "2001:db8:1000:0:ffff::/80", false),
            ("2001:db8:1000::/64", "10.0.0.16/28", false),
        ];
        for (subnet, block, expected) in cases {
            let [of, asked] = [subnet, block].map(|it| it.parse::<IpNet>().expect(it));
            assert_eq!(gives(of, asked), expected, "{block} of {subnet}");
        }
    }

    #[test]
    fn whoever_owns_an_address_it_lies_in_a_reserved_block_and_no_other_does() {
        let vpcs = Sample::new(Era::Vpc).0.vpcs;
        let blocks = reserved_blocks(&vpcs);
        let edges = blocks.iter().flat_map(|block| [block.network(), block.broadcast()]);
        let others = ["8.8.8.8", "10.1.0.0", "9.255.255.255", "2001:db8::", "2000::", "3fff::1", "223.255.255.255"];
        for address in edges.chain(others.map(|it| it.parse().expect(it))) {
            let is_reserved = blocks.iter().any(|block| block.contains(&address));
            assert_eq!(belongs(address, &vpcs).is_some(), is_reserved, "{address}");
        }
    }
}
