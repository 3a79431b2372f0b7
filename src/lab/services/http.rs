//! The metadata service: as much of HTTP/1.1 as its clients speak, and the rules of its tokens.
//!
//! Source: "Use the Instance Metadata Service to access instance metadata" (EC2 user guide).

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::answers::GivenAnswers;
use super::now::{CurrentCloud, MAX_CONNECTIONS};
use crate::compile::services::metadata;
use crate::model::{Cloud, Interface, VpcName, number};
use crate::probe::connections::Connections;

/// A head of more bytes is no head.
const LONGEST_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
/// Time that somebody may be silent on a connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const TOKEN: &str = "X-aws-ec2-metadata-token";
const TTL: &str = "X-aws-ec2-metadata-token-ttl-seconds";

/// Answers connections for ever.
pub(super) async fn serve(
    listener: TcpListener,
    now: CurrentCloud,
    vpc: VpcName,
    tokens: Arc<Tokens>,
    said: GivenAnswers,
) {
    let began = Instant::now();
    // Dropped with this task, and then the connections end too.
    let mut connections = Connections::at_most(MAX_CONNECTIONS);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let (now, vpc, tokens, said) = (now.clone(), vpc.clone(), Arc::clone(&tokens), said.clone());
                    let answer = move |request: &Request<'_>| {
                        let cloud = now.cloud();
                        let interface = metadata::holder(&cloud, &vpc, from.ip().to_canonical());
                        interface.map_or(Reply::status(NOT_FOUND), |interface| reply(request, (&cloud, interface), &tokens, began.elapsed()))
                    };
                    // An error of the connection is the client's own affair.
                    connections.serve(from.ip(), async move {
                        drop(handle_connection(stream, answer, |reply| said.note(from, reply)).await);
                    });
                }
                // Out of descriptors, for example, which nobody tells the end of.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = connections.ended() => {}
        }
    }
}

async fn handle_connection(
    mut stream: TcpStream,
    answer: impl Fn(&Request<'_>) -> Reply,
    note: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let (reply, used, head_only, last) = match parse(&read) {
            Parsed::Whole(request, length) => (answer(&request), length, request.method == "HEAD", request.last),
            Parsed::Bad => (Reply::status(BAD_REQUEST), read.len(), false, true),
            Parsed::Part => {
                let mut more = [0; 2048];
                match timeout(IDLE_TIMEOUT, stream.read(&mut more)).await {
                    Ok(Ok(length)) if length > 0 => read.extend_from_slice(&more[..length]),
                    _ => return Ok(()),
                }
                continue;
            }
        };
        read.drain(..used);
        let reply = reply.bytes(head_only, last);
        note(&reply);
        stream.write_all(&reply).await?;
        if last {
            return stream.shutdown().await;
        }
    }
}

/// A request, as far as it matters here.
pub(super) struct Request<'r> {
    method: &'r str,
    path: &'r str,
    token: Option<&'r str>,
    ttl: Option<&'r str>,
    forwarded: bool,
    /// True if the connection ends with it.
    pub(super) last: bool,
}

pub(super) enum Parsed<'r> {
    /// A request, and how many bytes it takes.
    Whole(Request<'r>, usize),
    Part,
    Bad,
}

/// Reads a head and passes over the body that it announces.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST_HEAD => return Parsed::Part,
        _ => return Parsed::Bad,
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok().map(str::trim)
    };
    let (Some(method), Some(path), Some(version)) = (head.method, head.path, head.version) else { return Parsed::Bad };
    // A token's request has no body; what cannot be passed over ends the connection.
    let body = match header("Content-Length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(body)) if body <= LONGEST_HEAD => body,
        Some(_) => return Parsed::Bad,
    };
    if header("Transfer-Encoding").is_some() {
        return Parsed::Bad;
    }
    if bytes.len() < length + body {
        return Parsed::Part;
    }
    let close = header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let request = Request {
        method,
        path: path.split('?').next().unwrap_or(path),
        token: header(TOKEN),
        ttl: header(TTL),
        forwarded: header("X-Forwarded-For").is_some(),
        last: close || version == 0,
    };
    Parsed::Whole(request, length + body)
}

/// A status line's number and words.
type Status = (u16, &'static str);
const OK: Status = (200, "OK");
const BAD_REQUEST: Status = (400, "Bad Request");
const UNAUTHORIZED: Status = (401, "Unauthorized");
const FORBIDDEN: Status = (403, "Forbidden");
const NOT_FOUND: Status = (404, "Not Found");
const NOT_ALLOWED: Status = (405, "Method Not Allowed");

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    status: Status,
    body: String,
    /// Lifetime of the token that the body is, in seconds.
    ttl: Option<u32>,
}

impl Reply {
    fn status(status: Status) -> Self {
        Self { status, body: String::new(), ttl: None }
    }

