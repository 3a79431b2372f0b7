//! The shape of the public module for EKS, written by hand from its source.

use serde_json::{Value, json};

use super::modules::{group, rule, unknown_rules, vpc_module, vpc_resources};
use super::support::{account, call, configured, constant, members, module, new, plan, refs, rules};

/// terraform-aws-modules/eks, main.tf, node_groups.tf and modules/eks-managed-node-group/main.tf.
fn eks_module() -> Value {
    let apart = |name: &str, group: &str, source: &str| {
        let mut entry = configured(
            &format!("aws_security_group_rule.{name}"),
            json!({"security_group_id": refs(&[group]), "cidr_blocks": refs(&["each.value.cidr_blocks"]),
                "source_security_group_id": refs(&["each.value.source_security_group_id",
                    "each.value.source_cluster_security_group", source])}),
        );
        entry["for_each_expression"] = refs(&[
            "local.node_security_group_rules",
            "local.node_security_group_recommended_rules",
            "var.node_security_group_additional_rules",
            "local.create_node_sg",
        ]);
        entry
    };
    let node_group = module(
        vec![
            configured(
                "aws_launch_template.this",
                json!({"vpc_security_group_ids": refs(&["local.network_interfaces", "local.security_group_ids"])}),
            ),
            configured("aws_eks_node_group.this", json!({"subnet_ids": refs(&["var.subnet_ids"])})),
        ],
        &[
            ("vpc_security_group_ids", json!([])),
            ("cluster_primary_security_group_id", json!(null)),
            ("subnet_ids", json!(null)),
        ],
        &[],
    );
    let mut node_groups = call(
        json!({
            "subnet_ids": refs(&["each.value.subnet_ids", "var.subnet_ids"]),
            "vpc_security_group_ids": refs(&["local.node_security_group_id", "each.value.vpc_security_group_ids",
                "var.eks_managed_node_group_defaults.vpc_security_group_ids"]),
            "cluster_primary_security_group_id": refs(&["each.value.attach_cluster_primary_security_group",
                "aws_eks_cluster.this[0].vpc_config[0].cluster_security_group_id"])}),
        node_group,
    );
    node_groups["for_each_expression"] = refs(&["var.eks_managed_node_groups", "var.create"]);
    let mut eks = module(
        vec![
            configured(
                "aws_eks_cluster.this",
                json!({"vpc_config": [{
                    "security_group_ids": refs(&["var.cluster_additional_security_group_ids", "local.cluster_security_group_id"]),
                    "subnet_ids": refs(&["var.control_plane_subnet_ids", "var.subnet_ids"])}]}),
            ),
            configured("aws_security_group.cluster", json!({"vpc_id": refs(&["var.vpc_id"])})),
            configured("aws_security_group.node", json!({"vpc_id": refs(&["var.vpc_id"])})),
            apart("cluster", "aws_security_group.cluster[0].id", "local.node_security_group_id"),
            apart("node", "aws_security_group.node[0].id", "local.cluster_security_group_id"),
        ],
        &[
            ("vpc_id", json!(null)),
            ("subnet_ids", json!([])),
            ("control_plane_subnet_ids", json!([])),
            ("create", json!(true)),
            ("cluster_security_group_id", json!("")),
            ("node_security_group_id", json!("")),
            ("cluster_additional_security_group_ids", json!([])),
            ("node_security_group_additional_rules", json!({})),
            ("eks_managed_node_groups", json!({})),
            ("eks_managed_node_group_defaults", json!({})),
        ],
        &[("node_security_group_id", refs(&["aws_security_group.node[0].id"]))],
    );
    eks["module_calls"] = json!({"eks_managed_node_group": node_groups});
    eks
}

/// A plan of the module, with an expression for its node groups.
fn eks_plan(node_groups: &Value) -> Value {
    let mut resources = vpc_resources();
    resources.extend([
        group("module.eks.aws_security_group.cluster[0]"),
        group("module.eks.aws_security_group.node[0]"),
        rule("module.eks.aws_security_group_rule.cluster[\"ingress_nodes_443\"]", "ingress", 443, json!({})),
        rule("module.eks.aws_security_group_rule.node[\"ingress_cluster_443\"]", "ingress", 443, json!({})),
        rule(
            "module.eks.aws_security_group_rule.node[\"ingress_self_coredns_tcp\"]",
            "ingress",
            53,
            json!({"self": true}),
        ),
        rule(
            "module.eks.aws_security_group_rule.node[\"egress_all\"]",
            "egress",
            0,
            json!({"cidr_blocks": ["0.0.0.0/0"]}),
        ),
        new(
            "module.eks.aws_eks_cluster.this[0]",
            json!({"name": "shop", "vpc_config": [{"endpoint_public_access": true}]}),
            json!({"id": true, "vpc_config": [{"security_group_ids": true, "subnet_ids": true,
                "cluster_security_group_id": true}]}),
        ),
        new(
            "module.eks.module.eks_managed_node_group[\"one\"].aws_launch_template.this[0]",
            json!({}),
            json!({"id": true, "vpc_security_group_ids": true}),
        ),
        new(
            "module.eks.module.eks_managed_node_group[\"one\"].aws_eks_node_group.this[0]",
            json!({"cluster_name": "shop", "launch_template": [{}], "remote_access": []}),
            json!({"id": true, "subnet_ids": true, "launch_template": [{"id": true, "name": true, "version": true}]}),
        ),
    ]);
    let configuration = json!({"module_calls": {
        "vpc": call(json!({}), vpc_module()),
        "eks": call(json!({
            "vpc_id": refs(&["module.vpc.vpc_id"]),
            "subnet_ids": refs(&["module.vpc.private_subnets"]),
            "eks_managed_node_groups": node_groups}), eks_module()),
    }});
    plan(&resources, configuration)
}

#[test]
fn a_group_that_is_given_under_an_unknown_condition_is_unknown() {
    let members = |node_groups: &Value| members(&account(&eks_plan(node_groups)))[1].clone();
    let nodes = "eks.eks_managed_node_group[\"one\"]: ";
    let why = "`attach_cluster_primary_security_group` is not known";
    assert_eq!(members(&refs(&["local.groups"])), format!("{nodes}?{why}"));
    let attached = json!({"one": {"attach_cluster_primary_security_group": true}});
    assert!(members(&constant(attached)).contains("cluster_security_group_id"));
}

#[test]
fn the_eks_module_has_no_unknown_rule_and_knows_its_nodes() {
    let account = account(&eks_plan(&constant(json!({"one": {"instance_types": ["m5.large"]}}))));
    let (cluster, node) = ("module.eks.aws_security_group.cluster[0]", "module.eks.aws_security_group.node[0]");
    let expected = [
        format!("eks.cluster < tcp 443 {node}"),
        format!("eks.node < tcp 443 {cluster}"),
        format!("eks.node < tcp 53 {node}"),
        "eks.node > all 0.0.0.0/0".to_owned(),
    ];
    assert_eq!(rules(&account)[..4], expected);
    assert_eq!(unknown_rules(&account), 0);
    assert_eq!(
        members(&account),
        [
            format!("eks: {cluster} module.eks.aws_eks_cluster.this[0].cluster_security_group_id"),
            format!("eks.eks_managed_node_group[\"one\"]: {node}"),
        ]
    );
}
