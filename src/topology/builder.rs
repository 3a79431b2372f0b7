//! A topology made by code, in the words of the file.
//!
//! A builder fills in the document that a file would be, writes it, and has it read as every file is: so it can say
//! whatever a file can, and what is wrong is told in the same way, with a line and a caret.

use super::checked::Topology;
use super::document::Document;
use super::document::groups::{LongGroup, Rules};
use super::document::instances::{Instance, Interface, Process};
use super::document::networks::{ElasticIps, LongHost, LongPrefixList, LongSubnet, PrefixList, Vpc};
use super::document::scenario::Verb;
use super::document::shape::{Either, Entry, Field, Map, Or, Shape};
use super::document::values::{Choice, Version};
use super::document::words::{Address, Device, Holder, Ipv6Address, ListedBlock, Name, Secondary, Service, ShortRule};
use super::problem::Problems;
use super::typed::Lines;
use crate::model::{AutomaticPublic, Era, Forwarding, SourceDestCheck};

impl Topology {
    /// Begins a topology made by code.
    ///
    /// ```
    /// use sglab::model::Era;
    /// use sglab::topology::{NewInstance, Topology};
    ///
    /// let shop = Topology::builder(Era::Vpc)
    ///     .host("customer", ["198.51.100.7"])
    ///     .group("web", ["tcp 443 from anywhere"])
    ///     .group("db", ["tcp 5432 from web"])
    ///     .instance("web1", NewInstance::in_groups(["web"]).listens(["tcp 443"]))
    ///     .instance("db1", NewInstance::in_groups(["db"]))
    ///     .build()?;
    /// assert_eq!(shop.initial.len(), 6); // two groups, their rules, two launches
    ///
    /// let wrong = Topology::builder(Era::Vpc).group("db", ["tcp 5432 from wbe"]).group("web", ["tcp 80"]);
    /// let problems = wrong.build().unwrap_err().to_string();
    /// assert!(problems.contains("unknown security group `wbe`") && problems.contains("did you mean `web`?"));
    /// # Ok::<(), sglab::topology::Problems>(())
    /// ```
    pub fn builder(era: Era) -> Builder {
        let document = Document { sglab: Field::of(Version), ..Document::default() };
        Builder { document, more: String::new() }.also_under(era)
    }
}

/// A topology in the making. A name that is given twice is an error, as it is in a file; see [`Topology::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    document: Document,
    more: String,
}

/// Words to choose from, in any collection.
macro_rules! words {
    () => { impl IntoIterator<Item = impl AsRef<str>> };
}

/// Collects words into a list of the document.
fn list<T: for<'t> From<&'t str>, L: FromIterator<T>>(words: words!()) -> L {
    words.into_iter().map(|word| T::from(word.as_ref())).collect()
}

fn rules(words: words!()) -> Rules {
    words.into_iter().map(|rule| Or::Short(ShortRule::from(rule.as_ref()))).collect()
}

impl Builder {
    /// Another era to run a scenario under.
    pub fn also_under(mut self, era: Era) -> Self {
        self.document.era.get_mut().0.items.push(Choice::from(era));
        self
    }

