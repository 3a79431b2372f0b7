//! Checks on accounts: examples, allowances, conventions, fingerprints, SARIF, cures.

use std::collections::HashSet;

use serde_json::{Value, json};

use sglab::account::Account;
use sglab::import::{self, Text, read};
use sglab::lint::{
    Allowance, CureWords, Date, Finding, Level, Listeners, Options, Outcome, Platform, Profile, Scope, all,
    in_comments, lint,
};
use sglab::model::SourceLocation;
use sglab::report::Style;
use sglab::report::lint::{catalogue, json as json_report, sarif, text};
use sglab::topology::{EXAMPLES, Topology};

const TODAY: &str = "2026-11-30";

pub struct Source {
    pub account: Account,
    options: Options,
    listeners: Option<Listeners>,
    allowances: Vec<Allowance>,
}

/// Reads a topology, or replies of `aws ec2 describe-*`.
pub fn source(name: &str, content: &str) -> Source {
    let mut options = Options::default();
    if !import::is_topology(content) {
        let account = read(&[Text { name: name.into(), text: content.into() }], None);
        let account = account.unwrap_or_else(|faults| panic!("{name}: {faults}"));
        return Source { account, options, listeners: None, allowances: Vec::new() };
    }
    let topology = Topology::parse_cloud(name, content.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let cloud =
        topology.initial_cloud(topology.eras[0]).unwrap_or_else(|(refusal, place)| panic!("{place}: {refusal}"));
    options.platform = Platform::of(&cloud);
    Source {
        account: import::account_of(&cloud, name),
        options,
        listeners: Some(import::listeners_of(&cloud)),
        allowances: in_comments(name, content).unwrap_or_else(|faults| panic!("{}", faults[0])),
    }
}

impl Source {
    fn lint(&self) -> Outcome {
        let today = TODAY.parse::<Date>().unwrap();
        lint(&self.account, &self.options, self.listeners.as_ref(), (&self.allowances, today))
    }

    pub fn of(&self, check: &str) -> Vec<Finding> {
        self.lint().findings.into_iter().filter(|finding| finding.check.id == check).collect()
    }
}

fn ids(outcome: &Outcome) -> HashSet<&str> {
    outcome.findings.iter().map(|finding| finding.check.id).collect()
}

#[test]
fn each_check_finds_its_bad_example_and_nothing_in_the_good_one() {
    let mut faults = Vec::new();
    for check in all() {
        if source("bad.yaml", check.bad).of(check.id).is_empty() {
            faults.push(format!("{} finds nothing in its bad example", check.id));
        }
        for finding in source("good.yaml", check.good).of(check.id) {
            faults.push(format!("{} finds in its good example: {}", check.id, finding.message));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn each_check_has_an_id_of_its_own_a_reason_and_somebody_s_advice() {
    let mut seen = HashSet::new();
    for check in all() {
        assert!(seen.insert(check.id), "{} is there twice", check.id);
        assert!(!check.why.is_empty() && !check.advice.is_empty() && !check.profiles.is_empty(), "{}", check.id);
        assert!(check.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
    }
    assert!(seen.len() >= 25, "{} checks", seen.len());
}

#[test]
fn the_page_has_the_list_of_checks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- sglab lint --list -->\n", "<!-- end -->\n");
    let (before, rest) = page.split_once(begin).expect("the mark before the table");
    let (table, after) = rest.split_once(end).expect("the mark behind the table");
    if std::env::var_os("SGLAB_BLESS").is_some() {
        std::fs::write(path, format!("{before}{begin}{}{end}{after}", catalogue::markdown())).unwrap();
        return;
    }
    assert_eq!(table, catalogue::markdown(), "run this test with SGLAB_BLESS=1 and read the difference");
    let listed = catalogue::list(Style::default());
    assert!(all().all(|check| listed.contains(check.id) && listed.contains(check.title)));
}

/// An account as many have it: names of its own, and no convention.
const FOREIGN: &str = r#"{
"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
"SecurityGroups": [
  {"GroupId": "sg-web", "GroupName": "prod-web", "VpcId": "vpc-1", "Description": "web",
   "IpPermissions": [
     {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "shop"}]},
     {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "203.0.113.0/28", "Description": "office"}]}]},
  {"GroupId": "sg-db", "GroupName": "prod-db", "VpcId": "vpc-1", "Description": "db",
   "IpPermissions": [
     {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "sg-web", "Description": "queries"}]},
     {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "10.0.0.11/32", "Description": "web1"}]}]}],
