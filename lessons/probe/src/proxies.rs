//! What every server does that may be behind a proxy: it believes its own proxies about their
//! clients, and nobody else.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, Request as AnyRequest, connect_info::MockConnectInfo},
    http::{HeaderMap, Request, header::HOST, uri::Scheme},
    routing::get,
};

use crate::{Check, Hint, Response, Server, serve};

/// The addresses that the server of these rules has to trust.
pub const PROXIES: [&str; 3] = ["10.0.0.1", "10.0.0.2", "fd00::1"];

const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [203, 0, 113, 66];
const ANA: &str = "198.51.100.7";

const OVER_HTTPS: [(&str, &str); 2] =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "chat.example.com")];

fn seen_from(from: [u8; 4], app: Router) -> Server {
    serve(app.layer(MockConnectInfo(SocketAddr::from((from, 50_000)))))
}

/// Answers with what a handler sees of its client.
async fn handler(
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: AnyRequest,
) -> String {
    let scheme = request.extensions().get().unwrap_or(&Scheme::HTTP);
    let host = headers[HOST].to_str().unwrap_or_default();
    let is_about_the_client =
        |name: &str| name.contains("forward") || name == "x-real-ip";
    let left = headers.keys().filter(|name| is_about_the_client(name.as_str()));
    assert_eq!(left.count(), 0, "nothing is left that a handler could believe");
    format!("{} {scheme}://{host}", client.ip())
}

/// What a handler sees of a request with these headers, in this order.
async fn seen(
    behind_proxies: fn(Router) -> Router,
    from: [u8; 4],
    headers: &[(&str, &str)],
) -> Result<String, Hint> {
    let mut request = Request::get("/").header(HOST, "10.0.0.9:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(String::new()).expect("a request");
    let app = behind_proxies(Router::new().route("/", get(handler)));
    Ok(seen_from(from, app).request(request).await?.body)
}

pub async fn a_proxy_is_believed_and_a_stranger_gains_nothing(
    behind_proxies: fn(Router) -> Router,
    _: fn() -> Router,
    _: &str,
) -> Check {
    let [proto, host] = OVER_HTTPS;
    let headers = [
        ("x-forwarded-for", ANA),
        proto,
        host,
        ("forwarded", "for=198.51.100.8;proto=http"),
        ("x-real-ip", "198.51.100.8"),
    ];

    let came = seen(behind_proxies, PROXY, &headers).await?;
    assert_eq!(came, format!("{ANA} https://chat.example.com"), "as Ana has sent it");
    let came = seen(behind_proxies, STRANGER, &headers).await?;
    assert_eq!(came, "203.0.113.66 http://10.0.0.9:8000", "as it came");
    Ok(())
}

pub async fn of_several_addresses_only_what_our_proxies_have_added_counts(
    behind_proxies: fn(Router) -> Router,
    _: fn() -> Router,
    _: &str,
) -> Check {
    for (lines, client, why) in [
        (
            &["127.0.0.1, 198.51.100.7"][..],
            ANA,
            "Ana has written what stands at the left",
        ),
        (&["127.0.0.1", "198.51.100.7"], ANA, "a line of its own, as HAProxy adds it"),
        (&["198.51.100.7, 10.0.0.2"], ANA, "she came over two proxies of ours"),
        (&["10.0.0.2, 198.51.100.7"], ANA, "she claims to be a proxy"),
        (&["198.51.100.7", "10.0.0.2 "], ANA, "two proxies, two lines"),
        (&["2001:db8::7"], "2001:db8::7", "IPv6"),
        (&["2001:db8::7, ::ffff:10.0.0.2"], "2001:db8::7", "IPv4 inside of IPv6"),
        (&["é, 198.51.100.7"], ANA, "what Ana has written need not be ASCII"),
        (&["é", "198.51.100.7"], ANA, "the same, in a line of its own"),
        (&["nobody"], "10.0.0.1", "no address"),
        (&["198.51.100.7:4711"], "10.0.0.1", "with a port it is no address"),
        (&["198.51.100.7, é"], "10.0.0.1", "our proxy has written what is no text"),
        (&["198.51.100.7, nobody"], "10.0.0.1", "nobody can know who wrote the left one"),
        (&["198.51.100.7, nobody, 10.0.0.2"], "10.0.0.2", "so far we can follow it"),
        (&[""], "10.0.0.1", "nothing"),
        (&[], "10.0.0.1", "no header: the proxy itself asks, to see whether we are well"),
    ] {
        let headers: Vec<_> =
            lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        let came = seen(behind_proxies, PROXY, &headers).await?;
        assert_eq!(came, format!("{client} http://10.0.0.9:8000"), "{why}: {lines:?}");
    }
    Ok(())
}

pub async fn of_several_schemes_and_hosts_the_last_one_counts(
    behind_proxies: fn(Router) -> Router,
    _: fn() -> Router,
    _: &str,
) -> Check {
    for (proto, scheme) in [
        ("http", "http"),
        ("https", "https"),
        ("HTTPS", "https"),
        ("ws", "http"),
        ("wss", "https"),
    ] {
        let other = if scheme == "http" { "https" } else { "http" };
        let headers = [
            ("x-forwarded-proto", other),
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "chat.example.com"),
        ];
        let came = seen(behind_proxies, PROXY, &headers).await?;
        let expected = format!("10.0.0.1 {scheme}://chat.example.com");
        assert_eq!(came, expected, "what the proxy next to us has added comes last");
    }
    Ok(())
}

