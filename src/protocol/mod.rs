//! The protocol of a lab's socket: frames of JSON, of bounded size, in a version that both sides name.
//!
//! A frame is its length in four bytes, most significant first, and so many bytes of JSON. A client sends one [`Envelope`]; the
//! lab answers with one [`Reply`], or for what has no end with many, and closes. Only [`Request::Exec`] is a longer conversation.
//!
//! Values are those of the model. Words for people and the documented JSON are made by [`report`](crate::report), on the client's side.

pub mod event;
mod failure;
mod flow_log;
pub mod state;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Cloud, Flow, InstanceName, Operation, ProcessName, Refusal};
pub use event::{Applied, CapturedFrame, Event, EventKind};
pub use failure::{Failure, Limited};
pub use flow_log::{FlowLogRecord, LoggedRule};
pub use state::{Revision, State};

use crate::scenario::ProbedFlow;

/// The version of this protocol. A lab answers other versions with [`Failure::Words`], which they read.
pub const VERSION: u32 = 6;
/// The largest request, in bytes.
pub const MAX_REQUEST: usize = 1 << 20;
/// The largest reply, in bytes.
pub const MAX_REPLY: usize = 64 << 20;
/// Flows that a client asks for in one [`Request::Probe`]. So many with the longest names fit into a request; more are asked for in portions.
pub const MAX_FLOWS: usize = 1024;

/// A request in its envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// [`VERSION`].
    pub sglab: u32,
    /// Request to the lab.
    pub request: Request,
}

/// Request to a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Asks for the state: [`Reply::State`].
    State,
    /// Carries out operations, one after the other, or none where one of them is refused: [`Reply::Applied`].
    Apply {
        /// The operations.
        operations: Vec<Operation>,
        /// Only while the lab is at this revision; else [`Reply::Stale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Revision>,
    },
    /// Probes flows, all at once: [`Reply::Probed`].
    Probe {
        /// The flows, each once.
        flows: Vec<Flow>,
        /// Parts of an answer beside the outcome.
        details: ProbeDetails,
        /// Only while the lab is at this revision; else [`Reply::Stale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Revision>,
    },
    /// Asks for what a process of an instance has said, at least the last of it: [`Reply::Text`].
    ProcessLog {
        /// The instance.
        instance: InstanceName,
        /// The process.
        process: ProcessName,
    },
    /// To start a program in an instance: [`Reply::GoOn`] asks for its input, output and errors, as three descriptors beside one
    /// byte; [`Reply::Started`] and [`Reply::Ended`] follow. In between the client may send [`Signal`]s. The program is killed when
    /// the client closes.
    Exec(Box<Exec>),
    /// Asks for what has happened: a [`Reply::Event`] for each, then [`Reply::Done`].
    Events {
        /// True to go on with what happens from then on, until either side closes.
        follow: bool,
    },
    /// A [`Reply::State`], then a [`Reply::Event`] for each change from then on, until either side closes.
    Changes,
    /// The flow log, its window of this moment with it: a [`Reply::FlowLog`] for each window, then [`Reply::Done`].
    FlowLogs {
        /// True to go on with each window as it ends, until either side closes.
        follow: bool,
    },
    /// Captures what an instance's interfaces send and receive from now on: an empty [`Reply::Frames`] once it is under way, then more, until the
    /// client closes or the instance stops.
    Capture {
        /// The instance.
        instance: InstanceName,
    },
    /// Ties the lab's life to this connection. Answered by [`Reply::GoOn`].
    Hold,
    /// Shuts the lab down; it is gone once the lock in its directory is free.
    Down,
}

/// A program for an instance or a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Instance or host that runs the program.
    pub instance: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// All of its environment.
    pub environment: Vec<(String, String)>,
    /// Its working directory, as it is seen there.
    pub folder: PathBuf,
    /// Rows and columns of the terminal that it is to have. In place of its input, output and errors comes a socket, three times, by which
    /// the lab sends the terminal's other end.
    pub terminal: Option<(u16, u16)>,
}

/// A signal for the program that this connection has started, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its number.
    pub signal: i32,
}

/// Reply of a lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The state.
    State(Box<State>),
    /// The operations that were carried out.
    Applied(Vec<Applied>),
    /// Results of probes, in the order of the flows.
    Probed(Vec<ProbedFlow>),
    /// The lab has moved on to this revision, and nothing was done.
    Stale(Revision),
    /// Something that happened. More replies follow.
    Event(Box<Event>),
    /// Packets that were captured. More replies follow.
    Frames(Vec<CapturedFrame>),
    /// The records of one window of the flow log. More replies follow.
    FlowLog(Vec<FlowLogRecord>),
    /// A text.
    Text(String),
    /// EC2 refuses an operation; none of the request was carried out.
    Refused {
        /// The operation.
        operation: Box<Operation>,
        /// EC2's code and text.
        refusal: Refusal,
    },
    /// The request names what is not there, or not in a state for it. Nothing was done.
    Unfit(Unfit),
    /// Operations are in force, and what came after them failed.
    Partly {
        /// The operations that are in force, at least one.
        done: Vec<Operation>,
        /// The operation that failed; nothing where the last one that is in force has a process that did not come up.
        failed: Option<Box<Operation>>,
        /// Reason, in words.
        why: String,
    },
    /// It could not be done.
    Failed(Failure),
    /// It is done, and there is nothing to tell.
    Done,
    /// The descriptors may come.
    GoOn,
    /// The program runs.
    Started,
    /// The program could not be started: exit code 127 if there is none such, 126 otherwise.
    NotStarted {
        /// Reason, in words.
        why: String,
        /// As a shell would end.
        code: i32,
    },
    /// The program has ended: its exit code, or 128 and the signal that ended it.
    Ended(i32),
}