"NetworkInterfaces": [
  {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.11", "Groups": [{"GroupId": "sg-web"}],
   "Attachment": {"InstanceId": "i-1"}, "Status": "in-use"},
  {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "PrivateIpAddress": "10.0.0.21", "Groups": [{"GroupId": "sg-db"}],
   "Attachment": {"InstanceId": "i-2"}, "Status": "in-use"}]
}"#;

#[test]
fn an_account_without_a_convention_is_not_judged_by_one() {
    let outcome = source("account.json", FOREIGN).lint();
    assert_eq!(ids(&outcome), HashSet::from(["address-in-rule"]), "{:?}", outcome.findings);
    let finding = &outcome.findings[0];
    assert_eq!(
        finding.cure,
        ["sglab authorize prod-db 'tcp 5432 from prod-web'", "sglab revoke prod-db 'tcp 5432 from 10.0.0.11'"]
    );
}

#[test]
fn a_convention_of_ones_own_is_judged_as_the_article_s() {
    let mut account = source("account.json", FOREIGN);
    account.options.convention = "tier=prod-*,admin=prod-admin".parse().unwrap();
    assert!(ids(&account.lint()).contains("admin-group-missing"));
}

#[test]
fn groups_alone_say_nothing_of_members() {
    let groups = r#"{"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "a", "Description": "a"},
        {"GroupId": "sg-2", "GroupName": "b", "Description": "b", "IpPermissions": [
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": "sg-1", "Description": "c"}]}]}]}"#;
    assert_eq!(ids(&source("groups.json", groups).lint()), HashSet::new());
}

#[test]
fn the_article_s_own_topology_follows_the_article() {
    let (_, content) = EXAMPLES.iter().find(|(name, _)| *name == "two-tier").expect("a built-in topology");
    let mut topology = source("two-tier.yaml", content);
    topology.options.profile = Profile::Article;
    let outcome = topology.lint();
    assert_eq!(outcome.count(Level::Error) + outcome.count(Level::Warning), 0, "{:?}", outcome.findings);
}

/// Two rules for two addresses are one rule for the tier that has exactly these two.
#[test]
fn a_port_is_open_to_everybody_by_a_list_or_by_two_halves_too() {
    let of = |peers: &Value| {
        let mut rule = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22});
        rule.as_object_mut().unwrap().extend(peers.as_object().unwrap().clone());
        let lists = ["0.0.0.0/0", "198.51.100.0/24"].map(|entry| {
            let id = if entry == "0.0.0.0/0" { "pl-all" } else { "pl-office" };
            json!({"PrefixListId": id, "PrefixListName": id, "Entries": [{"Cidr": entry}]})
        });
        let group = json!({"GroupId": "sg-1", "GroupName": "web", "IpPermissions": [rule], "IpPermissionsEgress": []});
        let reply = json!({"SecurityGroups": [group], "PrefixLists": lists}).to_string();
        source("reply.json", &reply).of("admin-from-anywhere").len()
    };
    let halves = json!({"IpRanges": [{"CidrIp": "0.0.0.0/1"}, {"CidrIp": "128.0.0.0/1"}]});
    assert_eq!(of(&halves), 2);
    assert_eq!(of(&json!({"PrefixListIds": [{"PrefixListId": "pl-all"}]})), 1);
    for closed in [
        json!({"IpRanges": [{"CidrIp": "0.0.0.0/1"}]}),
        json!({"PrefixListIds": [{"PrefixListId": "pl-office"}, {"PrefixListId": "pl-else"}]}),
        json!({"Ipv6Ranges": [{"CidrIpv6": "2000::/3"}]}),
    ] {
        assert_eq!(of(&closed), 0, "{closed}");
    }
}

#[test]
fn several_addresses_are_cured_by_the_group_that_holds_them() {
    let (_, content) = EXAMPLES.iter().find(|(name, _)| *name == "by-address").expect("a built-in topology");
    let found = source("by-address.yaml", content).of("address-in-rule");
    let cure = [
        "sglab authorize SG-T-DB 'tcp 3306 from SG-T-WEB'",
        "sglab revoke SG-T-DB 'tcp 3306 from 10.0.0.11'",
        "sglab revoke SG-T-DB 'tcp 3306 from 10.0.0.12'",
    ];
    assert_eq!(found.iter().map(|one| one.cure.clone()).collect::<Vec<_>>(), [cure, cure]);
}

