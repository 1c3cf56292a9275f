//! The list over HTTP.

use probe::{Check, ONE_MINUTE, serve};
use serde_json::{Value, json};

use super::{
    JSON, NONE, adds, app, asks, asks_with, bearer, event, new_user, next_event,
    people::token, subscribes, take_time, user,
};

/// What needs a user who has signed in, on a page that may ask.
const REQUESTS: [&str; 6] = [
    "GET /users",
    "POST /users",
    "GET /users/1",
    "PATCH /users/1",
    "DELETE /users/1",
    "GET /nowhere",
];

#[tokio::test(start_paused = true)]
async fn users_can_be_created_read_listed_changed_and_deleted() -> Check {
    let server = serve(app());

    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!((reply.status, reply.version), (200, Some(0)), "no change yet");
    assert_eq!(reply.body, json!([]), "and no user: an array");

    let mut reply = asks(&server, "ben", "POST /users", new_user("Dora")).await?;
    let time = take_time(&mut reply.body);
    assert_eq!((reply.status, reply.version), (201, Some(1)), "the first change");
    assert_eq!(reply.body, user(1, "Dora"), "it is Ben's, and active");
    let time = time.as_str().unwrap_or_default();
    assert!(time.len() == 24 && time.ends_with('Z'), "RFC 3339, UTC: {time}");

    let mut reply = asks(&server, "cem", "GET /users/1", NONE).await?;
    take_time(&mut reply.body);
    assert_eq!((reply.status, reply.body), (200, user(1, "Dora")), "for everybody");

    let body = json!({ "name": "Theodora", "is_active": false });
    let mut reply = asks(&server, "ben", "PATCH /users/1", body).await?;
    let mut changed = user(1, "Dora");
    changed["name"] = "Theodora".into();
    changed["is_active"] = false.into();
    let changed_time = take_time(&mut reply.body);
    assert_eq!((reply.status, reply.version), (200, Some(2)), "the second change");
    assert_eq!(reply.body, changed, "what is not in the body stays as it is");
    assert_eq!(changed_time, time, "it was created when it was created");

    let mut reply = asks(&server, "cem", "GET /users", NONE).await?;
    take_time(&mut reply.body[0]);
    assert_eq!((reply.status, reply.version), (200, Some(2)), "the list has it");
    assert_eq!((reply.body, reply.link), (json!([changed]), None), "and no more");

    let reply = asks(&server, "ben", "DELETE /users/1", NONE).await?;
    assert_eq!((reply.status, reply.version), (204, Some(3)), "the third change");
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!((reply.version, reply.body), (Some(3), json!([])), "gone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_receives_every_change() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let mut cem = subscribes(&server, "cem").await?;

    adds(&server, "Dora").await?;
    asks(&server, "ben", "PATCH /users/1", json!({ "phone": "030 123" })).await?;
    asks(&server, "ben", "DELETE /users/1", NONE).await?;

    let mut changed = user(1, "Dora");
    changed["phone"] = "030 123".into();
    for client in [&mut ana, &mut cem] {
        assert_eq!(next_event(client).await?, event("created", 1, user(1, "Dora")), "1");
        assert_eq!(next_event(client).await?, event("updated", 2, changed.clone()), "2");
        assert_eq!(
            next_event(client).await?,
            event("deleted", 3, json!({ "id": 1 })),
            "3"
        );
        client.hears_nothing_for(ONE_MINUTE).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_is_never_used_again() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    asks(&server, "ben", "DELETE /users/1", NONE).await?;

    let reply = asks(&server, "ben", "POST /users", new_user("Emil")).await?;

    assert_eq!(reply.body["id"], 2, "a late event about user 1 must not mean Emil");
    Ok(())
}

/// The ids of a part of a list.
fn ids(list: &Value) -> Vec<i64> {
    let rows = list.as_array().into_iter().flatten();
    rows.filter_map(|row| row["id"].as_i64()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_list_of_250_comes_in_three_parts_and_each_names_the_next() -> Check {
    let server = serve(app());
    for number in 1..=250 {
        adds(&server, &format!("User{number}")).await?;
    }

    let mut all = Vec::new();
    let mut parts = Vec::new();
    let mut next = Some("/users".to_owned());
    while let Some(path) = next {
        let reply = asks(&server, "ana", &format!("GET {path}"), NONE).await?;
        assert_eq!((reply.status, reply.version), (200, Some(250)), "{path}");
        let part = ids(&reply.body);
        parts.push(part.len());
        all.extend(part);
        next = reply.link.map(|link| {
            let path = link.strip_prefix("</api/v1");
            let path = path.and_then(|path| path.strip_suffix(r#">; rel="next""#));
            path.unwrap_or_else(|| panic!("a link of RFC 8288, and not {link}"))
                .to_owned()
        });
    }

    assert_eq!(parts, [100, 100, 50], "and the last one has no link");
    assert!(all.iter().copied().eq(1..=250), "each once, in order: {all:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_part_has_as_many_rows_as_the_client_wants_and_at_most_100() -> Check {
    let server = serve(app());
    for number in 1..=101 {
        adds(&server, &format!("User{number}")).await?;
    }

    for (query, rows, next) in [
        ("", 100, Some("after=100&limit=100")),
        ("?limit=2", 2, Some("after=2&limit=2")),
        ("?limit=2&after=50", 2, Some("after=52&limit=2")),
        ("?limit=0", 1, Some("after=1&limit=1")),
        ("?limit=1000000", 100, Some("after=100&limit=100")),
        ("?limit=100&after=1", 100, None),
        ("?after=100", 1, None),
        ("?after=101", 0, None),
        ("?after=-7", 100, Some("after=100&limit=100")),
    ] {
        let reply = asks(&server, "ana", &format!("GET /users{query}"), NONE).await?;
        let next = next.map(|next| format!("</api/v1/users?{next}>; rel=\"next\""));
        assert_eq!((ids(&reply.body).len(), reply.link), (rows, next), "{query}");
    }
    for query in ["?limit=many", "?limit=-1", "?after=9223372036854775808"] {
        let reply = asks(&server, "ana", &format!("GET /users{query}"), NONE).await?;
        assert_eq!(reply.status, 400, "{query}: {}", reply.body);
        assert!(reply.body["message"].is_string(), "{query}: {}", reply.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_has_not_signed_in_gets_401() -> Check {
    let server = serve(app());

    for what in REQUESTS {
        let json = [("content-type", JSON.to_owned())];
        let reply = asks_with(&server, &json, what, new_user("Eve").to_string()).await?;
        assert_eq!(reply.status, 401, "{what}: {}", reply.body);
        let sentence = "Sign in first: a token is missing.";
        assert_eq!(reply.body, json!({ "message": sentence }), "{what}");
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(0), "nothing has changed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_makes_no_difference() -> Check {
    let server = serve(app());

    let reply = asks(&server, "ben", "POST /users/", new_user("Dora")).await?;
    assert_eq!(reply.status, 201, "FastAPI's clients write it: {}", reply.body);
    let reply = asks(&server, "ben", "GET /users/1/", NONE).await?;
    assert_eq!(reply.status, 200, "for a row, too: {}", reply.body);
    let path = super::ws_path("ana").replace("/users?", "/users/?");
    let mut ana = server.connect("ana", &path).await?;
    ana.hears_any().await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_401_says_which_kind_of_token_is_missing() -> Check {
    let server = serve(app());

    let response = server.get("/api/v1/users").await?;

    let kind = response.headers.get("www-authenticate");
    assert_eq!(kind.map(|it| it.as_bytes()), Some(&b"Bearer"[..]), "RFC 9110, 15.5.2");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_gets_403() -> Check {
    let server = serve(app());
    let cookie = format!("{}_token={}", env!("CARGO_PKG_NAME"), token("ana"));
    let headers =
        |origin: &str| [("cookie", cookie.clone()), ("origin", origin.to_owned())];

    for what in REQUESTS {
        let headers = headers("http://evil.example");
        let reply = asks_with(&server, &headers, what, String::new()).await?;
        assert_eq!(reply.status, 403, "{what}: {}", reply.body);
        assert!(reply.body["message"].is_string(), "{what}: {}", reply.body);
    }
    let own = headers("http://127.0.0.1:8000");
    let reply = asks_with(&server, &own, "GET /users", String::new()).await?;
    assert_eq!(reply.status, 200, "our own page may: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_error_is_json_with_a_sentence() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    let long = new_user(&"x".repeat(33_000)).to_string();

    for (what, kind, body, status) in [
        ("GET /users/7", JSON, "", 404),
        ("PATCH /users/7", JSON, "{}", 404),
        ("DELETE /users/-1", JSON, "", 404),
        ("GET /nowhere", JSON, "", 404),
        ("GET /users/abc", JSON, "", 400),
        ("GET /users/9223372036854775808", JSON, "", 400),
        ("PUT /users/1", JSON, "{}", 405),
        ("DELETE /users", JSON, "", 405),
        ("POST /users", JSON, "{", 400),
        ("POST /users", JSON, "", 400),
        ("POST /users", JSON, "{} {}", 400),
        ("POST /users", "text/plain", "{}", 415),
        ("POST /users", JSON, &long, 413),
        ("POST /users", JSON, "[]", 422),
        ("PATCH /users/1", JSON, "[]", 422),
        ("PATCH /users/1", JSON, r#"["Dora"]"#, 422),
        ("PATCH /users/1", JSON, "null", 422),
        ("PATCH /users/1", JSON, r#""name""#, 422),
    ] {
        let headers = [bearer("ben"), ("content-type", kind.into())];
        let reply = asks_with(&server, &headers, what, body.to_owned()).await?;
        assert_eq!(reply.status, status, "{what} {body}: {}", reply.body);
        let sentence = reply.body["message"].as_str().unwrap_or_default();
        assert!(!sentence.is_empty(), "{what} {body}: {}", reply.body);
        assert_eq!(reply.body, json!({ "message": sentence }), "and no field");
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(1), "only Dora was a change");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_email_address_belongs_to_one_user_whatever_its_case() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    adds(&server, "Emil").await?;
    let sentence = json!({ "message": "Another user has this e-mail address." });

    for (what, email) in [
        ("POST /users", "dora@example.org"),
        ("POST /users", "DORA@Example.Org"),
        ("PATCH /users/2", "Dora@example.org"),
    ] {
        let body = json!({ "name": "Twin", "email": email });
        let reply = asks(&server, "ben", what, body).await?;
        assert_eq!((reply.status, &reply.body), (409, &sentence), "{what} {email}");
    }
    let body = json!({ "email": "Dora@Example.org" });
    let reply = asks(&server, "ben", "PATCH /users/1", body).await?;
    assert_eq!(reply.status, 200, "her own, written another way: {}", reply.body);
    assert_eq!(reply.version, Some(3), "the conflicts were no changes");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn text_that_looks_like_sql_or_html_stays_text() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let name = "Bobby'); DROP TABLE users;-- <b>王小明</b>";

    let body = json!({ "name": name, "email": "b'ob@example.org", "phone": "1=1;--" });
    let reply = asks(&server, "ben", "POST /users", body).await?;

    let list = asks(&server, "ana", "GET /users", NONE).await?.body;
    for place in [&reply.body, &list[0], &next_event(&mut ana).await?["data"]] {
        assert_eq!(place["name"], name, "nothing is added, removed or escaped twice");
        assert_eq!(place["email"], "b'ob@example.org", "nor here");
        assert_eq!(place["phone"], "1=1;--", "nor here");
    }
    Ok(())
}
