//! Flow logs as steps expect them: by what a wrong word goes red, and what lost records do to them.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use sglab::control::LabName;
use sglab::control::supervisor::{self, Keeping, Start};
use sglab::fabric::faults::{Faults, LogFault};
use sglab::lab::Lab;
use sglab::model::{Era, IcmpMessage, InstanceName, LogStatus, Operation};
use sglab::protocol::{self, Envelope, MAX_REPLY, MAX_REQUEST, ProbeDetails, Reply, Request, VERSION};
use sglab::scenario::{self, Check, CheckStatus, Options, RunVerdict, StepStatus};

use crate::bare::{hears, raw, word};
use crate::clouds::{boot, change, flow, initial_cloud, node, private, probe, tcp, topology};

/// `a` and `b` let all protocols in from each other by this rule.
fn by_number(rule: &str) -> String {
    format!(
        "sglab: 1\nera: vpc\ngroups: {{G: [{rule}]}}\ninstances: {{a: {{groups: G}}, b: {{groups: G}}, idle: {{groups: G}}}}\n\
         scenario: [{{step: s, expect: {{dropped: ['a -> b:22']}}}}]\n"
    )
}

/// Sends packets of a protocol from one instance to the other, one after the other, and waits for each where it must arrive.
async fn exchange(lab: &Lab, protocol: u8, packets: &[(&str, &str)]) {
    let address = |name: &str| private(lab.cloud(), name).0;
    let (a, b) =
        (raw(&node(lab, "a"), protocol, address("a")).await, raw(&node(lab, "b"), protocol, address("b")).await);
    for (from, to) in packets {
        let (of, at) = if *from == "a" { (&a, &b) } else { (&b, &a) };
        word(of, address(to));
        hears(at, &format!("{from} -> {to}"));
    }
}

/// An SCTP association: each interface has a record of what it sent and one of what it received, and none is NODATA.
#[sglab::test]
async fn a_protocol_that_is_not_tracked_is_a_record_for_each_way_at_each_end() {
    for protocol in [132, 47, 51] {
        let topology = topology(&by_number(&format!("protocol {protocol} from G")));
        let mut lab = boot(&topology, Era::Vpc).await;
        lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
        exchange(&lab, protocol, &[("a", "b"), ("b", "a"), ("a", "b")]).await;
        let mut told = records(&mut lab).await;
        told.sort();
        let [to_b, to_a] = [("10.0.0.11", "10.0.0.12"), ("10.0.0.12", "10.0.0.11")];
        let line = |who: &str, (from, to): (&str, &str), end: &str, packets: u64| {
            format!("{who}: ACCEPT {from} -> {to} protocol {protocol} at {end}, {packets} packets")
        };
        let expected = [
            line("a", to_b, "egress", 2),
            line("a", to_a, "ingress", 1),
            line("b", to_b, "ingress", 2),
            line("b", to_a, "egress", 1),
            "idle: NODATA".to_owned(),
        ];
        assert_eq!(told, expected);
        // The next window has what has come since, also where the interface that remembers it is no more.
        exchange(&lab, protocol, &[("b", "a")]).await;
        change(&mut lab, &Operation::Terminate(InstanceName::new("a"))).await;
        let told = records(&mut lab).await;
        assert!(told.contains(&line("b", to_a, "egress", 1)), "{told:?}");
    }
}

#[sglab::test]
async fn what_was_sent_and_dropped_is_accepted_at_the_one_end_and_rejected_at_the_other() {
    let mut lab = boot(&topology(&by_number("")), Era::Vpc).await;
    lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    let (a, b) = (private(lab.cloud(), "a").0, private(lab.cloud(), "b").0);
    let found = probe(&mut lab, flow("a", "b", sglab::model::Service::Protocol(50))).await;
    assert!(crate::clouds::is_dropped(&found.outcome), "{found:?}");
    let told = records(&mut lab).await;
    assert!(told.contains(&format!("a: ACCEPT {a} -> {b} protocol 50 at egress, 1 packets")), "{told:?}");
    assert!(told.contains(&format!("b: REJECT {a} -> {b} protocol 50 at ingress, 1 packets")), "{told:?}");
}

