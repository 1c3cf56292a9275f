//! The browser's half of the course, embedded into every program.
//!
//! A program needs two lines for it: [`listen`] opens the port and prints where to look,
//! [`router`] serves the pages.

mod course;
mod frame;
mod head;
mod json;
mod lab;
mod neighbours;
#[cfg(debug_assertions)]
mod xray;

use std::{
    borrow::Cow,
    env,
    fmt::Display,
    io::{self, ErrorKind, Write},
    net::SocketAddr,
    process,
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
    serve::{Listener, ListenerExt, TapIo},
};
pub use neighbours::{qr_code, urls};
use tokio::net::TcpListener;

/// Where every program of the course listens, unless `ADDR` says otherwise.
const DEFAULT_ADDR: &str = "127.0.0.1:8000";

/// How long the start of a server may wait for whoever reads its output.
const PATIENCE: Duration = Duration::from_secs(1);

/// Every file of this folder that a browser may ask for: its name and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Pages with gaps, which are filled before somebody gets them.
const TEMPLATES: [&str; 3] = ["index.html", "elsewhere.html", "nothing.html"];

/// What the landing page of a debug build has, too.
const MORE: &str = r#"<p>
        <a href="/lab.html">The lab</a> has three clients on one page, and buttons that send
        what no client should. <a href="/chapter">The chapter</a> explains the program: you
        get the page of the book while <code>mdbook serve book</code> runs, and else the text
        that it is made from.
      </p>"#;

/// The program that runs: its package, and the page to open first.
#[derive(Clone, Copy)]
struct Program {
    package: &'static str,
    page: &'static str,
}

#[cfg(debug_assertions)]
type PlainListener = xray::TappedListener;
#[cfg(not(debug_assertions))]
type PlainListener = TcpListener;

/// A listener whose connections send small messages at once.
///
/// Its type has a name, so that axum can tell handlers the address of their client
/// (`into_make_service_with_connect_info`).
pub type NoDelayListener = TapIo<PlainListener, fn(&mut <PlainListener as Listener>::Io)>;

/// Opens the port that `ADDR` names, or 127.0.0.1:8000, and prints where to look.
///
/// Small messages leave at once (`TCP_NODELAY`): otherwise the kernel may hold the
/// second of two back for some 40 milliseconds.
///
/// When the port cannot be had, this ends the program with one sentence.
pub async fn listen() -> NoDelayListener {
    let wanted = env::var("ADDR").unwrap_or_else(|_| DEFAULT_ADDR.into());
    let addr = parse_addr(&wanted).unwrap_or_else(|sentence| quit(sentence));

    with_xray(bind(addr, Some("ADDR")).await)
}

/// The same, at an address that a program has from its own configuration.
pub async fn listen_on(addr: SocketAddr) -> NoDelayListener {
    with_xray(bind(addr, None).await)
}

/// The same, for a program without the lab. Nobody could look at its connections there.
pub async fn listen_without_lab(addr: SocketAddr) -> NoDelayListener {
    without_xray(bind(addr, None).await)
}

/// `variable` is the one of the environment that has the address, if we know it.
async fn bind(addr: SocketAddr, variable: Option<&str>) -> TcpListener {
    let listener = TcpListener::bind(addr)
        .await
        .unwrap_or_else(|error| quit(explain(addr, &error, variable)));

    // Port 0 means "any free port", so we ask which one it became.
    let addr = listener.local_addr().unwrap_or(addr);
    let _ = lab::ADDR.set(addr); // Of several listeners, the lab asks the first.
    say(welcome(addr, &neighbours::urls(addr)));

    listener
}

/// The same listener. A debug build shows a browser what its connections send and receive.
fn with_xray(listener: TcpListener) -> NoDelayListener {
    #[cfg(debug_assertions)]
    let listener = xray::tap(listener);
    #[cfg(debug_assertions)]
    if let (true, Ok(addr)) = (xray::is_on(), listener.local_addr()) {
        say(xray::welcome(addr));
    }

    without_delay(listener)
}

