//! The API: what it does, and how it says no.

use std::time::{Duration, SystemTime};

use humantime::parse_rfc3339;
use probe::{Check, Hint, Server, serve};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    app,
    asking::{Reply, asks, asks_with, bearer, sends},
};
use crate::tests::people::token;

/// The cookie that carries the token.
const COOKIE: &str = concat!(env!("CARGO_PKG_NAME"), "_token");

const MISSING: &str = "Sign in first: a token is missing.";

/// A server with two users and a post.
async fn with_users() -> Result<Server, Hint> {
    let server = serve(app());
    for (name, email) in [("Ana", "ana@example.org"), ("Ben", "ben@example.org")] {
        let user = json!({ "name": name, "email": email });
        asks(&server, "ana", "POST /users", user).await?;
    }
    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    asks(&server, "ana", "POST /posts", post).await?;
    Ok(server)
}

#[tokio::test(start_paused = true)]
async fn users_can_be_created_read_listed_changed_and_deleted() -> Check {
    let server = serve(app());

    let new =
        json!({ "name": " Ana ", "email": "ana@example.org", "phone": "+49 30 123" });
    let made = asks(&server, "ana", "POST /users", new).await?;
    let mut ana = json!({
        "id": 1, "owner": "ana", "name": "Ana", "email": "ana@example.org",
        "phone": "+49 30 123", "is_active": true
    });
    ana["created_at"] = made.body["created_at"].clone();
    assert_eq!((made.status, &made.body), (201, &ana), "blanks are trimmed");
    assert_eq!(made.version, Some(1), "that was the first change");

    let read = asks(&server, "ben", "GET /users/1", Value::Null).await?;
    assert_eq!((read.status, &read.body), (200, &ana), "everybody sees her");
    let list = asks(&server, "ben", "GET /users", Value::Null).await?;
    assert_eq!((list.status, list.body), (200, json!([ana])), "and the list has her");
    assert_eq!(
        (list.version, list.next),
        (Some(1), None),
        "its version, and no next part"
    );

    let changed =
        asks(&server, "ana", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    assert_eq!(changed.status, 200, "{}", changed.body);
    ana["name"] = json!("Anna");
    assert_eq!(changed.body, ana, "the answer is how she is now, and the rest stays");
    let gone = asks(&server, "ana", "DELETE /users/1", Value::Null).await?;
    assert_eq!((gone.status, gone.version), (204, Some(3)), "that was the third change");
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!((list.body, list.version), (json!([]), Some(3)), "all gone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_user_is_active_unless_somebody_says_otherwise() -> Check {
    let server = with_users().await?;

    let user = json!({ "name": "Cem", "email": "cem@example.org", "is_active": false });
    let cem = asks(&server, "ana", "POST /users", user).await?;
    assert_eq!(cem.body["is_active"], false, "somebody says so: {}", cem.body);
    let renamed = asks(&server, "ana", "PATCH /users/3", json!({ "name": "C" })).await?;
    assert_eq!(renamed.body["is_active"], false, "it stays: {}", renamed.body);
    let body = json!({ "is_active": true });
    let active = asks(&server, "ana", "PATCH /users/3", body).await?;

    assert_eq!(active.body["is_active"], true, "and now he is: {}", active.body);
    let read = asks(&server, "ana", "GET /users/3", Value::Null).await?;
    assert_eq!(read.body, active.body, "for everybody");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_server_says_when_a_user_was_created() -> Check {
    let server = serve(app());
    let before = SystemTime::now() - Duration::from_millis(1); // It keeps milliseconds.

    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    let made = asks(&server, "ana", "POST /users", user).await?.body;
    let changed = asks(&server, "ana", "PATCH /users/1", json!({ "name": "A" })).await?;

    let text = made["created_at"].as_str().unwrap_or_default();
    let created = parse_rfc3339(text).expect("a time, as in RFC 3339");
    assert!((before..=SystemTime::now()).contains(&created), "now, and not {text}");
    assert_eq!(changed.body["created_at"], text, "a change leaves it as it is");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_makes_no_difference() -> Check {
    let server = serve(app());
    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    let name = json!({ "name": "Anna" });
    let event = json!({ "event": "hello" });

    for (what, body, status) in [
        ("POST /users/", user, 201),
        ("GET /users/", Value::Null, 200),
        ("GET /users/1/", Value::Null, 200),
        ("PATCH /users/1/", name, 200),
        ("POST /posts/", post, 201),
        ("GET /posts/", Value::Null, 200),
        ("GET /posts/1/", Value::Null, 200),
        ("DELETE /posts/1/", Value::Null, 204),
        ("POST /channels/users/events/", event, 202),
        ("POST /announcements/", json!({ "message": "Tea is ready." }), 202),
        ("GET /ws/stats/", Value::Null, 200),
        ("PUT /users/", json!({}), 405),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        assert_eq!(reply.status, status, "{what}: {}", reply.body);
    }
    for path in ["/api/v1/ws/", "/api/v1/ws/users/"] {
        server.rejects("Eve", path, 401).await?;
        let path = format!("{path}?token={}", token("ana"));
        server.connect("Ana", &path).await?.hears_any().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn posts_can_be_created_read_listed_changed_and_deleted() -> Check {
    let server = with_users().await?;
    let tea = json!({
        "id": 1, "owner": "ana", "user_id": 1, "title": "Tea", "body": "I like it."
    });

    let read = asks(&server, "ben", "GET /posts/1", Value::Null).await?;
    assert_eq!((read.status, &read.body), (200, &tea), "everybody can read it");
    let list = asks(&server, "ben", "GET /posts", Value::Null).await?;
    assert_eq!(list.body, json!([tea]), "the list has it");
    let changed = asks(&server, "ana", "PATCH /posts/1", json!({ "body": "" })).await?;
    assert_eq!(changed.body["body"], "", "a body may be empty");
    assert_eq!(changed.body["title"], "Tea", "and the rest stays");

    assert_eq!(
        asks(&server, "ana", "DELETE /posts/1", Value::Null).await?.status,
        204,
        "gone"
    );
    assert_eq!(
        asks(&server, "ben", "GET /posts/1", Value::Null).await?.status,
        404,
        "and not there any more"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_patch_tells_what_is_missing_from_what_is_null() -> Check {
    let server = with_users().await?;
    asks(&server, "ana", "PATCH /users/1", json!({ "phone": "030 123" })).await?;

    let kept = asks(&server, "ana", "PATCH /users/1", json!({ "name": "Anna" })).await?;
    assert_eq!(kept.body["phone"], "030 123", "nobody said anything about it");
    let gone = asks(&server, "ana", "PATCH /users/1", json!({ "phone": null })).await?;
    assert_eq!(gone.body["phone"], Value::Null, "null takes the number away");
    let refused = asks(&server, "ana", "PATCH /users/1", json!({ "name": null })).await?;
    assert_eq!(
        (refused.status, &refused.body["field"]),
        (422, &json!("name")),
        "no name?"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_404_in_json() -> Check {
    let server = with_users().await?;

    for (what, body, sentence) in [
        ("GET /users/7", Value::Null, "There is no user 7."),
        ("PATCH /posts/7", json!({}), "There is no post 7."),
        ("DELETE /users/-1", Value::Null, "There is no user -1."),
        ("GET /nowhere", Value::Null, "There is nothing at /api/v1/nowhere."),
        (
            "POST /channels/cats/events",
            json!({ "event": "meow" }),
            "unknown variant `cats`, expected one of `news`, `posts`, `users`",
        ),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        assert_eq!(reply.status, 404, "{what}: {}", reply.body);
        assert_eq!(reply.body, json!({ "message": sentence }), "{what}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_other_rows_is_409_in_json() -> Check {
    let server = with_users().await?;
    let twin = json!({ "name": "Ana II", "email": "ANA@example.org" });
    let taken = "Another user has this e-mail address.";
    let needed = "This user is still needed: delete the posts first.";

    for (what, body, sentence) in [
        ("POST /users", twin, taken),
        ("PATCH /users/2", json!({ "email": "ana@example.org" }), taken),
        ("DELETE /users/1", Value::Null, needed),
    ] {
        let reply = asks(&server, "ana", what, body).await?;
        assert_eq!(reply.status, 409, "{what}: {}", reply.body);
        assert_eq!(reply.body, json!({ "message": sentence }), "{what}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_wrong_field_is_422_and_is_named() -> Check {
    let server = with_users().await?;
    let good = json!({ "name": "Cem", "email": "cem@example.org" });
    let with = |field: &str, value: Value| {
        let mut user = good.clone();
        user[field] = value;
        user
    };

    let mut bad = vec![
        ("POST /users", json!({ "email": "cem@example.org" }), "name"),
        ("POST /users", json!({ "name": "Cem" }), "email"),
        ("POST /users", with("shoe_size", json!(42)), "shoe_size"),
        ("POST /users", with("id", json!(7)), "id"),
        ("POST /users", with("created_at", json!("2026-11-21T09:30:00Z")), "created_at"),
        ("POST /users", with("is_active", json!("yes")), "is_active"),
        ("PATCH /users/1", json!({ "is_active": null }), "is_active"),
        ("POST /posts", json!({ "user_id": 1, "body": "" }), "title"),
        ("POST /posts", json!({ "user_id": 7, "title": "?", "body": "" }), "user_id"),
        ("POST /posts", json!({ "user_id": "1", "title": "?", "body": "" }), "user_id"),
        ("PATCH /posts/1", json!({ "user_id": 7 }), "user_id"),
        ("PATCH /posts/1", json!({ "body": "x".repeat(2_001) }), "body"),
        ("POST /channels/users/events", json!({ "event": "no spaces" }), "event"),
        ("POST /channels/users/events", json!({ "event": "" }), "event"),
        ("POST /announcements", json!({ "message": " " }), "message"),
    ];
    for name in [json!(""), json!(" \n"), json!("a\nb"), json!("x".repeat(101)), json!(7)]
    {
        bad.push(("POST /users", with("name", name), "name"));
    }
    for email in [
        "",
        "cem",
        "cem@",
        "@example.org",
        "cem@example",
        "cem@.org",
        "cem@example.",
        "c em@example.org",
        "cem@exa mple.org",
        "cem@a@example.org",
        "cem\u{0}@example.org",
    ] {
        bad.push(("POST /users", with("email", json!(email)), "email"));
    }
    bad.push((
        "PATCH /users/1",
        json!({ "email": format!("{}@example.org", "x".repeat(65)) }),
        "email",
    ));
    for phone in [json!("12"), json!("call me"), json!("1".repeat(16)), json!(49301234)] {
        bad.push(("POST /users", with("phone", phone), "phone"));
    }

    for (what, body, field) in bad {
        let reply = asks(&server, "ana", what, body.clone()).await?;
        assert_eq!(reply.status, 422, "{what} {body}: {}", reply.body);
        assert_eq!(reply.body["field"], field, "{what} {body}: {}", reply.body);
        assert!(reply.body["message"].is_string(), "and why: {}", reply.body);
    }
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!(list.version, Some(3), "none of these has changed anything");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn odd_names_and_addresses_are_welcome() -> Check {
    let server = serve(app());
    let users = [
        ("Zoë O'Brien-Łukasz", "zoë+tea@sub.example.org"),
        ("'); DROP TABLE users; --", "o'brien@example.org"),
        ("王小明", "x@例え.jp"),
    ];

    for (name, email) in users {
        let user = json!({ "name": name, "email": email });
        let reply = asks(&server, "ana", "POST /users", user).await?;
        assert_eq!(reply.status, 201, "{name}: {}", reply.body);
        assert_eq!(reply.body["name"], name, "text is text");
    }
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!(list.body.as_array().map(Vec::len), Some(3), "they are all there");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_at_all_is_answered_in_json() -> Check {
    let server = with_users().await?;
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(40_000));

    for (method, path, kind, body, status) in [
        ("POST", "/users", "application/json", "{", 400),
        ("POST", "/users", "application/json", "", 400),
        ("POST", "/users", "text/plain", "{}", 415),
        ("POST", "/users", "application/json", "[]", 422),
        (
            "POST",
            "/users",
            "application/json",
            r#"["Dora","dora@example.org",null]"#,
            422,
        ),
        ("PATCH", "/users/1", "application/json", "[]", 422),
        ("GET", "/ws", "text/plain", "", 400),
        ("GET", "/ws/users", "text/plain", "", 400),
        ("POST", "/users", "application/json", &long, 413),
        ("GET", "/users/abc", "text/plain", "", 400),
        ("GET", "/users/99999999999999999999", "text/plain", "", 400),
        ("GET", "/users/%FF", "text/plain", "", 400),
        ("GET", "/users?limit=many", "text/plain", "", 400),
        ("GET", "/users?after=x", "text/plain", "", 400),
        ("DELETE", "/users/1?announce=maybe", "text/plain", "", 400),
        ("PUT", "/users/1", "application/json", "{}", 405),
        ("GET", "/announcements", "text/plain", "", 405),
    ] {
        let what = format!("{method} {path}");
        let reply =
            sends(&server, &[bearer("ana")], &what, kind, body.to_owned()).await?;
        assert_eq!(reply.status, status, "{what}: {}", reply.body);
        assert!(reply.body["message"].is_string(), "{what}: {}", reply.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_makes_changes_faster_than_the_limit() -> Check {
    let server = with_users().await?;
    let news = json!({ "event": "news" });

    let mut refused = None;
    for _ in 0..=200 {
        let reply =
            asks(&server, "ben", "POST /channels/users/events", news.clone()).await?;
        if reply.status == 429 {
            refused = Some(reply.body);
            break;
        }
    }
    let sentence = json!({ "message": "Too many requests. Try again in 1 s." });
    assert_eq!(refused, Some(sentence), "after 200 at once it is too much");
    let reply = asks(&server, "ben", "GET /users", Value::Null).await?;
    assert_eq!(reply.status, 200, "to read is no change");
    let reply = asks(&server, "ana", "POST /channels/users/events", news.clone()).await?;
    assert_eq!(reply.status, 202, "and Ana has a rate of her own");
    sleep(Duration::from_secs(1)).await;
    let reply = asks(&server, "ben", "POST /channels/users/events", news).await?;
    assert_eq!(reply.status, 202, "a second later he may go on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_data_of_an_event_are_as_long_as_we_write_them() -> Check {
    let server = serve(app());
    let short_here = format!("[{}1]", "1e15,".repeat(1_000)); // 5 bytes here, 19 there.
    let data: Value = serde_json::from_str(&short_here).unwrap_or_default();

    for data in [json!("x".repeat(8 * 1024)), data] {
        let event = json!({ "event": "news", "data": data });
        let reply = asks(&server, "ana", "POST /channels/users/events", event).await?;
        assert_eq!((reply.status, &reply.body["field"]), (422, &json!("data")));
    }
    let longest = json!({ "event": "news", "data": "x".repeat(8 * 1024 - 2) });
    let reply = asks(&server, "ana", "POST /channels/users/events", longest).await?;
    assert_eq!(reply.status, 202, "with its quotation marks that is the limit");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_parts() -> Check {
    let server = serve(app());
    for i in 1..=5 {
        let user =
            json!({ "name": format!("User {i}"), "email": format!("{i}@example.org") });
        asks(&server, "ana", "POST /users", user).await?;
    }
    let ids = |reply: &Reply| -> Vec<Value> {
        reply
            .body
            .as_array()
            .map(|users| users.iter().map(|user| user["id"].clone()).collect())
            .unwrap_or_default()
    };

    let first = asks(&server, "ana", "GET /users?limit=2", Value::Null).await?;
    let next = first.next.clone().unwrap_or_default();
    assert_eq!(
        (ids(&first), &*next),
        (vec![json!(1), json!(2)], "/users?after=2&limit=2")
    );
    asks(&server, "ana", "DELETE /users/2", Value::Null).await?;
    let second = asks(&server, "ana", &format!("GET {next}"), Value::Null).await?;
    assert_eq!(ids(&second), [3, 4], "it goes on behind one that is gone");
    let next = second.next.unwrap_or_default();
    let last = asks(&server, "ana", &format!("GET {next}"), Value::Null).await?;
    assert_eq!((ids(&last), last.next), (vec![json!(5)], None), "the end");
    for limit in ["0", "1"] {
        let what = format!("GET /users?limit={limit}");
        assert_eq!(
            ids(&asks(&server, "ana", &what, Value::Null).await?),
            [1],
            "at least one"
        );
    }
    let what = "GET /users?limit=1000000000";
    assert_eq!(
        asks(&server, "ana", what, Value::Null).await?.status,
        200,
        "a lot is a lot"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_client_wrote_is_repeated_in_part_only() -> Check {
    let server = with_users().await?;
    let key = "x".repeat(30_000);

    let reply = asks(&server, "ana", "POST /users", json!({ key: 1 })).await?;

    assert_eq!(reply.status, 422, "there is no such field");
    let length = reply.body.to_string().len();
    assert!(length < 1_000, "the answer to 30 KB has {length} bytes");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_field_may_have_any_name_in_the_sentence_about_it() -> Check {
    let server = with_users().await?;

    let body = json!({ "name at line 3": 1 });
    let reply = asks(&server, "ana", "POST /users", body).await?;

    let message = reply.body["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("unknown field `name at line 3`, "), "{message}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_is_never_given_twice() -> Check {
    let server = with_users().await?;
    asks(&server, "ana", "DELETE /users/2", Value::Null).await?;

    let cem = json!({ "name": "Cem", "email": "cem@example.org" });
    let reply = asks(&server, "ana", "POST /users", cem).await?;

    assert_eq!(reply.body["id"], 3, "a late message about user 2 must not mean Cem");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_at_the_data_without_signing_in() -> Check {
    let server = with_users().await?;

    for what in [
        "GET /users",
        "POST /users",
        "GET /users/1",
        "PATCH /users/1",
        "DELETE /users/1",
        "GET /posts",
        "POST /channels/users/events",
        "POST /announcements",
        "GET /ws/stats",
        "GET /nowhere",
    ] {
        let reply = asks_with(&server, &[], what, Value::Null).await?;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        assert_eq!(reply.body["message"], MISSING, "{what}");
    }
    for path in ["/api/v1/ws", "/api/v1/ws/users"] {
        server.rejects("Eve", path, 401).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_can_do_nothing() -> Check {
    let server = with_users().await?;
    let headers = |origin: &str| {
        [
            ("cookie", format!("{}={}", COOKIE, token("ana"))),
            ("origin", origin.to_owned()),
        ]
    };

    let stranger = headers("http://evil.example");
    let reply = asks_with(&server, &stranger, "DELETE /users/2", Value::Null).await?;
    assert_eq!(reply.status, 403, "{}", reply.body);
    let path = "/api/v1/ws/users";
    let cookie = stranger[0].1.as_str();
    let headers_of_eve = [("cookie", cookie), ("origin", "http://evil.example")];
    server.rejects_with("Eve", path, &headers_of_eve, 403).await?;

    let own = headers("http://127.0.0.1:8000");
    let reply = asks_with(&server, &own, "DELETE /users/2", Value::Null).await?;
    assert_eq!(reply.status, 204, "our own page may: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_given_twice_is_refused() -> Check {
    let server = with_users().await?;

    for (what, body, field) in [
        ("POST /users", r#"{"name":"C","email":"c@example.org","name":"D"}"#, "name"),
        ("POST /users", r#"{"name":"C","email":"c@d.org","email":"d@d.org"}"#, "email"),
        ("PATCH /users/1", r#"{"phone":null,"phone":"030 123"}"#, "phone"),
        ("PATCH /users/1", r#"{"name":"C","na\u006de":"C"}"#, "name"),
        ("POST /posts", r#"{"user_id":1,"user_id":1,"title":"?","body":""}"#, "user_id"),
        ("PATCH /posts/1", r#"{"title":"C","title":"D"}"#, "title"),
        ("PATCH /posts/1", r#"{"body":"","body":""}"#, "body"),
        ("POST /channels/users/events", r#"{"event":"a","event":"b"}"#, "event"),
        ("POST /channels/users/events", r#"{"event":"a","data":1,"data":2}"#, "data"),
        ("POST /announcements", r#"{"message":"a","message":"b"}"#, "message"),
    ] {
        let text = body.to_owned();
        let reply =
            sends(&server, &[bearer("ana")], what, "application/json", text).await?;
        assert_eq!(reply.status, 422, "{what} {body}: {}", reply.body);
        let sentence = format!("duplicate field `{field}`");
        assert_eq!(reply.body["message"], sentence, "{what} {body}");
    }
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!(list.version, Some(3), "none of these has changed anything");
    Ok(())
}
