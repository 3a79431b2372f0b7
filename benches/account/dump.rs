//! Dumps of accounts as the AWS CLI writes them, with what nobody needs of them too. The same each time.

use std::fmt::Write;

/// Groups of a VPC; the first of them is every member's.
const IN_A_VPC: usize = 250;
const OWNER: &str = "111122223333";

/// An account before and after a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Version {
    First,
    /// One group in fifty has a rule more.
    Second,
}

/// Kinds of rules of a large group.
#[derive(Clone, Copy, Debug)]
pub enum Rules {
    /// A port each, for anywhere.
    Ports,
    /// An address each, for one port.
    Hosts,
    /// Blocks that lie in one another, for few ports.
    Blocks,
}

impl Rules {
    pub const ALL: [Self; 3] = [Self::Ports, Self::Hosts, Self::Blocks];

    fn rule(self, number: usize) -> String {
        let (second, third) = (number / 256 % 256, number % 256);
        match self {
            Self::Ports => permission(number * 2 + 1, "0.0.0.0/0", ""),
            Self::Hosts => permission(443, &format!("198.18.{second}.{third}/32"), ""),
            Self::Blocks => match number % 3 {
                0 => permission(22 + number % 7, &format!("{}.0.0.0/8", 20 + number % 80), ""),
                1 => permission(22 + number % 5, &format!("{}.{second}.0.0/16", 20 + number % 80), ""),
                _ => permission(22, &format!("{}.{second}.{third}.0/24", 20 + number % 80), ""),
            },
        }
    }
}

