//! `sglab learn --serve`: twenty learners who play a lesson at the same time, beside one alone.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may panic")]

#[allow(dead_code, reason = "each benchmark takes what it needs")]
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The lesson: four steps to predict, then two files to write.
const LESSON: &str = "two-directions";

struct Class {
    process: Child,
    origin: String,
    code: String,
}

impl Class {
    fn of(seats: usize) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sglab"));
        command.args(["learn", LESSON, "--serve", &seats.to_string(), "--format", "json"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).expect("the addresses of a class");
        let address = said["address"].as_str().unwrap();
        let origin = address.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Self { process, origin, code: said["code"].as_str().unwrap().to_owned() }
    }

    fn post(&self, path: &str, cookie: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.origin).unwrap();
        let (origin, length) = (&self.origin, body.len());
        write!(stream, "POST {path} HTTP/1.1\r\nConnection: close\r\nHost: {origin}\r\nX-Sglab: 1\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        (head.to_owned(), body.to_owned())
    }

    /// Plays the lesson to its end; gives the time of each request that labs worked for.
    fn play(&self) -> Vec<Duration> {
        let (head, _) = self.post("/session", "", &self.code);
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a seat");
        let cookie = cookie.split(';').next().unwrap();
        let mut waits = Vec::new();
        let act = |request: Value| -> Value {
            let (_, body) = self.post("/api/seat", cookie, &request.to_string());
            let view: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
            assert_eq!(view["problem"], json!(null), "{view}");
            view
        };
        let mut view = act(json!({"lesson": LESSON}));
        while let Some(step) = view["play"]["stage"]["next"]["number"].as_u64() {
            let begun = Instant::now();
            view = act(json!({"stage": {"at": 0, "action": {"predict": {"step": step, "answers": []}}}}));
            waits.push(begun.elapsed());
        }
        for stage in 1..=2 {
            view = act(json!({"stage": {"at": stage - 1, "action": {"go-to": stage}}}));
            let text = view["play"]["stage"]["text"].as_str().expect("a file").to_owned();
            let begun = Instant::now();
            view = act(json!({"stage": {"at": stage, "action": {"check": text}}}));
            waits.push(begun.elapsed());
            assert_eq!(view["play"]["stage"]["checked"]["run"]["score"], json!(0), "{view}");
        }
        waits
    }
}

impl Drop for Class {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

fn main() {
    let learners = 20;
    let rounds = common::rounds(5);
    let (mut alone, mut together, mut one_waits, mut all_waits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let class = Class::of(1);
        let begun = Instant::now();
        one_waits.extend(class.play());
        alone.push(begun.elapsed());
        let class = Class::of(learners);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..learners).map(|_| scope.spawn(|| class.play())).collect();
            all_waits.extend(all.into_iter().flat_map(|it| it.join().unwrap()));
        });
        together.push(begun.elapsed());
    }
    common::row("a lesson, one learner", &alone);
    common::row(&format!("the same, {learners} learners at the same time"), &together);
    common::row("a step or a file, one learner", &one_waits);
    common::row(&format!("the same, {learners} learners at the same time"), &all_waits);
    common::ratio(&format!("{learners} learners to one"), &together, &alone, learners as f64);
}
