//! VPC flow log records as text, in EC2's default format or one of chosen fields.
//!
//! Source: "Flow log records" (Amazon VPC user guide).

use std::net::IpAddr;

use crate::protocol::FlowLogRecord;

/// The account of every record: sglab has one, and it is nobody's.
const ACCOUNT: &str = "123456789012";

/// Defines the fields that are recorded: variant, name, and the version that brought it.
macro_rules! fields {
    ($($variant:ident $name:literal $version:literal,)*) => {
        /// A field that is recorded; `group-id` and `rule-id` are sglab's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Field {
            $($variant,)*
        }

        impl Field {
            const ALL: &[Self] = &[$(Self::$variant,)*];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn version(self) -> u8 {
                match self {
                    $(Self::$variant => $version,)*
                }
            }
        }
    };
}

fields! {
    Version "version" 2,
    AccountId "account-id" 2,
    InterfaceId "interface-id" 2,
    Srcaddr "srcaddr" 2,
    Dstaddr "dstaddr" 2,
    Srcport "srcport" 2,
    Dstport "dstport" 2,
    Protocol "protocol" 2,
    Packets "packets" 2,
    Bytes "bytes" 2,
    Start "start" 2,
    End "end" 2,
    Action "action" 2,
    LogStatus "log-status" 2,
    VpcId "vpc-id" 3,
    SubnetId "subnet-id" 3,
    InstanceId "instance-id" 3,
    Type "type" 3,
    PktSrcaddr "pkt-srcaddr" 3,
    PktDstaddr "pkt-dstaddr" 3,
    FlowDirection "flow-direction" 5,
    GroupId "group-id" 2,
    RuleId "rule-id" 2,
}

/// The default format, of version 2.
const DEFAULT: [Field; 14] = [
    Field::Version,
    Field::AccountId,
    Field::InterfaceId,
    Field::Srcaddr,
    Field::Dstaddr,
    Field::Srcport,
    Field::Dstport,
    Field::Protocol,
    Field::Packets,
    Field::Bytes,
    Field::Start,
    Field::End,
    Field::Action,
    Field::LogStatus,
];
/// Fields of EC2 that nothing here could fill.
const NOT_RECORDED: [&str; 9] = [
    "tcp-flags",
    "region",
    "az-id",
    "sublocation-type",
    "sublocation-id",
    "pkt-src-aws-service",
    "pkt-dst-aws-service",
    "traffic-path",
    "reject-reason",
];

/// A format: fields in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(Vec<Field>);

impl Default for Format {
    fn default() -> Self {
        Self(DEFAULT.to_vec())
    }
}

impl Format {
    /// Reads `${srcaddr} ${dstaddr}`, or `srcaddr dstaddr`.
    ///
    /// # Errors
    /// Every field that is none, each with what may have been meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut fields, mut wrong) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            let name = word.strip_prefix("${").and_then(|word| word.strip_suffix('}')).unwrap_or(word);
            if let Some(field) = Field::ALL.iter().find(|field| field.name() == name) {
                fields.push(*field);
            } else if NOT_RECORDED.contains(&name) {
                wrong.push(format!("`{name}` is a field of EC2 that is not recorded here"));
            } else {
                let names = || Field::ALL.iter().map(|field| field.name());
                let near = names().min_by_key(|field| strsim::levenshtein(field, name));
                let near = near.filter(|near| strsim::levenshtein(near, name) <= 3);
                let all = || names().collect::<Vec<_>>().join(" ");
                let help =
                    near.map_or_else(|| format!("there are {}", all()), |near| format!("did you mean `{near}`?"));
                wrong.push(format!("`{name}` is no field of a flow log; {help}"));
            }
        }
        if fields.is_empty() && wrong.is_empty() {
            wrong.push("a format has at least one field, such as `srcaddr`".to_owned());
        }
        if wrong.is_empty() { Ok(Self(fields)) } else { Err(wrong.join("\n")) }
    }

    /// A record, its fields by spaces; `-` for what it does not have.
    pub fn line(&self, record: &FlowLogRecord) -> String {
        let version = self.0.iter().map(|field| field.version()).max().unwrap_or(2);
        let fields: Vec<String> = self.0.iter().map(|field| value(record, *field, version)).collect();
        fields.join(" ")
    }
}

