//! HTTP: the routes of a class. Who has the class's code takes a seat; who has the instructor's sees what all have done.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::task::AbortHandle;

use super::labs::{LabThread, Labs, labs};
use super::place::{ClassError, Place};
use super::play::MAX_TEXT;
use super::seats::{Seat, SeatNumber, Seats};
use super::view::{LearnerView, SeatView};
use crate::web::assets;
use crate::web::bounded::{Bounded, Bounds};
use crate::web::guard::{self, Names};
use crate::web::session::{code, is_same, sealed, token};
use crate::workshop::lesson::Lesson;

/// The longest body, in bytes: a file whose every character is escaped in JSON.
const MAX_BODY: usize = 2 * MAX_TEXT;
/// Connections for each seat, and for the instructor.
const CONNECTIONS_EACH: usize = 8;
/// Connections from each address but loopback, so that one machine does not keep the others out.
const CONNECTIONS_OF_AN_ADDRESS: usize = 32;
/// Longer than a file takes that waits for its turn behind many.
const SILENCE: Duration = Duration::from_secs(120);
/// Seconds for which a browser keeps its seat: longer than a day's class.
const COOKIE_AGE: Option<u32> = Some(12 * 3600);

/// Files that a class is served.
const FILES: [&str; 10] = [
    "lesson.js",
    "lesson-stages.js",
    "class.html",
    "class.js",
    "picture.js",
    "table.js",
    "dom.js",
    "server.js",
    "looks.js",
    "style.css",
];

/// Size of a class.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Number of seats.
    pub seats: usize,
    /// Labs that work at the same time.
    pub at_once: usize,
}

/// A class that is served until this is dropped.
#[derive(Debug)]
pub struct Serving {
    /// The address for learners; the code is in its fragment.
    pub address: String,
    /// The code alone, which a page asks for that was opened without.
    pub code: String,
    /// The address for the instructor.
    pub instructor: String,
    serving: Vec<AbortHandle>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.serving.iter().for_each(AbortHandle::abort);
    }
}

/// A class.
#[derive(Clone)]
pub struct Class {
    inner: Arc<Inner>,
}

struct Inner {
    lessons: Vec<Arc<Lesson>>,
    seats: Seats,
    labs: Labs,
    port: u16,
    code: String,
    instructor: String,
    /// Told from every other class by it.
    name: String,
    /// Known to nobody: what makes a browser's number one that was given here.
    secret: String,
    /// Seats at which something was done, as the instructor sees them.
    overview: Mutex<BTreeMap<SeatNumber, LearnerView>>,
    /// The same in JSON: one text for all who look.
    overview_text: watch::Sender<Arc<str>>,
}

impl Class {
    /// Serves lessons. The labs are held by whoever drives the thread.
    ///
    /// # Errors
    /// [`ClassError`].
    pub fn serve(place: Place, lessons: Vec<Lesson>, wanted: Wanted) -> Result<(Serving, LabThread), ClassError> {
        let (labs, thread) = labs(wanted.at_once);
        let address = place.address;
        let inner = Inner {
            lessons: lessons.into_iter().map(Arc::new).collect(),
            seats: Seats::new(wanted.seats),
            labs,
            port: address.port(),
            code: code()?,
            instructor: token()?,
            name: token()?,
            secret: token()?,
            overview: Mutex::default(),
            overview_text: watch::channel("[]".into()).0,
        };
        let class = Self { inner: Arc::new(inner) };
        let names = if address.ip().is_loopback() { Names::of_loopback(address.port()) } else { Names::of(address) };
        let routes = class.routes(names);
        let all = (wanted.seats + 1) * CONNECTIONS_EACH;
        let bounds = Bounds { all, each: CONNECTIONS_OF_AN_ADDRESS, silence: SILENCE };
        let mut serving = Vec::new();
        for listener in place.listeners {
            let listener = TcpListener::from_std(listener).map_err(|source| ClassError::Listen { address, source })?;
            let routes = routes.clone();
            let task = tokio::spawn(async move {
                // It ends with the program.
                drop(axum::serve(Bounded::new(listener, bounds), routes).await);
            });
            serving.push(task.abort_handle());
        }
        let Inner { code, instructor, .. } = &*class.inner;
        let serving = Serving {
            address: format!("http://{address}/#t={code}"),
            code: code.clone(),
            instructor: format!("http://{address}/class.html#t={instructor}"),
            serving,
        };
        Ok((serving, thread))
    }

