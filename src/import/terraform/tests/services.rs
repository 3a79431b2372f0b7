//! Managed services as members of groups.

use serde_json::json;

use super::support::{account, members, reasons, state};
use crate::account::{Holder, Public};

#[test]
fn services_are_members_with_their_holders_and_public_ways() {
    let groups = || json!(["sg-1"]);
    let state = state(&[
        (
            "aws_lb.front",
            json!({"id": "arn:1", "internal": false, "security_groups": groups(), "load_balancer_type": "application"}),
        ),
        ("aws_elb.inner", json!({"id": "inner", "internal": true, "security_groups": groups()})),
        (
            "aws_lb.plain",
            json!({"id": "arn:2", "internal": true, "load_balancer_type": "network", "security_groups": []}),
        ),
        ("aws_db_instance.db", json!({"id": "db", "publicly_accessible": true, "vpc_security_group_ids": groups()})),
        ("aws_elasticache_cluster.c", json!({"id": "c", "security_group_ids": groups()})),
        (
            "aws_lambda_function.f",
            json!({"id": "f", "vpc_config": [{"security_group_ids": groups(), "subnet_ids": []}]}),
        ),
        (
            "aws_ecs_service.s",
            json!({"id": "s", "network_configuration": [
            {"security_groups": groups(), "assign_public_ip": true, "subnets": []}]}),
        ),
        ("aws_opensearch_domain.o", json!({"id": "o", "vpc_options": [{"security_group_ids": groups()}]})),
    ]);
    let account = account(&state);
    let why = "a network load balancer without groups filters nothing";
    assert_eq!(
        members(&account),
        [
            "front: sg-1",
            "inner: sg-1",
            &format!("plain: ?{why}"),
            "db: sg-1",
            "c: sg-1",
            "f: sg-1",
            "s: sg-1",
            "o: sg-1"
        ]
    );
    let holders: Vec<Holder> = account.interfaces.values().map(|interface| interface.holder).collect();
    let (balancer, database) = (Holder::LoadBalancer, Holder::Database);
    assert_eq!(
        holders,
        [balancer, balancer, balancer, database, database, Holder::Function, Holder::Service, database]
    );
    let open = account.interfaces.values().filter(|interface| interface.public == Public::At(Vec::new()));
    assert_eq!(open.map(|interface| interface.label.as_str()).collect::<Vec<_>>(), ["front", "db", "s"]);
    assert_eq!(reasons(&account), [format!("aws_lb.plain: not known: its groups: {why}")]);
}
