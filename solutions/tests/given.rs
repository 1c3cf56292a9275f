//! What the learner starts from is a whole chat, with all the manners of lesson 07's.

#[path = "../../exercises/src/client.rs"]
mod client;
#[path = "../../exercises/stubs/copied_chat.rs"]
mod copied_chat;
#[path = "../../exercises/stubs/message_history.rs"]
mod message_history;
#[path = "../../exercises/stubs/online_users.rs"]
mod online_users;
#[path = "../../exercises/stubs/private_messaging.rs"]
mod private_messaging;
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
#[path = "../../lessons/lesson_07_rooms/src/socket.rs"]
mod socket;
#[path = "../../exercises/stubs/typing_indicator.rs"]
mod typing_indicator;

use probe::{ANY, Check, Expected, chat::Chat, manners::masked, serve};
use serde_json::json;
use server::app;

probe::chat_manners!(chat(), names: chosen);

mod manners {
    use super::*;

    probe::manners! { @each app(), "/ws/chat/rust/ana" =>
        a_clean_close_is_answered,
        nothing_harmless_disconnects,
        faults_have_their_codes,
        unfinished_fragments_cost_bounded_memory,
    }
}

fn chat() -> Chat {
    Chat {
        app,
        names: ["ana", "ben", "cem"],
        path: |name| format!("/ws/chat/rust/{name}"),
        says: |text| json!({ "type": "chat", "content": text }).to_string(),
        said: |name, text| {
            Expected::Json(json!({
                "type": "chat", "room": "rust", "from": name, "content": text, "timestamp": ANY,
            }))
        },
        left: |name| Expected::Json(json!({ "type": "user_left", "username": name })),
        hears_itself: true,
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_type_is_answered_with_those_that_are_known() -> Check {
    let mut ana = serve(app()).connect("Ana", "/ws/chat/rust/ana").await?;

    ana.says(r#"{"type":"shout"}"#).await?;

    ana.hears(json!({
        "type": "error",
        "message": "unknown message type \"shout\": \
                    this server knows chat, ping, private, typing and resume",
    }))
    .await
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_vanishes() -> Check {
    let server = serve(app());
    let ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    ana.leaves().await?;

    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, "[]", "nobody is in any room");
    Ok(())
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
