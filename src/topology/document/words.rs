//! What a document is made of in the end: names, addresses, flows, numbers, and words to choose from.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::shape::{Kind, Map, Node, Shape, Span, Told, Value, Yaml};
use crate::model::{
    AutomaticPublic, ChangeGroups, ConnectionName, DaemonName, ElasticIpName, ElasticIpOnStop, Era, Forwarding,
    GroupName, GroupReferenceIpv6, HostName, IcmpErrors, InstanceName, LoadBalancerName, OnCrash, OnStart,
    PrefixListName, Quotas, Reassociation, RefusalCode, Scheme, SelfReference, SourceDestCheck, SubnetName, TableName,
    Via, VpcName,
};
use crate::topology::problem::{Draft, quote};
use crate::topology::tree::Scalar;

/// A scalar and where it stands.
#[derive(Clone, Debug)]
pub struct Word {
    scalar: Scalar,
    /// Its place.
    pub span: Span,
}

impl Word {
    /// One that was read.
    pub fn of(scalar: &Scalar, span: Span) -> Self {
        Self { scalar: scalar.clone(), span }
    }

    /// One that stands in a source letter by letter.
    pub fn new(text: &str, span: Span) -> Self {
        Self { scalar: Scalar::new(text, span.start), span }
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.scalar.text
    }

    /// What YAML takes it for.
    pub fn kind(&self) -> Kind {
        self.scalar.kind()
    }

    /// The place of a word that was cut out of its text.
    pub fn part(&self, word: &str) -> Span {
        let from = (word.as_ptr() as usize).wrapping_sub(self.text().as_ptr() as usize);
        match (from.checked_add(word.len()), self.scalar.start) {
            (Some(to), Some(start)) if to <= self.text().len() => Span { start: start + from, end: start + to },
            _ => self.span,
        }
    }

    /// As [`Self::part`]; all of it for a word that is not there.
    pub fn part_or_all(&self, word: &str) -> Span {
        if word.is_empty() { self.span } else { self.part(word) }
    }
}

/// A part that is one word or sentence.
pub trait Leaf: Shape + Deref<Target = Word> {
    /// The texts that it may be, where the schema says so.
    const PATTERN: Option<&'static str>;
}

/// Texts that are read further once every name is known. `with numbers`: what looks like one is taken too.
macro_rules! leaves {
    ($($(#[doc = $doc:literal])* $name:ident $(matches $pattern:literal)?: $what:literal $(or $many:literal)? $(with $numbers:ident $(as $more:tt)?)?;)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub Word);

        impl Deref for $name {
            type Target = Word;

            fn deref(&self) -> &Word {
                &self.0
            }
        }

        impl<T: Display> From<T> for $name {
            fn from(text: T) -> Self {
                Self(Word::new(&text.to_string(), Span::default()))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let mut schema = json_schema!({"type": "string"});
                $(schema.insert("pattern".to_owned(), $pattern.into());)?
                leaves!(@more schema $($($more)?)?);
                super::shape::describe(&mut schema, &[$($doc),*]);
                schema
            }
        }

        impl Leaf for $name {
            const PATTERN: Option<&'static str> = leaves!(@pattern $($pattern)?);
        }

        impl Shape for $name {
            const WHAT: &'static str = $what;
            const MANY: &'static str = leaves!(@many $what $(, $many)?);

            fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
                leaves!(@read [$($numbers)?] told node what).map(Self)
            }

            fn yaml(&self) -> Yaml {
                leaves!(@yaml [$($numbers)?] self)
            }
        }
    )+};
    (@many $what:literal) => { $what };
    (@many $what:literal, $many:literal) => { $many };
    (@pattern) => { None };
    (@pattern $pattern:literal) => { Some($pattern) };
    (@read [numbers] $told:ident $node:ident $what:ident) => { $told.number_or_text($node, $what) };
    (@read [text] $told:ident $node:ident $what:ident) => { $told.text($node, $what) };
    (@read [scalars] $told:ident $node:ident $what:ident) => { $told.scalar($node, $what) };
    (@read [] $told:ident $node:ident $what:ident) => { $told.text($node, $what) };
    (@yaml [scalars] $self:ident) => {
        match $self.text().bytes().all(|b| b.is_ascii_digit()) && !$self.text().is_empty() {
            true => Yaml::Bare($self.text().to_owned()),
            false => Yaml::Word($self.text().to_owned()),
        }
    };
    (@yaml [$($numbers:ident)?] $self:ident) => { Yaml::Word($self.text().to_owned()) };
    (@more $schema:ident) => {};
    (@more $schema:ident $more:tt) => {
        for (key, value) in serde_json::json!($more).as_object().into_iter().flatten() {
            $schema.insert(key.clone(), value.clone());
        }
    };
}

