//! What the probe says when a check fails. The sentences are what a learner reads.

use std::time::Duration;

use axum::{
    Router,
    extract::{Path, ws::WebSocketUpgrade},
    routing::any,
};
use probe::{ANY, Because, Check, Expected, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

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

/// What Ana is told when she should hear `expected`, and hears `heard`.
async fn told(expected: Value, heard: Value) -> Result<String, Hint> {
    let mut ana = echo().connect("Ana", "/ana").await?;
    ana.says(heard.to_string()).await?;
    let hint = ana.hears(expected).await.expect_err("they differ").to_string();
    Ok(hint.lines().next().unwrap_or_default().into())
}

fn history(seqs: &[u64]) -> Value {
    let chat = |seq| json!({ "type": "chat", "content": "still here?", "seq": seq });
    let messages: Vec<_> = seqs.iter().map(chat).collect();
    json!({ "type": "history", "messages": messages })
}

#[tokio::test(start_paused = true)]
async fn of_long_messages_the_difference_is_shown() -> Check {
    let sentence = told(history(&[1, 2, 3, 4]), history(&[1, 2, 3, 5])).await?;

    let expected = "Ana heard a message that is not as it should be: \
                    messages[3].seq: 4 expected, 5 heard. (lessons/probe/";
    assert!(sentence.starts_with(expected), "the path leads to it: {sentence}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn lists_of_different_lengths_are_compared_up_to_the_first_difference() -> Check {
    let cases = [
        (
            vec![1, 3, 4],
            "a list of 4 expected, one of 3 heard; messages[1].seq: 2 expected, 3 heard. (",
        ),
        (
            vec![1, 2, 3],
            "a list of 4 expected, one of 3 heard; messages[3]: {\"type\":\"chat\"",
        ),
        (
            vec![1, 2, 3, 4, 5],
            "one of 5 heard; messages[4]: nothing expected, {\"type\":",
        ),
    ];
    for (heard, part) in cases {
        let sentence = told(history(&[1, 2, 3, 4]), history(&heard)).await?;
        assert!(sentence.contains(part), "{heard:?} should be told {part:?}: {sentence}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_field_that_is_missing_and_one_too_many_are_named() -> Check {
    let mut one = history(&[1, 2, 3]);
    let mut other = one.clone();
    one["messages"][1]["from"] = "ana".into();
    other["messages"][2]["form"] = "ana".into();

    let sentence = told(one, other).await?;

    for part in [
        "messages[1].from: \"ana\" expected, nothing heard; ",
        "messages[2].form: nothing expected, \"ana\" heard",
    ] {
        assert!(sentence.contains(part), "it should say {part:?}: {sentence}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn three_differences_are_enough() -> Check {
    let sentence = told(history(&[1, 2, 3, 4, 5]), history(&[2, 3, 4, 5, 6])).await?;

    let expected = "messages[2].seq: 3 expected, 4 heard; and 2 more. (";
    assert!(sentence.contains(expected), "two are counted alone: {sentence}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_of_different_types_are_shown_side_by_side() -> Check {
    let long = json!({ "type": "chat", "content": "x".repeat(1_000) });

    let sentence = told(history(&[1; 100]), long).await?;

    assert!(sentence.starts_with("Ana should hear {\"type\":\"history\""), "{sentence}");
    assert!(sentence.contains(", but heard {\"type\":\"chat\""), "{sentence}");
    assert!(sentence.chars().count() < 550, "neither is shown whole: {sentence}");
    Ok(())
}