    /// Overrides one knob of the era: `("self-reference", "matches-nobody")`.
    pub fn knob(mut self, name: &str, value: &str) -> Self {
        self.document.knobs.get_mut().more.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A VPC; without one there is one of 10.0.0.0/16, with one subnet.
    pub fn vpc(mut self, name: &str, vpc: NewVpc) -> Self {
        self.document.vpcs.get_mut().push(name.into(), vpc.0);
        self
    }

    /// A host outside the cloud, with its addresses.
    pub fn host(mut self, name: &str, addresses: words!()) -> Self {
        let addresses = list::<Address, _>(addresses);
        self.document.hosts.get_mut().push(name.into(), Or::Short(addresses));
        self
    }

    /// A host outside the cloud behind a link that takes packets of at most so many bytes, from 576 (1280 with IPv6) to 1500.
    pub fn host_behind(mut self, name: &str, addresses: words!(), mtu: u16) -> Self {
        let address = Field::of(list::<Address, _>(addresses));
        let host = LongHost { address, mtu: Field::of(mtu.into()), ..LongHost::default() };
        self.document.hosts.get_mut().push(name.into(), Or::Long(host));
        self
    }

    /// An Elastic IP, associated with nobody.
    pub fn elastic_ip(self, name: &str) -> Self {
        self.elastic_ip_of(name, Holder::NONE)
    }

    /// An Elastic IP, associated with an instance, or with an interface such as `web1.eth1`.
    pub fn elastic_ip_of(mut self, name: &str, instance: &str) -> Self {
        if let ElasticIps::Long(map) = self.document.elastic_ips.get_or(Or::Long(Map::default())) {
            map.push(name.into(), instance.into());
        }
        self
    }

    /// A prefix list with as many entries as it may have.
    pub fn prefix_list(mut self, name: &str, entries: words!()) -> Self {
        let entries = list::<ListedBlock, _>(entries);
        self.document.prefix_lists.get_mut().push(name.into(), PrefixList::Short(entries));
        self
    }

    /// A prefix list that may have more entries than it has.
    pub fn prefix_list_with_room(mut self, name: &str, entries: words!(), max_entries: u32) -> Self {
        let entries = Field::of(list::<ListedBlock, _>(entries));
        let long = LongPrefixList { entries, max_entries: Field::of(max_entries.into()), ..LongPrefixList::default() };
        self.document.prefix_lists.get_mut().push(name.into(), PrefixList::Long(long));
        self
    }

    /// A group with its ingress rules, such as `tcp 443 from anywhere`.
    pub fn group(mut self, name: &str, ingress: words!()) -> Self {
        self.document.groups.get_mut().push(name.into(), Or::Short(rules(ingress)));
        self
    }

    /// A group of which more is to be said.
    pub fn group_with(mut self, name: &str, group: NewGroup) -> Self {
        self.document.groups.get_mut().push(name.into(), Or::Long(group.0));
        self
    }

    /// An instance.
    pub fn instance(mut self, name: &str, instance: NewInstance) -> Self {
        self.document.instances.get_mut().push(name.into(), instance.said);
        self
    }

    /// Whatever else a file can say, in its own words: `tables`, `scenario`, `tracking`. Sections that the builder has written
    /// cannot be written here too.
    pub fn yaml(mut self, sections: &str) -> Self {
        self.more.push_str(sections.trim_end());
        self.more.push('\n');
        self
    }

    /// The file that this comes to.
    pub fn to_yaml(&self) -> String {
        self.document.yaml().file() + &self.more
    }

    /// Reads what was written, as [`Topology::parse_cloud`] reads a file.
    ///
    /// # Errors
    /// Everything that is wrong, at once; the lines shown are those of [`Self::to_yaml`].
    pub fn build(&self) -> Result<Topology, Problems> {
        Topology::parse_cloud("builder", self.to_yaml().as_bytes())
    }
}

/// A VPC to be made.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewVpc(Vpc);

impl NewVpc {
    /// With a block of addresses, and one subnet, the whole of it, unless others are named.
    pub fn block(cidr: &str) -> Self {
        Self(Vpc { cidr: Field::of(cidr.into()), ..Vpc::default() })
    }

    /// Its subnets, each with its block; all of them at once.
    pub fn subnets<'a>(mut self, subnets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let subnets = subnets.into_iter().map(|(name, block)| (name.into(), Or::Short(block.into())));
        self.0.subnets = Field::all(subnets);
        self
    }

    /// With a block of IPv6 addresses.
    pub fn ipv6(mut self) -> Self {
        self.0.ipv6 = Field::of("yes".into());
        self
    }

    /// With this block of IPv6 addresses, a /56.
    pub fn ipv6_block(mut self, block: &str) -> Self {
        self.0.ipv6 = Field::of(block.into());
        self
    }

    /// The IPv6 block of a subnet that is said already, a /64 of that of the VPC.
    pub fn subnet_ipv6(self, subnet: &str, block: &str) -> Self {
        self.ipv6_of(subnet, block)
    }