pub async fn the_page_that_came_over_https_may_connect(
    _: fn(Router) -> Router,
    app: fn() -> Router,
    path: &str,
) -> Check {
    let [proto, host] = OVER_HTTPS;
    let right = [proto, host, ("origin", "https://chat.example.com")];
    let wrong = [proto, host, ("origin", "http://chat.example.com")];

    let ana = seen_from(PROXY, app()).connect_with("Ana", path, &right).await?;
    ana.leaves().await?;

    seen_from(PROXY, app()).rejects_with("Eve", path, &wrong, 403).await?;
    seen_from(STRANGER, app()).rejects_with("Eve", path, &right, 403).await?;
    Ok(())
}

async fn signs_in(
    server: &Server,
    (name, value): (&str, &str),
    password: &str,
) -> Result<Response, Hint> {
    let request = Request::post("/login")
        .header("content-type", "application/json")
        .header(name, value)
        .body(format!(r#"{{"username":"ana","password":"{password}"}}"#));
    server.request(request.expect("a request")).await
}

pub async fn over_https_the_cookie_is_secure(
    _: fn(Router) -> Router,
    app: fn() -> Router,
    _: &str,
) -> Check {
    for (from, proto, secure, why) in [
        (PROXY, "https", true, "the proxy has the TLS"),
        (PROXY, "http", false, "the browser would not send it back over HTTP"),
        (STRANGER, "https", false, "a stranger says so"),
    ] {
        let server = seen_from(from, app());
        let answer =
            signs_in(&server, ("x-forwarded-proto", proto), "ana-likes-tea").await?;

        let cookie = answer.headers["set-cookie"].to_str().unwrap_or_default();
        let is_secure = cookie.split("; ").any(|attribute| attribute == "Secure");
        assert_eq!(is_secure, secure, "{why}: {cookie}");
    }
    Ok(())
}

pub async fn guesses_are_counted_by_the_address_of_the_client(
    _: fn(Router) -> Router,
    app: fn() -> Router,
    _: &str,
) -> Check {
    for (from, left, why) in [
        (PROXY, 5, "other addresses have guesses of their own"),
        (STRANGER, 0, "an address that he makes up is not his"),
    ] {
        let server = seen_from(from, app());
        let mut guesses = [0, 0];
        for (count, client) in guesses.iter_mut().zip([ANA, "198.51.100.8"]) {
            for _ in 0..6 {
                let header = ("x-forwarded-for", client);
                let answer = signs_in(&server, header, "perhaps").await?;
                *count += usize::from(answer.status == 401);
            }
        }
        assert_eq!(guesses, [5, left], "{why}");
    }
    Ok(())
}

/// These rules as tests, in a module `proxies`: `proxy_conformance!(behind_proxies, app, path)`
/// for a function that puts a router behind [`PROXIES`], one that makes the whole application
/// behind them, and where Ana connects.
#[macro_export]
macro_rules! proxy_conformance {
    ($behind_proxies:expr, $app:expr, $path:expr) => {
        $crate::rules! { proxies as proxies, ($behind_proxies, $app, $path) =>
            a_proxy_is_believed_and_a_stranger_gains_nothing,
            of_several_addresses_only_what_our_proxies_have_added_counts,
            of_several_schemes_and_hosts_the_last_one_counts,
            the_page_that_came_over_https_may_connect,
            over_https_the_cookie_is_secure,
            guesses_are_counted_by_the_address_of_the_client
        }
    };
}
