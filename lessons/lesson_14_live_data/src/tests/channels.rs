//! The channels: who hears of what, and what a socket can ask for.

use std::{collections::HashSet, time::Duration};

use probe::{ANY, Check, ONE_MINUTE, Server, json::error, serve};
use serde_json::{Value, json};

use super::{
    app, app_with,
    asking::{asks, asks_with, follows},
    guests::token,
};
use crate::{limits::Limits, tokens::TOKEN_LIFETIME};

const SECOND: Duration = Duration::from_secs(1);

probe::conformance!(app(), &feed("ana", "/users"));

fn feed(who: &str, rest: &str) -> String {
    let join = if rest.contains('?') { '&' } else { '?' };
    format!("/api/v1/ws{rest}{join}token={}", token(who))
}

fn user(name: &str) -> Value {
    json!({ "name": name, "email": format!("{name}@example.org") })
}

fn event(kind: &str, change: i64, name: &str) -> Value {
    json!({
        "type": kind, "model": "user", "channel": "users", "change": change,
        "timestamp": ANY,
        "data": {
            "id": 1, "name": name, "email": "Ana@example.org", "phone": null
        },
    })
}

async fn adds(server: &Server, who: &str, what: &str, body: Value) -> Check {
    let reply = asks(server, who, what, body).await?;
    assert!(reply.status < 300, "{what}: {}", reply.body);
    Ok(())
}

