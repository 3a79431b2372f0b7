//! What changes on the page: by its forms, by what stops, and where model and kernel differ.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::labs::Labs;
use crate::program::{User, is_root_or_skipped};
use crate::served::Served;
use crate::watched::{PROVED, cell, outcome, served, shown};

const OFFICE: &str = "sglab: 1
era: vpc
vpcs: {main: {cidr: 10.0.0.0/16, subnets: {front: 10.0.0.0/24, back: 10.0.1.0/24}}}
hosts: {office: 203.0.113.10}
prefix-lists: {partners: [192.0.2.0/24]}
groups: {web: [tcp 80 from anywhere, tcp 22 from partners], db: [tcp 3306 from web]}
instances:
  web1: {groups: web, listens: tcp 80}
  db1: {groups: db, subnet: back, listens: tcp 3306, public: no}
";

fn office() -> (Labs, Served) {
    let labs = Labs::of(User::Ours);
    let file = labs.program.scratch().join("office.yaml");
    fs::write(&file, OFFICE).unwrap();
    let served = Served::of(&labs, &[file.to_str().unwrap(), "--name", "page"]);
    (labs, served)
}

/// Fills in a form and sends it; gives what is answered.
fn send(browser: &Browser, operation: &str, fields: &[(&str, &[&str])]) -> String {
    let script = "const [key, values] = arguments; const it = document.querySelector(`[data-key=\"${key}\"]`);
        if (it.multiple) for (const option of it.options) option.selected = values.includes(option.value); else it.value = values[0];
        it.dispatchEvent(new Event('input', {bubbles: true})); it.dispatchEvent(new Event('change', {bubbles: true}));
        return it.multiple ? [...it.selectedOptions].map((option) => option.value) : [it.value]";
    let fill = |key: &str, values: &[&str]| {
        assert_eq!(browser.script(script, json!([key, values])), json!(values), "{operation}: {key}");
    };
    browser.script("document.querySelector('#do-result').replaceChildren()", json!([]));
    fill("operation", &[operation]);
    fields.iter().for_each(|(key, values)| fill(key, values));
    browser.click("[data-key='apply']");
    browser.wait("document.querySelector('#do-result').childElementCount > 0");
    browser.text("#do-result")
}

fn options(browser: &Browser, key: &str) -> Value {
    let script = "return [...document.querySelector(`[data-key=\"${arguments[0]}\"]`).options].map((it) => it.value)";
    browser.script(script, json!([key]))
}

#[test]
fn forms_launch_attach_describe_and_edit_as_commands_do() {
    let (labs, served) = office();
    let browser = shown(&served, 1400, 1000);
    let told = send(
        &browser,
        "launch",
        &[
            ("instance", &["web2"]),
            ("groups", &["web"]),
            ("listens", &["tcp 80"]),
            ("subnet", &["back"]),
            ("address", &["10.0.1.77"]),
            ("public", &["none"]),
        ],
    );
    assert!(told.contains("web2"), "{told}");
    let told = send(
        &browser,
        "attach-interface",
        &[("instance", &["web2"]), ("device", &["eth1"]), ("groups", &["db"]), ("subnet", &["back"])],
    );
    assert!(told.contains("eth1"), "{told}");
    let told = send(&browser, "set-groups", &[("instance", &["web2.eth1"]), ("groups", &["web", "db"])]);
    assert!(told.contains("applied in"), "{told}");
    let told = send(&browser, "source-dest-check", &[("instance", &["web2.eth0"]), ("check", &["off"])]);
    assert!(told.contains("off"), "{told}");
    let told = send(
        &browser,
        "edit-prefix-list",
        &[("list", &["partners"]), ("add", &["198.51.100.0/24"]), ("remove", &["192.0.2.0/24"])],
    );
    assert!(told.contains("198.51.100.0/24"), "{told}");
    let told = send(
        &browser,
        "update-description",
        &[
            ("group", &["db"]),
            ("direction", &["ingress"]),
            ("rules", &["tcp 3306 from web"]),
            ("description", &["the shop"]),
        ],
    );
    assert!(told.contains("the shop"), "{told}");
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).unwrap();
    let web2 = state["instances"].as_array().unwrap().iter().find(|it| it["name"] == "web2").unwrap();
    let interfaces = web2["interfaces"].as_array().unwrap();
    assert_eq!((&interfaces[0]["private"], &interfaces[0]["public"]), (&json!("10.0.1.77"), &json!(null)));
    assert_eq!(interfaces[1]["groups"], json!(["web", "db"]));
    let told = send(&browser, "detach-interface", &[("names", &["web2.eth1"])]);
    assert!(told.contains("eth1"), "{told}");
}

