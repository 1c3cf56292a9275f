use probe::{ANY, Check, Expected, ONE_MINUTE, chat::Chat, serve};
use serde_json::{Value, json};

use super::app;

probe::conformance!(app(), "/ws/ana");
probe::chat_conformance!(chat(), names: chosen, crowd: |i| format!("member-{i}"));
probe::json_conformance!(chat());
probe::name_conformance!(app, |name| format!("/ws/{name}"));
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["ana", "ben", "cem"],
        path: |name| format!("/ws/{name}"),
        says: |text| json!({ "type": "chat", "content": text }).to_string(),
        said: |name, text| chat_from(name, text).into(),
        left: |name| Expected::Json(json!({ "type": "user_left", "username": name })),
        hears_itself: true,
    }
}

fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "from": name, "content": content, "timestamp": ANY })
}

#[tokio::test(start_paused = true)]
async fn an_invalid_name_gets_400_and_a_sentence() -> Check {
    let server = serve(app());
    let long = "x".repeat(21);

    for name in
        ["no%20spaces", "%3Cimg%3E", "a%2Fb", "a%00b", "%E2%80%AEevil", "%ff", &long]
    {
        let response = server.rejects("Eve", &format!("/ws/{name}"), 400).await?;
        assert!(!response.body.is_empty(), "{name} should be rejected with a sentence");
    }
    let response = server.rejects("Eve", "/ws/no%20spaces", 400).await?;
    let sentence = "Invalid URL: a name has 1 to 20 letters, digits, - and _";
    assert_eq!(response.body, sentence, "the sentence says what a name is made of");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_accepted_and_closed_with_4009() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/ana").await?;

    let mut eve = server.connect("Eve", "/ws/ana").await?;
    eve.is_closed(4009, "this name is taken").await?;

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ana.leaves().await?;
    server.connect("Eve", "/ws/ana").await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_name_is_announced() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/ana").await?;

    server.rejects("Nobody", "/ws/", 404).await?;
    server.rejects("Nobody", "/ws/%20", 400).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}
