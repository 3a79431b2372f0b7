//! Captures of what an instance's interfaces see, each on a thread of its own, until its reader closes or the instance stops.

use std::os::fd::AsFd;
use std::sync::{Arc, Weak};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use tokio::sync::broadcast;

use super::feed::{Answer, Feed, Source, now};
use crate::compile::names;
use crate::fabric::Namespace;
use crate::fabric::capture::{Capture, Frame};
use crate::lab::Lab;
use crate::model::{InstanceName, InstanceState};
use crate::network::NodeName;
use crate::protocol::{CapturedFrame, Event, EventKind, Failure, Limited, Reply, Unfit};

/// So many readings wait for a slow reader.
const WAITING: usize = 256;
/// Bytes of one reading. A reader that is behind has up to [`WAITING`] of them in memory, as hexadecimal digits.
const READING: usize = 128 << 10;
/// Readings at most once a capture is to end: the socket's buffer holds no more.
const LAST_READINGS: usize = 256;
/// So many may be under way at the same time.
const MAX_CAPTURES: usize = 32;

/// The captures of a lab.
#[derive(Default)]
pub(super) struct Captures(Vec<UnderWay>);

/// A capture under way. Its socket would keep the namespace of an instance that has stopped.
struct UnderWay {
    namespace: Weak<Namespace>,
    node: NodeName,
    stop: Arc<EventFd>,
    /// Its thread holds this as long as it runs.
    runs: Weak<()>,
}

impl Captures {
    /// Begins a capture: an empty [`Reply::Frames`] once it is under way, then more.
    pub async fn begin(&mut self, lab: &Lab, name: &InstanceName) -> Answer {
        let cloud = lab.cloud();
        let state = cloud.instances.get(name).map(|instance| instance.state);
        if state != Some(InstanceState::Running) {
            return Answer::Once(Reply::Unfit(match state {
                None => Unfit::no_instance(name, cloud),
                Some(_) => Unfit::NotRunning(name.clone()),
            }));
        }
        self.0.retain(|it| it.runs.strong_count() > 0);
        if self.0.len() >= MAX_CAPTURES {
            return Answer::failed(Failure::TooMany { of: Limited::Captures, most: MAX_CAPTURES });
        }
        let node = names::instance(name);
        let begun = match lab.fabric().node(&node) {
            Ok(namespace) => Capture::open(namespace).await.map(|capture| (Arc::downgrade(namespace), capture)),
            Err(error) => Err(error),
        };
        let (namespace, capture) = match begun {
            Ok(begun) => begun,
            Err(error) => return Answer::failed(Failure::of(&error)),
        };
        let stop = match EventFd::new() {
            Ok(stop) => Arc::new(stop),
            Err(errno) => return Answer::failed(Failure::of(&errno)),
        };
        let (tell, news) = broadcast::channel(WAITING);
        let (running, stopped) = (Arc::new(()), Arc::clone(&stop));
        let runs = Arc::downgrade(&running);
        let thread = std::thread::Builder::new().name("capture".into()).spawn(move || {
            watch(&capture, &stopped, &tell);
            drop(running);
        });
        if let Err(error) = thread {
            return Answer::failed(Failure::of(&error));
        }
        let source = Some(Source(Arc::clone(&stop)));
        self.0.push(UnderWay { namespace, node, stop, runs });
        Answer::Many(Feed { kept: vec![Arc::new(Reply::Frames(Vec::new()))], news: Some(news), source })
    }

    /// Ends the captures of namespaces that are no more.
    pub fn end(&self, lab: &Lab) {
        let fabric = lab.fabric();
        for it in &self.0 {
            let now = fabric.node(&it.node).ok();
            if !now.is_some_and(|now| std::ptr::eq(Arc::as_ptr(now), it.namespace.as_ptr())) {
                // It ends by itself where nobody reads it any more.
                let _ = it.stop.write(1);
            }
        }
    }
}

fn watch(capture: &Capture, stop: &EventFd, tell: &broadcast::Sender<Arc<Reply>>) {
    loop {
        let mut news = [PollFd::new(capture.as_fd(), PollFlags::POLLIN), PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut news, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return,
        }
        let over = news[1].any().unwrap_or(true);
        let readings = if over { LAST_READINGS } else { 1 };
        for _ in 0..readings {
            let Ok(frames) = capture.read_up_to(READING) else { return };
            let missed = capture.missed().unwrap_or(1);
            if missed > 0 {
                let kind = EventKind::Missed { events: missed.into() };
                drop(tell.send(Arc::new(Reply::Event(Box::new(Event { number: 0, time: now(), kind })))));
            }
            if frames.is_empty() {
                break;
            }
            let frames: Vec<CapturedFrame> = frames.iter().map(told).collect();
            // Nobody reads any more: what is captured is for this one reader.
            if tell.send(Arc::new(Reply::Frames(frames))).is_err() {
                return;
            }
        }
        if over {
            return;
        }
    }
}

fn told(Frame { at, bytes }: &Frame) -> CapturedFrame {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    let hex = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect();
    CapturedFrame { seconds: at.as_secs(), nanoseconds: at.subsec_nanos(), hex }
}