#[test]
fn what_is_chosen_in_a_form_stays_when_the_lab_changes_meanwhile() {
    let (labs, served) = office();
    let browser = shown(&served, 1400, 1000);
    let choose = "const it = document.querySelector('[data-key=operation]'); it.value = 'set-groups'; it.dispatchEvent(new Event('change', {bubbles: true})); \
                  const groups = document.querySelector('[data-key=groups]'); for (const option of groups.options) option.selected = ['web', 'db'].includes(option.value); groups.dispatchEvent(new Event('change', {bubbles: true}))";
    browser.script(choose, json!([]));
    labs.ok(&["create-group", "later"]);
    browser.wait("[...document.querySelector('[data-key=groups]').options].some((it) => it.value === 'later')");
    let chosen = "return [...document.querySelector('[data-key=groups]').selectedOptions].map((it) => it.value).sort()";
    assert_eq!(browser.script(chosen, json!([])), json!(["db", "web"]));
}

#[test]
fn a_form_offers_only_what_is_in_a_fitting_state() {
    let (_labs, served) = office();
    let browser = shown(&served, 1400, 1000);
    let all = options(&browser, "operation");
    assert!(!all.as_array().unwrap().contains(&json!("start")), "nobody can be started: {all}");
    send(&browser, "stop", &[("instances", &["db1"])]);
    browser.wait("[...document.querySelector('[data-key=operation]').options].some((it) => it.value === 'start')");
    for (operation, wanted) in [
        ("start", json!(["db1"])),
        ("stop", json!(["web1"])),
        ("crash", json!(["web1"])),
        ("terminate", json!(["web1", "db1"])),
    ] {
        browser.script("const it = document.querySelector('[data-key=operation]'); it.value = arguments[0]; it.dispatchEvent(new Event('change', {bubbles: true}))", json!([operation]));
        assert_eq!(options(&browser, "instances"), wanted, "{operation}");
    }
}

#[test]
fn a_box_offers_for_a_member_what_the_forms_do_and_tells_the_addresses_of_its_interface() {
    let (labs, served) = office();
    let browser = shown(&served, 1400, 1000);
    send(
        &browser,
        "attach-interface",
        &[("instance", &["web1"]), ("device", &["eth1"]), ("groups", &["db"]), ("subnet", &["back"])],
    );
    send(&browser, "crash", &[("instances", &["web1"])]);
    let boxes = "[...document.querySelectorAll('#picture .box')]";
    browser.wait(&format!("{boxes}.some((it) => it.textContent.includes('web1.eth1 crashed'))"));
    browser.script(&format!("{boxes}.find((it) => it.textContent.includes('web1.eth1')).dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"), json!([]));
    browser.wait("document.querySelector('[data-key=\"start-web1.eth1\"]')");
    let verbs = "return [...document.querySelector('[data-key=\"start-web1.eth1\"]').parentElement.children].map((it) => it.textContent)";
    assert_eq!(browser.script(verbs, json!([])), json!(["stop", "start", "terminate"]));
    let state: Value = serde_json::from_str(&labs.ok(&["state", "--format", "json"])).unwrap();
    let web1 = state["instances"].as_array().unwrap().iter().find(|it| it["name"] == "web1").unwrap();
    let addresses = |index: usize| web1["interfaces"][index]["private"].as_str().unwrap();
    let told = browser.script("return document.querySelector('[data-key=\"start-web1.eth1\"]').closest('li').querySelector('.addresses').textContent", json!([]));
    let told = told.as_str().unwrap();
    assert!(told.contains(addresses(1)) && !told.contains(addresses(0)), "{told}: {web1}");
}

#[test]
fn what_is_wrong_in_a_form_is_told_of_its_field() {
    let (_labs, served) = office();
    let browser = shown(&served, 1400, 1000);
    let told = send(
        &browser,
        "authorize",
        &[("group", &["db"]), ("direction", &["ingress"]), ("rules", &["tcp 33066666 from web"])],
    );
    assert!(told.starts_with("×\nRule: ") || told.contains("Rule: "), "{told}");
    assert!(told.contains("tcp 33066666 from web\n    ^^^^^^^^"), "{told}");
    assert!(!told.contains("command:"), "there is no such file: {told}");
    browser.script("document.querySelector('#ask input').value = 'web1 -> nobody:80'; document.querySelector('#ask').requestSubmit()", json!([]));
    browser.wait("document.querySelector('#explain-body .problem')");
    let told = browser.text("#explain-body");
    assert!(told.contains("A flow: ") && told.contains('^') && !told.contains("command:"), "{told}");
}

#[test]
fn what_is_down_stays_in_the_table_and_says_so() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let heads = "return [...document.querySelectorAll('.grid tbody th, .grid .to')].map((it) => it.innerText.trim()).filter((it) => it.startsWith('web1'))";
    assert_eq!(browser.script(heads, json!([])), json!(["web1", "web1"]));
    labs.ok(&["stop", "web1"]);
    browser.wait("document.querySelectorAll('.is-down').length === 2");
    browser.wait(PROVED);
    assert_eq!(browser.script(heads, json!([])), json!(["web1 stopped", "web1 stopped"]));
    let rows = "return [...document.querySelectorAll('.grid tbody th')].map((it) => it.innerText.trim())";
    assert_eq!(browser.script(rows, json!([]))[4], json!("web1 stopped"), "it stands where it stood");
    let titles = "return [...new Set([...document.querySelectorAll('td.idle')].map((it) => it.title))].sort()";
    assert_eq!(
        browser.script(titles, json!([])),
        json!(["web1 is stopped: it sends nothing", "web1 is stopped: nothing answers there"])
    );
    labs.ok(&["start", "web1"]);
    browser.wait("document.querySelectorAll('.is-down').length === 0");
    labs.ok(&["crash", "db2"]);
    browser.wait("document.querySelector('.is-down')?.textContent === 'crashed'");
}

