//! The names of a cloud, and what a resolver says of them now.
//!
//! Source: "DNS attributes for your VPC" (VPC user guide): a public DNS name is resolved to the private address from
//! inside the instance's network, and to the public one from outside of it. The names are those of the region us-east-1.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Cloud, Host, Interface, LoadBalancer, LoadBalancerName, PrivateIp, PublicIp, Scheme, VpcName};

const PRIVATE_DOMAIN: &str = "ec2.internal";
const PUBLIC_DOMAIN: &str = "compute-1.amazonaws.com";
/// The domain of load balancers.
const BALANCER_DOMAIN: &str = "us-east-1.elb.amazonaws.com";
/// The names of the file itself, which EC2 knows nothing of.
const OWN_DOMAIN: &str = "sglab.internal";

/// Side from which a name is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// An instance of this VPC.
    Inside(VpcName),
    /// Anybody else.
    Outside,
}

/// Type of record that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// The name of an address.
    Ptr,
    /// All of them.
    Any,
    /// A kind of which there are none.
    Other,
}

/// One record of a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Data {
    /// An address.
    Address(IpAddr),
    /// The name of an address.
    Name(String),
}

/// Answer of the resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The records; none if the name has some of other kinds.
    Records(Vec<Data>),
    /// There is no such name.
    NoSuchName,
}

/// The private DNS name of an address: `ip-10-0-0-11.ec2.internal`.
pub fn private_name(address: PrivateIp) -> String {
    format!("ip-{}.{PRIVATE_DOMAIN}", dashed(address.0))
}

/// The public DNS name of an address: `ec2-203-0-113-5.compute-1.amazonaws.com`.
pub fn public_name(address: PublicIp) -> String {
    format!("ec2-{}.{PUBLIC_DOMAIN}", dashed(address.0))
}

/// The DNS name of a load balancer: for whoever asks its public address, of an internal one its private address. Amazon puts
/// a number behind the name.
///
/// Source: "Internet-facing Classic Load Balancers"; "Internal Classic Load Balancers": the name is "publicly resolvable to
/// the private IP addresses of the nodes" (Classic Load Balancers user guide).
pub fn balancer_name(name: &LoadBalancerName, scheme: Scheme) -> String {
    match scheme {
        Scheme::InternetFacing => format!("{name}.{BALANCER_DOMAIN}"),
        Scheme::Internal => format!("internal-{name}.{BALANCER_DOMAIN}"),
    }
}

/// Looks a name up, as an asker of that view is answered at this moment.
pub fn answer(cloud: &Cloud, view: &View, name: &str, kind: Kind) -> Answer {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let data = match address_of_reverse(&name) {
        Some(address) => names_of(cloud, view, address),
        None => addresses_of(cloud, view, &name),
    };
    if data.is_empty() {
        return Answer::NoSuchName;
    }
    let wanted = |data: &Data| match (kind, data) {
        (Kind::Any, _) => true,
        (Kind::A, Data::Address(address)) => address.is_ipv4(),
        (Kind::Aaaa, Data::Address(address)) => address.is_ipv6(),
        (Kind::Ptr, Data::Name(_)) => true,
        _ => false,
    };
    Answer::Records(data.into_iter().filter(wanted).collect())
}

fn addresses_of(cloud: &Cloud, view: &View, name: &str) -> Vec<Data> {
    let addresses: Vec<Option<IpAddr>> = if first_label(name, BALANCER_DOMAIN).is_some() {
        let mut all = cloud.load_balancers.iter();
        let found = all.find(|(known, it)| balancer_name(known, it.scheme).eq_ignore_ascii_case(name));
        found.map(|(_, it)| it.named_address().map(IpAddr::V4)).into_iter().collect()
    } else if let Some(first) = first_label(name, PRIVATE_DOMAIN) {
        let asked = undashed(first, "ip-");
        let holder = interfaces(cloud).find(|it| is_home(view, it) && it.private.map(|ip| ip.0) == asked);
        holder.filter(|_| asked.is_some()).map_or_else(Vec::new, inside)
    } else if let Some(first) = first_label(name, PUBLIC_DOMAIN) {
        let asked = undashed(first, "ec2-");
        let holder = interfaces(cloud).find(|it| it.public.map(|ip| ip.0) == asked).filter(|_| asked.is_some());
        let seen = |it: &Interface| if is_home(view, it) { private(it) } else { public(it) };
        holder.map(seen).into_iter().collect()
    } else {
        own_name(cloud, view, first_label(name, OWN_DOMAIN).unwrap_or(name))
    };
    addresses.into_iter().flatten().map(Data::Address).collect()
}

