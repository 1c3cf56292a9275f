//! The models over HTTP: what lesson 16 adds to lesson 15.

use probe::{Check, Hint, Server, serve};
use rusqlite_migration::Migrations;
use serde_json::{Value, json};

use super::{NONE, app, asks, asks_with, makes, new_post, new_user, token, ws_path};
use crate::migrations;

/// A server on which Ben has created a user, Dora, and a post of hers.
async fn with_rows_of_ben() -> Result<Server, Hint> {
    let server = serve(app());
    makes(&server, "ben", "POST /users", new_user("Dora")).await?;
    makes(&server, "ben", "POST /posts", new_post(1, "Tea")).await?;
    Ok(server)
}

#[tokio::test(start_paused = true)]
async fn posts_can_be_created_read_listed_changed_and_deleted() -> Check {
    let server = with_rows_of_ben().await?;
    let mut tea = json!({
        "id": 1, "owner": "ben", "user_id": 1, "title": "Tea", "body": "I like it."
    });

    let read = asks(&server, "cem", "GET /posts/1", NONE).await?;
    assert_eq!((read.status, &read.body), (200, &tea), "everybody can read it");
    let list = asks(&server, "cem", "GET /posts", NONE).await?;
    assert_eq!((list.body, list.version), (json!([tea]), Some(2)), "the list has it");

    let body = json!({ "body": " I love it.\n" });
    let changed = asks(&server, "ben", "PATCH /posts/1", body).await?;
    tea["body"] = "I love it.".into();
    assert_eq!((changed.body, changed.version), (tea, Some(3)), "the rest stays");

    let deleted = asks(&server, "ben", "DELETE /posts/1", NONE).await?;
    assert_eq!((deleted.status, deleted.version), (204, Some(4)), "a change, too");
    let read = asks(&server, "cem", "GET /posts/1", NONE).await?;
    assert_eq!(read.body, json!({ "message": "There is no post 1." }), "it is gone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_user_who_has_posts_cannot_be_deleted() -> Check {
    let server = with_rows_of_ben().await?;

    let reply = asks(&server, "ben", "DELETE /users/1", NONE).await?;
    let sentence = json!({ "message": "Other rows need user 1: delete those first." });
    assert_eq!((reply.status, reply.body), (409, sentence), "Dora has a post");
    assert_eq!(reply.version, None, "nothing has changed");

    makes(&server, "ben", "DELETE /posts/1", NONE).await?;
    makes(&server, "ben", "DELETE /users/1", NONE).await
}

#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_makes_no_difference() -> Check {
    let server = serve(app());

    for (what, body, status) in [
        ("POST /users/", new_user("Dora"), 201),
        ("GET /users/", NONE, 200),
        ("GET /users/1/", NONE, 200),
        ("PATCH /users/1/", json!({ "name": "D" }), 200),
        ("POST /posts/", new_post(1, "Tea"), 201),
        ("GET /posts/", NONE, 200),
        ("DELETE /posts/1/", NONE, 204),
        ("POST /channels/users/events/", json!({ "event": "hello" }), 202),
        ("POST /announcements/", json!({ "message": "Tea is ready." }), 202),
        ("GET /ws/stats/", NONE, 200),
        ("PUT /users/", NONE, 405),
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
async fn a_list_comes_in_parts_and_each_names_the_next() -> Check {
    let server = with_rows_of_ben().await?;
    makes(&server, "ben", "POST /posts", new_post(1, "Jam")).await?;
    makes(&server, "ben", "POST /posts", new_post(1, "Figs")).await?;

    let mut titles = Vec::new();
    let mut next = Some("/posts/?limit=2".to_owned());
    while let Some(path) = next {
        let reply = asks(&server, "ana", &format!("GET {path}"), NONE).await?;
        let rows = reply.body.as_array().expect("a list");
        titles.push(rows.iter().map(|row| row["title"].clone()).collect::<Value>());
        next = reply.link.map(|link| {
            let path = link.strip_prefix("</api/v1").expect("a path of this API");
            path.strip_suffix(r#">; rel="next""#).expect("the next part").to_owned()
        });
    }

    let expected = [json!(["Tea", "Jam"]), json!(["Figs"])];
    assert_eq!(titles, expected, "two, and then the last");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_person_cannot_change_a_row_and_nor_can_an_operator() -> Check {
    let server = with_rows_of_ben().await?;

    for (path, row) in [("/posts/1", "post 1"), ("/users/1", "user 1")] {
        let sentence = json!({ "message": format!("Only its owner may change {row}.") });
        for (name, method) in
            [("cem", "PATCH"), ("cem", "DELETE"), ("ana", "PATCH"), ("ana", "DELETE")]
        {
            let what = format!("{method} {path}");
            let reply = asks(&server, name, &what, json!({})).await?;
            let expected = (403, &sentence, None);
            assert_eq!(
                (reply.status, &reply.body, reply.version),
                expected,
                "{what} by {name}"
            );
        }
    }
    Ok(())
}

/// A page reads each answer as JSON.
#[tokio::test(start_paused = true)]
async fn a_wrong_path_and_a_wrong_method_are_answered_in_json() -> Check {
    let server = serve(app());
    let not_utf8 = "Invalid URL: Invalid UTF-8 in `channel`";

    for (what, status, sentence) in [
        ("GET /cats", 404, "There is nothing at this path."),
        ("GET /users/1/friends", 404, "There is nothing at this path."),
        ("PUT /users", 405, "This method is not allowed here."),
        ("PUT /posts/1/", 405, "This method is not allowed here."),
        ("GET /announcements", 405, "This method is not allowed here."),
        ("POST /channels/%ff/events", 400, not_utf8),
    ] {
        let body = json!({ "event": "hello" });
        let reply = asks(&server, "ana", what, body).await?;
        let expected = (status, json!({ "message": sentence }));
        assert_eq!((reply.status, reply.body), expected, "{what}");
    }
    let rejection = server.rejects("Ana", &ws_path("ana", "/%ff"), 400).await?;
    assert_eq!(
        serde_json::from_str::<Value>(&rejection.body).ok(),
        Some(json!({ "message": not_utf8 })),
        "before an upgrade, too"
    );
    let rejection = server.rejects("Ana", &ws_path("ana", "?client_id="), 400).await?;
    let body = serde_json::from_str::<Value>(&rejection.body).unwrap_or_default();
    assert!(body["message"].is_string(), "a wrong client_id, too: {}", rejection.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_wrong_field_of_a_post_is_422_and_is_named() -> Check {
    let server = with_rows_of_ben().await?;
    let with = |field: &str, value: Value| {
        let mut post = new_post(1, "Tea");
        post[field] = value;
        post
    };

    for (what, body, field) in [
        ("POST /posts", json!({ "user_id": 1, "body": "I like it." }), "title"),
        ("POST /posts", json!({ "user_id": 1, "title": "Tea" }), "body"),
        ("POST /posts", json!({ "title": "Tea", "body": "I like it." }), "user_id"),
        ("POST /posts", new_post(7, "Tea"), "user_id"),
        ("POST /posts", with("user_id", json!("1")), "user_id"),
        ("POST /posts", with("title", json!("two\nlines")), "title"),
        ("POST /posts", with("id", json!(7)), "id"),
        ("POST /posts", with("owner", json!("cem")), "owner"),
        ("PATCH /posts/1", json!({ "user_id": 7 }), "user_id"),
        ("PATCH /posts/1", json!({ "title": null }), "title"),
        ("PATCH /posts/1", json!({ "body": "" }), "body"),
        ("PATCH /posts/1", json!({ "body": "x".repeat(2_001) }), "body"),
        ("POST /announcements", json!({ "message": " " }), "message"),
    ] {
        let reply = asks(&server, "ben", what, body.clone()).await?;
        assert_eq!(reply.status, 422, "{what} {body}: {}", reply.body);
        assert_eq!(reply.body["field"], field, "{what} {body}: {}", reply.body);
    }
    let list = asks(&server, "ana", "GET /posts", NONE).await?;
    assert_eq!(list.version, Some(2), "none of these has changed anything");
    makes(&server, "ben", "PATCH /posts/1", json!({ "body": "😀".repeat(2_000) })).await
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_at_the_api_without_signing_in() -> Check {
    let server = with_rows_of_ben().await?;

    for what in [
        "GET /users",
        "GET /users/1",
        "PATCH /users/1",
        "GET /posts",
        "POST /posts",
        "DELETE /posts/1",
        "POST /channels/users/events",
        "POST /announcements",
        "GET /ws/stats",
    ] {
        let reply = asks_with(&server, &[], what, json!({})).await?;
        let sentence = json!({ "message": "Sign in first: a token is missing." });
        assert_eq!((reply.status, reply.body), (401, sentence), "{what}");
    }
    server.rejects("Eve", "/api/v1/ws", 401).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_gets_403() -> Check {
    let server = with_rows_of_ben().await?;
    let cookie = format!("{}_token={}", env!("CARGO_PKG_NAME"), token("ben"));
    let origin = |origin: &str| [("cookie", cookie.clone()), ("origin", origin.into())];

    for what in ["DELETE /posts/1", "POST /announcements", "GET /ws/stats"] {
        let headers = origin("https://evil.example");
        let reply = asks_with(&server, &headers, what, NONE).await?;
        assert_eq!(reply.status, 403, "{what}: {}", reply.body);
        assert!(reply.body["message"].is_string(), "{what}: {}", reply.body);
    }
    let own = origin("http://127.0.0.1:8000");
    let headers = [own[0].clone(), own[1].clone(), ("host", "127.0.0.1:8000".into())];
    let reply = asks_with(&server, &headers, "DELETE /posts/1", NONE).await?;
    assert_eq!(reply.status, 204, "our own page may: {}", reply.body);
    Ok(())
}

#[test]
fn a_file_of_lesson_15_gets_the_table_of_posts() {
    let mut db = rusqlite::Connection::open_in_memory().expect("memory is always there");
    let user = "INSERT INTO users (owner, name, email) VALUES ('ben', 'D', 'd@b.org')";
    let post =
        "INSERT INTO posts (owner, user_id, title, body) VALUES ('b', 1, 't', 'b')";
    let migrate = |db: &mut _, steps: &[_]| Migrations::from_slice(steps).to_latest(db);

    migrate(&mut db, lesson_15_database::MIGRATIONS).expect("the steps of lesson 15");
    db.execute(user, []).expect("a user of lesson 15");
    migrate(&mut db, &migrations()).expect("the steps of lesson 16, behind them");

    assert_eq!(db.execute(post, []), Ok(1), "the user is there, and may have a post");
}
