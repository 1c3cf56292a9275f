// Exercise 8: a private room.

use std::time::Duration;

use exercises::private_room::router;
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::Instant;

probe::steps! {
    step_1_who_is_not_invited_is_closed_with_4012,
    step_2_the_owner_invites,
    step_3_whoever_leaves_is_announced_and_may_come_back,
    step_4_what_is_not_allowed_gets_an_error,
    step_5_a_kick_closes_with_4013,
    step_6_a_kick_withdraws_the_invitation,
    step_7_when_the_owner_leaves_the_next_one_is_the_owner,
    step_8_an_old_connection_removes_nobody,
}

/// More than the connection of a client and the buffers of the server hold together. It is
/// less than an outbox can take.
const FLOOD: usize = 50;

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

const ONE_SECOND: Duration = Duration::from_secs(1);

/// Longer than the server tries to send.
const A_WHILE: Duration = Duration::from_secs(15);

fn path(username: &str) -> String {
    format!("/ws/private_room/{username}")
}

fn invite(username: &str) -> String {
    json!({ "type": "invite", "username": username }).to_string()
}

fn kick(username: &str) -> String {
    json!({ "type": "kick", "username": username }).to_string()
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn chat(from: &str, content: &str) -> Value {
    json!({ "type": "chat", "from": from, "content": content })
}

fn event(kind: &str, username: &str) -> Value {
    json!({ "type": kind, "username": username })
}

fn error(message: &str) -> Value {
    json!({ "type": "error", "message": message })
}

/// Ana, the owner, has invited Ben and Cem, and both have come.
async fn three_people() -> Result<(Server, [Client; 3]), Hint> {
    let server = serve(router());
    let mut ana = server.connect("Ana", &path("ana")).await?;
    let mut ben = invites(&server, &mut ana, "Ben").await?;
    let cem = invites(&server, &mut ana, "Cem").await?;
    ben.hears(event("user_joined", "cem")).await.because("Ben is in, and Cem joins.")?;
    Ok((server, [ana, ben, cem]))
}

/// The owner invites somebody, who comes.
async fn invites(
    server: &Server,
    owner: &mut Client,
    guest: &str,
) -> Result<Client, Hint> {
    let username = guest.to_lowercase();
    owner.says(invite(&username)).await?;
    owner
        .hears(event("invited", &username))
        .await
        .because(&format!("The owner invites {guest}, and is told that it is done."))?;
    let client = server.connect(guest, &path(&username)).await?;
    owner
        .hears(event("user_joined", &username))
        .await
        .because(&format!("{guest} is invited, and comes."))?;
    Ok(client)
}

/// Somebody connects without an invitation.
async fn is_not_invited(server: &Server, person: &str, why: &str) -> Check {
    let mut client = server.connect(person, &path(&person.to_lowercase())).await?;
    client.is_closed(4012, "not invited").await.because(why)
}

/// The beginning: Ana comes first and needs no invitation. Ben does. Why is he accepted, and
/// then closed? A script in a browser cannot read why an upgrade was rejected.
async fn step_1_who_is_not_invited_is_closed_with_4012() -> Check {
    let server = serve(router());
    let mut ana = server.connect("Ana", &path("ana")).await?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana comes into an empty room, so she needs no invitation.")?;

    is_not_invited(&server, "Ben", "Ana is in the room, and nobody has invited Ben.")
        .await?;

    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben was not invited, and never was in the room.")
}

/// Ana can see that it is done, and Ben comes in.
async fn step_2_the_owner_invites() -> Check {
    let server = serve(router());
    let mut ana = server.connect("Ana", &path("ana")).await?;

    let mut ben = invites(&server, &mut ana, "Ben").await?;
    ben.says(says("Hello!")).await?;

    ana.hears(chat("ben", "Hello!")).await.because("Ben is in the room, and speaks.")?;
    ben.hears(chat("ben", "Hello!")).await.because("Ben is in the room, and speaks.")?;
    is_not_invited(&server, "Cem", "Ben is invited, and Cem is not.").await
}

/// Ben has lost his connection. His page connects again, and nobody has to invite him anew.
async fn step_3_whoever_leaves_is_announced_and_may_come_back() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;

    for way in ["closes", "loses the connection"] {
        if way == "closes" {
            ben.leaves().await?;
        } else {
            ben.vanishes().await;
        }
        for client in [&mut ana, &mut cem] {
            client
                .hears(event("user_left", "ben"))
                .await
                .because(&format!("Ben {way}."))?;
            client
                .hears_nothing_for(ONE_MINUTE)
                .await
                .because("Ben has left, and the others know. Ana is still the owner.")?;
        }

        ben = server.connect("Ben", &path("ben")).await?;
        let back = "Ben was invited once, has left, and comes back.";
        ben.hears_nothing_for(ONE_MINUTE).await.because(back)?;
        for client in [&mut ana, &mut cem] {
            client.hears(event("user_joined", "ben")).await.because(back)?;
        }
    }
    Ok(())
}

