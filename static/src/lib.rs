//! The browser's half of the course, embedded into every program.
//!
//! A program needs two lines for it: [`listen`] opens the port and prints where to look,
//! [`router`] serves the pages.

mod lab;

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    process,
};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
    serve::{ListenerExt, TapIo},
};
use tokio::net::{TcpListener, TcpStream};

/// Where every program of the course listens, unless `ADDR` says otherwise.
const DEFAULT_ADDR: &str = "127.0.0.1:8000";

/// A program of the course: its package, and the page to open first.
#[derive(Clone, Copy)]
struct Program {
    package: &'static str,
    page: &'static str,
}

const PROGRAMS: &[Program] = &[
    Program { package: "lesson_01_echo", page: "lesson_01.html" },
    Program { package: "lesson_02_disconnect", page: "lesson_02.html" },
    Program { package: "lesson_03_connection_manager", page: "lesson_03.html" },
    Program { package: "lesson_04_path_params", page: "lesson_04.html" },
    Program { package: "lesson_05_query_params", page: "lesson_05.html" },
    Program { package: "lesson_06_json", page: "lesson_06.html" },
    Program { package: "lesson_07_rooms", page: "lesson_07.html" },
    Program { package: "lesson_08_auth", page: "lesson_08.html" },
    Program { package: "lesson_09_heartbeat", page: "lesson_09.html" },
    Program { package: "lesson_10_limits", page: "lesson_10.html" },
    Program { package: "lesson_11_live_data", page: "lesson_11.html" },
    Program { package: "lesson_12_tasks", page: "lesson_12.html" },
    Program { package: "lesson_13_lifespan", page: "lesson_13.html" },
    Program { package: "exercises", page: "chat.html" },
    Program { package: "solutions", page: "chat.html" },
];

/// Embeds files of this folder, each with its name.
macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../", $name)))),*]
    };
}

/// Every file of this folder that a browser may ask for, with its text.
const FILES: &[(&str, &str)] = embed![
    "chat.html",
    "close-codes.js",
    "favicon.svg",
    "heartbeat.js",
    "index.html",
    "lab.html",
    "lab.js",
    "lesson_01.html",
    "lesson_01.js",
    "lesson_02.html",
    "lesson_02.js",
    "lesson_03.html",
    "lesson_03.js",
    "lesson_04.html",
    "lesson_04.js",
    "lesson_05.html",
    "lesson_05.js",
    "lesson_06.html",
    "lesson_06.js",
    "lesson_07.html",
    "lesson_07.js",
    "lesson_08.html",
    "lesson_08.js",
    "lesson_09.html",
    "lesson_09.js",
    "lesson_10.html",
    "lesson_10.js",
    "lesson_11.html",
    "lesson_11.js",
    "lesson_12.html",
    "lesson_12.js",
    "lesson_13.html",
    "lesson_13.js",
    "live.js",
    "log.js",
    "names.js",
    "reconnect.js",
    "room.js",
    "server.js",
    "style.css",
    "transcript.js",
    "ws-lab.js",
];

/// A listener whose connections send small messages at once.
///
/// Its type has a name, so that axum can tell handlers the address of their client
/// (`into_make_service_with_connect_info`).
pub type NoDelayListener = TapIo<TcpListener, fn(&mut TcpStream)>;

/// Opens the port that `ADDR` names, or 127.0.0.1:8000, and prints where to look.
///
/// Small messages leave at once (`TCP_NODELAY`): otherwise the kernel may hold the
/// second of two back for some 40 milliseconds.
///
/// When the port cannot be had, this ends the program with one sentence.
pub async fn listen() -> NoDelayListener {
    let wanted = env::var("ADDR").unwrap_or_else(|_| DEFAULT_ADDR.into());
    let addr = parse_addr(&wanted).unwrap_or_else(|sentence| quit(sentence));
    let listener =
        TcpListener::bind(addr).await.unwrap_or_else(|error| quit(explain(addr, &error)));

    // Port 0 means "any free port", so we ask which one it became.
    let addr = listener.local_addr().unwrap_or(addr);
    let _ = lab::ADDR.set(addr); // Of several listeners, the lab asks the first.
    print(io::stdout(), welcome(addr));

    without_delay(listener)
}

