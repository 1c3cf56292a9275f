//! The owners of rows: who may change what.

use probe::{Check, Hint, ONE_MINUTE, Server, serve};
use rusqlite::Connection;
use rusqlite_migration::Migrations;
use serde_json::{Value, json};

use super::{
    app, app_on,
    asking::{asks, subscribes},
    database::TempFile,
};
use crate::database::MIGRATIONS;

const USER: &str = "/users/1";
const POST: &str = "/posts/1";

/// A server on which Ben has created a user and a post.
async fn with_rows_of_ben() -> Result<Server, Hint> {
    let server = serve(app());
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    asks(&server, "ben", "POST /users", user).await?;
    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    asks(&server, "ben", "POST /posts", post).await?;
    Ok(server)
}

fn new_text(path: &str) -> Value {
    if path == USER { json!({ "name": "B" }) } else { json!({ "title": "T" }) }
}

async fn reads(server: &Server, path: &str) -> Result<Value, Hint> {
    Ok(asks(server, "ana", &format!("GET {path}"), Value::Null).await?.body)
}

#[tokio::test(start_paused = true)]
async fn another_person_cannot_change_a_row() -> Check {
    let server = with_rows_of_ben().await?;

    for path in [POST, USER] {
        let before = reads(&server, path).await?;
        let row = path.trim_start_matches('/').replace("s/", " ");
        let sentence = format!("Only its owner may change {row}.");
        for (method, body) in [("PATCH", new_text(path)), ("DELETE", Value::Null)] {
            let what = format!("{method} {path}");
            let reply = asks(&server, "cem", &what, body).await?;
            let got = (reply.status, &reply.body["message"], reply.version);
            assert_eq!(got, (403, &json!(sentence), None), "{what}, which is Ben's");
        }
        assert_eq!(reads(&server, path).await?, before, "the row is as it was");
    }
    let list = asks(&server, "ana", "GET /users", Value::Null).await?;
    assert_eq!(list.version, Some(2), "Ben's two changes were the last");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_posts_under_the_name_of_a_user_who_belongs_to_somebody_else() -> Check {
    let server = with_rows_of_ben().await?;
    let cem = json!({ "name": "Cem", "email": "cem@example.org" });
    asks(&server, "cem", "POST /users", cem).await?;
    let post = json!({ "user_id": 2, "title": "Figs", "body": "I like them." });
    asks(&server, "cem", "POST /posts", post).await?;

    let post = json!({ "user_id": 1, "title": "Tea", "body": "I hate it." });
    for (what, body) in
        [("POST /posts", post.clone()), ("PATCH /posts/2", json!({ "user_id": 1 }))]
    {
        let reply = asks(&server, "cem", what, body).await?;
        let got = (reply.status, &reply.body["message"]);
        let sentence = json!("Only the owner of user 1 may do this.");
        assert_eq!(got, (403, &sentence), "{what}, with a user who is Ben's");
    }

    assert_eq!(reads(&server, "/posts/2").await?["user_id"], 2, "it is still Cem's");
    let reply = asks(&server, "ana", "POST /posts", post).await?;
    assert_eq!(reply.status, 201, "an operator may");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_of_a_change_that_is_forbidden() -> Check {
    let server = with_rows_of_ben().await?;
    let mut ana = subscribes(&server, "ana", "users").await?;

    asks(&server, "cem", "PATCH /users/1", new_text(USER)).await?;
    asks(&server, "cem", "DELETE /users/1", Value::Null).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn the_owner_and_an_operator_can_change_a_row() -> Check {
    for who in ["ben", "ana"] {
        let server = with_rows_of_ben().await?;
        for path in [POST, USER] {
            let patch = format!("PATCH {path}");
            let reply = asks(&server, who, &patch, new_text(path)).await?;
            assert_eq!(reply.status, 200, "{who}: {patch}: {}", reply.body);
            assert_eq!(reply.body["owner"], "ben", "{who}: the owner stays");
            let delete = format!("DELETE {path}");
            let reply = asks(&server, who, &delete, Value::Null).await?;
            assert_eq!(reply.status, 204, "{who}: {delete}: {}", reply.body);
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_owner_of_a_row_is_in_answers_lists_and_events() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana", "users").await?;

    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    let created = asks(&server, "ben", "POST /users", user).await?;
    let event: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let list = reads(&server, "/users").await?;
    let row = reads(&server, USER).await?;

    for owner in [
        &created.body["owner"],
        &event["data"]["owner"],
        &list[0]["owner"],
        &row["owner"],
    ] {
        assert_eq!(owner, "ben", "whatever the name of the row");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_can_give_a_row_to_somebody_else() -> Check {
    let server = with_rows_of_ben().await?;

    for path in [USER, POST] {
        let what = format!("PATCH {path}");
        let reply = asks(&server, "ben", &what, json!({ "owner": "cem" })).await?;
        let got = (reply.status, &reply.body["field"]);
        assert_eq!(got, (422, &json!("owner")), "{what}: {}", reply.body);
    }
    let user = json!({ "name": "Cem", "email": "cem@example.org", "owner": "cem" });
    let reply = asks(&server, "ben", "POST /users", user).await?;
    assert_eq!(
        (reply.status, &reply.body["field"]),
        (422, &json!("owner")),
        "nor a new one"
    );
    Ok(())
}

/// A file as the program wrote it before rows had owners.
fn file_without_owners(name: &str) -> TempFile {
    let file = TempFile::new(name);
    let mut old = Connection::open(&file.0).expect("a new file");
    Migrations::from_slice(&MIGRATIONS[..2]).to_latest(&mut old).expect("they are good");
    old.execute_batch(
        "INSERT INTO users (name, email) VALUES ('Ben', 'ben@example.org');
         INSERT INTO posts (user_id, title, body) VALUES (1, 'Tea', '');",
    )
    .expect("there were no owners");
    file
}

#[tokio::test(start_paused = true)]
async fn rows_from_before_there_were_owners_belong_to_the_operators() -> Check {
    let file = file_without_owners("no-owners");
    let server = serve(app_on(file.open()));

    for path in [POST, USER] {
        let (patch, delete) = (format!("PATCH {path}"), format!("DELETE {path}"));
        for what in [&patch, &delete] {
            let reply = asks(&server, "ben", what, new_text(path)).await?;
            assert_eq!(reply.status, 403, "ben: {what}: {}", reply.body);
        }
        let reply = asks(&server, "ana", &patch, new_text(path)).await?;
        assert_eq!((reply.status, &reply.body["owner"]), (200, &json!("")), "{patch}");
        let reply = asks(&server, "ana", &delete, Value::Null).await?;
        assert_eq!(reply.status, 204, "ana: {delete}: {}", reply.body);
    }
    Ok(())
}
