//! The JSON Schema of the topology file, for editors: `# yaml-language-server: $schema=...`.
//!
//! These types only describe; the reader of this module goes by the tree, since it collects every problem with its
//! place. A test holds the two against each other.

#![expect(dead_code, reason = "the types are described, and never made")]

mod instances;
mod load_balancers;
mod scenario;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use instances::Instance;
use load_balancers::LoadBalancer;
use scenario::{Step, Table};

/// The schema, in the draft that editors know best.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Topology>().to_value();
    refuse_null(&mut schema);
    schema
}

/// An optional key may be left out, but it may not be there with nothing.
fn refuse_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            }
            if let Some(Value::Array(words)) = object.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            object.values_mut().for_each(refuse_null);
        }
        Value::Array(values) => values.iter_mut().for_each(refuse_null),
        _ => {}
    }
}

/// A cloud of security groups and instances, truth tables, and a scenario of steps.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case", title = "sglab topology")]
struct Topology {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    sglab: u32,
    /// Which EC2 is emulated. With a list, the file is run under each.
    era: OneOrMany<Era>,
    /// Single differences between the eras, set by hand.
    knobs: Option<Knobs>,
    /// After how many seconds idle flows are forgotten.
    tracking: Option<Tracking>,
    /// VPCs. Left out: one called `default`, 10.0.0.0/16.
    vpcs: Option<BTreeMap<Name, Vpc>>,
    /// Hosts outside the cloud, by one address or several. They reach instances by public address.
    hosts: Option<BTreeMap<Name, Host>>,
    /// Elastic IPs: names, or names with the instances or interfaces that have them (`none`: nobody).
    elastic_ips: Option<ElasticIps>,
    /// Prefix lists: address blocks under one name. Era vpc only.
    prefix_lists: Option<BTreeMap<Name, PrefixList>>,
    /// Security groups with their ingress rules.
    groups: Option<BTreeMap<Name, Group>>,
    /// Instances that run before the first step.
    instances: Option<BTreeMap<Name, Instance>>,
    /// Load balancers, with the instances that are registered from the start.
    load_balancers: Option<BTreeMap<Name, LoadBalancer>>,
    /// Exhaustive truth tables: every cell that a table does not open must be dropped.
    tables: Option<BTreeMap<Name, Table>>,
    /// What happens, and what must hold then.
    #[schemars(length(min = 1))]
    scenario: Vec<Step>,
}

/// A name: letters, digits, `-` and `_`.
#[derive(JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(transparent)]
struct Name(#[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"))] String);

/// One, or a list.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(#[schemars(length(min = 1))] Vec<T>),
}

/// The address or the addresses, or the long form.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Host {
    Addresses(OneOrMany<String>),
    Long(LongHost),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LongHost {
    /// Its address or addresses.
    address: OneOrMany<String>,
    /// The largest packet that its link takes on the way to it, in bytes; at least 1280 where it has an IPv6 address.
    #[schemars(range(min = 576, max = 1500))]
    mtu: Option<u16>,
}

