//! Who is believed when a request says where it comes from.

use std::net::IpAddr;

use axum::Router;
use probe::{Check, proxies::PROXIES};

use super::{
    people::{config, path},
    serve_as_main, state,
};
use crate::{app::app as routes, config::Config, server};

// What every server behind a proxy does (`lessons/probe/src/proxies.rs`).
probe::proxy_conformance!(behind_proxies, app, &path("rust", "ana"));

fn our_proxies() -> Config {
    let trusted_proxies = PROXIES.map(|text| text.parse().expect("an address"));
    Config { trusted_proxies: trusted_proxies.into(), ..config() }
}

fn behind_proxies(app: Router) -> Router {
    server::behind_proxies(app, &our_proxies())
}

fn app() -> Router {
    let config = our_proxies();
    behind_proxies(routes(state(&config), &config))
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

    let expected: [IpAddr; 2] =
        ["10.0.0.1", "::1"].map(|text| text.parse().expect("one"));
    assert_eq!(read("10.0.0.1, ::1,"), Ok(expected.into()));
    let sentence = "CHAT_TRUSTED_PROXIES is \"10.0.0.1,proxy\": it should be IP \
                    addresses, as in 127.0.0.1,::1.";
    assert_eq!(read("10.0.0.1,proxy"), Err(sentence.into()), "nobody would be believed");
}
