//! Address and listeners of a class.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::web::session::SessionError;

/// Error for which no class is served.
#[derive(Debug, thiserror::Error)]
pub enum ClassError {
    /// Nobody can be listened to.
    #[error("failed to listen at {address}: {source}; it must be an address of this machine, with a port that is free")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The OS error.
        source: io::Error,
    },
    /// All addresses of the machine are no address for a class.
    #[error("{0} is every address of this machine: name the one that the laptops reach, such as 192.168.1.5:8080")]
    EveryAddress(SocketAddr),
    /// There is no code.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// The place of a class: it listens, and takes nobody in yet. It is made before a sandbox is entered, whose network is another.
#[derive(Debug)]
pub struct Place {
    /// On loopback one of each family.
    pub(super) listeners: Vec<TcpListener>,
    /// The address, with the port that it got.
    pub(super) address: SocketAddr,
}

impl Place {
    /// Listens at an address, or at any port of loopback.
    ///
    /// # Errors
    /// [`ClassError::Listen`], [`ClassError::EveryAddress`].
    pub fn at(wanted: Option<SocketAddr>) -> Result<Self, ClassError> {
        let address = wanted.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
        if address.ip().is_unspecified() {
            return Err(ClassError::EveryAddress(address));
        }
        let failed = |source| ClassError::Listen { address, source };
        let first = TcpListener::bind(address).map_err(failed)?;
        let address = first.local_addr().map_err(failed)?;
        let second = address.ip().is_loopback().then(|| TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).ok());
        let listeners: Vec<TcpListener> = std::iter::once(first).chain(second.flatten()).collect();
        for listener in &listeners {
            listener.set_nonblocking(true).map_err(failed)?;
        }
        Ok(Self { listeners, address })
    }
}
