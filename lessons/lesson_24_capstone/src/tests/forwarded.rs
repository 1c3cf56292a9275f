//! Who is believed when a request says where it comes from.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, connect_info::MockConnectInfo},
    http::{HeaderMap, Request, header::HOST, uri::Scheme},
    routing::get,
};
use probe::{Check, Hint, Response, Server, serve};

use super::{
    people::{config, path},
    serve_as_main,
};
use crate::{
    app::{AppState, app as routes},
    config::Config,
    server::{Shutdown, behind_proxies},
};

const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [203, 0, 113, 66];
const ANA: &str = "198.51.100.7";

fn our_proxies() -> Config {
    let proxies = ["10.0.0.1", "10.0.0.2", "fd00::1"];
    let trusted_proxies = proxies.map(|text| text.parse().expect("an address"));
    Config { trusted_proxies: trusted_proxies.into(), ..config() }
}

fn seen_from(from: [u8; 4], app: Router) -> Server {
    serve(app.layer(MockConnectInfo(SocketAddr::from((from, 50_000)))))
}

/// The whole application, for whoever connects from this address.
fn server(from: [u8; 4]) -> Server {
    let config = our_proxies();
    let state =
        AppState::new(&config, Shutdown::default()).expect("a good configuration");
    seen_from(from, behind_proxies(routes(state, &config), &config))
}