/// An account of groups, each with four instances: some 51 MB for 5,000.
pub fn account(groups: usize, version: Version) -> String {
    let vpcs = groups.div_ceil(IN_A_VPC);
    let networks = list(0..vpcs, |vpc| {
        format!(
            r#"{{"VpcId": "vpc-{vpc:017x}", "CidrBlock": "10.{vpc}.0.0/16", "State": "available", "IsDefault": false}}"#
        )
    });
    let subnets = list(0..vpcs * 4, |number| {
        let (vpc, subnet) = (number / 4, number % 4);
        format!(
            r#"{{"SubnetId": "subnet-{number:017x}", "VpcId": "vpc-{vpc:017x}", "CidrBlock": "10.{vpc}.{}.0/18", "MapPublicIpOnLaunch": {}}}"#,
            subnet * 64,
            subnet == 0
        )
    });
    let all = list(0..groups, |number| group(number, groups, version));
    let instances = list(0..groups * 4, instance);
    format!(r#"{{"Vpcs": {networks}, "Subnets": {subnets}, "SecurityGroups": {all}, "Reservations": {instances}}}"#)
}

/// One group with so many rules, and twenty members.
pub fn one_group(rules: usize, kind: Rules) -> String {
    let rules = list(0..rules, |number| kind.rule(number));
    let interfaces = list(0..20, |number| {
        format!(
            r#"{{"NetworkInterfaceId": "eni-{number}", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.{}", "Groups": [{{"GroupId": "sg-1"}}]}}"#,
            number + 10
        )
    });
    format!(
        r#"{{"SecurityGroups": [{{"GroupId": "sg-1", "GroupName": "wide", "VpcId": "vpc-1", "IpPermissions": {rules}, "IpPermissionsEgress": []}}], "NetworkInterfaces": {interfaces}}}"#
    )
}

fn list(numbers: std::ops::Range<usize>, item: impl Fn(usize) -> String) -> String {
    let mut out = String::from("[");
    for number in numbers {
        let comma = if number == 0 { "\n" } else { ",\n" };
        let _ = write!(out, "{comma}    {}", item(number));
    }
    out + "\n]"
}

fn permission(port: usize, block: &str, group: &str) -> String {
    let ranges = if block.is_empty() {
        String::new()
    } else {
        format!(r#"{{"CidrIp": "{block}", "Description": "a partner"}}"#)
    };
    let groups =
        if group.is_empty() { String::new() } else { format!(r#"{{"GroupId": "{group}", "UserId": "{OWNER}"}}"#) };
    format!(
        r#"{{
            "IpProtocol": "tcp",
            "FromPort": {port},
            "ToPort": {port},
            "IpRanges": [{ranges}],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [{groups}]
        }}"#
    )
}

fn group(number: usize, of: usize, version: Version) -> String {
    let (vpc, place) = (number / IN_A_VPC, number % IN_A_VPC);
    let in_this = IN_A_VPC.min(of - vpc * IN_A_VPC);
    let id = |place: usize| format!("sg-{:017x}", vpc * IN_A_VPC + place);
    let mut rules = match place {
        0 => vec![permission(22, "192.0.2.1/32", "")],
        _ if place % 4 == 0 => vec![permission(443, "0.0.0.0/0", "")],
        _ => vec![permission(8000 + place % 4, "", &id(place - 1))],
    };
    // No two of them are alike, and none is random.
    rules.extend((0..6).map(|rule| {
        let block = format!("10.{}.{}.0/24", (number * 7 + rule) % 20, (number * 13 + rule * 31) % 256);
        permission(7000 + rule * 10, &block, &id((place * 17 + rule * 5) % in_this))
    }));
    if version == Version::Second && number % 50 == 7 {
        rules.push(permission(6000, "198.51.100.0/24", ""));
    }
    format!(
        r#"{{
        "Description": "group {number} of the account",
        "GroupName": "application-{}-tier-{}",
        "OwnerId": "{OWNER}",
        "GroupId": "{}",
        "VpcId": "vpc-{vpc:017x}",
        "IpPermissions": [{}],
        "IpPermissionsEgress": [{{"IpProtocol": "-1", "IpRanges": [{{"CidrIp": "0.0.0.0/0"}}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}}],
        "Tags": [{{"Key": "team", "Value": "team {}"}}]
    }}"#,
        place / 4,
        place % 4,
        id(place),
        rules.join(", "),
        number % 17
    )
}

fn instance(number: usize) -> String {
    let (group, subnet) = (number / 4, number % 4);
    let vpc = group / IN_A_VPC;
    let host = group % IN_A_VPC;
    let address = format!("10.{vpc}.{}.{}", subnet * 64, host + 4);
    let common = vpc * IN_A_VPC;
    let beside = if group == common {
        String::new()
    } else {
        format!(r#", {{"GroupId": "sg-{common:017x}", "GroupName": "all"}}"#)
    };
    let groups = format!(r#"[{{"GroupId": "sg-{group:017x}", "GroupName": "own"}}{beside}]"#);
    format!(
        r#"{{"ReservationId": "r-{number:017x}", "OwnerId": "{OWNER}", "Groups": [], "Instances": [{{
        "AmiLaunchIndex": 0,
        "ImageId": "ami-0123456789abcdef0",
        "InstanceId": "i-{number:017x}",
        "InstanceType": "m5.large",
        "KeyName": "key",
        "LaunchTime": "2024-01-01T00:00:00+00:00",
        "Monitoring": {{"State": "disabled"}},
        "Placement": {{"AvailabilityZone": "eu-central-1a", "GroupName": "", "Tenancy": "default"}},
        "PrivateDnsName": "ip-{address}.eu-central-1.compute.internal",
        "PrivateIpAddress": "{address}",
        "State": {{"Code": 16, "Name": "running"}},
        "SubnetId": "subnet-{:017x}",
        "VpcId": "vpc-{vpc:017x}",
        "NetworkInterfaces": [{{
            "Attachment": {{"AttachTime": "2024-01-01T00:00:00+00:00", "AttachmentId": "eni-attach-{number:017x}", "DeviceIndex": 0, "Status": "attached"}},
            "Description": "Primary network interface",
            "Groups": {groups},
            "Ipv6Addresses": [],
            "MacAddress": "02:00:00:00:00:01",
            "NetworkInterfaceId": "eni-{number:017x}",
            "OwnerId": "{OWNER}",
            "PrivateIpAddress": "{address}",
            "PrivateIpAddresses": [{{"Primary": true, "PrivateIpAddress": "{address}"}}],
            "SourceDestCheck": true,
            "Status": "in-use",
            "SubnetId": "subnet-{:017x}",
            "VpcId": "vpc-{vpc:017x}",
            "InterfaceType": "interface"
        }}],
        "SecurityGroups": {groups},
        "Tags": [{{"Key": "Name", "Value": "server-{number}"}}]
    }}]}}"#,
        vpc * 4 + subnet,
        vpc * 4 + subnet
    )
}