#[test]
fn an_arrow_counts_pairs_of_instances_by_whatever_addresses_they_are_shown() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    labs.ok(&["authorize", "SG-T-DB", "tcp 8080 from SG-I-WEB1"]);
    let says = "[...document.querySelectorAll('#picture .arrow')].some((it) => it.getAttribute('aria-label').includes('8080 (2 of 4 pairs)'))";
    browser.wait(says);
    browser.click("[data-key='by-public']");
    browser.wait("document.querySelector('.grid .by')");
    browser.wait(PROVED);
    assert_eq!(browser.script(&format!("return {says}"), json!([])), json!(true));
}

#[test]
fn the_time_line_shows_the_picture_of_its_moment_and_says_why_it_has_none() {
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    labs.ok(&["authorize", "SG-T-DB", "tcp 3306 from SG-I-DB1"]);
    browser.wait("document.querySelectorAll('#history button:not(:disabled)').length === 2");
    let among = "document.querySelector('#picture').textContent.includes('3306 among themselves')";
    browser.wait(among);
    browser.click("#history li:last-child button");
    browser.wait(&format!("!{among}"));
    assert_eq!(browser.text("#picture-head"), "Who reached whom after “as it was found”");
    browser.click("[data-key='now']");
    browser.wait(among);
    assert_eq!(browser.text("#picture-head"), "Who reaches whom");
    assert_eq!(labs.say(&["delete-group", "SG-T-WEB"]).code, Some(1));
    browser.wait("document.querySelector('#history button:disabled')?.title.includes('refused')");
    assert!(browser.text("#history li:first-child").contains("InvalidGroup.InUse"), "{}", browser.text("#history"));
}

/// Gives commands to nft in the router of a lab.
fn nft(labs: &Labs, lab: &str, commands: &str) -> String {
    let net = format!("--net=/proc/{}/root/run/netns/vpc-default", labs.pid(lab));
    let mut command = Command::new("nsenter");
    command.args([&net, "nft", "-a", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("nsenter");
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{commands}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn where_the_kernel_does_other_than_the_model_says_the_page_is_loud() {
    if !is_root_or_skipped() {
        return;
    }
    let (labs, served) = served(&["example:two-tier", "--name", "page"]);
    let browser = shown(&served, 1400, 1000);
    let name = "db1 to db2, tcp 3306";
    assert_eq!(outcome(&browser, name), "dropped measured");
    // A rule that no group has: the one of SG-T-WEB once more, for somebody else.
    let chain = nft(&labs, "page", "list chain inet sglab ingress/SG-T-DB\n");
    let rule = chain
        .lines()
        .find(|line| line.contains("@members/SG-T-WEB") && line.contains("tcp dport 3306"))
        .expect("a rule");
    let rule = rule.trim().replace("@members/SG-T-WEB", "10.0.0.13");
    let rule = rule.split(" comment ").next().unwrap();
    nft(&labs, "page", &format!("add rule inet sglab ingress/SG-T-DB {rule} comment \"planted\"\n"));
    browser.click("#again");
    browser.wait(&format!("document.querySelector({:?}).classList.contains('disagrees')", cell(name)));
    browser.wait(PROVED);
    assert_eq!(browser.text(&cell(name)), "!");
    assert_eq!(outcome(&browser, name), "open measured", "the packets have the last word");
    let title = browser.script("return document.querySelector(arguments[0]).title", json!([cell(name)]));
    assert_eq!(title, json!(format!("{name}: open, measured, and the model says otherwise")));
    assert_eq!(browser.script("return document.querySelectorAll('td.disagrees').length", json!([])), json!(1));
    browser.click(&cell(name));
    browser.wait("document.querySelector('#explain-body .loud')");
    assert!(browser.text("#explain-body .loud").contains("NOT as predicted"), "{}", browser.text("#explain-body"));
    let chain = nft(&labs, "page", "list chain inet sglab ingress/SG-T-DB\n");
    let planted = chain.lines().find(|line| line.contains("planted")).expect("the rule");
    let handle = planted.rsplit_once("# handle ").unwrap().1.trim();
    nft(&labs, "page", &format!("delete rule inet sglab ingress/SG-T-DB handle {handle}\n"));
    browser.click("#again");
    browser.wait("document.querySelectorAll('td.disagrees').length === 0");
    browser.wait(PROVED);
    assert_eq!(outcome(&browser, name), "dropped measured");
}
