//! Load balancers of a lab that is up: whom they have behind them, and why they close.

use std::io::{BufRead, BufReader};

use crate::labs::Labs;
use crate::program::User;
use serde_json::Value;

#[test]
fn an_exported_load_balancer_has_whom_it_had_behind_it_and_closes_what_it_closed() {
    let labs = Labs::of(User::Ours);
    for example in ["behind-a-load-balancer-the-client-is-gone", "behind-a-load-balancer-in-classic"] {
        labs.ok(&["up", &format!("example:gotchas/{example}"), "--name", "first"]);
        for (file, closes) in [("closing.yaml", true), ("serving.yaml", false)] {
            if !closes {
                labs.ok(&["authorize", "WEB", "tcp 80 from anywhere"]);
            }
            labs.ok(&["export", "--name", "first", "-o", file]);
            let text = std::fs::read_to_string(labs.program.scratch().join(file)).unwrap();
            assert!(text.contains("closed: [") == closes && text.contains("targets: [web1, web2]"), "{text}");
            let tested = labs.ok(&["test", file]);
            assert!(tested.contains("PASSED"), "{tested}\n{text}");
            std::fs::remove_file(labs.program.scratch().join(file)).unwrap();
        }
        labs.ok(&["down", "--all"]);
    }
}

#[test]
fn a_lab_tells_who_is_in_service_behind_a_load_balancer_and_which_group_dropped_the_health_check() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/behind-a-load-balancer-the-client-is-gone"]);
    let why = "no rule of WEB admits tcp 80 from lb (10.0.0.13)";
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let balancer = &state["load_balancers"][0];
    assert_eq!((&balancer["name"], &balancer["scheme"]), (&"lb".into(), &"internet-facing".into()), "{state}");
    assert_eq!(balancer["dns_name"], "lb.us-east-1.elb.amazonaws.com");
    let target = &balancer["targets"][0];
    assert_eq!((&target["instance"], &target["state"]), (&"web1".into(), &"OutOfService".into()), "{balancer}");
    assert_eq!(target["reason_code"], "Instance");
    let said = "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.";
    assert_eq!((&target["description"], &target["cause"]), (&said.into(), &why.into()));
    let ps = labs.ok(&["ps"]);
    assert!(ps.contains("lb.us-east-1.elb.amazonaws.com  tcp 80\n"), "{ps}");
    assert!(ps.contains("web1  OutOfService  10.0.0.11\n") && ps.contains(why), "{ps}");
    assert!(ps.lines().skip(1).all(|line| line.chars().count() <= 80), "{ps}");
    // The letters are those of `sglab test`.
    let matrix = labs.ok(&["matrix", "--ports", "tcp 80"]);
    assert!(matrix.contains("c closed") && matrix.contains(why), "{matrix}");
    let row = matrix.lines().find(|line| line.starts_with("office")).expect("a row");
    assert!(row.trim_end().ends_with('c'), "{matrix}");
    let told = labs.ok(&["explain", "office", "lb:80"]);
    assert!(told.contains(&format!("behind it  web1 fails its health check: {why}\n")), "{told}");
    assert!(told.contains("- authorize: {WEB: [tcp 80 from ELB]}"), "{told}");
    assert!(told.contains("; but lb closes it: no instance behind it is in service\n"), "{told}");
    assert!(told.contains("probed     closed: lb closed it") && told.ends_with("as predicted\n"), "{told}");
    // What it says would bring them into service does.
    labs.ok(&["authorize", "WEB", "tcp 80 from ELB"]);
    assert!(labs.ok(&["probe", "office", "lb:80"]).contains("  open  "));
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let states: Vec<_> =
        state["load_balancers"][0]["targets"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["InService", "InService"]);
    assert!(labs.ok(&["matrix", "--ports", "tcp 80"]).contains("web2  InService     10.0.0.12\n"));
}

/// Of programs nothing is known before they are asked: the words leave it open, and what the health checks have found says why.
#[test]
fn behind_a_load_balancer_where_nobody_listens_it_is_said_why_it_closes() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("behind.yaml");
    let text = "sglab: 1
era: vpc
hosts: {customer: 203.0.113.7}
groups: {LB: [tcp 80 from anywhere], WEB: [tcp 8080 from LB]}
load-balancers:
  site: {groups: LB, listeners: [tcp 80 to 8080], targets: [web1], health-check: {port: 8080, interval: 0.1, unhealthy: 2, healthy: 2}}
