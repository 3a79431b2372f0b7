//! Speaks to a lab that is up.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::lab_dir::{LabDir, LabName};
use crate::protocol::{self, Envelope, FrameError, MAX_REPLY, MAX_REQUEST, Reply, Request};

use crate::sandbox::descriptors;

/// Error for which a lab did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens at its place.
    #[error("no lab named `{lab}` is up: {source}")]
    NotUp {
        /// Lab that was asked for.
        lab: LabName,
        /// The OS error.
        source: io::Error,
    },
    /// It was spoken to, and something went wrong.
    #[error("failed to speak to the lab `{lab}`: {source}")]
    Frame {
        /// Lab that was asked for.
        lab: LabName,
        /// Error of the connection or of its frames.
        source: FrameError,
    },
}

/// A connection to a lab, for one request.
#[derive(Debug)]
pub struct Client {
    lab: LabName,
    stream: UnixStream,
}

impl Client {
    /// Connects to the lab of a place.
    ///
    /// # Errors
    /// [`ClientError::NotUp`].
    pub fn connect(place: &LabDir) -> Result<Self, ClientError> {
        let lab = place.name.clone();
        match UnixStream::connect(place.socket()) {
            Ok(stream) => Ok(Self { lab, stream }),
            Err(source) => Err(ClientError::NotUp { lab, source }),
        }
    }

    /// The same, and gives up where nobody takes the connection, or says anything, for so long.
    ///
    /// # Errors
    /// [`ClientError::NotUp`].
    pub fn connect_within(place: &LabDir, patience: Duration) -> Result<Self, ClientError> {
        let lab = place.name.clone();
        let connecting = || -> io::Result<UnixStream> {
            let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
            // The kernel counts a full queue of the other side among what is written.
            socket.set_write_timeout(Some(patience))?;
            socket.set_read_timeout(Some(patience))?;
            socket.connect(&SockAddr::unix(place.socket())?)?;
            Ok(socket.into())
        };
        match connecting() {
            Ok(stream) => Ok(Self { lab, stream }),
            Err(source) => Err(ClientError::NotUp { lab, source }),
        }
    }

    /// Gives up where the lab says nothing for so long.
    ///
    /// # Errors
    /// The OS error.
    pub fn give_up_after(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    /// Asks, and gives the one answer.
    ///
    /// # Errors
    /// [`ClientError::Frame`].
    pub fn ask(mut self, request: Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive()
    }

    /// Sends the request; [`Self::receive`] has the answers.
    ///
    /// # Errors
    /// [`ClientError::Frame`].
    pub fn send(&mut self, request: Request) -> Result<(), ClientError> {
        let envelope = Envelope { sglab: protocol::VERSION, request };
        protocol::write(&mut self.stream, &envelope, MAX_REQUEST).map_err(|source| self.failed(source))
    }

    /// The next answer.
    ///
    /// # Errors
    /// [`ClientError::Frame`].
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        protocol::read(&mut self.stream, MAX_REPLY).map_err(|source| self.failed(source))
    }

    /// A handle by which somebody else ends what comes in many answers.
    ///
    /// # Errors
    /// The OS error.
    pub fn ender(&self) -> io::Result<CancelHandle> {
        self.stream.try_clone().map(CancelHandle)
    }

    /// Sends descriptors, when the lab asks for them.
    ///
    /// # Errors
    /// [`ClientError::Frame`].
    pub fn send_descriptors(&self, sent: &[&dyn AsFd]) -> Result<(), ClientError> {
        descriptors::send(&self.stream, sent).map_err(|error| self.failed(error.into()))
    }

    /// Sends a signal to the program that this connection has started.
    ///
    /// # Errors
    /// [`ClientError::Frame`].
    pub fn signal(&mut self, signal: i32) -> Result<(), ClientError> {
        let sent = protocol::write(&mut self.stream, &protocol::Signal { signal }, MAX_REQUEST);
        sent.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: FrameError) -> ClientError {
        ClientError::Frame { lab: self.lab.clone(), source }
    }
}

/// Ends a request that has many answers: the lab sends what it has, and then its last word.
#[derive(Debug)]
pub struct CancelHandle(UnixStream);

impl CancelHandle {
    /// Asks the lab to end.
    ///
    /// # Errors
    /// The OS error.
    pub fn end(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// To wait for its answers among other things.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
