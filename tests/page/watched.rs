//! The page as its user meets it: what it shows, and what happens where something is pressed.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::{User, users};
use crate::served::Served;

/// All cells are proved by packets.
pub const PROVED: &str = "document.querySelector('#progress').textContent.includes('proved by packets')";

/// A page in a browser.
pub fn shown(served: &Served, width: u32, height: u32) -> Browser {
    let browser = Browser::open(width, height);
    browser.go(&served.address);
    browser.wait(PROVED);
    browser
}

pub fn served(arguments: &[&str]) -> (Labs, Served) {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, arguments);
    (labs, served)
}

/// A file of three tiers: its path.
pub fn many_instances(labs: &Labs, instances: usize) -> String {
    let file = labs.program.scratch().join("many.yaml");
    let mut text = "sglab: 1\nera: vpc\nhosts: {office: 203.0.113.10}\ngroups:\n  WEB: [tcp 80 from anywhere]\n  APP: [tcp 8080 from WEB]\n  \
                    DB: [tcp 3306 from APP]\n  ADMIN: [tcp 22 from office]\ninstances:\n"
        .to_owned();
    for (tier, share) in [("web", 45), ("app", 40), ("db", 15)] {
        for number in 1..=instances * share / 100 {
            text.push_str(&format!("  {tier}{number}: {{groups: [{}, ADMIN]}}\n", tier.to_uppercase()));
        }
    }
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A cell by its words: `db1 to db2, tcp 3306`.
pub fn cell(name: &str) -> String {
    format!("td[data-name={name:?}]")
}

pub fn outcome(browser: &Browser, name: &str) -> String {
    let got = browser.script(
        "const it = document.querySelector(arguments[0]); return [it?.dataset.outcome, it?.dataset.standing].join(' ')",
        json!([cell(name)]),
    );
    got.as_str().unwrap().to_owned()
}

/// The press of a button that has these words.
fn press(browser: &Browser, place: &str, words: &str) {
    let script = "const it = [...document.querySelectorAll(arguments[0] + ' button')].find((it) => it.textContent.trim() === arguments[1]); it?.click(); return it !== undefined";
    assert_eq!(browser.script(script, json!([place, words])), json!(true), "no button `{words}` in {place}");
}

#[test]
fn the_table_says_what_the_matrix_says_and_the_address_bar_keeps_no_token() {
    for user in users() {
        says_what_the_matrix_says(*user);
    }
}

fn says_what_the_matrix_says(user: User) {
    let labs = Labs::of(user);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let matrix: Value = serde_json::from_str(&labs.ok(&["matrix", "--format", "json"])).unwrap();
    let mut wanted = BTreeMap::new();
    for row in matrix["rows"].as_array().unwrap() {
        for (to, cells) in matrix["to"].as_array().unwrap().iter().zip(row["cells"].as_array().unwrap()) {
            for (port, outcome) in
                matrix["ports"].as_array().unwrap().iter().zip(cells.as_array().into_iter().flatten())
            {
                let name = format!(
                    "{} to {}, {}",
                    row["from"].as_str().unwrap(),
                    to.as_str().unwrap(),
                    port.as_str().unwrap()
                );
                wanted.insert(name, outcome.as_str().unwrap().to_owned());
            }
        }
    }
    let script = "return Object.fromEntries([...document.querySelectorAll('td[data-cell]')].map((it) => [it.dataset.name, it.dataset.outcome]))";
    let shown: BTreeMap<String, String> = serde_json::from_value(browser.script(script, json!([]))).unwrap();
    assert_eq!(shown, wanted);
    assert_eq!(shown.values().filter(|it| *it == "open").count(), 22);
    assert_eq!(browser.script("return location.href", json!([])), json!(format!("{}/", served.origin())));
    assert!(browser.text("#lab").contains("page") && browser.text("#facts").contains("4 instances"));
    assert_eq!(browser.log(), Vec::<String>::new(), "nothing that the browser complains of");
}

#[test]
fn a_rule_from_another_terminal_flips_its_cell_and_stands_in_the_time_line() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    assert_eq!(outcome(&browser, "db1 to db2, tcp 3306"), "dropped measured");
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from SG-I-DB1"]);
    browser.wait(&format!("document.querySelector({:?}).dataset.outcome === 'open'", cell("db1 to db2, tcp 3306")));
    browser.wait(PROVED);
    assert_eq!(outcome(&browser, "db1 to db2, tcp 3306"), "open measured");
    let marked =
        browser.script("return [...document.querySelectorAll('td.changed')].map((it) => it.dataset.name)", json!([]));
    assert_eq!(marked, json!(["db1 to db2, tcp 3306"]), "what the change has changed, and nothing else");
    assert!(browser.text("#history").contains("authorize SG-T-DB"), "{}", browser.text("#history"));
    assert!(browser.text("#log").contains("SG-T-DB + tcp 3306 from SG-I-DB1"), "{}", browser.text("#log"));
}

