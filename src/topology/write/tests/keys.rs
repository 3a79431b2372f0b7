//! Keys of an instance and knobs: what a file says under each is written, and read again.

use std::collections::BTreeSet;

use super::super::addresses::difference;
use super::super::{Promise, Topology, read, write};
use crate::model::Era;
use crate::topology::document::schema;
use crate::topology::tree::{self, Node, Value};

/// Each knob, and each key of `web1`, of its other interface and of its service, with a value that is not the usual one.
const EVERY_KEY: &str = "\
sglab: 1
era: vpc
knobs:
  change-groups: never
  self-reference: matches-nobody
  private-address-on-start: new
  address-on-crash: released
  elastic-ip-on-stop: dissociated
  quotas: ignored
  group-reference-ipv6: matches-nobody
  icmp-errors: of-every-flow
vpcs:
  west: {cidr: 10.1.0.0/16}
  east: {cidr: 10.0.0.0/16, ipv6: yes, subnets: {a: 10.0.0.0/24, b: 10.0.1.0/24}}
groups:
  G: {vpc: east, ingress: []}
instances:
  web1:
    vpc: east
    groups: G
    subnet: b
    address: 10.0.1.10
    ipv6: no
    secondary-addresses: 10.0.1.20
    source-dest-check: off
    listens: 8080
    services: {web: {command: [./web], port: tcp 80, log: web.log}}
    mounts: {/srv: empty}
    public: no
    forwards: nat
    interfaces:
      eth1: {groups: G, subnet: b, address: 10.0.1.11, ipv6: no, secondary-addresses: 10.0.1.21, source-dest-check: off}
";

/// Where each mapping stands in the file, with its name in the schema.
const MAPPINGS: [(&str, &[&str]); 4] = [
    ("Knobs", &["knobs"]),
    ("Instance", &["instances", "web1"]),
    ("Interface", &["instances", "web1", "interfaces", "eth1"]),
    ("Process", &["instances", "web1", "services", "web"]),
];

/// The keys of a mapping of a file.
fn keys(file: &str, path: &[&str]) -> BTreeSet<String> {
    let mut node = tree::parse(file, &mut Vec::new()).unwrap_or_else(|_| panic!("no YAML:\n{file}")).unwrap();
    for name in path {
        node = entries(node)
            .into_iter()
            .find(|(key, _)| text(key) == *name)
            .unwrap_or_else(|| panic!("{name}:\n{file}"))
            .1;
    }
    entries(node).iter().map(|(key, _)| text(key).to_owned()).collect()
}

fn entries(node: Node) -> Vec<(Node, Node)> {
    let Value::Mapping(entries) = node.value else { panic!("no mapping") };
    entries
}

fn text(key: &Node) -> &str {
    let Value::Scalar(scalar) = &key.value else { panic!("no word") };
    &scalar.text
}

#[test]
fn every_knob_and_every_key_of_an_instance_is_written_and_read_again() {
    let cloud = Topology::parse_cloud("t.yaml", EVERY_KEY.as_bytes())
        .unwrap_or_else(|problems| panic!("{problems}"))
        .initial_cloud(Era::Vpc)
        .unwrap();
    let written = write(&cloud, "a cloud", &Promise::Nothing).unwrap();
    for (name, path) in MAPPINGS {
        let known = &schema()["definitions"][name]["properties"];
        let known: BTreeSet<String> = known.as_object().unwrap_or_else(|| panic!("{name}")).keys().cloned().collect();
        assert_eq!(keys(EVERY_KEY, path), known, "this test sets every key of {name}");
        assert_eq!(keys(&written, path), known, "the writer leaves none of {name} out:\n{written}");
    }
    assert_eq!(difference(&cloud, &read(&written).unwrap()), None);
}
