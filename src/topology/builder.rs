//! A topology made by code, in the words of the file.
//!
//! A builder writes the file that somebody else would have written by hand, and has it read as every file is: so it can say
//! whatever a file can, and what is wrong is told in the same way, with a line and a caret.

use std::fmt::Write;

use indexmap::IndexMap;

use super::{Problems, Topology};
use crate::model::Era;

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
        Builder { eras: vec![era], sections: IndexMap::new(), more: String::new() }
    }
}

/// A topology in the making. What is said twice is an error, as it is in a file; see [`Topology::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    eras: Vec<Era>,
    /// By section, names and what is said of them.
    sections: IndexMap<&'static str, Vec<(String, String)>>,
    more: String,
}

/// Words to choose from, in any collection.
macro_rules! words {
    () => { impl IntoIterator<Item = impl AsRef<str>> };
}

impl Builder {
    /// Another era to run a scenario under.
    pub fn also_under(mut self, era: Era) -> Self {
        self.eras.push(era);
        self
    }

    /// Overrides one knob of the era: `("self-reference", "matches-nobody")`.
    pub fn knob(self, name: &str, value: &str) -> Self {
        self.entry("knobs", name, quote(value))
    }

    /// A VPC; without one there is one of 10.0.0.0/16, with one subnet.
    pub fn vpc(self, name: &str, vpc: NewVpc) -> Self {
        self.entry("vpcs", name, vpc.0.to_text())
    }

    /// A host outside the cloud, with its addresses.
    pub fn host(self, name: &str, addresses: words!()) -> Self {
        self.entry("hosts", name, list(addresses))
    }

    /// A host outside the cloud behind a link that takes packets of at most so many bytes, from 576 (1280 with IPv6) to 1500.
    pub fn host_behind(self, name: &str, addresses: words!(), mtu: u16) -> Self {
        self.entry("hosts", name, format!("{{address: {}, mtu: {mtu}}}", list(addresses)))
    }

    /// An Elastic IP, associated with nobody.
    pub fn elastic_ip(self, name: &str) -> Self {
        self.entry("elastic-ips", name, "none".to_owned())
    }

    /// An Elastic IP, associated with an instance, or with an interface such as `web1.eth1`.
    pub fn elastic_ip_of(self, name: &str, instance: &str) -> Self {
        self.entry("elastic-ips", name, quote(instance))
    }

    /// A prefix list with as many entries as it may have.
    pub fn prefix_list(self, name: &str, entries: words!()) -> Self {
        self.entry("prefix-lists", name, list(entries))
    }

    /// A group with its ingress rules, such as `tcp 443 from anywhere`.
    pub fn group(self, name: &str, rules: words!()) -> Self {
        self.entry("groups", name, list(rules))
    }

    /// A group of which more is to be said.
    pub fn group_with(self, name: &str, group: NewGroup) -> Self {
        self.entry("groups", name, group.0.to_text())
    }

    /// An instance.
    pub fn instance(self, name: &str, instance: NewInstance) -> Self {
        self.entry("instances", name, instance.to_text())
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
        let eras: Vec<&str> = self.eras.iter().map(|era| era.as_str()).collect();
        let mut text = format!("sglab: 1\nera: [{}]\n", eras.join(", "));
        for (section, entries) in &self.sections {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{section}:");
            for (name, said) in entries {
                let _ = writeln!(text, "  {}: {said}", quote(name));
            }
        }
        text.push_str(&self.more);
        text
    }

    /// Reads what was written, as [`Topology::parse_cloud`] reads a file.
    ///
    /// # Errors
    /// Everything that is wrong, at once; the lines shown are those of [`Self::to_yaml`].
    pub fn build(&self) -> Result<Topology, Problems> {
        Topology::parse_cloud("builder", self.to_yaml().as_bytes())
    }

    fn entry(mut self, section: &'static str, name: &str, said: String) -> Self {
        self.sections.entry(section).or_default().push((name.to_owned(), said));
        self
    }
}

