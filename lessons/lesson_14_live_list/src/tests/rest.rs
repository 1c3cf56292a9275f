//! The list over HTTP.

use probe::{Check, ONE_MINUTE, serve};
use serde_json::{Value, json};

use super::{
    NONE, adds, app, app_and_users, asks, asks_with, greeting, new_user, people::token,
    subscribes, user, ws_path,
};

/// What needs a user who has signed in, on a page that may ask.
const REQUESTS: [&str; 4] =
    ["GET /users", "POST /users", "PATCH /users/1", "DELETE /users/1"];

#[tokio::test(start_paused = true)]
async fn users_can_be_created_listed_changed_and_deleted() -> Check {
    let server = serve(app());

    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!((reply.status, reply.version), (200, Some(0)), "no change yet");
    assert_eq!(reply.json(), json!([]), "and no user: an array");

    let reply = asks(&server, "ana", "POST /users", new_user("Dora")).await?;
    assert_eq!((reply.status, reply.version), (201, Some(1)), "the first change");
    assert_eq!(reply.json(), user(1, "Dora"), "who is new, is active");

    let body = json!({ "name": "Theodora", "is_active": false });
    let reply = asks(&server, "ben", "PATCH /users/1", body).await?;
    let mut changed = user(1, "Dora");
    changed["name"] = "Theodora".into();
    changed["is_active"] = false.into();
    assert_eq!((reply.status, reply.version), (200, Some(2)), "the second change");
    assert_eq!(reply.json(), changed, "what is not in the body stays as it is");

    let reply = asks(&server, "cem", "GET /users", NONE).await?;
    assert_eq!((reply.status, reply.version), (200, Some(2)), "the list has it");
    assert_eq!(reply.json(), json!([changed]), "for everybody");

    let reply = asks(&server, "ana", "DELETE /users/1", NONE).await?;
    assert_eq!((reply.status, reply.version), (204, Some(3)), "the third change");
    assert_eq!(reply.body, "", "204 has no body");
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!((reply.version, reply.json()), (Some(3), json!([])), "gone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_field_can_be_changed_by_itself() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    let mut expected = user(1, "Dora");

    for (field, value) in [
        ("name", json!("Theodora")),
        ("email", json!("theo@example.org")),
        ("is_active", json!(false)),
    ] {
        let reply =
            asks(&server, "ana", "PATCH /users/1", json!({ field: value })).await?;
        expected[field] = value;
        assert_eq!(reply.json(), expected, "{field} and nothing else");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_list_has_the_order_of_the_ids_and_no_id_comes_twice() -> Check {
    let server = serve(app());
    for name in ["Dora", "Emil", "Fay"] {
        adds(&server, name).await?;
    }

    asks(&server, "ana", "DELETE /users/3", NONE).await?;
    adds(&server, "Gus").await?;

    let users = asks(&server, "ana", "GET /users", NONE).await?.json();
    let expected = [user(1, "Dora"), user(2, "Emil"), user(4, "Gus")];
    assert_eq!(users, json!(expected), "a late event about 3 must not mean Gus");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_has_not_signed_in_gets_401() -> Check {
    let server = serve(app());

    for what in REQUESTS {
        let json = [("content-type", "application/json")];
        let reply = asks_with(&server, &json, what, new_user("Eve").to_string()).await?;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(0), "nothing has changed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_gets_403() -> Check {
    let server = serve(app());
    let cookie = format!("{}_token={}", env!("CARGO_PKG_NAME"), token("ana"));

    for what in REQUESTS {
        let headers = [("cookie", &*cookie), ("origin", "http://evil.example")];
        let reply = asks_with(&server, &headers, what, String::new()).await?;
        assert_eq!(reply.status, 403, "{what}: {}", reply.body);
    }
    let own = [("cookie", &*cookie), ("origin", "http://127.0.0.1:8000")];
    let reply = asks_with(&server, &own, "GET /users", String::new()).await?;
    assert_eq!(reply.status, 200, "our own page may: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_gets_404() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;

    for what in ["PATCH /users/7", "DELETE /users/7", "PATCH /users/-1"] {
        let reply = asks(&server, "ana", what, json!({})).await?;
        let id = what.rsplit('/').next().unwrap_or_default();
        assert_eq!(reply.status, 404, "{what}: {}", reply.body);
        assert_eq!(reply.body, format!("There is no user {id}."), "{what}");
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(1), "only Dora was a change");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_read_changes_nothing() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    let mut ana = subscribes(&server, "ana").await?;
    let bearer = format!("Bearer {}", token("ana"));
    let long = new_user(&"x".repeat(600)).to_string();

    for (what, kind, body, status) in [
        ("POST /users", "application/json", "{", 400),
        ("POST /users", "application/json", "", 400),
        ("POST /users", "text/plain", "{}", 415),
        ("POST /users", "application/json", "{}", 422),
        ("POST /users", "application/json", r#"{"name":"Emil"}"#, 422),
        ("POST /users", "application/json", r#"{"name":1,"email":"e@b.org"}"#, 422),
        ("POST /users", "application/json", r#"{"name":"E","email":"","id":7}"#, 422),
        ("POST /users", "application/json", &long, 413),
        ("PATCH /users/1", "application/json", r#"{"is_active":"no"}"#, 422),
        ("PATCH /users/1", "application/json", r#"{"phone":"030"}"#, 422),
        ("PATCH /users/1", "application/json", &long, 413),
        ("PATCH /users/abc", "application/json", "{}", 400),
        ("DELETE /users/abc", "text/plain", "", 400),
        ("PUT /users/1", "application/json", "{}", 405),
        ("GET /users/1", "text/plain", "", 405),
    ] {
        let headers = [("authorization", &*bearer), ("content-type", kind)];
        let reply = asks_with(&server, &headers, what, body.to_owned()).await?;
        assert_eq!(reply.status, status, "{what} {body}: {}", reply.body);
    }

    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    let expected = (Some(1), json!([user(1, "Dora")]));
    assert_eq!((reply.version, reply.json()), expected, "Dora is as she was");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_full_list_is_a_conflict_until_somebody_leaves_it() -> Check {
    let (app, users) = app_and_users();
    let server = serve(app);
    for _ in 0..1_000 {
        let new = serde_json::from_value(new_user("Dora")).expect("a good user");
        users.create(new).expect("there is room");
    }

    let reply = asks(&server, "ana", "POST /users", new_user("Emil")).await?;
    assert_eq!(reply.status, 409, "one too many: {}", reply.body);
    assert_eq!(reply.body, "The list is full: it has 1000 users.", "it says why");
    assert_eq!(reply.version, None, "it was no change");

    asks(&server, "ana", "DELETE /users/7", NONE).await?;
    let reply = asks(&server, "ana", "POST /users", new_user("Emil")).await?;
    assert_eq!((reply.status, reply.version), (201, Some(1_002)), "now there is room");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn text_is_text() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let name = "Zoë \"O'Brien\" <b>王小明</b> \u{1}";

    let body = json!({ "name": name, "email": "" });
    let reply = asks(&server, "ana", "POST /users", body).await?;

    let users = asks(&server, "ana", "GET /users", NONE).await?.json();
    let event: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    for place in [&reply.json(), &users[0], &event["data"]] {
        assert_eq!(place["name"], name, "nothing is added, removed or escaped twice");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_socket_is_no_page() -> Check {
    let server = serve(app());

    let reply = asks(&server, "ana", "GET /ws/users", NONE).await?;
    assert_eq!(reply.status, 400, "a request that asks for no upgrade: {}", reply.body);
    let path = format!("/api/v1/ws/posts?token={}", token("ana"));
    server.rejects("Ana", &path, 404).await?;

    let mut ana = server.connect("Ana", &ws_path("ana")).await?;
    ana.hears(greeting()).await
}