leaves! {
    /// A free text.
    Text: "text";
    /// A free text of EC2's length.
    Description: "a description" with text as {"maxLength": 255};
    /// An address block.
    Block: "an address block";
    /// An address block, of a prefix list.
    ListedBlock: "an address block, such as 203.0.113.0/24";
    /// `yes` for an IPv6 block of the documentation's, or a /56 of global addresses.
    Ipv6Block: "`yes` or a block such as 2001:db8:1000::/56";
    /// An address.
    Address: "an address" or "an address or a list of addresses";
    /// The size of a packet.
    PacketSize: "a number" with scalars as {"type": "integer", "minimum": 576, "maximum": 1500};
    /// A number, or a word.
    NumberOrWord: "a port, a range or `all`" with scalars as {"type": ["integer", "string"], "minimum": 0, "maximum": 65535};
    /// An absolute path in an instance, but `/`, and what every instance has of its own.
    MountPlace matches r"^/": "a place, an absolute path in the instance";
    /// `./www`, to read: a path from the folder of the file, or an absolute one; `./data writable`; or `empty`, a folder in memory.
    MountSource matches r"^\s*(empty\s*$|\.{0,2}/|\.{1,2}(\s+(writable|read-only))?\s*$)": "a path or `empty`";
    /// A word of a command.
    CommandWord: "a word of a command" with scalars as {"type": ["string", "number", "boolean"]};
    /// A line for the shell.
    CommandLine matches ".": "a command, in a line for the shell or as a list of words";
    /// An instance, or one of its interfaces: `web1.eth1`.
    Holder matches r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.eth[0-9]+)?$":
        "the name of an instance, or of an interface such as `web1.eth1`";
    /// Whose flow log: an instance, one of its interfaces, or a load balancer.
    Logging matches r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.eth[0-9]+)?$": "an instance, or an interface such as `web1.eth1`";
    /// An interface beside the first.
    Device matches r"^eth[0-9]+$": "the name of an interface, such as `eth1`";
    /// `tcp 80 from anywhere`, `tcp 7000-8000 from SG-X`, `icmp echo from office`.
    ShortRule matches r"^\s*((tcp|udp|icmp|icmpv6|protocol)\s+\S+|all|-1)\s+(from|to)\s+\S":
        "a rule, such as `tcp 80 from anywhere`" or "a list of rules";
    /// `anywhere`, an address block, a group or a host; in steps `web1.private`, `web1.public` and `web1.ipv6` as well.
    Peer: "a peer";
    /// `tcp 80`, `udp 53`, `icmp echo`, `icmp 13`, `protocol 47`.
    Service matches r"^\s*((tcp|udp)\s+[0-9]+|icmp\s+(echo|[0-9]+(/[0-9]+)?)|protocol\s+[0-9]+|[0-9]+/(tcp|udp)|ping)\s*$":
        "a protocol and a port, such as `tcp 80`" with numbers;
    /// `tcp 80`, `tcp 80 to 8080`.
    Listener matches r"^\s*tcp\s+[0-9]+(\s+to\s+(tcp\s+)?[0-9]+)?\s*$":
        "a listener, such as `tcp 80` or `tcp 80 to 8080`" with numbers;
    /// `FROM -> TO:PORT`, `FROM <-> TO:PORT`; of a connection that is held also `FROM:PORT <-> TO:PORT/udp`; then `by public address`, `by dns name`, `at ingress`.
    Flow matches r"^\s*\S+(\s+as\s+\S+)?\s*<?->\s*\S+\s*:\s*\S": "a flow, such as `web1 -> db1:3306`";
    /// `FROM -> dns`, `FROM -> metadata`, `FROM -> time`.
    Question matches r"^\s*\S+\s*->\s*(dns|metadata|time)\s*$": "who asks which service, such as `web1 -> dns`";
    /// `ACCEPT FROM -> TO:PORT`, `REJECT ...`, `ACCEPT response to FROM -> TO:PORT`; `no` before it; `no REJECT`; `NODATA`.
    LogLine matches r"^\s*(NODATA|no\s+(ACCEPT|REJECT)|(no\s+)?(ACCEPT|REJECT)\s+(response to\s+)?\S+\s*<?->\s*\S+\s*:\s*\S.*)\s*$":
        "such as `REJECT a -> b:ping`, `ACCEPT response to a -> b:ping`, `no ACCEPT`, or `NODATA` alone"
        or "what the flow log says, at least one line";
}

