//! The connections of a lab's socket: whose they are, one request each, and its answer.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use super::feed::{Answer, Job};
use super::feed::{REQUEST_TIMEOUT, frame};
use super::programs::{self, StartProgram};
use crate::protocol::{self, Envelope, Failure, FrameError, MAX_REQUEST, Reply, Request, VERSION};
use crate::sandbox::ids;

/// Connections that may be open at the same time. Another closes the oldest that is not being answered; if all are being answered, it
/// waits until one closes.
const MAX_CONNECTIONS: usize = 256;

/// Accepts connections until it is dropped.
pub(super) async fn accept(listener: UnixListener, jobs: mpsc::Sender<Job>, starts: mpsc::Sender<StartProgram>) {
    let mut open = JoinSet::new();
    // Those that may go, the oldest first.
    let mut idle: VecDeque<(Arc<Turn>, AbortHandle)> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if open.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    let turn = Arc::new(Turn::default());
                    let conversing = handle_connection(stream, Arc::clone(&turn), jobs.clone(), starts.clone());
                    idle.push_back((turn, open.spawn(conversing)));
                    if idle.len() >= MAX_CONNECTIONS {
                        idle.retain(|(_, task)| !task.is_finished());
                    }
                    if open.len() == MAX_CONNECTIONS {
                        // The last is the one that has just come.
                        let before = idle.len().saturating_sub(1);
                        let oldest = idle.iter().take(before).position(|(turn, _)| !turn.is_answered());
                        if let Some((_, task)) = oldest.and_then(|oldest| idle.remove(oldest)) {
                            task.abort();
                        }
                    }
                }
                // Out of descriptors: those that wait are served when there are some again, which nobody tells.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// True from the request of a connection to the end of its last reply.
#[derive(Default)]
struct Turn(AtomicBool);

impl Turn {
    fn is_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn answer(&self, is_answered: bool) {
        self.0.store(is_answered, Ordering::Relaxed);
    }
}

/// One request and its answer. What goes wrong with the connection is the client's own affair.
async fn handle_connection(
    mut stream: UnixStream,
    turn: Arc<Turn>,
    jobs: mpsc::Sender<Job>,
    starts: mpsc::Sender<StartProgram>,
) {
    let asked = tokio::time::timeout(REQUEST_TIMEOUT, request(&mut stream)).await;
    let asked = asked.unwrap_or(Err(RequestError::Silence));
    turn.answer(matches!(asked, Ok(Some(_))));
    let answer = match asked {
        Ok(Some(Envelope { request: Request::Exec(exec), .. })) => {
            match programs::handle_connection(&mut stream, *exec, &starts).await {
                Some(last) => Answer::Once(last),
                None => return,
            }
        }
        Ok(Some(Envelope { request: Request::Hold, .. })) => return hold(&mut stream, &jobs).await,
        Ok(Some(envelope)) => {
            let (answer, reply) = oneshot::channel();
            match jobs.send((envelope.request, answer)).await {
                Ok(()) => reply.await.unwrap_or_else(|_| Answer::failed(Failure::GoneDown)),
                Err(_) => Answer::failed(Failure::GoneDown),
            }
        }
        Ok(None) => return,
        // In words: the client may speak another version.
        Err(error) => Answer::failed(Failure::of(&error)),
    };
    let said = match answer {
        Answer::Once(reply) => stream.write_all(&frame(&reply)).await,
        Answer::Many(feed) => feed.stream_to(&mut stream).await,
    };
    turn.answer(false);
    if said.is_ok() {
        drop(stream.shutdown().await);
        // Closing with something unread would take the answer from a client that still writes.
        let mut rest = stream.take(MAX_REQUEST as u64);
        drop(tokio::time::timeout(REQUEST_TIMEOUT, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await);
    }
}

/// Takes the lab down when the client has gone: the kernel closes its side, also after a `kill -9`.
async fn hold(stream: &mut UnixStream, jobs: &mpsc::Sender<Job>) {
    if stream.write_all(&frame(&Reply::GoOn)).await.is_ok() {
        // Nothing more is asked on this connection.
        drop(tokio::io::copy(stream, &mut tokio::io::sink()).await);
    }
    drop(jobs.send((Request::Down, oneshot::channel().0)).await);
}

/// Reason for which what comes on a connection is no request.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("no request came within {} seconds", REQUEST_TIMEOUT.as_secs())]
    Silence,
    #[error("this lab is another user's")]
    OtherUser,
    #[error("no program inside a lab may change it")]
    InsideLab,
    #[error("the request was cut short: {0}")]
    CutShort(io::Error),
    #[error(
        "this lab speaks version {own} of the protocol, and not {theirs}: ask with the sglab that booted it, or end it with `sglab down --force`"
    )]
    OtherVersion { own: u32, theirs: u32 },
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Connection(io::Error),
    #[error(transparent)]
    Credentials(Errno),
}

