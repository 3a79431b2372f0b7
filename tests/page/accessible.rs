//! The page without a mouse, without colours, and as axe-core judges it.

use std::fs;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::User;
use crate::served::Served;
use crate::watched::{PROVED, shown};

/// Path of axe.min.js of axe-core, which `scripts/test` fetches: it is MPL-2.0, and no part of this project.
pub fn axe() -> String {
    let path = std::env::var("SGLAB_AXE").expect("SGLAB_AXE, the path of axe.min.js: scripts/test fetches it");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Everything that axe-core finds wrong.
pub fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe, json!([]));
    let found = browser.script_async("const done = arguments[arguments.length - 1]; axe.run(document).then((it) => done(it.violations), (error) => done([{id: String(error), nodes: []}]))");
    let one = |it: &Value| {
        let nodes = it["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .take(3)
            .map(|node| format!("{} {}", node["html"], node["failureSummary"]))
            .collect::<Vec<_>>();
        format!("{}: {}\n  {}", it["id"], it["help"], nodes.join("\n  "))
    };
    found.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn axe_finds_nothing_wrong_in_any_view_and_scheme() {
    let axe = axe();
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page"]);
    for (width, height) in [(1400, 1000), (390, 844)] {
        let browser = shown(&served, width, height);
        let mut wrong = Vec::new();
        let mut look = |view: &str| {
            for scheme in ["light", "dark"] {
                browser.script("document.documentElement.dataset.scheme = arguments[0]", json!([scheme]));
                wrong.extend(
                    violations(&browser, &axe).into_iter().map(|it| format!("{view}, {scheme}, {width} wide: {it}")),
                );
            }
        };
        look("as it opens");
        browser.script("document.querySelector('td[data-name=\"db1 to web1, tcp 3306\"]').click()", json!([]));
        browser.wait("document.querySelector('.explanation')");
        look("an explanation");
        browser.script("[...document.querySelectorAll('#picture .box')].at(-1).dispatchEvent(new MouseEvent('click', {bubbles: true}))", json!([]));
        browser.wait("document.querySelector('#explain-body .members')");
        look("a box");
        browser.script("document.querySelector('[data-key=\"stop-db1\"]').click()", json!([]));
        browser.wait("document.querySelector('#do-result .done')");
        browser.wait(PROVED);
        let states = labs.states();
        let db1 = states[0]["instances"].as_array().unwrap().iter().find(|it| it["name"] == "db1").unwrap();
        assert_eq!(db1["state"], "stopped");
        look("after an operation");
        browser.script("document.querySelector('#projector').click()", json!([]));
        look("projector");
        assert_eq!(wrong, Vec::<String>::new());
        labs.ok(&["start", "db1"]);
    }
}

#[test]
fn all_can_be_done_by_keyboard_alone() {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let focused = || {
        browser.script("return document.activeElement.dataset.name ?? document.activeElement.dataset.key ?? document.activeElement.id", json!([])).as_str().unwrap().to_owned()
    };
    // The first stop leads past all else to the table.
    browser.press(&["Tab", "Enter"]);
    for _ in 0..20 {
        if focused().contains(" to ") {
            break;
        }
        browser.press(&["Tab"]);
    }
    assert_eq!(focused(), "office (203.0.113.10) to web1, tcp 22", "one stop for all cells");
    browser.press(&["Down", "Down", "Right", "Left", "Right"]);
    assert_eq!(focused(), "world (198.51.100.7) to web1, tcp 80");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('.explanation')");
    assert!(browser.text("#explain-body").contains("world -> web1:80"), "{}", browser.text("#explain-body"));
    // On to the step.
    for _ in 0..40 {
        if focused() == "next-step" {
            break;
        }
        browser.press(&["Tab"]);
    }
    browser.press(&["Enter"]);
    browser.wait("document.querySelectorAll('.steps .done').length === 1");
    assert_eq!(focused(), "next-step", "the focus stays where it was");
}

#[test]
fn without_colours_a_cell_says_as_much_and_motion_is_left_out_for_who_wants_none() {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &["example:two-tier", "--name", "page"]);
    let browser = Browser::with(1400, 1000, &["--force-prefers-reduced-motion"]);
    browser.go(&served.address);
    browser.wait(PROVED);
    let script = "return [...document.querySelectorAll('td[data-cell]')].every((it) => it.textContent.length === 1 && it.getAttribute('aria-label').includes(it.dataset.outcome) && it.getAttribute('aria-label').includes(it.dataset.standing))";
    assert_eq!(browser.script(script, json!([])), json!(true));
    let letters = "return new Set([...document.querySelectorAll('td[data-cell]')].map((it) => `${it.textContent} ${it.dataset.outcome}`)).size";
    assert_eq!(browser.script(letters, json!([])), json!(2), "a letter for each outcome");
    browser.script("document.querySelector('td[data-cell]').classList.add('flip')", json!([]));
    assert_eq!(
        browser.script("return getComputedStyle(document.querySelector('td.flip')).animationName", json!([])),
        json!("none")
    );
}
