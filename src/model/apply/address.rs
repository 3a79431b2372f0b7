//! Giving out addresses, and taking them back.
//!
//! An automatic address is one that nobody ever had, so that a step can tell an old owner from a new one. EC2 promises
//! no such thing: it may hand a released address to the next customer at once, which is what
//! [`AddressRequest::PreviousOf`] is for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexSet;
use ipnet::{Ipv4Net, Ipv6Net};

use super::edit::Edit;
use super::lookup;
use super::lookup::{refuse, unknown};
use crate::model::address::{Ipv6, PrivateIp, PublicIp};
use crate::model::cloud::{Cloud, Vpc};
use crate::model::interface::{AskedIpv6, Interface};
use crate::model::interface_id::Attachment;
use crate::model::name::{ElasticIpName, InstanceName, SubnetName, VpcName};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::request::AddressRequest;
use crate::model::reserved_addresses::gives;
use crate::model::secondary::SecondaryAddress;

/// Automatic addresses start at the network's base plus this, in subnets and in the public pool.
const FIRST_AUTOMATIC: u32 = 11;

/// Automatic IPv6 addresses start at their subnet's base plus this.
const FIRST_IPV6: u128 = 0x10;
/// Step between candidates: larger than any interface number, so that those of two interfaces never meet.
const NEXT_IPV6: usize = 1 << 32;

/// A private address for an interface; remembered as given.
pub(super) fn private(
    cloud: &mut Edit<'_>,
    vpc: &VpcName,
    subnet: &SubnetName,
    request: &AddressRequest,
) -> Result<PrivateIp, Refusal> {
    let block = block_of(cloud, vpc, subnet)?;
    let address = match request {
        AddressRequest::Automatic => automatic(cloud, vpc, subnet, block)?,
        AddressRequest::Exact(address) => exactly(cloud, vpc, block, *address)?,
        AddressRequest::PreviousOf(name) => {
            let address = previous_of(cloud, name)?;
            exactly(cloud, vpc, block, address)?
        }
    };
    cloud.private_given(vpc, address);
    Ok(address)
}

/// The private addresses of a new interface beside its primary one, and that one; remembered as given.
///
/// Source: "Secondary IP addresses for your EC2 instances" (EC2 user guide): they come from the block of the interface's subnet.
pub(super) fn privates(
    cloud: &mut Edit<'_>,
    vpc: &VpcName,
    subnet: &SubnetName,
    (primary, secondary): (&AddressRequest, &[SecondaryAddress]),
) -> Result<(PrivateIp, Vec<SecondaryAddress>), Refusal> {
    let block = block_of(cloud, vpc, subnet)?;
    if !secondary.is_empty() {
        lookup::only_in_a_vpc(cloud, "have one private address")?;
    }
    for (index, asked) in secondary.iter().enumerate() {
        for address in asked.private_addresses() {
            exactly(cloud, vpc, block, address)?;
        }
        if let Some(asked) = asked.ipv6() {
            exactly_ipv6(cloud, vpc, subnet, asked)?;
        }
        if let Some(twice) = secondary[..index].iter().find(|other| other.overlaps(*asked)) {
            let both = format!("Address {asked} is assigned twice: {twice} has it.");
            return Err(refuse(RefusalCode::InvalidParameterValue, both));
        }
    }
    for address in secondary.iter().flat_map(|asked| asked.private_addresses()) {
        cloud.private_given(vpc, address);
    }
    let private = private(cloud, vpc, subnet, primary)?;
    if secondary.iter().any(|asked| asked.block().contains(&IpAddr::V4(private.0))) {
        return Err(refuse(RefusalCode::InvalidIpAddressInUse, format!("Address {private} is in use.")));
    }
    Ok((private, secondary.to_vec()))
}

