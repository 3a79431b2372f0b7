//! Lessons in browsers: a seat for each, with labs of its own.

use serde_json::{Value, json};

use crate::accessible::{axe, violations};
use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::{User, users};
use crate::served::{Answered, Asked, Served};

fn class(user: User, arguments: &[&str]) -> (Labs, Served) {
    let labs = Labs::of(user);
    let served = Served::by(&labs, &[&["learn"], arguments].concat());
    (labs, served)
}

/// Does something at a seat, as the page does.
fn act(served: &Served, cookie: &str, request: Value) -> Answered {
    Asked::post("/api/seat").header("Cookie", cookie).body(&request.to_string()).of(served)
}

/// The view after something was done, which nothing stood in the way of.
fn done(served: &Served, cookie: &str, request: Value) -> Value {
    let answer = act(served, cookie, request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let view = answer.json();
    assert_eq!(view["problem"], json!(null), "{view}");
    view
}

/// The file of the lesson self-trust with the groups that solve it.
fn solved(file: &str) -> String {
    let given = "DB: [tcp 3306 from WEB, tcp 3306 from office]";
    assert!(file.contains(given), "{file}");
    file.replace(given, "DB: [tcp 3306 from WEB, tcp 4444 from DB]")
}

#[test]
fn a_lesson_is_played_from_its_first_prediction_to_a_goal_that_holds() {
    let (_labs, served) = class(User::Ours, &["self-trust", "--serve", "2"]);
    let browser = Browser::open(1400, 1000);
    browser.go(&served.address);
    browser.wait("document.querySelector('[data-key=run]')");
    assert!(!browser.script("return location.href", json!([])).as_str().unwrap().contains(served.token()));
    // Members of one group do not trust each other.
    browser.click("[data-key='answer-0-dropped']");
    browser.click("[data-key='answer-1-open']");
    browser.click("[data-key='run']");
    browser.wait("document.querySelectorAll('.revealed').length === 1");
    let shown = browser.text(".revealed");
    assert!(shown.contains("✓ right") && shown.contains("✗ wrong") && shown.contains("you said open"), "{shown}");
    assert!(shown.contains("they share a group, and membership admits nothing"), "{shown}");
    assert_eq!(
        browser.script("return document.querySelector('.revealed td[data-cell]').dataset.standing", json!([])),
        json!("measured")
    );
    // The lab goes where one looks at something else, and comes up again where it was.
    browser.click("[data-key='stage-1']");
    browser.click("[data-key='rule-0-1']");
    browser.wait("document.querySelector('.answer-line.right')");
    browser.click("[data-key='stage-0']");
    browser.click("[data-key='run']");
    browser.wait("document.querySelectorAll('.revealed').length === 2");
    browser.wait("document.querySelector('div.revealed').innerText.includes('Step 2')");
    assert!(browser.text("div.revealed").contains("not predicted"), "{}", browser.text("div.revealed"));
    browser.wait("document.querySelector('.picture').textContent.includes('3306 among themselves')");
    // All is there after the page was loaded anew.
    browser.go(served.origin());
    browser.wait("document.querySelectorAll('.revealed').length === 2");
    browser.click("[data-key='stage-2']");
    browser.click("[data-key='check']");
    browser.wait("document.querySelector('.missed')");
    assert!(
        browser.text("#result").contains("LEAK step 1: office -> db1:3306 and 1 more"),
        "{}",
        browser.text("#result")
    );
    browser.click("[data-key='hint']");
    browser.wait("document.querySelector('.hints')");
    assert!(browser.text(".hints").contains("look at what db1 lets in"), "{}", browser.text(".hints"));
    let file = browser.script("return document.querySelector('#file').value", json!([]));
    let script =
        "const it = document.querySelector('#file'); it.value = arguments[0]; it.dispatchEvent(new Event('input'))";
    browser.script(script, json!([solved(file.as_str().unwrap())]));
    browser.click("[data-key='check']");
    browser.wait("document.querySelector('.reached')");
    assert!(browser.text("#result").contains("95 of 100 points; hints have cost 5"), "{}", browser.text("#result"));
    assert_eq!(browser.log(), Vec::<String>::new());
}

#[test]
fn the_instructor_sees_who_is_where_and_a_hostile_name_is_text() {
    let (_labs, served) = class(User::Ours, &["self-trust", "--serve", "2"]);
    let instructor = Browser::open(1000, 700);
    instructor.go(served.instructor());
    instructor.wait("document.querySelector('#class').innerText.includes('Nobody has begun yet')");
    let cookie = served.cookie();
    let name = "<img src=x onerror=alert(1)>";
    done(&served, &cookie, json!({"name": name}));
    done(&served, &cookie, json!({"lesson": "self-trust"}));
    done(
        &served,
        &cookie,
        json!({"stage": {"at": 0, "action": {"predict": {"step": 1, "answers": ["dropped", "dropped"]}}}}),
    );
    instructor.wait("document.querySelector('#class').innerText.includes('2 of 2 right')");
    assert!(instructor.text("#class").contains(name), "{}", instructor.text("#class"));
    // A seat that is given away is not shown with what was begun there before.
    let unnamed = served.cookie();
    done(&served, &unnamed, json!({"lesson": "self-trust"}));
    instructor.wait("document.querySelectorAll('.learners tbody tr').length === 2");
    let next = served.cookie();
    instructor.wait("document.querySelectorAll('.learners tbody tr').length === 1");
    assert_eq!(act(&served, &unnamed, json!({"lesson": null})).status, 401);
    assert_eq!(act(&served, &next, json!({"lesson": null})).status, 200);
    // A learner's cookie is none of the instructor's.
    let answer = Asked::get("/api/class").header("Cookie", &cookie).of(&served);
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(instructor.log(), Vec::<String>::new());
}

#[test]
fn each_seat_has_labs_of_its_own_as_root_and_as_an_ordinary_user() {
    for user in users() {
        let (_labs, served) = class(*user, &["self-trust", "--serve", "2"]);
        let seats = [served.cookie(), served.cookie()];
        for cookie in &seats {
            done(&served, cookie, json!({"lesson": "self-trust"}));
        }
        let step = |number: usize| json!({"stage": {"at": 0, "action": {"predict": {"step": number, "answers": []}}}});
        // One is at the second step, where rules have opened what is dropped at the other's first.
        done(&served, &seats[0], step(1));
        let ahead = done(&served, &seats[0], step(2));
        let behind = done(&served, &seats[1], step(1));
        let open = |view: &Value| {
            let last = view["play"]["stage"]["revealed"].as_array().unwrap().last().unwrap().clone();
            last["table"]["cells"].as_array().unwrap().iter().filter(|code| **code == "Om").count()
        };
        assert_eq!((open(&ahead), open(&behind)), (2, 0));
        let file = done(&served, &seats[0], json!({"stage": {"at": 0, "action": {"go-to": 2}}}));
        let text = solved(file["play"]["stage"]["text"].as_str().unwrap());
        let reached = done(&served, &seats[0], json!({"stage": {"at": 2, "action": {"check": text}}}));
        assert_eq!(reached["play"]["stage"]["checked"]["run"]["score"], json!(100));
        assert_eq!(behind["play"]["stages"][2]["result"], json!(null));
    }
}

#[test]
fn who_has_no_code_gets_no_seat_and_a_full_class_says_so() {
    let (_labs, served) = class(User::Ours, &["self-trust", "--serve", "1"]);
    for word in ["", "AAAA-AAAA", "0", &"A".repeat(1000)] {
        let answer = Asked::post("/session").body(word).of(&served);
        assert_eq!(answer.status, 401, "{word}");
        assert!(answer.body.contains("look at the screen"), "{}", answer.body);
    }
    assert_eq!(Asked::get("/api/seat").of(&served).status, 401);
    assert_eq!(act(&served, &format!("sglab-seat-{}=1.00", served.port()), json!({"lesson": null})).status, 401);
    // As people type it.
    let typed = served.token().to_lowercase().replace('-', " ");
    assert_eq!(Asked::post("/session").body(&typed).of(&served).status, 204);
    // Nothing was done at that seat yet, so it is given to the next.
    let cookie = served.cookie();
    done(&served, &cookie, json!({"name": "Ada"}));
    let answer = Asked::post("/session").body(served.token()).of(&served);
    assert_eq!((answer.status, answer.body.contains("all 1 seats are taken")), (503, true), "{}", answer.body);
    for (name, value, status) in
        [("Host", "rebound.example", 421), ("Origin", "http://evil.example", 403), ("X-Sglab", "", 403)]
    {
        let asked = Asked::post("/api/seat").header("Cookie", &cookie).body(r#"{"name": "x"}"#).header(name, value);
        assert_eq!(asked.of(&served).status, status, "{name}: {value}");
    }
    for path in ["/app.js", "/index.html", "/api/operations", "/api/stream"] {
        assert_eq!(Asked::get(path).header("Cookie", &cookie).of(&served).status, 404, "{path}");
    }
}

#[test]
fn a_file_that_is_handed_in_runs_no_program_and_is_bounded() {
    let (_labs, served) = class(User::Ours, &["self-trust", "--serve", "1"]);
    let cookie = served.cookie();
    done(&served, &cookie, json!({"lesson": "self-trust"}));
    let view = done(&served, &cookie, json!({"stage": {"at": 0, "action": {"go-to": 2}}}));
    let file = view["play"]["stage"]["text"].as_str().unwrap().to_owned();
    let check = |text: &str| act(&served, &cookie, json!({"stage": {"at": 2, "action": {"check": text}}}));
    let program = file.replace("listens: tcp 443", "services: {s: {command: [sh], port: tcp 443}}");
    for (text, word) in [
        (program.as_str(), "web1"),
        ("groups: {", "error"),
        (&file.replace("any -> web1:443", "any -> web1:80"), "error"),
    ] {
        let view = check(text).json();
        let refused = view["play"]["stage"]["checked"]["refused"].as_str().unwrap_or_else(|| panic!("{text}: {view}"));
        assert!(refused.contains(word), "{refused}");
    }
    let large = format!("{file}# {}\n", "x".repeat(64 << 10));
    let view = check(&large).json();
    assert!(view["problem"].as_str().unwrap().contains("larger than"), "{view}");
    assert_eq!(check(&"x".repeat(1 << 20)).status, 413);
    // What another tab does to a stage that is not shown any more is told.
    let view = act(&served, &cookie, json!({"stage": {"at": 0, "action": "begin-again"}})).json();
    assert!(view["problem"].as_str().unwrap().contains("another tab"), "{view}");
}

#[test]
fn axe_finds_nothing_wrong_in_any_stage_and_scheme() {
    let axe = axe();
    let (_labs, served) = class(User::Ours, &["--serve", "1"]);
    let browser = Browser::open(1400, 1000);
    let mut wrong = Vec::new();
    let mut look = |browser: &Browser, view: &str| {
        for scheme in ["light", "dark"] {
            browser.script("document.documentElement.dataset.scheme = arguments[0]", json!([scheme]));
            wrong.extend(violations(browser, &axe).into_iter().map(|it| format!("{view}, {scheme}: {it}")));
        }
    };
    browser.go(served.origin());
    browser.wait("document.querySelector('[name=code]')");
    look(&browser, "the code");
    browser.go(&served.address);
    browser.wait("document.querySelector('.lessons')");
    look(&browser, "the list");
    browser.click("[data-key='lesson-two-directions']");
    browser.wait("document.querySelector('[data-key=run]')");
    browser.click("[data-key='run']");
    browser.wait("document.querySelector('.revealed')");
    look(&browser, "predict");
    browser.click("[data-key='stage-1']");
    browser.wait("document.querySelector('.numbered, #file')");
    look(&browser, "the second stage");
    browser.click("[data-key='stage-2']");
    browser.wait("document.querySelector('#file')");
    browser.click("[data-key='check']");
    browser.wait("document.querySelector('#result').childElementCount > 0");
    look(&browser, "a file");
    browser.go(served.instructor());
    browser.wait("document.querySelector('.learners')");
    look(&browser, "the class");
    assert_eq!(wrong, Vec::<String>::new());
}