    fn routes(&self, names: Names) -> Router {
        Router::new()
            .route("/", get(|| async { assets::response("lesson.html") }))
            .route("/icon.svg", get(|| async { assets::response("icon.svg") }))
            .route("/{asset}", get(asset))
            .route("/session", post(log_in))
            .route("/api/seat", get(show).post(act))
            .route("/api/class", get(follow))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(middleware::from_fn_with_state(Arc::new(names), guard::outer))
            .with_state(self.clone())
    }

    fn cookie_name(&self, who: Who) -> String {
        let who = match who {
            Who::Learner => "seat",
            Who::Instructor => "class",
        };
        format!("sglab-{who}-{}", self.inner.port)
    }

    /// The number of a browser that was given here.
    fn browser(&self, headers: &HeaderMap) -> Option<String> {
        let (number, seal) = guard::cookie(headers, &self.cookie_name(Who::Learner))?.split_once('.')?;
        is_same(seal, &sealed(&self.inner.secret, number)).then(|| number.to_owned())
    }

    fn is_instructor(&self, headers: &HeaderMap) -> bool {
        let known = sealed(&self.inner.secret, &self.inner.instructor);
        guard::cookie(headers, &self.cookie_name(Who::Instructor)).is_some_and(|word| is_same(word, &known))
    }

    /// The seat of a browser, unless it is at work.
    fn seat(&self, headers: &HeaderMap) -> Result<(SeatNumber, OwnedMutexGuard<Seat>), NoSeat> {
        let found = self.browser(headers).and_then(|browser| self.inner.seats.of(&browser));
        let (number, seat) = found.ok_or(NoSeat::None)?;
        Ok((number, seat.try_lock_owned().map_err(|_| NoSeat::AtWork)?))
    }

    fn view<'a>(&'a self, number: SeatNumber, seat: &'a Seat, problem: Option<String>) -> SeatView<'a> {
        SeatView::new((&self.inner.name, number), seat, &self.inner.lessons, problem)
    }

    /// Shows the instructor what was done at a seat.
    fn tell_instructor(&self, number: SeatNumber, seat: &Seat) {
        self.overview().insert(number, LearnerView::new(number, seat));
        self.send_overview();
    }

    /// Takes a seat out of the instructor's sight, until something is done there.
    fn forget(&self, number: SeatNumber) {
        if self.overview().remove(&number).is_some() {
            self.send_overview();
        }
    }

    fn send_overview(&self) {
        let all = serde_json::to_string(&self.overview().values().collect::<Vec<_>>());
        // Views have text keys and numbers only, so that this cannot fail.
        self.inner.overview_text.send_replace(all.unwrap_or_default().into());
    }

