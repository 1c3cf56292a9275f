//! The socket: channels, what a client can ask for, and what it is answered.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use probe::{ANY, Check, ONE_MINUTE, json::error, serve};
use serde_json::{Value, json};

use super::{NONE, app, asks, event, identity, makes, new_user, subscribes, ws_path};
use crate::{channels::Channels, events::LiveEvent};

const SECOND: Duration = Duration::from_secs(1);

/// How long a token is valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// More messages than an outbox and the buffers of a connection hold.
const MANY: usize = 700;

#[tokio::test(start_paused = true)]
async fn the_greeting_brings_a_client_id_of_its_own_to_each_connection() -> Check {
    let server = serve(app());
    let mut ids = HashSet::new();

    for _ in 0..3 {
        let mut ana = server.connect("Ana", &ws_path("ana", "/users")).await?;
        let text = ana.hears_any().await?;
        let greeting: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(greeting["message"], "Connected to channel: users", "{greeting}");
        assert_eq!(greeting["channel"], "users", "{greeting}");
        let time = greeting["timestamp"].as_str().unwrap_or_default();
        assert!(humantime::parse_rfc3339(time).is_ok(), "a time (RFC 3339): {time:?}");
        ids.insert(greeting["client_id"].as_str().unwrap_or_default().to_owned());
    }

    assert_eq!(ids.len(), 3, "each connection has its own: {ids:?}");
    assert!(ids.iter().all(|id| id.len() == 32), "128 random bits: {ids:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_may_bring_its_own_id() -> Check {
    let server = serve(app());

    let path = ws_path("ana", "/posts?client_id=kitchen-tablet");
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears(json!({
        "type": "connection", "message": "Connected to channel: posts",
        "channel": "posts", "client_id": "kitchen-tablet", "timestamp": ANY
    }))
    .await?;

    for bad in ["", "no%20blanks", &"x".repeat(41), "a&client_id=b"] {
        let path = ws_path("ana", &format!("/users?client_id={bad}"));
        server.rejects("Ana", &path, 400).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_socket_can_subscribe_and_unsubscribe() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &ws_path("ana", "")).await?;
    ana.hears(json!({
        "type": "connection", "message": "Connected", "channel": null,
        "client_id": ANY, "timestamp": ANY
    }))
    .await?;
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;

    for channel in ["users", "posts"] {
        let request = json!({ "action": "subscribe", "channel": channel });
        ana.says(request.to_string()).await?;
        ana.hears(json!({ "type": "subscribed", "channel": channel })).await?;
    }
    makes(&server, "ben", "PATCH /users/1", json!({ "name": "Dorothea" })).await?;
    ana.hears(event("updated", 2, "Dorothea", "ben")).await?;
    ana.says(r#"{"action":"unsubscribe","channel":"users"}"#).await?;
    ana.hears(json!({ "type": "unsubscribed", "channel": "users" })).await?;

    makes(&server, "ben", "PATCH /users/1", json!({ "name": "Dora" })).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_twice_is_answered_twice_and_receives_each_event_once() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    ana.says(r#"{"action":"subscribe","channel":"users"}"#).await?;
    ana.hears(json!({ "type": "subscribed", "channel": "users" })).await?;
    ana.says(r#"{"action":"unsubscribe","channel":"posts"}"#).await?;
    ana.hears(json!({ "type": "unsubscribed", "channel": "posts" })).await?;
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;

    ana.hears(event("created", 1, "Dora", "ben")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_to_news_reaches_all_who_are_subscribed_to_it() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "news").await?;
    let mut ben = subscribes(&server, "ben", "news").await?;
    let mut cem = subscribes(&server, "cem", "users").await?;
    let tea = r#"{"action":"send","channel":"news","message":" Tea is ready. "}"#;
    let message = |from: &str| {
        json!({
            "type": "message", "channel": "news", "message": "Tea is ready.",
            "from": from, "timestamp": ANY
        })
    };

    ana.says(tea).await?;
    ana.hears(message("ana")).await?;
    ben.hears(message("ana")).await?;
    cem.says(tea).await?;
    ben.hears(message("cem")).await?;

    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn nobody_can_send_to_the_channel_of_a_model() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    for channel in ["users", "posts"] {
        let request = json!({ "action": "send", "channel": channel, "message": "Hi" });
        ana.says(request.to_string()).await?;
        let sentence = format!("{channel} takes no messages: it brings changes");
        ana.hears(error(&sentence)).await?;
    }

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_message_has_1_to_2000_characters() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "news").await?;
    let send = |text: &str| {
        json!({ "action": "send", "channel": "news", "message": text }).to_string()
    };

    let too_long = "content has 2001 characters, the limit is 2000";
    for (text, sentence) in [(" \n", "content is empty"), (&*"é".repeat(2_001), too_long)]
    {
        ana.says(send(text)).await?;
        let reply = ana.hears_any().await?;
        assert!(reply.contains(sentence), "it says why not: {reply}");
    }
    ana.says(send(&"é".repeat(2_000))).await?;
    ana.hears(json!({
        "type": "message", "channel": "news", "message": "é".repeat(2_000),
        "from": "ana", "timestamp": ANY
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn stats_come_over_the_socket_and_over_http() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    ana.says(r#"{"action":"subscribe","channel":"posts"}"#).await?;
    ana.hears_any().await?;
    let ben = subscribes(&server, "ben", "users").await?;
    let stats = |users, posts, connections| {
        json!({
            "total_channels": 3,
            "channels": { "users": users, "posts": posts, "news": 0 },
            "total_connections": connections,
        })
    };

    ana.says(r#"{"action":"get_stats"}"#).await?;
    ana.hears(json!({ "type": "stats", "data": stats(2, 1, 2) })).await?;
    ben.leaves().await?;
    let reply = asks(&server, "cem", "GET /ws/stats", NONE).await?;
    assert_eq!((reply.status, reply.body), (200, stats(1, 1, 1)), "Ben has left");

    ana.vanishes().await;
    let reply = asks(&server, "cem", "GET /ws/stats", NONE).await?;
    assert_eq!(reply.body, stats(0, 0, 0), "and Ana's connection was lost");
    Ok(())
}

/// A variant that is missing in `Channel::ALL` would be missing in the stats only.
#[tokio::test(start_paused = true)]
async fn every_channel_is_in_the_stats_and_in_the_error_for_one_that_does_not_exist()
-> Check {
    let server = serve(app());
    let path = ws_path("ana", "/cats");

    let rejection = server.rejects("Ana", &path, 404).await?;
    let rejection: Value = serde_json::from_str(&rejection.body).unwrap_or_default();
    let sentence = rejection["message"].as_str().unwrap_or_default();
    let listed = sentence.split('`').skip(3).step_by(2).collect::<BTreeSet<_>>();
    let stats = asks(&server, "ana", "GET /ws/stats", NONE).await?.body;
    let counted = stats["channels"].as_object().expect("an object");

    let counted = counted.keys().map(String::as_str).collect::<BTreeSet<_>>();
    assert_eq!(listed, counted, "{sentence}");
    assert_eq!(stats["total_channels"], counted.len(), "{stats}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_channel_is_an_error_that_lists_those_that_exist() -> Check {
    let server = serve(app());
    let sentence = "unknown variant `cats`, expected one of `users`, `posts`, `news`";
    let mut ana = subscribes(&server, "ana", "users").await?;

    for action in ["subscribe", "unsubscribe", "send"] {
        let request = json!({ "action": action, "channel": "cats", "message": "Meow." });
        ana.says(request.to_string()).await?;
        let reply = ana.hears_any().await?;
        assert!(reply.contains(sentence), "{action}: {reply}");
    }
    let what = "POST /channels/cats/events";
    let reply = asks(&server, "ana", what, json!({ "event": "meow" })).await?;
    assert_eq!((reply.status, &reply.body["message"]), (404, &json!(sentence)), "{what}");

    ana.says(r#"{"action":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn what_a_client_cannot_ask_for_is_answered() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let no_object = r#"a message is a JSON object, such as {"action":"ping"}"#;
    let actions = "unknown variant `shout`, expected one of `subscribe`, `unsubscribe`, \
                   `send`, `get_stats`, `ping`";

    for (text, sentence) in [
        (r#"{"action":"shout"}"#, actions),
        (r#"{"action":"subscribe"}"#, "missing field `channel`"),
        (r#"{"action":"send","channel":"news"}"#, "missing field `message`"),
        (r#"{"action":"send","channel":"news","message":7}"#, "invalid type"),
        (r#"{"type":"ping"}"#, "missing field `action`"),
        (r#"{"action":"ping"}}"#, "this is not valid JSON: trailing"),
        (r#"["ping"]"#, no_object),
        ("still here?", no_object),
    ] {
        ana.says(text).await?;
        let reply: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        assert_eq!(reply["type"], "error", "{text}: {reply}");
        let message = reply["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(sentence), "{text}: {message}");
    }
    ana.sends_binary(b"users").await?;
    ana.hears(error("this server reads text, not binary")).await?;

    let long = json!({ "action": "x".repeat(30_000) });
    ana.says(long.to_string()).await?;
    let reply = ana.hears_any().await?;
    assert!(reply.len() < 300, "a long word is not repeated: {} bytes", reply.len());
    assert!(
        reply.contains("`get_stats`, `ping`"),
        "what could be asked for stays: {reply}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_only_listens_stays_until_the_token_expires() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    ana.hears_nothing_for(TOKEN_LIFETIME - 2 * SECOND).await?;
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;
    ana.hears(event("created", 1, "Dora", "ben")).await?;

    ana.is_closed(4001, "token expired").await
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_is_closed_with_4008_and_harms_only_itself() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "users").await?;
    ben.stops_reading();

    let news = json!({ "event": "news", "data": "x".repeat(1_000) });
    let mut reached = Value::Null;
    for _ in 0..MANY {
        let what = "POST /channels/users/events";
        reached = asks(&server, "cem", what, news.clone()).await?.body;
        ana.hears_any().await?;
    }

    assert_eq!(reached, json!({ "clients": 1 }), "nothing is sent to Ben any more");
    ben.reads_again();
    ben.is_closed_in_the_end(4008, "too slow").await?;
    let stats = asks(&server, "cem", "GET /ws/stats", NONE).await?.body;
    assert_eq!(stats["total_connections"], 1, "Ben is disconnected: {stats}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_asks_without_reading_fills_its_own_outbox_and_is_closed() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut ben = subscribes(&server, "ben", "users").await?;
    ben.stops_reading();

    let long = json!({ "action": "x".repeat(1_000) }).to_string();
    for _ in 0..MANY {
        if ben.says(long.clone()).await.is_err() {
            break; // The server reads no more from him.
        }
    }

    ben.reads_again();
    ben.is_closed_in_the_end(4008, "too slow").await?;
    ana.says(r#"{"action":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

/// The test above cannot tell whether the outbox or the deadline of a write ended it.
#[test]
fn replies_count_against_the_outbox_too() {
    let channels = Channels::default();
    let mut ben = channels.connect(identity("ben"), None);

    for _ in 0..1_000 {
        ben.send(&LiveEvent::Pong);
    }

    let mut waiting = 0;
    while ben.outbox.try_recv().is_ok() {
        waiting += 1;
    }
    assert_eq!(waiting, 256, "the greeting, and replies: no more wait for him");
    assert!(ben.outbox.is_closed(), "so that his task ends");
    let stats = serde_json::to_value(channels.stats()).unwrap_or_default();
    assert_eq!(stats["total_connections"], 0, "and nothing more is sent to him");
}
