use probe::{ANY, Check, Expected, ONE_MINUTE, chat::Chat, serve};
use serde_json::{Value, json};

use super::app;
use crate::{connection_manager::ConnectionManager, protocol::Username};

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), "/ws/ana" =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    protocol_violations_have_their_codes,
    an_unfinished_message_is_closed_with_1009,
    unfinished_fragments_cost_bounded_memory,
    unread_pongs_cost_bounded_memory,
    it_works_over_tcp,
}

// What every chat of the course does (`lessons/probe/src/chat.rs`).
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_slow_client_harms_only_itself,
    a_client_that_never_reads_again_is_disconnected,
    an_old_connection_does_not_remove_the_new_one,
    a_crowd_that_stalls_at_once_disconnects_nobody_else,
    a_crowd_that_is_lost_at_once_disconnects_nobody_else,
}

// What every chat in JSON does (`lessons/probe/src/json.rs`).
probe::json_conformance! { chat() =>
    the_others_receive_who_joins_and_who_leaves,
    everybody_receives_a_chat_the_sender_too,
    the_timestamp_is_rfc_3339_in_utc,
    a_ping_is_answered_to_the_sender_alone,
    invalid_input_is_answered_and_does_not_disconnect,
    the_longest_content_passes,
}

// How names are checked (`lessons/probe/src/names.rs`).
probe::name_conformance! { app, |name| format!("/ws/{name}") =>
    names_of_every_script_are_welcome,
    nfd_and_nfc_are_one_name,
    a_mark_without_a_letter_gets_400,
    characters_are_counted_in_nfc,
}

// The conversations of the book, in `book/transcripts`.
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
        crowd: |i| format!("member-{i}"),
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
async fn a_client_that_comes_back_at_once_has_left_before() {
    let manager = ConnectionManager::default();
    let name = |name: &str| Username::try_from(name.to_owned()).expect("a good name");
    let mut ana = manager.connect(name("ana")).expect("nobody has this name");
    drop(manager.connect(name("ben")));
    let mut ben = manager.connect(name("ben")).expect("the name is free again");

    let mut queued = Vec::new();
    while let Ok(batch) = ana.outbox.try_recv() {
        queued.extend(batch.to_vec());
    }
    let expected = [
        r#"{"type":"user_joined","username":"ben"}"#,
        r#"{"type":"user_left","username":"ben"}"#,
        r#"{"type":"user_joined","username":"ben"}"#,
    ];
    assert_eq!(queued, expected, "he left before he came back");
    assert!(ben.outbox.try_recv().is_err(), "nobody is told what he did himself");
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_name_is_announced() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/ana").await?;

    server.rejects("Nobody", "/ws/", 404).await?;
    server.rejects("Nobody", "/ws/%20", 400).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}