fn value(it: &FlowLogRecord, field: Field, version: u8) -> String {
    fn some<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    }
    fn list<T: ToString>(all: &[T]) -> String {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(",") }
    }
    match field {
        Field::Version => version.to_string(),
        Field::AccountId => ACCOUNT.to_owned(),
        Field::InterfaceId => it.interface_id.to_string(),
        Field::Srcaddr => some(it.srcaddr),
        Field::Dstaddr => some(it.dstaddr),
        Field::Srcport => some(it.srcport),
        Field::Dstport => some(it.dstport),
        Field::Protocol => some(it.protocol),
        Field::Packets => some(it.packets),
        Field::Bytes => some(it.bytes),
        Field::Start => it.start.to_string(),
        Field::End => it.end.to_string(),
        Field::Action => some(it.action),
        Field::LogStatus => it.log_status.to_string(),
        Field::VpcId => it.vpc_id.to_string(),
        Field::SubnetId => it.subnet_id.to_string(),
        Field::InstanceId => some(it.instance_id),
        Field::Type => some(it.srcaddr.map(|address| if matches!(address, IpAddr::V4(_)) { "IPv4" } else { "IPv6" })),
        Field::PktSrcaddr => some(it.pkt_srcaddr),
        Field::PktDstaddr => some(it.pkt_dstaddr),
        Field::FlowDirection => some(it.flow_direction),
        Field::GroupId => list(&it.groups),
        Field::RuleId => list(&it.rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, FlowLogAction, GroupName, LogStatus, RuleId, SubnetName, VpcName};
    use crate::protocol::LoggedRule;

    fn record(action: Option<FlowLogAction>) -> FlowLogRecord {
        let some = action.is_some();
        FlowLogRecord {
            interface: "db1".to_owned(),
            interface_id: "eni-1235b8ca123456789".parse().unwrap(),
            instance_id: "i-1235b8ca123456789".parse().ok(),
            vpc_id: VpcName::new("default").id(),
            subnet_id: SubnetName::new("default").id(&VpcName::new("default")),
            srcaddr: some.then(|| [172, 31, 16, 139].into()),
            dstaddr: some.then(|| [172, 31, 16, 21].into()),
            pkt_srcaddr: some.then(|| [172, 31, 16, 139].into()),
            pkt_dstaddr: some.then(|| [172, 31, 16, 21].into()),
            srcport: some.then_some(20641),
            dstport: some.then_some(22),
            protocol: some.then_some(6),
            packets: some.then_some(20),
            bytes: some.then_some(4249),
            start: 1_418_530_010,
            end: 1_418_530_070,
            action,
            log_status: if some { LogStatus::Ok } else { LogStatus::NoData },
            flow_direction: some.then_some(Direction::Ingress),
            groups: vec![GroupName::new("DB")],
            rules: vec![],
        }
    }

    #[test]
    fn the_default_format_is_that_of_the_guide() {
        let line = Format::default().line(&record(Some(FlowLogAction::Accept)));
        let guide = "2 123456789012 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK";
        assert_eq!(line, guide);
        let guide = "2 123456789012 eni-1235b8ca123456789 - - - - - - - 1418530010 1418530070 - NODATA";
        assert_eq!(Format::default().line(&record(None)), guide);
    }

    #[test]
    fn the_version_of_a_custom_format_is_the_highest_of_its_fields() {
        let format = Format::parse("${version} ${flow-direction} group-id rule-id").expect("a format");
        let mut record = record(Some(FlowLogAction::Reject));
        assert_eq!(format.line(&record), "5 ingress DB -");
        let group = |name| Some(GroupName::new(name));
        record.rules =
            vec![LoggedRule { group: group("DB"), id: RuleId(7) }, LoggedRule { group: group("WEB"), id: RuleId(8) }];
        assert_eq!(format.line(&record), "5 ingress DB DB/sgr-7,WEB/sgr-8");
    }

    #[test]
    fn every_field_that_is_none_is_told_at_once() {
        let wrong = Format::parse("srcadr ${tcp-flags} ${bytes} zzzzzzzzzz").expect_err("three are wrong");
        assert!(
            wrong.contains("did you mean `srcaddr`?") && wrong.contains("`tcp-flags` is a field of EC2"),
            "{wrong}"
        );
        assert!(wrong.contains("`zzzzzzzzzz` is no field") && wrong.lines().count() == 3, "{wrong}");
        assert!(Format::parse(" ").is_err());
    }
}