/// The first IPv6 address of a new interface, if it is to have one. An automatic one is made of its number, so that none comes twice.
///
/// Source: `Ipv6Addresses` and `Ipv6AddressCount` of `RunInstances` (Amazon EC2 API reference).
pub(super) fn ipv6(
    cloud: &Cloud,
    (vpc, subnet): (&VpcName, &SubnetName),
    (asked, further): (AskedIpv6, &[SecondaryAddress]),
    interface: u32,
) -> Result<Option<Ipv6>, Refusal> {
    let block = known_vpc(cloud, vpc)?.ipv6_subnet(subnet);
    let is_further = |address: Ipv6Addr| further.iter().any(|it| it.block().contains(&IpAddr::V6(address)));
    match (asked, block) {
        (AskedIpv6::None, _) | (AskedIpv6::Automatic, None) => Ok(None),
        (AskedIpv6::Exact(address), _) => {
            exactly_ipv6(cloud, vpc, subnet, address.0.into())?;
            if is_further(address.0) {
                let twice = format!("Address {address} is in use.");
                return Err(refuse(RefusalCode::InvalidIpAddressInUse, twice));
            }
            Ok(Some(address))
        }
        (AskedIpv6::Automatic, Some(block)) => {
            let first = u128::from(automatic_ipv6(block, interface));
            let mut candidates = (first..).step_by(NEXT_IPV6).map(Ipv6Addr::from);
            let asked = |address: Ipv6Addr| cloud.counters.ipv6.iter().any(|block| block.contains(&address));
            let is_free = |it: &Ipv6Addr| !asked(*it) && !is_further(*it) && holder_ipv6(cloud, (*it).into()).is_none();
            Ok(candidates.find(is_free).map(Ipv6))
        }
    }
}

/// The IPv6 address that an interface of a number gets by itself in a block, unless somebody asks for it.
pub fn automatic_ipv6(block: Ipv6Net, interface: u32) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(block.network()) + FIRST_IPV6 + u128::from(interface))
}

/// The interface that holds an IPv6 address of a block: they are global, so of whichever VPC.
fn holder_ipv6(cloud: &Cloud, block: Ipv6Net) -> Option<&Interface> {
    let overlaps = |own: Ipv6Net| own.contains(&block) || block.contains(&own);
    cloud.network_interfaces().find(|interface| interface.ipv6_blocks().any(overlaps))
}

/// Refuses an IPv6 address or a prefix that a subnet does not give away.
///
/// Source: "Subnet CIDR blocks" (Amazon VPC user guide): "The first four IPv6 addresses and the last IPv6 address ... are not available".
fn exactly_ipv6(cloud: &Cloud, vpc: &VpcName, subnet: &SubnetName, asked: Ipv6Net) -> Result<(), Refusal> {
    let named = || if asked.prefix_len() == 128 { asked.addr().to_string() } else { asked.to_string() };
    let wrong = |text| Err(refuse(RefusalCode::InvalidParameterValue, format!("Address {} {text}", named())));
    let block = known_vpc(cloud, vpc)?.ipv6_subnet(subnet);
    let Some(block) = block.filter(|block| block.contains(&asked)) else {
        return wrong("does not fall within the subnet's address range");
    };
    if !gives(block, asked) {
        return wrong("is in subnet's reserved address range");
    }
    if holder_ipv6(cloud, asked).is_some() {
        return Err(refuse(RefusalCode::InvalidIpAddressInUse, format!("Address {} is in use.", named())));
    }
    Ok(())
}

/// A public address for an interface, from the pool; remembered as given.
pub(super) fn public(cloud: &mut Edit<'_>) -> Result<PublicIp, Refusal> {
    let outside: IndexSet<IpAddr> = cloud.hosts.values().flat_map(|host| &host.addresses).map(|ip| ip.0).collect();
    let free = candidates(cloud.public_pool)
        .map(PublicIp)
        .find(|address| !cloud.counters.public.contains(address) && !outside.contains(&IpAddr::V4(address.0)));
    let address = free.ok_or_else(|| {
        refuse(
            RefusalCode::InsufficientFreeAddresses,
            format!("There are not enough free addresses in the public pool {}.", cloud.public_pool),
        )
    })?;
    cloud.public_given(address);
    Ok(address)
}

/// Notes that an interface no longer holds an address, for `web1.previous`: that is the first interface's, as `web1` is.
pub(super) fn released(cloud: &mut Edit<'_>, id: &Attachment, address: PrivateIp) {
    cloud.last_private_mut().insert(id.clone(), address);
    if id.device == 0 {
        cloud.previous_addresses_mut().insert(id.instance.clone(), address);
    }
}

