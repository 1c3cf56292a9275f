//! Who sees the metrics.

use std::{net::SocketAddr, time::Duration};

use probe::{Check, Hint, ONE_MINUTE, serve};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{app, app_with, people::token};
use crate::{
    app_for_operators, metrics::Metrics, operators::DEFAULT_ADDR, tests::people::path,
};

fn live(name: &str) -> String {
    format!("/ws/metrics?token={}", token(name))
}

#[tokio::test(start_paused = true)]
async fn strangers_find_no_metrics() -> Check {
    let server = serve(app());

    let answer = server.get("/metrics").await?;

    assert_eq!(answer.status, 404, "this is where everybody may ask");
    assert!(!answer.body.contains("chat_connections"), "nor are they in that page");
    server.rejects("Eve", "/ws/metrics", 401).await?;
    let foreign = [("origin", "https://example.com")];
    server.rejects_with("Ana", &live("ana"), &foreign, 403).await?;
    Ok(())
}

#[test]
fn by_default_only_this_machine_reaches_the_metrics() {
    let addr = DEFAULT_ADDR.parse::<SocketAddr>();

    assert!(addr.is_ok_and(|addr| addr.ip().is_loopback()), "{DEFAULT_ADDR}");
}

#[tokio::test(start_paused = true)]
async fn the_port_of_the_metrics_has_nothing_else() -> Check {
    let server = serve(app_for_operators(Metrics::new()));

    let answer = server.get("/metrics").await?;
    let kind = answer.headers["content-type"].to_str().unwrap_or_default();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(answer.body.contains("\nchat_connections 0\n"), "{}", answer.body);
    for path in ["/", "/login", "/rooms", "/me", "/ready"] {
        assert_eq!(server.get(path).await?.status, 404, "{path} is elsewhere");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_operator_gets_the_metrics_each_second() -> Check {
    let metrics = Metrics::new();
    let server = serve(app_with(metrics.clone()));
    let mut ana = server.connect("Ana", &live("ana")).await?;
    let connections = |text: String| {
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(message["type"], "metrics", "{text}");
        message["samples"]["chat_connections"].as_f64()
    };

    assert_eq!(
        connections(ana.hears_any().await?),
        Some(0.0),
        "Ana's is not one of a chat"
    );
    let _ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears_nothing_for(Duration::from_millis(900)).await?;
    assert_eq!(connections(ana.hears_any().await?), Some(1.0), "Ben has come");
    ana.says("whatever").await?;
    ana.hears_any().await?;
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn others_are_told_that_the_metrics_are_for_operators() -> Result<(), Hint> {
    let server = serve(app());
    let mut ben = server.connect("Ben", &live("ben")).await?;

    ben.is_closed(1008, "only operators get the metrics").await
}

#[tokio::test(start_paused = true)]
async fn the_metrics_end_when_the_token_expires() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &live("ana")).await?;
    let (start, second) = (Instant::now(), Duration::from_secs(1));

    while start.elapsed() < 15 * ONE_MINUTE - 5 * second {
        ana.hears_any().await?;
    }

    let closed = ana.is_closed_in_the_end(4001, "token expired");
    let late =
        || Hint::new("Ana's token has expired, and she gets metrics all the same.");
    timeout(10 * second, closed).await.unwrap_or_else(|_| Err(late()))
}