/// The plain name of an instance or a host. Of names that differ only in their case the first of the file counts.
fn own_name(cloud: &Cloud, view: &View, name: &str) -> Vec<Option<IpAddr>> {
    let named = plain_names(cloud).find(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map_or_else(Vec::new, |(_, holder)| holder.seen_from(view))
}

/// Every plain name, a load balancer's with its DNS name, and the addresses that an asker of that view is told.
pub fn own_names<'c>(cloud: &'c Cloud, view: &'c View) -> impl Iterator<Item = (Vec<String>, Vec<IpAddr>)> + 'c {
    plain_names(cloud).map(|(name, holder)| {
        let dns_name = match &holder {
            Holder::Balancer(name, balancer) => Some(balancer_name(name, balancer.scheme)),
            Holder::Instance(_) | Holder::Host(_) => None,
        };
        let names = std::iter::once(name.to_owned()).chain(dns_name).collect();
        (names, holder.seen_from(view).into_iter().flatten().collect())
    })
}

/// An owner of a plain name.
enum Holder<'c> {
    /// An instance, by its first interface.
    Instance(Option<&'c Interface>),
    Balancer(&'c LoadBalancerName, &'c LoadBalancer),
    Host(&'c Host),
}

fn plain_names(cloud: &Cloud) -> impl Iterator<Item = (&str, Holder<'_>)> {
    let instances = cloud.instances.iter().map(|(name, it)| (name.as_str(), Holder::Instance(it.interfaces.first())));
    let balancers = cloud.load_balancers.iter().map(|(name, it)| (name.as_str(), Holder::Balancer(name, it)));
    let hosts = cloud.hosts.iter().map(|(name, host)| (name.as_str(), Holder::Host(host)));
    instances.chain(balancers).chain(hosts)
}

impl Holder<'_> {
    fn seen_from(&self, view: &View) -> Vec<Option<IpAddr>> {
        match self {
            Self::Instance(None) => Vec::new(),
            Self::Instance(Some(it)) if is_home(view, it) => inside(it),
            Self::Instance(Some(it)) => vec![public(it), ipv6(it)],
            Self::Balancer(_, balancer) => vec![balancer.named_address().map(IpAddr::V4)],
            Self::Host(host) => host.addresses.iter().map(|address| Some(address.0)).collect(),
        }
    }
}

fn names_of(cloud: &Cloud, view: &View, address: IpAddr) -> Vec<Data> {
    let name = |it: &Interface| {
        let home = is_home(view, it);
        let own = it.private.filter(|_| home && (private(it) == Some(address) || ipv6(it) == Some(address)));
        own.map(private_name).or_else(|| it.public.filter(|_| public(it) == Some(address)).map(public_name))
    };
    interfaces(cloud).find_map(name).map(Data::Name).into_iter().collect()
}

fn interfaces(cloud: &Cloud) -> impl Iterator<Item = &Interface> {
    cloud.network_interfaces()
}

fn is_home(view: &View, interface: &Interface) -> bool {
    matches!(view, View::Inside(vpc) if *vpc == interface.vpc)
}

fn private(interface: &Interface) -> Option<IpAddr> {
    interface.private.map(|ip| ip.0.into())
}

fn public(interface: &Interface) -> Option<IpAddr> {
    interface.public.map(|ip| ip.0.into())
}

fn ipv6(interface: &Interface) -> Option<IpAddr> {
    interface.ipv6.map(|ip| ip.0.into())
}

fn inside(interface: &Interface) -> Vec<Option<IpAddr>> {
    vec![private(interface), ipv6(interface)]
}

/// Returns the label before a domain, if there is exactly one.
fn first_label<'n>(name: &'n str, domain: &str) -> Option<&'n str> {
    let first = name.strip_suffix(domain)?.strip_suffix('.')?;
    (!first.is_empty() && !first.contains('.')).then_some(first)
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

