//! The channels: who receives what, and what a socket can ask for.

use std::{collections::HashSet, time::Duration};

use probe::{ANY, Check, ONE_MINUTE, Server, json::error, serve};
use serde_json::{Value, json};

use super::{
    app, app_with,
    asking::{asks, asks_with, bearer, subscribes},
};
use crate::{
    config::Config,
    tests::people::{at_least_one, config, token},
};

/// How long a token is valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

const SECOND: Duration = Duration::from_secs(1);

probe::conformance!(app(), &socket_path("ana", "/users"));

fn socket_path(who: &str, rest: &str) -> String {
    let join = if rest.contains('?') { '&' } else { '?' };
    format!("/api/v1/ws{rest}{join}token={}", token(who))
}

fn user(name: &str) -> Value {
    json!({ "name": name, "email": format!("{name}@example.org") })
}

/// An event about the first user, whom `owner` has created.
fn event(kind: &str, version: i64, name: &str, owner: &str) -> Value {
    json!({
        "type": kind, "model": "users", "channel": "users", "version": version,
        "timestamp": ANY,
        "data": {
            "id": 1, "owner": owner, "name": name, "email": "Ana@example.org",
            "phone": null, "is_active": true, "created_at": ANY
        },
    })
}

async fn adds(server: &Server, who: &str, what: &str, body: Value) -> Check {
    let reply = asks(server, who, what, body).await?;
    assert!(reply.status < 300, "{what}: {}", reply.body);
    Ok(())
}

