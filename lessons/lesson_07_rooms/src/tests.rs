use axum::extract::ws::Utf8Bytes;
use probe::{ANY, Check, Expected, ONE_MINUTE, chat::Chat, serve};
use serde_json::{Value, json};

use super::app;
use crate::{
    protocol::{RoomName, ToClient, Username},
    rooms::{Member, RoomManager},
};

probe::manners!(app(), "/ws/chat/rust/ana");
probe::chat_manners!(chat(), names: chosen);
probe::transcripts!(app());

fn chat() -> Chat {
    Chat {
        app,
        names: ["ana", "ben", "cem"],
        path: |name| format!("/ws/chat/rust/{name}"),
        says: |text| json!({ "type": "chat", "content": text }).to_string(),
        said: |name, text| chat_from(name, text).into(),
        left: |name| Expected::Json(json!({ "type": "user_left", "username": name })),
        hears_itself: true,
    }
}

fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": name, "content": content, "timestamp": ANY })
}

fn error(message: impl Into<String>) -> Value {
    json!({ "type": "error", "message": message.into() })
}

#[tokio::test(start_paused = true)]
async fn the_others_hear_who_joins_and_who_leaves() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;

    ana.hears(json!({ "type": "user_left", "username": "ben" })).await
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_a_chat_the_sender_too() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;

    ana.says(r#"{"type":"chat","content":"  Hello, Ben!\n"}"#).await?;

    ana.hears(chat_from("ana", "Hello, Ben!")).await?;
    ben.hears(chat_from("ana", "Hello, Ben!")).await
}