/// Connection tracking has no entry for it, so that its records alone tell of it.
#[sglab::test]
async fn a_message_that_begins_no_flow_is_accepted_at_each_end() {
    let mut lab = boot(&topology(&by_number("icmp 3/1 from G")), Era::Vpc).await;
    lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    let (a, b) = (private(lab.cloud(), "a").0, private(lab.cloud(), "b").0);
    let message = IcmpMessage { kind: 3, code: 1 };
    probe(&mut lab, flow("a", "b", sglab::model::Service::Icmp(message))).await;
    let told = records(&mut lab).await;
    for record in [format!("a: ACCEPT {a} -> {b} icmp at egress"), format!("b: ACCEPT {a} -> {b} icmp at ingress")] {
        assert!(told.iter().any(|line| line.starts_with(&record)), "{record}: {told:?}");
    }
}

/// The records of the window that ends now, in words.
async fn records(lab: &mut Lab) -> Vec<String> {
    let records = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    let told = records.into_iter().map(|record| {
        let who = record.eni.id.holder();
        match record.traffic {
            Some(traffic) => format!("{who}: {traffic}, {} packets", record.amount.packets),
            None => format!("{who}: NODATA"),
        }
    });
    told.collect()
}

const CLOUD: &str = "sglab: 1
era: vpc
groups: {A: [], B: [tcp 22 from A, icmp echo from A]}
instances: {a: {groups: A}, b: {groups: B}, idle: {groups: B}}
scenario:
";

async fn logs(steps: &str) -> Vec<Check> {
    let topology = topology(&format!("{CLOUD}{steps}"));
    let result = scenario::run(&topology, Era::Vpc, &Options::default(), &mut |_| {}).await;
    let steps = result.unwrap_or_else(|error| panic!("{error}")).steps;
    // A step is worth no more than its flow logs.
    for step in &steps {
        let any = |is: fn(&Check) -> bool| step.section(scenario::FLOW_LOGS).any(is);
        let worth = match (any(Check::is_failed), any(Check::is_inconclusive)) {
            (true, _) => StepStatus::Failed,
            (false, true) => StepStatus::Inconclusive,
            (false, false) => StepStatus::Passed,
        };
        assert_eq!(step.status, worth, "{}: {:?}", step.name, step.findings);
    }
    steps.iter().flat_map(|step| step.section(scenario::FLOW_LOGS)).cloned().collect()
}

#[sglab::test]
async fn a_wrong_word_about_a_flow_log_goes_red_and_one_about_nothing_is_no_proof() {
    let steps = "
  - step: each of these is wrong
    expect:
      open: ['a -> b:22']
      dropped: ['a -> b:23', 'b -> a:22']
      flow-logs:
        a: ['REJECT a -> b:22', 'no ACCEPT a -> b:22', 'no ACCEPT response to a -> b:22', 'ACCEPT a -> b:ping', 'no REJECT',
            'ACCEPT a -> b:22 at ingress', 'ACCEPT a -> b:22 by public address', 'ACCEPT b -> a:22']
        b: ['ACCEPT a -> b:23', 'no REJECT a -> b:23', 'ACCEPT response to a -> b:23', 'no ACCEPT']
        idle: ['ACCEPT a -> b:22']
  - step: and this
    expect: {open: ['a -> b:22'], flow-logs: {a: NODATA}}
  - step: nobody asked, so that it proves nothing
    expect: {open: ['a -> b:22'], flow-logs: {a: ['no REJECT a -> idle:22', 'no ACCEPT a -> b:ping'], idle: [no REJECT]}}
  - step: all of this is right
    expect:
      open: ['a -> b:22']
      dropped: ['a -> b:23', 'b -> a:22']
      flow-logs:
        a: ['ACCEPT a -> b:22', 'ACCEPT a -> b:22 at egress', 'ACCEPT response to a -> b:22', 'no REJECT a -> b:22',
            'ACCEPT a -> b:23', 'REJECT b -> a:22', 'no ACCEPT response to a -> b:23']
        b: ['REJECT a -> b:23', 'no ACCEPT a -> b:23', 'ACCEPT response to a -> b:22 at egress']
        idle: NODATA
";
    let found = logs(steps).await;
    let statuses: Vec<_> = found.iter().map(|it| it.status).collect();
    let (failed, unproved) = (vec![CheckStatus::Failed; 14], vec![CheckStatus::Inconclusive; 3]);
    let wanted = [failed, unproved, vec![CheckStatus::Passed; 11]].concat();
    assert_eq!(statuses, wanted, "{found:#?}");
    assert!(
        found[8].observed.contains("REJECT 10.0.0.11 ") && found[8].observed.contains(" 23 tcp at ingress"),
        "{found:#?}"
    );
    assert_eq!(found[12].observed, "no record at all");
}

