//! A listener that has only so many connections at the same time, in all and from each address, and none that gets no answer for long.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections in all: whoever opens more waits.
    pub all: usize,
    /// Connections from each address but loopback: whoever opens more is hung up on.
    pub each: usize,
    /// Time without an answer after which a connection is closed: longer than any answer takes.
    pub silence: Duration,
}

/// Accepts connections within bounds.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    bounds: Bounds,
}

/// A connection that counts.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    /// Closes the connection when it ends; each write resets it.
    silent: Pin<Box<Sleep>>,
    silence: Duration,
    address: IpAddr,
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _place: OwnedSemaphorePermit,
}

fn locked(counts: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bounded {
    /// A listener with bounds.
    pub fn new(listener: TcpListener, bounds: Bounds) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(bounds.all)), by_address: Arc::default(), bounds }
    }

    /// Counts a connection, if its address has not as many already.
    fn count(&self, address: IpAddr) -> bool {
        let mut counts = locked(&self.by_address);
        let count = counts.entry(address).or_default();
        let has_room = address.is_loopback() || *count < self.bounds.each;
        *count += usize::from(has_room);
        has_room
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = locked(&self.by_address);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

impl Listener for Bounded {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Counted, SocketAddr) {
        let Ok(place) = Arc::clone(&self.free).acquire_owned().await else { return pending().await };
        loop {
            // By axum's own listener, which waits where descriptors are scarce.
            let (stream, from) = Listener::accept(&mut self.listener).await;
            let address = from.ip();
            if self.count(address) {
                let silence = self.bounds.silence;
                let by_address = Arc::clone(&self.by_address);
                let silent = Box::pin(sleep(silence));
                return (Counted { stream, silent, silence, address, by_address, _place: place }, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.silent.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let until = Instant::now() + self.silence;
        self.silent.as_mut().reset(until);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn in_a_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    async fn bounded(bounds: Bounds) -> Bounded {
        Bounded::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), bounds)
    }

    #[test]
    fn whoever_gets_no_answer_for_long_is_hung_up_on() {
        in_a_runtime(async {
            let mut listener = bounded(Bounds { all: 1, each: 1, silence: Duration::from_millis(1) }).await;
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut counted, _) = listener.accept().await;
            let error = counted.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    }

    #[test]
    fn an_address_has_so_many_connections_and_its_place_again_once_one_is_closed() {
        in_a_runtime(async {
            let listener = bounded(Bounds { all: 9, each: 2, silence: Duration::from_secs(60) }).await;
            let other = IpAddr::from([192, 0, 2, 1]);
            assert_eq!([(); 3].map(|()| listener.count(other)), [true, true, false]);
            assert_eq!([(); 3].map(|()| listener.count(Ipv4Addr::LOCALHOST.into())), [true; 3]);
            *locked(&listener.by_address).get_mut(&other).unwrap() -= 1;
            assert!(listener.count(other));
        });
    }
}
