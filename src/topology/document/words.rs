//! What a document says in words that are read further once every name is known: names, addresses, flows, rules.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Deref;

use serde_json::{Value as Json, json};

use super::shape::{Definitions, Diagnostics, Leaf, Node, Shape, Span, SpannedText, Yaml};
use crate::model::{
    ConnectionName, ElasticIpName, GroupName, HostName, InstanceName, LoadBalancerName, MAX_NAME_LENGTH,
    PrefixListName, ProcessName, SubnetName, TableName, VpcName,
};

/// Texts that are read further once every name is known. `with numbers`: what looks like one is taken too.
macro_rules! leaves {
    ($($(#[doc = $doc:literal])* $name:ident $(matches $pattern:literal)?: $what:literal $(or $many:literal)? $(with $numbers:ident $(as $more:tt)?)?;)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub SpannedText);

        impl Deref for $name {
            type Target = SpannedText;

            fn deref(&self) -> &SpannedText {
                &self.0
            }
        }

        impl<T: Display> From<T> for $name {
            fn from(text: T) -> Self {
                Self(SpannedText::new(&text.to_string(), Span::default()))
            }
        }

        impl Leaf for $name {
            const PATTERN: Option<&'static str> = leaves!(@pattern $($pattern)?);
        }

        impl Shape for $name {
            const WHAT: &'static str = $what;
            const MANY: &'static str = leaves!(@many $what $(, $many)?);

            fn name() -> Option<String> {
                Some(stringify!($name).to_owned())
            }

            fn schema(_: &mut Definitions) -> Json {
                let more: &[Json] = &[$(json!({"pattern": $pattern}),)? $($(json!($more),)?)?];
                super::shape::described(super::shape::merged(json!({"type": "string"}), more), &[$($doc),*])
            }

            fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
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
    (@read [truths] $told:ident $node:ident $what:ident) => { $told.truth_or_text($node, $what) };
    (@read [text] $told:ident $node:ident $what:ident) => { $told.text($node, $what) };
    (@read [wholes] $told:ident $node:ident $what:ident) => { $told.whole($node, $what) };
    (@read [scalars] $told:ident $node:ident $what:ident) => { $told.scalar($node, $what) };
    (@read [] $told:ident $node:ident $what:ident) => { $told.text($node, $what) };
    (@yaml [wholes] $self:ident) => { leaves!(@yaml [scalars] $self) };
    (@yaml [scalars] $self:ident) => {
        match $self.text().bytes().all(|b| b.is_ascii_digit()) && !$self.text().is_empty() {
            true => Yaml::Bare($self.text().to_owned()),
            false => Yaml::Scalar($self.text().to_owned()),
        }
    };
    (@yaml [$($numbers:ident)?] $self:ident) => { Yaml::Scalar($self.text().to_owned()) };
}

leaves! {
    /// A free text.
    Text: "text";
    /// A free text of EC2's length.
    Description: "a description" with text as {"maxLength": MAX_NAME_LENGTH};
    /// A name of EC2's own.
    Ec2Name: "a name" with text as {"minLength": 1, "maxLength": MAX_NAME_LENGTH};
    /// An address block.
    Block: "an address block";
    /// An address block, of a prefix list.
    ListedBlock: "an address block, such as 203.0.113.0/24";
    /// `yes` for an IPv6 block of the documentation's, or a /56 of global addresses; `no` for none.
    Ipv6Block: "`yes`, `no` or a block such as 2001:db8:1000::/56" with truths as {"type": ["string", "boolean"]};
    /// `yes` for the /64 of the VPC's block that has the number of the subnet, or another of it; `no` for none.
    Ipv6Subnet: "`yes`, `no` or a block such as 2001:db8:1000:1::/64" with truths as {"type": ["string", "boolean"]};
    /// `yes` for one, `no` for none, or the address itself.
    Ipv6Address: "`yes`, `no` or an IPv6 address" with truths as {"type": ["string", "boolean"]};
    /// An address.
    Address: "an address" or "an address or a list of addresses";
    /// A private IPv4 address or an IPv6 address beside the first one, or a /28 or /80 that is delegated.
    Secondary matches r"^([0-9]+(\.[0-9]+){3}(/28)?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(/80)?)$":
        "an address or a prefix" or "an address, a prefix of /28 or /80, or a list of them";
    /// The size of a packet.
    PacketSize: "a number" with wholes as {"type": ["integer", "string"], "minimum": 576, "maximum": 1500, "pattern": "^[0-9]+$"};
    /// A number, or a word.
    NumberOrWord: "a port, a range or `all`" with wholes as {"type": ["integer", "string"], "minimum": -1, "maximum": 65535};
    /// A code of ICMP: a number, or `all`.
    IcmpCode matches r"^(-1|0*([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])|all)$":
        "an ICMP code" with wholes as {"type": ["integer", "string"], "minimum": -1, "maximum": 255};
    /// A type of ICMP: a number, `echo` or `all`.
    IcmpType matches r"^(-1|0*([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])|all|echo)$":
        "an ICMP type, `echo` or `all`" with wholes as {"type": ["integer", "string"], "minimum": -1, "maximum": 255};
    /// An absolute path in an instance, but `/`, and what every instance has of its own.
    MountPlace matches r"^/": "a place, an absolute path in the instance";
    /// `./www`, to read: a path from the folder of the file, or an absolute one; `./data writable`; or `empty`, a folder in memory.
    MountSource matches r"^\s*(empty\s*$|\.{0,2}/|\.{1,2}(\s+(writable|read-only))?\s*$)": "a path or `empty`";
    /// A word of a command.
    CommandWord: "a word of a command" with scalars as {"type": ["string", "number", "boolean"]};
    /// A line for the shell.
    CommandLine matches ".": "a command, in a line for the shell or as a list of words";
    /// An instance, or one of its interfaces: `web1.eth1`.
    Holder matches r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.eth([0-9]|1[0-5]))?$":
        "the name of an instance, or of an interface such as `web1.eth1`";
    /// Whose flow log: an instance, one of its interfaces, or a load balancer.
    Logging matches r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.eth([0-9]|1[0-5]))?$": "an instance, or an interface such as `web1.eth1`";
    /// An interface beside the first.
    Device matches r"^eth([1-9]|1[0-5])$": "the name of an interface, such as `eth1`";
    /// `tcp 80 from anywhere`, `tcp 7000-8000 from SG-X`, `icmp echo from office`.
    ShortRule matches r"^\s*((tcp|udp|icmp|icmpv6|protocol)\s+\S+|all|-1)\s+(from|to)\s+\S":
        "a rule, such as `tcp 80 from anywhere`" or "a list of rules";
    /// `anywhere`, an address block, a group or a host; in steps `web1.private`, `web1.public` and `web1.ipv6` as well.
    Peer: "a peer";
    /// `tcp 80` or 80, `udp 53` or `53/udp`, `icmp echo` or `ping`, `icmp 13`, `protocol 47`.
    Service matches r"^\s*((tcp|udp)\s+[0-9]+|icmp\s+(echo|[0-9]+(/[0-9]+)?)|protocol\s+[0-9]+|[0-9]+(/(tcp|udp))?|ping)\s*$":
        "a protocol and a port, such as `tcp 80`" with numbers as {"type": ["string", "integer"], "minimum": 1, "maximum": 65535};
    /// `tcp 80` or 80, `tcp 80 to 8080`.
    Listener matches r"^\s*(tcp\s+[0-9]+|[0-9]+(/tcp)?)(\s+to\s+(tcp\s+[0-9]+|[0-9]+(/tcp)?))?\s*$":
        "a listener, such as `tcp 80` or `tcp 80 to 8080`" with numbers as {"type": ["string", "integer"], "minimum": 1, "maximum": 65535};
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
    TableName "a table", ConnectionName "a connection", ProcessName "a service"
}

/// A word that is meant to be a name of this kind.
#[derive(Debug)]
pub struct Name<T>(SpannedText, PhantomData<T>);

impl<T> Clone for Name<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<T> Deref for Name<T> {
    type Target = SpannedText;

    fn deref(&self) -> &SpannedText {
        &self.0
    }
}

impl<T> From<&str> for Name<T> {
    fn from(text: &str) -> Self {
        Self(SpannedText::new(text, Span::default()), PhantomData)
    }
}

impl<T> From<SpannedText> for Name<T> {
    fn from(word: SpannedText) -> Self {
        Self(word, PhantomData)
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

    fn name() -> Option<String> {
        Some("Name".to_owned())
    }

    fn schema(_: &mut Definitions) -> Json {
        super::shape::described(json!({"type": "string", "pattern": NAME}), &["A name: letters, digits, `-` and `_`."])
    }

    fn read(node: &Node, what: &str, told: &mut Diagnostics) -> Option<Self> {
        told.text(node, what).map(|word| Self(word, PhantomData))
    }

    fn yaml(&self) -> Yaml {
        Yaml::Scalar(self.text().to_owned())
    }
}