    /// A subnet that is said already has no IPv6 block.
    pub fn subnet_without_ipv6(self, subnet: &str) -> Self {
        self.ipv6_of(subnet, "no")
    }

    fn ipv6_of(mut self, subnet: &str, word: &str) -> Self {
        for entry in &mut self.0.subnets.get_mut().entries {
            if entry.key.as_ref().is_some_and(|key| key.text() == subnet)
                && let Some(said) = &mut entry.value
            {
                let long = match said {
                    Or::Short(cidr) => LongSubnet { cidr: Field::of(cidr.clone()), ..LongSubnet::default() },
                    Or::Long(long) => long.clone(),
                };
                *said = Or::Long(LongSubnet { ipv6: Field::of(word.into()), ..long });
            }
        }
        self
    }
}

/// A group to be made.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewGroup(LongGroup);

impl NewGroup {
    /// Without a rule for what comes in, and with EC2's own for what goes out.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the ingress rules: `tcp 443 from anywhere`.
    pub fn ingress(mut self, ingress: words!()) -> Self {
        self.0.ingress = Field::of(rules(ingress));
        self
    }

    /// Sets the egress rules, in place of the default that allows everything: `tcp 443 to anywhere`.
    pub fn egress(mut self, egress: words!()) -> Self {
        self.0.egress = Field::of(rules(egress));
        self
    }

    /// Its VPC, where there are several.
    pub fn vpc(mut self, name: &str) -> Self {
        self.0.vpc = Field::of(name.into());
        self
    }

    /// Sets the name that EC2 has of the group, where that is to be another than the file's.
    pub fn name(mut self, name: &str) -> Self {
        self.0.name = Field::of(name.into());
        self
    }

    /// Sets the description of the group.
    pub fn description(mut self, text: &str) -> Self {
        self.0.description = Field::of(text.into());
        self
    }
}

/// An instance to be launched, by a [`Builder`] or on a lab that is up. What is said once more takes the place of what was said.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewInstance {
    said: Instance,
    /// Text that said it, a line for each word.
    lines: Lines,
}

impl NewInstance {
    /// In the group `default`.
    pub fn new() -> Self {
        Self::default()
    }

    /// In these groups.
    pub fn in_groups(groups: words!()) -> Self {
        let mut new = Self::default();
        new.said.groups = Field::of(new.lines.all(groups, Name::from));
        new
    }

    /// Ports at which the harness answers for it all the time: `tcp 443`. Leave out those that a program of yours is to hold.
    pub fn listens(mut self, ports: words!()) -> Self {
        self.said.listens = Field::of(self.lines.all(ports, Service));
        self
    }

    /// Its VPC, where there are several.
    pub fn vpc(mut self, name: &str) -> Self {
        self.said.vpc = Field::of(self.lines.word(name).into());
        self
    }

    /// Its subnet, if not the first.
    pub fn subnet(mut self, name: &str) -> Self {
        self.said.subnet = Field::of(self.lines.word(name).into());
        self
    }

    /// The private address that it asks for; `web1.previous` is the one that web1 had.
    pub fn address(mut self, address: &str) -> Self {
        self.said.address = Field::of(Address(self.lines.word(address)));
        self
    }

    /// Its first IPv6 address: `no` for none, where it would get one by itself.
    pub fn ipv6(mut self, address: &str) -> Self {
        self.said.ipv6 = Field::of(Ipv6Address(self.lines.word(address)));
        self
    }

    /// Addresses beside these: single ones of either family, and prefixes of /28 and /80.
    pub fn secondary_addresses(mut self, addresses: words!()) -> Self {
        self.said.secondary_addresses = Field::of(self.lines.all(addresses, Secondary));
        self
    }

    /// Without a public address.
    pub fn private_only(mut self) -> Self {
        self.said.public = Field::of(AutomaticPublic::None.into());
        self
    }

    /// A further interface, `eth1`, in these groups.
    pub fn interface(mut self, name: &str, groups: words!()) -> Self {
        let groups = Field::of(self.lines.all(groups, Name::from));
        self.said.interfaces.get_mut().push(name.into(), Interface { groups, ..Interface::default() });
        self
    }

