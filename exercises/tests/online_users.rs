// Exercise 3: who is online.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{Because, Check, Client, Expected, Hint, ONE_MINUTE, Server, memory, serve};
use serde_json::{Value, json};

probe::steps! {
    step_1_a_newcomer_hears_who_is_there,
    step_2_the_names_are_sorted,
    step_3_everybody_hears_who_joins,
    step_4_everybody_hears_who_leaves,
    step_5_a_lost_connection_counts,
    step_6_the_rest_is_sorted_too,
    step_7_who_comes_back_is_on_the_list,
    step_8_names_are_compared_exactly,
    step_9_each_room_has_its_own_list,
    step_10_a_refused_name_changes_nothing,
    step_11_whoever_is_too_slow_is_off_the_list,
    step_12_many_may_leave_at_once,
    step_13_no_list_is_kept_in_memory,
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

    ana.hears(online(&["ana"])).await.because(
        "Ana joins an empty room. She is the first on its list, and the only one.",
    )?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana is alone, and has the list. Once is enough.")
}

/// A `HashMap` gives its keys in an order that changes with each run. So the names would
/// change their places on the page.
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
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ben joined Ana, and both have the list. Once is enough.")?;
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

/// Trains have tunnels: many people leave without a Close.
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

/// The list after a leave is as good as the one after a join.
async fn step_6_the_rest_is_sorted_too() -> Check {
    let server = open().ignoring(&["user_joined", "user_left"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut names = vec!["fay", "dan", "eve", "ben", "cem"];
    let mut clients = Vec::new();
    for name in &names {
        clients.push(server.connect(name, &format!("/ws/chat/rust/{name}")).await?);
    }
    ana.hears_out(Duration::ZERO).await;

    for client in clients {
        let gone = names.remove(0);
        client.leaves().await?;

        let mut rest = names.clone();
        rest.push("ana");
        rest.sort_unstable();
        ana.hears(online(&rest)).await.because(&format!(
            "{gone} leaves. The list of those who are left should be sorted, too."
        ))?;
    }
    Ok(())
}

/// Who has left may come back, and is as present as everybody else.
async fn step_7_who_comes_back_is_on_the_list() -> Check {
    let server = open().ignoring(&["user_joined", "user_left"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(online(&["ana"])).await.because("Ana joins.")?;

    for visit in ["comes", "comes back"] {
        let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
        for client in [&mut ben, &mut ana] {
            client
                .hears(online(&["ana", "ben"]))
                .await
                .because(&format!("Ben {visit}, and is on the list."))?;
        }
        ben.leaves().await?;
        ana.hears(online(&["ana"])).await.because("Ben leaves.")?;
    }
    Ok(())
}

/// `Ben` and `ben` are two names. Capitals come first, as `sort` has it.
async fn step_8_names_are_compared_exactly() -> Check {
    let server = open();
    let mut ben = server.connect("Ben", "/ws/chat/rust/Ben").await?;
    ben.hears(online(&["Ben"])).await.because("Somebody called \"Ben\" joins.")?;

    let mut namesake = server.connect("ben", "/ws/chat/rust/ben").await?;

    namesake.hears(online(&["Ben", "ben"])).await.because(
        "\"Ben\" is there, and \"ben\" joins. They are two people, and both are on the list.",
    )
}

/// Whoever is in another room is not here. Nor does it concern us who goes there.
async fn step_9_each_room_has_its_own_list() -> Check {
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
        .because("Dan left the room tea. Nothing has changed in Ana's room.")?;

    let server = open();
    let _ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut namesake = server.connect("Ana of room tea", "/ws/chat/tea/ana").await?;
    namesake.hears(online(&["ana"])).await.because(
        "Another Ana joins the room tea. Its list is the same as that of the room rust, but \
         she has not heard it yet.",
    )
}

/// Whose name is refused has neither joined nor left.
async fn step_10_a_refused_name_changes_nothing() -> Check {
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
        .because("Eve's name was refused. Ana's list is still right.")
}

/// The third way to leave: to read nothing, until there is no more room for messages.
async fn step_11_whoever_is_too_slow_is_off_the_list() -> Check {
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

/// When a network fails, a crowd leaves in one moment. The last of them is named to you, and
/// the list is without all of them.
async fn step_12_many_may_leave_at_once() -> Check {
    let server = open().ignoring(&["chat", "user_joined", "user_left"]);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut others = Vec::new();
    for name in ["ben", "cem", "dan"] {
        others.push(server.connect(name, &format!("/ws/chat/rust/{name}")).await?);
    }
    ana.hears_out(Duration::ZERO).await;

    let mut heard = Vec::new();
    for client in &mut others {
        client.stops_reading();
    }
    for _ in 0..1_000 {
        let talk = "z".repeat(1_000);
        ana.says(json!({ "type": "chat", "content": talk }).to_string()).await?;
        heard.extend(ana.hears_out(Duration::ZERO).await);
    }
    heard.extend(ana.hears_out(ONE_MINUTE).await);

    let expected = Expected::Json(online(&["ana"]));
    if heard.len() != 1 || !expected.matches(&heard[0]) {
        return Err(server.hint(format!(
            "Ben, Cem and Dan read nothing while Ana talks, and are disconnected in the same \
             moment. Ana should hear one list, {expected}, but heard {heard:?}."
        )));
    }
    Ok(())
}

/// A server runs for months. What it keeps of each visitor is little, and never given back.
async fn step_13_no_list_is_kept_in_memory() -> Check {
    let prepare = async || {
        let server = open().ignoring(&["user_joined", "user_left"]);
        let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
        ana.hears(online(&["ana"])).await.because("Ana joins.")?;
        Ok((server, ana))
    };
    let visit = async |(server, ana): &mut (Server, Client), i| {
        let name = format!("visitor-{i}");
        let visitor = server.connect(&name, &format!("/ws/chat/rust/{name}")).await?;
        ana.hears(online(&["ana", &name])).await.because("A visitor joins Ana.")?;
        visitor.leaves().await?;
        ana.hears(online(&["ana"])).await.because("The visitor leaves.")?;
        server.forgets_the_conversation();
        Ok(())
    };

    let bytes = memory::growth(prepare, visit)?;
    if bytes > 0 {
        return Err(Hint::new(format!(
            "Visitors come in and leave, each with another name. For each of them, {bytes} \
             bytes stay in memory, though nobody asks for an old list again."
        )));
    }
    Ok(())
}
