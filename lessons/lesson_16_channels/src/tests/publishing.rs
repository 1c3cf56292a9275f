//! Who is told: silent writes, excluded clients, custom events and announcements.

use axum::http::Request;
use probe::{ANY, Check, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

use super::{
    NONE, app, asks, asks_with, bearer, event, makes, new_post, new_user, subscribes,
    ws_path,
};

/// Writes as somebody whose client with this id wants no event.
async fn writes_as(
    server: &Server,
    name: &str,
    id: &str,
    what: &str,
    body: Value,
) -> Check {
    let headers = [bearer(name), ("x-client-id", id.to_owned())];
    let reply = asks_with(server, &headers, what, body).await?;
    assert!(reply.status < 300, "{what} by {name}: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn subscribers_receive_what_was_created_updated_and_deleted() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "users").await?;
    let mut cem = subscribes(&server, "cem", "posts").await?;

    makes(&server, "ben", "POST /users", new_user("Dora")).await?;
    makes(&server, "ben", "PATCH /users/1", json!({ "name": "Dorothea" })).await?;
    makes(&server, "ben", "DELETE /users/1", NONE).await?;

    ben.hears(event("created", 1, "Dora", "ben")).await?;
    ben.hears(event("updated", 2, "Dorothea", "ben")).await?;
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
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;

    makes(&server, "ben", "POST /posts", new_post(1, "Tea")).await?;

    ben.hears(json!({
        "type": "created", "model": "posts", "channel": "posts", "version": 2,
        "timestamp": ANY,
        "data": {
            "id": 1, "owner": "ben", "user_id": 1, "title": "Tea", "body": "I like it."
        },
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_rejected_is_not_published() -> Check {
    let server = serve(app());
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;
    let mut ana = subscribes(&server, "ana", "users").await?;
    ana.says(r#"{"action":"subscribe","channel":"posts"}"#).await?;
    ana.hears_any().await?;

    for (what, body) in [
        ("POST /users", new_user("Dora")),
        ("POST /users", json!({ "name": "" })),
        ("PATCH /users/7", json!({ "name": "Nobody" })),
        ("DELETE /users/1", NONE),
        ("POST /posts", new_post(7, "Tea")),
    ] {
        let reply = asks(&server, "cem", what, body).await?;
        assert!(reply.status >= 400 && reply.version.is_none(), "{what}: {}", reply.body);
    }

    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_writer_can_write_without_an_event() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    makes(&server, "ben", "POST /users?announce=false", new_user("Dora")).await?;
    let name = json!({ "name": "D" });
    makes(&server, "ben", "PATCH /users/1?announce=false", name).await?;
    makes(&server, "ben", "DELETE /users/1?announce=false", NONE).await?;
    ana.hears_nothing_for(ONE_MINUTE).await?;

    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(3), "they were changes all the same");
    makes(&server, "ben", "POST /users?announce=true", new_user("Emil")).await?;
    ana.hears_any().await.map(drop)
}

/// What a page does with the version: lesson 14 tells those stories.
#[tokio::test(start_paused = true)]
async fn an_old_event_does_not_undo_what_was_changed_in_silence() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;
    let name = json!({ "name": "Dorothea" });
    makes(&server, "ben", "PATCH /users/1?announce=false", name).await?;

    let list = asks(&server, "ana", "GET /users", NONE).await?;

    assert_eq!(list.body[0]["name"], "Dorothea", "the list has the silent change");
    assert_eq!(list.version, Some(2), "and a version that is newer than the event");
    ana.hears(event("created", 1, "Dora", "ben")).await
}

#[tokio::test(start_paused = true)]
async fn the_client_that_caused_an_event_can_be_excluded() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let path = ws_path("ana", "/users?client_id=tablet");
    let mut tablet = server.connect("Ana's tablet", &path).await?;
    tablet.hears_any().await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    writes_as(&server, "ana", "ana-1", "POST /users", new_user("Dora")).await?;

    ben.hears(event("created", 1, "Dora", "ana")).await?;
    tablet.hears(event("created", 1, "Dora", "ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// One keyboard sends "é" as one character, and another as a letter and a mark.
#[tokio::test(start_paused = true)]
async fn an_id_with_a_mark_is_the_same_however_it_is_written() -> Check {
    let server = serve(app());
    let path = ws_path("ana", "/users?client_id=caf%C3%A9");
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears_any().await?;
    let mut ben = subscribes(&server, "ben", "users").await?;

    writes_as(&server, "ana", "cafe\u{301}", "POST /users", new_user("Dora")).await?;

    ben.hears(event("created", 1, "Dora", "ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn nobody_can_exclude_the_client_of_somebody_else() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    writes_as(&server, "ben", "ana-1", "POST /users", new_user("Dora")).await?;

    ana.hears(event("created", 1, "Dora", "ben")).await
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_keeps_nobody_out() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;
    let mut again = subscribes(&server, "ana", "users").await?;
    let path = ws_path("ben", "/users?client_id=ana-1");
    let mut ben = server.connect("Ben", &path).await?;
    ben.hears_any().await?;

    makes(&server, "cem", "POST /users", new_user("Dora")).await?;

    for client in [&mut ana, &mut again, &mut ben] {
        client.hears(event("created", 1, "Dora", "cem")).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn options_that_mean_nothing_are_rejected_before_anything_changes() -> Check {
    let server = serve(app());
    let long = "x".repeat(41);

    for id in ["", "no blanks", "é", &long] {
        let headers = [bearer("ben"), ("x-client-id", id.to_owned())];
        let reply = asks_with(&server, &headers, "POST /users", new_user("Dora")).await?;
        assert_eq!(reply.status, if id == "é" { 201 } else { 400 }, "x-client-id: {id}");
    }
    let reply = asks(&server, "ben", "POST /users?announce=maybe", NONE).await?;
    assert_eq!(reply.status, 400, "{}", reply.body);
    assert!(reply.body["message"].is_string(), "it says why: {}", reply.body);
    let list = asks(&server, "ben", "GET /users", NONE).await?;
    assert_eq!(list.version, Some(1), "letters of all scripts are welcome: é was one");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn custom_events_reach_the_subscribers_of_the_channel() -> Check {
    let server = serve(app());
    let mut ben = subscribes(&server, "ben", "posts").await?;
    let mut cem = subscribes(&server, "cem", "users").await?;

    let typing = json!({ "event": "user_login", "data": { "post": 7, "big": 1e9 } });
    let reply = asks(&server, "ana", "POST /channels/posts/events", typing).await?;
    assert_eq!((reply.status, reply.body), (202, json!({ "clients": 1 })), "Ben alone");
    ben.hears(json!({
        "type": "custom", "event": "user_login", "channel": "posts", "from": "ana",
        "timestamp": ANY, "data": { "post": 7, "big": 1e9 },
    }))
    .await?;
    cem.hears_nothing_for(ONE_MINUTE).await?;

    let bare = json!({ "event": "hello" });
    let silent = "POST /channels/posts/events?announce=false";
    let reply = asks(&server, "ana", silent, bare.clone()).await?;
    assert_eq!(reply.body, json!({ "clients": 0 }), "nobody is told");
    writes_as(&server, "cem", "cem-1", "POST /channels/users/events", bare).await?;
    cem.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_custom_event_is_passed_on_as_it_came_and_has_a_limit() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "news").await?;
    let publish = |data: &str| {
        let request = Request::post("/api/v1/channels/news/events")
            .header("content-type", "application/json")
            .header("authorization", bearer("ben").1)
            .body(format!(r#"{{"event":"numbers","data":{data}}}"#));
        server.request(request.expect("a good request"))
    };

    assert_eq!(publish("[1e15,1.0]").await?.status, 202, "good data");
    let event = ana.hears_any().await?;
    assert!(event.contains(r#""data":[1e15,1.0]"#), "no longer than it came: {event}");

    let long = format!("\"{}\"", "x".repeat(32 * 1024));
    assert_eq!(publish(&long).await?.status, 413, "a body has a limit");
    for body in [json!({ "event": "no blanks" }), json!({ "event": "" })] {
        let what = "POST /channels/news/events";
        let reply = asks(&server, "ben", what, body.clone()).await?;
        assert_eq!(
            (reply.status, &reply.body["field"]),
            (422, &json!("event")),
            "{body}"
        );
    }
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn an_announcement_reaches_everybody_once() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &ws_path("ana", "")).await?;
    ana.hears_any().await?;
    let mut ben = subscribes(&server, "ben", "posts").await?;
    ben.says(r#"{"action":"subscribe","channel":"users"}"#).await?;
    ben.hears_any().await?;

    let body = json!({ "message": "Down at noon for five minutes." });
    let reply = asks(&server, "ana", "POST /announcements", body).await?;
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

    let body = json!({ "message": "All is free today!" });
    let reply = asks(&server, "ben", "POST /announcements", body).await?;

    let sentence = json!({ "message": "Only operators may announce something." });
    assert_eq!((reply.status, reply.body), (403, sentence), "Ben is none");
    ana.hears_nothing_for(ONE_MINUTE).await
}
