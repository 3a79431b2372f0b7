//! HTTP: the routes of the page on loopback.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::Stream;
use futures::stream;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::assets;
use super::audience;
use super::board::Board;
use super::frame::Frame;
use super::guard::{self, Names};
use super::lab::LabClient;
use super::requests::{self, Answer};
use super::room::Room;
use super::script::Script;
use super::session::{Session, SessionError, token};
use super::watch;
use crate::control::now;

/// The longest body, in bytes.
const MAX_BODY: usize = 64 << 10;
/// A stream says something at least so often, so that either side learns that the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Error for which no page is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nobody can be listened to.
    #[error("failed to listen at 127.0.0.1:{port}: {source}")]
    Listen {
        /// Port that was asked for; 0 for any.
        port: u16,
        /// The OS error.
        source: io::Error,
    },
    /// The address for the audience cannot be listened to.
    #[error("failed to listen at {address} for the audience: {source}; it must be an address of this machine")]
    Audience {
        /// The address.
        address: SocketAddr,
        /// The OS error.
        source: io::Error,
    },
    /// All addresses of the machine are no address for an audience.
    #[error("{0} is every address of this machine: name the one that the phones reach, such as 192.168.1.5:8080")]
    EveryAddress(SocketAddr),
    /// The lab does not say how it is.
    #[error("{0}")]
    Lab(String),
    /// There is no token.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// A page that is served until it is dropped.
#[derive(Debug)]
pub struct Serving {
    /// Address with the token.
    pub address: String,
    /// Address for the audience, if there is one.
    pub audience: Option<String>,
    watching: tokio::task::JoinHandle<String>,
    _serving: Vec<AbortOnDrop>,
}

#[derive(Debug)]
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Serving {
    /// Waits until the lab has gone down; says why.
    pub async fn ended(&mut self) -> String {
        match (&mut self.watching).await {
            Ok(why) => why,
            Err(error) => error.to_string(),
        }
    }
}

/// Addresses of a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Port on loopback; nothing for the one that the lab's page had before, or any.
    pub port: Option<u16>,
    /// Address for an audience, which predicts.
    pub audience: Option<SocketAddr>,
}

/// Serves the page of a lab on loopback: at the port, or if that is none at the one it had before, or at any.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(client: LabClient, script: Option<Script>, wanted: Wanted) -> Result<Serving, ServeError> {
    let mut session = Session::of(&client.place)?;
    let listeners = listen(wanted.port, session.port).await?;
    let local = listeners[0].local_addr().map_err(|source| ServeError::Listen { port: session.port, source })?;
    session.port = local.port();
    session.keep(&client.place)?;
    // Before the state, so that no change is between the two.
    let since = now();
    let state = watch::state(&client).await.map_err(ServeError::Lab)?;
    let hall = match wanted.audience {
        Some(address) => Some(listen_to_audience(address).await?),
        None => None,
    };
    let board = Arc::new(Board::new(state, script, hall.as_ref().map(|_| Room::default()), since));
    let page = Page { board: Arc::clone(&board), client: client.clone(), session: Arc::new(session.clone()) };
    let routes = routes(page, Names::of_loopback(session.port));
    let serving = listeners.into_iter().map(|listener| {
        let routes = routes.clone();
        AbortOnDrop(tokio::spawn(async move {
            // It ends with the program.
            drop(axum::serve(listener, routes).await);
        }))
    });
    let mut serving: Vec<AbortOnDrop> = serving.collect();
    let mut audience = None;
    if let Some((listener, address)) = hall {
        audience = Some(format!("http://{address}/"));
        serving.push(AbortOnDrop(tokio::spawn(audience::serve(listener, address, Arc::clone(&board), token()?))));
    }
    let watching = tokio::spawn(async move {
        let why = watch::watch(Arc::clone(&board), client, since).await;
        board.end(&why);
        why
    });
    Ok(Serving { address: session.address(), audience, watching, _serving: serving })
}

