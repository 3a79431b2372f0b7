//! Who may speak to the page: nobody but the browser that has the token, and that only as the page itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::labs::Labs;
use crate::patience::patience;
use crate::program::{User, users};
use crate::served::{Asked, Served};

fn two_tier() -> (Labs, Served) {
    two_tier_of(User::Ours)
}

fn two_tier_of(user: User) -> (Labs, Served) {
    let labs = Labs::of(user);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page"]);
    (labs, served)
}

#[test]
fn a_name_that_leads_to_this_machine_is_no_way_in() {
    let (_labs, served) = two_tier();
    for own in ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"] {
        let host = format!("{own}:{}", served.port());
        assert_eq!(Asked::get("/").header("Host", &host).of(&served).status, 200, "{own}");
    }
    let others = ["rebound.example", "127.0.0.1.example", "localhost.", "127.0.0.2"];
    let hosts = others.iter().map(|name| format!("{name}:{}", served.port()));
    for host in hosts.chain(["127.0.0.1".to_owned(), "127.0.0.1:1".to_owned(), "?".to_owned()]) {
        for path in ["/", "/app.js", "/api/stream", "/session", "/none"] {
            let answer = Asked::get(path).header("Host", &host).of(&served);
            assert_eq!(answer.status, 421, "{host} {path}: {}", answer.body);
        }
    }
    assert_eq!(Asked::get("/").header("Host", "").of(&served).status, 421, "no name at all");
}

#[test]
fn the_script_of_another_page_is_refused_whatever_cookie_it_brings() {
    let (_labs, served) = two_tier();
    let cookie = served.cookie();
    let asked = || {
        Asked::post("/api/operations")
            .header("Cookie", &cookie)
            .body(r#"{"at": 0, "wanted": {"form": {"operation": "stop", "instances": ["web1"]}}}"#)
    };
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Origin", &format!("https://127.0.0.1:{}", served.port())),
        ("Origin", "http://127.0.0.1:1"),
        // No form can send it.
        ("X-Sglab", ""),
    ] {
        let answer = asked().header(name, value).of(&served);
        assert_eq!(answer.status, 403, "{name}: {value}: {}", answer.body);
        assert!(!answer.has("access-control-allow-origin"), "{name}: {value}");
    }
    let origin = format!("http://127.0.0.1:{}", served.port());
    let own = asked().header("Origin", &origin).header("Sec-Fetch-Site", "same-origin").of(&served);
    assert_eq!((own.status, &own.json()["result"]), (200, &json!("applied")));
}

#[test]
fn without_the_token_there_is_nothing_and_what_to_do_is_said() {
    let (labs, served) = two_tier();
    for path in ["/api/stream", "/api/tables/0"] {
        for cookie in [
            "",
            "sglab-1=x",
            &format!("sglab-{}=00", served.port()),
            &format!("sglab-{}={}", served.port(), served.token()),
        ] {
            let answer = Asked::get(path).header("Cookie", cookie).of(&served);
            assert_eq!(answer.status, 401, "{path} {cookie}");
            assert!(answer.body.contains("open the address that `sglab ui` has printed"), "{}", answer.body);
        }
    }
    for path in ["operations", "explanations", "steps", "view", "probes"] {
        assert_eq!(Asked::post(&format!("/api/{path}")).body("{}").of(&served).status, 401, "{path}");
    }
    for wrong in ["", "0", &"0".repeat(32), &format!("{} ", served.token())] {
        let answer = Asked::post("/session").body(wrong).of(&served);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(!answer.has("set-cookie"));
    }
    let answer = Asked::post("/session").body(served.token()).of(&served);
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with(&format!("sglab-{}=", served.port())),
        "by port, which cookies do not tell apart: {cookie}"
    );
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/") && !cookie.contains(served.token()), "{cookie}");
    // Nobody else can read it.
    let kept = labs.folder().join("page.page");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn every_answer_tells_the_browser_to_trust_nothing_but_this_page() {
    let (_labs, served) = two_tier();
    for asked in [
        Asked::get("/"),
        Asked::get("/app.js"),
        Asked::get("/none"),
        Asked::get("/api/stream"),
        Asked::get("/").header("Host", "x"),
    ] {
        let answer = asked.of(&served);
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value);
        }
    }
}

