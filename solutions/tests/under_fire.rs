//! What the solutions must stand, beyond what a learner is asked for.

use std::time::Duration;

use probe::{ANY, Check, Client, Hint, ONE_MINUTE, serve};
use serde_json::{Value, json};
use solutions::{app, chat_with, features::Features};

const ONE_SECOND: Duration = Duration::from_secs(1);

mod copied_chat {
    use super::*;

    probe::conformance!(app(), "/ws/copied_chat");
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

/// The number of messages in the list that somebody receives next.
async fn history_of(newcomer: &mut Client) -> Result<usize, Hint> {
    let heard: Value =
        serde_json::from_str(&newcomer.hears_any().await?).unwrap_or_default();
    heard["messages"].as_array().map(Vec::len).ok_or(Hint::new("There is no list."))
}

#[tokio::test(start_paused = true)]
async fn fifty_of_the_longest_messages_fit_into_one_history() -> Check {
    let server = serve(chat_with(Features::ALL.without(6))); // Nobody has a rate limit.
    let (room, name) = ("%E5%B0%8F".repeat(40), "%E5%B0%8F".repeat(20)); // Of 小.
    let mut ana = server.connect("Ana", &format!("/ws/chat/{room}/{name}")).await?;
    let longest = "\u{1}".repeat(2_000); // In JSON, \u0001: six times as long.
    for _ in 0..50 {
        ana.says(says(&longest)).await?;
        ana.hears_out(Duration::ZERO).await;
    }

    let mut ben = server.connect("Ben", &format!("/ws/chat/{room}/ben")).await?;

    assert_eq!(history_of(&mut ben).await?, 50, "Ben hears all that Ana said");
    ben.hears_out(ONE_SECOND).await;
    ben.says(r#"{"type":"resume","after":0}"#).await?;
    assert_eq!(history_of(&mut ben).await?, 50, "and hears it again if he asks");
    ben.leaves().await
}

#[tokio::test(start_paused = true)]
async fn a_typist_who_is_too_slow_stops_before_it_leaves() -> Check {
    let no_limit = chat_with(Features::ALL.without(6));
    let server = serve(no_limit).ignoring(&["history", "online_users", "chat"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    ben.says(r#"{"type":"typing"}"#).await?;
    ana.hears(json!({ "type": "typing", "username": "ben", "is_typing": true })).await?;

    ben.stops_reading();
    let mut heard = Vec::new();
    for _ in 0..1_000 {
        ana.says(says(&"z".repeat(1_000))).await?;
        heard.extend(ana.hears_out(Duration::ZERO).await);
    }
    ben.says(r#"{"type":"typing"}"#).await?; // It is too late.
    heard.extend(ana.hears_out(ONE_MINUTE).await);

    let expected = [
        r#"{"type":"typing","username":"ben","is_typing":false}"#,
        r#"{"type":"user_left","username":"ben"}"#,
    ];
    assert_eq!(heard, expected, "Ben stops, then leaves, and is not heard of again");
    Ok(())
}

/// Whoever types a name may send it in another normal form than the one who has it.
#[tokio::test(start_paused = true)]
async fn the_name_in_a_private_message_may_be_in_nfd() -> Check {
    let server = serve(app()).ignoring(&["history", "online_users", "user_joined"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut jose = server.connect("José", "/ws/chat/rust/Jos%C3%A9").await?;
    let psst = || {
        json!({
            "type": "private", "from": "ana", "to": "Jos\u{e9}", "content": "psst",
            "timestamp": ANY,
        })
    };

    ana.says(says("/pm Jose\u{301} psst")).await?;
    ana.says(r#"{"type":"private","to":"Jose\u0301","content":"psst"}"#).await?;

    for _ in ["a command", "a message"] {
        jose.hears(psst()).await?;
        ana.hears(psst()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_history_of_so_many_empty_rooms_is_kept_and_not_more() -> Check {
    let server = serve(chat_with(Features::ALL.without(6)));
    let path = |room: usize| format!("/ws/chat/room-{room}/ana");
    for room in 0..=100 {
        let mut ana = server.connect("Ana", &path(room)).await?;
        ana.says(says("Anybody here?")).await?;
        ana.leaves().await?;
    }

    let mut first = server.connect("Ana", &path(0)).await?;
    let mut second = server.connect("Ana", &path(1)).await?;

    assert_eq!(
        history_of(&mut first).await?,
        0,
        "this room was empty for the longest time"
    );
    assert_eq!(history_of(&mut second).await?, 1, "the other hundred are kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_in_use_is_never_forgotten() -> Check {
    let server = serve(chat_with(Features::ALL.without(6)));
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.says(says("one")).await?;
    ana.leaves().await?;
    let _ben = server.connect("Ben", "/ws/chat/rust/ben").await?; // The room was empty once.

    for room in 0..=100 {
        let mut ana = server.connect("Ana", &format!("/ws/chat/room-{room}/ana")).await?;
        ana.says(says("Anybody here?")).await?;
        ana.leaves().await?;
    }

    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    assert_eq!(history_of(&mut cem).await?, 1, "Ben is in the room all the time");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_room_in_which_nobody_spoke_is_not_kept() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.says(says("one")).await?;
    ana.leaves().await?;

    for room in 0..=200 {
        let path = format!("/ws/chat/room-{room}/ana");
        server.connect("Ana", &path).await?.leaves().await?;
    }

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    assert_eq!(history_of(&mut ben).await?, 1, "silent rooms push no history out");
    Ok(())
}
