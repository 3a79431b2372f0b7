//! Knobs of an era: each with what the article states, what Amazon documents, and what was chosen.

use std::fmt::Write;

use serde::Serialize;

use super::text::number;
use crate::model::{ELASTIC_IPS, Era, Knobs, Limits, Quotas};
use crate::topology::Topology;

/// One difference between the eras, or one thing in which they do not differ and people expect it.
struct Row {
    /// The key under `knobs:`; nothing for what cannot be set by itself.
    key: Option<&'static str>,
    what: &'static str,
    value: fn(Era, &Knobs) -> String,
    article: Option<&'static str>,
    amazon: Option<&'static str>,
    chosen: Option<&'static str>,
}

/// One knob under one era.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The key under `knobs:` of a topology file, if it can be set by itself.
    pub key: Option<&'static str>,
    /// Subject of the knob.
    pub what: &'static str,
    /// Its value here.
    pub value: String,
    /// True if the file sets it, against the era's preset.
    pub set_by_file: bool,
    /// Statement of the article.
    pub article: Option<&'static str>,
    /// Statement of Amazon's documents, with the page.
    pub amazon: Option<&'static str>,
    /// Choice of sglab where neither says anything, or both do.
    pub chosen: Option<&'static str>,
}

/// Every knob of an era; of a file, with what it overrides.
pub fn explain(era: Era, topology: Option<&Topology>) -> Vec<Explained> {
    let preset = era.knobs();
    let knobs = topology.map_or(preset, |topology| topology.knobs(era));
    ROWS.iter()
        .map(|row| {
            let value = (row.value)(era, &knobs);
            Explained {
                key: row.key,
                what: row.what,
                set_by_file: value != (row.value)(era, &preset),
                value,
                article: row.article,
                amazon: row.amazon,
                chosen: row.chosen,
            }
        })
        .collect()
}

/// The same for people.
pub fn text(era: Era, rows: &[Explained]) -> String {
    let mut out = format!("era {era}\n");
    for row in rows {
        // Writing to a String cannot fail.
        let by = if row.set_by_file { "   (set by the file)" } else { "" };
        let _ = writeln!(out, "\n  {}: {}{by}", row.what, row.value);
        let key = row.key.map_or("not to be set by itself".to_owned(), |key| format!("knobs: {{{key}: ...}}"));
        let _ = writeln!(out, "    key      {key}");
        for (who, words) in [("article", row.article), ("Amazon", row.amazon), ("chosen", row.chosen)] {
            if let Some(words) = words {
                let _ = writeln!(out, "    {who:<8} {words}");
            }
        }
    }
    out
}

fn is_vpc(era: Era, there: &str, not: &str) -> String {
    if era == Era::Vpc { there.to_owned() } else { not.to_owned() }
}

