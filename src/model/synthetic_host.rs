//! Addresses outside that no host of a cloud has, for whoever asks about one.

use std::net::IpAddr;

use super::address::HostIp;
use super::cloud::{Cloud, Host};
use super::mtu::Mtu;
use super::name::HostName;
use super::reserved_addresses::belongs;

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
}
