//! Who is believed when a request says where it comes from.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderMap, Request, Uri, header::HOST, uri::Scheme},
    middleware::from_fn_with_state,
    routing::get,
};
use probe::{Check, serve};

use super::people::{auth, path, seen_from};
use crate::forwarded::{TrustedProxies, forwarded};

const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [203, 0, 113, 66];
const ANA: &str = "198.51.100.7";

fn proxies() -> TrustedProxies {
    TrustedProxies::parse("10.0.0.1, 10.0.0.2, fd00::1").expect("three addresses")
}

/// Answers with what a handler sees of its client.
fn what_is_seen(from: [u8; 4]) -> Router {
    let handler = async |ConnectInfo(client): ConnectInfo<SocketAddr>,
                         uri: Uri,
                         headers: HeaderMap,
                         request: axum::extract::Request| {
        let scheme = request.extensions().get().unwrap_or(&Scheme::HTTP).clone();
        let host = headers[HOST].to_str().unwrap_or_default().to_owned();
        let is_about_the_client =
            |name: &str| name.contains("forward") || name == "x-real-ip";
        let left = headers.keys().filter(|name| is_about_the_client(name.as_str()));
        assert_eq!(left.count(), 0, "nothing is left that a handler could believe");
        format!("{} {scheme}://{host}{uri}", client.ip())
    };
    let app = Router::new().route("/", get(handler));
    seen_from(from, app.layer(from_fn_with_state(proxies(), forwarded)))
}

/// What a handler sees of a request with these headers, in this order.
async fn seen(from: [u8; 4], headers: &[(&str, &str)]) -> Result<String, probe::Hint> {
    let server = serve(what_is_seen(from));
    let mut request = Request::get("/").header(HOST, "10.0.0.9:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Ok(server.request(request.body(String::new()).expect("a request")).await?.body)
}

#[tokio::test(start_paused = true)]
async fn a_proxy_is_believed() -> Check {
    let headers = [
        ("x-forwarded-for", ANA),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
    ];

    assert_eq!(
        seen(PROXY, &headers).await?,
        format!("{ANA} https://chat.example.com/"),
        "the request as Ana has sent it"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stranger_who_sends_the_headers_gains_nothing() -> Check {
    let headers = [
        ("x-forwarded-for", ANA),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
        ("forwarded", "for=198.51.100.7;proto=https"),
        ("x-real-ip", ANA),
    ];

    assert_eq!(
        seen(STRANGER, &headers).await?,
        "203.0.113.66 http://10.0.0.9:8000/",
        "the request as it came"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_several_addresses_only_what_our_proxies_have_added_counts() -> Check {
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
        let came = seen(PROXY, &headers).await?;
        assert_eq!(came, format!("{client} http://10.0.0.9:8000/"), "{why}: {lines:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_several_schemes_and_hosts_the_last_one_counts() -> Check {
    let headers = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-host", "chat.example.com"),
    ];

    assert_eq!(
        seen(PROXY, &headers).await?,
        "10.0.0.1 http://chat.example.com/",
        "what our proxy has added comes last"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_scheme_is_that_of_the_client_and_not_that_of_the_proxy() -> Check {
    let encrypted = what_is_seen(PROXY).layer(axum::Extension(Scheme::HTTPS));
    let server = serve(seen_from(PROXY, encrypted));
    for (proto, seen) in
        [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
    {
        let request = Request::get("/").header("x-forwarded-proto", proto);
        let answer =
            server.request(request.body(String::new()).expect("a request")).await?;

        let expected = format!("10.0.0.1 {seen}://127.0.0.1:8000/");
        assert_eq!(answer.body, expected, "Ana speaks {proto}, and our proxy TLS");
    }
    Ok(())
}

fn app(from: [u8; 4]) -> Router {
    seen_from(from, crate::app(auth(), proxies()))
}

#[tokio::test(start_paused = true)]
async fn the_page_that_came_over_https_may_connect() -> Check {
    let headers = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
        ("origin", "https://chat.example.com"),
    ];

    let ana =
        serve(app(PROXY)).connect_with("Ana", &path("rust", "ana"), &headers).await?;
    ana.leaves().await?;

    let wrong = [("origin", "http://chat.example.com"), headers[0], headers[1]];
    serve(app(PROXY)).rejects_with("Eve", &path("rust", "ana"), &wrong, 403).await?;
    serve(app(STRANGER)).rejects_with("Eve", &path("rust", "ana"), &headers, 403).await?;
    Ok(())
}

async fn sign_in(
    from: [u8; 4],
    headers: &[(&str, &str)],
    password: &str,
) -> Result<probe::Response, probe::Hint> {
    let body = format!(r#"{{"username":"ana","password":"{password}"}}"#);
    let mut request = Request::post("/login").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body).expect("a request");
    serve(app(from)).request(request).await
}

#[tokio::test(start_paused = true)]
async fn over_https_the_cookie_is_secure() -> Check {
    for (from, headers, secure, why) in [
        (PROXY, &[("x-forwarded-proto", "https")][..], true, "the proxy has the TLS"),
        (PROXY, &[], false, "the browser would not send it back over HTTP"),
        (STRANGER, &[("x-forwarded-proto", "https")], false, "a stranger says so"),
    ] {
        let answer = sign_in(from, headers, "ana-likes-tea").await?;
        let cookie = answer.headers["set-cookie"].to_str().unwrap_or_default();
        assert_eq!(cookie.ends_with("; Secure"), secure, "{why}: {cookie}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn guesses_are_counted_by_the_address_of_the_client() -> Check {
    for (from, left, why) in [
        (PROXY, 5, "other addresses have guesses of their own"),
        (STRANGER, 0, "an address that he makes up is not his"),
    ] {
        let server = serve(app(from));
        let guess = async |client: &str| {
            let body = r#"{"username":"ana","password":"perhaps"}"#.to_owned();
            let request = Request::post("/login")
                .header("content-type", "application/json")
                .header("x-forwarded-for", client)
                .body(body);
            Ok::<_, probe::Hint>(
                server.request(request.expect("a request")).await?.status,
            )
        };
        let mut guesses = [0, 0];
        for (count, client) in guesses.iter_mut().zip([ANA, "198.51.100.8"]) {
            for _ in 0..6 {
                *count += usize::from(guess(client).await? == 401);
            }
        }
        assert_eq!(guesses, [5, left], "{why}");
    }
    Ok(())
}

#[test]
fn what_is_no_address_is_not_accepted() {
    let problem = TrustedProxies::parse("10.0.0.1, proxy").err();

    let sentence = "TRUSTED_PROXIES has \"proxy\", but should have IP addresses.";
    assert_eq!(problem.as_deref(), Some(sentence), "nobody would be believed");
}
