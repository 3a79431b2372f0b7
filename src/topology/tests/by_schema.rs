//! Files that the reader and the JSON Schema have to agree on.

use super::*;

#[test]
fn questions_to_services_are_read_and_fit_the_schema() {
    let file = |questions: &str| {
        format!(
            "sglab: 1\nera: vpc\nhosts: {{office: 203.0.113.10}}\ngroups: {{A: []}}\ninstances: {{a: {{groups: A}}}}\n\
             scenario:\n- step: s\n  expect: {{answered: {questions}}}\n"
        )
    };
    let text = file("['a -> dns', 'A->metadata', 'any ->  time']");
    let topology = read(&text);
    let Expectation::Answered(questions) = &topology.steps[0].expectations[0].value else { panic!("questions") };
    let read: Vec<_> = questions.iter().map(|it| (it.from.clone(), it.service)).collect();
    let (instance, group) = (InstanceName::new("a"), GroupName::new("A"));
    let expected = [Selector::Instance(instance), Selector::Group(group), Selector::Any].into_iter();
    assert!(read.into_iter().eq(expected.zip(VpcService::ALL)));
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    assert!(validator.is_valid(&as_json(&text)));
    for bad in ["['a -> dsn']", "['a']", "['a -> dns:53']", "[]"] {
        let text = file(bad);
        refused(&text);
        assert!(!validator.is_valid(&as_json(&text)), "{bad}");
    }
    assert!(refused(&file("['office -> dns']")).contains("a host outside has none of the services"));
    assert!(refused(&file("['a -> dsn']")).contains("did you mean `dns`?"));
}

#[test]
fn the_starter_file_is_good() {
    let topology = read(STARTER);
    assert_eq!(topology.steps.len(), 4);
    assert!(STARTER.contains("# "), "it explains itself");
}

#[test]
fn the_schema_takes_every_good_file() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    for (name, yaml) in [("two-tier", TWO_TIER), ("starter", STARTER)] {
        let errors: Vec<_> =
            validator.iter_errors(&as_json(yaml)).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn load_balancers_are_read_as_the_schema_has_them() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    for yaml in [
        include_str!("../../../topologies/gotchas/a-load-balancer-target-on-a-new-address.yaml"),
        include_str!("../../../topologies/gotchas/behind-a-load-balancer-in-classic.yaml"),
        include_str!("../../../topologies/gotchas/behind-a-load-balancer-the-client-is-gone.yaml"),
    ] {
        read(yaml);
        let errors: Vec<_> =
            validator.iter_errors(&as_json(yaml)).map(|e| format!("{e} at {}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
        for (good, bad) in [
            ("listeners: [tcp 80]", "listeners: [udp 80]"),
            ("interval: 0.2", "interval: 0"),
            ("unhealthy: 2", "unhealthy: 1"),
            ("targets: [web1, web2]", "instances: [web1, web2]"),
        ] {
            let changed = yaml.replace(good, bad);
            refused(&changed);
            assert!(!validator.is_valid(&as_json(&changed)), "{bad}");
        }
    }
    let one = |scheme: &str| {
        format!(
            "sglab: 1\nera: vpc\ngroups: {{A: []}}\ninstances: {{app: {{groups: A}}}}\n\
             load-balancers: {{lb: {{scheme: {scheme}, groups: A, listeners: tcp 80}}}}\n\
             scenario: [{{step: s, expect: {{dropped: ['app -> lb:80']}}}}]\n"
        )
    };
    for scheme in ["internet-facing", "internal"] {
        read(&one(scheme));
        assert!(validator.is_valid(&as_json(&one(scheme))), "{scheme}");
    }
    refused(&one("public"));
    assert!(!validator.is_valid(&as_json(&one("public"))));
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    let changes = [
        ("era: article", "era: roman"),
        ("era: article", "eras: article"),
        ("sglab: 1 ", "sglab: 2 "),
        ("SG-I-WEB1: []", "SG-I-WEB1: 7"),
        ("SG-I-WEB1: []", "SG-I-WEB1:"),
        ("[tcp 80 from anywhere]", "[gre 80 from anywhere]"),
        ("[tcp 80 from anywhere]", "[{protocol: tcp, prot: 80, from: anywhere}]"),
        ("listens: [tcp 22, tcp 80]", "listens: {tcp: 22}"),
        ("  - step: db1 and db2 share SG-T-DB", "  - note: db1 and db2 share SG-T-DB"),
        ("{stop: web1}", "{restart: web1}"),
        ("{stop: web1}", "{stop: web1, crash: web1}"),
        ("rules: unchanged", "rules: same"),
        ("expect: {table: two-tier}", "expect: {}"),
    ];
    for (good, bad) in changes {
        assert!(TWO_TIER.contains(good), "{good}");
        let changed = TWO_TIER.replace(good, bad);
        refused(&changed);
        assert!(!validator.is_valid(&as_json(&changed)), "{bad}");
    }
}

#[test]
fn the_examples_of_the_documentation_are_one_good_file() {
    let text = include_str!("../../../docs/topology.md");
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let file: String = blocks.collect();
    read(&file);
    let validator = jsonschema::validator_for(&schema()).expect("the schema is one");
    assert!(validator.is_valid(&as_json(&file)));
}