fn without_xray(listener: TcpListener) -> NoDelayListener {
    #[cfg(debug_assertions)]
    let listener = xray::TappedListener::untapped(listener);

    without_delay(listener)
}

/// The same listener, whose connections send small messages at once.
fn without_delay(listener: PlainListener) -> NoDelayListener {
    listener.tap_io(|connection| {
        // Without it the connection is slower, not wrong.
        let _ = connection.set_nodelay(true);
    })
}

/// Whether browsers may look at their own connections. In release builds they never do.
fn xray_is_on() -> bool {
    cfg_select! {
        debug_assertions => { xray::is_on() }
        _ => { false }
    }
}

/// Prints a line on standard output. A server does not wait long for somebody to read it: the
/// output may be full since before the start.
fn say(line: String) {
    let (printing, done) = channel::<()>();
    thread::spawn(move || {
        print(io::stdout(), line);
        drop(printing);
    });
    let _ = done.recv_timeout(PATIENCE); // It is an error that the sender is gone.
}

/// Prints a line.
///
/// Why not `println!`? It panics when nobody reads the output any more, and a server
/// does not need readers.
fn print(mut to: impl Write, line: impl Display) {
    // In one piece: otherwise a line of the log may come between it and its end.
    let _ = to.write_all(format!("{line}\n").as_bytes()); // Or nobody reads it.
}

/// `urls` are those at which browsers find us.
fn welcome(addr: SocketAddr, urls: &[String]) -> String {
    let port = addr.port();
    if !addr.ip().is_unspecified() {
        return format!("Open http://{addr} in a browser. Ctrl-C stops the server.");
    }
    let others = match urls.is_empty() {
        true => "Other computers cannot reach this one: it is in no network.".into(),
        false => format!("Other computers of the network open {}.", urls.join(" or ")),
    };
    format!(
        "Open http://127.0.0.1:{port} in a browser. Ctrl-C stops the server.\n{others}"
    )
}

/// Ends the program with one sentence on the console.
pub fn quit(sentence: impl Display) -> ! {
    print(io::stderr(), sentence);
    process::exit(1)
}

/// Serves the landing page at `/`, the pages, and what they need.
///
/// `package` is the program that runs: `env!("CARGO_PKG_NAME")`. `page` is the one to open
/// first. What the lab offers for it stands in its head. The page of another program would
/// talk to a server that does not understand it, so a request for it is answered with the
/// command that starts the right one.
///
/// Pages of the origins that `ALLOWED_ORIGINS` lists may ask what the lab asks.
///
/// # Panics
///
/// If the folder of this crate has no such page, or the page has no title.
pub fn router<S: Clone + Send + Sync + 'static>(
    package: &'static str,
    page: &'static str,
) -> Router<S> {
    let origins = env::var("ALLOWED_ORIGINS").unwrap_or_default();
    router_with_origins(package, page, &origins)
}

/// The same, with origins that a program has from its own configuration: whole origins,
/// with commas between them.
///
/// # Panics
///
/// As [`router`] does.
pub fn router_with_origins<S: Clone + Send + Sync + 'static>(
    package: &'static str,
    page: &'static str,
    origins: &str,
) -> Router<S> {
    let running = Program { package, page };
    // The lab asks this server in its own name. A limit for addresses would not notice who
    // is behind it, so it is for debug builds alone.
    let debug = if cfg!(debug_assertions) {
        Router::new()
            .route("/lab", get(async || Redirect::temporary("/lab.html")))
            .merge(lab::router(running, origins))
            .merge(course::router(running))
    } else {
        Router::new()
    };
    check(running);

    let xray = cfg_select! {
        debug_assertions => { xray::router(origins) }
        _ => { Router::new() }
    };

    Router::new()
        .route("/", get(async move || landing_page(running, &neighbours())))
        .route("/index.html", get(async || Redirect::permanent("/")))
        .route("/favicon.ico", get(async || Redirect::permanent("/favicon.svg")))
        .merge(debug)
        .merge(xray)
        .fallback(async move |uri: Uri, headers: HeaderMap| {
            serve(running, uri.path(), wants_a_page(&headers))
        })
}

