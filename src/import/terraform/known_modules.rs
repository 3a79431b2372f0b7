//! Locals of well-known public modules. A plan never says what a local is; the source of these modules does.

use super::configuration::Module;

/// A module told by resources that no other has together, and what its locals refer to.
struct Known {
    /// Resources that its configuration has.
    has: &'static [&'static str],
    /// Locals with their references.
    locals: &'static [(&'static str, &'static [&'static str])],
    /// Variables whose value is given only where a key of `each.value` is true.
    given_where: &'static [(&'static str, &'static str)],
}

const KNOWN: &[Known] = &[
    // terraform-aws-modules/terraform-aws-security-group, main.tf.
    Known {
        has: &[
            "aws_security_group.this",
            "aws_security_group.this_name_prefix",
            "aws_security_group_rule.ingress_rules",
        ],
        locals: &[(
            "this_sg_id",
            &["aws_security_group.this", "aws_security_group.this_name_prefix", "var.security_group_id"],
        )],
        given_where: &[],
    },
    // terraform-aws-modules/terraform-aws-eks, main.tf and node_groups.tf, of versions 18 to 21.
    Known {
        has: &["aws_eks_cluster.this", "aws_security_group.cluster", "aws_security_group.node"],
        locals: &[
            ("cluster_security_group_id", &["aws_security_group.cluster[0].id", "var.cluster_security_group_id"]),
            ("security_group_id", &["aws_security_group.cluster[0].id", "var.security_group_id"]),
            ("node_security_group_id", &["aws_security_group.node[0].id", "var.node_security_group_id"]),
            ("cluster_security_group_rules", &[]),
            ("security_group_rules", &[]),
            ("node_security_group_rules", &[]),
            ("node_security_group_recommended_rules", &[]),
        ],
        given_where: &[],
    },
    // terraform-aws-modules/terraform-aws-eks, modules/eks-managed-node-group/main.tf.
    Known {
        has: &["aws_eks_node_group.this", "aws_launch_template.this"],
        locals: &[
            ("security_group_ids", &["var.cluster_primary_security_group_id", "var.vpc_security_group_ids"]),
            ("network_interfaces", &[]),
        ],
        given_where: &[("cluster_primary_security_group_id", "attach_cluster_primary_security_group")],
    },
    // cloudposse/terraform-aws-security-group, main.tf.
    Known {
        has: &["aws_security_group.cbd", "aws_security_group.default"],
        locals: &[(
            "security_group_id",
            &["aws_security_group.cbd[0].id", "aws_security_group.default[0].id", "var.target_security_group_id"],
        )],
        given_where: &[],
    },
];

fn known(module: &Module<'_>) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.has.iter().all(|resource| module.resources.contains_key(resource)))
}

/// Returns what a local refers to, if the module is known.
pub fn local(module: &Module<'_>, name: &str) -> Option<&'static [&'static str]> {
    known(module)?.locals.iter().find(|(local, _)| *local == name).map(|(_, references)| *references)
}

/// Returns the key that decides whether a variable is given at all.
pub fn given_where(module: &Module<'_>, variable: &str) -> Option<&'static str> {
    known(module)?.given_where.iter().find(|(name, _)| *name == variable).map(|(_, key)| *key)
}

/// Returns true for the name of a condition, which is never an id.
pub fn is_condition(name: &str) -> bool {
    matches!(name, "create" | "enabled")
        || ["create_", "enable_", "is_", "use_"].iter().any(|word| name.starts_with(word))
}
