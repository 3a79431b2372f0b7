//! Messages as they cross the socket: what comes back, what is refused, and what is kept for fuzzing.

use super::*;
use crate::model::{Endpoint, InterfaceId, LoadBalancerName, Port, Service, Via};
use crate::topology::{EXAMPLES, Topology};

#[test]
fn requests_bear_all_that_fuzzing_has_kept() {
    let seeds = crate::scenario::readers::named_seeds("request");
    seeds.iter().for_each(|(_, bytes)| read_any(bytes));
    assert!(seeds.len() >= 3, "the corpus has only {} seeds", seeds.len());
}

/// A changed protocol changes the seeds too, or fuzzing would not come behind the first word of a request.
#[test]
fn the_named_seeds_of_requests_are_requests_of_this_version() {
    let web = || InstanceName::new("web1");
    let flow = Flow {
        from: Endpoint::Instance(web()),
        to: Endpoint::Instance(InstanceName::new("db1")),
        via: Via::Private,
        service: Service::Tcp(Port(3306)),
    };
    let exec = Exec {
        instance: "web1".to_owned(),
        command: vec!["true".to_owned()],
        environment: vec![("A".to_owned(), "b".to_owned())],
        folder: "/".into(),
        terminal: Some((24, 80)),
    };
    let stop = Request::Apply { operations: vec![Operation::Stop(web())], at: Some(Revision(7)) };
    let seeds = crate::scenario::readers::named_seeds("request");
    for (name, request) in [
        ("apply", stop),
        ("exec", Request::Exec(Box::new(exec))),
        ("probe", Request::Probe { flows: vec![flow], details: ProbeDetails::Records, at: None }),
        ("state", Request::State),
    ] {
        let wanted = Envelope { sglab: VERSION, request };
        let (_, seed) = seeds.iter().find(|(known, _)| known == name).expect(name);
        let read = read::<Envelope>(&mut seed.as_slice(), MAX_REQUEST);
        assert_eq!(read.ok(), Some(wanted.clone()), "{name}: {}", serde_json::to_string(&wanted).unwrap());
    }
    let (_, unreadable) = seeds.iter().find(|(known, _)| known == "unreadable").expect("a seed");
    assert!(matches!(read::<Envelope>(&mut unreadable.as_slice(), MAX_REQUEST), Err(FrameError::Garbled(_))));
}

/// Every cloud and every operation of the examples.
fn examples() -> Vec<(String, Vec<Operation>, Cloud)> {
    let mut all = Vec::new();
    for (name, text) in EXAMPLES {
        let topology = Topology::parse(name, text.as_bytes()).unwrap();
        for era in &topology.eras {
            let operations: Vec<Operation> = topology.initial.iter().map(|placed| placed.value.clone()).collect();
            let steps = topology.steps.iter().flat_map(|step| step.operations()).map(|placed| placed.value.clone());
            let cloud = topology.initial_cloud(*era).unwrap();
            all.push((format!("{name}, era {era}"), operations.into_iter().chain(steps).collect(), cloud));
        }
    }
    all
}

#[test]
fn every_operation_and_cloud_of_the_examples_comes_back_as_it_went() {
    let examples = examples();
    assert!(examples.len() > 20, "{} examples", examples.len());
    for (name, operations, cloud) in examples {
        let text = serde_json::to_string(&cloud).unwrap();
        assert_eq!(serde_json::from_str::<Cloud>(&text).unwrap(), cloud, "{name}");
        let request = Envelope { sglab: VERSION, request: Request::Apply { operations, at: Some(Revision(7)) } };
        let frame = frame(&request, MAX_REPLY).unwrap();
        assert_eq!(read::<Envelope>(&mut frame.as_slice(), MAX_REPLY).unwrap(), request, "{name}");
    }
}