    pub(super) fn bytes(&self, head_only: bool, last: bool) -> Vec<u8> {
        let (number, words) = self.status;
        let ttl = self.ttl.map_or_else(String::new, |ttl| format!("{TTL}: {ttl}\r\n"));
        let connection = if last { "close" } else { "keep-alive" };
        let length = self.body.len();
        let head = format!(
            "HTTP/1.1 {number} {words}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{ttl}\
             Connection: {connection}\r\nServer: EC2ws\r\n\r\n"
        );
        [head.as_bytes(), if head_only { b"" } else { self.body.as_bytes() }].concat()
    }
}

/// The answer to whoever holds this interface; `now` is the time since any beginning.
pub(super) fn reply(
    request: &Request<'_>,
    (cloud, interface): (&Cloud, &Interface),
    tokens: &Tokens,
    now: Duration,
) -> Reply {
    match request.method {
        "PUT" if request.path == "/latest/api/token" => {
            // An open proxy that passes requests on says so, and gets none.
            if request.forwarded {
                return Reply::status(FORBIDDEN);
            }
            let ttl = request.ttl.and_then(number::<u32>).filter(|ttl| (1..=LONGEST).contains(ttl));
            ttl.map_or(Reply::status(BAD_REQUEST), |ttl| Reply {
                status: OK,
                body: tokens.issue(interface.number, now, ttl),
                ttl: Some(ttl),
            })
        }
        "GET" | "HEAD" => {
            // Without a token it is version 1, which is answered as well.
            if request.token.is_some_and(|token| !tokens.accepts(token, interface.number, now)) {
                return Reply::status(UNAUTHORIZED);
            }
            match metadata::page(cloud, interface, request.path) {
                Some(body) => Reply { status: OK, body, ttl: None },
                None => Reply::status(NOT_FOUND),
            }
        }
        _ => Reply::status(NOT_ALLOWED),
    }
}

/// A request for a path, after which the connection ends.
pub(super) fn request(path: &str, at: IpAddr) -> String {
    let host = match at {
        IpAddr::V4(at) => at.to_string(),
        IpAddr::V6(at) => format!("[{at}]"),
    };
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// The status and the body of an answer that has come whole.
pub(super) fn read_answer(bytes: &[u8]) -> Option<(u16, String)> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(bytes) else { return None };
    Some((head.code?, String::from_utf8_lossy(&bytes[length..]).into_owned()))
}

/// Longest lifetime of a token, in seconds ("Use the Instance Metadata Service", EC2 user guide).
pub(super) const LONGEST: u32 = 21_600;

/// Issues tokens and knows its own again. Nothing is kept: a token says whose it is and until when, under a seal that
/// only this value can make.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    seal: RandomState,
}

impl Tokens {
    /// A token for the interface of this number; `now` is the time since any beginning.
    pub fn issue(&self, interface: u32, now: Duration, seconds: u32) -> String {
        let until = (now + Duration::from_secs(seconds.into())).as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        format!("{until:016x}{:016x}", self.seal.hash_one((interface, until)))
    }

