//! Pictures of the page for README and `docs/`: written below `SGLAB_PICTURES` where that is set (`scripts/pictures`), and else thrown away.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::User;
use crate::served::Served;
use crate::watched::{PROVED, many_instances, shown};

fn save(browser: &Browser, name: &str) {
    let bytes = browser.picture();
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 8_000, "{name}: {} bytes", bytes.len());
    if let Some(folder) = std::env::var_os("SGLAB_PICTURES") {
        fs::write(PathBuf::from(folder).join(format!("{name}.png")), bytes).unwrap();
    }
}

fn scheme(browser: &Browser, name: &str) {
    browser.script("document.documentElement.dataset.scheme = arguments[0]; document.querySelector('#scheme').textContent = arguments[0] === 'dark' ? 'Light' : 'Dark'", json!([name]));
}

#[test]
fn the_pictures_of_the_documents_are_made_of_a_lab_that_is_up() {
    let labs = Labs::of(User::Ours);
    let served = Served::of(&labs, &["example:two-tier", "--name", "two-tier", "--audience", "127.0.0.1:0"]);
    let browser = shown(&served, 1440, 1130);
    scheme(&browser, "light");
    for done in 1..=2 {
        browser.click("[data-key='next-step']");
        browser.wait(&format!("document.querySelectorAll('.steps .done').length === {done}"));
    }
    browser.script("document.querySelector('td[data-name=\"db1 to db2, tcp 3306\"]').click()", json!([]));
    browser.wait("document.querySelector('.remedies button')");
    browser.wait(PROVED);
    save(&browser, "page");
    browser.script("document.querySelector('[data-key=\"ask-room\"]').click()", json!([]));
    browser.wait("document.querySelector('#room-body .primary')");
    let phone = Browser::open(500, 760);
    phone.go(served.audience());
    phone.wait("document.querySelector('.answer')");
    phone.click("[data-key='blocked']");
    phone.wait("document.querySelector('#said').textContent.includes('Noted')");
    save(&phone, "audience");
    browser.click("[data-key='next-step']");
    browser.wait("document.querySelectorAll('.steps .done').length === 3");
    browser.wait(PROVED);
    scheme(&browser, "dark");
    save(&browser, "page-dark");

    let many = Served::of(&labs, &[&many_instances(&labs, 200), "--name", "shop"]);
    let browser = shown(&many, 1440, 900);
    scheme(&browser, "light");
    save(&browser, "page-200-instances");
    let small = shown(&many, 500, 1000);
    save(&small, "page-phone");

    let class = Served::by(&labs, &["learn", "self-trust", "--serve", "2"]);
    let browser = Browser::open(1440, 900);
    browser.go(&class.address);
    scheme(&browser, "light");
    browser.click("[data-key='answer-0-open']");
    browser.click("[data-key='answer-1-dropped']");
    browser.click("[data-key='run']");
    browser.wait("document.querySelector('div.revealed')");
    browser.script("scrollTo(0, 0)", json!([]));
    save(&browser, "lesson");
}