impl Holder {
    /// In place of one: nobody.
    pub const NONE: &str = "none";
}

/// What a name can stand for.
pub trait Named {
    /// What is expected where such a name stands.
    const WHAT: &'static str;
    /// And where there may be several.
    const MANY: &'static str;
}

/// What each is called.
macro_rules! named {
    ($($name:ident $what:literal $($many:literal)?),+) => {$(
        impl Named for $name {
            const WHAT: &'static str = concat!("the name of ", $what);
            const MANY: &'static str = leaves!(@many $what $(, $many)?);
        }
    )+};
}

named! {
    VpcName "a VPC", SubnetName "a subnet", HostName "a host", GroupName "a security group" "at least one security group",
    InstanceName "an instance" "an instance or a list of instances",
    ElasticIpName "an Elastic IP", PrefixListName "a prefix list", LoadBalancerName "a load balancer",
    TableName "a table", ConnectionName "a connection", DaemonName "a service"
}

/// A word that is meant to be a name of this kind.
#[derive(Debug)]
pub struct Name<T>(Word, PhantomData<T>);

impl<T> Clone for Name<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> Deref for Name<T> {
    type Target = Word;

    fn deref(&self) -> &Word {
        &self.0
    }
}

impl<T> From<&str> for Name<T> {
    fn from(text: &str) -> Self {
        Self(Word::new(text, Span::default()), PhantomData)
    }
}

impl<T> From<Word> for Name<T> {
    fn from(word: Word) -> Self {
        Self(word, PhantomData)
    }
}

impl<T> JsonSchema for Name<T> {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let description = "A name: letters, digits, `-` and `_`.";
        json_schema!({"type": "string", "pattern": NAME, "description": description})
    }
}

/// As [`name_fault`](crate::model::name_fault) has it.
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$";

impl<T: Named> Leaf for Name<T> {
    const PATTERN: Option<&'static str> = Some(NAME);
}

impl<T: Named> Shape for Name<T> {
    const WHAT: &'static str = T::WHAT;
    const MANY: &'static str = T::MANY;
    const ALONE: bool = true;

    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
        told.text(node, what).map(|word| Self(word, PhantomData))
    }

    fn yaml(&self) -> Yaml {
        Yaml::Word(self.text().to_owned())
    }
}

/// What has a word for each of its values.
pub trait Words: Copy + PartialEq + 'static {
    /// What is expected.
    const WHAT: &'static str;
    /// For the schema.
    const DOC: &'static str;

    /// Every value with its word.
    fn words() -> Vec<(&'static str, Self)>;
}

/// One of a few words.
#[derive(Clone, Copy, Debug)]
pub struct Choice<T> {
    /// What it stands for.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> From<T> for Choice<T> {
    fn from(value: T) -> Self {
        Self { value, span: Span::default() }
    }
}

impl<T: Words> JsonSchema for Choice<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::words().into_iter().map(|(word, _)| word).collect();
        let mut schema = json_schema!({"type": "string", "enum": words});
        if !T::DOC.is_empty() {
            super::shape::describe(&mut schema, &[T::DOC]);
        }
        schema
    }
}

impl<T: Words> Shape for Choice<T> {
    const WHAT: &'static str = T::WHAT;
    const ALONE: bool = true;

    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
        told.choice(node, what, &T::words()).map(|value| Self { value, span: node.span })
    }

    fn yaml(&self) -> Yaml {
        let word = T::words().into_iter().find(|(_, value)| *value == self.value).map_or("", |(word, _)| word);
        Yaml::Bare(word.to_owned())
    }
}

/// The words of each.
macro_rules! words {
    ($($of:ty: $what:literal, $doc:literal, $words:expr;)+) => {$(
        impl Words for $of {
            const WHAT: &'static str = $what;
            const DOC: &'static str = $doc;

            fn words() -> Vec<(&'static str, Self)> {
                $words.to_vec()
            }
        }
    )+};
}