#[tokio::test(start_paused = true)]
async fn the_timestamp_is_rfc_3339_in_utc() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    ana.says(r#"{"type":"chat","content":"What time is it?"}"#).await?;

    let heard: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let timestamp = heard["timestamp"].as_str().unwrap_or_default();
    let time = humantime::parse_rfc3339(timestamp);
    assert!(time.is_ok(), "{timestamp:?} should read as 2026-11-21T09:30:00.125Z");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_to_the_sender_alone() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;

    ana.says(r#"{"type":"ping"}"#).await?;

    ana.hears(json!({ "type": "pong" })).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_answered_and_not_punished() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    let long = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(2_001));
    let huge = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(32 * 1024));
    let object = r#"a message is a JSON object, such as {"type":"ping"}"#;
    let mistakes = [
        ("hello", object),
        ("", object),
        (r#"["ping"]"#, object),
        (r#"{"type":"chat""#, "this is not valid JSON: *"),
        (r#"{"type":"ping"} and more"#, "this is not valid JSON: *"),
        ("{}", "missing field `type`*"),
        (r#"{"type":7}"#, "*"),
        (
            r#"{"type":"shout"}"#,
            r#"unknown message type "shout": this server knows chat and ping"#,
        ),
        (r#"{"type":"chat"}"#, "missing field `content`*"),
        (
            r#"{"type":"chat","content":7}"#,
            "invalid type: integer `7`, expected a string*",
        ),
        (r#"{"type":"chat","content":"a","content":"b"}"#, "duplicate field `content`*"),
        (r#"{"type":"chat","content":" \n "}"#, "content is empty*"),
        (&long, "content has 2001 characters, the limit is 2000*"),
        (&huge, "32796 bytes are too many: the limit is 32768"),
    ];

    for (mistake, sentence) in mistakes {
        ana.says(mistake).await?;
        let heard: Value =
            serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
        assert_eq!(heard["type"], "error", "after {mistake}");
        let message = heard["message"].as_str().unwrap_or_default();
        let fits = match sentence.strip_suffix('*') {
            Some(beginning) => message.starts_with(beginning),
            None => message == sentence,
        };
        assert!(fits, "after {mistake}, ana is told {message:?}, not {sentence:?}");
    }
    ana.sends_binary(b"{}").await?;
    ana.hears(error("this server reads text, not binary")).await?;

    ben.hears_nothing_for(ONE_MINUTE).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

#[tokio::test(start_paused = true)]
async fn the_longest_content_passes() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let longest = "é".repeat(2_000);

    ana.says(json!({ "type": "chat", "content": longest }).to_string()).await?;

    ana.hears(chat_from("ana", &longest)).await
}

#[tokio::test(start_paused = true)]
async fn an_impossible_name_gets_400_and_a_sentence() -> Check {
    let server = serve(app());
    let long = "x".repeat(21);

    for name in
        ["no%20spaces", "%3Cimg%3E", "a%2Fb", "a%00b", "%E2%80%AEevil", "%ff", &long]
    {
        let answer = server.refuses("Eve", &format!("/ws/chat/rust/{name}"), 400).await?;
        assert!(!answer.body.is_empty(), "{name} should be refused with a sentence");
    }
    let answer = server.refuses("Eve", "/ws/chat/rust/no%20spaces", 400).await?;
    let sentence = "Invalid URL: a name has 1 to 20 letters, digits, - and _";
    assert_eq!(answer.body, sentence, "the sentence says what a name is made of");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn names_of_every_script_are_welcome() -> Check {
    let server = serve(app());

    for name in ["Zo%C3%AB", "%C3%87em", "%E5%B0%8F%E6%98%8E", "ana-2_b", "1"] {
        server.connect(name, &format!("/ws/chat/rust/{name}")).await?.leaves().await?;
    }
    let longest = "x".repeat(20);
    server.connect(&longest, &format!("/ws/chat/rust/{longest}")).await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_name_in_use_is_accepted_and_closed_with_4009() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    let mut eve = server.connect("Eve", "/ws/chat/rust/ana").await?;
    eve.is_closed(4009, "this name is taken").await?;

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ana.leaves().await?;
    server.connect("Eve", "/ws/chat/rust/ana").await?.leaves().await
}

#[tokio::test(start_paused = true)]
async fn two_rooms_do_not_hear_each_other() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/tea/ben").await?;

    ana.says(r#"{"type":"chat","content":"Hello, Rust!"}"#).await?;

    ana.hears(chat_from("ana", "Hello, Rust!")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_in_one_room_only() -> Check {
    let server = serve(app());
    let _ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    let mut other = server.connect("Another Ana", "/ws/chat/tea/ana").await?;

    other.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn get_rooms_lists_the_rooms_and_their_members() -> Check {
    let server = serve(app());
    let _ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let _ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    let _cem = server.connect("Cem", "/ws/chat/figs/cem").await?;

    let answer = server.get("/rooms").await?;

    let list = r#"[{"room":"figs","members":1},{"room":"rust","members":2}]"#;
    assert_eq!(answer.body, list, "two rooms, by name");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_vanishes() -> Check {
    let server = serve(app());
    let ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/tea/ben").await?;

    ana.vanishes().await;
    ben.writes_raw(b"this is no frame").await?;
    ben.is_closed(1002, "protocol error").await?;

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "both rooms are empty, so there are none");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_only_member_is_too_slow_vanishes() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.stops_reading();

    for _ in 0..2_000 {
        if ana.says(r#"{"type":"ping"}"#).await.is_err() {
            break; // The server does not read a client that does not read, either.
        }
    }
    ana.hears_nothing_for(ONE_MINUTE).await?;

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "Ana lost her place, and nobody else is there");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_impossible_room_gets_400_and_a_sentence() -> Check {
    let server = serve(app());

    let answer = server.refuses("Eve", "/ws/chat/no%20spaces/eve", 400).await?;

    let sentence = "Invalid URL: a name has 1 to 40 letters, digits, - and _";
    assert_eq!(answer.body, sentence, "the sentence says what a name is made of");
    let longest = "x".repeat(40);
    server.connect("Ana", &format!("/ws/chat/{longest}/ana")).await?.leaves().await?;
    server.refuses("Eve", &format!("/ws/chat/{longest}x/eve"), 400).await?;
    Ok(())
}

#[test]
fn a_broadcast_is_serialised_once() {
    let (rooms, room) = (RoomManager::default(), room());
    let mut ana = rooms.join(room.clone(), name("ana")).expect("the room is empty");
    let mut ben = rooms.join(room.clone(), name("ben")).expect("ana is another name");
    assert!(heard(&mut ana).is_some(), "Ben joined");

    rooms.broadcast_to_room(&room, &ToClient::Pong);

    let (for_ana, for_ben) = (heard(&mut ana), heard(&mut ben));
    assert!(for_ana.is_some(), "Ana hears it");
    let address = |text: Option<Utf8Bytes>| text.map(|text| text.as_str().as_ptr());
    assert_eq!(address(for_ana), address(for_ben), "both hold the same bytes in memory");
}

#[tokio::test(start_paused = true)]
async fn a_panic_frees_the_name_and_the_others_hear_of_it() {
    let (rooms, room) = (RoomManager::default(), room());
    let mut ana = rooms.join(room.clone(), name("ana")).expect("the room is empty");
    let ben = rooms.join(room.clone(), name("ben")).expect("ana is another name");
    assert!(heard(&mut ana).is_some(), "Ben joined");

    let task = tokio::spawn(async move {
        let _ben = ben;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    let left = heard(&mut ana);
    let expected = r#"{"type":"user_left","username":"ben"}"#;
    assert_eq!(left.as_deref(), Some(expected), "the guard is dropped by the panic, too");
    assert!(rooms.join(room, name("ben")).is_some(), "and the name is free");
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_name_is_announced() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    server.refuses("Nobody", "/ws/chat/rust/", 404).await?;
    server.refuses("Nobody", "/ws/chat/rust/%20", 400).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}

/// What waits for this member, if anything does.
fn heard(member: &mut Member) -> Option<Utf8Bytes> {
    member.outbox.try_recv().ok()
}

fn room() -> RoomName {
    RoomName::try_from("rust".to_owned()).expect("a good name")
}

fn name(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}