/// A VPC to be made.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewVpc(Fields);

impl NewVpc {
    /// With a block of addresses, and one subnet, the whole of it, unless others are named.
    pub fn block(cidr: &str) -> Self {
        Self(Fields::default().with("cidr", quote(cidr)))
    }

    /// Its subnets, each with its block; all of them at once.
    pub fn subnets<'a>(self, subnets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let subnets = subnets.into_iter().fold(Fields::default(), |all, (name, block)| all.with(name, quote(block)));
        Self(self.0.with("subnets", subnets.to_text()))
    }

    /// With a block of IPv6 addresses.
    pub fn ipv6(self) -> Self {
        Self(self.0.with("ipv6", "yes".to_owned()))
    }
}

/// A group to be made.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewGroup(Fields);

impl NewGroup {
    /// Without a rule for what comes in, and with EC2's own for what goes out.
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes in: `tcp 443 from anywhere`.
    pub fn ingress(self, rules: words!()) -> Self {
        Self(self.0.with("ingress", list(rules)))
    }

    /// What goes out, in place of everything: `tcp 443 to anywhere`.
    pub fn egress(self, rules: words!()) -> Self {
        Self(self.0.with("egress", list(rules)))
    }

    /// Its VPC, where there are several.
    pub fn vpc(self, name: &str) -> Self {
        Self(self.0.with("vpc", quote(name)))
    }

    /// What it is for.
    pub fn description(self, text: &str) -> Self {
        Self(self.0.with("description", quote(text)))
    }
}

/// An instance to be launched, by a [`Builder`] or on a lab that is up.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct NewInstance {
    said: Fields,
    interfaces: Fields,
    services: Fields,
    mounts: Fields,
}

impl NewInstance {
    /// In the group `default`.
    pub fn new() -> Self {
        Self::default()
    }

    /// In these groups.
    pub fn in_groups(groups: words!()) -> Self {
        Self { said: Fields::default().with("groups", list(groups)), ..Self::default() }
    }

    /// Ports at which the harness answers for it all the time: `tcp 443`. Leave out those that a program of yours is to hold.
    pub fn listens(self, ports: words!()) -> Self {
        self.with("listens", list(ports))
    }

    /// Its VPC, where there are several.
    pub fn vpc(self, name: &str) -> Self {
        self.with("vpc", quote(name))
    }

    /// Its subnet, if not the first.
    pub fn subnet(self, name: &str) -> Self {
        self.with("subnet", quote(name))
    }

    /// The private address that it asks for; `web1.previous` is the one that web1 had.
    pub fn address(self, address: &str) -> Self {
        self.with("address", quote(address))
    }

    /// Without a public address.
    pub fn private_only(self) -> Self {
        self.with("public", "no".to_owned())
    }

    /// A further interface, `eth1`, in these groups.
    pub fn interface(self, name: &str, groups: words!()) -> Self {
        let interface = Fields::default().with("groups", list(groups));
        Self { interfaces: self.interfaces.with(name, interface.to_text()), ..self }
    }

    /// A further interface in a subnet of its own.
    pub fn interface_in(self, name: &str, groups: words!(), subnet: &str) -> Self {
        let interface = Fields::default().with("groups", list(groups)).with("subnet", quote(subnet));
        Self { interfaces: self.interfaces.with(name, interface.to_text()), ..self }
    }

    /// A program that it runs by itself, where services are started: after those named before, once these are ready.
    pub fn service(self, name: &str, service: NewService) -> Self {
        Self { services: self.services.with(name, service.0.to_text()), ..self }
    }

    /// What its programs see at a place of their own: `("/srv/www", "./www")` to read, `"./data writable"`, `"empty"`. Paths begin in
    /// the folder that services are started from.
    pub fn mount(self, place: &str, source: &str) -> Self {
        Self { mounts: self.mounts.with(place, quote(source)), ..self }
    }

