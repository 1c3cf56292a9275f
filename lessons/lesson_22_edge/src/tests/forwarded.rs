//! Who is believed when a request says where it comes from.

use axum::{Router, http::uri::Scheme, middleware::from_fn_with_state};
use probe::{Check, proxies::PROXIES, serve};

use super::people::{auth, path, seen_from};
use crate::forwarded::{TrustedProxies, forwarded};

probe::proxy_conformance!(behind_proxies, app, &path("rust", "ana"));

fn proxies() -> TrustedProxies {
    TrustedProxies::parse(&PROXIES.join(", ")).expect("three addresses")
}

fn behind_proxies(app: Router) -> Router {
    app.layer(from_fn_with_state(proxies(), forwarded))
}

fn app() -> Router {
    crate::app(auth(), proxies())
}

/// TLS of our own is between our proxy and us. The client may have spoken HTTP.
#[tokio::test(start_paused = true)]
async fn the_scheme_is_that_of_the_client_and_not_that_of_the_proxy() -> Check {
    let encrypted = app().layer(axum::Extension(Scheme::HTTPS));
    let server = serve(seen_from([10, 0, 0, 1], encrypted));
    for (proto, status) in [("http", 403), ("https", 101)] {
        let headers = [
            ("x-forwarded-proto", proto),
            ("x-forwarded-host", "chat.example.com"),
            ("origin", "https://chat.example.com"),
        ];
        let path = path("rust", "ana");
        match status {
            101 => server.connect_with("Ana", &path, &headers).await?.leaves().await?,
            _ => drop(server.rejects_with("Ana", &path, &headers, status).await?),
        }
    }
    Ok(())
}

#[test]
fn what_is_no_address_is_not_accepted() {
    let problem = TrustedProxies::parse("10.0.0.1, proxy").err();

    let sentence = "TRUSTED_PROXIES has \"proxy\", but should have IP addresses.";
    assert_eq!(problem.as_deref(), Some(sentence), "nobody would be believed");
}