/// Dissociates the Elastic IPs of these interfaces, and leaves the addresses of the interfaces to the caller.
pub(super) fn dissociate(cloud: &mut Edit<'_>, is_theirs: impl Fn(&Attachment) -> bool) {
    let all = cloud.elastic_ips.iter().filter(|(_, elastic)| elastic.association.as_ref().is_some_and(&is_theirs));
    let names: Vec<ElasticIpName> = all.map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(elastic) = cloud.elastic_ips_mut().get_mut(&name) {
            elastic.association = None;
        }
    }
}

/// A VPC by its name.
pub(super) fn known_vpc<'a>(cloud: &'a Cloud, name: &VpcName) -> Result<&'a Vpc, Refusal> {
    cloud
        .vpcs
        .get(name)
        .ok_or_else(|| unknown(RefusalCode::InvalidVpcIdNotFound, name, format!("The vpc ID '{name}' does not exist")))
}

/// The block of a subnet.
pub(super) fn block_of(cloud: &Cloud, vpc: &VpcName, subnet: &SubnetName) -> Result<Ipv4Net, Refusal> {
    let of = known_vpc(cloud, vpc)?;
    of.subnets.get(subnet).copied().ok_or_else(|| {
        unknown(RefusalCode::InvalidSubnetIdNotFound, subnet, format!("The subnet ID '{subnet}' does not exist"))
    })
}

fn automatic(cloud: &Cloud, vpc: &VpcName, subnet: &SubnetName, block: Ipv4Net) -> Result<PrivateIp, Refusal> {
    let known = cloud.counters.private.get(vpc);
    candidates(block).map(PrivateIp).find(|address| !known.is_some_and(|known| known.contains(address))).ok_or_else(|| {
        refuse(
            RefusalCode::InsufficientFreeAddresses,
            format!(
                "There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of instances."
            ),
        )
    })
}

/// The addresses of a network that may be given out, lowest first; never the last one.
fn candidates(net: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    let base = u32::from(net.network());
    let last = u32::from(net.broadcast());
    (base.saturating_add(FIRST_AUTOMATIC)..last).map(Ipv4Addr::from)
}

fn exactly(cloud: &Cloud, vpc: &VpcName, block: Ipv4Net, address: PrivateIp) -> Result<PrivateIp, Refusal> {
    let wrong = |text| Err(refuse(RefusalCode::InvalidParameterValue, format!("Address {address} {text}")));
    if !block.contains(&address.0) {
        return wrong("does not fall within the subnet's address range");
    }
    if !gives(block, Ipv4Net::from(address.0)) {
        return wrong("is in subnet's reserved address range");
    }
    let is_held = |interface: &Interface| {
        interface.private == Some(address)
            || interface.secondary.iter().any(|it| it.block().contains(&IpAddr::V4(address.0)))
    };
    if cloud.network_interfaces().any(|interface| interface.vpc == *vpc && is_held(interface)) {
        return Err(refuse(RefusalCode::InvalidIpAddressInUse, format!("Address {address} is in use.")));
    }
    Ok(address)
}

