//! Places of what the page shows: arrows beside boxes, words beside words, and what one needs within the window.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::User;
use crate::served::Served;
use crate::watched::{PROVED, many_instances, served, shown};

/// Five tiers with an administrator and a monitor: many ports, and arrows that pass lanes by.
const TIERS: &str = "sglab: 1
era: vpc
hosts: {office: 203.0.113.10, world: 198.51.100.7}
groups:
  SG-T-LB: [tcp 80 from anywhere, tcp 443 from anywhere]
  SG-T-WEB: [tcp 8000 from SG-T-LB, tcp 8443 from SG-T-LB, tcp 22 from SG-T-ADMIN, tcp 9100 from SG-T-MON]
  SG-T-APP: [tcp 8080 from SG-T-WEB, tcp 8081 from SG-T-WEB, udp 4000 from SG-T-WEB, tcp 22 from SG-T-ADMIN, tcp 9100 from SG-T-MON]
  SG-T-DB: [tcp 3306 from SG-T-APP, tcp 3307 from SG-T-APP, tcp 3306 from SG-T-ADMIN, tcp 22 from SG-T-ADMIN, tcp 9104 from SG-T-MON]
  SG-T-CACHE: [tcp 6379 from SG-T-APP, tcp 6379 from SG-T-WEB, tcp 11211 from SG-T-WEB, tcp 22 from SG-T-ADMIN]
  SG-T-ADMIN: [tcp 22 from office, tcp 9090 from office]
  SG-T-MON: [tcp 3000 from office, tcp 22 from SG-T-ADMIN, udp 514 from SG-T-WEB, udp 514 from SG-T-APP]
instances:
  lb1: {groups: SG-T-LB}
  lb2: {groups: SG-T-LB}
  web1: {groups: SG-T-WEB}
  web2: {groups: SG-T-WEB}
  app1: {groups: SG-T-APP}
  app2: {groups: SG-T-APP}
  db1: {groups: SG-T-DB}
  db2: {groups: SG-T-DB}
  cache1: {groups: SG-T-CACHE}
  cache2: {groups: SG-T-CACHE}
  admin: {groups: SG-T-ADMIN}
  monitor: {groups: SG-T-MON}
";

/// Whatever stands in the way of something else, as the browser has drawn it.
const IN_THE_WAY: &str = r#"
const wrong = [];
const svg = document.querySelector('#picture svg');
const rect = (it) => { const box = it.getBBox(); return [box.x, box.y, box.x + box.width, box.y + box.height]; };
const boxes = [...svg.querySelectorAll('.box')].map((it) => ({ words: it.querySelector('.title').textContent, at: rect(it.querySelector('rect')), texts: [...it.querySelectorAll('text')] }));
const meets = (a, b) => a[0] < b[2] - 1 && b[0] < a[2] - 1 && a[1] < b[3] - 1 && b[1] < a[3] - 1;
for (const path of svg.querySelectorAll('.arrow .line')) {
  for (let at = 0; at <= path.getTotalLength(); at += 3) {
    const { x, y } = path.getPointAtLength(at);
    for (const box of boxes) if (x > box.at[0] + 1 && x < box.at[2] - 1 && y > box.at[1] + 1 && y < box.at[3] - 1) wrong.push(`an arrow crosses ${box.words}: ${path.parentNode.getAttribute('aria-label')}`);
  }
}
const labels = [...svg.querySelectorAll('.label')].map((it) => ({ words: it.textContent, at: rect(it) }));
for (const [index, label] of labels.entries()) {
  for (const other of labels.slice(index + 1)) if (meets(label.at, other.at)) wrong.push(`${label.words} stands on ${other.words}`);
  for (const box of boxes) if (meets(label.at, box.at)) wrong.push(`${label.words} stands on ${box.words}`);
}
for (const box of boxes) for (const text of box.texts) {
  const [left, , right] = rect(text);
  if (left < box.at[0] || right > box.at[2]) wrong.push(`${text.textContent} runs over ${box.words}`);
  const name = text.querySelector('.name');
  if (name && name.getComputedTextLength() > text.querySelector('.address').getStartPositionOfChar(0).x - box.at[0] - 12) wrong.push(`${text.textContent} runs into itself`);
}
return [boxes.length, labels.length, [...new Set(wrong)]];
"#;

