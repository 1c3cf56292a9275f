//! What the probe says when a check fails. The sentences are what a learner reads.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, ws::WebSocketUpgrade},
    routing::any,
};
use probe::{ANY, Because, Check, Expected, ONE_MINUTE, Server, serve};
use serde_json::json;

/// A server that repeats each message, and rejects whoever is not Ana.
fn echo() -> Server {
    serve(Router::new().route(
        "/{name}",
        any(|Path(name): Path<String>, upgrade: WebSocketUpgrade| async move {
            if name != "ana" {
                return Err((axum::http::StatusCode::FORBIDDEN, "You are not Ana."));
            }
            Ok(upgrade.on_upgrade(|mut socket| async move {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        break;
                    }
                }
            }))
        }),
    ))
}

fn says(check: Check, beginning: &str) {
    let hint = check.expect_err("the check fails").to_string();
    assert!(hint.starts_with(beginning), "the hint should begin {beginning:?}: {hint}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_message_is_named_beside_the_right_one() -> Check {
    let mut ana = echo().connect("Ana", "/ana").await?;
    ana.says("hello").await?;

    says(
        ana.hears("hi").await,
        "Ana should hear \"hi\", but heard \"hello\". (lessons/probe/",
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn silence_is_named_with_its_length() -> Check {
    let mut ana = echo().connect("Ana", "/ana").await?;

    says(ana.hears("hi").await, "Ana should hear \"hi\", but heard nothing for 10 s.");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_too_many_is_named() -> Check {
    let mut ana = echo().connect("Ana", "/ana").await?;
    ana.says("hello").await?;

    let check = ana.hears_nothing_for(ONE_MINUTE).await;

    says(check, "Ana should hear nothing for 60 s, but heard \"hello\".");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_named_with_its_status_and_sentence() -> Check {
    let check = echo().connect("Ben", "/ben").await.map(drop);

    let sentence = "Ben should get a WebSocket at /ben, but was rejected: 403 Forbidden, \
                    \"You are not Ana.\".";
    says(check, sentence);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_missing_rejection_is_named() -> Check {
    let check = echo().rejects("Ana", "/ana", 409).await.map(drop);

    says(check, "Ana should be rejected with 409 at /ana, but got a WebSocket.");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_hint_ends_with_the_conversation_so_far() -> Check {
    let server = echo();
    let mut ana = server.connect("Ana", "/ana").await?;
    ana.says("hello").await?;
    ana.hears("hello").await?;

    let hint = ana.hears("more").await.expect_err("nothing more comes").to_string();

    let told = "  The conversation so far:\n    Ana connects /ana\n    Ana sends    hello\n    \
                Ana receives hello";
    assert!(hint.ends_with(told), "the hint should end with the conversation: {hint}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_silence_takes_no_time() -> Check {
    let start = std::time::Instant::now();
    let mut ana = echo().connect("Ana", "/ana").await?;

    ana.hears_nothing_for(60 * ONE_MINUTE).await?;

    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "an hour on a paused clock took {took:?}");
    Ok(())
}

#[test]
fn json_is_compared_by_meaning() {
    let expected =
        Expected::from(json!({ "type": "chat", "users": ["ana"], "time": ANY }));

    let same = r#"{ "time": 7, "users": ["ana"], "type": "chat" }"#;
    assert!(expected.matches(same), "order and blanks do not matter");
    for other in [
        r#"{"type":"chat","users":["ana"]}"#,
        r#"{"type":"chat","users":["ana"],"time":7,"more":1}"#,
        r#"{"type":"chat","users":["ana","ben"],"time":7}"#,
        r#"{"type":"chat","users":[],"time":7}"#,
        "chat",
    ] {
        assert!(!expected.matches(other), "{other} is something else");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reason_comes_first() -> Check {
    let mut ana = echo().connect("Ana", "/ana").await?;

    let check = ana.hears("hi").await.because("Ben has said hi.");

    says(check, "Ben has said hi.\nAna should hear \"hi\", but heard nothing");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn ignored_types_are_passed_over_and_json_is_shown_as_it_is() -> Check {
    let server = echo().ignoring(&["joined"]);
    let mut ana = server.connect("Ana", "/ana").await?;

    ana.says(r#"{"type":"joined"}"#).await?;
    ana.says(r#"{"type":"left"}"#).await?;

    says(ana.hears("hi").await, r#"Ana should hear "hi", but heard {"type":"left"}. ("#);
    Ok(())
}
