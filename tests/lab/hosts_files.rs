//! `/etc/hosts` of each namespace: the names as its resolver gives them.

use sglab::compile::names::{internet, router};
use sglab::lab::Lab;
use sglab::model::{Era, GroupName, HostName, InstanceName, Operation, SourceDestCheck, Target, VpcName};

use crate::clouds::*;

const CLOUD: &str = "sglab: 1
era: vpc
vpcs: {a: {cidr: 10.0.0.0/16}, b: {cidr: 10.1.0.0/16, ipv6: yes}}
hosts: {office: [203.0.113.10, '2001:db8:ffff::10']}
groups:
  APP: {vpc: a}
  DB: {vpc: b, ingress: [tcp 3306 from 10.0.0.0/16]}
instances:
  app: {vpc: a, groups: APP}
  db: {vpc: b, groups: DB}
  hidden: {vpc: b, groups: DB, public: no}
scenario: [{step: as launched, expect: {dropped: ['app -> db:3306 by public address at ingress']}}]
";

const CLASSIC: &str = "sglab: 1
era: classic
hosts: {office: 203.0.113.10}
groups: {WEB: [tcp 80 from anywhere]}
instances: {web1: {groups: WEB}, web2: {groups: WEB}}
scenario: [{step: as launched, expect: {open: ['office -> web1:80']}}]
";

/// The file of the instances of a VPC, without the line of `localhost`.
fn inside(lab: &Lab, vpc: &str) -> Vec<String> {
    lines(lab, &router(&VpcName::new(vpc)))
}

fn outside(lab: &Lab) -> Vec<String> {
    lines(lab, &internet())
}

fn lines(lab: &Lab, router: &sglab::network::NodeName) -> Vec<String> {
    let text = std::fs::read_to_string(lab.fabric().files().hosts_file(router)).expect("the hosts file");
    let rest = text.strip_prefix("127.0.0.1 localhost\n").expect("its first line");
    rest.lines().map(str::to_owned).collect()
}

#[sglab::test]
async fn another_vpc_and_the_outside_are_known_by_their_public_addresses() {
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let office = ["203.0.113.10 office", "2001:db8:ffff::10 office"];
    let ipv6 = |name: &str| lab.cloud().instances[name].interfaces[0].ipv6.expect("an address");
    let (db, hidden) = (format!("{} db", ipv6("db")), format!("{} hidden", ipv6("hidden")));
    let public = |name: &str| format!("{} {name}", public(lab.cloud(), name));
    let private = |name: &str| format!("{} {name}", private(lab.cloud(), name));
    let expected = |lines: Vec<&str>| -> Vec<String> { lines.into_iter().chain(office).map(str::to_owned).collect() };
    assert_eq!(inside(&lab, "a"), expected(vec![&private("app"), &public("db"), &db, &hidden]));
    assert_eq!(inside(&lab, "b"), expected(vec![&public("app"), &private("db"), &db, &private("hidden"), &hidden]));
    assert_eq!(outside(&lab), expected(vec![&public("app"), &public("db"), &db, &hidden]));
}

#[sglab::test]
async fn each_file_changes_with_the_operation_that_changes_an_address() {
    let mut lab = boot(&topology(CLASSIC), Era::Classic).await;
    let both = |lab: &Lab| [inside(lab, "default"), outside(lab)];
    let lines = |lab: &Lab| {
        let cloud = lab.cloud();
        [format!("{} web1", private(cloud, "web1")), format!("{} web1", public(cloud, "web1"))]
    };
    let old = lines(&lab);
    assert!(both(&lab).iter().zip(&old).all(|(file, line)| file.contains(line)), "{:?}", both(&lab));
    change(&mut lab, &stop("web1")).await;
    assert!(both(&lab).iter().flatten().all(|line| !line.contains("web1")), "{:?}", both(&lab));
    change(&mut lab, &start("web1")).await;
    let new = lines(&lab);
    for (file, (old, new)) in both(&lab).iter().zip(old.iter().zip(&new)) {
        assert_ne!(old, new);
        assert!(file.contains(new) && !file.contains(old), "{file:?}");
    }
}