#[test]
fn every_built_in_topology_is_judged() {
    for (name, content) in EXAMPLES {
        let outcome = source(name, content).lint();
        for finding in &outcome.findings {
            assert!(!finding.message.is_empty() && finding.fingerprint.len() == 32, "{name}: {finding:?}");
        }
    }
}

const ADMIN: &str = "\
sglab: 1
era: vpc
groups:
  web: [tcp 22 from anywhere]   # sglab: allow admin-from-anywhere - a honeypot
instances: {web1: {groups: web}}
";

#[test]
fn what_is_allowed_on_its_line_is_no_finding() {
    let outcome = source("a.yaml", ADMIN).lint();
    assert!(!ids(&outcome).contains("admin-from-anywhere") && !ids(&outcome).contains("useless-allowance"));
    assert_eq!(outcome.allowed.len(), 1);
    assert_eq!(outcome.allowed[0].1.reason, "a honeypot");
}

#[test]
fn an_allowance_counts_on_its_last_day_and_not_behind_it() {
    let until = |day: &str| source("a.yaml", &ADMIN.replace("honeypot", &format!("honeypot until {day}"))).lint();
    assert_eq!(until(TODAY).allowed.len(), 1);
    let over = until("2026-11-29");
    assert!(ids(&over).contains("admin-from-anywhere"));
    let useless: Vec<&Finding> = over.findings.iter().filter(|one| one.check.id == "useless-allowance").collect();
    assert_eq!(useless[0].message, "the allowance of admin-from-anywhere ended on 2026-11-29");
    assert_eq!(useless[0].origin.place.line, 4);
}

#[test]
fn an_allowance_of_a_check_that_was_not_run_is_not_useless() {
    let mut topology = source("a.yaml", &ADMIN.replace("admin-from-anywhere", "wide-range"));
    assert!(ids(&topology.lint()).contains("useless-allowance"), "no range is wide");
    topology.options.profile = Profile::Article;
    assert!(!ids(&topology.lint()).contains("useless-allowance"));
}

#[test]
fn an_allowance_without_a_day_behind_until_is_refused_and_not_for_ever() {
    for until in ["", "null", "[]"] {
        let text = format!("- {{check: all-ports, resource: sg-1, reason: a test, until: {until}}}\n");
        let faults = import::allowances("allow.yaml", text.into()).unwrap_err();
        assert!(faults.to_string().contains("`until` has no day"), "{faults}");
    }
}

#[test]
fn the_quota_of_groups_is_that_of_the_platform() {
    let groups = "{a: [], b: [], c: [], d: [], e: [], f: []}";
    let file = |era: &str| {
        let text = "instances: {web1: {groups: [a, b, c, d, e, f]}}\nknobs: {quotas: ignored}\n";
        source("a.yaml", &format!("sglab: 1\nera: {era}\ngroups: {groups}\n{text}"))
    };
    assert_eq!(file("vpc").of("near-quota")[0].message, "is in 6 groups of 5");
    assert!(file("classic").of("near-quota").is_empty());
}

/// A group of so many rules for blocks and one for a list, as `aws ec2 describe-*` tells them.
fn with_a_list(blocks: usize, lists: &str) -> Source {
    let ranges: Vec<Value> = (0..blocks).map(|n| json!({ "CidrIp": format!("198.51.100.{n}/32") })).collect();
    let rule = json!({
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges, "Ipv6Ranges": [], "UserIdGroupPairs": [],
        "PrefixListIds": [{ "PrefixListId": "pl-3b927c52" }],
    });
    let group = json!({
        "GroupId": "sg-0a", "GroupName": "web", "Description": "web", "VpcId": "vpc-0a", "OwnerId": "123456789012",
        "IpPermissions": [rule], "IpPermissionsEgress": [],
    });
    let lists: Value = serde_json::from_str(lists).unwrap();
    source("account.json", &json!({ "SecurityGroups": [group], "PrefixLists": lists }).to_string())
}

#[test]
fn a_rule_for_a_list_of_amazon_counts_as_amazon_publishes_it() {
    let of_cloudfront =
        r#"[{"PrefixListId": "pl-3b927c52", "PrefixListName": "com.amazonaws.global.cloudfront.origin-facing"}]"#;
    let account = with_a_list(0, of_cloudfront);
    let near = account.of("near-quota");
    assert_eq!(near.len(), 1);
    assert_eq!(near[0].message, "has 55 of 60 rules for what comes in over IPv4");
    let heavy = account.of("prefix-list-weight");
    assert!(
        heavy[0].message.starts_with("counts as 55 of 60 rules, as Amazon publishes of com.amazonaws.global"),
        "{heavy:?}"
    );
}

