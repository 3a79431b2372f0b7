//! The files of the page, in the program.

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

/// The file of a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    ASSETS.iter().find(|asset| asset.path == path)
}
