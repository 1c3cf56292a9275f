//! Each field of a user: what it may be, and what a body may say about it.

use probe::{Check, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

use super::{JSON, NONE, adds, app, asks, asks_with, bearer, new_user, subscribes};

const LINE: &str = "this should be one line of 1 to 100 characters";
const EMAIL: &str = "an e-mail address looks like ana@example.org";

/// A body in which Dora has another value in one field.
fn dora_with(field: &str, value: Value) -> Value {
    let mut body = new_user("Dora");
    body[field] = value;
    body
}

/// Checks that a change is rejected because of this field, and returns the sentence.
async fn is_wrong(
    server: &Server,
    what: &str,
    body: Value,
    field: &str,
) -> Result<String, Hint> {
    let reply = asks(server, "ben", what, body.clone()).await?;
    let got = (reply.status, &reply.body["field"]);
    assert_eq!(got, (422, &json!(field)), "{what} {body}: {}", reply.body);
    Ok(reply.body["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(start_paused = true)]
async fn each_field_says_what_is_wrong_with_it() -> Check {
    let server = serve(app());
    adds(&server, "Emil").await?;
    let mut ana = subscribes(&server, "ana").await?;
    let too_long = json!("x".repeat(101));
    let long_address = json!(format!("{}@example.org", "x".repeat(243)));

    for (field, value, sentence) in [
        ("name", json!(""), LINE),
        ("name", json!(" \t "), LINE),
        ("name", json!("a\nb"), LINE),
        ("name", json!("a\u{0}b"), LINE),
        ("name", too_long.clone(), LINE),
        ("name", NONE, "invalid type: null, expected a string"),
        ("name", json!(7), "invalid type: integer `7`, expected a string"),
        ("name", json!(["Dora"]), "invalid type: sequence, expected a string"),
        ("email", json!(""), EMAIL),
        ("email", json!("dora"), EMAIL),
        ("email", json!("@example.org"), EMAIL),
        ("email", json!("dora@example"), EMAIL),
        ("email", json!("dora@.org"), EMAIL),
        ("email", json!("dora@example."), EMAIL),
        ("email", json!("dora@b@example.org"), EMAIL),
        ("email", json!("dora b@example.org"), EMAIL),
        ("email", json!("dora@example.org\nBcc: all@example.org"), EMAIL),
        ("email", long_address, EMAIL),
        ("email", NONE, "invalid type: null, expected a string"),
        ("phone", json!(""), LINE),
        ("phone", json!(30), "invalid type: integer `30`, expected a string"),
        ("phone", too_long, LINE),
        ("is_active", NONE, "invalid type: null, expected a boolean"),
        ("is_active", json!("yes"), "invalid type: string \"yes\", expected a boolean"),
        ("is_active", json!(1), "invalid type: integer `1`, expected a boolean"),
    ] {
        let body = dora_with(field, value.clone());
        let said = is_wrong(&server, "POST /users", body, field).await?;
        assert_eq!(said, sentence, "POST with {field} {value}");
        let body = json!({ field: value });
        let said = is_wrong(&server, "PATCH /users/1", body, field).await?;
        assert_eq!(said, sentence, "PATCH with {field} {value}");
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(1), "Emil was the only change");
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn the_longest_values_pass_and_blanks_around_them_are_cut_off() -> Check {
    let server = serve(app());
    let (name, phone) = ("王".repeat(100), "0".repeat(100));
    let email = format!("{}@example.org", "x".repeat(242));

    let body = json!({
        "name": format!(" {name}\n"), "email": format!(" {email} "),
        "phone": format!("\t{phone}"), "is_active": false
    });
    let reply = asks(&server, "ben", "POST /users", body).await?;

    assert_eq!(reply.status, 201, "all of it is good: {}", reply.body);
    assert_eq!(reply.body["name"], name, "100 characters, whatever they weigh");
    assert_eq!(reply.body["email"], email, "254 bytes");
    assert_eq!(reply.body["phone"], phone, "as it was written");
    assert_eq!(reply.body["is_active"], false, "as the body says");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_post_names_what_is_missing() -> Check {
    let server = serve(app());

    for (body, field) in [
        (json!({}), "name"),
        (json!({ "email": "dora@example.org" }), "name"),
        (json!({ "name": "Dora" }), "email"),
    ] {
        let said = is_wrong(&server, "POST /users", body, field).await?;
        assert_eq!(said, format!("{field} is missing"), "a new user needs it");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_patch_does_not_name_stays_and_null_takes_the_phone_away() -> Check {
    let server = serve(app());
    let body = dora_with("phone", json!("030 123"));
    asks(&server, "ben", "POST /users", body).await?;

    for (body, field, expected) in [
        (json!({}), "phone", json!("030 123")),
        (json!({ "name": "Theodora" }), "phone", json!("030 123")),
        (json!({ "is_active": false }), "name", json!("Theodora")),
        (json!({ "email": "d@example.org" }), "is_active", json!(false)),
        (json!({ "phone": null }), "phone", NONE),
        (json!({ "name": "Dora" }), "phone", NONE),
        (json!({ "phone": "1" }), "phone", json!("1")),
        (json!({}), "email", json!("d@example.org")),
    ] {
        let reply = asks(&server, "ben", "PATCH /users/1", body.clone()).await?;
        assert_eq!(reply.status, 200, "{body}: {}", reply.body);
        assert_eq!(reply.body[field], expected, "{field} after {body}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_field_that_there_is_not_is_rejected_and_so_is_one_that_is_ours() -> Check {
    let server = serve(app());
    adds(&server, "Emil").await?;

    for field in ["nickname", "id", "owner", "created_at", "Name", ""] {
        let known = "expected one of `name`, `email`, `phone`, `is_active`";
        let body = dora_with(field, json!("7"));
        let said = is_wrong(&server, "POST /users", body, field).await?;
        assert_eq!(said, format!("unknown field `{field}`, {known}"), "POST {field}");
        let body = json!({ field: "7" });
        is_wrong(&server, "PATCH /users/1", body, field).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_field_that_comes_twice_is_rejected() -> Check {
    let server = serve(app());
    adds(&server, "Emil").await?;

    for (what, body, field) in [
        ("POST /users", r#"{"name":"D","email":"d@example.org","name":"E"}"#, "name"),
        ("POST /users", r#"{"name":"D","email":"d@b.org","email":"e@b.org"}"#, "email"),
        ("PATCH /users/1", r#"{"phone":null,"phone":"030 123"}"#, "phone"),
        ("PATCH /users/1", r#"{"is_active":true,"is_active":true}"#, "is_active"),
        ("PATCH /users/1", r#"{"name":"D","na\u006de":"D"}"#, "name"),
    ] {
        let headers = [bearer("ben"), ("content-type", JSON.into())];
        let reply = asks_with(&server, &headers, what, body.into()).await?;
        let sentence = format!("duplicate field `{field}`");
        let expected = json!({ "message": sentence });
        assert_eq!((reply.status, reply.body), (422, expected), "{what} {body}");
    }
    let reply = asks(&server, "ana", "GET /users", NONE).await?;
    assert_eq!(reply.version, Some(1), "nothing has changed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_client_wrote_comes_back_shortened() -> Check {
    let server = serve(app());
    adds(&server, "Emil").await?;
    let long = "very".repeat(900);

    for (what, body) in [
        ("PATCH /users/1", json!({ &long: 1 })),
        ("PATCH /users/1", json!({ "is_active": long })),
        (&format!("GET /users/{long}"), NONE),
        (&format!("GET /users?limit={long}"), NONE),
    ] {
        let reply = asks(&server, "ben", what, body).await?;
        assert!(reply.status >= 400, "{what} is wrong: {}", reply.body);
        let length = reply.body.to_string().len();
        assert!(length < 500, "{length} bytes are more than anybody reads");
    }
    Ok(())
}
