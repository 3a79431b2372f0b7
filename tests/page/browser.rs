//! A browser, by plain WebDriver calls (https://www.w3.org/TR/webdriver2/).

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use crate::patience::patience;

/// A browser of its own, with nothing kept from another, and its driver.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
    /// Held, so that the driver may say more.
    _said: BufReader<ChildStdout>,
}

/// Starts a driver, which goes with this test however it ends.
fn driver() -> (Child, u16, BufReader<ChildStdout>) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "chromedriver", "--port=0", "--allowed-ips=127.0.0.1"]);
    let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn();
    let mut driver = started.expect("setpriv, of util-linux");
    let mut said = BufReader::new(driver.stdout.take().unwrap());
    let mut lines = said.by_ref().lines().map_while(Result::ok);
    let port = lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
    let port = port.expect(
        "a browser and its driver: `apt-get install chromium chromium-driver`, or scripts/test, which installs them",
    );
    (driver, port, said)
}

fn call(port: u16, method: &str, path: &str, body: Option<Value>) -> Value {
    let value = try_call(port, method, path, body);
    assert!(value["error"].is_null(), "{path}: {}", value["message"]);
    value
}

/// The value of an answer, or the error as WebDriver has it.
fn try_call(port: u16, method: &str, path: &str, body: Option<Value>) -> Value {
    let url = format!("http://127.0.0.1:{port}{path}");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(patience(120))).build().into();
    let answer = match (method, body) {
        ("GET", _) => agent.get(&url).call(),
        ("DELETE", _) => agent.delete(&url).call(),
        (_, body) => {
            agent.post(&url).header("Content-Type", "application/json").send(body.unwrap_or(json!({})).to_string())
        }
    };
    let text = answer
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_string()
        .unwrap();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
    value["value"].clone()
}

impl Browser {
    /// A browser with a window of so many pixels.
    pub fn open(width: u32, height: u32) -> Self {
        Self::with(width, height, &[])
    }

    /// The same with more arguments.
    pub fn with(width: u32, height: u32, more: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut arguments: Vec<String> = [
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--hide-scrollbars",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={width},{height}"));
        // Its own sandbox needs another user than root.
        if nix::unistd::geteuid().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        arguments.extend(more.iter().map(|it| (*it).to_owned()));
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}}});
        let (driver, port, said) = driver();
        let session = call(port, "POST", "/session", Some(wanted))["sessionId"].as_str().unwrap().to_owned();
        Self { driver, port, session, _profile: profile, _said: said }
    }

    fn call(&self, path: &str, body: Value) -> Value {
        call(self.port, "POST", &format!("/session/{}{path}", self.session), Some(body))
    }

    /// Goes to an address.
    pub fn go(&self, address: &str) {
        self.call("/url", json!({"url": address}));
    }

    /// What a piece of script returns.
    pub fn script(&self, script: &str, arguments: Value) -> Value {
        self.call("/execute/sync", json!({"script": script, "args": arguments}))
    }

    /// What a piece of script calls back with.
    pub fn script_async(&self, script: &str) -> Value {
        self.call("/execute/async", json!({"script": script, "args": []}))
    }

    /// Waits until an expression is true.
    pub fn wait(&self, expression: &str) {
        let until = Instant::now() + patience(30);
        let script = format!("return Boolean({expression})");
        while self.script(&script, json!([])) != json!(true) {
            assert!(Instant::now() < until, "never: {expression}\n{}\n{:?}", self.text("body"), self.log());
            // The browser cannot be asked to tell by itself.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Text of an element.
    pub fn text(&self, selector: &str) -> String {
        self.script("return document.querySelector(arguments[0])?.innerText ?? ''", json!([selector]))
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Presses an element, as a pointer does. One that the page replaces meanwhile is looked for again, as people do.
    pub fn click(&self, selector: &str) {
        let until = Instant::now() + patience(30);
        loop {
            self.wait(&format!("document.querySelector({selector:?})"));
            let element = self.call("/element", json!({"using": "css selector", "value": selector}));
            let id = element.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
            let path = format!("/session/{}/element/{id}/click", self.session);
            let done = try_call(self.port, "POST", &path, Some(json!({})));
            if done["error"].is_null() {
                return;
            }
            let is_replaced = done["error"] == "stale element reference" && Instant::now() < until;
            assert!(is_replaced, "{selector}: {}", done["message"]);
        }
    }

    /// Presses keys, one after the other; names such as `Enter` are keys too.
    pub fn press(&self, keys: &[&str]) {
        let key = |name: &&str| match *name {
            "Tab" => "\u{e004}".to_owned(),
            "Enter" => "\u{e007}".to_owned(),
            "Left" => "\u{e012}".to_owned(),
            "Up" => "\u{e013}".to_owned(),
            "Right" => "\u{e014}".to_owned(),
            "Down" => "\u{e015}".to_owned(),
            other => other.to_owned(),
        };
        let actions: Vec<Value> = keys
            .iter()
            .map(key)
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        self.call("/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}));
    }

    /// Another tab, which is the one that is spoken to from then on.
    pub fn new_tab(&self) {
        let tab = self.call("/window/new", json!({"type": "tab"}))["handle"].clone();
        self.call("/window", json!({"handle": tab}));
    }

    /// What the window shows, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let text = call(self.port, "GET", &format!("/session/{}/screenshot", self.session), None);
        base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap()
    }

    /// What the page has complained of.
    pub fn log(&self) -> Vec<String> {
        let lines = self.call("/se/log", json!({"type": "browser"}));
        lines.as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that has failed already says why.
        let ended = std::panic::catch_unwind(|| call(self.port, "DELETE", &format!("/session/{}", self.session), None));
        drop((ended, self.driver.kill(), self.driver.wait()));
    }
}
