//! The protocol of a lab's socket: frames of JSON, of bounded size, in a version that both sides name.
//!
//! A frame is its length in four bytes, most significant first, and so many bytes of JSON. A client sends one [`Envelope`]; the
//! lab answers with one [`Reply`], or for what has no end with many, and closes. Only [`Request::Exec`] is a longer conversation.
//!
//! Values are those of the model. Words for people and the documented JSON are made by [`report`](crate::report), on the client's side.

pub mod event;
pub mod state;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Flow, InstanceName, Operation, ProcessName, Refusal};
pub use event::{Applied, CapturedFrame, Event, EventKind, FlowLogRecord};
pub use state::{Revision, State};

use crate::scenario::ProbedFlow;

/// The version of this protocol. A lab answers other versions with [`Reply::Failed`].
pub const VERSION: u32 = 5;
/// The largest request, in bytes.
pub const MAX_REQUEST: usize = 1 << 20;
/// The largest reply, in bytes.
pub const MAX_REPLY: usize = 64 << 20;

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
    /// Asks for what a service of an instance has said, at least the last of it: [`Reply::Text`].
    ServiceLog {
        /// The instance.
        instance: InstanceName,
        /// The service.
        service: ProcessName,
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
    /// To end when this connection closes, however it closes: [`Reply::GoOn`] once that is so.
    Hold,
    /// To end: the lab is gone when the lock of its place is free.
    Down,
}

/// A program for an instance or a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// In which, by its name.
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
        /// The operation that failed; nothing where the last one that is in force has a service that did not come up.
        failed: Option<Box<Operation>>,
        /// Reason, in words.
        why: String,
    },
    /// It could not be done.
    Failed(String),
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
}

/// Kind of what a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An instance.
    Instance,
    /// An instance, or a host outside.
    InstanceOrHost,
}

