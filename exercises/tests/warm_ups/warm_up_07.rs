// Warm-up for lesson 07: a topic, and ten members.

use std::time::Duration;

use exercises::warm_ups::warm_up_07::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::sleep;

probe::steps! {
    step_1_the_list_shows_the_rooms_and_their_members,
    step_2_a_text_is_the_topic_of_its_room,
    step_3_who_leaves_is_not_counted_any_more,
    step_4_the_eleventh_is_closed_and_may_come_later,
    step_5_an_empty_room_vanishes_with_its_topic,
}

/// How many clients a room takes.
const LIMIT: usize = 10;

/// Until the server has read what a client has sent. The clock is a virtual one.
const A_MOMENT: Duration = Duration::from_millis(1);

async fn connect(server: &Server, name: &str, room: &str) -> Result<Client, Hint> {
    server.connect(name, &format!("/warm_up_07/ws/{room}")).await
}

/// As many clients in the room "rust".
async fn crowd(server: &Server, count: usize) -> Result<Vec<Client>, Hint> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        // One name for all of them, so that a hint tells of them in one line.
        crowd.push(connect(server, "A member", "rust").await?);
    }
    Ok(crowd)
}

/// Expects the list to have these rooms: name, topic, members.
async fn lists(server: &Server, rooms: &[(&str, &str, usize)]) -> Check {
    let expected: Value = rooms
        .iter()
        .map(|(room, topic, members)| {
            json!({ "room": room, "topic": topic, "members": members })
        })
        .collect();
    let body = server.get("/warm_up_07/rooms").await?.body;
    if serde_json::from_str::<Value>(&body).is_ok_and(|list| list == expected) {
        return Ok(());
    }
    Err(server.hint(format!(
        "GET /warm_up_07/rooms should answer {expected}, but answered {body}."
    )))
}

/// Expects the next client to be told that the room is full.
async fn is_full(server: &Server, name: &str) -> Check {
    connect(server, name, "rust").await?.is_closed(1013, "the room is full").await
}

/// A room appears with its first member.
async fn step_1_the_list_shows_the_rooms_and_their_members() -> Check {
    let server = serve(router());
    let _ana = connect(&server, "Ana", "rust").await?;
    let _ben = connect(&server, "Ben", "tea").await?;
    let _cem = connect(&server, "Cem", "rust").await?;

    lists(&server, &[("rust", "", 2), ("tea", "", 1)])
        .await
        .because("Ana and Cem are in the room rust, and Ben is in the room tea.")
}

/// The latest text counts, whoever sends it.
async fn step_2_a_text_is_the_topic_of_its_room() -> Check {
    let server = serve(router());
    let mut ana = connect(&server, "Ana", "rust").await?;
    let mut ben = connect(&server, "Ben", "tea").await?;
    let mut cem = connect(&server, "Cem", "rust").await?;

    ana.says("macros").await?;
    ben.says("oolong").await?;
    sleep(A_MOMENT).await;
    lists(&server, &[("rust", "macros", 2), ("tea", "oolong", 1)])
        .await
        .because("Ana sends \"macros\" in the room rust, and Ben \"oolong\" in tea.")?;
    cem.says("lifetimes").await?;
    sleep(A_MOMENT).await;

    lists(&server, &[("rust", "lifetimes", 2), ("tea", "oolong", 1)]).await.because(
        "Cem sends \"lifetimes\" in the room rust, where the topic was \"macros\".",
    )
}

/// The guard sees to it, however the connection ends. The room stays, with its topic, for
/// those who are still in it.
async fn step_3_who_leaves_is_not_counted_any_more() -> Check {
    let server = serve(router());
    let mut ana = connect(&server, "Ana", "rust").await?;
    let ben = connect(&server, "Ben", "rust").await?;
    let cem = connect(&server, "Cem", "rust").await?;
    ana.says("macros").await?;

    ben.leaves().await?;
    lists(&server, &[("rust", "macros", 2)])
        .await
        .because("Ana, Ben and Cem were in the room. Ben closes his connection.")?;
    cem.vanishes().await;

    lists(&server, &[("rust", "macros", 1)])
        .await
        .because("Ana and Cem were in the room. Cem loses his connection.")
}

/// A client that finds the room full was never in it. So it does not count, and when it is
/// gone, nobody else may join for that. When a member is gone, somebody may.
async fn step_4_the_eleventh_is_closed_and_may_come_later() -> Check {
    let server = serve(router());
    let mut members = crowd(&server, LIMIT).await?;
    lists(&server, &[("rust", "", LIMIT)])
        .await
        .because("Ten clients come to the room rust, one after the other.")?;

    for name in ["Dan", "Eve"] {
        let why = format!("Ten clients are in the room rust, and {name} comes, too.");
        is_full(&server, name).await.because(&why)?;
        lists(&server, &[("rust", "", LIMIT)]).await.because(&format!(
            "{why} {name} was not let in, so nothing should change."
        ))?;
    }
    let _ana = connect(&server, "Ana", "tea").await?;
    lists(&server, &[("rust", "", LIMIT), ("tea", "", 1)])
        .await
        .because("The room rust is full, and Ana comes to the room tea.")?;

    if let Some(member) = members.pop() {
        member.leaves().await?;
    }
    let mut dan = connect(&server, "Dan", "rust").await?;
    let why = "One of the ten has left. Dan tries again, and there is room for him.";
    dan.hears_nothing_for(ONE_MINUTE).await.because(why)?;
    lists(&server, &[("rust", "", LIMIT), ("tea", "", 1)]).await.because(why)?;
    is_full(&server, "Eve").await.because("Dan was the tenth. Eve tries again.")
}

/// Otherwise every name that somebody once tried would stay in memory for ever.
async fn step_5_an_empty_room_vanishes_with_its_topic() -> Check {
    let server = serve(router());
    let mut ana = connect(&server, "Ana", "rust").await?;
    let ben = connect(&server, "Ben", "rust").await?;
    ana.says("macros").await?;
    sleep(A_MOMENT).await;
    lists(&server, &[("rust", "macros", 2)])
        .await
        .because("Ana and Ben are in the room rust, and Ana sends \"macros\".")?;
    ana.leaves().await?;
    ben.leaves().await?;

    lists(&server, &[]).await.because("Ana and Ben have left the room rust.")?;
    let _cem = connect(&server, "Cem", "rust").await?;

    lists(&server, &[("rust", "", 1)])
        .await
        .because("Everybody had left the room rust, and now Cem comes. It is a new room.")
}