#[sglab::test]
async fn a_flow_log_of_a_connection_that_is_older_than_the_step_counts_what_it_carries() {
    let steps = "
  - {step: opened, do: [{open: {session: 'a -> b:22'}}], expect: {alive: session}}
  - step: it carries
    expect: {alive: session, flow-logs: {a: ['ACCEPT a -> b:22', 'ACCEPT response to a -> b:22'], b: ['ACCEPT a -> b:22']}}
  - step: it is closed, and a ends
    do: [{close: session}, {terminate: a}]
    expect: {flow-logs: {b: ['no REJECT'], idle: NODATA}}
";
    let found = logs(steps).await;
    assert!(found.iter().all(Check::is_passed), "{found:#?}");
}

#[sglab::test]
async fn where_nothing_came_there_is_no_data_and_where_records_were_lost_each_interface_says_so() {
    let topology = topology(&format!("{CLOUD}  - {{step: one, expect: {{open: ['a -> b:22']}}}}\n"));
    let mut lab = boot(&topology, Era::Vpc).await;
    lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    let nothing = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(nothing.len(), 3);
    assert!(nothing.iter().all(|it| it.status == LogStatus::NoData && it.traffic.is_none()), "{nothing:?}");
    probe(&mut lab, flow("a", "b", tcp(22))).await;
    let some = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    let no_data: Vec<_> = some.iter().filter(|it| it.status == LogStatus::NoData).collect();
    assert_eq!(no_data.len(), 1, "{some:?}");
    assert_eq!(no_data[0].eni.id.holder().as_str(), "idle");
    drop(lab);

    let faults = Faults::default();
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    faults.spoil_logs(Some(LogFault::LoseEvery(2)));
    let mut lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    probe(&mut lab, flow("a", "b", tcp(22))).await;
    let spoilt = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    let skipped = spoilt.iter().filter(|it| it.status == LogStatus::SkipData);
    let skipped: Vec<String> = skipped.map(|it| it.eni.id.short()).collect();
    assert_eq!(skipped, ["a", "b", "idle"], "{spoilt:?}");
    assert!(spoilt.iter().all(|it| it.status != LogStatus::NoData), "nothing is known to be absent: {spoilt:?}");
    assert_eq!(private(lab.cloud(), "a").to_string(), "10.0.0.11");
}

#[sglab::test]
async fn what_is_missing_where_records_were_lost_is_inconclusive_and_never_wrong_or_right() {
    let steps = "
  - step: some of it is lost
    expect:
      leak: none
      flow-logs:
        a: ['ACCEPT a -> b:22', 'REJECT a -> b:22', 'no REJECT a -> b:22', no REJECT]
        b: ['ACCEPT a -> b:22', 'no REJECT']
        idle: NODATA
    during: ['a -> b:22']
    do: [{stop: idle}]
";
    let topology = topology(&format!("{CLOUD}{steps}"));
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    let faults = Faults::default();
    faults.spoil_logs(Some(LogFault::LoseEvery(3)));
    let mut lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    let options = Options::default();
    let result = scenario::run_on(&mut lab, &topology, std::time::Duration::ZERO, &options, &mut |_| {}).await;
    let result = result.unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<&Check> = result.steps[0].section(scenario::FLOW_LOGS).collect();
    assert_eq!(result.verdict, RunVerdict::Inconclusive, "{found:#?}");
    assert!(found.iter().all(|it| !it.is_failed()), "{found:#?}");
    // What is there is there.
    assert!(found[0].is_passed() && found[4].is_passed(), "{found:#?}");
    let others = found.iter().enumerate().filter(|(index, _)| ![0, 4].contains(index));
    assert!(others.clone().all(|(_, it)| it.observed == "records were lost (SKIPDATA)"), "{found:#?}");
}

