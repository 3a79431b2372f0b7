//! Types of resources that are not read: what has no part in who reaches whom, and what sglab does not emulate.

use super::super::reader::Reader;
use super::super::tree::Node;
use super::resource::{Block, Resource, Value};
use crate::account::Reason;

/// Types that decide about packets, or may, and are not emulated, though their names begin like others that have no part.
const NOT_EMULATED: &[&str] =
    &["aws_apigatewayv2_vpc_link", "aws_eks_fargate_profile", "aws_glue_connection", "aws_route53_resolver_endpoint"];

/// Beginnings of types without a part.
const WITHOUT_PART: &[&str] = &[
    "aws_acm_",
    "aws_alb_",
    "aws_ami",
    "aws_api_gateway_",
    "aws_apigatewayv2_",
    "aws_appautoscaling_",
    "aws_athena_",
    "aws_autoscaling_",
    "aws_availability_zone",
    "aws_backup_",
    "aws_budgets_",
    "aws_caller_identity",
    "aws_cloudfront_",
    "aws_cloudtrail",
    "aws_cloudwatch_",
    "aws_codecommit_",
    "aws_codepipeline",
    "aws_cognito_",
    "aws_config_",
    "aws_db_",
    "aws_default_vpc_dhcp_options",
    "aws_dynamodb_",
    "aws_ebs_",
    "aws_ec2_tag",
    "aws_ecr_",
    "aws_ecrpublic_",
    "aws_ecs_",
    "aws_efs_",
    "aws_eip",
    "aws_eks_",
    "aws_elasticache_",
    "aws_flow_log",
    "aws_glue_",
    "aws_guardduty_",
    "aws_iam_",
    "aws_internet_gateway",
    "aws_key_pair",
    "aws_kinesis_",
    "aws_kms_",
    "aws_lambda_",
    "aws_lb_",
    "aws_lb_listener",
    "aws_main_route_table_association",
    "aws_msk_",
    "aws_partition",
    "aws_placement_group",
    "aws_rds_",
    "aws_redshift_",
    "aws_region",
    "aws_resourcegroups_",
    "aws_route53_",
    "aws_route_table_association",
    "aws_s3_",
    "aws_secretsmanager_",
    "aws_service_discovery_",
    "aws_ses_",
    "aws_sfn_",
    "aws_sns_",
    "aws_sqs_",
    "aws_ssm_",
    "aws_volume_attachment",
    "aws_vpc_dhcp_options",
    "aws_waf",
    "aws_xray_",
];

/// Targets of routes beyond an internet gateway.
const WAYS: &[&str] = &[
    "carrier_gateway_id",
    "core_network_arn",
    "egress_only_gateway_id",
    "instance_id",
    "local_gateway_id",
    "nat_gateway_id",
    "network_interface_id",
    "transit_gateway_id",
    "vpc_endpoint_id",
    "vpc_peering_connection_id",
];

/// Lists a resource of a type that is not read, with the reason.
pub fn left_out(reader: &mut Reader<'_>, resource: &Resource<'_>) {
    let body = &resource.body;
    let kind = resource.kind.as_str();
    let reason = match kind {
        // A data source only reads; the state that manages the resource tells it.
        _ if resource.is_data() => Reason::NoPartInReach,
        // The provider of Cloud Control has resources of every service.
        _ if kind.starts_with("awscc_") || NOT_EMULATED.contains(&kind) => Reason::NotEmulated,
        _ if !kind.starts_with("aws_") => Reason::NoPartInReach,
        "aws_route_table" | "aws_default_route_table" => Reason::not_emulated_if(routes_go_elsewhere(body)),
        "aws_route" => Reason::not_emulated_if(goes_elsewhere(body)),
        "aws_network_acl" | "aws_default_network_acl" => {
            Reason::not_emulated_if(!["ingress", "egress"].into_iter().all(|key| admits_all(reader, body, key)))
        }
        "aws_network_acl_rule" => {
            let names = ("rule_action", "protocol", "rule_number");
            let admits = FAMILIES.map(|family| first_admits(std::slice::from_ref(body), family, names));
            Reason::not_emulated_if(admits.contains(&Some(false)) || admits == [None, None])
        }
        _ if has_groups(body) => Reason::NotEmulated,
        _ => Reason::not_emulated_if(!WITHOUT_PART.iter().any(|word| kind.starts_with(word))),
    };
    reader.leave_out(resource.node, &format!("{}{kind}", resource.mode.prefix()), &resource.address, reason);
}

