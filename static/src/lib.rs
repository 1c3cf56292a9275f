//! The browser's half of the course, embedded into every program.
//!
//! A program needs two lines for it: [`listen`] opens the port and prints where to look,
//! [`router`] serves the pages.

mod head;
mod json;
mod lab;
#[cfg(debug_assertions)]
mod xray;

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, Write},
    net::{IpAddr, SocketAddr},
    process,
};

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
    serve::{Listener, ListenerExt, TapIo},
};
use tokio::net::TcpListener;

/// Where every program of the course listens, unless `ADDR` says otherwise.
const DEFAULT_ADDR: &str = "127.0.0.1:8000";

/// Networks between programs of this computer, by the first letters of their interfaces.
const VIRTUAL: [&str; 6] = ["docker", "br-", "veth", "virbr", "vbox", "vmnet"];

/// Every file of this folder that a browser may ask for: its name and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

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

    open(addr, Some("ADDR")).await
}

/// The same, at an address that a program has from its own configuration.
pub async fn listen_on(addr: SocketAddr) -> NoDelayListener {
    open(addr, None).await
}

/// `variable` is the one of the environment that has the address, if we know it.
async fn open(addr: SocketAddr, variable: Option<&str>) -> NoDelayListener {
    let listener = TcpListener::bind(addr)
        .await
        .unwrap_or_else(|error| quit(explain(addr, &error, variable)));

    // Port 0 means "any free port", so we ask which one it became.
    let addr = listener.local_addr().unwrap_or(addr);
    let _ = lab::ADDR.set(addr); // Of several listeners, the lab asks the first.
    #[cfg(debug_assertions)]
    let listener = xray::tap(listener);
    print(io::stdout(), welcome(addr, &network_addresses()));
    #[cfg(debug_assertions)]
    if xray::is_on() {
        print(io::stdout(), xray::welcome(addr));
    }

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

/// Prints a line.
///
/// Why not `println!`? It panics when nobody reads the output any more, and a server
/// does not need readers.
fn print(mut to: impl Write, line: impl Display) {
    // In one piece: otherwise a line of the log may come between it and its end.
    let _ = to.write_all(format!("{line}\n").as_bytes()); // Or nobody reads it.
}

/// The addresses under which other computers of the network reach this one, as far as it
/// knows, the most likely one first.
///
/// Those of IPv6 are there only if there are no others, because nobody likes to type them.
pub fn network_addresses() -> Vec<IpAddr> {
    let mut interfaces = if_addrs::get_if_addrs().unwrap_or_default(); // Or it will not tell.
    interfaces.retain(|interface| !interface.is_loopback() && !interface.is_link_local());
    if interfaces.iter().any(|interface| interface.ip().is_ipv4()) {
        interfaces.retain(|interface| interface.ip().is_ipv4());
    }
    let is_virtual = |name: &str| VIRTUAL.iter().any(|begin| name.starts_with(begin));
    interfaces.sort_by_key(|interface| is_virtual(&interface.name));
    interfaces.iter().map(|interface| interface.ip()).collect()
}

/// `network` are the addresses of this computer that others can reach.
fn welcome(addr: SocketAddr, network: &[IpAddr]) -> String {
    let port = addr.port();
    if !addr.ip().is_unspecified() {
        return format!("Open http://{addr} in a browser. Ctrl-C stops the server.");
    }
    let urls: Vec<_> = network
        .iter()
        .map(|&ip| format!("http://{}", SocketAddr::new(ip, port)))
        .collect();
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
    let lab = if cfg!(debug_assertions) {
        lab::router(running, origins)
    } else {
        Router::new()
    };

    let xray = cfg_select! {
        debug_assertions => { xray::router(origins) }
        _ => { Router::new() }
    };

    Router::new()
        .route("/", get(landing_page(running)))
        .route("/favicon.ico", get(Redirect::permanent("/favicon.svg")))
        .merge(lab)
        .merge(xray)
        .fallback(move |uri: Uri| async move { serve(running, uri.path()) })
}

/// The text of an embedded file, such as `style.css`.
pub fn file(name: &str) -> Option<&'static str> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(text)
}

fn serve(running: Program, path: &str) -> Response {
    let name = path.trim_start_matches('/');
    let foreign = head::package(name)
        .filter(|&package| head::package(running.page) != Some(package));

    match (foreign, file(name)) {
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
            (headers, text).into_response()
        }
        (None, None) => not_found(format!("Nothing is served at {path}.")),
    }
}

fn not_found(sentence: String) -> Response {
    (StatusCode::NOT_FOUND, sentence).into_response()
}

fn landing_page(running: Program) -> Html<String> {
    let Program { package, page } = running;
    let text = file("index.html").expect("the folder of the pages has index.html");
    let title = head::title(page)
        .unwrap_or_else(|| panic!("{package} needs {page} with a title in its head"));

    Html(
        text.replace("{{package}}", package)
            .replace("{{page}}", page)
            .replace("{{title}}", title),
    )
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