/// Each of these gets an answer, and changes nothing.
async fn step_4_what_is_not_allowed_gets_an_error() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;

    let not_the_owner = error("only the owner may invite and kick");
    ben.says(invite("dan")).await?;
    ben.hears(not_the_owner.clone())
        .await
        .because("Ben is not the owner, and invites Dan.")?;
    is_not_invited(&server, "Dan", "Ben invited Dan, and Ben is not the owner.").await?;
    for username in ["cem", "ana", "ben"] {
        ben.says(kick(username)).await?;
        ben.hears(not_the_owner.clone())
            .await
            .because(&format!("Ben is not the owner, and kicks {username}."))?;
    }
    cem.leaves().await?;
    cem = server.connect("Cem", &path("cem")).await?;
    cem.hears_nothing_for(ONE_MINUTE).await.because(
        "Ben is not the owner, so his kick of Cem changed nothing, and Cem is still invited. \
         He leaves and comes back.",
    )?;
    for client in [&mut ana, &mut ben] {
        client.hears(event("user_left", "cem")).await.because("Cem leaves.")?;
        client.hears(event("user_joined", "cem")).await.because("Cem comes back.")?;
    }

    ana.says(kick("ana")).await?;
    ana.hears(error("you cannot kick yourself"))
        .await
        .because("Ana, the owner, kicks herself.")?;
    ana.says(kick("dan")).await?;
    ana.hears(error("dan is not in the room"))
        .await
        .because("Ana, the owner, kicks Dan, who is not there.")?;

    for client in [&mut ana, &mut ben, &mut cem] {
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("All that was asked for was an error. Everybody is still there.")?;
    }
    Ok(())
}

/// Ben is told by a code of its own, because his page should not connect again. The others
/// are told at once, and not a second time when his connection ends.
async fn step_5_a_kick_closes_with_4013() -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = three_people().await?;

    ana.says(kick("ben")).await?;

    let kicked = "Ana kicks Ben.";
    ben.is_closed(4013, "removed by the owner").await.because(kicked)?;
    for client in [&mut ana, &mut cem] {
        client.hears(event("user_left", "ben")).await.because(kicked)?;
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ana kicked Ben, and the others know that he has left.")?;
    }

    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;
    floods(&mut ana, &mut ben, &mut cem).await?;

    ana.says(kick("ben")).await?;
    let start = Instant::now();
    let slow = "Ben reads nothing, so his connection ends some seconds later. Ana kicks him, \
                and should hear at once that he has left.";
    ana.hears(event("user_left", "ben")).await.because(slow)?;
    if start.elapsed() > ONE_SECOND {
        let seconds = start.elapsed().as_secs();
        return Err(server.hint(format!("{slow} She heard it after {seconds} s.")));
    }
    Ok(())
}

/// Ben reads nothing, and Ana says so much that the server waits for him.
async fn floods(ana: &mut Client, ben: &mut Client, cem: &mut Client) -> Check {
    ben.stops_reading();
    for _ in 0..FLOOD {
        ana.says(says(&"z".repeat(1_500))).await?;
    }
    ana.hears_out(MOMENT).await;
    cem.hears_out(MOMENT).await;
    Ok(())
}