/// The same listener, whose connections send small messages at once.
fn without_delay(listener: TcpListener) -> NoDelayListener {
    listener.tap_io(|connection| {
        // Without it the connection is slower, not wrong.
        let _ = connection.set_nodelay(true);
    })
}

/// Prints a line.
///
/// Why not `println!`? It panics when nobody reads the output any more, and a server
/// does not need readers.
fn print(mut to: impl Write, line: impl Display) {
    let _ = writeln!(to, "{line}"); // There is nobody left to tell.
}

fn welcome(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        let port = addr.port();
        format!(
            "Open http://127.0.0.1:{port} in a browser. Other computers of the network \
             use the address of this one. Ctrl-C stops the server."
        )
    } else {
        format!("Open http://{addr} in a browser. Ctrl-C stops the server.")
    }
}

/// Ends the program with one sentence on the console.
pub fn quit(sentence: impl Display) -> ! {
    print(io::stderr(), sentence);
    process::exit(1)
}

/// Serves the landing page at `/`, the pages, and what they need.
///
/// `package` is the program that runs: `env!("CARGO_PKG_NAME")`. `page` is the one to open
/// first. The page of another lesson would talk to a server that does not understand it,
/// so a request for it is answered with the command that starts the right one.
///
/// # Panics
///
/// If the folder of this crate has no such page.
pub fn router<S: Clone + Send + Sync + 'static>(
    package: &'static str,
    page: &'static str,
) -> Router<S> {
    let program = Program { package, page };

    Router::new()
        .route("/", get(landing_page(&program)))
        .route("/favicon.ico", get(Redirect::permanent("/favicon.svg")))
        .merge(lab::router(program.package))
        .fallback(move |uri: Uri| async move { serve(&program, uri.path()) })
}

/// The text of an embedded file, such as `style.css`.
pub fn file(name: &str) -> Option<&'static str> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(text)
}

fn serve(running: &Program, path: &str) -> Response {
    let name = path.trim_start_matches('/');
    let foreign = PROGRAMS
        .iter()
        .find(|program| program.page == name && program.page != running.page);

    match (foreign, file(name)) {
        (Some(other), _) => not_found(format!(
            "This server runs {}. Stop it, and start the server of this page: cargo run -p {}",
            running.package, other.package,
        )),
        (None, Some(text)) => {
            // `no-cache`: all programs share one address, but not one set of pages.
            let headers = [
                (header::CONTENT_TYPE, media_type(name)),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, text).into_response()
        }
        (None, None) => not_found(format!("Nothing is served at {path}.")),
    }
}

fn not_found(sentence: String) -> Response {
    (StatusCode::NOT_FOUND, sentence).into_response()
}

fn landing_page(running: &Program) -> Html<String> {
    let text = file("index.html").expect("FILES has index.html");

    Html(
        text.replace("{{package}}", running.package)
            .replace("{{page}}", running.page)
            .replace("{{title}}", title(running.page)),
    )
}

/// What stands between `<title>` and `</title>` of a page.
fn title(page: &str) -> &'static str {
    file(page)
        .and_then(|text| text.split_once("<title>"))
        .and_then(|(_, rest)| rest.split_once("</title>"))
        .map(|(title, _)| title)
        .expect("every page of PROGRAMS is in FILES and has a title")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn parse_addr(wanted: &str) -> Result<SocketAddr, String> {
    wanted.parse().map_err(|_| {
        format!(
            "ADDR is {wanted:?}, but should be an IP address and a port, as in \
             ADDR=127.0.0.1:18000."
        )
    })
}

fn explain(addr: SocketAddr, error: &io::Error) -> String {
    let port = addr.port();
    let other = other_port(port);
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "Port {port} is taken: another program listens on {addr}. Stop it, or choose \
             another port: ADDR=127.0.0.1:{other} cargo run …"
        ),
        ErrorKind::PermissionDenied => format!(
            "We may not listen on port {port}. Choose another one, far from it: \
             ADDR=127.0.0.1:{other} cargo run …"
        ),
        _ => format!("We cannot listen on {addr}: {error}."),
    }
}

/// A port that is likely to be free when this one is not.
///
/// Why not the next one? Unix reserves all ports below 1024, and Windows whole ranges of
/// high ones.
fn other_port(port: u16) -> u16 {
    if port.abs_diff(18_000) > 1000 { 18_000 } else { 28_000 }
}

#[cfg(test)]
mod tests;