/// Writes as somebody who does not want to be told by a socket with this id.
async fn writes_as(
    server: &Server,
    who: &str,
    id: &str,
    what: &str,
    body: Value,
) -> Check {
    let headers = [
        ("authorization", format!("Bearer {}", token(who))),
        ("x-client-id", id.to_owned()),
    ];
    let reply = asks_with(server, &headers, what, body).await?;
    assert!(reply.status < 300, "{what}: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_greeting_brings_a_client_id_that_nobody_can_guess() -> Check {
    let server = serve(app());
    let mut ids = HashSet::new();

    for _ in 0..3 {
        let mut ana = server.connect("Ana", &feed("ana", "/users")).await?;
        let greeting: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        assert_eq!(greeting["type"], "connection", "{greeting}");
        assert_eq!(greeting["channels"], json!(["users"]), "{greeting}");
        assert!(
            humantime::parse_rfc3339(greeting["timestamp"].as_str().unwrap_or(""))
                .is_ok()
        );
        ids.insert(greeting["client_id"].as_str().unwrap_or_default().to_owned());
    }

    assert_eq!(ids.len(), 3, "each connection has its own: {ids:?}");
    assert!(ids.iter().all(|id| id.len() == 32), "128 random bits: {ids:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_may_bring_its_own_id() -> Check {
    let server = serve(app());

    let path = feed("ana", "/posts?client_id=kitchen-tablet");
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears(json!({
        "type": "connection", "client_id": "kitchen-tablet", "channels": ["posts"],
        "timestamp": ANY
    }))
    .await?;

    for bad in ["", "no%20spaces", &"x".repeat(41), "a&client_id=b"] {
        let path = feed("ana", &format!("/users?client_id={bad}"));
        server.rejects("Ana", &path, 400).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn followers_hear_what_was_created_updated_and_deleted() -> Check {
    let server = serve(app());
    let mut ben = follows(&server, "ben", "users").await?;
    let mut cem = follows(&server, "cem", "posts").await?;

    adds(&server, "ana", "POST /users", user("Ana")).await?;
    adds(&server, "ana", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    adds(&server, "ana", "DELETE /users/1", Value::Null).await?;

    ben.hears(event("created", 1, "Ana")).await?;
    ben.hears(event("updated", 2, "Anna")).await?;
    ben.hears(event("deleted", 3, "Anna")).await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_event_about_a_post_goes_to_the_channel_of_posts() -> Check {
    let server = serve(app());
    let mut ben = follows(&server, "ben", "posts").await?;
    adds(&server, "ana", "POST /users", user("Ana")).await?;

    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    adds(&server, "ana", "POST /posts", post).await?;

    ben.hears(json!({
        "type": "created", "model": "post", "channel": "posts", "change": 2,
        "timestamp": ANY,
        "data": { "id": 1, "user_id": 1, "title": "Tea", "body": "I like it." },
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_not_announced() -> Check {
    let server = serve(app());
    adds(&server, "ana", "POST /users", user("Ana")).await?;
    let mut ben = follows(&server, "ben", "users").await?;

    for (what, body) in [
        ("POST /users", user("Ana")),
        ("POST /users", json!({ "name": "" })),
        ("PATCH /users/7", json!({ "name": "Nobody" })),
        ("DELETE /users/7", Value::Null),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        assert!(reply.status >= 400 && reply.change.is_none(), "{what}: {}", reply.body);
    }

    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_writer_can_write_without_announcing() -> Check {
    let server = serve(app());
    let mut ben = follows(&server, "ben", "users").await?;

    adds(&server, "ana", "POST /users?announce=false", user("Ana")).await?;
    adds(&server, "ana", "PATCH /users/1?announce=false", json!({ "name": "A" })).await?;
    adds(&server, "ana", "DELETE /users/1?announce=false", Value::Null).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;

    adds(&server, "ana", "POST /users?announce=true", user("Ben")).await?;
    ben.hears_any().await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn the_client_that_caused_an_event_can_be_left_out() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;
    let mut tablet =
        server.connect("Ana's tablet", &feed("ana", "/users?client_id=tablet")).await?;
    tablet.hears_any().await?;
    let mut ben = follows(&server, "ben", "users").await?;

    writes_as(&server, "ana", "ana-1", "POST /users", user("Ana")).await?;

    ben.hears(event("created", 1, "Ana")).await?;
    tablet.hears(event("created", 1, "Ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn nobody_can_leave_out_somebody_else() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    writes_as(&server, "ben", "ana-1", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana")).await
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_keeps_nobody_out() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    let mut again = follows(&server, "ana", "users").await?;
    let stranger = feed("ben", "/users?client_id=ana-1");
    let mut ben = server.connect("Ben", &stranger).await?;
    ben.hears_any().await?;
    adds(&server, "cem", "POST /users", user("Ana")).await?;

    for client in [&mut ana, &mut again, &mut ben] {
        client.hears(event("created", 1, "Ana")).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn custom_events_reach_those_who_follow_the_channel() -> Check {
    let server = serve(app());
    let mut ben = follows(&server, "ben", "posts").await?;
    let mut cem = follows(&server, "cem", "users").await?;

    let sent = json!({ "event": "someone_is_typing", "data": { "post": 7 } });
    let reply = asks(&server, "ana", "POST /channels/posts/events", sent).await?;
    assert_eq!((reply.status, reply.body), (202, json!({ "clients": 1 })), "Ben alone");

    ben.hears(json!({
        "type": "custom", "event": "someone_is_typing", "channel": "posts",
        "from": "ana", "timestamp": ANY, "data": { "post": 7 },
    }))
    .await?;
    cem.hears_nothing_for(ONE_MINUTE).await?;
    let bare = json!({ "event": "hello" });
    writes_as(&server, "cem", "cem-1", "POST /channels/users/events", bare).await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_announcement_reaches_everybody_once() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &feed("ana", "")).await?;
    ana.hears_any().await?;
    let mut ben = follows(&server, "ben", "posts").await?;
    ben.says(r#"{"action":"subscribe","channel":"users"}"#).await?;
    ben.hears_any().await?;

    let message = json!({ "message": "Down at noon for five minutes." });
    let reply = asks(&server, "ana", "POST /announcements", message).await?;
    assert_eq!((reply.status, reply.body), (202, json!({ "clients": 2 })), "both");

    for client in [&mut ana, &mut ben] {
        client
            .hears(json!({
                "type": "announcement", "message": "Down at noon for five minutes.",
                "timestamp": ANY
            }))
            .await?;
        client.hears_nothing_for(ONE_MINUTE).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn only_operators_may_announce() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    let message = json!({ "message": "All is free today!" });
    let reply = asks(&server, "ben", "POST /announcements", message).await?;

    assert_eq!(reply.status, 403, "{}", reply.body);
    assert_eq!(
        reply.body["message"], "Only operators may speak to everybody.",
        "in JSON"
    );
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn one_socket_can_subscribe_and_unsubscribe() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &feed("ana", "")).await?;
    let greeting: Value =
        serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    assert_eq!(greeting["channels"], json!([]), "she follows nothing yet");
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    for (channel, channels) in
        [("users", json!(["users"])), ("posts", json!(["posts", "users"]))]
    {
        ana.says(json!({ "action": "subscribe", "channel": channel }).to_string())
            .await?;
        ana.hears(
            json!({ "type": "subscribed", "channel": channel, "channels": channels }),
        )
        .await?;
    }
    adds(&server, "ben", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    ana.hears(event("updated", 2, "Anna")).await?;
    ana.says(r#"{"action":"unsubscribe","channel":"users"}"#).await?;
    ana.hears(
        json!({ "type": "unsubscribed", "channel": "users", "channels": ["posts"] }),
    )
    .await?;

    adds(&server, "ben", "PATCH /users/1", json!({ "name": "Ana" })).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn subscribing_twice_is_answered_and_delivers_once() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    ana.says(r#"{"action":"subscribe","channel":"users"}"#).await?;
    ana.hears(json!({ "type": "subscribed", "channel": "users", "channels": ["users"] }))
        .await?;
    ana.says(r#"{"action":"unsubscribe","channel":"posts"}"#).await?;
    ana.hears(
        json!({ "type": "unsubscribed", "channel": "posts", "channels": ["users"] }),
    )
    .await?;
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn stats_come_over_the_socket_and_over_http() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;
    ana.says(r#"{"action":"subscribe","channel":"posts"}"#).await?;
    ana.hears_any().await?;
    let ben = follows(&server, "ben", "users").await?;
    let counts = |clients, posts, users| json!({ "clients": clients, "channels": { "posts": posts, "users": users } });

    ana.says(r#"{"action":"get_stats"}"#).await?;
    let mut stats = counts(2, 1, 2);
    stats["type"] = json!("stats");
    ana.hears(stats).await?;
    ben.leaves().await?;

    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!((reply.status, reply.body), (200, counts(1, 1, 1)), "Ben has left");
    ana.vanishes().await;
    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!(reply.body, counts(0, 0, 0), "and Ana's line dropped");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_channel_is_refused() -> Check {
    let server = serve(app());
    let sentence = r#"there is no channel "cats": this server knows posts and users"#;

    let answer = server.rejects("Ana", &feed("ana", "/cats"), 404).await?;
    assert_eq!(answer.body, json!({ "message": sentence }).to_string(), "it says why");

    let mut ana = follows(&server, "ana", "users").await?;
    for action in ["subscribe", "unsubscribe"] {
        ana.says(json!({ "action": action, "channel": "cats" }).to_string()).await?;
        ana.hears(error(sentence)).await?;
    }
    ana.says(r#"{"action":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn what_a_socket_cannot_ask_for_is_answered() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    for (text, sentence) in [
        (
            r#"{"action":"shout"}"#,
            "unknown variant `shout`, expected one of `subscribe`, `unsubscribe`, `get_stats`, `ping` at line 1 column 17",
        ),
        (r#"{"action":"subscribe"}"#, "missing field `channel`"),
        (r#"{"type":"ping"}"#, "missing field `action`"),
        ("hello", r#"a message is a JSON object, such as {"action":"ping"}"#),
    ] {
        ana.says(text).await?;
        let heard: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        assert_eq!(heard["type"], "error", "{text}: {heard}");
        let message = heard["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(sentence), "{text}: {message}");
    }
    ana.sends_binary(b"users").await?;
    ana.hears(error("this server reads text, not binary")).await
}

#[tokio::test(start_paused = true)]
async fn who_only_listens_is_never_idle() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    ana.hears_nothing_for(Duration::from_secs(14 * 60)).await?;
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana")).await
}

#[tokio::test(start_paused = true)]
async fn a_follower_whose_token_expires_is_closed_with_4001() -> Check {
    let server = serve(app());
    let mut ana = follows(&server, "ana", "users").await?;

    ana.hears_nothing_for(TOKEN_LIFETIME - 2 * SECOND).await?;
    ana.is_closed(4001, "token expired").await
}

#[tokio::test(start_paused = true)]
async fn a_slow_follower_is_closed_with_4008_and_harms_only_itself() -> Check {
    let quick = Limits { outbox: 256, change_burst: 10_000, ..Limits::default() };
    let server = serve(app_with(quick));
    let mut ana = follows(&server, "ana", "users").await?;
    let mut ben = follows(&server, "ben", "users").await?;
    ben.stops_reading();

    let news = json!({ "event": "news", "data": "x".repeat(1_000) });
    for _ in 0..400 {
        adds(&server, "cem", "POST /channels/users/events", news.clone()).await?;
        ana.hears_any().await?;
    }

    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!(reply.body["clients"], 1, "Ben has lost his place: {}", reply.body);
    ben.reads_again();
    ben.is_closed_in_the_end(4008, "too slow").await
}
