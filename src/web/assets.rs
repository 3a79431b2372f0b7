//! The files of the pages, in the program; and answers of files and data.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path below `/`.
    pub path: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $kind:literal),* $(,)?) => {
        /// Every file, `index.html` first.
        pub const ASSETS: &[Asset] =
            &[$(Asset { path: $name, kind: $kind, bytes: include_bytes!(concat!("assets/", $name)) }),*];
    };
}

assets! {
    "index.html" "text/html; charset=utf-8",
    "style.css" "text/css; charset=utf-8",
    "app.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "server.js" "text/javascript; charset=utf-8",
    "table.js" "text/javascript; charset=utf-8",
    "picture.js" "text/javascript; charset=utf-8",
    "explain.js" "text/javascript; charset=utf-8",
    "looks.js" "text/javascript; charset=utf-8",
    "forms.js" "text/javascript; charset=utf-8",
    "history.js" "text/javascript; charset=utf-8",
    "room.js" "text/javascript; charset=utf-8",
    "lesson.html" "text/html; charset=utf-8",
    "lesson.js" "text/javascript; charset=utf-8",
    "lesson-stages.js" "text/javascript; charset=utf-8",
    "class.html" "text/html; charset=utf-8",
    "class.js" "text/javascript; charset=utf-8",
    "audience.html" "text/html; charset=utf-8",
    "audience.js" "text/javascript; charset=utf-8",
    "icon.svg" "image/svg+xml",
}

/// Answers with the file of a path.
pub fn response(path: &str) -> Response {
    match find(path) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.kind)], asset.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such page\n").into_response(),
    }
}

/// Answers with data as JSON.
pub fn json(status: StatusCode, data: &impl Serialize) -> Response {
    match serde_json::to_vec(data) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The file of a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}