instances: {web1: {groups: WEB}}
scenario: [{step: s, expect: {dropped: ['customer -> web1:8080']}}]
";

    std::fs::write(&file, text).expect("written");
    labs.ok(&["up", "behind.yaml"]);
    let why = "web1 fails its health check: 10.0.0.11:8080: refused";
    let told = labs.ok(&["explain", "customer", "site:80"]);
    let head = "open, by LB \"tcp 80 from anywhere\", if a program of web1 listens on tcp 8080; site closes it where nobody \
                behind it does\n";
    assert!(told.contains(head), "{told}");
    let found = told.lines().find(|line| line.starts_with("  probed ")).expect("probed");
    assert!(found.contains("closed: site closed it") && found.contains(why), "{told}");
    assert!(told.ends_with("as predicted\n"), "{told}");
    let probed = labs.ok(&["probe", "customer", "site:80"]);
    assert!(probed.contains("  closed  ") && probed.contains(why), "{probed}");
}

/// As `sglab test` has it: what is let in is open, whoever listens there or not. Who is in service its health check says.
#[test]
fn behind_a_listener_on_another_port_the_harness_answers_where_no_program_does() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("mixed.yaml");
    let text = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10}
groups: {LB: [tcp 81 from anywhere], WEB: [tcp 8080 from LB, tcp 80 from LB]}
load-balancers:
  site: {groups: LB, listeners: [tcp 81 to 8080], targets: [w1, w2], health-check: {port: 80, interval: 0.1, timeout: 1, unhealthy: 2, healthy: 2}}
instances: {w1: {groups: WEB, listens: tcp 80}, w2: {groups: WEB, listens: tcp 80}}
scenario: [{step: s, expect: {open: ['office -> site:81']}}]
";

    std::fs::write(&file, text).expect("written");
    assert!(labs.ok(&["test", "mixed.yaml"]).contains("1 cell: 1 open"));
    labs.ok(&["up", "mixed.yaml"]);
    let probed = labs.ok(&["probe", "office", "site:81"]);
    assert!(probed.starts_with("office -> site:81  open  "), "{probed}");
    let told = labs.ok(&["explain", "office", "site:81"]);
    assert!(told.contains("open, by LB \"tcp 81 from anywhere\"\n"), "{told}");
    assert!(told.contains("  probed     open\n") && told.ends_with("as predicted\n"), "{told}");
    // A program that holds the port keeps it, and what is passed on to it is proved by the filter's record.
    let serve = "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9) or die; print qq(up\\n); close STDOUT; \
                 while (my $c = $s->accept) { close $c }";
    let mut program = labs.command(&["exec", "w1", "--", "perl", "-MIO::Socket::INET", "-e", serve]);
    let mut program = program.stdout(std::process::Stdio::piped()).spawn().expect("a program");
    let up = BufReader::new(program.stdout.take().expect("its output")).lines().next();
    assert_eq!(up.expect("a line").expect("text"), "up");
    for _ in 0..2 {
        assert!(labs.ok(&["probe", "office", "site:81"]).starts_with("office -> site:81  open  "));
    }
    drop(program.kill());
    drop(program.wait());
}

#[test]
fn a_load_balancer_that_faces_the_internet_is_its_public_address_in_hosts_file_resolver_and_probes() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:gotchas/an-internet-facing-load-balancer-from-inside"]);
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).expect("JSON");
    let address = |number: usize, kind: &str| state["load_balancers"][number][kind].as_str().map(str::to_owned);
    let (public, private) = (address(0, "public").expect("an address"), address(1, "private").expect("an address"));
    assert_eq!(address(1, "public"), None, "{state}");
    for (name, address) in [
        ("lb", &public),
        ("lb.us-east-1.elb.amazonaws.com", &public),
        ("within", &private),
        ("internal-within.us-east-1.elb.amazonaws.com", &private),
    ] {
        let known = labs.ok(&["exec", "app", "--", "getent", "ahostsv4", name]);
        assert!(known.starts_with(&format!("{address} ")), "{name}: {known}");
    }
    let dropped = labs.ok(&["probe", "app", "lb:80"]);
    assert!(dropped.starts_with("app -> lb:80  dropped  no rule of ELB admits "), "{dropped}");
    assert!(dropped.contains("the name of lb means its public address, inside as well"), "{dropped}");
    let private = labs.ok(&["probe", "app", "lb:80", "--by", "private"]);
    assert!(private.starts_with("app -> lb:80 by private address  open  "), "{private}");
    let told = labs.ok(&["explain", "app", "lb:80"]);
    assert!(told.contains("lb.us-east-1.elb.amazonaws.com means that address inside as well"), "{told}");
    let rule = told.find("- authorize: {ELB: [tcp 80 from app.public]}").expect("a rule");
    let internal = told.find("make lb internal (`scheme: internal`), `app -> lb:80`").expect("another scheme");
    assert!(rule < internal && told.ends_with("as predicted\n"), "{told}");
    assert!(!told.contains("use the private address"), "{told}");
}