    /// Returns `true` if a token is one of that interface, and still good.
    pub fn accepts(&self, token: &str, interface: u32, now: Duration) -> bool {
        let hex = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some((until, seal)) = hex.then(|| token.split_at(16)) else { return false };
        let (Ok(until), Ok(seal)) = (u64::from_str_radix(until, 16), u64::from_str_radix(seal, 16)) else {
            return false;
        };
        seal == self.seal.hash_one((interface, until)) && now.as_millis() < u128::from(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Era;
    use crate::model::sample::Sample;

    const NOW: Duration = Duration::from_secs(5);

    fn cloud() -> Cloud {
        Sample::new(Era::Vpc).group("G", &[]).instance("web1", &["G"]).instance("web2", &["G"]).0
    }

    /// Returns the answer to an instance's whole request.
    fn ask(cloud: &Cloud, number: usize, tokens: &Tokens, text: &str, now: Duration) -> Reply {
        let Parsed::Whole(request, length) = parse(text.as_bytes()) else { panic!("a whole request") };
        assert_eq!(length, text.len());
        reply(&request, (cloud, &cloud.instances[number].interfaces[0]), tokens, now)
    }

    fn get(path: &str, headers: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
    }

    fn put(headers: &str) -> String {
        format!("PUT /latest/api/token HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
    }

    #[test]
    fn a_token_is_asked_for_and_shown() {
        let (cloud, tokens) = (cloud(), Tokens::default());
        let token = ask(&cloud, 0, &tokens, &put("x-AWS-ec2-metadata-token-ttl-seconds: 60\r\n"), NOW);
        assert_eq!((token.status, token.ttl), (OK, Some(60)));
        let shown = get("/latest/meta-data/local-ipv4", &format!("{TOKEN}: {}\r\n", token.body));
        assert_eq!(ask(&cloud, 0, &tokens, &shown, NOW).body, "10.0.0.11");
        assert_eq!(ask(&cloud, 0, &tokens, &shown, NOW + Duration::from_secs(60)).status, UNAUTHORIZED, "too late");
        assert_eq!(ask(&cloud, 1, &tokens, &shown, NOW).status, UNAUTHORIZED, "another instance's");
        assert_eq!(ask(&cloud, 0, &tokens, &get("/latest/", &format!("{TOKEN}: x\r\n")), NOW).status, UNAUTHORIZED);
    }

    #[test]
    fn a_token_lives_from_one_second_to_six_hours() {
        let (cloud, tokens) = (cloud(), Tokens::default());
        let asked = |ttl: &str| ask(&cloud, 0, &tokens, &put(&format!("{TTL}: {ttl}\r\n")), NOW).status;
        assert_eq!(["1", "21600"].map(asked), [OK; 2]);
        assert_eq!(["0", "21601", "-1", "x", ""].map(asked), [BAD_REQUEST; 5]);
        assert_eq!(ask(&cloud, 0, &tokens, &put(""), NOW).status, BAD_REQUEST, "without a time to live");
        let forwarded = put(&format!("{TTL}: 60\r\nX-Forwarded-For: 10.0.0.12\r\n"));
        assert_eq!(ask(&cloud, 0, &tokens, &forwarded, NOW).status, FORBIDDEN);
    }

    #[test]
    fn without_a_token_it_is_version_one() {
        let (cloud, tokens) = (cloud(), Tokens::default());
        let asked = |number: usize, path: &str| ask(&cloud, number, &tokens, &get(path, ""), NOW);
        assert_eq!(asked(0, "/latest/meta-data/local-ipv4").body, "10.0.0.11");
        assert_eq!(asked(1, "/latest/meta-data/local-ipv4?x=1").body, "10.0.0.12", "each reads of itself");
        assert_eq!(asked(0, "/latest/meta-data/nothing").status, NOT_FOUND);
        let post = "POST /latest/meta-data/ HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
        assert_eq!(ask(&cloud, 0, &tokens, post, NOW).status, NOT_ALLOWED);
    }

    #[test]
    fn a_request_is_read_when_it_is_whole() {
        let text = get("/latest/", "");
        for part in 0..text.len() {
            assert!(matches!(parse(&text.as_bytes()[..part]), Parsed::Part), "{part} bytes");
        }
        let two = format!("{text}{text}");
        assert!(matches!(parse(two.as_bytes()), Parsed::Whole(_, length) if length == text.len()));
        let body = "PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbod";
        assert!(matches!(parse(body.as_bytes()), Parsed::Part));
    }

    #[test]
    fn what_is_no_request_is_a_bad_one() {
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(LONGEST_HEAD));
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let huge = "PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n";
        for text in ["nonsense\r\n\r\n", "GET / FTP/9\r\n\r\n", endless.as_str(), chunked, huge] {
            assert!(matches!(parse(text.as_bytes()), Parsed::Bad), "{}", &text[..20.min(text.len())]);
        }
    }

    #[test]
    fn a_connection_ends_where_the_client_says_so_and_with_the_old_version() {
        let last = |text: &str| matches!(parse(text.as_bytes()), Parsed::Whole(Request { last: true, .. }, _));
        assert!(last("GET / HTTP/1.0\r\n\r\n") && last("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"));
        assert!(!last("GET / HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn an_answer_is_read_as_it_is_written() {
        let reply = Reply { status: OK, body: "WEB\nADMIN".to_owned(), ttl: None };
        assert_eq!(read_answer(&reply.bytes(false, true)), Some((200, "WEB\nADMIN".to_owned())));
        assert_eq!(read_answer(&reply.bytes(true, true)), Some((200, String::new())), "a HEAD has no body");
        assert_eq!(read_answer(b"HTTP/1.1 200 OK\r\n"), None);
    }

    const LATER: Duration = Duration::from_secs(1_000);

    #[test]
    fn a_token_is_good_for_its_instance_until_it_ends() {
        let tokens = Tokens::default();
        let token = tokens.issue(7, LATER, 60);
        assert!(tokens.accepts(&token, 7, LATER) && tokens.accepts(&token, 7, LATER + Duration::from_millis(59_999)));
        assert!(!tokens.accepts(&token, 7, LATER + Duration::from_secs(60)));
        assert!(!tokens.accepts(&token, 8, LATER), "another's token is none");
    }

    #[test]
    fn what_was_not_issued_here_is_no_token() {
        let tokens = Tokens::default();
        let token = tokens.issue(7, LATER, 60);
        assert!(!Tokens::default().accepts(&token, 7, LATER));
        let longer = format!("{}{}", "f".repeat(16), &token[16..]);
        let odd = format!("+{}", &token[1..]);
        for forged in ["", "x", &token[1..], longer.as_str(), odd.as_str(), "\u{e9}".repeat(16).as_str()] {
            assert!(!tokens.accepts(forged, 7, LATER), "{forged}");
        }
    }
}