fn is_said(value: Value<'_>) -> bool {
    match value {
        Value::Is(node) => {
            node.text().is_none_or(|text| !text.is_empty()) && (!node.is_list() || node.items().next().is_some())
        }
        Value::Unknown | Value::Hidden => true,
        Value::Absent => false,
    }
}

fn routes_go_elsewhere(table: &Block<'_>) -> bool {
    table.blocks("route").iter().any(goes_elsewhere)
}

fn goes_elsewhere(route: &Block<'_>) -> bool {
    is_other_gateway(route)
        || WAYS.iter().any(|key| match route.value(key) {
            // It is computed where nobody gives it.
            Value::Unknown => route.is_given(key),
            value => is_said(value),
        })
}

/// Returns true unless the gateway of a route is absent or known to be an internet gateway or the VPC itself.
fn is_other_gateway(route: &Block<'_>) -> bool {
    let key = "gateway_id";
    let is_internet = |node: &Node<'_>| {
        let mut references = node.items_of("references").filter_map(Node::text);
        references.any(|reference| reference.contains("aws_internet_gateway."))
    };
    match route.value(key) {
        Value::Is(id) => !matches!(id.text(), Some(id) if id.is_empty() || id == "local" || id.starts_with("igw-")),
        Value::Unknown => route.is_given(key) && !route.expressions_of(key).iter().any(is_internet),
        Value::Hidden => true,
        Value::Absent => false,
    }
}

/// Returns true for a resource that is put into groups, itself or by a block at any depth.
fn has_groups(body: &Block<'_>) -> bool {
    let names = |key: &str| key.contains("security_group");
    let below = |node: Option<Node<'_>>, is: fn(Node<'_>) -> bool| {
        node.is_some_and(|node| node.all_entries().into_iter().any(|(key, value)| names(key) && is(value)))
    };
    let is_marked: fn(Node<'_>) -> bool = |mask| mask.items().any(|item| item.boolean() == Some(true));
    below(body.values, |value| is_said(Value::Is(value)))
        || below(body.unknown, is_marked)
        || below(body.sensitive, is_marked)
        || body.hidden.iter().any(|key| names(key))
        || body.expressions.iter().any(|node| below(Some(*node), |_| true))
}

/// The attributes of an entry of a network ACL that are its block, by family, each with the block of everything.
const FAMILIES: [(&str, &str); 2] = [("cidr_block", "0.0.0.0/0"), ("ipv6_cidr_block", "::/0")];

/// Returns true where a network ACL admits all, as that of each new VPC does.
///
/// Source: "Default network ACL" (Amazon VPC user guide).
fn admits_all(reader: &Reader<'_>, body: &Block<'_>, key: &str) -> bool {
    let entries = body.blocks(key);
    let [ipv4, ipv6] = FAMILIES.map(|family| first_admits(&entries, family, ("action", "protocol", "rule_no")));
    let needs_ipv6 = reader.into.account.vpcs.values().any(|vpc| !vpc.ipv6.is_empty());
    ipv4 == Some(true) && ipv6.unwrap_or(!needs_ipv6)
}

/// Returns whether the first entry of a family admits all of it; nothing where it has none. Where a number is not known, any may be the first.
fn first_admits(
    entries: &[Block<'_>],
    (family, all): (&str, &str),
    (action, protocol, number): (&str, &str, &str),
) -> Option<bool> {
    let is_of_family = |entry: &&Block<'_>| match entry.value(family) {
        Value::Is(block) => block.text() != Some(""),
        Value::Absent => false,
        Value::Unknown => entry.is_given(family),
        Value::Hidden => true,
    };
    let admits = |entry: &Block<'_>| {
        matches!(entry.text(protocol), Some("-1" | "all"))
            && entry.text(action) == Some("allow")
            && entry.text(family) == Some(all)
    };
    let number = |entry: &&Block<'_>| entry.value(number).known().and_then(Node::number);
    let of_family: Vec<&Block<'_>> = entries.iter().filter(is_of_family).collect();
    if of_family.iter().any(|entry| number(entry).is_none()) {
        return Some(of_family.into_iter().all(admits));
    }
    of_family.into_iter().min_by_key(number).map(admits)
}