#[test]
fn the_interface_of_a_load_balancer_comes_back_as_no_instances() {
    let of_balancer = InterfaceId::LoadBalancer(LoadBalancerName::new("web1"));
    let of_instance = InterfaceId::first_of(&InstanceName::new("web1"));
    assert_eq!(of_balancer.to_string(), of_instance.to_string(), "people read one form");
    for id in [of_balancer, of_instance] {
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<InterfaceId>(&text).unwrap(), id, "{text}");
    }
    for wrong in [r#""load-balancer/""#, r#""load-balancer/../x""#, r#""instance/web1.eth0""#] {
        assert!(serde_json::from_str::<InterfaceId>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_value_that_cannot_be_is_no_message() {
    for (operation, why) in [
        (r#"{"stop": "web1; flush ruleset"}"#, "letters, digits"),
        (r#"{"stop": ""}"#, "at least one character"),
        (r#"{"detach-interface": "web1"}"#, "not an interface"),
        (r#"{"detach-interface": "../x.eth1"}"#, "not an interface"),
        (
            r#"{"authorize-ingress": ["DB", [{"traffic": {"tcp": [443, 80]}, "peers": []}]]}"#,
            "ends below its beginning",
        ),
        (r#"{"authorize-ingress": ["DB", [{"traffic": {"tcp": [80, 70000]}, "peers": []}]]}"#, "u16"),
        (r#"{"become-root": "web1"}"#, "unknown variant"),
    ] {
        let text = format!(r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{operation}]}}}}}}"#);
        let error = serde_json::from_str::<Envelope>(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{operation}: {error}");
    }
}

#[test]
fn a_message_comes_back_as_it_went() {
    let request = Envelope {
        sglab: VERSION,
        request: Request::Apply { operations: vec![Operation::Stop(InstanceName::new("web1"))], at: None },
    };
    let mut bytes = Vec::new();
    write(&mut bytes, &request, MAX_REQUEST).unwrap();
    assert_eq!(read::<Envelope>(&mut bytes.as_slice(), MAX_REQUEST).unwrap(), request);
}

#[test]
fn what_is_wrong_with_a_message_is_told_without_all_of_the_message() {
    let long = "x".repeat(900_000);
    for text in [
        format!(r#"{{"sglab": 2, "request": {{"{long}": {{}}}}}}"#),
        format!(r#"{{"sglab": 2, "request": "{long}"}}"#),
        format!(r#"{{"sglab": "{long}", "request": "state"}}"#),
        format!(
            r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{{"stop": "{}"}}]}}}}}}"#,
            "é ".repeat(300_000)
        ),
        format!(r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{{"detach-interface": "{long}"}}]}}}}}}"#),
    ] {
        let bytes = [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
        let error = read::<Envelope>(&mut bytes.as_slice(), MAX_REQUEST).unwrap_err();
        assert!(matches!(error, FrameError::Garbled(_)), "{error}");
        let told = error.to_string();
        assert!(told.len() < 700 && told.contains(" at line 1 column "), "{} bytes", told.len());
    }
}

#[test]
fn a_portion_of_flows_with_the_longest_names_fits_into_a_request() {
    let [from, to] = ["x", "y"].map(|letter| Endpoint::Instance(InstanceName::new(letter.repeat(63))));
    let flow = Flow { from, to, via: Via::Public, service: Service::Tcp(Port(65_535)) };
    let probe = |flows: usize| Envelope {
        sglab: VERSION,
        request: Request::Probe {
            flows: vec![flow.clone(); flows],
            details: ProbeDetails::Records,
            at: Some(Revision(u64::MAX)),
        },
    };
    assert!(frame(&probe(MAX_FLOWS), MAX_REQUEST).is_ok());
    let error = frame(&probe(20 * MAX_FLOWS), MAX_REQUEST).unwrap_err();
    assert!(error.to_string().ends_with("is too large to be sent, and 1048576 are the most"), "{error}");
}

#[test]
fn what_is_announced_too_large_is_not_read() {
    let huge = [0xff; 8];
    assert!(matches!(read::<Envelope>(&mut huge.as_slice(), MAX_REQUEST), Err(FrameError::TooLarge { .. })));
}

#[test]
fn a_truncated_or_garbled_message_is_an_error() {
    let whole = frame(&Envelope { sglab: VERSION, request: Request::State }, MAX_REQUEST).unwrap();
    for end in 0..whole.len() {
        assert!(read::<Envelope>(&mut &whole[..end], MAX_REQUEST).is_err(), "cut at {end}");
    }
    let garbage = [0, 0, 0, 3, b'{', b'}', b'!'];
    assert!(matches!(read::<Envelope>(&mut garbage.as_slice(), MAX_REQUEST), Err(FrameError::Garbled(_))));
}
