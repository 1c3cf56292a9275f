//! What the learner starts from is a whole chat, which conforms to lesson 07's rules.

#[path = "../../exercises/src/client.rs"]
mod client;
#[path = "../../exercises/src/connection.rs"]
mod connection;
#[path = "../../exercises/stubs/copied_chat.rs"]
mod copied_chat;
#[path = "../../exercises/stubs/drain.rs"]
mod drain;
#[path = "../../exercises/src/features.rs"]
mod features;
#[path = "../../exercises/stubs/idle_session.rs"]
mod idle_session;
#[path = "../../exercises/stubs/message_history.rs"]
mod message_history;
#[path = "../../exercises/stubs/online_users.rs"]
mod online_users;
#[path = "../../exercises/stubs/private_messaging.rs"]
mod private_messaging;
#[path = "../../exercises/stubs/private_room.rs"]
mod private_room;
#[path = "../../exercises/src/protocol.rs"]
pub mod protocol;
#[path = "../../exercises/stubs/rate_limit.rs"]
mod rate_limit;
#[path = "../../exercises/stubs/resume.rs"]
mod resume;
#[path = "../../exercises/src/rooms.rs"]
pub mod rooms;
#[path = "../../exercises/src/server.rs"]
mod server;
#[path = "../../exercises/stubs/slow_client.rs"]
mod slow_client;
#[path = "../../lessons/lesson_07_rooms/src/socket.rs"]
mod socket;
#[path = "../../exercises/stubs/typing_indicator.rs"]
mod typing_indicator;
#[path = "../../exercises/src/warm_ups/mod.rs"]
mod warm_ups;

use probe::{Check, chat::Chat, conformance::masked, json::receives_error, serve};
use serde_json::json;
use server::app;

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
probe::name_conformance!(app, |name| format!("/ws/chat/rust/{name}"));
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

probe::conformance! { app(), "/ws/chat/rust/ana" =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    protocol_violations_have_their_codes,
    unfinished_fragments_cost_bounded_memory,
    an_unfinished_message_is_closed_with_1009,
}
probe::json_conformance! { chat() =>
    the_others_receive_who_joins_and_who_leaves,
    everybody_receives_a_chat_the_sender_too,
    the_timestamp_is_rfc_3339_in_utc,
    a_ping_is_answered_to_the_sender_alone,
    the_longest_content_passes,
}

fn chat() -> Chat {
    probe::rooms::chat(app, |name| format!("/ws/chat/rust/{name}"))
}

/// As in the lessons; but there are more types.
#[tokio::test(start_paused = true)]
async fn an_error_is_in_the_words_of_serde_and_short() -> Check {
    let mut ana = serve(app()).connect("Ana", "/ws/chat/rust/ana").await?;
    let known = "expected one of `chat`, `ping`, `private`, `typing`, `resume`";
    let long = "\u{378}".repeat(10_000);
    let mistakes = [
        (json!({ "type": "shout" }), format!("unknown variant `shout`, {known}*")),
        (json!({ "type": long }), format!("unknown variant `\u{378}*`, {known}*")),
        (
            json!({ "type": "resume", "after": long }),
            r#"invalid type: string "\u{378}*", expected u64*"#.into(),
        ),
    ];

    for (mistake, sentence) in mistakes {
        let mistake = mistake.to_string();
        ana.says(&mistake).await?;
        receives_error(&mut ana, &mistake, &sentence).await?;
    }
    ana.leaves().await
}

/// As in the lessons; but the limit is higher, because a history needs it.
#[tokio::test(start_paused = true)]
async fn unread_pongs_cost_bounded_memory() -> Check {
    let mut ana = serve(app()).connect("Ana", "/ws/chat/rust/ana").await?;
    ana.stops_reading();

    let payload = [b'p'; 125];
    for _ in 0..10_000 {
        ana.writes_raw(&masked(0x89, &payload)).await?;
    }
    ana.reads_again();

    let kept = ana.counts_pongs().await * payload.len();
    assert!(kept < 700_000, "the server kept {kept} bytes of pongs that nobody read");
    Ok(())
}
