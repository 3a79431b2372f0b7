//! The room's own address: phones that predict. Whatever is asked of it changes no lab: there are no other routes than these.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::assets;
use super::board::Board;
use super::bounded::{Bounded, Bounds};
use super::guard::{self, Names};
use super::room::{MAX_PARTICIPANTS, Participant, Prediction, Room};
use super::session::{SessionError, is_same, sealed, token};

/// The longest body, in bytes.
const MAX_BODY: usize = 256;

/// A prediction as a phone sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    question: u64,
    prediction: Prediction,
}

#[derive(Clone)]
struct Hall {
    board: Arc<Board>,
    port: u16,
    /// Known to nobody: what makes a phone's number one that was given here.
    secret: Arc<str>,
    /// Phones that may listen at the same time.
    seats: Arc<Semaphore>,
}

/// Connections of an audience, at most: whoever opens more waits, and the instructor's page has the other descriptors.
/// Phones behind one address of a network may be many.
const BOUNDS: Bounds = Bounds { all: 350, each: 350, silence: Duration::from_secs(60) };

/// Serves the room until it is dropped.
pub async fn serve(listener: TcpListener, address: SocketAddr, board: Arc<Board>, secret: String) {
    let hall =
        Hall { board, port: address.port(), secret: secret.into(), seats: Arc::new(Semaphore::new(MAX_PARTICIPANTS)) };
    let routes = Router::new()
        .route("/", get(page))
        .route("/audience.js", get(|| async { assets::response("audience.js") }))
        .route("/room.js", get(|| async { assets::response("room.js") }))
        .route("/dom.js", get(|| async { assets::response("dom.js") }))
        .route("/style.css", get(|| async { assets::response("style.css") }))
        .route("/icon.svg", get(|| async { assets::response("icon.svg") }))
        .route("/api/room", get(follow))
        .route("/api/predictions", post(predict))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(Names::of(address)), guard::outer))
        .with_state(hall);
    // It ends with the program.
    drop(axum::serve(Bounded::new(listener, BOUNDS), routes).await);
}

/// The page, and a number for a phone that has none.
async fn page(State(hall): State<Hall>, headers: HeaderMap) -> Result<Response, Failure> {
    let mut response = assets::response("audience.html");
    if participant(&hall, &headers).is_none() {
        let number = token()?;
        let seal = sealed(&hall.secret, &number);
        let cookie = guard::cookie_text(&cookie_name(&hall), &format!("{number}.{seal}"), None);
        let cookie = cookie.parse().map_err(|_| Failure)?;
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The system has no random numbers.
struct Failure;

impl From<SessionError> for Failure {
    fn from(_: SessionError) -> Self {
        Self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

fn cookie_name(hall: &Hall) -> String {
    format!("sglab-room-{}", hall.port)
}

fn participant(hall: &Hall, headers: &HeaderMap) -> Option<Participant> {
    let (number, seal) = guard::cookie(headers, &cookie_name(hall))?.split_once('.')?;
    is_same(seal, &sealed(&hall.secret, number)).then(|| Participant(number.to_owned()))
}

/// The room, and again after each change.
async fn follow(State(hall): State<Hall>) -> Response {
    let Ok(seat) = Arc::clone(&hall.seats).try_acquire_owned() else {
        let why = format!("the room is full: {MAX_PARTICIPANTS} listen already. Look at the screen\n");
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let mut room = hall.board.room();
    room.mark_changed();
    Sse::new(stream::unfold((room, Phone::come(&hall.board, seat)), next_view))
        .keep_alive(KeepAlive::new())
        .into_response()
}

/// A phone that listens, until it goes.
struct Phone {
    board: Arc<Board>,
    _seat: OwnedSemaphorePermit,
}

impl Phone {
    fn come(board: &Arc<Board>, seat: OwnedSemaphorePermit) -> Self {
        board.count_phone(Room::come);
        Self { board: Arc::clone(board), _seat: seat }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.board.count_phone(Room::go);
    }
}

type Listening = (watch::Receiver<Arc<str>>, Phone);

async fn next_view((mut room, phone): Listening) -> Option<(Result<Event, Infallible>, Listening)> {
    room.changed().await.ok()?;
    let data = Arc::clone(&room.borrow_and_update());
    Some((Ok(Event::default().event("room").data(&*data)), (room, phone)))
}

async fn predict(State(hall): State<Hall>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(who) = participant(&hall, &headers) else {
        return (StatusCode::UNAUTHORIZED, "open this page anew, with cookies allowed\n").into_response();
    };
    let Ok(Sent { question, prediction }) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, "that is no prediction\n").into_response();
    };
    match hall.board.predict(&who, question, prediction, Instant::now()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => (StatusCode::CONFLICT, format!("{why}\n")).into_response(),
    }
}
