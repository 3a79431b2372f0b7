//! Records of a VPC flow log, as they cross the socket and as `sglab flow-logs --format json` prints them.

use std::fmt;
use std::net::IpAddr;

use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    Direction, FlowLogAction, GroupName, InstanceId, LogStatus, NetworkInterfaceId, RuleId, SubnetId, VpcId,
};

/// A record of a VPC flow log. What it does not have is nothing: `NODATA` and `SKIPDATA` have no traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLogRecord {
    /// The interface: `db1`, or `db1.eth1`.
    pub interface: String,
    /// Its id.
    pub interface_id: NetworkInterfaceId,
    /// The instance; nothing for that of a load balancer, which Amazon holds.
    pub instance_id: Option<InstanceId>,
    /// The VPC.
    pub vpc_id: VpcId,
    /// The subnet.
    pub subnet_id: SubnetId,
    /// The source; of what goes out the interface's own address.
    pub srcaddr: Option<IpAddr>,
    /// The destination; of what comes in the interface's own address.
    pub dstaddr: Option<IpAddr>,
    /// The source, as the packet has it.
    pub pkt_srcaddr: Option<IpAddr>,
    /// The destination, as the packet has it.
    pub pkt_dstaddr: Option<IpAddr>,
    /// The source port; 0 of ICMP.
    pub srcport: Option<u16>,
    /// The destination port; 0 of ICMP.
    pub dstport: Option<u16>,
    /// The number of the protocol.
    pub protocol: Option<u8>,
    /// Packets in the window.
    pub packets: Option<u64>,
    /// Their bytes, with IP headers.
    pub bytes: Option<u64>,
    /// The window's beginning, in seconds since 1970.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// Action on the packets.
    pub action: Option<FlowLogAction>,
    /// Logging status.
    pub log_status: LogStatus,
    /// Into the interface or out of it.
    pub flow_direction: Option<Direction>,
    /// The interface's groups.
    pub groups: Vec<GroupName>,
    /// The rules that admitted the flow.
    pub rules: Vec<LoggedRule>,
}

/// A rule that admitted a flow. It is written as one text: `DB/sgr-7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRule {
    /// Its group; nothing where the rule is gone.
    pub group: Option<GroupName>,
    /// Its id.
    pub id: RuleId,
}

impl fmt::Display for LoggedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.group {
            write!(f, "{group}/")?;
        }
        write!(f, "{}", self.id)
    }
}

impl Serialize for LoggedRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LoggedRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Names of groups may have slashes, and ids have none.
        let (group, id) = text.rsplit_once('/').map_or((None, text.as_str()), |(group, id)| (Some(group), id));
        Ok(Self {
            group: group.map(|group| GroupName::deserialize(StrDeserializer::<D::Error>::new(group))).transpose()?,
            id: RuleId::deserialize(StrDeserializer::<D::Error>::new(id))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{SubnetName, VpcName};

    #[test]
    fn a_record_of_the_flow_log_is_the_json_that_programs_read_and_comes_back_as_it_went() {
        let rule = |group: &str, id| LoggedRule { group: Some(GroupName::new(group)), id: RuleId(id) };
        let whole = FlowLogRecord {
            interface: "db1".to_owned(),
            interface_id: "eni-1235b8ca123456789".parse().unwrap(),
            instance_id: "i-1235b8ca123456789".parse().ok(),
            vpc_id: VpcName::new("default").id(),
            subnet_id: SubnetName::new("default").id(&VpcName::new("default")),
            srcaddr: Some([10, 0, 0, 11].into()),
            dstaddr: Some([10, 0, 0, 12].into()),
            pkt_srcaddr: Some([10, 0, 0, 11].into()),
            pkt_dstaddr: Some([10, 0, 0, 12].into()),
            srcport: Some(20_641),
            dstport: Some(3306),
            protocol: Some(6),
            packets: Some(20),
            bytes: Some(4249),
            start: 1_418_530_010,
            end: 1_418_530_070,
            action: Some(FlowLogAction::Accept),
            log_status: LogStatus::Ok,
            flow_direction: Some(Direction::Ingress),
            groups: vec![GroupName::new("DB")],
            rules: vec![rule("DB", 7), rule("amazon-elb/lb-listeners", 8), LoggedRule { group: None, id: RuleId(9) }],
        };
        let mut told = json!({
            "interface": "db1",
            "interface_id": "eni-1235b8ca123456789",
            "instance_id": "i-1235b8ca123456789",
            "vpc_id": whole.vpc_id.to_string(),
            "subnet_id": whole.subnet_id.to_string(),
            "srcaddr": "10.0.0.11",
            "dstaddr": "10.0.0.12",
            "pkt_srcaddr": "10.0.0.11",
            "pkt_dstaddr": "10.0.0.12",
            "srcport": 20641,
            "dstport": 3306,
            "protocol": 6,
            "packets": 20,
            "bytes": 4249,
            "start": 1_418_530_010,
            "end": 1_418_530_070,
            "action": "ACCEPT",
            "log_status": "OK",
            "flow_direction": "ingress",
            "groups": ["DB"],
            "rules": ["DB/sgr-7", "amazon-elb/lb-listeners/sgr-8", "sgr-9"],
        });
        assert_eq!(serde_json::to_value(&whole).unwrap(), told);
        assert_eq!(serde_json::from_value::<FlowLogRecord>(told.clone()).unwrap(), whole);
        for (status, word) in [(LogStatus::NoData, "NODATA"), (LogStatus::SkipData, "SKIPDATA")] {
            let record = FlowLogRecord { action: None, flow_direction: None, log_status: status, ..whole.clone() };
            for (key, value) in [("action", json!(null)), ("flow_direction", json!(null)), ("log_status", json!(word))]
            {
                told[key] = value;
            }
            assert_eq!(serde_json::to_value(&record).unwrap(), told);
            assert_eq!(status.to_string(), word);
        }
        for (action, word) in [(FlowLogAction::Accept, "ACCEPT"), (FlowLogAction::Reject, "REJECT")] {
            assert_eq!((json!(action), action.to_string()), (json!(word), word.to_owned()));
        }
    }

    #[test]
    fn what_is_no_rule_of_a_group_is_none_of_a_record() {
        for wrong in ["", "DB", "DB/", "DB/7", "/sgr-7", "../sgr-7", "DB/sgr-7/x"] {
            assert!(serde_json::from_value::<LoggedRule>(json!(wrong)).is_err(), "{wrong}");
        }
    }
}