#[sglab::test]
async fn a_window_hears_of_a_flow_that_ended_in_it_also_where_the_listener_has_had_no_time() {
    let topology = topology(&format!("{CLOUD}  - {{step: one, expect: {{open: ['a -> b:22']}}}}\n"));
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    let faults = Faults::default();
    faults.delay_ends();
    let mut lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    lab.keep_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    probe(&mut lab, flow("a", "b", tcp(22))).await;
    lab.note_flow_log().await.unwrap_or_else(|error| panic!("{error}"));
    // With its address its flows go, and connection tracking's list has them no more.
    change(&mut lab, &Operation::Terminate(InstanceName::new("a"))).await;
    let records = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    let of_b: Vec<_> = records.iter().filter(|it| it.eni.id.holder().as_str() == "b").collect();
    let [there, back] = of_b.as_slice() else { panic!("a flow and its answer: {records:#?}") };
    // A handshake, a word and its answer.
    assert!(there.amount.packets >= 3 && back.amount.packets >= 2, "{of_b:#?}");
    let later = lab.end_flow_log_window().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(later.iter().all(|it| it.status == LogStatus::NoData), "it is of one window: {later:?}");
}

/// What a lab that is up answers at its socket.
async fn asked(lab: Lab, requests: Vec<Request>) -> Vec<Reply> {
    // Of the sandbox's own network: nobody else's has this name.
    let place = SocketAddr::from_abstract_name("spoilt").expect("a name");
    let listener = UnixListener::bind_addr(&place).expect("a socket");
    let asking = tokio::task::spawn_blocking(move || {
        let mut replies = Vec::new();
        for request in requests {
            let mut stream = UnixStream::connect_addr(&place).expect("the lab");
            protocol::write(&mut stream, &Envelope { sglab: VERSION, request }, MAX_REQUEST).expect("asked");
            while let Ok(reply) = protocol::read::<Reply>(&mut stream, MAX_REPLY) {
                replies.push(reply);
            }
        }
        replies
    });
    let start = Start {
        name: LabName::new("spoilt").expect("a name"),
        file: "spoilt.yaml".to_owned(),
        pid: std::process::id(),
        listener,
        flow_logs: Keeping { seconds: 600, write: None },
    };
    tokio::select! {
        replies = asking => replies.expect("answers"),
        served = supervisor::serve(lab, start, std::future::pending()) => panic!("it ended: {served:?}"),
    }
}

#[sglab::test]
async fn in_a_lab_that_is_up_lost_records_with_none_behind_them_are_skipped_data() {
    let topology = topology(&format!("{CLOUD}  - {{step: one, expect: {{open: ['a -> b:22']}}}}\n"));
    let (cloud, listeners) = initial_cloud(&topology, Era::Vpc);
    let faults = Faults::default();
    // No record ever comes.
    faults.spoil_logs(Some(LogFault::OverflowEvery(1)));
    let lab = Lab::boot_with(cloud, listeners, faults).await.unwrap_or_else(|error| panic!("{error}"));
    let probe = Request::Probe { flows: vec![flow("a", "b", tcp(22))], details: ProbeDetails::None, at: None };
    let replies = asked(lab, vec![probe, Request::FlowLogs { follow: false }]).await;
    let records: Vec<_> = replies
        .iter()
        .filter_map(|reply| if let Reply::FlowLog(records) = reply { Some(records) } else { None })
        .flatten()
        .collect();
    let skipped =
        |it: &str| records.iter().any(|record| record.interface == it && record.log_status == LogStatus::SkipData);
    assert!(["a", "b", "idle"].into_iter().all(skipped), "{replies:#?}");
}