/// Writes as somebody whose socket with this id shall not receive the event.
async fn writes_as(
    server: &Server,
    who: &str,
    id: &str,
    what: &str,
    body: Value,
) -> Check {
    let headers = [bearer(who), ("x-client-id", id.to_owned())];
    let reply = asks_with(server, &headers, what, body).await?;
    assert!(reply.status < 300, "{what}: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_greeting_brings_a_client_id_that_nobody_can_guess() -> Check {
    let server = serve(app());
    let mut ids = HashSet::new();

    for _ in 0..3 {
        let mut ana = server.connect("Ana", &socket_path("ana", "/users")).await?;
        let greeting: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        assert_eq!(greeting["type"], "connection", "{greeting}");
        assert_eq!(greeting["message"], "Connected to channel: users", "{greeting}");
        assert_eq!(greeting["channel"], "users", "{greeting}");
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

    let path = socket_path("ana", "/posts?client_id=kitchen-tablet");
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears(json!({
        "type": "connection", "message": "Connected to channel: posts",
        "channel": "posts", "client_id": "kitchen-tablet", "timestamp": ANY
    }))
    .await?;

    for bad in ["", "no%20spaces", &"x".repeat(41), "a&client_id=b"] {
        let path = socket_path("ana", &format!("/users?client_id={bad}"));
        server.rejects("Ana", &path, 400).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn subscribers_hear_what_was_created_updated_and_deleted() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "users").await?;
    let mut cem = subscribes(&server, "cem", "posts").await?;

    adds(&server, "ana", "POST /users", user("Ana")).await?;
    adds(&server, "ana", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    adds(&server, "ana", "DELETE /users/1", Value::Null).await?;

    ben.hears(event("created", 1, "Ana", "ana")).await?;
    ben.hears(event("updated", 2, "Anna", "ana")).await?;
    ben.hears(json!({
        "type": "deleted", "model": "users", "channel": "users", "version": 3,
        "timestamp": ANY, "data": { "id": 1 },
    }))
    .await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_event_about_a_post_goes_to_the_channel_of_posts() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "posts").await?;
    adds(&server, "ana", "POST /users", user("Ana")).await?;

    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    adds(&server, "ana", "POST /posts", post).await?;

    ben.hears(json!({
        "type": "created", "model": "posts", "channel": "posts", "version": 2,
        "timestamp": ANY,
        "data": {
            "id": 1, "owner": "ana", "user_id": 1, "title": "Tea", "body": "I like it."
        },
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_is_not_published() -> Check {
    let server = serve(app());
    adds(&server, "ana", "POST /users", user("Ana")).await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    for (what, body) in [
        ("POST /users", user("Ana")),
        ("POST /users", json!({ "name": "" })),
        ("PATCH /users/7", json!({ "name": "Nobody" })),
        ("DELETE /users/7", Value::Null),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        assert!(reply.status >= 400 && reply.version.is_none(), "{what}: {}", reply.body);
    }

    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_writer_can_write_without_an_event() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "users").await?;

    adds(&server, "ana", "POST /users?announce=false", user("Ana")).await?;
    adds(&server, "ana", "PATCH /users/1?announce=false", json!({ "name": "A" })).await?;
    adds(&server, "ana", "DELETE /users/1?announce=false", Value::Null).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;

    adds(&server, "ana", "POST /users?announce=true", user("Ben")).await?;
    ben.hears_any().await.map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn the_client_that_caused_an_event_can_be_excluded() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut tablet = server
        .connect("Ana's tablet", &socket_path("ana", "/users?client_id=tablet"))
        .await?;
    tablet.hears_any().await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    writes_as(&server, "ana", "ana-1", "POST /users", user("Ana")).await?;

    ben.hears(event("created", 1, "Ana", "ana")).await?;
    tablet.hears(event("created", 1, "Ana", "ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn nobody_can_exclude_somebody_else() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    writes_as(&server, "ben", "ana-1", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana", "ben")).await
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_keeps_nobody_out() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    let mut again = subscribes(&server, "ana", "users").await?;
    let stranger = socket_path("ben", "/users?client_id=ana-1");
    let mut ben = server.connect("Ben", &stranger).await?;
    ben.hears_any().await?;
    adds(&server, "cem", "POST /users", user("Ana")).await?;

    for client in [&mut ana, &mut again, &mut ben] {
        client.hears(event("created", 1, "Ana", "cem")).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_is_subscribed_to_the_news_gets_what_clients_send_there() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "news").await?;
    let mut ben = subscribes(&server, "ben", "news").await?;
    let mut cem = subscribes(&server, "cem", "users").await?;

    let hello = r#"{"action":"send","channel":"news","message":" Tea is ready. "}"#;
    ana.says(hello).await?;
    let sent = |from: &str| {
        json!({
            "type": "message", "channel": "news", "message": "Tea is ready.",
            "from": from, "timestamp": ANY
        })
    };
    ana.hears(sent("ana")).await?;
    ben.hears(sent("ana")).await?;

    cem.says(hello).await?;
    ben.hears(sent("cem")).await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn nobody_can_send_to_a_channel_that_brings_changes() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    for channel in ["users", "posts"] {
        let message =
            json!({ "action": "send", "channel": channel, "message": "Hello?" });
        ana.says(message.to_string()).await?;
        let sentence = format!("{channel} takes no messages: it brings changes");
        ana.hears(error(&sentence)).await?;
    }

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_message_to_a_channel_has_at_most_2000_characters() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "news").await?;
    let send = |text: &str| {
        json!({ "action": "send", "channel": "news", "message": text }).to_string()
    };

    ana.says(send(&"é".repeat(2_001))).await?;
    let heard = ana.hears_any().await?;
    let sentence = "message has 2001 characters, the limit is 2000";
    assert!(heard.contains(sentence), "it says why not: {heard}");
    ana.says(send(&"é".repeat(2_000))).await?;
    ana.hears(json!({
        "type": "message", "channel": "news", "message": "é".repeat(2_000),
        "from": "ana", "timestamp": ANY
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_too_fast_to_a_channel_is_asked_to_wait() -> Check {
    let config = Config {
        messages_per_second: at_least_one(1),
        message_burst: at_least_one(10),
        ..config()
    };
    let server = serve(app_with(config));
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "news").await?;

    for _ in 0..12 {
        ana.says(r#"{"action":"send","channel":"news","message":"Hello!"}"#).await?;
    }

    let refusals = ana.hears_out(SECOND).await;
    let expected = error("too many messages: try again in 1.0 seconds").to_string();
    assert!(refusals.iter().all(|refusal| *refusal == expected), "{refusals:?}");
    assert!(refusals.len() > 1, "twelve are too many: {refusals:?}");
    let heard = ben.hears_out(SECOND).await;
    assert_eq!(heard.len() + refusals.len(), 12, "the others have been sent: {heard:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn custom_events_reach_the_subscribers_of_the_channel() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "posts").await?;
    let mut cem = subscribes(&server, "cem", "users").await?;

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
    let mut ana = server.connect("Ana", &socket_path("ana", "")).await?;
    ana.hears_any().await?;
    let mut ben = subscribes(&server, "ben", "posts").await?;
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
    let mut ana = subscribes(&server, "ana", "users").await?;

    let message = json!({ "message": "All is free today!" });
    let reply = asks(&server, "ben", "POST /announcements", message).await?;

    assert_eq!(reply.status, 403, "{}", reply.body);
    assert_eq!(
        reply.body["message"], "Only operators may announce something.",
        "in JSON"
    );
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn one_socket_can_subscribe_and_unsubscribe() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &socket_path("ana", "")).await?;
    ana.hears(json!({
        "type": "connection", "message": "Connected", "channel": null,
        "client_id": ANY, "timestamp": ANY
    }))
    .await?;
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    for channel in ["users", "posts"] {
        ana.says(json!({ "action": "subscribe", "channel": channel }).to_string())
            .await?;
        ana.hears(json!({ "type": "subscribed", "channel": channel })).await?;
    }
    adds(&server, "ben", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    ana.hears(event("updated", 2, "Anna", "ben")).await?;
    ana.says(r#"{"action":"unsubscribe","channel":"users"}"#).await?;
    ana.hears(json!({ "type": "unsubscribed", "channel": "users" })).await?;

    adds(&server, "ben", "PATCH /users/1", json!({ "name": "Ana" })).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn subscribing_twice_is_answered_and_delivers_once() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    ana.says(r#"{"action":"subscribe","channel":"users"}"#).await?;
    ana.hears(json!({ "type": "subscribed", "channel": "users" })).await?;
    ana.says(r#"{"action":"unsubscribe","channel":"posts"}"#).await?;
    ana.hears(json!({ "type": "unsubscribed", "channel": "posts" })).await?;
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana", "ben")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn stats_come_over_the_socket_and_over_http() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    ana.says(r#"{"action":"subscribe","channel":"posts"}"#).await?;
    ana.hears_any().await?;
    let ben = subscribes(&server, "ben", "users").await?;
    let counts = |connections, posts, users| {
        json!({
            "total_channels": 3,
            "channels": { "news": 0, "posts": posts, "users": users },
            "total_connections": connections,
        })
    };

    ana.says(r#"{"action":"get_stats"}"#).await?;
    ana.hears(json!({ "type": "stats", "data": counts(2, 1, 2) })).await?;
    ben.leaves().await?;

    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!((reply.status, reply.body), (200, counts(1, 1, 1)), "Ben has left");
    ana.vanishes().await;
    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!(reply.body, counts(0, 0, 0), "and Ana's connection was lost");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_channel_is_refused() -> Check {
    let server = serve(app());
    let sentence = "unknown variant `cats`, expected one of `news`, `posts`, `users`";

    let answer = server.rejects("Ana", &socket_path("ana", "/cats"), 404).await?;
    assert_eq!(answer.body, json!({ "message": sentence }).to_string(), "it says why");

    let mut ana = subscribes(&server, "ana", "users").await?;
    for action in ["subscribe", "unsubscribe", "send"] {
        let message = json!({ "action": action, "channel": "cats", "message": "Meow." });
        ana.says(message.to_string()).await?;
        ana.hears(error(sentence)).await?;
    }
    ana.says(r#"{"action":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn what_a_socket_cannot_ask_for_is_answered() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    for (text, sentence) in [
        (
            r#"{"action":"shout"}"#,
            "unknown variant `shout`, expected one of `subscribe`, `unsubscribe`, `send`, `get_stats`, `ping` at line 1 column 17",
        ),
        (r#"{"action":"subscribe"}"#, "missing field `channel`"),
        (r#"{"action":"send","channel":"news"}"#, "missing field `message`"),
        (
            r#"{"action":"send","channel":"news","message":7}"#,
            "invalid type: integer `7`",
        ),
        (r#"{"action":"send","channel":"news","message":" \n "}"#, "message is empty"),
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
    let mut ana = subscribes(&server, "ana", "users").await?;

    ana.hears_nothing_for(Duration::from_secs(14 * 60)).await?;
    adds(&server, "ben", "POST /users", user("Ana")).await?;

    ana.hears(event("created", 1, "Ana", "ben")).await
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_whose_token_expires_is_closed_with_4001() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    ana.hears_nothing_for(TOKEN_LIFETIME - 2 * SECOND).await?;
    ana.is_closed(4001, "token expired").await
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_closed_with_4008_and_harms_only_itself() -> Check {
    let quick =
        Config { outbox_size: 256, change_burst: at_least_one(10_000), ..config() };
    let server = serve(app_with(quick));
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "users").await?;
    ben.stops_reading();

    let news = json!({ "event": "news", "data": "x".repeat(1_000) });
    let mut reached = Value::Null;
    for _ in 0..400 {
        let what = "POST /channels/users/events";
        reached = asks(&server, "cem", what, news.clone()).await?.body;
        ana.hears_any().await?;
    }

    assert_eq!(reached, json!({ "clients": 1 }), "nothing is sent to Ben any more");
    ben.reads_again();
    ben.is_closed_in_the_end(4008, "too slow").await?;
    let reply = asks(&server, "cem", "GET /ws/stats", Value::Null).await?;
    assert_eq!(reply.body["total_connections"], 1, "Ben is disconnected: {}", reply.body);
    Ok(())
}