/// `instance or host`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instance => "instance",
            Self::InstanceOrHost => "instance or host",
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
/// [`FrameError::TooLarge`] for one that nobody would take.
pub fn frame<T: Serialize>(message: &T, most: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - 4;
    let announced = u32::try_from(length).ok().filter(|_| length <= most);
    let announced = announced.ok_or(FrameError::TooLarge { announced: length, most })?;
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
mod tests {
    use super::*;
    use crate::model::{Cloud, InterfaceId, LoadBalancerName};
    use crate::topology::{EXAMPLES, Topology};

    #[test]
    fn requests_bear_all_that_fuzzing_has_kept() {
        let seeds = crate::scenario::readers::named_seeds("request");
        seeds.iter().for_each(|(_, bytes)| read_any(bytes));
        assert!(seeds.len() >= 3, "the corpus has only {} seeds", seeds.len());
    }

    /// Every cloud and every operation of the examples.
    fn examples() -> Vec<(String, Vec<Operation>, Cloud)> {
        let mut all = Vec::new();
        for (name, text) in EXAMPLES {
            let topology = Topology::parse(name, text.as_bytes()).unwrap();
            for era in &topology.eras {
                let operations: Vec<Operation> = topology.initial.iter().map(|placed| placed.value.clone()).collect();
                let steps = topology.steps.iter().flat_map(|step| step.operations()).map(|placed| placed.value.clone());
                let cloud = topology.initial_cloud(*era).unwrap();
                all.push((format!("{name}, era {era}"), operations.into_iter().chain(steps).collect(), cloud));
            }
        }
        all
    }

    #[test]
    fn every_operation_and_cloud_of_the_examples_comes_back_as_it_went() {
        let examples = examples();
        assert!(examples.len() > 20, "{} examples", examples.len());
        for (name, operations, cloud) in examples {
            let text = serde_json::to_string(&cloud).unwrap();
            assert_eq!(serde_json::from_str::<Cloud>(&text).unwrap(), cloud, "{name}");
            let request = Envelope { sglab: VERSION, request: Request::Apply { operations, at: Some(Revision(7)) } };
            let frame = frame(&request, MAX_REPLY).unwrap();
            assert_eq!(read::<Envelope>(&mut frame.as_slice(), MAX_REPLY).unwrap(), request, "{name}");
        }
    }

    #[test]
    fn the_interface_of_a_load_balancer_comes_back_as_no_instances() {
        let of_balancer = InterfaceId::LoadBalancer(LoadBalancerName::new("web1"));
        let of_instance = InterfaceId::first_of(&InstanceName::new("web1"));
        assert_eq!(of_balancer.to_string(), of_instance.to_string(), "people read one form");
        for id in [of_balancer, of_instance] {
            let text = serde_json::to_string(&id).unwrap();
            assert_eq!(serde_json::from_str::<InterfaceId>(&text).unwrap(), id, "{text}");
        }
        for wrong in [r#""load-balancer/""#, r#""load-balancer/../x""#, r#""instance/web1.eth0""#] {
            assert!(serde_json::from_str::<InterfaceId>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_no_message() {
        for (operation, why) in [
            (r#"{"stop": "web1; flush ruleset"}"#, "letters, digits"),
            (r#"{"stop": ""}"#, "at least one character"),
            (r#"{"detach-interface": "web1"}"#, "not an interface"),
            (r#"{"detach-interface": "../x.eth1"}"#, "not an interface"),
            (
                r#"{"authorize-ingress": ["DB", [{"traffic": {"tcp": [443, 80]}, "peers": []}]]}"#,
                "ends below its beginning",
            ),
            (r#"{"authorize-ingress": ["DB", [{"traffic": {"tcp": [80, 70000]}, "peers": []}]]}"#, "u16"),
            (r#"{"become-root": "web1"}"#, "unknown variant"),
        ] {
            let text = format!(r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{operation}]}}}}}}"#);
            let error = serde_json::from_str::<Envelope>(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{operation}: {error}");
        }
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let request = Envelope {
            sglab: VERSION,
            request: Request::Apply { operations: vec![Operation::Stop(InstanceName::new("web1"))], at: None },
        };
        let mut bytes = Vec::new();
        write(&mut bytes, &request, MAX_REQUEST).unwrap();
        assert_eq!(read::<Envelope>(&mut bytes.as_slice(), MAX_REQUEST).unwrap(), request);
    }

    #[test]
    fn what_is_wrong_with_a_message_is_told_without_all_of_the_message() {
        let long = "x".repeat(900_000);
        for text in [
            format!(r#"{{"sglab": 2, "request": {{"{long}": {{}}}}}}"#),
            format!(r#"{{"sglab": 2, "request": "{long}"}}"#),
            format!(r#"{{"sglab": "{long}", "request": "state"}}"#),
            format!(
                r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{{"stop": "{}"}}]}}}}}}"#,
                "é ".repeat(300_000)
            ),
            format!(r#"{{"sglab": 2, "request": {{"apply": {{"operations": [{{"detach-interface": "{long}"}}]}}}}}}"#),
        ] {
            let bytes = [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
            let error = read::<Envelope>(&mut bytes.as_slice(), MAX_REQUEST).unwrap_err();
            assert!(matches!(error, FrameError::Garbled(_)), "{error}");
            let told = error.to_string();
            assert!(told.len() < 700 && told.contains(" at line 1 column "), "{} bytes", told.len());
        }
    }

    #[test]
    fn what_is_announced_too_large_is_not_read() {
        let huge = [0xff; 8];
        assert!(matches!(read::<Envelope>(&mut huge.as_slice(), MAX_REQUEST), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn a_truncated_or_garbled_message_is_an_error() {
        let whole = frame(&Envelope { sglab: VERSION, request: Request::State }, MAX_REQUEST).unwrap();
        for end in 0..whole.len() {
            assert!(read::<Envelope>(&mut &whole[..end], MAX_REQUEST).is_err(), "cut at {end}");
        }
        let garbage = [0, 0, 0, 3, b'{', b'}', b'!'];
        assert!(matches!(read::<Envelope>(&mut garbage.as_slice(), MAX_REQUEST), Err(FrameError::Garbled(_))));
    }
}
