//! A room that predicts: phones on an address of their own, which can do nothing else.

use serde_json::json;

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::User;
use crate::served::{Asked, Served};
use crate::watched::{PROVED, shown};

fn with_audience() -> (Labs, Served) {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page", "--audience", "127.0.0.1:0"]);
    (labs, served)
}

#[test]
fn phones_predict_and_the_page_shows_a_number_only_until_the_packets_have_spoken() {
    let (_labs, served) = with_audience();
    let browser = shown(&served, 1400, 1000);
    let phones = [Browser::open(400, 800), Browser::open(400, 800)];
    for phone in &phones {
        phone.go(served.audience());
        phone.wait("document.body.innerText.includes('No question yet')");
    }
    browser.wait("document.querySelector('#room-body').innerText.includes('2 phones connected')");
    browser.script("document.querySelector('td[data-name=\"db1 to db2, tcp 3306\"]').click()", json!([]));
    browser.click("[data-key='ask-room']");
    for (phone, answer) in phones.iter().zip(["open", "blocked"]) {
        phone.click(&format!("[data-key='{answer}']"));
        phone.wait("document.querySelector('#said').textContent.includes('Noted')");
    }
    browser.wait("document.querySelector('#room-body').innerText.includes('2 answers, hidden until the reveal')");
    assert_eq!(browser.script("return document.querySelectorAll('#room-body .bars').length", json!([])), json!(0));
    browser.wait(PROVED);
    browser.click("[data-key='reveal']");
    browser.wait("document.querySelector('#room-body .bars')");
    assert!(browser.text("#room-body").contains("dropped"), "{}", browser.text("#room-body"));
    for (phone, told) in phones.iter().zip(["Not as you thought", "You were right"]) {
        phone.wait(&format!("document.body.innerText.includes({told:?})"));
    }
}

#[test]
fn who_answers_after_the_packets_is_told_so_and_counts_for_nothing() {
    let (labs, served) = with_audience();
    let browser = shown(&served, 1400, 1000);
    browser.wait("document.querySelector('#room-body').innerText.includes('No phone is connected yet')");
    let [early, late] = [Browser::open(400, 800), Browser::open(400, 800)];
    for phone in [&early, &late] {
        phone.go(served.audience());
        phone.wait("document.body.innerText.includes('No question yet')");
    }
    browser.script("document.querySelector('td[data-name=\"db1 to db2, tcp 3306\"]').click()", json!([]));
    browser.click("[data-key='ask-room']");
    early.click("[data-key='blocked']");
    early.wait("document.querySelector('#said').textContent.includes('Noted')");
    late.wait("document.querySelector('.answer')");
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from SG-I-DB1"]);
    late.wait("document.body.innerText.includes('Too late to predict')");
    early.wait("document.body.innerText.includes('wait for the reveal')");
    let script = "const done = arguments[arguments.length - 1]; fetch('/api/predictions', {method: 'POST', headers: {'X-Sglab': '1'}, body: JSON.stringify({question: 1, prediction: 'open'})}).then(async (it) => done([it.status, await it.text()]))";
    let told = late.script_async(script);
    assert!(told[0] == 409 && told[1].as_str().unwrap().starts_with("too late"), "{told}");
    browser.wait(PROVED);
    browser.click("[data-key='reveal']");
    browser.wait("document.querySelector('#room-body .bars')");
    let numbers = "return [...document.querySelectorAll('.bar-number')].map((it) => it.textContent)";
    assert_eq!(browser.script(numbers, json!([])), json!(["0", "1"]));
    drop(late);
    browser.wait("document.querySelector('#room-body').innerText.includes('1 phone connected')");
}

#[test]
fn the_audience_can_change_nothing_whatever_it_sends() {
    let (labs, served) = with_audience();
    let hall = served.audience();
    let cookie = served.cookie();
    for path in ["operations", "explanations", "steps", "view", "probes", "stream", "tables/0"] {
        for asked in [Asked::get(&format!("/api/{path}")), Asked::post(&format!("/api/{path}")).body(r#"{"ask": 0}"#)] {
            // Not by the instructor's own cookie either: there is no such route.
            assert_eq!(asked.header("Cookie", &cookie).at(hall).status, 404, "{path}");
        }
    }
    // Phones listen there, and that is all.
    assert_eq!(Asked::post("/api/room").body(r#"{"ask": 0}"#).header("Cookie", &cookie).at(hall).status, 405);
    for path in ["/session", "/app.js", "/forms.js", "/index.html"] {
        assert_eq!(Asked::post(path).body(served.token()).at(hall).status, 404, "{path}");
    }
    assert_eq!(Asked::get("/").header("Host", "rebound.example").at(hall).status, 421);
    assert_eq!(labs.states()[0]["revision"], json!(null));
}

#[test]
fn answers_are_bounded_by_size_by_rate_and_by_participant() {
    let (_labs, served) = with_audience();
    let (hall, own) = (served.audience(), served.cookie());
    let asked = Asked::post("/api/room").header("Cookie", &own).body(r#"{"ask": {"cell": 0, "at": 0}}"#).of(&served);
    assert_eq!(asked.status, 200, "{}", asked.body);
    let cookie = Asked::get("/").at(hall).header("set-cookie");
    let cookie = cookie.split_once(';').unwrap().0;
    let answer = |body: &str| Asked::post("/api/predictions").header("Cookie", cookie).body(body).at(hall);
    let open = r#"{"question": 1, "prediction": "open"}"#;
    assert_eq!(answer(open).status, 204);
    assert_eq!(answer(&format!("{open}{}", " ".repeat(300))).status, 413);
    assert_eq!(answer(r#"{"question": 1, "prediction": "perhaps"}"#).status, 400);
    assert_eq!(answer(r#"{"question": 2, "prediction": "open"}"#).status, 409, "no such question");
    let fast = (0..10).map(|_| answer(open)).find(|it| it.status == 409).expect("too many in a row");
    assert!(fast.body.contains("not so fast"), "{}", fast.body);
    for made_up in [
        "0".repeat(32),
        format!("{}.{}", "0".repeat(32), "0".repeat(64)),
        format!("1{}", cookie.split_once('=').unwrap().1),
    ] {
        let name = cookie.split_once('=').unwrap().0;
        let answer = Asked::post("/api/predictions").header("Cookie", &format!("{name}={made_up}")).body(open).at(hall);
        assert_eq!(answer.status, 401, "a number that was not given here: {made_up}");
    }
    let without = Asked::post("/api/predictions").body(open).at(hall);
    assert_eq!(without.status, 401, "{}", without.body);
    assert_eq!(
        Asked::post("/api/predictions").header("X-Sglab", "").header("Cookie", cookie).body(open).at(hall).status,
        403
    );
}

#[test]
fn every_address_of_the_machine_is_none_for_an_audience() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:self-trust", "--name", "own"]);
    for (address, why) in [
        ("0.0.0.0:8080", "name the one that the phones reach"),
        ("192.0.2.1:8080", "must be an address of this machine"),
    ] {
        let said = labs.say(&["ui", "--no-browser", "--audience", address]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.replace('\n', " ").contains(why), "{}", said.err);
    }
}
