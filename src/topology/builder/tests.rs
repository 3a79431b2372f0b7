use super::*;
use crate::model::Operation;

/// Returns the initial cloud of a file, without the places in the file.
fn meaning(topology: &Topology) -> String {
    let mut cloud = topology.initial_cloud(topology.eras[0]).unwrap();
    cloud.groups.values_mut().for_each(|group| group.place = None);
    for group in cloud.groups.values_mut() {
        group.ingress.iter_mut().chain(&mut group.egress).for_each(|rule| rule.place = None);
    }
    cloud.instances.values_mut().for_each(|instance| instance.place = None);
    cloud.hosts.values_mut().for_each(|host| host.place = None);
    format!("{cloud:#?} {:?}", topology.eras)
}

#[test]
fn a_builder_says_what_a_file_says() {
    let file = "
sglab: 1
era: vpc
knobs: {quotas: ignored}
vpcs: {main: {cidr: 10.1.0.0/16, subnets: {a: 10.1.1.0/24, b: 10.1.2.0/24}, ipv6: yes}}
hosts: {office: 203.0.113.10, world: [198.51.100.7, 192.0.2.99]}
elastic-ips: {eip-web: db1, spare: none}
prefix-lists: {partners: [192.0.2.128/25]}
groups:
  web: [tcp 443 from anywhere, tcp 22 from partners]
  db: {description: 'databases: all of them', ingress: [tcp 5432 from web], egress: []}
instances:
  web1: {groups: [web], listens: [tcp 443], subnet: b, interfaces: {eth1: {groups: [db], subnet: a}}}
  db1:
    groups: [db, web]
    address: 10.1.1.50
    public: no
    services: {db: {command: [dbd, -v, '1'], port: tcp 5432, log: db.log}, agent: {command: exec ./agent --verbose}}
    mounts: {/srv/www: ./www, /var/lib/mysql: ./data writable, /var/lib/nginx: empty}
";
    let built = Topology::builder(Era::Vpc)
        .knob("quotas", "ignored")
        .vpc("main", NewVpc::block("10.1.0.0/16").subnets([("a", "10.1.1.0/24"), ("b", "10.1.2.0/24")]).ipv6())
        .host("office", ["203.0.113.10"])
        .host("world", ["198.51.100.7", "192.0.2.99"])
        .elastic_ip_of("eip-web", "db1")
        .elastic_ip("spare")
        .prefix_list("partners", ["192.0.2.128/25"])
        .group("web", ["tcp 443 from anywhere", "tcp 22 from partners"])
        .group_with(
            "db",
            NewGroup::new()
                .description("databases: all of them")
                .ingress(["tcp 5432 from web"])
                .egress(Vec::<String>::new()),
        )
        .instance(
            "web1",
            NewInstance::in_groups(["web"]).listens(["tcp 443"]).subnet("b").interface_in("eth1", ["db"], "a"),
        )
        .instance(
            "db1",
            NewInstance::in_groups(["db", "web"])
                .service("db", NewService::command(["dbd", "-v", "1"]).port("tcp 5432").log("db.log"))
                .service("agent", NewService::line("exec ./agent --verbose"))
                .mount("/srv/www", "./www")
                .mount("/var/lib/mysql", "./data writable")
                .mount("/var/lib/nginx", "empty")
                .address("10.1.1.50")
                .private_only(),
        );
    let read = Topology::parse_cloud("file", file.as_bytes()).unwrap();
    assert_eq!(meaning(&built.build().unwrap()), meaning(&read));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_the_line_of_the_text_that_was_made() {
    let wrong = Topology::builder(Era::Vpc)
        .group("db", ["tcp 5432 from wbe"])
        .group("db", ["tcp 99999 from anywhere"])
        .instance("db1", NewInstance::in_groups(["bd"]));
    let problems = wrong.build().unwrap_err();
    let text = problems.to_string();
    assert!(problems.len() >= 3, "{text}");
    for said in ["`wbe`", "99999", "did you mean `db`?", "builder:4:"] {
        assert!(text.contains(said), "{said} in {text}");
    }
}

#[test]
fn no_text_escapes_from_its_quotes() {
    let described = |text: &str| Topology::builder(Era::Vpc).group_with("g", NewGroup::new().description(text)).build();
    let hostile = "x, egress: [], y: {} #";
    let built = described(hostile).unwrap();
    let description = built.initial.iter().find_map(|operation| match &operation.value {
        Operation::CreateGroup(group) => group.description.clone(),
        _ => None,
    });
    assert_eq!(description.as_deref(), Some(hostile));
    // EC2 takes no quotes there: it is refused as one text, and nothing else is found in it.
    let refused = described("x\", egress: [], y: \"\n  z: [all from anywhere]\\").unwrap_err();
    let words: Vec<&str> = refused.iter().map(|problem| problem.message()).collect();
    assert!(matches!(words.as_slice(), [one] if one.contains("Invalid security group description")), "{words:?}");
}

#[test]
fn a_scenario_is_said_in_the_words_of_the_file() {
    let built = Topology::builder(Era::Vpc)
        .also_under(Era::Classic)
        .group("web", ["tcp 443 from anywhere"])
        .instance("web1", NewInstance::in_groups(["web"]))
        .yaml("scenario:\n  - {step: as launched, expect: {open: ['any -> web1:443']}}")
        .build()
        .unwrap();
    assert_eq!((built.steps.len(), built.eras.len()), (1, 2));
}
