//! A page that is served, and bare HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::labs::Labs;

/// `sglab ui`, until it is dropped.
pub struct Served {
    process: Child,
    /// Address with the token.
    pub address: String,
    /// All that it has said of where it is.
    said: Value,
}

impl Served {
    /// Serves a page of what the arguments say.
    pub fn of(labs: &Labs, arguments: &[&str]) -> Self {
        Self::by(labs, &[&["ui", "--no-browser"], arguments].concat())
    }

    /// Runs a command that serves something.
    pub fn by(labs: &Labs, arguments: &[&str]) -> Self {
        let all = [arguments, &["--format", "json"]].concat();
        let mut process =
            labs.command(&all).stdout(Stdio::piped()).stderr(Stdio::inherit()).process_group(0).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said: Value = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| serde_json::from_str(&line).ok().filter(|it: &Value| it["address"].is_string()))
            .expect("the address of a page");
        Self { process, address: said["address"].as_str().unwrap().to_owned(), said }
    }

    /// Address for the audience, of a page that has one.
    pub fn audience(&self) -> &str {
        self.said["audience"].as_str().unwrap()
    }

    /// Address for the instructor of a class.
    pub fn instructor(&self) -> &str {
        self.said["instructor"].as_str().unwrap()
    }

    pub fn origin(&self) -> &str {
        self.address.split_once("/#").unwrap().0
    }

    pub fn token(&self) -> &str {
        self.address.split_once("#t=").unwrap().1
    }

    pub fn port(&self) -> &str {
        self.origin().rsplit_once(':').unwrap().1
    }

    /// Ends it by a signal, and waits for that.
    pub fn end(&mut self, signal: Signal) -> Option<i32> {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), signal);
        self.process.wait().unwrap().code()
    }

    /// The cookie for the token, as a browser sends it.
    pub fn cookie(&self) -> String {
        let answer = Asked::post("/session").body(self.token()).of(self);
        assert_eq!(answer.status, 204, "{}", answer.body);
        answer.header("set-cookie").split_once(';').unwrap().0.to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end(Signal::SIGINT);
    }
}

/// A request, as the page's own script sends it unless something else is said.
pub struct Asked {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// An answer.
pub struct Answered {
    pub status: u16,
    pub body: String,
    headers: Vec<(String, String)>,
}

impl Answered {
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).1.clone()
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Asked {
    pub fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), headers: Vec::new(), body: String::new() }
    }

    pub fn post(path: &str) -> Self {
        Self { method: "POST", ..Self::get(path) }.header("X-Sglab", "1")
    }

    pub fn body(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self }
    }

    /// Says a header, in place of one of the same name; an empty value leaves it out.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends it over a connection of its own, byte by byte as it is written here: no client puts a header right.
    pub fn of(self, served: &Served) -> Answered {
        self.at(served.origin())
    }

    /// The same to another address: `http://127.0.0.1:8080`.
    pub fn at(self, origin: &str) -> Answered {
        let origin = origin.strip_prefix("http://").unwrap().trim_end_matches('/');
        let mut stream = TcpStream::connect(origin).unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.path);
        let host = ("Host".to_owned(), origin.to_owned());
        let length = ("Content-Length".to_owned(), self.body.len().to_string());
        let own = [host, length]
            .into_iter()
            .filter(|(name, _)| !self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)));
        for (name, value) in own.chain(self.headers.clone()).filter(|(_, value)| !value.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        // It may refuse before it has read all of the body.
        drop(stream.write_all(format!("{head}\r\n{}", self.body).as_bytes()));
        let mut text = Vec::new();
        drop(stream.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
        Answered { status, headers: headers.collect(), body: body.to_owned() }
    }
}