#[test]
fn the_weight_of_a_list_that_no_source_tells_is_not_counted_as_none() {
    let near = with_a_list(48, "[]").of("near-quota");
    assert_eq!(near.len(), 1);
    assert_eq!(
        near[0].message,
        "has at least 48 of 60 rules for what comes in over IPv4: no source tells as how many pl-3b927c52 counts"
    );
    assert!(with_a_list(47, "[]").of("near-quota").is_empty());
}

#[test]
fn the_cure_of_a_rule_for_udp_is_a_rule_for_udp() {
    let file = "sglab: 1\nera: vpc\ngroups: {dns: [udp 1000-2000 from anywhere]}\ninstances: {dns1: {groups: dns}}\n";
    let cure = &source("a.yaml", file).of("wide-range")[0].cure;
    assert!(cure[0].contains("udp PORT from"), "{cure:?}");
}

#[test]
fn an_instance_named_like_an_interface_is_an_instance() {
    let instance = |name: &str| {
        json!({"InstanceId": format!("i-{name}"), "VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": name}],
               "NetworkInterfaces": [{"NetworkInterfaceId": format!("eni-{name}"), "Groups": [{"GroupId": "sg-1"}]}]})
    };
    let reply = json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "SG-I-SHOP", "VpcId": "vpc-1"}],
                       "Reservations": [{"Instances": [instance("shop.ether-a"), instance("shop.ether-b")]}]});
    assert_eq!(source("a.json", &reply.to_string()).of("instance-group-shared").len(), 1);
}

#[test]
fn an_import_is_allowed_by_resource() {
    let place = SourceLocation { file: "allow.yaml".into(), line: 1, column: 3 };
    let allow = |resource: &str| {
        let mut account = source("account.json", FOREIGN);
        let scope = Scope::Resource(resource.to_owned());
        account.allowances = vec![Allowance::new(("address-in-rule", "moves in May", None), scope, &place).unwrap()];
        account.lint()
    };
    assert_eq!(ids(&allow("sg-db")), HashSet::new());
    assert_eq!(ids(&allow("sg-web")), HashSet::from(["address-in-rule", "useless-allowance"]));
    let entries = |text: &str| import::allowances("allow.yaml", text.into());
    let all = entries("- {check: address-in-rule, resource: sg-db, reason: moves in May, until: 2027-05-01}").unwrap();
    assert_eq!((all[0].check.as_str(), all[0].until.as_deref()), ("address-in-rule", Some("2027-05-01")));
    let faults = entries("- {check: address-in-rule, resource: sg-db, reasons: none}").unwrap_err().to_string();
    assert!(faults.contains("no `reasons`") && faults.contains("lacks its `reason`"), "{faults}");
    assert!(faults.contains("did you mean `reason`?") && faults.contains("allow.yaml:1:"), "{faults}");
}

#[test]
fn a_fingerprint_stays_when_lines_move_and_changes_with_the_rule() {
    let prints = |content: &str| -> Vec<(String, String)> {
        let outcome = source("a.yaml", content).lint();
        outcome.findings.iter().map(|one| (one.check.id.to_owned(), one.fingerprint.clone())).collect()
    };
    let plain = ADMIN.replace("   # sglab: allow admin-from-anywhere - a honeypot", "");
    let moved = plain.replace("groups:\n", "# one\n\ngroups:\n  other: [tcp 443 from anywhere]\n");
    let before = prints(&plain);
    let after: HashSet<(String, String)> = prints(&moved).into_iter().collect();
    assert!(before.len() > 2 && before.iter().all(|one| after.contains(one)), "{before:?}\n{after:?}");
    let other: HashSet<(String, String)> = prints(&plain.replace("tcp 22", "tcp 3389")).into_iter().collect();
    let of = |prints: &[(String, String)]| prints.iter().find(|(id, _)| id == "admin-from-anywhere").cloned().unwrap();
    assert!(!other.contains(&of(&before)));
    let all: HashSet<&String> = before.iter().map(|(_, print)| print).collect();
    assert_eq!(all.len(), before.len(), "two findings have one fingerprint");
}

