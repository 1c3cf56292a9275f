//! What the lab asks the running program for, beside its files.
//!
//! The book's pages may ask, too, in debug builds, and so may the origins that the program
//! allows. Any other page may not.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HOST, ORIGIN},
        uri::{Authority, PathAndQuery},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{Program, head, json::quoted, xray_is_on};

/// The book, as `mdbook serve` shows it.
const BOOK_ORIGINS: [&str; 2] = ["http://127.0.0.1:3000", "http://localhost:3000"];

/// How long the server may take to answer itself.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longer than any answer that we ask ourselves for, in bytes.
const ANSWER_LIMIT: u64 = 16 * 1024;

/// Where this program listens, once it does.
pub static ADDR: OnceLock<SocketAddr> = OnceLock::new();

/// The transcripts of the book: program, name and text.
const TRANSCRIPTS: &[(&str, &str, &str)] =
    include!(concat!(env!("OUT_DIR"), "/transcripts.rs"));

#[derive(Clone)]
struct Lab {
    /// What the lab needs to know about the program that runs: the members of a JSON object.
    about: Arc<str>,
    /// The origins whose pages may ask, beside our own.
    origins: Arc<[String]>,
}

pub fn router<S: Clone + Send + Sync + 'static>(
    running: Program,
    origins: &str,
) -> Router<S> {
    let lab = Lab {
        about: about(running).into(),
        origins: listed(origins, cfg!(debug_assertions)).into(),
    };

    Router::new()
        .route("/lab.json", get(describe))
        .route("/lab/upgrade/{*path}", get(upgrade))
        .route("/lab/login", post(login))
        .with_state(lab)
}

