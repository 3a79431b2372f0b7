//! Written as a user of the crate writes tests: nothing here is known but the public API.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

mod failing;
mod failures;
#[path = "../common/patience.rs"]
mod patience;
mod runners;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use patience::patience;
use sglab::model::{Era, InstanceState, RefusalCode};
use sglab::testing::{Error, Lab};
use sglab::topology::{NewInstance, NewService, Topology};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

fn shop() -> Topology {
    Topology::builder(Era::Vpc)
        .host("customer", ["198.51.100.7"])
        .group("web", ["tcp 443 from anywhere"])
        .group("db", ["tcp 5432 from web"])
        .instance("web1", NewInstance::in_groups(["web"]).listens(["tcp 443"]))
        .instance("db1", NewInstance::in_groups(["db"]))
        .build()
        .unwrap()
}

#[sglab::test]
async fn only_the_web_reaches_the_database() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    lab.probe("web1 -> db1:5432").await?.assert_open();
    lab.probe("customer -> db1:5432").await?.assert_dropped().at_ingress();
    lab.probe_all(["any -> web1:443", "web1 -> db1:5432"]).await?.assert_open();
    Ok(())
}

#[sglab::test]
async fn handles_follow_an_instance_through_its_life() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let (web1, db1) = (lab.instance("web1")?, lab.instance("db1")?);
    let (private, public) = (web1.private_ip(), web1.public_ip());
    web1.stop().await?;
    assert_eq!((web1.state(), web1.public_ip()), (Some(InstanceState::Stopped), None));
    web1.start().await?;
    assert_eq!(web1.private_ip(), private, "a VPC's private address stays");
    assert_ne!(web1.public_ip(), public, "an automatic public address does not");
    lab.probe("web1 -> db1:5432").await?.assert_open();

    let web2 = lab.launch("web2", NewInstance::in_groups(["web"])).await?;
    lab.probe("web2 -> db1:5432").await?.assert_open();
    web2.set_groups(["db"]).await?;
    assert_eq!(web2.groups(), ["db"]);
    lab.probe("web2 -> db1:5432").await?.assert_dropped().at_ingress();
    db1.stop().await?;
    lab.probe("web1 -> db1:5432").await?.assert_unreachable();
    web2.terminate().await?;
    assert_eq!(format!("{:?}", lab.instance("web2").unwrap_err()), "there is no instance `web2`; did you mean `web1`?");
    Ok(())
}

#[sglab::test]
async fn what_ec2_refuses_is_an_error_with_its_code_and_changes_nothing() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let before = lab.cloud();
    let again = lab.authorize("db", ["tcp 5432 from web"]).await.unwrap_err();
    assert_eq!(again.refusal(), Some(RefusalCode::InvalidPermissionDuplicate));
    assert_eq!(lab.apply("delete-group: web").await.unwrap_err().refusal(), Some(RefusalCode::DependencyViolation));
    assert_eq!(lab.cloud(), before);
    Ok(())
}

#[sglab::test]
async fn what_is_misspelt_is_told_with_a_suggestion() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let said = |error: Error| format!("{error:?}");
    assert_eq!(said(lab.instance("wbe1").unwrap_err()), "there is no instance `wbe1`; did you mean `web1`?");
    let flow = said(lab.probe("web1 -> bd1:5432").await.unwrap_err());
    assert!(flow.contains("did you mean `db1`?"), "{flow}");
    let verb = said(lab.apply("sotp: web1").await.unwrap_err());
    assert!(verb.contains("did you mean `stop`?"), "{verb}");
    let place = said(lab.run_in("custmer", async {}).await.unwrap_err());
    assert_eq!(place, "there is no instance or host `custmer`; did you mean `customer`?");
    Ok(())
}

#[sglab::test]
async fn connections_are_held_while_the_cloud_changes() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let session = lab.open("web1 -> db1:5432").await?;
    lab.revoke("db", ["tcp 5432 from web"]).await?;
    lab.probe("web1 -> db1:5432").await?.assert_dropped().at_ingress();
    session.assert_alive().await?;
    lab.instance("db1")?.stop().await?;
    session.assert_gone().await?;
    Ok(())
}