fn undashed(label: &str, prefix: &str) -> Option<Ipv4Addr> {
    label.strip_prefix(prefix)?.replace('-', ".").parse().ok()
}

/// `11.0.0.10.in-addr.arpa`, and the nibbles of IPv6 below `ip6.arpa`.
fn address_of_reverse(name: &str) -> Option<IpAddr> {
    let turned = |labels: &str| labels.rsplit('.').map(str::to_owned).collect::<Vec<_>>();
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        return turned(labels).join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let nibbles = turned(name.strip_suffix(".ip6.arpa")?);
    if nibbles.len() != 32 || nibbles.iter().any(|nibble| nibble.len() != 1) {
        return None;
    }
    u128::from_str_radix(&nibbles.concat(), 16).ok().map(|bits| Ipv6Addr::from(bits).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{Sample, launch_at, start, stop};
    use crate::model::{AddressRequest, Era};

    fn sample(era: Era) -> Sample {
        Sample::new(era).group("G", &[]).instance("web1", &["G"]).instance("db1", &["G"])
    }

    fn home() -> View {
        View::Inside(VpcName::new("default"))
    }

    fn texts(answer: &Answer) -> Vec<String> {
        match answer {
            Answer::NoSuchName => vec!["no such name".to_owned()],
            Answer::Records(records) => records
                .iter()
                .map(|data| match data {
                    Data::Address(address) => address.to_string(),
                    Data::Name(name) => name.clone(),
                })
                .collect(),
        }
    }

    fn asked(sample: &Sample, view: &View, name: &str, kind: Kind) -> Vec<String> {
        texts(&answer(&sample.0, view, name, kind))
    }

    #[test]
    fn a_public_name_is_the_private_address_inside_and_the_public_one_outside() {
        let sample = sample(Era::Vpc);
        let (private, public) = (sample.private("db1").unwrap(), sample.public("db1").unwrap());
        let name = public_name(public);
        assert_eq!(name, "ec2-198-18-0-12.compute-1.amazonaws.com");
        assert_eq!(asked(&sample, &home(), &name, Kind::A), [private.to_string()]);
        assert_eq!(asked(&sample, &View::Outside, &name, Kind::A), [public.to_string()]);
        let neighbour = View::Inside(VpcName::new("other"));
        assert_eq!(asked(&sample, &neighbour, &name, Kind::A), [public.to_string()], "another VPC is outside");
    }

    #[test]
    fn a_private_name_is_known_in_its_own_vpc_only() {
        let sample = sample(Era::Vpc);
        assert_eq!(asked(&sample, &home(), "ip-10-0-0-11.ec2.internal", Kind::A), ["10.0.0.11"]);
        for view in [View::Outside, View::Inside(VpcName::new("other"))] {
            assert_eq!(asked(&sample, &view, "ip-10-0-0-11.ec2.internal", Kind::A), ["no such name"]);
        }
    }

    #[test]
    fn equal_addresses_of_two_vpcs_have_one_name_each_at_home() {
        let there = launch_at("far", &["H"], "other", AddressRequest::Automatic);
        let sample = sample(Era::Vpc).with(crate::model::sample::create("H", "other")).with(there);
        assert_eq!(sample.private("far"), sample.private("web1"));
        assert_eq!(asked(&sample, &home(), "far", Kind::A), [sample.public("far").unwrap().to_string()]);
        assert_eq!(asked(&sample, &View::Inside(VpcName::new("other")), "far", Kind::A), ["10.0.0.11"]);
    }

    #[test]
    fn a_restart_changes_the_records_at_once() {
        let before = sample(Era::Classic);
        let old = public_name(before.public("db1").unwrap());
        let stopped = before.clone().with(stop("db1"));
        assert_eq!(asked(&stopped, &home(), &old, Kind::A), ["no such name"]);
        assert_eq!(asked(&stopped, &home(), "db1", Kind::A), ["no such name"]);
        let after = stopped.with(start("db1"));
        assert_eq!(asked(&after, &home(), &old, Kind::A), ["no such name"]);
        let new = public_name(after.public("db1").unwrap());
        assert_ne!(after.private("db1"), before.private("db1"));
        assert_eq!(asked(&after, &home(), &new, Kind::A), [after.private("db1").unwrap().to_string()]);
        assert_eq!(asked(&after, &home(), "DB1.sglab.internal.", Kind::A), [after.private("db1").unwrap().to_string()]);
    }

    #[test]
    fn an_ipv6_address_stands_under_the_private_name_and_the_plain_one() {
        let mut sample = sample(Era::Vpc);
        let address: Ipv6Addr = "2001:db8::11".parse().unwrap();
        sample.0.instances[0].interfaces[0].ipv6 = Some(crate::model::Ipv6(address));
        for name in ["ip-10-0-0-11.ec2.internal", "web1"] {
            assert_eq!(asked(&sample, &home(), name, Kind::Aaaa), ["2001:db8::11"]);
            assert_eq!(asked(&sample, &home(), name, Kind::A), ["10.0.0.11"]);
        }
        let public = public_name(sample.public("web1").unwrap());
        assert_eq!(answer(&sample.0, &home(), &public, Kind::Aaaa), Answer::Records(Vec::new()));
        let reverse = "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(asked(&sample, &home(), reverse, Kind::Ptr), ["ip-10-0-0-11.ec2.internal"]);
    }

    #[test]
    fn an_address_has_its_name() {
        let sample = sample(Era::Vpc);
        assert_eq!(asked(&sample, &home(), "11.0.0.10.in-addr.arpa", Kind::Ptr), ["ip-10-0-0-11.ec2.internal"]);
        assert_eq!(asked(&sample, &View::Outside, "11.0.0.10.in-addr.arpa", Kind::Ptr), ["no such name"]);
        let public = "ec2-198-18-0-11.compute-1.amazonaws.com";
        assert_eq!(asked(&sample, &View::Outside, "11.0.18.198.in-addr.arpa", Kind::Ptr), [public]);
    }

    #[test]
    fn hosts_have_their_plain_names_and_what_is_no_name_is_none() {
        let sample = sample(Era::Article);
        assert_eq!(asked(&sample, &home(), "office", Kind::A), ["203.0.113.10"]);
        let none = ["", "nobody", "ec2.internal", "ip-10-0-0-99.ec2.internal", "ip-x.ec2.internal", "a.b.ec2.internal"];
        for name in none {
            assert_eq!(asked(&sample, &home(), name, Kind::A), ["no such name"], "{name}");
        }
    }

    #[test]
    fn the_name_of_a_load_balancer_is_one_address_for_everybody_and_so_is_its_plain_one() {
        use crate::model::{CreateLoadBalancer, Operation};
        let internal = |request| CreateLoadBalancer { name: LoadBalancerName::new("within"), ..request };
        let Operation::CreateLoadBalancer(request) = crate::model::sample::balancer(&["G"]) else { unreachable!() };
        let request = CreateLoadBalancer { scheme: Scheme::Internal, ..internal(request) };
        let sample = sample(Era::Vpc).with(crate::model::sample::balancer(&["G"]));
        let sample = sample.with(Operation::CreateLoadBalancer(request));
        let of = |name: &str| sample.0.load_balancers[name].interface.clone();
        let (public, private) = (of("lb").public.unwrap().to_string(), of("within").private.unwrap().to_string());
        assert_eq!(of("within").public, None);
        for view in [home(), View::Outside, View::Inside(VpcName::new("other"))] {
            for name in ["lb.us-east-1.elb.amazonaws.com", "LB", "lb.sglab.internal"] {
                assert_eq!(asked(&sample, &view, name, Kind::A), [public.as_str()], "{name}");
            }
            for name in ["internal-within.us-east-1.elb.amazonaws.com", "within"] {
                assert_eq!(asked(&sample, &view, name, Kind::A), [private.as_str()], "{name}");
            }
            for name in ["within.us-east-1.elb.amazonaws.com", "internal-lb.us-east-1.elb.amazonaws.com"] {
                assert_eq!(asked(&sample, &view, name, Kind::A), ["no such name"], "{name}");
            }
        }
    }
}