/// Returns the address that an instance held before its present one, or last if it holds none. The text of the refusal is sglab's own.
fn previous_of(cloud: &Cloud, name: &InstanceName) -> Result<PrivateIp, Refusal> {
    cloud.previous_addresses.get(name).copied().ok_or_else(|| {
        refuse(
            RefusalCode::InvalidParameterValue,
            format!("Instance '{name}' has no previous private address: it never gave one back."),
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::model::sample::*;
    use crate::model::*;

    fn holding(name: &str, address: AddressRequest, secondary: &[&str]) -> Operation {
        let Operation::Launch(request) = launch_at(name, &["G"], "default", address) else { panic!("a launch") };
        let secondary = secondary.iter().map(|word| word.parse().unwrap()).collect();
        Operation::Launch(Box::new(Launch { secondary, ..*request }))
    }

    fn sample(era: Era) -> Sample {
        Sample::new(era).group("G", &[])
    }

    fn held(sample: &Sample, name: &str) -> Vec<String> {
        let interface = &sample.0.instances[&InstanceName::new(name)].interfaces[0];
        interface.private_addresses().map(|address| address.to_string()).collect()
    }

    fn refusal(sample: &Sample, operation: &Operation) -> String {
        sample.try_apply(operation).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn secondary_addresses_stay_with_the_interface_and_go_with_it() {
        let launched = sample(Era::Vpc).with(holding("a", AddressRequest::Automatic, &["10.0.0.20", "10.0.0.32/28"]));
        let all = held(&launched, "a");
        assert_eq!(
            (all.len(), &all[..3], all[17].as_str()),
            (18, &["10.0.0.11", "10.0.0.20", "10.0.0.32"].map(String::from)[..], "10.0.0.47")
        );
        let restarted = launched.clone().with(stop("a")).with(start("a"));
        assert_eq!(held(&restarted, "a"), all);
        for taken in ["10.0.0.20", "10.0.0.40"] {
            let expected = format!("InvalidIPAddress.InUse: Address {taken} is in use.");
            assert_eq!(
                refusal(&launched.clone().with(stop("a")), &launch_at("b", &["G"], "default", exact(taken))),
                expected
            );
            assert_eq!(refusal(&launched, &holding("b", AddressRequest::Automatic, &[taken])), expected);
        }
        let next = launched.with(terminate("a")).with(holding("b", exact("10.0.0.40"), &["10.0.0.20"]));
        assert_eq!(held(&next, "b"), ["10.0.0.40", "10.0.0.20"]);
    }

    #[test]
    fn an_automatic_address_is_none_that_somebody_has_beside_his_own() {
        let launched =
            sample(Era::Vpc).with(holding("a", AddressRequest::Automatic, &["10.0.0.11", "10.0.0.12", "10.0.0.16/28"]));
        assert_eq!(launched.private("a").unwrap().to_string(), "10.0.0.13");
        assert_eq!(launched.with(launch("b", &["G"])).private("b").unwrap().to_string(), "10.0.0.14");
    }

    #[test]
    fn secondary_addresses_are_refused_in_ec2s_words() {
        let vpc = sample(Era::Vpc);
        let of = |secondary: &[&str]| refusal(&vpc, &holding("a", exact("10.0.0.50"), secondary));
        assert_eq!(
            of(&["10.1.0.5"]),
            "InvalidParameterValue: Address 10.1.0.5 does not fall within the subnet's address range"
        );
        assert_eq!(
            of(&["10.0.0.0/28"]),
            "InvalidParameterValue: Address 10.0.0.0 is in subnet's reserved address range"
        );
        assert_eq!(of(&["10.0.0.50"]), "InvalidIPAddress.InUse: Address 10.0.0.50 is in use.");
        assert_eq!(
            of(&["10.0.0.32/28", "10.0.0.40"]),
            "InvalidParameterValue: Address 10.0.0.40 is assigned twice: 10.0.0.32/28 has it."
        );
        for era in [Era::Article, Era::Classic] {
            let expected = "InvalidParameterCombination: Instances of EC2-Classic have one private address.";
            assert_eq!(refusal(&sample(era), &holding("a", AddressRequest::Automatic, &["10.0.0.20"])), expected);
        }
    }

    /// VPC `default` with the block of the documentation, and its one subnet with a block of that or none.
    fn dual(subnet: bool) -> Sample {
        let mut sample = sample(Era::Vpc);
        let vpc = &mut sample.0.vpcs[0];
        vpc.ipv6 = Some(DEFAULT_IPV6_BLOCK);
        if subnet {
            vpc.ipv6_subnets.insert(SubnetName::new("default"), "2001:db8:1000::/64".parse().unwrap());
        }
        sample
    }

    fn by_ipv6(name: &str, ipv6: AskedIpv6, secondary: &[&str]) -> Operation {
        let Operation::Launch(request) = holding(name, AddressRequest::Automatic, secondary) else {
            panic!("a launch")
        };
        Operation::Launch(Box::new(Launch { ipv6, ..*request }))
    }

    fn exactly(address: &str) -> AskedIpv6 {
        AskedIpv6::Exact(Ipv6(address.parse().unwrap()))
    }

    fn held_ipv6(sample: &Sample, name: &str) -> Vec<String> {
        sample.0.instances[&InstanceName::new(name)].interfaces[0]
            .ipv6_blocks()
            .map(|block| block.to_string())
            .collect()
    }

    #[test]
    fn an_interface_has_ipv6_where_its_subnet_has_a_block_and_it_is_to_have_one() {
        let with = dual(true);
        let of = |asked, further: &[&str]| held_ipv6(&with.clone().with(by_ipv6("a", asked, further)), "a");
        assert_eq!(of(AskedIpv6::Automatic, &[]), ["2001:db8:1000::11/128"]);
        assert_eq!(of(AskedIpv6::None, &[]), [""; 0]);
        assert_eq!(of(exactly("2001:db8:1000::a5"), &[]), ["2001:db8:1000::a5/128"]);
        let all = ["2001:db8:1000::5", "2001:db8:1000:0:1::/80"];
        let expected = ["2001:db8:1000::11/128", "2001:db8:1000::5/128", "2001:db8:1000:0:1::/80"];
        assert_eq!(of(AskedIpv6::Automatic, &all), expected);
        let restarted = with.with(by_ipv6("a", AskedIpv6::Automatic, &all)).with(stop("a")).with(start("a"));
        assert_eq!(held_ipv6(&restarted, "a"), expected);
        assert_eq!(held_ipv6(&dual(false).with(by_ipv6("a", AskedIpv6::Automatic, &[])), "a"), [""; 0]);
    }

    #[test]
    fn an_automatic_ipv6_address_is_none_that_somebody_has_or_that_the_file_asks_for() {
        let taken =
            dual(true).with(by_ipv6("a", AskedIpv6::None, &[])).with(by_ipv6("b", exactly("2001:db8:1000::13"), &[]));
        let next = taken.clone().with(by_ipv6("c", AskedIpv6::Automatic, &[]));
        assert_eq!(held_ipv6(&next, "c"), ["2001:db8:1000::1:0:13/128"]);
        let mut asked = dual(true);
        asked.0.counters.ipv6.insert("2001:db8:1000::11/128".parse().unwrap());
        assert_eq!(held_ipv6(&asked.with(by_ipv6("a", AskedIpv6::Automatic, &[])), "a"), ["2001:db8:1000::1:0:11/128"]);
    }

    #[test]
    fn ipv6_addresses_are_refused_in_ec2s_words() {
        let vpc = dual(true).with(by_ipv6("a", exactly("2001:db8:1000::5"), &["2001:db8:1000:0:1::/80"]));
        let of = |asked, further: &[&str]| refusal(&vpc, &by_ipv6("b", asked, further));
        let outside = "InvalidParameterValue: Address 2001:db8:1001::5 does not fall within the subnet's address range";
        assert_eq!(of(exactly("2001:db8:1001::5"), &[]), outside);
        assert_eq!(of(AskedIpv6::Automatic, &["2001:db8:1001::5"]), outside);
        let reserved = "InvalidParameterValue: Address 2001:db8:1000::3 is in subnet's reserved address range";
        assert_eq!(of(exactly("2001:db8:1000::3"), &[]), reserved);
        for taken in ["2001:db8:1000::5", "2001:db8:1000:0:1::7"] {
            let expected = format!("InvalidIPAddress.InUse: Address {taken} is in use.");
            assert_eq!(of(exactly(taken), &[]), expected);
            assert_eq!(of(AskedIpv6::Automatic, &[taken]), expected);
        }
        assert!(of(AskedIpv6::Automatic, &["2001:db8:1000:0:1::/80"]).starts_with("InvalidIPAddress.InUse"));
        assert!(of(exactly("2001:db8:1000:0:2::1"), &["2001:db8:1000:0:2::/80"]).starts_with("InvalidIPAddress.InUse"));
        let none = refusal(&dual(false), &by_ipv6("b", exactly("2001:db8:1000::5"), &[]));
        assert_eq!(none, outside.replace("1001", "1000"));
    }
}
