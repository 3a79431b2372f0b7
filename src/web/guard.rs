//! Checks of every request before anything looks at it, and headers of every answer.
//!
//! A name that leads to 127.0.0.1 is no way in (Host), no other page's script (Sec-Fetch-Site, Origin), no form (a header that only script
//! sends), and no other user of the machine (cookie).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::session::Session;

/// Header that a page's script sends with each change: no form can, and a script of another page must ask first.
pub const OWN_HEADER: &str = "x-sglab";

/// Headers of each answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The port of HTTP.
const HTTP: u16 = 80;

/// Names under which a page may be asked for.
#[derive(Clone, Debug)]
pub struct Names {
    hosts: Vec<String>,
}

impl Names {
    /// The names of a page on loopback.
    pub fn of_loopback(port: u16) -> Self {
        Self::at_port(&["127.0.0.1", "[::1]", "localhost"], port)
    }

    /// The name of a page at one address.
    pub fn of(address: SocketAddr) -> Self {
        let name = match address.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Self::at_port(&[&name], address.port())
    }

    fn at_port(names: &[&str], port: u16) -> Self {
        let with_port = names.iter().map(|name| format!("{name}:{port}"));
        // A browser leaves the port of HTTP out of what it sends.
        let without = names.iter().filter(|_| port == HTTP).map(|name| (*name).to_owned());
        Self { hosts: with_port.chain(without).collect() }
    }

    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// Refuses what comes by another name or from another page, and puts the headers on each answer.
pub async fn outer(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    let mut response = match refusal(&names, request.method(), request.headers()) {
        Some((status, why)) => (status, why).into_response(),
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn refusal(names: &Names, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_ours = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| names.has(host));
    if headers.get_all(header::HOST).iter().count() != 1 || !text("host").is_some_and(|host| names.has(host)) {
        return Some((StatusCode::MISDIRECTED_REQUEST, "this page is not asked for by that name\n"));
    }
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return Some((StatusCode::FORBIDDEN, "another page may not ask\n"));
    }
    if text("origin").is_some_and(|origin| !is_ours(origin)) {
        return Some((StatusCode::FORBIDDEN, "another page may not ask\n"));
    }
    if method != Method::GET && method != Method::HEAD && text(OWN_HEADER).is_none() {
        return Some((StatusCode::FORBIDDEN, "only the page itself may change anything\n"));
    }
    None
}

/// Refuses whoever has no cookie of this page.
pub async fn inner(State(session): State<Arc<Session>>, request: Request, next: Next) -> Response {
    if has_cookie(&session, request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::UNAUTHORIZED, "open the address that `sglab ui` has printed, with all that stands behind its #\n")
        .into_response()
}

fn has_cookie(session: &Session, headers: &HeaderMap) -> bool {
    cookie(headers, &session.cookie_name()).is_some_and(|value| session.is_cookie(value))
}

/// Gives a cookie, for as many seconds, or until the browser is closed.
pub fn with_cookie(name: &str, value: &str, seconds: Option<u32>) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie_text(name, value, seconds))]).into_response()
}

/// A cookie that no script reads and no other page sends.
pub fn cookie_text(name: &str, value: &str, seconds: Option<u32>) -> String {
    let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/{age}")
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut values = all.flat_map(|all| all.split(';')).filter_map(|one| one.trim().split_once('='));
    values.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_port_of_http_a_browser_names_no_port() {
        let of = |address: &str| Names::of(address.parse().unwrap());
        assert!(Names::of_loopback(80).has("localhost") && Names::of_loopback(80).has("127.0.0.1:80"));
        assert!(of("192.0.2.7:80").has("192.0.2.7") && of("[2001:db8::1]:80").has("[2001:db8::1]"));
        assert!(of("[2001:db8::1]:8080").has("[2001:db8::1]:8080"));
        for names in [Names::of_loopback(8080), of("192.0.2.7:8080")] {
            assert!(!names.has("localhost") && !names.has("127.0.0.1") && !names.has("192.0.2.7"), "{names:?}");
        }
    }
}