#[test]
fn no_program_no_file_and_nothing_but_the_forms_can_be_reached() {
    let (labs, served) = two_tier();
    let cookie = served.cookie();
    let ask = |path: &str, body: &str| Asked::post(path).header("Cookie", &cookie).body(body).of(&served);
    for form in [
        r#"{"operation": "exec", "instance": "web1", "command": ["id"]}"#,
        r#"{"operation": "launch", "instance": "x", "groups": ["SG-T-WEB"], "services": {"a": {"command": "id"}}}"#,
        r#"{"operation": "launch", "instance": "x", "groups": ["SG-T-WEB"], "mounts": {"/m": "/etc"}}"#,
        r#"{"operation": "stop", "instances": ["web1"], "more": 1}"#,
        r#"{"operation": "authorize", "group": "SG-T-WEB", "direction": "ingress", "rules": [], "more": 1}"#,
        r#""down""#,
    ] {
        let answer = ask("/api/operations", &format!(r#"{{"at": 0, "wanted": {{"form": {form}}}}}"#));
        assert_eq!(answer.status, 400, "{form}: {}", answer.body);
    }
    let offered =
        r#"{"at": 0, "wanted": {"remedy": ["launch: {x: {groups: SG-T-WEB, services: {a: {command: id}}}}"]}}"#;
    let answer = ask("/api/operations", offered);
    assert_eq!(answer.json()["result"], "failed", "{}", answer.body);
    assert!(answer.body.contains("not offered as a remedy"), "{}", answer.body);
    for path in ["/../Cargo.toml", "/..%2f..%2fetc%2fpasswd", "/api/exec", "/api/down", "/index.html/x"] {
        assert!([401, 404, 405].contains(&Asked::get(path).header("Cookie", &cookie).of(&served).status), "{path}");
    }
    assert_eq!(ask("/api/view", &"x".repeat(100_000)).status, 413, "a body of any size");
    assert_eq!(ask("/api/view", &"[".repeat(60_000)).status, 400, "however deep it is");
    assert_eq!(labs.states()[0]["instances"].as_array().unwrap().len(), 4, "nothing was launched");
}

#[test]
fn who_has_seen_an_older_revision_is_told_and_changes_nothing() {
    let (labs, served) = two_tier();
    let cookie = served.cookie();
    let stop = |at: u64, name: &str| {
        let body = format!(r#"{{"at": {at}, "wanted": {{"form": {{"operation": "stop", "instances": ["{name}"]}}}}}}"#);
        Asked::post("/api/operations").header("Cookie", &cookie).body(&body).of(&served)
    };
    assert_eq!(stop(0, "web1").json()["result"], "applied");
    let late = stop(0, "web2");
    assert_eq!((late.status, late.json()), (409, json!({"result": "stale", "revision": 1})));
    let stopped = |name: &str| {
        labs.states()[0]["instances"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["name"] == name && it["state"] == "stopped")
    };
    assert!(stopped("web1") && !stopped("web2"));
}

#[test]
fn a_cell_of_an_older_table_is_not_explained_as_another() {
    let (labs, served) = two_tier();
    let cookie = served.cookie();
    let explain = || {
        Asked::post("/api/explanations").header("Cookie", &cookie).body(r#"{"cell": {"cell": 7, "at": 0}}"#).of(&served)
    };
    assert_eq!(explain().json()["result"], "explained");
    labs.ok(&["stop", "web2"]);
    let until = std::time::Instant::now() + patience(20);
    while explain().json()["result"] != "failed" {
        assert!(std::time::Instant::now() < until, "{}", explain().body);
    }
    assert!(explain().body.contains("choose the cell again"));
}

#[test]
fn what_ec2_refuses_and_what_means_nothing_is_told_in_its_words() {
    let (_labs, served) = two_tier();
    let cookie = served.cookie();
    let ask = |form: &str| {
        Asked::post("/api/operations")
            .header("Cookie", &cookie)
            .body(&format!(r#"{{"at": 0, "wanted": {{"form": {form}}}}}"#))
            .of(&served)
    };
    let refused = ask(r#"{"operation": "delete-group", "names": ["SG-T-WEB"]}"#).json();
    assert_eq!((&refused["result"], &refused["code"]), (&json!("refused"), &json!("InvalidGroup.InUse")));
    let unknown = ask(r#"{"operation": "stop", "instances": ["wep1"]}"#).json();
    assert_eq!((&unknown["code"], &unknown["did_you_mean"]), (&json!("InvalidInstanceID.NotFound"), &json!(["web1"])));
    let words = ask(
        r#"{"operation": "authorize", "group": "SG-T-WEB", "direction": "ingress", "rules": ["tcp 80 form anywhere"]}"#,
    );
    assert_eq!((words.status, &words.json()["result"]), (422, &json!("invalid")));
    let problem = &words.json()["problems"][0];
    assert!(problem["width"].as_u64().unwrap() > 0 && !problem["words"].as_str().unwrap().is_empty(), "{}", words.body);
}

#[test]
fn a_lab_that_was_booted_for_the_page_goes_with_it_also_by_kill_9_and_another_stays() {
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL];
    for (user, signal) in users().iter().flat_map(|user| signals.map(|signal| (*user, signal))) {
        let (labs, mut served) = two_tier_of(user);
        assert_eq!(labs.states().len(), 1);
        served.end(signal);
        let until = std::time::Instant::now() + patience(20);
        while !labs.states().is_empty() {
            assert!(std::time::Instant::now() < until, "{signal}: the lab is still up");
        }
    }
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:self-trust", "--name", "own"]);
    let mut served = Served::of(&labs, &[]);
    served.end(Signal::SIGINT);
    assert_eq!(labs.states()[0]["lab"], "own", "it was up before");
}

#[test]
fn a_page_that_is_served_anew_knows_its_browsers_until_the_lab_is_another() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:self-trust", "--name", "own"]);
    let mut first = Served::of(&labs, &[]);
    let cookie = first.cookie();
    first.end(Signal::SIGKILL);
    let mut second = Served::of(&labs, &["own"]);
    assert_eq!(second.address, first.address, "the same port and token");
    assert_eq!(Asked::post("/api/probes").header("Cookie", &cookie).of(&second).status, 200);
    second.end(Signal::SIGINT);
    labs.ok(&["down", "own"]);
    labs.ok(&["up", "example:self-trust", "--name", "own"]);
    let third = Served::of(&labs, &["own", "--port", first.port()]);
    assert_ne!(third.token(), first.token(), "of a lab that has gone nothing is left");
    assert_eq!(Asked::get("/api/tables/0").header("Cookie", &cookie).of(&third).status, 401);
}
