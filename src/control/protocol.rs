//! What is said over a lab's socket: frames of JSON, of bounded size, in a version that both sides name.
//!
//! A frame is its length in four bytes, most significant first, and so many bytes of JSON. A client sends one [`Envelope`]; the
//! lab answers with one [`Reply`], or for what has no end with many, and closes. Only [`Request::Exec`] is a longer conversation.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::told::{CapturedFrame, Event, Explained, FlowLogRecord};

/// The version of this protocol. A lab answers other versions with [`Reply::Failed`].
pub const VERSION: u32 = 1;
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
    /// What is asked.
    pub request: Request,
}

/// What can be asked of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it is: [`Reply::State`].
    State,
    /// To carry out operations, in the words of a file's `do:`; one after the other, up to the first that is refused.
    Apply {
        /// `{stop: web1}`, or a list of such.
        operations: String,
    },
    /// To probe flows, such as `web1 -> db1:3306 by public address`.
    Probe {
        /// The flows.
        flows: Vec<String>,
    },
    /// To probe everybody to everybody.
    Matrix {
        /// The ports; without any, those that rules and listeners name.
        ports: Vec<String>,
        /// `private`, `public`, `ipv6` or `dns`; without any, the usual: private, and of load balancers what their names mean.
        by: Vec<String>,
    },
    /// To explain flows and to probe them: [`Reply::Explained`].
    Explain {
        /// The flows.
        flows: Vec<String>,
        /// Whether the words for people are to be coloured.
        color: bool,
        /// How wide the terminal is that they are for, if it is one.
        #[serde(default)]
        width: Option<usize>,
    },
    /// The compiled rulesets: [`Reply::Text`].
    Render,
    /// What a service of an instance has said, at least the last of it: [`Reply::Text`].
    ServiceLog {
        /// Of which instance.
        instance: String,
        /// Which.
        service: String,
    },
    /// To start a program in an instance: [`Reply::GoOn`] asks for its input, output and errors, as three descriptors beside one
    /// byte; [`Reply::Started`] and [`Reply::Ended`] follow. In between the client may send [`Signal`]s. The program is killed when
    /// the client closes.
    Exec(Box<Exec>),
    /// The cloud as a topology file: [`Reply::Text`].
    Export,
    /// What has happened: a [`Reply::Event`] for each, then [`Reply::Done`].
    Events {
        /// Whether to go on with what happens from then on, until either side closes.
        follow: bool,
    },
    /// A [`Reply::State`], then a [`Reply::Event`] for each change from then on, until either side closes.
    Changes,
    /// The flow log, its window of this moment with it: a [`Reply::FlowLog`] for each window, then [`Reply::Done`].
    FlowLogs {
        /// Whether to go on with each window as it ends, until either side closes.
        follow: bool,
    },
    /// What an instance's interfaces send and receive from now on: an empty [`Reply::Frames`] once it is under way, then more,
    /// until the client closes or the instance stops.
    Capture {
        /// Whose.
        instance: String,
    },
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
    /// Its working directory; where there is none such, the root.
    pub folder: PathBuf,
    /// Whether its input is a terminal, which it is to have as its own.
    pub terminal: bool,
}

/// A signal for the program that this connection has started, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its number.
    pub signal: i32,
}

/// What a lab says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// How it is.
    State(State),
    /// What operations have changed.
    Applied(Vec<Applied>),
    /// What probes found, one for each flow.
    Probed(Vec<Probed>),
    /// What everybody's probes to everybody found.
    Matrix(Matrix),
    /// Flows explained and probed.
    Explained(Vec<Explained>),
    /// Something that happened. More replies follow.
    Event(Box<Event>),
    /// Packets that were captured. More replies follow.
    Frames(Vec<CapturedFrame>),
    /// The records of one window of the flow log. More replies follow.
    FlowLog(Vec<FlowLogRecord>),
    /// A text.
    Text(String),
    /// EC2 refuses an operation; those before it have been carried out.
    Refused {
        /// EC2's code.
        code: String,
        /// EC2's text.
        message: String,
        /// What may have been meant.
        help: Option<String>,
        /// What was carried out before.
        before: Vec<Applied>,
    },
    /// The request's words are wrong: every problem, with carets.
    Invalid(String),
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
        /// Why.
        why: String,
        /// As a shell would end.
        code: i32,
    },
    /// The program has ended: its exit code, or 128 and the signal that ended it.
    Ended(i32),
}

/// How a lab is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub lab: String,
    /// The topology file, as it was named.
    pub file: String,
    /// The era.
    pub era: String,
    /// Its supervisor's process, as the machine sees it.
    pub pid: u32,
    /// Seconds since it came up.
    pub uptime: f64,
    /// Its instances, in the order of their launch.
    pub instances: Vec<InstanceState>,
    /// Its load balancers.
    #[serde(default)]
    pub load_balancers: Vec<LoadBalancerState>,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// The names of its hosts outside.
    pub hosts: Vec<String>,
    /// The names of its Elastic IPs.
    pub elastic_ips: Vec<String>,
    /// The names of its prefix lists.
    pub prefix_lists: Vec<String>,
}

