//! Owners: who may change which row (OWASP API1:2023).

use probe::{Check, ONE_MINUTE, serve};
use serde_json::{Value, json};

use super::{NONE, adds, app, asks, subscribes, take_time, user};

#[tokio::test(start_paused = true)]
async fn who_did_not_create_a_row_cannot_change_it_and_nobody_hears_of_the_attempt()
-> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;
    let mut ana = subscribes(&server, "ana").await?;

    for (what, body) in [
        ("PATCH /users/1", json!({ "name": "Eve was here" })),
        ("PATCH /users/1", json!({})),
        ("DELETE /users/1", NONE),
    ] {
        let reply = asks(&server, "cem", what, body).await?;
        let sentence = json!({ "message": "Only its owner may change user 1." });
        assert_eq!((reply.status, reply.body), (403, sentence), "{what} by Cem");
        assert_eq!(reply.version, None, "it was no change");
    }
    let mut reply = asks(&server, "ana", "GET /users", NONE).await?;
    take_time(&mut reply.body[0]);
    let expected = (Some(1), json!([user(1, "Dora")]));
    assert_eq!((reply.version, reply.body), expected, "Dora is as Ben left her");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn the_owner_is_whoever_the_token_names_and_stays() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;

    let reply = asks(&server, "ben", "PATCH /users/1", json!({ "owner": "cem" })).await?;
    assert_eq!((reply.status, &reply.body["field"]), (422, &json!("owner")), "not given");
    let body = json!({ "name": "Cem", "email": "cem@example.org" });
    let reply = asks(&server, "ana", "POST /users", body).await?;
    assert_eq!(reply.body["owner"], "ana", "whatever the name of the row");

    let list: Value = asks(&server, "cem", "GET /users", NONE).await?.body;
    assert_eq!([&list[0]["owner"], &list[1]["owner"]], ["ben", "ana"], "as they were");
    Ok(())
}