/// A server as people write them: it tells each client which address it came from.
async fn serve(up: oneshot::Sender<()>, port: u16) {
    let listener = TcpListener::bind(("0.0.0.0", port)).await.unwrap();
    up.send(()).unwrap();
    loop {
        let (mut stream, client) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => request.push(byte),
                    Err(_) => return,
                }
            }
            let body = client.ip().to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        });
    }
}

/// A client as people write them: blocking, and by name.
async fn get(url: impl Into<String>, patience: Duration) -> Result<String, ureq::Error> {
    let url = url.into();
    let get = move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(patience)).build().into();
        agent.get(url).call()?.body_mut().read_to_string()
    };
    tokio::task::spawn_blocking(get).await.unwrap()
}

#[sglab::test]
async fn a_client_of_http_reaches_a_real_server_by_name_once_a_rule_admits_it() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let (up, ready) = oneshot::channel();
    let _server = lab.spawn_in("db1", serve(up, 8080)).await?;
    ready.await.unwrap();

    lab.probe("web1 -> db1:8080").await?.assert_dropped().at_ingress();
    let silence = lab.run_in("web1", get("http://db1:8080/", Duration::from_millis(200))).await?;
    assert!(matches!(silence, Err(ureq::Error::Timeout(_))), "{silence:?}");

    lab.authorize("db", ["tcp 8080 from web"]).await?;
    lab.probe("web1 -> db1:8080").await?.assert_open();
    let answer = lab.run_in("web1", get("http://db1:8080/", patience(60))).await?.unwrap();
    assert_eq!(answer, lab.instance("web1")?.private_ip().unwrap().to_string());
    Ok(())
}

#[sglab::test]
async fn a_client_in_a_host_outside_reaches_a_public_address_and_is_seen_with_its_own() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let (up, ready) = oneshot::channel();
    let _server = lab.spawn_in("web1", serve(up, 8080)).await?;
    ready.await.unwrap();
    lab.authorize("web", ["tcp 8080 from customer"]).await?;
    let url = format!("http://{}:8080/", lab.instance("web1")?.public_ip().unwrap());
    let seen = lab.run_in("customer", get(url, patience(60))).await?.unwrap();
    assert_eq!(seen, "198.51.100.7");
    Ok(())
}

#[sglab::test]
async fn names_resolve_inside_as_they_do_for_an_instance() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    async fn lookup(name: String) -> Vec<IpAddr> {
        let found: Vec<_> = tokio::net::lookup_host((name, 0)).await.unwrap().map(|address| address.ip()).collect();
        found
    }
    let db1 = lab.instance("db1")?;
    let (private, public) = (IpAddr::from(db1.private_ip().unwrap()), IpAddr::from(db1.public_ip().unwrap()));
    let dashed = |address: IpAddr| address.to_string().replace('.', "-");
    assert_eq!(lab.run_in("web1", lookup("db1".to_owned())).await?, [private]);
    assert_eq!(lab.run_in("web1", lookup(format!("ip-{}.ec2.internal", dashed(private)))).await?, [private]);
    // The public name is the private address inside, and the public one outside.
    let name = format!("ec2-{}.compute-1.amazonaws.com", dashed(public));
    assert_eq!(lab.run_in("web1", lookup(name.clone())).await?, [private]);
    assert_eq!(lab.run_in("customer", lookup(name)).await?, [public]);
    Ok(())
}

#[sglab::test]
async fn what_runs_inside_has_that_instances_sockets_and_ends_with_it() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let (db1, web1) = (lab.instance("db1")?, lab.instance("web1")?);
    let at = SocketAddr::from((db1.private_ip().unwrap(), 5432));
    // A socket stays in the instance that it was opened in, wherever it is used.
    let listener = db1.run(async { std::net::TcpListener::bind("0.0.0.0:5432") }).await?.unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let client = web1.spawn(async move {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        // Nobody ever answers.
        stream.read_u8().await
    });
    let client = client.await?;
    let (mut stream, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), IpAddr::from(web1.private_ip().unwrap()));
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    web1.stop().await?;
    assert_eq!(format!("{:?}", client.done().await.unwrap_err()), "web1 was stopped, and what ran in it has ended");
    assert_eq!(format!("{:?}", web1.run(async {}).await.unwrap_err()), "web1 does not run");
    Ok(())
}