/// The program's page is what everything here starts from.
fn check(Program { package, page }: Program) {
    let title = head::title(page);
    assert!(title.is_some(), "{package} needs {page} with a title in its head");
}

/// The text of an embedded file, such as `style.css`.
pub fn file(name: &str) -> Option<&'static str> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(published(name, text, cfg!(debug_assertions)))
}

/// What a page gets of a file. The passwords to try it with are for debug builds alone.
fn published(name: &str, text: &'static str, debug: bool) -> &'static str {
    if name == "people.js" && !debug { "export const PEOPLE = {};\n" } else { text }
}

/// `as_page`: whether the answer that something is not here is for a person who looks at a
/// browser. A program gets the sentence alone.
fn serve(running: Program, path: &str, as_page: bool) -> Response {
    let name = path.trim_start_matches('/');
    let foreign = head::package(name)
        .filter(|&package| head::package(running.page) != Some(package));
    let known = file(name).filter(|_| !TEMPLATES.contains(&name));

    match (foreign, known) {
        (Some(other), _) if as_page => {
            let wanted = head::title(name).unwrap_or(name);
            let values = [("other", other), ("wanted", wanted)];
            not_found(Html(fill(running, "elsewhere.html", &values)))
        }
        (Some(other), _) => not_found(format!(
            "This server runs {}. Stop it, and start the server of this page: cargo run -p \
             {other}",
            running.package,
        )),
        (None, Some(text)) => {
            // `no-cache`: all programs share one address, but not one set of pages.
            let headers = [
                (header::CONTENT_TYPE, media_type(name)),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            let text = if name.ends_with(".html") {
                frame::framed(running, name, text).into()
            } else {
                Cow::Borrowed(text)
            };
            (headers, text).into_response()
        }
        (None, None) if as_page => {
            not_found(Html(fill(running, "nothing.html", &[("path", path)])))
        }
        (None, None) => not_found(format!("Nothing is served at {path}.")),
    }
}

fn not_found(answer: impl IntoResponse) -> Response {
    (StatusCode::NOT_FOUND, answer).into_response()
}

/// A browser that opens a page asks for HTML. Scripts and other programs take anything.
fn wants_a_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|types| types.contains("text/html"))
}

/// `neighbours` are the URLs at which other computers find us.
fn landing_page(running: Program, neighbours: &[String]) -> Html<String> {
    let mut text = fill(running, "index.html", &[]);
    let more = if cfg!(debug_assertions) { MORE } else { "" };
    let invitation = frame::invitation(running, neighbours);
    for (mark, part) in [("{{more}}", more), ("{{invitation}}", &invitation)] {
        text = text.replace(mark, part);
    }
    Html(text)
}

/// The URLs at which other computers find us. There are none on loopback.
fn neighbours() -> Vec<String> {
    match lab::ADDR.get() {
        Some(addr) if !addr.ip().is_loopback() => neighbours::urls(*addr),
        _ => Vec::new(),
    }
}

/// A template with what we know of the program, and with other values, in the frame.
fn fill(running: Program, template: &str, values: &[(&str, &str)]) -> String {
    let text = file(template).expect("the folder of the pages has the templates");
    let title = head::title(running.page).unwrap_or_default();
    let own = [("package", running.package), ("page", running.page), ("title", title)];

    let mut text = frame::framed(running, template, text);
    // Ours first: what a stranger writes into a path stays as it is.
    for (gap, value) in own.iter().chain(values) {
        text = text.replace(&format!("{{{{{gap}}}}}"), &frame::escaped(value));
    }
    text
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

fn explain(addr: SocketAddr, error: &io::Error, variable: Option<&str>) -> String {
    let port = addr.port();
    let other = other_port(port);
    let example = match variable {
        Some(variable) => format!(": {variable}=127.0.0.1:{other} cargo run …"),
        None => format!(", such as {other}."),
    };
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "Port {port} is taken: another program listens on {addr}. Stop it, or choose \
             another port{example}"
        ),
        ErrorKind::PermissionDenied => format!(
            "We may not listen on port {port}. Choose another one, far from it{example}"
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
