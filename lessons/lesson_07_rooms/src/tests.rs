use axum::extract::ws::Utf8Bytes;
use probe::{Check, ONE_MINUTE, chat::Chat, serve};
use serde_json::json;
use tokio::time::Instant;

use super::app;
use crate::{
    protocol::{RoomName, ServerMessage, Username},
    rooms::{Member, RoomManager},
};

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), "/ws/chat/rust/ana" =>
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
probe::name_conformance! { app, |name| format!("/ws/chat/rust/{name}") =>
    names_of_every_script_are_welcome,
    nfd_and_nfc_are_one_name,
    a_mark_without_a_letter_gets_400,
    characters_are_counted_in_nfc,
}

// What every chat with rooms does (`lessons/probe/src/rooms.rs`).
probe::room_conformance! { app, |room, name| format!("/ws/chat/{room}/{name}") =>
    a_name_in_use_is_accepted_and_closed_with_4009,
    a_message_stays_in_its_room,
    a_name_is_taken_in_one_room_only,
    get_rooms_lists_the_rooms_and_their_members,
    an_empty_room_is_removed,
    a_room_whose_only_member_is_too_slow_is_removed,
    an_invalid_room_gets_400_and_a_sentence,
    nfd_and_nfc_are_one_room,
}

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| format!("/ws/chat/rust/{name}"))
}

#[tokio::test(start_paused = true)]
async fn an_invalid_name_gets_400_and_a_sentence() -> Check {
    let server = serve(app());
    let long = "x".repeat(21);

    for name in
        ["no%20spaces", "%3Cimg%3E", "a%2Fb", "a%00b", "%E2%80%AEevil", "%ff", &long]
    {
        let response =
            server.rejects("Eve", &format!("/ws/chat/rust/{name}"), 400).await?;
        assert!(!response.body.is_empty(), "{name} should be rejected with a sentence");
    }
    let response = server.rejects("Eve", "/ws/chat/rust/no%20spaces", 400).await?;
    let sentence = "Invalid URL: a name has 1 to 20 letters, digits, - and _";
    assert_eq!(response.body, sentence, "the sentence says what a name is made of");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_serialised_once() {
    let (rooms, room) = (RoomManager::default(), room());
    let mut ana = rooms.join(room.clone(), name("ana")).expect("the room is empty");
    let mut ben = rooms.join(room.clone(), name("ben")).expect("ana is another name");

    rooms.broadcast_to_room(&room, &ServerMessage::Pong);

    assert!(queued(&mut ana).is_some(), "before the message, that Ben joined");
    let (for_ana, for_ben) = (queued(&mut ana), queued(&mut ben));
    assert!(for_ana.is_some(), "it is queued for Ana");
    let address = |text: Option<Utf8Bytes>| text.map(|text| text.as_str().as_ptr());
    assert_eq!(address(for_ana), address(for_ben), "both hold the same bytes in memory");
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_task_panics_has_left() {
    let (rooms, room) = (RoomManager::default(), room());
    let mut ana = rooms.join(room.clone(), name("ana")).expect("the room is empty");
    let ben = rooms.join(room.clone(), name("ben")).expect("ana is another name");

    let task = tokio::spawn(async move {
        let _ben = ben;
        panic!("on purpose");
    });

    assert!(task.await.is_err(), "the task panics");
    let batch = ana.outbox.recv().await.expect("he joined and left");
    let texts: Vec<_> = batch.iter().map(|text| text.as_str()).collect();
    let expected = [
        r#"{"type":"user_joined","username":"ben"}"#,
        r#"{"type":"user_left","username":"ben"}"#,
    ];
    assert_eq!(texts, expected, "the guard is dropped by the panic, too");
    assert!(rooms.join(room, name("ben")).is_some(), "and the name is free");
}

#[tokio::test(start_paused = true)]
async fn nobody_without_a_name_is_announced() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    server.rejects("Nobody", "/ws/chat/rust/", 404).await?;
    server.rejects("Nobody", "/ws/chat/rust/%20", 400).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn those_who_join_at_the_same_moment_are_announced_to_those_who_were_there() -> Check
{
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    let joined = |name: &str| json!({ "type": "user_joined", "username": name });
    ana.hears(joined("ben")).await?;
    ana.hears(joined("cem")).await?;
    ben.hears(joined("cem")).await?;

    for person in [&mut ana, &mut ben, &mut cem] {
        person.hears_nothing_for(ONE_MINUTE).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_does_not_overtake_the_announcement_of_who_joined() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.says(r#"{"type":"chat","content":"Hello!"}"#).await?;

    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    ana.hears(probe::rooms::chat_from("ben", "Hello!")).await?;
    ben.hears(probe::rooms::chat_from("ben", "Hello!")).await
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_join_one_by_one_are_announced_in_few_writes() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    let start = Instant::now();
    let mut crowd = Vec::new();
    for i in 0..100 {
        let path = format!("/ws/chat/rust/member-{i}");
        crowd.push(server.connect("Somebody", &path).await?);
    }
    let took = start.elapsed();

    assert_eq!(ana.hears_out(ONE_MINUTE).await.len(), 100, "Ana was there all the time");
    let writes = server.writes();
    let sentence = format!(
        "100 people joined within {took:?}, and the server wrote {writes} times. If those \
         who join within a moment are announced together, it writes far less often."
    );
    assert!(writes < 1_000, "{sentence}");
    Ok(())
}

/// The next message that is queued for this member, if there is one.
fn queued(member: &mut Member) -> Option<Utf8Bytes> {
    member.outbox.try_recv().ok().map(|batch| batch[0].clone())
}

fn room() -> RoomName {
    RoomName::try_from("rust".to_owned()).expect("a good name")
}

fn name(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}