/// Reason for which a request does not fit the cloud as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// Nothing of the kind has the name.
    NoSuch {
        /// The kind.
        kind: Kind,
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The instance does not run, so nothing can be captured of it.
    NotRunning(InstanceName),
    /// The lab starts no processes.
    NoProcesses,
}

impl Unfit {
    /// No instance of the cloud has the name.
    pub fn no_instance(name: &InstanceName, cloud: &Cloud) -> Self {
        let known = cloud.instances.keys().map(ToString::to_string).collect();
        Self::NoSuch { kind: Kind::Instance, name: name.to_string(), known }
    }
}

/// Kind of what a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An instance.
    Instance,
    /// An instance, or a host outside.
    InstanceOrHost,
    /// A process of an instance, which users know as a service: `web1/nginx`.
    Process,
}

/// `instance or host`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instance => "instance",
            Self::InstanceOrHost => "instance or host",
            Self::Process => "service",
        })
    }
}

/// The parts of a probe's answer beside the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeDetails {
    /// None.
    None,
    /// The filters' records, and whether model and kernel agree.
    Records,
}

/// Error for which a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The other side has closed.
    #[error("the other side closed the connection")]
    Closed,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// It is larger than what the other side takes, and was not sent.
    #[error("a message of {length} bytes is too large to be sent, and {most} are the most")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// Allowed length, in bytes.
        most: usize,
    },
    /// The other side announced more than is allowed.
    #[error("a message of {announced} bytes was announced, and {most} are the most")]
    TooLarge {
        /// Announced length, in bytes.
        announced: usize,
        /// Allowed length, in bytes.
        most: usize,
    },
    /// It is no message of this protocol.
    #[error("this is no message of the protocol: {0}")]
    Garbled(String),
}

/// So many characters of what is wrong with a message are told: it quotes the message, which may be all quotation.
const MAX_ERROR_LENGTH: usize = 300;

impl From<serde_json::Error> for FrameError {
    fn from(error: serde_json::Error) -> Self {
        let whole = error.to_string();
        Self::Garbled(match whole.char_indices().nth(MAX_ERROR_LENGTH) {
            Some((end, _)) => format!("{}... at line {} column {}", &whole[..end], error.line(), error.column()),
            None => whole,
        })
    }
}

/// A message as a frame.
///
/// # Errors
/// [`FrameError::TooLong`] for one that nobody would take.
pub fn frame<T: Serialize>(message: &T, most: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    let announced = u32::try_from(length).ok().filter(|_| length <= most);
    let announced = announced.ok_or(FrameError::TooLong { length, most })?;
    bytes[..4].copy_from_slice(&announced.to_be_bytes());
    Ok(bytes)
}

/// The length that a frame announces, if it is allowed.
///
/// # Errors
/// [`FrameError::TooLarge`].
pub fn announced(head: [u8; 4], most: usize) -> Result<usize, FrameError> {
    let announced = u32::from_be_bytes(head) as usize;
    if announced > most { Err(FrameError::TooLarge { announced, most }) } else { Ok(announced) }
}

/// Writes a message.
///
/// # Errors
/// [`FrameError`].
pub fn write<T: Serialize>(to: &mut impl Write, message: &T, most: usize) -> Result<(), FrameError> {
    to.write_all(&frame(message, most)?)?;
    Ok(to.flush()?)
}

/// Reads a message.
///
/// # Errors
/// [`FrameError::Closed`] where the other side ended before one began; else what is wrong with it.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, most: usize) -> Result<T, FrameError> {
    let mut head = [0; 4];
    from.read_exact(&mut head).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Closed,
        _ => FrameError::Io(error),
    })?;
    let mut bytes = vec![0; announced(head, most)?];
    from.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Reads any bytes as what a client may send, for whoever feeds it such: what can be read is what is written again.
#[cfg(any(test, fuzzing))]
pub fn read_any(bytes: &[u8]) {
    let mut rest = bytes;
    if let Ok(envelope) = read::<Envelope>(&mut rest, MAX_REQUEST) {
        let again = frame(&envelope, MAX_REPLY).ok().and_then(|bytes| read(&mut bytes.as_slice(), MAX_REPLY).ok());
        assert_eq!(Some(envelope), again);
    }
    while let Ok(Signal { .. }) = read::<Signal>(&mut rest, MAX_REQUEST) {}
}

#[cfg(test)]
mod tests;