    /// A further interface in a subnet of its own.
    pub fn interface_in(mut self, name: &str, groups: words!(), subnet: &str) -> Self {
        let groups = Field::of(self.lines.all(groups, Name::from));
        let subnet = Field::of(self.lines.word(subnet).into());
        self.said.interfaces.get_mut().push(name.into(), Interface { groups, subnet, ..Interface::default() });
        self
    }

    /// The private address that a further interface asks for, one that is said already.
    pub fn interface_address(mut self, name: &str, address: &str) -> Self {
        let address = Field::of(Address(self.lines.word(address)));
        if let Some(interface) = self.further(name) {
            interface.address = address;
        }
        self
    }

    /// The first IPv6 address of a further interface, one that is said already: `no` for none.
    pub fn interface_ipv6(mut self, name: &str, address: &str) -> Self {
        let ipv6 = Field::of(Ipv6Address(self.lines.word(address)));
        if let Some(interface) = self.further(name) {
            interface.ipv6 = ipv6;
        }
        self
    }

    /// The addresses of a further interface beside that, one that is said already.
    pub fn interface_secondary_addresses(mut self, name: &str, addresses: words!()) -> Self {
        let addresses = Field::of(self.lines.all(addresses, Secondary));
        if let Some(interface) = self.further(name) {
            interface.secondary_addresses = addresses;
        }
        self
    }

    fn further(&mut self, name: &str) -> Option<&mut Interface> {
        let entries = &mut self.said.interfaces.get_mut().entries;
        let is_meant = |entry: &&mut Entry<_, _>| {
            let key: Option<&Device> = entry.key.as_ref();
            key.is_some_and(|key| key.text() == name)
        };
        entries.iter_mut().rev().find(is_meant)?.value.as_mut()
    }

    /// A program that it runs by itself, where services are started: after those named before, once these are ready.
    pub fn service(mut self, name: &str, service: NewService) -> Self {
        self.said.services.get_mut().push(name.into(), service.0);
        self
    }

    /// Adds a mount that its programs see: `("/srv/www", "./www")` to read, `"./data writable"`, `"empty"`. Paths begin in the folder that
    /// services are started from.
    pub fn mount(mut self, place: &str, source: &str) -> Self {
        self.said.mounts.get_mut().push(place, source);
        self
    }

    /// It may send and receive what is not its own, and passes it on with its own address, as a NAT instance does.
    pub fn forwards_as_nat(self) -> Self {
        self.forwards(Forwarding::Nat)
    }

    /// It may send and receive what is not its own, and passes it on as it is.
    pub fn forwards_as_is(self) -> Self {
        self.forwards(Forwarding::Plain)
    }

    /// Its launch under a name, as a document has it.
    pub(super) fn launch(&self, name: &str) -> (Verb, Lines) {
        let mut lines = self.lines.clone();
        let launch = lines.entry(name, Name::from, |_| self.said.clone());
        (Verb::Launch(launch), lines)
    }

    fn forwards(mut self, forwarding: Forwarding) -> Self {
        self.said.source_dest_check = Field::of(SourceDestCheck::Off.into());
        self.said.forwards = Field::of(forwarding.into());
        self
    }
}

/// A program that an instance runs by itself.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewService(Process);

impl NewService {
    /// It and its arguments; it stays in the foreground.
    pub fn command(words: words!()) -> Self {
        Self(Process { command: Field::of(Either::List(list(words))), ..Process::default() })
    }

    /// A line for the shell.
    pub fn line(line: &str) -> Self {
        Self(Process { command: Field::of(Either::Line(line.into())), ..Process::default() })
    }

    /// It is ready once it listens there: `tcp 80`. Without, once it has begun.
    pub fn port(mut self, port: &str) -> Self {
        self.0.port = Field::of(port.into());
        self
    }

    /// The file that its output is added to, from the folder that services are started from.
    pub fn log(mut self, file: &str) -> Self {
        self.0.log = Field::of(file.into());
        self
    }
}

#[cfg(test)]
mod tests;