    /// It may send and receive what is not its own, and passes it on with its own address, as a NAT instance does.
    pub fn forwards_as_nat(self) -> Self {
        self.with("source-dest-check", "off".to_owned()).with("forwards", "nat".to_owned())
    }

    /// It may send and receive what is not its own, and passes it on as it is.
    pub fn forwards_as_is(self) -> Self {
        self.with("source-dest-check", "off".to_owned()).with("forwards", "as-is".to_owned())
    }

    /// As the file says it.
    pub fn to_text(&self) -> String {
        let mut all = self.said.clone();
        for (key, part) in [("interfaces", &self.interfaces), ("services", &self.services), ("mounts", &self.mounts)] {
            if !part.0.is_empty() {
                all = all.with(key, part.to_text());
            }
        }
        all.to_text()
    }

    fn with(self, key: &str, said: String) -> Self {
        Self { said: self.said.with(key, said), ..self }
    }
}

/// A program that an instance runs by itself.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewService(Fields);

impl NewService {
    /// It and its arguments; it stays in the foreground.
    pub fn command(words: words!()) -> Self {
        Self(Fields::default().with("command", list(words)))
    }

    /// A line for the shell.
    pub fn line(line: &str) -> Self {
        Self(Fields::default().with("command", quote(line)))
    }

    /// It is ready once it listens there: `tcp 80`. Without, once it has begun.
    pub fn port(self, port: &str) -> Self {
        Self(self.0.with("port", quote(port)))
    }

    /// The file that its output is added to, from the folder that services are started from.
    pub fn log(self, file: &str) -> Self {
        Self(self.0.with("log", quote(file)))
    }
}

/// Keys, and what is said of each.
#[derive(Clone, Debug, Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn with(mut self, key: &str, said: String) -> Self {
        self.0.push((key.to_owned(), said));
        self
    }

    fn to_text(&self) -> String {
        let fields: Vec<String> = self.0.iter().map(|(key, said)| format!("{}: {said}", quote(key))).collect();
        format!("{{{}}}", fields.join(", "))
    }
}

fn list(words: words!()) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quote(word.as_ref())).collect();
    format!("[{}]", words.join(", "))
}