words! {
    Era: "an era", "`article`: as an article of January 2013 states it; `classic`: EC2-Classic as documented; `vpc`: today.",
        Self::ALL.map(|era| (era.as_str(), era));
    ChangeGroups: "a value of this knob", "", Self::WORDS;
    SelfReference: "a value of this knob", "", Self::WORDS;
    OnStart: "a value of this knob", "", Self::WORDS;
    OnCrash: "a value of this knob", "", Self::WORDS;
    ElasticIpOnStop: "a value of this knob", "", Self::WORDS;
    Quotas: "a value of this knob", "", Self::WORDS;
    GroupReferenceIpv6: "a value of this knob", "", Self::WORDS;
    IcmpErrors: "a value of this knob", "", Self::WORDS;
    SourceDestCheck: "a setting", "", Self::WORDS;
    Forwarding: "what it does with packets for others", "",
        [("no", Self::None), ("nat", Self::Nat), ("as-is", Self::Plain)];
    AutomaticPublic: "an answer", "", [("yes", Self::Given), ("no", Self::None)];
    Reassociation: "an answer", "", [("yes", Self::Allowed), ("no", Self::Refused)];
    Scheme: "a scheme", "`internet-facing`: its DNS name means its public address, inside its VPC as well; `internal`: it has a private address only, and its DNS name means that.",
        Self::ALL.map(|scheme| (scheme.as_str(), scheme));
    Via: "a kind of address", "",
        [("private", Self::Private), ("public", Self::Public), ("ipv6", Self::Ipv6), ("dns", Self::Dns)];
    RefusalCode: "one of EC2's error codes", "One of EC2's error codes.", Self::ALL.map(|code| (code.as_str(), code));
    Nothing: "what traffic can suffer", "", [("none", Self)];
    Unchanged: "what `rules` can be", "", [("unchanged", Self)];
}

/// `none`: nothing is suffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nothing;

/// `unchanged`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchanged;

/// A whole number of a range.
#[derive(Clone, Copy, Debug)]
pub struct Whole<const LEAST: u32, const MOST: u32> {
    /// The number.
    pub value: u32,
}

impl<const LEAST: u32, const MOST: u32> From<u32> for Whole<LEAST, MOST> {
    fn from(value: u32) -> Self {
        Self { value }
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Whole<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

impl<const LEAST: u32, const MOST: u32> Shape for Whole<LEAST, MOST> {
    const WHAT: &'static str = "a whole number";

    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
        told.number(node, what, LEAST..=MOST).map(Self::from)
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(self.value.to_string())
    }
}

/// The version of the format.
#[derive(Clone, Copy, Debug)]
pub struct Version;

/// The one that there is.
const VERSION: u32 = 1;

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": VERSION, "maximum": VERSION})
    }
}

impl Shape for Version {
    const WHAT: &'static str = "a version of the format";

    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
        let version = told.number(node, what, 0..=u32::MAX)?;
        if version != VERSION {
            let draft = Draft::new(node.span, format!("version {version} of the format is not known here"));
            told.report(draft.help(format!("this sglab knows version {VERSION}")));
        }
        Some(Self)
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(VERSION.to_string())
    }
}

/// The least is sglab's, so that a test need not wait; Amazon's is 5 for the interval of health checks, and 2 for the timeout.
const SHORTEST: f64 = 0.05;
const LONGEST: f64 = 300.0;

/// Seconds of a health check.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": SHORTEST, "maximum": LONGEST})
    }
}

impl Shape for Seconds {
    const WHAT: &'static str = "seconds";

    fn read(node: &Node, what: &str, told: &mut Told) -> Option<Self> {
        let Value::Scalar(scalar) = &node.value else { return told.expected(node, what, None) };
        match scalar.text.parse::<f64>() {
            Ok(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => Some(Self(Duration::from_secs_f64(seconds))),
            _ => {
                let draft = Draft::new(node.span, format!("{} is no time for this", quote(&scalar.text)));
                told.report(draft.help(format!("a number of seconds, from {SHORTEST} to {LONGEST}")));
                None
            }
        }
    }

    fn yaml(&self) -> Yaml {
        Yaml::Bare(self.0.as_secs_f64().to_string())
    }
}

/// What an instance mounts, by place. It is read where files are looked for, and tells users of docker what they mean.
#[derive(Clone, Debug)]
pub struct Mounts(pub Node);

impl Default for Mounts {
    fn default() -> Self {
        Self(Node { value: Value::Mapping(Vec::new()), span: Span::default() })
    }
}

impl Mounts {
    /// One more.
    pub fn push(&mut self, place: &str, source: &str) {
        let word = |text| Node { value: Value::Scalar(Scalar::new(text, 0)), span: Span::default() };
        if let Value::Mapping(entries) = &mut self.0.value {
            entries.push((word(place), word(source)));
        }
    }
}

impl JsonSchema for Mounts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Mounts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Map<MountPlace, MountSource>>::json_schema(generator)
    }
}

impl Shape for Mounts {
    const WHAT: &'static str = "a mapping of places to what is there, such as `/srv/www: ./www`";

    fn read(node: &Node, _: &str, _: &mut Told) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn yaml(&self) -> Yaml {
        Yaml::of(&self.0)
    }
}