    fn overview(&self) -> MutexGuard<'_, BTreeMap<SeatNumber, LearnerView>> {
        self.inner.overview.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reason why a browser has no seat now.
#[derive(Clone, Copy)]
enum NoSeat {
    None,
    AtWork,
}

impl IntoResponse for NoSeat {
    fn into_response(self) -> Response {
        match self {
            Self::None => (StatusCode::UNAUTHORIZED, "take a seat with the code of the class\n").into_response(),
            Self::AtWork => {
                (StatusCode::CONFLICT, "another tab of this browser is at work: wait for it\n").into_response()
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Who {
    Learner,
    Instructor,
}

/// Request of a learner.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum SeatRequest {
    /// Says his name.
    Name(String),
    /// Opens a lesson, or the list of them.
    Lesson(Option<String>),
    /// Does something in the stage that he sees.
    Stage { at: usize, action: Action },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Action {
    GoTo(usize),
    BeginAgain,
    Predict { step: usize, answers: Vec<Option<String>> },
    Answer { question: usize, rule: usize },
    Check(String),
    Hint,
}

async fn asset(Path(path): Path<String>) -> Response {
    if FILES.contains(&path.as_str()) { assets::response(&path) } else { StatusCode::NOT_FOUND.into_response() }
}

/// Gives a seat for the code, and the overview for the instructor's.
async fn log_in(State(class): State<Class>, headers: HeaderMap, body: Bytes) -> Response {
    let word = std::str::from_utf8(&body).unwrap_or_default().trim();
    let Inner { code, instructor, secret, seats, .. } = &*class.inner;
    if is_same(word, instructor) {
        return guard::with_cookie(&class.cookie_name(Who::Instructor), &sealed(secret, instructor), COOKIE_AGE);
    }
    // Whoever types it may write it as he likes.
    let typed: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    if !is_same(&typed, &code.replace('-', "")) {
        return (StatusCode::UNAUTHORIZED, "that is not the code of this class: look at the screen\n").into_response();
    }
    if class.browser(&headers).is_some_and(|browser| seats.of(&browser).is_some()) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Ok(number) = token() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    match seats.take(number.clone()) {
        Ok(seat) => {
            class.forget(seat);
            let value = format!("{number}.{}", sealed(secret, &number));
            guard::with_cookie(&class.cookie_name(Who::Learner), &value, COOKIE_AGE)
        }
        Err(full) => (StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")).into_response(),
    }
}

/// The seat as it is once what was begun there is done.
async fn show(State(class): State<Class>, headers: HeaderMap) -> Response {
    let Some((number, seat)) = class.browser(&headers).and_then(|browser| class.inner.seats.of(&browser)) else {
        return NoSeat::None.into_response();
    };
    let seat = seat.lock().await;
    assets::json(StatusCode::OK, &class.view(number, &seat, None))
}

async fn act(State(class): State<Class>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("this is no request: {error}\n")).into_response(),
    };
    let (number, mut seat) = match class.seat(&headers) {
        Ok(found) => found,
        Err(refused) => return refused.into_response(),
    };
    // A task of its own: where the browser leaves in the middle, what was begun still comes to its end.
    let acting = tokio::spawn(async move {
        let problem = do_at(&mut seat, &class, request).await.err();
        class.tell_instructor(number, &seat);
        assets::json(StatusCode::OK, &class.view(number, &seat, problem))
    });
    acting.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn do_at(seat: &mut Seat, class: &Class, request: SeatRequest) -> Result<(), String> {
    let (at, action) = match request {
        SeatRequest::Name(name) => {
            seat.call(&name);
            return Ok(());
        }
        SeatRequest::Lesson(None) => {
            seat.open(None);
            return Ok(());
        }
        SeatRequest::Lesson(Some(name)) => {
            let lesson = class.inner.lessons.iter().find(|lesson| lesson.name == name);
            seat.open(Some(lesson.ok_or("there is no such lesson in this class")?));
            return Ok(());
        }
        SeatRequest::Stage { at, action } => (at, action),
    };
    let labs = &class.inner.labs;
    let play = seat.play_mut().filter(|play| play.at == at);
    let play = play.ok_or("another tab of this browser has gone on: look at what is there now")?;
    match action {
        Action::GoTo(stage) => play.go_to(stage),
        Action::BeginAgain => {
            play.begin_again();
            Ok(())
        }
        Action::Predict { step, answers } => play.predict(labs, step, &answers).await,
        Action::Answer { question, rule } => play.answer(question, rule),
        Action::Check(text) => play.check(labs, text).await,
        Action::Hint => play.hint(),
    }
}

/// All seats for the instructor, and again after each change.
async fn follow(State(class): State<Class>, headers: HeaderMap) -> Response {
    if !class.is_instructor(&headers) {
        let why =
            "open the instructor's address that `sglab learn --serve` has printed, with all that stands behind its #\n";
        return (StatusCode::UNAUTHORIZED, why).into_response();
    }
    let mut overview = class.inner.overview_text.subscribe();
    overview.mark_changed();
    Sse::new(stream::unfold(overview, next_view)).keep_alive(KeepAlive::new()).into_response()
}

async fn next_view(
    mut overview: watch::Receiver<Arc<str>>,
) -> Option<(Result<Event, Infallible>, watch::Receiver<Arc<str>>)> {
    overview.changed().await.ok()?;
    let data = Arc::clone(&overview.borrow_and_update());
    Some((Ok(Event::default().event("class").data(&*data)), overview))
}