/// `article`: as an article of January 2013 states it; `classic`: EC2-Classic as documented; `vpc`: today.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Era {
    Article,
    Classic,
    Vpc,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Knobs {
    /// When the groups of an instance may change.
    change_groups: Option<ChangeGroups>,
    /// What a rule means whose source is its own group.
    self_reference: Option<SelfReference>,
    /// The private address after a stop and a start.
    private_address_on_start: Option<OnStart>,
    /// The addresses of an instance whose operating system died.
    address_on_crash: Option<OnCrash>,
    /// What becomes of an Elastic IP when its instance stops.
    elastic_ip_on_stop: Option<ElasticIpOnStop>,
    /// Whether EC2's limits hold.
    quotas: Option<Quotas>,
    /// Whether a group as a peer means the IPv6 addresses of its members too.
    group_reference_ipv6: Option<SelfReference>,
    /// Which ICMP errors come without a rule that admits them.
    icmp_errors: Option<IcmpErrors>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum IcmpErrors {
    OfTrackedFlows,
    OfEveryFlow,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ElasticIpOnStop {
    Stays,
    Dissociated,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Quotas {
    Enforced,
    Ignored,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum ChangeGroups {
    WhileStopped,
    Never,
    AnyTime,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum SelfReference {
    MatchesNobody,
    MatchesMembers,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnStart {
    New,
    Kept,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnCrash {
    Released,
    Kept,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Tracking {
    /// An established TCP connection.
    #[schemars(range(min = 60, max = 432_000))]
    tcp_established: Option<u32>,
    /// UDP in one direction, or a single question and answer.
    #[schemars(range(min = 30, max = 60))]
    udp: Option<u32>,
    /// UDP with more than one question and answer.
    #[schemars(range(min = 60, max = 180))]
    udp_stream: Option<u32>,
    /// ICMP.
    #[schemars(range(min = 1, max = 86_400))]
    icmp: Option<u32>,
    /// Every other protocol.
    #[schemars(range(min = 1, max = 86_400))]
    other: Option<u32>,
    /// All of these are divided by it, so that a test need not wait so long.
    #[schemars(range(min = 1, max = 1_000_000))]
    clock_factor: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Vpc {
    /// Its address block, from /16 to /28.
    cidr: String,
    /// Its IPv6 block, a /56 of global addresses, or `yes` for one of the documentation's. Era vpc only.
    ipv6: Option<String>,
    /// Its subnets. Left out: one called `default`, the whole block.
    subnets: Option<BTreeMap<Name, Subnet>>,
}

/// An address block, or the long form with routes.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Subnet {
    Block(String),
    Long(LongSubnet),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LongSubnet {
    /// Its address block.
    cidr: String,
    /// Address blocks with the instances that are the next hop to them. Era vpc only.
    routes: Option<BTreeMap<String, Holder>>,
}

/// An instance, or one of its interfaces: `web1.eth1`.
#[derive(JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(transparent)]
struct Holder(#[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.eth[0-9]+)?$"))] String);

/// An interface beside the first.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct Interface {
    /// Its security groups; left out: `default`.
    groups: Option<OneOrMany<Name>>,
    /// Its subnet; else the first.
    subnet: Option<Name>,
    /// The private address that it asks for.
    address: Option<String>,
    /// Whether it drops what is neither from nor to its own addresses; `on` if left out.
    source_dest_check: Option<OnOrOff>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum OnOrOff {
    On,
    Off,
}

/// What an instance does with packets for others.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Forwards {
    No,
    Nat,
    AsIs,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum ElasticIps {
    Names(Vec<Name>),
    Holders(BTreeMap<Name, Holder>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum PrefixList {
    Blocks(Vec<String>),
    One(String),
    Long(LongPrefixList),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct LongPrefixList {
    /// Its entries, of one family.
    entries: Option<Vec<String>>,
    /// As many as it may have; a rule that names it counts as this many.
    #[schemars(range(max = 1000))]
    max_entries: Option<u32>,
}

/// Entries that a prefix list gets and loses.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PrefixListEdit {
    /// Gets.
    add: Option<OneOrMany<String>>,
    /// Loses.
    remove: Option<OneOrMany<String>>,
}

/// With which instance an Elastic IP is associated.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Association {
    With(Holder),
    Long(LongAssociation),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
struct LongAssociation {
    /// The instance.
    instance: Holder,
    /// Whether it may be taken from another; `yes` if left out.
    allow_reassociation: Option<YesOrNo>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum YesOrNo {
    Yes,
    No,
}

/// A list of ingress rules, or the long form with a description.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Group {
    Rules(Vec<Rule>),
    Long(LongGroup),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LongGroup {
    /// A free text.
    #[schemars(length(max = 255))]
    description: Option<String>,
    /// Its VPC; to be said where there are several.
    vpc: Option<Name>,
    /// What is let in.
    ingress: Option<Vec<Rule>>,
    /// What is let out, in place of everything. Era vpc only.
    egress: Option<Vec<Rule>>,
}

/// `PROTOCOL PORT from PEER`, or the same as fields.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Rule {
    /// `tcp 80 from anywhere`, `tcp 7000-8000 from SG-X`, `icmp echo from office`.
    Short(#[schemars(regex(pattern = r"^\s*((tcp|udp|icmp|icmpv6|protocol)\s+\S+|all|-1)\s+(from|to)\s+\S"))] String),
    Long(LongRule),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LongRule {
    /// The protocol: tcp, udp, icmp, icmpv6, all, or a number.
    protocol: NumberOrWord,
    /// A port, or `all`.
    port: Option<NumberOrWord>,
    /// A range, such as 7000-8000.
    ports: Option<NumberOrWord>,
    /// An ICMP type, `echo` or `all`.
    r#type: Option<NumberOrWord>,
    /// An ICMP code; only with a type.
    code: Option<u8>,
    /// `anywhere`, an address block, a group or a host; in steps `web1.private`, `web1.public` and `web1.ipv6` as well.
    from: Option<OneOrMany<String>>,
    /// The same for what goes out.
    to: Option<OneOrMany<String>>,
    /// A free text.
    #[schemars(length(max = 255))]
    description: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum NumberOrWord {
    Number(u16),
    Word(String),
}

/// Services; none at all is fine.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Services {
    One(Service),
    Many(Vec<Service>),
}

/// `tcp 80`, `udp 53`, `icmp echo`, `icmp 13`, `protocol 47`.
#[derive(JsonSchema)]
#[schemars(transparent)]
struct Service(
    #[schemars(regex(
        pattern = r"^\s*((tcp|udp)\s+[0-9]+|icmp\s+(echo|[0-9]+(/[0-9]+)?)|protocol\s+[0-9]+|[0-9]+/(tcp|udp)|ping)\s*$"
    ))]
    String,
);