/// Or a kick would last for as long as it takes to connect again.
async fn step_6_a_kick_withdraws_the_invitation() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;

    ana.says(invite("ben")).await?;
    ana.hears(event("invited", "ben"))
        .await
        .because("Ana invites Ben for the second time.")?;
    ana.says(kick("ben")).await?;
    ben.is_closed(4013, "removed by the owner").await.because("Ana kicks Ben.")?;
    is_not_invited(&server, "Ben", "Ana invited Ben twice, and then kicked him.").await?;

    for client in [&mut ana, &mut cem] {
        client.hears(event("user_left", "ben")).await.because("Ana kicked Ben.")?;
    }
    cem.leaves().await?;
    ana.hears(event("user_left", "cem")).await.because("Cem closes with 1000.")?;
    ana.says(kick("cem")).await?;
    ana.hears(error("cem is not in the room"))
        .await
        .because("Ana kicks Cem, who left a moment ago.")?;
    is_not_invited(
        &server,
        "Cem",
        "Ana kicked Cem, who had left a moment before. His invitation is withdrawn, too.",
    )
    .await?;

    invites(&server, &mut ana, "Ben").await.because("Ana invites Ben again.")?;
    Ok(())
}

/// A room without an owner would stay as it is for ever.
async fn step_7_when_the_owner_leaves_the_next_one_is_the_owner() -> Check {
    let (server, [ana, mut ben, mut cem]) = three_people().await?;

    ana.leaves().await?;
    let left = "Ana, the owner, has left. Ben came before Cem.";
    for client in [&mut ben, &mut cem] {
        client.hears(event("user_left", "ana")).await.because(left)?;
        client.hears(event("owner", "ben")).await.because(left)?;
    }
    let mut dan = invites(&server, &mut ben, "Dan").await.because(left)?;
    let mut ana = server.connect("Ana", &path("ana")).await?;
    let back = "Ana was the owner, and comes back. She needs no invitation.";
    dan.hears(event("user_joined", "ana")).await.because(back)?;
    ana.says(kick("ben")).await?;
    ana.hears(error("only the owner may invite and kick"))
        .await
        .because("Ana was the owner, left, and came back. Now Ben is the owner.")?;

    ben.hears_out(MOMENT).await;
    ben.says(kick("ben")).await?;
    ben.hears(error("you cannot kick yourself"))
        .await
        .because("Ben, the owner, kicks himself.")?;
    ben.leaves().await?;
    let mut ben = server.connect("Ben", &path("ben")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await.because(
        "Ben, the owner, kicked himself. That was an error and changed nothing, so he is \
         still invited. He leaves and comes back.",
    )?;

    for client in [ana, ben, cem, dan] {
        client.leaves().await?;
    }
    let mut eve = server.connect("Eve", &path("eve")).await?;
    eve.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Everybody has left, and Eve comes into the empty room.")?;
    is_not_invited(
        &server,
        "Ben",
        "Everybody has left, and Eve is the owner of an empty room. She has invited nobody.",
    )
    .await?;

    let (server, [mut ana, _ben, mut cem]) = three_people().await?;
    let _dan = invites(&server, &mut ana, "Dan").await?;
    cem.hears(event("user_joined", "dan")).await.because("Dan is invited, and comes.")?;
    ana.says(kick("ben")).await?;
    cem.hears(event("user_left", "ben")).await.because("Ana kicks Ben.")?;
    ana.leaves().await?;
    let left = "Ana, Ben, Cem and Dan came in this order. Ana, the owner, has kicked Ben, and \
                then left. Cem came before Dan.";
    cem.hears(event("user_left", "ana")).await.because(left)?;
    cem.hears(event("owner", "cem")).await.because(left)
}

/// Ben's phone has lost its network: it reads nothing, and cannot be told that he is out.
/// Ana changes her mind, and he comes back with another device. Then the old connection ends.
async fn step_8_an_old_connection_removes_nobody() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;
    floods(&mut ana, &mut ben, &mut cem).await?;

    ana.says(kick("ben")).await?;
    ana.hears(event("user_left", "ben"))
        .await
        .because("Ana kicks Ben, who reads nothing.")?;
    let mut new = invites(&server, &mut ana, "Ben").await.because(
        "Ana kicked Ben, whose connection has not ended yet. She invites him.",
    )?;

    let old = "Ben was kicked, is invited again, and is back on a new connection. Some \
               seconds later, his old connection ends.";
    ana.hears_nothing_for(A_WHILE).await.because(old)?;
    ana.says(says("Hello, Ben!")).await?;
    new.hears(chat("ana", "Hello, Ben!")).await.because(old)
}