/// A text as YAML has it in quotes, where plain letters will not do: JSON's quotes are among YAML's.
pub(super) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    // Words that YAML, or a reader of an older YAML, takes for something else.
    let other = ["true", "false", "null", "yes", "no", "on", "off"].iter().any(|it| text.eq_ignore_ascii_case(it));
    if word && !other { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Operation;

    /// What a file comes to, without the places that say where.
    fn meaning(topology: &Topology) -> String {
        let mut cloud = topology.initial_cloud(topology.eras[0]).unwrap();
        cloud.groups.values_mut().for_each(|group| group.place = None);
        for group in cloud.groups.values_mut() {
            group.ingress.iter_mut().chain(&mut group.egress).for_each(|rule| rule.place = None);
        }
        cloud.instances.values_mut().for_each(|instance| instance.place = None);
        cloud.hosts.values_mut().for_each(|host| host.place = None);
        format!("{cloud:#?} {:?}", topology.eras)
    }

    #[test]
    fn a_builder_says_what_a_file_says() {
        let file = "
sglab: 1
era: vpc
knobs: {quotas: ignored}
vpcs: {main: {cidr: 10.1.0.0/16, subnets: {a: 10.1.1.0/24, b: 10.1.2.0/24}, ipv6: yes}}
hosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}
elastic-ips: {eip-web: db1, spare: none}
prefix-lists: {partners: [192.0.2.128/25]}
groups:
  web: [tcp 443 from anywhere, tcp 22 from partners]
  db: {description: 'databases: all of them', ingress: [tcp 5432 from web], egress: []}
instances:
  web1: {groups: [web], listens: [tcp 443], subnet: b, interfaces: {eth1: {groups: [db], subnet: a}}}
  db1:
    groups: [db, web]
    address: 10.1.1.50
    public: no
    services: {db: {command: [dbd, -v, '1'], port: tcp 5432, log: db.log}, agent: {command: exec ./agent --verbose}}
    mounts: {/srv/www: ./www, /var/lib/mysql: ./data writable, /var/lib/nginx: empty}
";
        let built = Topology::builder(Era::Vpc)
            .knob("quotas", "ignored")
            .vpc("main", NewVpc::block("10.1.0.0/16").subnets([("a", "10.1.1.0/24"), ("b", "10.1.2.0/24")]).ipv6())
            .host("office", ["203.0.113.10"])
            .host("world", ["198.51.100.7", "192.0.2.99"])
            .elastic_ip_of("eip-web", "db1")
            .elastic_ip("spare")
            .prefix_list("partners", ["192.0.2.128/25"])
            .group("web", ["tcp 443 from anywhere", "tcp 22 from partners"])
            .group_with(
                "db",
                NewGroup::new()
                    .description("databases: all of them")
                    .ingress(["tcp 5432 from web"])
                    .egress(Vec::<String>::new()),
            )
            .instance(
                "web1",
                NewInstance::in_groups(["web"]).listens(["tcp 443"]).subnet("b").interface_in("eth1", ["db"], "a"),
            )
            .instance(
                "db1",
                NewInstance::in_groups(["db", "web"])
                    .service("db", NewService::command(["dbd", "-v", "1"]).port("tcp 5432").log("db.log"))
                    .service("agent", NewService::line("exec ./agent --verbose"))
                    .mount("/srv/www", "./www")
                    .mount("/var/lib/mysql", "./data writable")
                    .mount("/var/lib/nginx", "empty")
                    .address("10.1.1.50")
                    .private_only(),
            );
        let read = Topology::parse_cloud("file", file.as_bytes()).unwrap();
        assert_eq!(meaning(&built.build().unwrap()), meaning(&read));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_the_line_of_the_text_that_was_made() {
        let wrong = Topology::builder(Era::Vpc)
            .group("db", ["tcp 5432 from wbe"])
            .group("db", ["tcp 99999 from anywhere"])
            .instance("db1", NewInstance::in_groups(["bd"]));
        let problems = wrong.build().unwrap_err();
        let text = problems.to_string();
        assert!(problems.len() >= 3, "{text}");
        for said in ["`wbe`", "99999", "did you mean `db`?", "builder:4:"] {
            assert!(text.contains(said), "{said} in {text}");
        }
    }

    #[test]
    fn no_text_escapes_from_its_quotes() {
        let described =
            |text: &str| Topology::builder(Era::Vpc).group_with("g", NewGroup::new().description(text)).build();
        let hostile = "x, egress: [], y: {} #";
        let built = described(hostile).unwrap();
        let description = built.initial.iter().find_map(|operation| match &operation.value {
            Operation::CreateGroup(group) => group.description.clone(),
            _ => None,
        });
        assert_eq!(description.as_deref(), Some(hostile));
        // EC2 takes no quotes there: it is refused as one text, and nothing else is found in it.
        let refused = described("x\", egress: [], y: \"\n  z: [all from anywhere]\\").unwrap_err();
        let words: Vec<&str> = refused.iter().map(|problem| problem.message()).collect();
        assert!(matches!(words.as_slice(), [one] if one.contains("Invalid security group description")), "{words:?}");
    }

    #[test]
    fn a_scenario_is_said_in_the_words_of_the_file() {
        let built = Topology::builder(Era::Vpc)
            .also_under(Era::Classic)
            .group("web", ["tcp 443 from anywhere"])
            .instance("web1", NewInstance::in_groups(["web"]))
            .yaml("scenario:\n  - {step: as launched, expect: {open: ['any -> web1:443']}}")
            .build()
            .unwrap();
        assert_eq!((built.steps.len(), built.eras.len()), (1, 2));
    }
}