async fn describe(
    State(lab): State<Lab>,
    headers: HeaderMap,
) -> Result<Response, Forbidden> {
    let origin = allowed_origin(&headers, &lab.origins, on_loopback())?;
    let json = format!(r#"{{{},"xray":{}}}"#, lab.about, xray_is_on());
    let answer = ([(CONTENT_TYPE, "application/json")], json);
    Ok(shared(&origin, answer))
}

/// What the lab needs to know about the program that runs, as the members of a JSON object.
///
/// A page that names no endpoint has an empty path.
fn about(running: Program) -> String {
    let Program { package, page } = running;
    let path = head::meta(page, "websocket").next().unwrap_or_default();
    let messages: Vec<_> = head::meta(page, "message").map(quoted).collect();
    // Not those of the running program: a copy under another name serves the same page.
    let transcripts: Vec<_> = TRANSCRIPTS
        .iter()
        .filter(|(program, ..)| head::package(page) == Some(program))
        .map(|(_, name, text)| {
            format!(r#"{{"name":{},"text":{}}}"#, quoted(name), quoted(text))
        })
        .collect();
    format!(
        r#""package":{},"path":{},"messages":[{}],"transcripts":[{}]"#,
        quoted(package),
        quoted(path),
        messages.join(","),
        transcripts.join(",")
    )
}

/// Sends this server the request of an upgrade, and answers with the status, a line end, and
/// the body.
///
/// Why? A browser hides from its scripts how an upgrade was rejected.
///
/// The path of the WebSocket follows ours: `/lab/upgrade/ws/7?token=…`.
async fn upgrade(
    State(lab): State<Lab>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Forbidden> {
    let origin = allowed_origin(&headers, &lab.origins, on_loopback())?;
    let path = uri.path_and_query().map_or("", PathAndQuery::as_str);
    // However often it is repeated: a request to ourselves must not lead to another one.
    let path = path.trim_start_matches("/lab/upgrade");
    let from = match &origin {
        Some(origin) => format!("Origin: {origin}\r\n"),
        None => String::new(),
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\n{from}Connection: Upgrade, close\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host(&headers)
    );
    Ok(match ask(&request).await {
        Some((status, body)) => shared(&origin, format!("{status}\n{body}")),
        None => shared(&origin, StatusCode::BAD_GATEWAY),
    })
}

/// Passes a name and a password on to `/login`, for the pages of the book: a browser
/// does not let them send JSON to another origin.
async fn login(
    State(lab): State<Lab>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Forbidden> {
    let origin = allowed_origin(&headers, &lab.origins, on_loopback())?;
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        host(&headers),
        body.len()
    );
    Ok(match ask(&request).await {
        Some((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            shared(&origin, (status, body))
        }
        None => shared(&origin, StatusCode::BAD_GATEWAY),
    })
}

/// The status and the body of our own answer. That of an upgrade has no body, and no end.
async fn ask(request: &str) -> Option<(u16, String)> {
    let mut addr = *ADDR.get()?;
    if addr.ip().is_unspecified() {
        addr.set_ip([127, 0, 0, 1].into()); // 0.0.0.0 means every address, also this one.
    }
    let exchange = async {
        let mut connection = TcpStream::connect(addr).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = vec![0; "HTTP/1.1 101".len()];
        connection.read_exact(&mut answer).await?;
        if !answer.ends_with(b"101") {
            connection.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(TIMEOUT, exchange).await.ok()?.ok()?;
    let status = answer.get("HTTP/1.1 ".len().."HTTP/1.1 200".len())?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.to_owned()))
}

/// What the page of another origin gets.
pub type Forbidden = (StatusCode, &'static str);

/// The origin of the page that asks, if the request names one.
///
/// A browser names it whenever a script of another origin wants to read the answer, and for
/// every WebSocket. Images and such have none, but say `cross-site` or `same-site`.
///
/// With `on_loopback`, the server has to be called by a name that can only be this computer.
/// Why? Eve's page may be at a name of hers that she points to 127.0.0.1 once the page is
/// loaded (DNS rebinding). Then it is of the same origin as our pages.
pub fn allowed_origin(
    headers: &HeaderMap,
    listed: &[String],
    on_loopback: bool,
) -> Result<Option<String>, Forbidden> {
    const STRANGER: Forbidden = (
        StatusCode::FORBIDDEN,
        "Pages of this origin may not ask. The list of allowed origins has those that may.",
    );
    const WRONG_HOST: Forbidden = (
        StatusCode::FORBIDDEN,
        "This computer may be called localhost, 127.0.0.1 or [::1], or as in the list of \
         allowed origins.",
    );

    let host = host(headers);
    let is_listed = |origin: &str| listed.iter().any(|one| one == origin);
    let is_known = !on_loopback
        || is_local(host)
        || ["http", "https"]
            .iter()
            .any(|scheme| is_listed(&format!("{scheme}://{host}")));
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_elsewhere = matches!(site, Some(b"cross-site" | b"same-site"));

    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        Some(origin) if is_listed(origin) => Ok(Some(origin.into())),
        _ if !is_known => Err(WRONG_HOST),
        // Origins are compared whole: scheme, host and port. Ours is `http`, because we speak
        // nothing else. Behind a proxy that speaks HTTPS it has to be listed.
        Some(origin) if origin.strip_prefix("http://") == Some(host) => {
            Ok(Some(origin.into()))
        }
        None if !is_elsewhere => Ok(None),
        _ => Err(STRANGER),
    }
}

/// Whether this program listens to this computer alone, as far as we know.
fn on_loopback() -> bool {
    ADDR.get().is_some_and(|addr| addr.ip().is_loopback())
}

/// Whether a server with this name, as `Host` has it, can only be on this computer.
pub fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let ip = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// The configured origins, which are separated by commas, and those of the book.
/// Browsers send them in lower case.
pub fn listed(configured: &str, with_book: bool) -> Vec<String> {
    let book = if with_book { &BOOK_ORIGINS[..] } else { &[] };
    configured
        .split(',')
        .map(|origin| origin.trim().trim_end_matches('/'))
        .filter(|origin| !origin.is_empty())
        .chain(book.iter().copied())
        .map(str::to_lowercase)
        .collect()
}

/// What the client calls us.
pub fn host(headers: &HeaderMap) -> &str {
    headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1")
}

/// Lets the page that asked read the answer.
fn shared(origin: &Option<String>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Some(Ok(origin)) = origin.as_ref().map(|origin| origin.parse()) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transcript_is_embedded_with_its_program() {
        let about = about(Program { package: "lesson_07_rooms", page: "lesson_07.html" });

        assert!(about.contains(r##"{"name":"two_rooms","text":"# "##), "{about}");
    }

    #[test]
    fn what_the_lab_offers_is_what_the_page_says() {
        let about = about(Program { package: "solutions", page: "chat.html" });

        for part in [
            r#""package":"solutions""#,
            r#""path":"/ws/chat/rust/{name}""#,
            r#""messages":["{\"type\":\"chat\",\"content\":\"Hello\"}","#,
            r#","{\"type\":\"resume\",\"after\":0}"]"#,
            r##"{"name":"1_private_messages","text":"# "##,
        ] {
            assert!(about.contains(part), "{part} is missing in {about}");
        }
    }

    #[test]
    fn a_program_of_any_name_has_the_endpoint_and_the_transcripts_of_its_page() {
        let lesson = Program { package: "lesson_07_rooms", page: "lesson_07.html" };
        let copy = Program { package: "my_chat", ..lesson };

        let expected = about(lesson).replacen("lesson_07_rooms", "my_chat", 1);
        assert_eq!(about(copy), expected, "only the name of the program is another");
    }

    #[test]
    fn a_page_without_an_endpoint_has_an_empty_path() {
        let about = about(Program { package: "my_chat", page: "index.html" });

        assert_eq!(
            about, r#""package":"my_chat","path":"","messages":[],"transcripts":[]"#,
            "the lab must not invent one: it says what the page lacks"
        );
    }

    #[test]
    fn an_origin_is_compared_with_its_scheme_its_host_and_its_port() {
        let listed = ["https://chat.example.com".into(), "http://127.0.0.1:3000".into()];
        let may_ask = |origin| {
            allowed_origin(&headers("127.0.0.1:8000", origin), &listed, true).is_ok()
        };

        assert!(may_ask("http://127.0.0.1:8000"), "our own page may ask");
        assert!(may_ask("http://127.0.0.1:3000"), "a listed origin may ask");
        assert!(may_ask("https://chat.example.com"), "and so may another one");
        for (origin, why) in [
            ("https://127.0.0.1:8000", "another scheme is another origin"),
            ("ftp://127.0.0.1:8000", "and so is any other"),
            ("http://127.0.0.1:8001", "another port is another origin"),
            ("http://localhost:8000", "another host is another origin"),
            ("http://chat.example.com", "only HTTPS is listed for this host"),
            ("https://chat.example.com.evil.example", "a listed origin is no prefix"),
            ("http://127.0.0.1:8000/", "an origin has no path"),
            ("null", "a page without an origin, such as one from the disk"),
            ("", "an empty header"),
        ] {
            assert!(!may_ask(origin), "{origin:?} should not be allowed: {why}");
        }
    }

    /// What a page sends.
    fn headers(host: &str, origin: &str) -> HeaderMap {
        [(HOST, host), (ORIGIN, origin)]
            .map(|(name, value)| (name, value.parse().expect("it is visible")))
            .into_iter()
            .collect()
    }

    #[test]
    fn on_loopback_the_server_has_a_name_that_only_this_computer_has() {
        let listed = ["https://chat.example.com".into()];
        for (host, origin, may_ask) in [
            ("localhost:8000", "http://localhost:8000", true),
            ("LOCALHOST", "http://LOCALHOST", true),
            ("127.0.0.1:8000", "http://127.0.0.1:8000", true),
            ("[::1]:8000", "http://[::1]:8000", true),
            ("evil.example:8000", "http://evil.example:8000", false),
            ("localhost.evil.example", "http://localhost.evil.example", false),
            ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example", false),
            ("localhost@evil.example", "http://localhost@evil.example", false),
            ("localhostile:8000", "http://localhostile:8000", false),
            ("192.168.1.7:8000", "http://192.168.1.7:8000", false),
            ("chat.example.com", "https://chat.example.com", true),
            ("a-proxy", "https://chat.example.com", true),
        ] {
            let mut headers = headers(host, origin);
            let answer = allowed_origin(&headers, &listed, true);
            assert_eq!(answer.is_ok(), may_ask, "{origin} asks {host}");

            // A page's requests to its own origin have no `Origin`.
            headers.remove(ORIGIN);
            let may_ask = may_ask && host != "a-proxy";
            let answer = allowed_origin(&headers, &listed, true);
            assert_eq!(answer.is_ok(), may_ask, "a page of {host} asks it");
        }
        let neighbour = headers("192.168.1.7:8000", "http://192.168.1.7:8000");
        let answer = allowed_origin(&neighbour, &listed, false);
        assert!(answer.is_ok(), "neighbours may call us by our addresses, if they can");
    }

    #[test]
    fn images_of_other_sites_may_not_ask_either() {
        for (site, may_ask) in [
            ("same-origin", true),
            ("none", true), // Somebody has typed the address.
            ("same-site", false),
            ("cross-site", false),
        ] {
            let mut headers = headers("localhost:8000", "http://localhost:8000");
            headers.remove(ORIGIN);
            headers.insert("sec-fetch-site", HeaderValue::from_static(site));

            let answer = allowed_origin(&headers, &[], true);

            assert_eq!(answer.is_ok(), may_ask, "a page of {site} has an image");
        }
    }

    #[test]
    fn the_origins_of_the_book_are_listed_in_debug_builds_alone() {
        assert_eq!(
            listed("", true),
            ["http://127.0.0.1:3000", "http://localhost:3000"],
            "a reader replays transcripts from the book"
        );
        assert_eq!(
            listed("", false),
            [] as [&str; 0],
            "in production, whatever listens on port 3000 is a stranger"
        );
    }

    #[test]
    fn allowed_origins_are_separated_by_commas() {
        assert_eq!(
            listed(" https://a.example, https://b.example:8443/ ,,", false),
            ["https://a.example", "https://b.example:8443"],
            "blanks and the slash that people copy along are left out"
        );
    }

    #[test]
    fn the_page_of_a_listed_origin_may_read_the_answer_and_no_other() {
        let asks = |origin| {
            allowed_origin(&headers("127.0.0.1:8000", origin), &listed("", true), true)
        };

        let book = asks("http://127.0.0.1:3000").expect("the book may ask");
        let response = shared(&book, "an answer");
        assert_eq!(
            response.headers()[ACCESS_CONTROL_ALLOW_ORIGIN],
            "http://127.0.0.1:3000",
            "the browser lets the book read the answer"
        );
        let (status, sentence) = asks("https://example.com").expect_err("a stranger");
        assert_eq!(status, StatusCode::FORBIDDEN, "pages of others may not ask");
        assert_eq!(
            sentence,
            "Pages of this origin may not ask. The list of allowed origins has those that may.",
            "the sentence says what to do about it"
        );
    }

    #[cfg(debug_assertions)] // Release builds have no lab.
    #[tokio::test]
    async fn pages_of_the_origins_that_a_program_passes_may_ask() {
        let origins = "https://a.example, https://b.example";
        let app: Router =
            crate::router_with_origins("my_chat", "lesson_01.html", origins);
        let listener =
            tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("the port has a number");
        tokio::spawn(axum::serve(listener, app).into_future());

        for (origin, may_ask) in [
            ("https://a.example", true),
            ("https://b.example", true),
            ("https://c.example", false),
        ] {
            for line in ["GET /lab.json", "GET /lab/upgrade/ws", "POST /lab/login"] {
                let head = format!("Host: {addr}\r\nOrigin: {origin}\r\n\r\n");
                let mut connection = TcpStream::connect(addr).await.expect("it listens");
                let request = format!("{line} HTTP/1.1\r\n{head}");
                connection.write_all(request.as_bytes()).await.expect("it reads");
                let mut answer = [0; "HTTP/1.1 403".len()];
                connection.read_exact(&mut answer).await.expect("it answers");

                let is_forbidden = answer.ends_with(b"403");
                assert_eq!(!is_forbidden, may_ask, "{line} from a page of {origin}");
            }
        }
    }
}