#[test]
fn a_cell_explains_itself_and_its_remedy_is_a_button() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    browser.click(&cell("db1 to db2, tcp 3306"));
    browser.wait("document.querySelector('.remedies button')");
    let told = browser.text("#explain-body");
    for part in [
        "db1 -> db2:3306",
        "dropped, as predicted",
        "egress",
        "ingress",
        "no match",
        "example:two-tier:16:13",
        "10.0.0.13 is of no member of SG-T-WEB",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    press(&browser, ".remedies", "Do it");
    browser.wait(&format!("document.querySelector({:?}).dataset.outcome === 'open'", cell("db1 to db2, tcp 3306")));
    assert!(browser.text("#do-result").contains("applied in"), "{}", browser.text("#do-result"));
    // What the remedy was for is explained anew.
    browser.wait("document.querySelector('#explain-body .match')");
    assert!(labs.ok(&["probe", "db1", "db2:3306"]).contains("open"));
}

#[test]
fn a_cell_of_a_host_of_several_addresses_is_explained_and_opened_by_its_own() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("office.yaml");
    let text = "sglab: 1\nera: vpc\nhosts: {office: [203.0.113.10, 203.0.113.11]}\ngroups: {WEB: [tcp 80 from 203.0.113.10]}\n\
                instances: {web1: {groups: WEB, listens: tcp 80}}\n";
    fs::write(&file, text).unwrap();
    let served = Served::of(&labs, &[file.to_str().unwrap(), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let name = "office (203.0.113.11) to web1, tcp 80";
    browser.click(&cell(name));
    browser.wait("document.querySelector('.remedies button')");
    let flows = "return document.querySelectorAll('#explain-body .explanation').length";
    assert_eq!(browser.script(flows, json!([])), json!(1), "{}", browser.text("#explain-body"));
    press(&browser, ".remedies", "Do it");
    browser.wait(&format!("document.querySelector({:?}).dataset.outcome === 'open'", cell(name)));
    // What the remedy was for is explained anew, and nothing else.
    browser.wait("document.querySelector('#explain-body .match')");
    let told = browser.text("#explain-body");
    assert!(told.contains("tcp 80 from 203.0.113.11"), "{told}");
    assert_eq!(browser.script(flows, json!([])), json!(1), "{told}");
}

#[test]
fn what_a_program_behind_a_load_balancer_does_is_measured_again_without_any_operation() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("balanced.yaml");
    let text = "sglab: 1\nera: vpc\nhosts: {home: 198.51.100.7}\ngroups: {WEB: [tcp 80 from anywhere]}\n\
                instances: {web1: {groups: WEB, services: {server: {command: [nc.openbsd, -lk, 0.0.0.0, '80'], port: tcp 80}}}}\n\
                load-balancers: {site: {groups: WEB, listeners: [tcp 80], targets: [web1], health-check: {interval: 0.2, timeout: 1}}}\n";
    fs::write(&file, text).unwrap();
    let served = Served::of(&labs, &[file.to_str().unwrap(), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let home = cell("home (198.51.100.7) to site, tcp 80");
    let is = |wanted: &str| {
        format!(
            "(({{dataset}}) => dataset.outcome === {wanted:?} && dataset.standing === 'measured')(document.querySelector({home:?}))"
        )
    };
    browser.wait(&is("open"));
    labs.ok(&["exec", "web1", "--", "sh", "-c", "kill -9 -1"]);
    browser.wait(&is("closed"));
}

#[test]
fn a_step_after_the_other_tells_the_story_of_the_file() {
    let (_labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    assert!(browser.text("#steps-body").contains("1. as launched"));
    for done in 1..=7 {
        browser.click("[data-key='next-step']");
        browser.wait(&format!("document.querySelectorAll('.steps .done').length === {done}"));
    }
    browser.wait(PROVED);
    assert!(browser.text("#steps-body").contains("All steps are done."));
    assert_eq!(outcome(&browser, "web3 to db1, tcp 3306"), "open measured");
    assert_eq!(outcome(&browser, "stranger to db1, tcp 3306"), "dropped measured");
}

#[test]
fn a_form_knows_the_names_and_a_refusal_is_told_in_ec2s_words() {
    let (_labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let choose = |key: &str, value: &str| {
        let script = "const it = document.querySelector(arguments[0]); it.value = arguments[1]; it.dispatchEvent(new Event('change', {bubbles: true})); return it.value";
        assert_eq!(browser.script(script, json!([format!("[data-key={key:?}]"), value])), json!(value), "{key}");
    };
    choose("operation", "delete-group");
    choose("names", "SG-T-WEB");
    browser.click("[data-key='apply']");
    browser.wait("document.querySelector('#do-result .refused')");
    assert!(browser.text("#do-result").contains("InvalidGroup.InUse"), "{}", browser.text("#do-result"));
    choose("operation", "crash");
    choose("instances", "web2");
    browser.click("[data-key='apply']");
    browser.wait("document.querySelector('#do-result').innerText.includes('web2 running -> crashed')");
    browser.wait(PROVED);
    assert!(browser.text("#picture").contains("crashed"), "{}", browser.text("#picture"));
}

#[test]
fn two_browsers_see_the_same_and_whoever_acts_later_is_told() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let (one, other) = (shown(&served, 1400, 1000), shown(&served, 1400, 1000));
    // As if both pressed before either page had heard of it: the first page's revision is the one of before.
    let script = "const done = arguments[arguments.length - 1]; fetch('/api/operations', {method: 'POST', headers: {'X-Sglab': '1'}, body: JSON.stringify({at: 0, wanted: {form: {operation: 'stop', instances: ['web1']}}})}).then((it) => it.json()).then(done)";
    assert_eq!(one.script_async(script)["result"], "applied");
    other.wait("document.querySelector('#facts').textContent.includes('revision 1')");
    assert_eq!(other.script_async(script)["result"], "stale");
    for browser in [&one, &other] {
        browser.wait("document.querySelector('#picture').textContent.includes('web1 stopped')");
    }
    assert_eq!(labs.states()[0]["instances"][0]["state"], "stopped");
}

#[test]
fn the_time_line_shows_the_table_as_it_stood_and_what_differs_between_two() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from SG-I-DB1"]);
    browser.wait("document.querySelectorAll('#history button:not(:disabled)').length === 2");
    browser.click("#history li:last-child button");
    browser.wait(&format!("document.querySelector({:?}).dataset.outcome === 'dropped'", cell("db1 to db2, tcp 3306")));
    assert_eq!(browser.text("#table-head"), "Truth table after “as it was found”");
    browser.click("#history li:first-child button");
    browser.wait("document.querySelectorAll('td.changed').length === 1");
    assert_eq!(outcome(&browser, "db1 to db2, tcp 3306"), "open measured");
    assert!(browser.text("#table-head").starts_with("What differs between"));
    assert_eq!(browser.text("td.changed"), ".→O");
    browser.click("[data-key='now']");
    browser.wait("document.querySelector('#table-head').textContent === 'Truth table'");
}

#[test]
fn it_goes_on_by_itself_when_its_program_is_started_again() {
    let labs = Labs::of(User::Ours);
    labs.ok(&["up", "example:two-tier", "--name", "page"]);
    let mut first = Served::of(&labs, &[]);
    let browser = shown(&first, 1400, 1000);
    first.end(Signal::SIGKILL);
    browser.wait("document.querySelector('#connection').dataset.how === 'lost'");
    labs.ok(&["stop", "web2"]);
    let _second = Served::of(&labs, &[]);
    browser.wait("document.querySelector('#connection').dataset.how === 'live' && document.querySelector('#picture').textContent.includes('web2 stopped')");
}

#[test]
fn whoever_has_no_token_is_told_which_address_to_open() {
    let (_labs, served) = served(&["example:self-trust", "--name", "page"]);
    let browser = Browser::open(1000, 800);
    browser.go(served.origin());
    browser.wait("!document.querySelector('#banner').hidden");
    assert!(browser.text("#banner").contains("sglab ui"), "{}", browser.text("#banner"));
    browser.go(&format!("{}/#t=00", served.origin()));
    browser.wait("document.querySelector('#banner').textContent.includes('that is not the token')");
    // The right one, typed into the same tab, is enough.
    browser.go(&served.address);
    browser.wait(PROVED);
}

#[test]
fn names_and_stories_of_a_hostile_file_are_text() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("hostile.yaml");
    let evil = "<img src=x onerror=document.title=1><script>document.title=2</script>";
    let text = format!(
        "sglab: 1\nera: vpc\ngroups:\n  a: {{name: 'x&;$!*', description: \"evil\", ingress: [tcp 80 from anywhere]}}\n\
         instances: {{a1: {{groups: a, listens: tcp 80}}, a2: {{groups: a}}}}\nscenario:\n- step: \"{evil}\"\n  note: \"</script>{evil}\"\n  do: [{{stop: a1}}]\n"
    );
    fs::write(&file, text).unwrap();
    let served = Served::of(&labs, &[file.to_str().unwrap(), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    assert!(browser.text("#steps-body").contains("<img src=x onerror"), "{}", browser.text("#steps-body"));
    browser.click("[data-key='next-step']");
    browser.wait("document.querySelectorAll('.steps .done').length === 1");
    assert_eq!(
        browser.script("return [document.title, document.querySelectorAll('main img, main script').length]", json!([])),
        json!(["page · sglab", 0])
    );
}

#[test]
fn it_asks_nobody_but_its_own_program() {
    let (_labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    browser.click(&cell("db1 to db2, tcp 3306"));
    browser.wait("document.querySelector('.remedies')");
    let names = browser.script("return performance.getEntriesByType('resource').map((it) => it.name)", json!([]));
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert!(names.len() > 8 && names.iter().all(|name| name.starts_with(served.origin())), "{names:?}");
    let size = browser.script("return performance.getEntriesByType('resource').filter((it) => !it.name.includes('/api/')).reduce((sum, it) => sum + it.decodedBodySize, 0)", json!([]));
    assert!((10_000..150_000).contains(&size.as_u64().unwrap()), "{size} bytes");
}

#[test]
fn the_seventh_tab_of_a_browser_is_as_live_as_the_first() {
    let (labs, served) = served(&["example:self-trust", "--name", "page"]);
    let browser = shown(&served, 1000, 800);
    for _ in 0..7 {
        browser.new_tab();
        browser.go(served.origin());
        browser.wait(PROVED);
    }
    let name = labs.states()[0]["instances"][0]["name"].as_str().unwrap().to_owned();
    labs.ok(&["stop", &name]);
    browser.wait("document.querySelector('#facts').textContent.includes('revision 1')");
    assert_eq!(browser.script("return document.querySelector('#connection').dataset.how", json!([])), json!("live"));
}

#[test]
fn two_hundred_instances_are_a_few_boxes_and_a_table_that_one_can_read() {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &[&many_instances(&labs, 200), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let boxes = browser
        .script("return [...document.querySelectorAll('#picture .title')].map((it) => it.textContent)", json!([]));
    assert_eq!(boxes, json!(["office", "WEB · 90", "APP · 80", "DB · 30"]));
    assert_eq!(outcome(&browser, "WEB to APP, tcp 8080"), "open measured");
    assert_eq!(outcome(&browser, "WEB to DB, tcp 3306"), "dropped measured");
    // A class is taken apart, and put together again.
    let script = "const it = [...document.querySelectorAll('#picture .box')].find((it) => it.textContent.startsWith('DB')); it.dispatchEvent(new MouseEvent('click', {bubbles: true}))";
    browser.script(script, json!([]));
    press(&browser, "#explain-body", "Show each by itself");
    browser.wait("document.querySelectorAll('#picture .box').length === 33");
    browser.wait(PROVED);
    assert_eq!(outcome(&browser, "APP to db30, tcp 3306"), "open measured");
    press(&browser, "#table-filter", "Close DB");
    browser.wait("document.querySelectorAll('#picture .box').length === 4");
}