/// Reads the request of a connection; nothing if it closed without a word.
async fn request(stream: &mut UnixStream) -> Result<Option<Envelope>, RequestError> {
    let theirs = getsockopt(stream, PeerCredentials).map_err(RequestError::Credentials)?;
    // A user whom the lab's namespace does not know has the id of all such.
    if theirs.uid() != geteuid().as_raw() || theirs.uid() == ids::of_strangers() {
        return Err(RequestError::OtherUser);
    }
    // Clients are outside of the lab's process namespace, and have no number there. Whoever has one, and is not this process itself, is a
    // program in the lab.
    if ![0, std::process::id().cast_signed()].contains(&theirs.pid()) {
        return Err(RequestError::InsideLab);
    }
    let mut head = [0; 4];
    match stream.read_exact(&mut head).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(RequestError::Connection(error)),
    }
    let mut bytes = vec![0; protocol::announced(head, MAX_REQUEST)?];
    stream.read_exact(&mut bytes).await.map_err(RequestError::CutShort)?;
    let read = serde_json::from_slice::<Envelope>(&bytes).map_err(FrameError::from);
    let theirs = match &read {
        Ok(envelope) => envelope.sglab,
        // A request that only another version has is no mistake of this one.
        Err(_) => serde_json::from_slice::<AnyVersion>(&bytes).map_err(FrameError::from)?.sglab,
    };
    if theirs != VERSION {
        return Err(RequestError::OtherVersion { own: VERSION, theirs });
    }
    Ok(Some(read?))
}

/// Part of an envelope that every version has.
#[derive(serde::Deserialize)]
struct AnyVersion {
    sglab: u32,
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast;

    use super::super::feed::Feed;
    use super::*;

    async fn ask(socket: &std::path::Path, request: Request) -> (UnixStream, Reply) {
        let (stream, bytes) = ask_as(VERSION, socket, request).await;
        (stream, serde_json::from_slice(&bytes).unwrap())
    }

    /// Asks as a client of a version does; gives the JSON of the answer.
    async fn ask_as(version: u32, socket: &std::path::Path, request: Request) -> (UnixStream, Vec<u8>) {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        let request = protocol::frame(&Envelope { sglab: version, request }, MAX_REQUEST).unwrap();
        stream.write_all(&request).await.unwrap();
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("an answer");
        let mut bytes = vec![0; protocol::announced(head, protocol::MAX_REPLY).unwrap()];
        stream.read_exact(&mut bytes).await.unwrap();
        (stream, bytes)
    }

    fn socket(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("sglab-{name}-{}", std::process::id()))
    }

    #[tokio::test]
    async fn a_client_of_another_version_is_told_so_in_words_that_it_can_read() {
        let socket = socket("versions");
        let listener = UnixListener::bind(&socket).unwrap();
        let (jobs, _queue) = mpsc::channel(1);
        let (starts, _starts) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, jobs, starts));
        // Versions 5 and before read a failure as a text.
        for version in [1, VERSION - 1, VERSION + 1] {
            let (_, answer) = ask_as(version, &socket, Request::State).await;
            let wanted =
                format!(r#"{{"failed":"this lab speaks version {VERSION} of the protocol, and not {version}: "#);
            let answer = String::from_utf8(answer).unwrap();
            assert!(answer.starts_with(&wanted) && answer.contains("`sglab down --force`"), "{answer}");
        }
        accepting.abort();
        std::fs::remove_file(&socket).unwrap();
    }

    #[tokio::test]
    async fn beside_conversations_that_go_on_the_connection_that_comes_last_is_answered() {
        let socket = socket("connections");
        let listener = UnixListener::bind(&socket).unwrap();
        let (jobs, mut queue) = mpsc::channel::<Job>(64);
        let (starts, _starts) = mpsc::channel(1);
        let (news, _) = broadcast::channel(1);
        let feeds = news.clone();
        let answering = tokio::spawn(async move {
            while let Some((request, answer)) = queue.recv().await {
                let feed = || Feed { kept: vec![Arc::new(Reply::GoOn)], news: Some(feeds.subscribe()), source: None };
                let reply = if request == Request::State { Answer::Once(Reply::Done) } else { Answer::Many(feed()) };
                drop(answer.send(reply));
            }
        });
        let accepting = tokio::spawn(accept(listener, jobs, starts));
        let mut following = Vec::new();
        for number in 1..MAX_CONNECTIONS {
            let (stream, reply) = ask(&socket, Request::Events { follow: true }).await;
            assert_eq!(reply, Reply::GoOn, "connection {number}");
            following.push(stream);
        }
        let (_, reply) = ask(&socket, Request::State).await;
        assert_eq!(reply, Reply::Done);
        accepting.abort();
        answering.abort();
        std::fs::remove_file(&socket).unwrap();
    }
}