const ROWS: &[Row] = &[
    Row {
        key: Some("change-groups"),
        what: "change an instance's groups",
        value: |_, knobs| knobs.change_groups.as_str().to_owned(),
        article: Some("only while it is stopped (gotcha 4)"),
        amazon: Some(
            "never after launch in EC2-Classic (\"EC2-Classic\", EC2 user guide 2018); any time in a VPC (\"Change the \
             security groups for your EC2 instance\")",
        ),
        chosen: None,
    },
    Row {
        key: Some("self-reference"),
        what: "a rule whose source is its own group",
        value: |_, knobs| knobs.self_reference.as_str().to_owned(),
        article: Some("accepted, and its members \"just refuse to talk to each other\" (gotcha 6)"),
        amazon: Some("lets the members talk (\"Default security groups\", VPC user guide)"),
        chosen: Some("a special case of era article alone; that a group fails by public address is no case in any era"),
    },
    Row {
        key: Some("private-address-on-start"),
        what: "private address after stop and start",
        value: |_, knobs| knobs.private_address_on_start.as_str().to_owned(),
        article: Some("a new one: it \"can, and most probably will change\""),
        amazon: Some("a new one in EC2-Classic, kept in a VPC (\"Stop and start\", EC2 user guide 2018)"),
        chosen: Some("a new one is one that nobody ever had; `address: web1.previous` hands an old one on"),
    },
    Row {
        key: Some("address-on-crash"),
        what: "addresses of an instance whose operating system dies",
        value: |_, knobs| knobs.address_on_crash.as_str().to_owned(),
        article: Some("released (\"should the instance ever crash\")"),
        amazon: Some("only a stop or a termination releases them (\"Amazon EC2 instance IP addressing\")"),
        chosen: Some("where they are kept they answer nothing"),
    },
    Row {
        key: Some("elastic-ip-on-stop"),
        what: "Elastic IP on stop",
        value: |_, knobs| knobs.elastic_ip_on_stop.as_str().to_owned(),
        article: Some("stays"),
        amazon: Some("dissociated in EC2-Classic (EC2 user guide 2018); stays in a VPC (\"Elastic IP addresses\")"),
        chosen: None,
    },
    Row {
        key: Some("quotas"),
        what: "limits on rules, groups and Elastic IPs",
        value: |era, knobs| match knobs.quotas {
            Quotas::Enforced => {
                let (limits, rules_of, groups_of) = if era == Era::Vpc {
                    (Limits::VPC, "group, direction and family", "interface")
                } else {
                    (Limits::CLASSIC, "group", "instance")
                };
                let Limits { rules, groups_of_one, groups } = limits;
                let groups = number(groups);
                format!(
                    "enforced: {rules} rules a {rules_of}; {groups_of_one} groups an {groups_of}; {groups} groups; \
                     {ELASTIC_IPS} Elastic IPs"
                )
            }
            Quotas::Ignored => knobs.quotas.as_str().to_owned(),
        },
        article: Some("five Elastic IPs"),
        amazon: Some("\"Amazon VPC quotas\" (VPC user guide); \"EC2-Classic\" (EC2 user guide 2018)"),
        chosen: Some("era article has those of EC2-Classic; a file may ignore them all"),
    },
    Row {
        key: Some("group-reference-ipv6"),
        what: "IPv6 addresses of the members of a group that a rule names",
        value: |era, knobs| is_vpc(era, knobs.group_reference_ipv6.as_str(), "none to match"),
        article: None,
        amazon: Some("\"private IP addresses\", which leaves it open (\"Security group referencing\", VPC user guide)"),
        chosen: Some("they match, as is commonly held; a file may take the words to the letter"),
    },
    Row {
        key: Some("icmp-errors"),
        what: "ICMP errors that come without a rule which admits them",
        value: |_, knobs| knobs.icmp_errors.as_str().to_owned(),
        article: None,
        amazon: Some("\"Network MTU\" (EC2 user guide) reads as if they always came"),
        chosen: Some("those about tracked flows, as the field reports; a file may take the page's word"),
    },
    Row {
        key: None,
        what: "automatic public address after stop and start",
        value: |_, _| "new".to_owned(),
        article: Some("a new one"),
        amazon: Some("a new one, on both platforms (\"Amazon EC2 instance IP addressing\")"),
        chosen: Some("nobody disagrees, so there is nothing to set; `public: no` launches without one"),
    },
    Row {
        key: None,
        what: "reboot",
        value: |_, _| "every address kept".to_owned(),
        article: None,
        amazon: Some("every address kept (\"Reboot your instance\")"),
        chosen: Some("the same in every era"),
    },
    Row {
        key: None,
        what: "egress rules",
        value: |era, _| is_vpc(era, "enforced; a new group lets everything out", "none, all goes out"),
        article: None,
        amazon: Some("groups of EC2-Classic have rules for what comes in only (\"EC2-Classic\", EC2 user guide 2018)"),
        chosen: Some("it is the platform, and so are IPv6 and protocols: one does not come without the others"),
    },
    Row {
        key: None,
        what: "IPv6",
        value: |era, _| is_vpc(era, "where the VPC has a block", "none"),
        article: None,
        amazon: Some("\"EC2-Classic\" (EC2 user guide 2018): none"),
        chosen: None,
    },
    Row {
        key: None,
        what: "groups of a load balancer",
        value: |era, _| is_vpc(era, "its own, in both directions", "none: its listeners are open to everybody"),
        article: None,
        amazon: Some("\"Security groups for your Classic Load Balancer\" (Classic Load Balancers user guide)"),
        chosen: Some("in EC2-Classic rules name `amazon-elb/amazon-elb-sg`, the private addresses of all of them"),
    },
    Row {
        key: None,
        what: "protocols of a rule",
        value: |era, _| is_vpc(era, "all, by name, by number or `all`", "tcp, udp, icmp"),
        article: None,
        amazon: Some("IpPermission (EC2 API reference, 2014 and today)"),
        chosen: None,
    },
    Row {
        key: None,
        what: "connection tracking",
        value: |era, _| is_vpc(era, "by the rules of both directions", "as a VPC whose egress is open"),
        article: None,
        amazon: Some("\"Amazon EC2 security group connection tracking\" (EC2 user guide)"),
        chosen: Some("Classic's own was never documented; it had no egress rules, so egress counts as open"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::schema;

    #[test]
    fn every_knob_of_a_file_is_explained_under_its_key() {
        let schema = schema();
        let known = schema["definitions"]["Knobs"]["properties"].as_object().expect("a mapping of knobs");
        let mut known: Vec<&str> = known.keys().map(String::as_str).collect();
        let mut explained: Vec<&str> = ROWS.iter().filter_map(|row| row.key).collect();
        known.sort_unstable();
        explained.sort_unstable();
        assert_eq!(explained, known);
        assert!(ROWS.iter().all(|row| row.article.is_some() || row.amazon.is_some()), "somebody says so");
    }

    #[test]
    fn what_a_file_sets_by_itself_is_marked() {
        let text = "sglab: 1\nera: vpc\nknobs: {elastic-ip-on-stop: dissociated}\ngroups: {g: [tcp 1 from g]}\n\
                    instances: {a: {groups: g}, b: {groups: g}}\nscenario: [{step: s, expect: {open: ['a -> b:1']}}]\n";
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap();
        let set: Vec<_> = explain(Era::Vpc, Some(&topology)).into_iter().filter(|row| row.set_by_file).collect();
        assert_eq!(
            set.iter().map(|row| (row.key, row.value.as_str())).collect::<Vec<_>>(),
            [(Some("elastic-ip-on-stop"), "dissociated")]
        );
    }

    #[test]
    fn an_era_reads_like_this() {
        insta::assert_snapshot!(text(Era::Article, &explain(Era::Article, None)));
    }
}