/// A shop whose first web server runs a service, which writes a line at each of its starts.
fn serving(script: &str) -> Topology {
    let service = NewService::command(["perl", "-MIO::Socket::INET", "-e", script]).port("tcp 443").log("web.log");
    Topology::builder(Era::Vpc)
        .host("customer", ["198.51.100.7"])
        .group("web", ["tcp 443 from anywhere"])
        .instance("web1", NewInstance::in_groups(["web"]).service("web", service))
        .build()
        .unwrap()
}

#[sglab::test]
async fn services_are_started_when_it_is_asked_for_and_again_with_their_instance() -> Result<(), Error> {
    // It counts its starts in its instance's own folder, and says to each client the how manyeth it is.
    let script = r#"
        my $starts = "$ENV{SGLAB_DATA}/starts";
        open my $f, '>>', $starts or die; print $f 'x'; close $f;
        my $n = -s $starts; $| = 1; print "start $n\n";
        my $s = IO::Socket::INET->new(LocalPort => 443, Listen => 8, ReuseAddr => 1) or die;
        while (my $c = $s->accept) { print $c "$n"; close $c }"#;
    let lab = Lab::boot(&serving(script)).await?;
    let folder = tempfile::tempdir().unwrap();
    let web1 = lab.instance("web1")?;
    async fn answer(at: SocketAddr) -> std::io::Result<String> {
        let mut said = String::new();
        TcpStream::connect(at).await?.read_to_string(&mut said).await?;
        Ok(said)
    }
    let at = || SocketAddr::from((lab.instance("web1").unwrap().public_ip().unwrap(), 443));
    let refused = lab.run_in("customer", answer(at())).await?.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "until then none is started");
    lab.start_services(&folder).await?;
    // No waiting here: it is ready.
    assert_eq!(lab.run_in("customer", answer(at())).await?.unwrap(), "1");
    lab.probe("customer -> web1:443").await?.assert_open();
    web1.stop().await?;
    web1.start().await?;
    assert_eq!(lab.run_in("customer", answer(at())).await?.unwrap(), "2");
    web1.reboot().await?;
    assert_eq!(lab.run_in("customer", answer(at())).await?.unwrap(), "3");
    assert_eq!(std::fs::read_to_string(folder.path().join("web.log")).unwrap(), "start 1\nstart 2\nstart 3\n");
    Ok(())
}

#[sglab::test]
async fn a_service_that_dies_before_it_is_ready_is_an_error_that_names_it_and_has_its_last_words() -> Result<(), Error>
{
    let lab = Lab::boot(&serving("print STDERR 'no such luck'; exit 3")).await?;
    let folder = tempfile::tempdir().unwrap();
    let died = format!("{:?}", lab.start_services(&folder).await.unwrap_err());
    let why = "the service web of web1 did not come up: it ended with exit code 3 before it listened on tcp 443";
    assert!(died.starts_with(why) && died.contains("| no such luck"), "{died}");
    // The same where it is started with its instance, which runs.
    let web1 = lab.instance("web1")?;
    web1.stop().await?;
    let died = format!("{:?}", web1.start().await.unwrap_err());
    assert!(died.starts_with(why), "{died}");
    assert_eq!(web1.state(), Some(InstanceState::Running));
    Ok(())
}

#[sglab::test]
async fn a_future_that_cannot_be_sent_is_made_inside() -> Result<(), Error> {
    let lab = Lab::boot(&shop()).await?;
    let counted = lab.run_local_in("web1", || async {
        let here = std::rc::Rc::new(5);
        tokio::task::yield_now().await;
        *here
    });
    assert_eq!(counted.await?, 5);
    Ok(())
}

