//! The page of an account as others name things.

use std::fs;

use serde_json::{Value, json};

use crate::accessible::{axe, violations};
use crate::labs::Labs;
use crate::program::User;
use crate::served::Served;
use crate::watched::shown;

/// Replies of `aws ec2 describe-*`: names with blanks, brackets and letters of other alphabets, long ones, none, and one that is a number.
const DUMP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page/odd-names.json");

#[test]
fn an_account_with_names_of_no_convention_is_boxes_and_a_table_that_one_can_read() {
    let axe = axe();
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("account.yaml");
    fs::write(&file, labs.ok(&["import", DUMP])).unwrap();
    let served = Served::of(&labs, &[file.to_str().unwrap(), "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let titles: Value = browser
        .script("return [...document.querySelectorAll('#picture .title')].map((it) => it.textContent)", json!([]));
    for wanted in ["launch-wizard-17", "Prod-Backend", "rds-launch-wizard · 2"] {
        assert!(
            titles.as_array().unwrap().iter().any(|it| it.as_str().unwrap().starts_with(wanted)),
            "{wanted}: {titles}"
        );
    }
    let members: Value = browser
        .script("return [...document.querySelectorAll('#picture .name')].map((it) => it.textContent)", json!([]));
    let names = members.as_array().unwrap();
    assert!(
        names.len() == 6 && (1..6).all(|index| !names[..index].contains(&names[index])),
        "each is told from the others: {members}"
    );
    let whole = "return [...document.querySelectorAll('.grid tbody th')].map((it) => it.title)";
    let rows: Value = browser.script(whole, json!([]));
    assert!(
        rows.as_array().unwrap().contains(&json!("b-ro-payment-service-worker-eu-central-1a-2024-11-03")),
        "{rows}"
    );
    let widest = "return Math.max(...[...document.querySelectorAll('.grid tbody th')].map((it) => it.getBoundingClientRect().width))";
    assert!(browser.script(widest, json!([])).as_f64().unwrap() < 300.0);
    assert_eq!(browser.script("return document.documentElement.scrollWidth - innerWidth", json!([])), json!(0));
    let over = "return [...document.querySelectorAll('#picture .box')].filter((it) => [...it.querySelectorAll('text')].some((text) => text.getBBox().x + text.getBBox().width > it.querySelector('rect').getBBox().x + it.querySelector('rect').getBBox().width)).length";
    assert_eq!(browser.script(over, json!([])), json!(0));
    assert_eq!(violations(&browser, &axe), Vec::<String>::new());
    browser.click("[data-key='next-step']");
    browser.wait("document.querySelector('.is-down')?.textContent === 'stopped'");
    assert_eq!(violations(&browser, &axe), Vec::<String>::new());
}