#[test]
fn no_arrow_crosses_a_box_and_no_words_stand_on_others() {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("tiers.yaml");
    fs::write(&file, TIERS).unwrap();
    for (file, boxes) in [(file.to_str().unwrap().to_owned(), 9), (many_instances(&labs, 40), 4)] {
        let served = Served::of(&labs, &[&file, "--name", "page"]);
        let browser = shown(&served, 1400, 1000);
        for size in ["", "projector"] {
            browser.script("document.documentElement.dataset.size = arguments[0]", json!([size]));
            let told = browser.script(IN_THE_WAY, json!([]));
            assert_eq!((&told[0], &told[2]), (&json!(boxes), &json!([])), "{file} {size}");
            assert!(told[1].as_u64().unwrap() >= 3, "{told}");
        }
    }
}

/// Places of an element in the window: left, top, right, bottom.
fn place(browser: &Browser, selector: &str) -> [f64; 4] {
    let script = "const it = document.querySelector(arguments[0]).getBoundingClientRect(); return [it.left, it.top + scrollY, it.right, it.bottom + scrollY]";
    let found = browser.script(script, json!([selector]));
    serde_json::from_value(found).unwrap()
}

fn height(browser: &Browser) -> f64 {
    browser.script("return innerHeight", json!([])).as_f64().unwrap()
}

#[test]
fn the_step_stands_where_one_needs_it_in_a_window_of_any_width() {
    let (_labs, served) = served(&["example:two-tier", "--name", "page"]);
    for (width, columns) in [(1400, 2), (1000, 2), (500, 1)] {
        let browser = shown(&served, width, 1000);
        let [button, picture, table, explain, log] =
            ["[data-key='next-step']", ".in-picture", ".in-table", "#explain", ".in-log"].map(|it| place(&browser, it));
        assert!(button[3] <= height(&browser), "{width}: the step is below the window: {button:?}");
        assert!(picture[3] <= table[1] && table[3] <= log[1], "{width}: {picture:?} {table:?} {log:?}");
        if columns == 2 {
            assert!(explain[0] >= table[2], "{width}: the explanation stands beside the table: {table:?} {explain:?}");
        } else {
            assert!(button[3] <= picture[1] && table[3] <= explain[1] && explain[3] <= log[1], "{width}");
        }
        let over = browser.script("return document.documentElement.scrollWidth - innerWidth", json!([]));
        assert_eq!(over, json!(0), "{width}: nothing stands out to the right");
    }
}

#[test]
fn a_projector_shows_picture_and_step_without_scrolling() {
    let (_labs, served) = served(&["example:two-tier", "--name", "page"]);
    // The window's own bar takes 143 pixels of the headless browser's.
    let browser = shown(&served, 1280, 863);
    assert_eq!(browser.script("return [innerWidth, innerHeight]", json!([])), json!([1280, 720]));
    browser.click("#projector");
    for done in 1..=4 {
        for one in [".in-picture", "[data-key='next-step']"] {
            let at = place(&browser, one);
            assert!(at[3] <= 720.0, "{one} after {} steps: {at:?}", done - 1);
        }
        browser.click("[data-key='next-step']");
        browser.wait(&format!("document.querySelectorAll('.steps .done').length === {done}"));
        browser.wait(PROVED);
    }
}

#[test]
fn a_box_of_many_says_whom_it_names_and_how_many_more() {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &[&many_instances(&labs, 40), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let members = "return [...document.querySelectorAll('#picture .member')].map((it) => it.textContent)";
    let wanted = json!(["203.0.113.10", "web1, web2 and 16 more", "app1, app2 and 14 more", "db1, db2 and 4 more"]);
    let found: Value = browser.script(members, json!([]));
    assert_eq!(found, wanted);
    labs.ok(&["stop", "web7"]);
    browser.wait("document.querySelector('#picture').textContent.includes('1 not running')");
}