/// How an instance is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Its name.
    pub name: String,
    /// `running`, `stopped` or `crashed`.
    pub state: String,
    /// Seconds since it was launched or started, while it runs.
    pub uptime: Option<f64>,
    /// Its interfaces; the first is `eth0`.
    pub interfaces: Vec<InterfaceState>,
    /// The programs that it runs by itself, in the order of their starts.
    #[serde(default)]
    pub services: Vec<ServiceState>,
    /// Mounts of the topology file, in its order.
    #[serde(default)]
    pub mounts: Vec<MountState>,
}

/// How a service of an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its name.
    pub name: String,
    /// `tcp 80`: it is ready once it listens there; without, once it has begun.
    pub port: Option<String>,
    /// `not-started`, `starting`, `ready`, `exited`, or `given-up` where it did not listen in time.
    pub state: String,
    /// With which exit code it has ended by itself.
    pub exit_code: Option<i32>,
}

/// A mount of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountState {
    /// Where: an absolute path.
    pub place: String,
    /// Path on the host as the topology file has it; `None` for an empty folder in memory.
    pub source: Option<String>,
    /// `read-only` or `writable`.
    pub access: String,
}

/// The state of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerState {
    /// Its name.
    pub name: String,
    /// `internet-facing` or `internal`.
    pub scheme: String,
    /// Its DNS name, which means its public address, or of an internal one its private address.
    pub dns_name: String,
    /// Its private address.
    pub private: Option<String>,
    /// Its public address, unless it is internal.
    pub public: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// `tcp 80`, `tcp 80 to 8080`.
    pub listeners: Vec<String>,
    /// The port of its health check: `tcp 80`.
    pub health_check: String,
    /// The instances that are registered with it.
    pub targets: Vec<TargetState>,
}

/// A load balancer's view of an instance, in the words of `DescribeInstanceHealth` of Elastic Load Balancing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetState {
    /// The instance.
    pub instance: String,
    /// The private address of its registration.
    pub address: String,
    /// `InService` or `OutOfService`.
    pub state: String,
    /// `ELB`, `Instance`, or `N/A` while it is in service.
    pub reason_code: String,
    /// The API's sentence for that; `N/A` while it is in service.
    pub description: String,
    /// The reason why its health check fails, where that is known: `no rule of WEB admits tcp 80 from lb (10.0.0.13)`.
    pub cause: Option<String>,
}

/// How an interface is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceState {
    /// `eth0`, `eth1` ...
    pub device: String,
    /// Its private address, while it has one.
    pub private: Option<String>,
    /// Its public address, while it has one.
    pub public: Option<String>,
    /// Its IPv6 address, if it has one.
    pub ipv6: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// One operation that was carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    /// What it was, in a few words.
    pub operation: String,
    /// What it changed, a line each: `web1: private 10.0.0.11 -> 10.0.0.13`.
    pub changes: Vec<String>,
    /// Seconds until it was in force.
    pub in_force: f64,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// The flow.
    pub flow: String,
    /// `open`, `dropped`, `refused`, `closed`, `unreachable`, `misdelivered` or `inconclusive`.
    pub outcome: String,
    /// The rule that let it in, where one did.
    pub rule: Option<String>,
    /// Why it is so, where there is more to say.
    pub reason: Option<String>,
    /// Where a DNS name led.
    pub address: Option<String>,
    /// The place where its answer was dropped, if the receiver has seen it and that is why nothing came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_dropped: Option<AnswerDropped>,
}

/// The place where an answer was dropped. The flow itself is inconclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerDropped {
    /// The filter's record: `spoofed`, `ingress drop` ...
    pub record: String,
    /// The interface whose groups or check dropped it, where one did: `web.eth0`.
    pub interface: Option<String>,
}

/// The word of a cell that no probe can ask for.
pub const NOT_PROBED: &str = "not-probed";

/// A truth table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The cells of a block.
    pub ports: Vec<String>,
    /// The receivers.
    pub to: Vec<String>,
    /// The senders.
    pub rows: Vec<MatrixRow>,
    /// The load balancers, with who is in service.
    #[serde(default)]
    pub load_balancers: Vec<LoadBalancerState>,
}

/// A sender of a truth table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// Who.
    pub from: String,
    /// By which address of the receivers: `private`, `public`, `ipv6` or `dns`; `usual` where nothing was said of it, which is the
    /// private one, and of a load balancer the one that its name means.
    pub by: String,
    /// For each receiver an outcome for each port; nothing where there is no such path.
    pub cells: Vec<Option<Vec<String>>>,
}

/// Why a frame could not be read or written.
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
        /// What was announced.
        announced: usize,
        /// What is allowed.
        most: usize,
    },
    /// It is no message of this protocol.
    #[error("this is no message of the protocol: {0}")]
    Garbled(#[from] serde_json::Error),
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

    #[test]
    fn requests_bear_all_that_fuzzing_has_kept() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/request");
        let mut kept = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            read_any(&std::fs::read(entry.unwrap().path()).unwrap());
            kept += 1;
        }
        assert!(kept >= 3, "the corpus has only {kept} files");
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let request = Envelope { sglab: VERSION, request: Request::Apply { operations: "{stop: web1}".to_owned() } };
        let mut bytes = Vec::new();
        write(&mut bytes, &request, MAX_REQUEST).unwrap();
        assert_eq!(read::<Envelope>(&mut bytes.as_slice(), MAX_REQUEST).unwrap(), request);
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