async fn listen_to_audience(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    if address.ip().is_unspecified() {
        return Err(ServeError::EveryAddress(address));
    }
    let failed = |source| ServeError::Audience { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Listens on loopback of IPv4, and where there is IPv6 on that too.
async fn listen(wanted: Option<u16>, before: u16) -> Result<Vec<TcpListener>, ServeError> {
    let at = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let first = match wanted {
        Some(port) => at(port).await.map_err(|source| ServeError::Listen { port, source })?,
        None => match at(before).await {
            Ok(listener) => listener,
            Err(_) => at(0).await.map_err(|source| ServeError::Listen { port: 0, source })?,
        },
    };
    let port = first.local_addr().map_or(0, |address| address.port());
    let second = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await;
    Ok(std::iter::once(first).chain(second.ok()).collect())
}

#[derive(Clone)]
struct Page {
    board: Arc<Board>,
    client: LabClient,
    session: Arc<Session>,
}

fn routes(page: Page, names: Names) -> Router {
    let session = Arc::clone(&page.session);
    let inner = Router::new()
        .route("/api/stream", get(stream_of_frames))
        .route("/api/operations", post(operate))
        .route("/api/explanations", post(explain))
        .route("/api/steps", post(step))
        .route("/api/view", post(view))
        .route("/api/probes", post(probe_again))
        .route("/api/room", post(room))
        .route("/api/tables/{entry}", get(past))
        .route_layer(middleware::from_fn_with_state(session, guard::inner));
    Router::new()
        .route("/", get(|| async { asset(Path(String::new())).await }))
        .route("/session", post(log_in))
        .route("/{asset}", get(asset))
        .merge(inner)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(names), guard::outer))
        .with_state(page)
}

async fn asset(Path(path): Path<String>) -> Response {
    assets::response(&path)
}

/// Gives the cookie for the token.
async fn log_in(State(page): State<Page>, body: Bytes) -> Response {
    let is_right = std::str::from_utf8(&body).is_ok_and(|word| page.session.is_token(word));
    if !is_right {
        let why = "that is not the token of this lab's page: open the address that `sglab ui` prints now\n";
        return (StatusCode::UNAUTHORIZED, why).into_response();
    }
    guard::with_cookie(&page.session.cookie_name(), &page.session.cookie(), None)
}

/// All of the board, then each frame. Whoever is too slow gets all of the board again.
async fn stream_of_frames(State(page): State<Page>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (first, frames) = page.board.subscribe();
    let frames = stream::unfold((page.board, Some(first), frames), next_frame);
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

type Streaming = (Arc<Board>, Option<Frame>, Receiver<Frame>);

async fn next_frame((board, first, mut frames): Streaming) -> Option<(Result<Event, Infallible>, Streaming)> {
    let frame = match first {
        Some(first) => first,
        None => match frames.recv().await {
            Ok(frame) => frame,
            Err(RecvError::Lagged(_)) => {
                let (whole, anew): (Frame, Receiver<Frame>) = board.subscribe();
                frames = anew;
                whole
            }
            Err(RecvError::Closed) => return None,
        },
    };
    let event = Event::default().event(frame.name.as_str()).id(frame.number.to_string()).data(&*frame.data);
    Some((Ok(event), (board, None, frames)))
}

async fn operate(State(page): State<Page>, body: Bytes) -> Response {
    match read(&body) {
        Ok(request) => answer(requests::operate(&page.board, &page.client, request).await),
        Err(why) => bad_request(why),
    }
}

async fn explain(State(page): State<Page>, body: Bytes) -> Response {
    match read(&body) {
        Ok(request) => answer(requests::explain(&page.board, &page.client, request).await),
        Err(why) => bad_request(why),
    }
}

async fn step(State(page): State<Page>, body: Bytes) -> Response {
    match read(&body) {
        Ok(request) => answer(requests::step(&page.board, &page.client, request).await),
        Err(why) => bad_request(why),
    }
}

async fn view(State(page): State<Page>, body: Bytes) -> Response {
    match read(&body) {
        Ok(request) => answer(requests::view(&page.board, request)),
        Err(why) => bad_request(why),
    }
}

async fn room(State(page): State<Page>, body: Bytes) -> Response {
    match read(&body) {
        Ok(request) => answer(requests::room(&page.board, request)),
        Err(why) => bad_request(why),
    }
}

async fn probe_again(State(page): State<Page>) -> Response {
    page.board.forget();
    answer(Answer::Done)
}

async fn past(State(page): State<Page>, Path(entry): Path<String>) -> Response {
    match entry.parse().ok().and_then(|entry| page.board.past(entry)) {
        Some(table) => assets::json(StatusCode::OK, &table),
        None => (StatusCode::NOT_FOUND, "the table of that moment is not kept\n").into_response(),
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| {
        format!(
            "this is no request: {error}
"
        )
    })
}

fn bad_request(why: String) -> Response {
    (StatusCode::BAD_REQUEST, why).into_response()
}

fn answer(answer: Answer) -> Response {
    let status = match &answer {
        Answer::Stale { .. } => StatusCode::CONFLICT,
        Answer::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Answer::Failed { .. } => StatusCode::BAD_GATEWAY,
        Answer::Applied { .. } | Answer::Refused(_) | Answer::Explained { .. } | Answer::Done => StatusCode::OK,
    };
    assets::json(status, &answer)
}
