// Exercise 3: who is online.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{Because, Check, Expected, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};

probe::steps! {
    step_1_a_newcomer_hears_who_is_there,
    step_2_the_names_are_sorted,
    step_3_everybody_hears_who_joins,
    step_4_everybody_hears_who_leaves,
    step_5_a_lost_connection_counts,
    step_6_each_room_has_its_own_list,
    step_7_a_refused_name_changes_nothing,
    step_8_whoever_is_too_slow_is_off_the_list,
}

/// The chat with this exercise and no other.
fn open() -> Server {
    serve(chat_with(Features::only(3)))
}

fn online(users: &[&str]) -> Value {
    json!({ "type": "online_users", "users": users })
}

fn joined(username: &str) -> Value {
    json!({ "type": "user_joined", "username": username })
}

fn left(username: &str) -> Value {
    json!({ "type": "user_left", "username": username })
}

/// Somebody who opens the page wants to see who is there, and is there as well.
async fn step_1_a_newcomer_hears_who_is_there() -> Check {
    let server = open();

    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    ana.hears(online(&["ana"]))
        .await
        .because("Ana joins an empty room. She is the first on its list.")?;
    ana.hears_nothing_for(ONE_MINUTE).await.because("Ana is alone, and knows it.")
}

/// A `HashMap` gives its keys in an order that changes with each run, and the names would
/// dance on the page.
async fn step_2_the_names_are_sorted() -> Check {
    let server = open();
    let mut there = Vec::new();
    let mut clients = Vec::new();

    for name in ["fay", "dan", "eve", "ben", "cem", "ana"] {
        let mut client = server.connect(name, &format!("/ws/chat/rust/{name}")).await?;
        there.push(name);
        there.sort_unstable();
        client
            .hears(online(&there))
            .await
            .because(&format!("{name} joins. The list should be sorted by name."))?;
        clients.push(client);
    }
    Ok(())
}

/// The list changes for everyone, not only for whoever caused it.
async fn step_3_everybody_hears_who_joins() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(online(&["ana", "ben"]))
        .await
        .because("Ben joins Ana. The newcomer is on the list that he gets.")?;
    ana.hears(joined("ben")).await.because("Ben joins Ana.")?;
    ana.hears(online(&["ana", "ben"]))
        .await
        .because("Ben joins Ana, who has an old list.")?;
    for client in [&mut ana, &mut ben] {
        client.hears_nothing_for(ONE_MINUTE).await.because("Both have the list.")?;
    }
    Ok(())
}

/// A list that only grows is soon a list of the absent.
async fn step_4_everybody_hears_who_leaves() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;
    let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(joined("ben")).await.because("Ben joins Ana.")?;
    ana.hears(online(&["ana", "ben"])).await.because("Ben joins Ana.")?;

    ben.leaves().await?;

    ana.hears(left("ben")).await.because("Ben closes.")?;
    ana.hears(online(&["ana"]))
        .await
        .because("Ben closed. Ana needs a list without him.")?;
    ana.hears_nothing_for(ONE_MINUTE).await.because("Ana has the list.")
}

/// Trains have tunnels: most people leave without a Close.
async fn step_5_a_lost_connection_counts() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;
    let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(joined("ben")).await.because("Ben joins Ana.")?;
    ana.hears(online(&["ana", "ben"])).await.because("Ben joins Ana.")?;

    ben.vanishes().await;

    ana.hears(left("ben")).await.because("Ben's connection is lost.")?;
    ana.hears(online(&["ana"]))
        .await
        .because("Ben's connection was lost, without a Close. He is not online any more.")
}

/// Whoever is in another room is not here. Nor does it concern us who goes there.
async fn step_6_each_room_has_its_own_list() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins the room rust.")?;

    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;

    dan.hears(online(&["dan"])).await.because(
        "Dan joins the room tea. Ana is in the room rust, and not on this list.",
    )?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Dan joined the room tea. Nothing has changed in Ana's room.")?;
    dan.leaves().await?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Dan left the room tea. Nothing has changed in Ana's room.")
}

/// Who is turned away has neither joined nor left.
async fn step_7_a_refused_name_changes_nothing() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;

    let mut eve = server.connect("Eve", "/ws/chat/rust/ana").await?;
    eve.is_closed(4009, "this name is taken")
        .await
        .because("Eve would like to be called ana, but this name is taken.")?;
    eve.vanishes().await;

    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Eve was turned away. Ana's list is still right.")
}

/// The third way to leave: to read nothing, until there is no more room for messages.
async fn step_8_whoever_is_too_slow_is_off_the_list() -> Check {
    let server = open().ignoring(&["chat"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ana.hears(joined("ben")).await.because("Ben joins Ana.")?;
    ana.hears(online(&["ana", "ben"])).await.because("Ben joins Ana.")?;

    let mut heard = Vec::new();
    ben.stops_reading();
    for _ in 0..1_000 {
        let talk = "z".repeat(1_000);
        ana.says(json!({ "type": "chat", "content": talk }).to_string()).await?;
        heard.extend(ana.hears_out(Duration::ZERO).await);
    }
    heard.extend(ana.hears_out(ONE_MINUTE).await);

    let expected = [Expected::Json(left("ben")), Expected::Json(online(&["ana"]))];
    let right = heard.len() == 2
        && expected.iter().zip(&heard).all(|(expected, heard)| expected.matches(heard));
    if !right {
        return Err(server.hint(format!(
            "Ben reads nothing while Ana talks and talks, until he is disconnected. Beside \
             her own words Ana should hear {} and then {}, but heard {heard:?}.",
            expected[0], expected[1],
        )));
    }
    Ok(())
}