/// What a handler sees of a request with these headers, in this order.
async fn seen(from: [u8; 4], headers: &[(&str, &str)]) -> Result<String, Hint> {
    let handler = async |ConnectInfo(client): ConnectInfo<SocketAddr>,
                         headers: HeaderMap,
                         request: axum::extract::Request| {
        let scheme = request.extensions().get().unwrap_or(&Scheme::HTTP);
        let host = headers[HOST].to_str().unwrap_or_default();
        let is_about_the_client =
            |name: &str| name.contains("forward") || name == "x-real-ip";
        let left = headers.keys().filter(|name| is_about_the_client(name.as_str()));
        assert_eq!(left.count(), 0, "nothing is left that a handler could believe");
        format!("{} {scheme}://{host}", client.ip())
    };
    let app = behind_proxies(Router::new().route("/", get(handler)), &our_proxies());
    let mut request = Request::get("/").header(HOST, "10.0.0.9:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(String::new()).expect("a request");
    Ok(seen_from(from, app).request(request).await?.body)
}

#[tokio::test(start_paused = true)]
async fn a_proxy_is_believed_and_a_stranger_gains_nothing() -> Check {
    let headers = [
        ("x-forwarded-for", ANA),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
        ("forwarded", "for=198.51.100.8;proto=http"),
        ("x-real-ip", "198.51.100.8"),
    ];

    let came = seen(PROXY, &headers).await?;
    assert_eq!(came, format!("{ANA} https://chat.example.com"), "as Ana has sent it");
    let came = seen(STRANGER, &headers).await?;
    assert_eq!(came, "203.0.113.66 http://10.0.0.9:8000", "as it came");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_several_addresses_only_what_our_proxies_have_added_counts() -> Check {
    for (lines, client, why) in [
        (&["127.0.0.1, 198.51.100.7"][..], ANA, "Ana has written the left one"),
        (&["127.0.0.1", "198.51.100.7"], ANA, "a line of its own, as HAProxy adds it"),
        (&["198.51.100.7, 10.0.0.2"], ANA, "she came over two proxies of ours"),
        (&["10.0.0.2, 198.51.100.7"], ANA, "she claims to be a proxy"),
        (&["2001:db8::7, ::ffff:10.0.0.2"], "2001:db8::7", "IPv4 inside of IPv6"),
        (&["é, 198.51.100.7"], ANA, "what Ana has written need not be ASCII"),
        (&["198.51.100.7, é"], "10.0.0.1", "our proxy has written what is no text"),
        (&["198.51.100.7:4711"], "10.0.0.1", "with a port it is no address"),
        (&["198.51.100.7, nobody, 10.0.0.2"], "10.0.0.2", "so far we can follow it"),
        (&[""], "10.0.0.1", "nothing"),
        (&[], "10.0.0.1", "no header: the proxy itself asks whether we are well"),
    ] {
        let headers: Vec<_> =
            lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
        let came = seen(PROXY, &headers).await?;
        assert_eq!(came, format!("{client} http://10.0.0.9:8000"), "{why}: {lines:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_scheme_is_that_of_the_client() -> Check {
    for (proto, scheme) in
        [("http", "http"), ("https", "https"), ("ws", "http"), ("wss", "https")]
    {
        let headers = [("x-forwarded-proto", "http"), ("x-forwarded-proto", proto)];

        let came = seen(PROXY, &headers).await?;

        let expected = format!("10.0.0.1 {scheme}://10.0.0.9:8000");
        assert_eq!(came, expected, "what the proxy next to us has added comes last");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_page_that_came_over_https_may_connect() -> Check {
    let headers = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
        ("origin", "https://chat.example.com"),
    ];

    let ana = server(PROXY).connect_with("Ana", &path("rust", "ana"), &headers).await?;
    ana.leaves().await?;

    let wrong = [("origin", "http://chat.example.com"), headers[0], headers[1]];
    server(PROXY).rejects_with("Eve", &path("rust", "ana"), &wrong, 403).await?;
    server(STRANGER).rejects_with("Eve", &path("rust", "ana"), &headers, 403).await?;
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

#[tokio::test(start_paused = true)]
async fn over_https_the_cookie_is_secure() -> Check {
    for (from, proto, secure, why) in [
        (PROXY, "https", true, "the proxy has the TLS"),
        (PROXY, "http", false, "the browser would not send it back over HTTP"),
        (STRANGER, "https", false, "a stranger says so"),
    ] {
        let header = ("x-forwarded-proto", proto);
        let answer = signs_in(&server(from), header, "ana-likes-tea").await?;

        let cookie = answer.headers["set-cookie"].to_str().unwrap_or_default();
        let is_secure = cookie.split("; ").any(|attribute| attribute == "Secure");
        assert_eq!(is_secure, secure, "{why}: {cookie}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn guesses_are_counted_by_the_address_of_the_client() -> Check {
    for (from, left, why) in [
        (PROXY, 5, "other addresses have guesses of their own"),
        (STRANGER, 0, "an address that he makes up is not his"),
    ] {
        let server = server(from);
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

/// The accept loop is where all this is done.
#[tokio::test(start_paused = true)]
async fn main_serves_the_application_behind_proxies() -> Check {
    let headers = [("x-forwarded-proto", "https"), ("origin", "https://127.0.0.1:8000")];
    let itself = "192.0.2.1".parse().expect("where all come from in these tests");

    let server = serve_as_main(Config { trusted_proxies: vec![itself], ..config() });
    server.connect_with("Ana", &path("rust", "ana"), &headers).await?.leaves().await?;

    let server = serve_as_main(config());
    server.rejects_with("Eve", &path("rust", "ana"), &headers, 403).await?;
    Ok(())
}

#[test]
fn addresses_are_read_with_commas_between() {
    let read = |list: &str| {
        let variables = [("CHAT_TRUSTED_PROXIES".into(), list.into())];
        Config::read(variables.into()).map(|config| config.trusted_proxies)
    };

    let expected: [IpAddr; 2] = [PROXY.into(), "::1".parse().expect("an address")];
    assert_eq!(read("10.0.0.1, ::1,"), Ok(expected.into()));
    let sentence = "CHAT_TRUSTED_PROXIES is \"10.0.0.1,proxy\": it should be IP \
                    addresses, as in 127.0.0.1,::1.";
    assert_eq!(read("10.0.0.1,proxy"), Err(sentence.into()), "nobody would be believed");
}