/// Mounted where it began, the file is the same one after a change.
#[sglab::test]
async fn a_program_that_runs_finds_the_new_address() {
    let mut lab = boot(&topology(CLASSIC), Era::Classic).await;
    let (ask, mut asked) = tokio::sync::mpsc::channel::<()>(1);
    let (say, mut said) = tokio::sync::mpsc::channel::<String>(1);
    let (ask_office, mut asked_office) = tokio::sync::mpsc::channel::<()>(1);
    let (say_office, mut said_office) = tokio::sync::mpsc::channel::<String>(1);
    let web2 = lab.in_instance(&InstanceName::new("web2")).expect("it runs");
    let office = lab.in_host(&HostName::new("office")).expect("it is there");
    let never = std::future::pending::<()>;
    let _web2 = web2.drive(
        move || async move {
            while asked.recv().await.is_some() {
                let _ = say.send(std::fs::read_to_string("/etc/hosts").expect("the file")).await;
            }
        },
        never(),
    );
    let _office = office.drive(
        move || async move {
            while asked_office.recv().await.is_some() {
                let _ = say_office.send(std::fs::read_to_string("/etc/hosts").expect("the file")).await;
            }
        },
        never(),
    );
    for _ in 0..2 {
        ask.send(()).await.expect("it runs");
        ask_office.send(()).await.expect("it runs");
        let (inner, outer) = (said.recv().await.expect("words"), said_office.recv().await.expect("words"));
        let cloud = lab.cloud();
        assert!(inner.contains(&format!("{} web1\n", private(cloud, "web1"))), "{inner}");
        assert!(outer.contains(&format!("{} web1\n", public(cloud, "web1"))), "{outer}");
        change(&mut lab, &stop("web1")).await;
        change(&mut lab, &start("web1")).await;
    }
}

/// Each line of each file, against what the zone says over the same view.
#[sglab::test]
async fn a_name_leads_where_the_resolver_leads() {
    use sglab::compile::services::zone::{Answer, Data, Kind, View, answer};
    let lab = boot(&topology(CLOUD), Era::Vpc).await;
    let inside_of = |vpc: &str| (inside(&lab, vpc), View::Inside(VpcName::new(vpc)));
    for (lines, view) in [inside_of("a"), inside_of("b"), (outside(&lab), View::Outside)] {
        for name in ["app", "db", "hidden", "office"] {
            let listed = lines.iter().filter_map(|line| line.split_once(' ')).filter(|(_, of)| *of == name);
            let listed: Vec<String> = listed.map(|(address, _)| address.to_owned()).collect();
            let told = match answer(lab.cloud(), &view, name, Kind::Any) {
                Answer::Records(records) => records,
                Answer::NoSuchName => Vec::new(),
            };
            let told = told.into_iter().filter_map(|data| match data {
                Data::Address(address) => Some(address.to_string()),
                Data::Name(_) => None,
            });
            assert_eq!(listed, told.collect::<Vec<_>>(), "{name} as {view:?}");
        }
    }
}

#[sglab::test]
async fn no_file_is_written_by_an_operation_that_changes_no_name() {
    let mut lab = boot(&topology(CLOUD), Era::Vpc).await;
    let written = |lab: &Lab| {
        let file = lab.fabric().files().hosts_file(&router(&VpcName::new("a")));
        std::fs::metadata(file).and_then(|file| file.modified()).expect("a time")
    };
    let before = written(&lab);
    let app = || Target::Instance(InstanceName::new("app"));
    change(&mut lab, &authorize("APP", tcp_port(81), group("APP"))).await;
    change(&mut lab, &Operation::SetGroups(app(), [GroupName::new("default")].into())).await;
    change(&mut lab, &Operation::SetSourceDestCheck(app(), SourceDestCheck::Off)).await;
    assert_eq!(written(&lab), before);
    change(&mut lab, &stop("app")).await;
    assert!(written(&lab) > before);
}