#[sglab::test]
#[should_panic(expected = "from inside")]
async fn a_panic_inside_is_the_tests_own() {
    let lab = Lab::boot(&shop()).await.unwrap();
    lab.run_in("web1", async { panic!("from inside") }).await.unwrap()
}

#[sglab::test]
async fn labs_with_the_same_addresses_are_up_side_by_side() -> Result<(), Error> {
    let labs = futures::future::join_all((0..8).map(|_| async { Lab::boot(&shop()).await })).await;
    let labs: Vec<Lab> = labs.into_iter().collect::<Result<_, _>>()?;
    labs[3].revoke("db", ["tcp 5432 from web"]).await?;
    let probed = futures::future::join_all(labs.iter().map(|lab| lab.probe("web1 -> db1:5432"))).await;
    for (number, probed) in probed.into_iter().enumerate() {
        match number {
            3 => drop(probed?.assert_dropped()),
            _ => probed?.assert_open(),
        }
    }
    Ok(())
}

/// The harness answers for instances. A load balancer has listeners of its own, and no others.
#[sglab::test]
async fn a_port_that_a_load_balancer_does_not_listen_at_is_refused() -> Result<(), Error> {
    let balanced = Topology::builder(Era::Vpc)
        .host("customer", ["198.51.100.7"])
        .group("web", ["tcp 443 from anywhere"])
        .instance("web1", NewInstance::in_groups(["web"]).listens(["tcp 443"]))
        .yaml("load-balancers: {lb: {listeners: [tcp 443], targets: [web1]}}")
        .build()?;
    let lab = Lab::boot(&balanced).await?;
    lab.apply("authorize: {default: [tcp 443-444 from anywhere]}").await?;
    lab.probe("customer -> lb:443").await?.assert_open();
    lab.probe("customer -> lb:444").await?.assert_refused();
    Ok(())
}

#[sglab::test]
async fn a_scenario_is_run_from_a_test() -> Result<(), Error> {
    let steps = "scenario:\n  - {step: as launched, expect: {open: [web1 -> db1:5432], dropped: [db1 -> web1:22]}}";
    let topology = Topology::builder(Era::Vpc)
        .also_under(Era::Classic)
        .group("web", ["tcp 443 from anywhere"])
        .group("db", ["tcp 5432 from web"])
        .instance("web1", NewInstance::in_groups(["web"]))
        .instance("db1", NewInstance::in_groups(["db"]))
        .yaml(steps)
        .build()?;
    sglab::testing::assert_scenario(&topology).await
}

#[tokio::test]
async fn a_test_of_another_harness_gets_inside_by_a_guard() -> Result<(), Error> {
    sglab::sandboxed!(Ok(()));
    Lab::boot(&shop()).await?.probe("web1 -> db1:5432").await?.assert_open();
    Ok(())
}

#[test]
fn a_test_without_a_runtime_gets_inside_by_a_guard() {
    sglab::sandboxed!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { Lab::boot(&shop()).await.unwrap().probe("web1 -> db1:5432").await.unwrap().assert_open() });
}

#[tokio::test]
async fn outside_of_a_sandbox_the_error_names_the_cure() {
    let error = Lab::boot(&shop()).await.unwrap_err().to_string();
    assert!(error.contains("#[sglab::test]") && error.contains("sandboxed!"), "{error}");
}

/// Sixteen tests, each with a lab of the same addresses; whatever runs them may run them all at once.
macro_rules! sixteen {
    ($($name:ident)*) => {
        mod side_by_side {
            $(#[sglab::test]
            async fn $name() -> Result<(), sglab::testing::Error> {
                let lab = sglab::testing::Lab::boot(&super::shop()).await?;
                lab.probe("web1 -> db1:5432").await?.assert_open();
                lab.revoke("db", ["tcp 5432 from web"]).await?;
                lab.probe("web1 -> db1:5432").await?.assert_dropped().at_ingress();
                Ok(())
            })*
        }
    };
}
sixteen!(a b c d e f g h i j k l m n o p);