#[test]
fn sarif_is_what_its_schema_says() {
    // A bracket stands alone in one of its patterns, which not every reader of patterns takes.
    let schema = include_str!("lint/sarif-2.1.0.schema.json").replace("{2}]?$", r"{2}\\]?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::options().build(&schema).unwrap();
    let mut sources: Vec<Source> = all().map(|check| source("/home/me/dir/a b.yaml", check.bad)).collect();
    sources.push(source("/home/me/dir/a b.yaml", ADMIN));
    for source in sources {
        let outcome = source.lint();
        let log: Value = serde_json::from_str(&sarif::sarif(&outcome, Level::Note, Some("/home/me")).unwrap()).unwrap();
        let faults: Vec<String> = validator.iter_errors(&log).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        let results = log["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), outcome.findings.len() + outcome.allowed.len());
        for result in results {
            let location = &result["locations"][0]["physicalLocation"];
            assert_eq!(location["artifactLocation"]["uri"], "dir/a%20b.yaml");
            let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
            assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
        }
    }
    assert!(!validator.is_valid(&json!({"version": "2.1.0", "runs": [{"results": []}]})), "the schema says nothing");
}

#[test]
fn what_is_allowed_is_suppressed_in_sarif_and_apart_in_json() {
    let outcome = source("a.yaml", ADMIN).lint();
    let log: Value = serde_json::from_str(&sarif::sarif(&outcome, Level::Error, None).unwrap()).unwrap();
    let suppression = &log["runs"][0]["results"][0]["suppressions"][0];
    assert_eq!((&suppression["kind"], &suppression["justification"]), (&json!("inSource"), &json!("a honeypot")));
    let document: Value = serde_json::from_str(&json_report::json(&outcome, Level::Error).unwrap()).unwrap();
    assert_eq!((&document["verdict"]["allowed"], &document["verdict"]["errors"]), (&json!(1), &json!(0)));
    assert_eq!(document["allowed"][0]["rule"], "tcp 22 from anywhere");
}

#[test]
fn the_text_has_findings_by_check_the_worst_first() {
    let content = "\
sglab: 1
era: vpc
groups:
  web: [tcp 443 from anywhere, tcp 22 from anywhere]
  db: [tcp 5432 from 10.0.0.11]
instances: {web1: {groups: web, address: 10.0.0.11}, db1: {groups: db}}
";
    let told = text::text(&source("shop.yaml", content).lint(), Level::Warning, Style::default());
    insta::assert_snapshot!(told);
    let narrow = Style { width: Some(80), ..Style::default() };
    let told = text::text(&source("shop.yaml", content).lint(), Level::Note, narrow);
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

/// The cures of a check, in the words of the source.
fn own_cures(content: &str, check: &str) -> Vec<Vec<String>> {
    let mut source = source("plan.json", content);
    source.options.cures = CureWords::OfSources;
    source.of(check).into_iter().map(|finding| finding.cure).collect()
}

#[test]
fn a_cure_for_an_account_is_calls_by_its_ids() {
    let permission = |list: &str| format!(r#"'[{{"IpProtocol":"tcp","FromPort":5432,"ToPort":5432,{list}}}]'"#);
    assert_eq!(
        own_cures(FOREIGN, "address-in-rule"),
        [[
            format!(
                "aws ec2 authorize-security-group-ingress --group-id sg-db --ip-permissions {}",
                permission(r#""UserIdGroupPairs":[{"GroupId":"sg-web"}]"#)
            ),
            format!(
                "aws ec2 revoke-security-group-ingress --group-id sg-db --ip-permissions {}",
                permission(r#""IpRanges":[{"CidrIp":"10.0.0.11/32"}]"#)
            ),
        ]]
    );
}

#[test]
fn a_cure_for_what_a_file_declares_names_the_resource_that_does() {
    let head = include_str!("../../examples/terraform/head.json");
    assert_eq!(
        own_cures(head, "open-to-anywhere"),
        [[
            "aws_security_group.db: add the ingress rule tcp 5432 from GROUP".to_owned(),
            "aws_security_group.db: delete the ingress rule tcp 5432 from anywhere".to_owned(),
        ]]
    );
    let template = "\
Resources:
  Web: {Type: 'AWS::EC2::SecurityGroup', Properties: {GroupDescription: web}}
  Ssh:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !GetAtt Web.GroupId, IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
";
    let cures = own_cures(template, "admin-from-anywhere");
    assert_eq!(cures, [["Web: add the ingress rule tcp 22 from PREFIX-LIST".to_owned(), "Ssh: delete it".to_owned()]]);
}
