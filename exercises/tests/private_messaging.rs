// Exercise 1: private messages.

use std::time::Duration;

use exercises::{chat_with, features::Features, protocol::now};
use probe::{ANY, Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::Instant;

probe::steps! {
    step_1_the_recipient_hears_it,
    step_2_the_sender_gets_a_copy,
    step_3_nobody_else_hears_it,
    step_4_it_has_the_time_of_now,
    step_5_a_name_that_nobody_has_gets_an_error,
    step_6_the_whole_name_counts,
    step_7_other_rooms_are_out_of_reach,
    step_8_whoever_writes_to_themselves_hears_it_once,
    step_9_the_same_words_may_be_said_again,
    step_10_pm_is_a_private_message,
    step_11_the_message_arrives_as_it_was_written,
    step_12_a_broken_command_is_answered,
    step_13_every_other_chat_stays_a_chat,
    step_14_a_client_that_does_not_read_holds_up_nobody,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined", "online_users"];

/// Ana, Ben and Cem in the room "rust".
async fn three_people() -> Result<(Server, [Client; 3]), Hint> {
    let server = serve(chat_with(Features::only(1))).ignoring(IGNORED);
    let ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    let cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    Ok((server, [ana, ben, cem]))
}

fn to(username: &str, content: &str) -> String {
    json!({ "type": "private", "to": username, "content": content }).to_string()
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn private(from: &str, to: &str, content: &str) -> Value {
    json!({ "type": "private", "from": from, "to": to, "content": content, "timestamp": ANY })
}

fn chat(from: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": from, "content": content, "timestamp": ANY })
}

fn error() -> Value {
    json!({ "type": "error", "message": ANY })
}

/// Expects an error that says something.
async fn hears_an_error(server: &Server, client: &mut Client) -> Check {
    let error = client.hears_any().await?;
    let error: Value = serde_json::from_str(&error).unwrap_or_default();
    let message = error["message"].as_str().map(str::trim);
    match (error["type"].as_str(), message) {
        (Some("error"), Some("")) => Err(server.hint(
            "There is an error, and its message is empty. It should say what is wrong.",
        )),
        (Some("error"), Some(_)) => Ok(()),
        _ => Err(server.hint(format!("An error should come, but {error} came."))),
    }
}

/// The beginning: one message for one person, who sees whom it is from.
async fn step_1_the_recipient_hears_it() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(to("ben", "psst")).await?;

    ben.hears(private("ana", "ben", "psst")).await.because("Ana writes to Ben.")
}

/// A page shows what the server sends. Without a copy, Ana's own words would vanish; and
/// with two of them, she would wonder what she did.
async fn step_2_the_sender_gets_a_copy() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(to("ben", "psst")).await?;

    ben.hears(private("ana", "ben", "psst")).await.because("Ana writes to Ben.")?;
    ana.hears(private("ana", "ben", "psst"))
        .await
        .because("Ana writes to Ben, and wants to see it on her own page, too.")?;
    for client in [&mut ana, &mut ben] {
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ana wrote to Ben. Each of them has heard it; once is enough.")?;
    }
    Ok(())
}

/// This is what makes it private.
async fn step_3_nobody_else_hears_it() -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = three_people().await?;

    ana.says(to("ben", "psst")).await?;

    ben.hears(private("ana", "ben", "psst")).await.because("Ana writes to Ben.")?;
    cem.hears_nothing_for(ONE_MINUTE).await.because("Ana wrote to Ben, not to Cem.")
}

/// A page sorts by the timestamp, and shows it beside those of chats. So it has the same
/// form, and it is the server's time at which the message came.
async fn step_4_it_has_the_time_of_now() -> Check {
    let (server, [mut ana, mut ben, _cem]) = three_people().await?;

    let before = now();
    ana.says(to("ben", "psst")).await?;
    let heard = ben.hears_any().await.because("Ana writes to Ben.")?;
    let after = now();

    let heard: Value = serde_json::from_str(&heard).unwrap_or_default();
    let timestamp = heard["timestamp"].as_str().unwrap_or_default().to_owned();
    // In this form, the order of texts is the order of times.
    if timestamp.len() != before.len() || timestamp < before || timestamp > after {
        return Err(server.hint(format!(
            "Ana writes to Ben between {before} and {after}. The timestamp should be in \
             between, in the form that a chat has, but it is {timestamp:?}."
        )));
    }
    Ok(())
}

/// If you write to somebody who is not there, silence would look like success. And a copy
/// of a message that never arrived would be a lie.
async fn step_5_a_name_that_nobody_has_gets_an_error() -> Check {
    let (server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(to("zoe", "psst")).await?;

    hears_an_error(&server, &mut ana)
        .await
        .because("Ana writes to Zoe, who is not in the room.")?;
    for client in [&mut ana, &mut ben] {
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ana wrote to Zoe, who is not there. One error, for Ana, is all.")?;
    }
    Ok(())
}

/// `Ben` and `ben` are two names, and two people may have them. A server that finds the one
/// who is meant approximately gives a secret to somebody else.
async fn step_6_the_whole_name_counts() -> Check {
    let (server, [mut ana, mut ben, _cem]) = three_people().await?;

    for name in ["Ben", "be", "benn"] {
        ana.says(to(name, "psst")).await?;
        ana.hears(error()).await.because(&format!(
            "Ana writes to {name:?}. The room has a \"ben\", and nobody of that name."
        ))?;
    }
    let mut namesake = server.connect("Ben with a capital", "/ws/chat/rust/Ben").await?;
    ana.says(to("ben", "psst")).await?;
    ben.hears(private("ana", "ben", "psst")).await.because(
        "Ana writes to \"ben\". A \"Ben\" is there as well, and is another person.",
    )?;
    namesake
        .hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana wrote to \"ben\", and \"Ben\" is another person.")
}

/// A name belongs to a room: in another room, another person may have the same.
async fn step_7_other_rooms_are_out_of_reach() -> Check {
    let (server, [mut ana, mut ben, _cem]) = three_people().await?;
    let mut namesake = server.connect("Ben of room tea", "/ws/chat/tea/ben").await?;
    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;

    ana.says(to("ben", "psst")).await?;
    ben.hears(private("ana", "ben", "psst"))
        .await
        .because("Ana writes to Ben. Both are in the room rust.")?;
    ana.hears(private("ana", "ben", "psst")).await.because("Ana wrote to Ben.")?;
    namesake.hears_nothing_for(ONE_MINUTE).await.because(
        "Ana wrote to the Ben of her own room. Another Ben is in the room tea.",
    )?;

    ana.says(to("dan", "psst")).await?;
    ana.hears(error()).await.because(
        "Ana writes to Dan, but he is in another room. So she needs an error.",
    )?;
    dan.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana wrote to a Dan who is not in her room. There is one in room tea.")
}

/// Notes to oneself are popular. The recipient's copy and the sender's are one here.
async fn step_8_whoever_writes_to_themselves_hears_it_once() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(to("ana", "buy milk")).await?;

    ana.hears(private("ana", "ana", "buy milk"))
        .await
        .because("Ana writes a note to herself.")?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana wrote a note to herself, and has heard it. One copy is enough.")?;
    ben.hears_nothing_for(ONE_MINUTE).await.because("Ana's note is for Ana.")
}

/// "Each receives it once" is about one message. Who says "yes" twice means it twice.
async fn step_9_the_same_words_may_be_said_again() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    for _ in 0..2 {
        ana.says(to("ben", "yes")).await?;
        for client in [&mut ben, &mut ana] {
            client.hears(private("ana", "ben", "yes")).await.because(
                "Ana writes \"yes\" to Ben, and later \"yes\" again. These are two messages.",
            )?;
        }
    }
    Ok(())
}

/// The way to say it on the page.
async fn step_10_pm_is_a_private_message() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;

    ana.says(says("/pm ben psst")).await?;
    for client in [&mut ben, &mut ana] {
        client
            .hears(private("ana", "ben", "psst"))
            .await
            .because("Ana's chat is a command: /pm ben psst")?;
    }
    cem.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana wrote /pm to Ben. Cem should not see the command.")?;

    let mut namesake = server.connect("Ben with a capital", "/ws/chat/rust/Ben").await?;
    ana.says(says("/pm Ben psst")).await?;
    namesake.hears(private("ana", "Ben", "psst")).await.because(
        "Ana says /pm Ben psst. \"Ben\" and \"ben\" are two people in this room.",
    )
}

/// A message has more than one word, and the blanks in it may mean something. What looks
/// like a command inside of it belongs to it.
async fn step_11_the_message_arrives_as_it_was_written() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ben.says(says("/pm ana see  you at 8?")).await?;
    for client in [&mut ana, &mut ben] {
        client.hears(private("ben", "ana", "see  you at 8?")).await.because(
            "Ben's message has several words, and two blanks. All of them belong to it.",
        )?;
    }
    for message in ["first\n  second", "ben ben", "type /pm cem hello", "á la carte, 👋"]
    {
        ana.says(says(&format!("/pm ben {message}"))).await?;
        for client in [&mut ben, &mut ana] {
            client.hears(private("ana", "ben", message)).await.because(&format!(
                "Ana says /pm ben, a blank, and {message:?}. Ben should receive the last, \
                 as it was written."
            ))?;
        }
    }
    Ok(())
}

/// If a broken command goes out into the room, everybody reads what was meant for one.
async fn step_12_a_broken_command_is_answered() -> Check {
    let (server, [mut ana, mut ben, _cem]) = three_people().await?;

    for mistake in ["/pm", "/pm ben", "/pm  ben  "] {
        ana.says(says(mistake)).await?;
        hears_an_error(&server, &mut ana)
            .await
            .because(&format!("Ana says {mistake:?}. There is no message in it."))?;
    }
    for name in ["b@d", "a-name-of-more-than-20-characters"] {
        let command = format!("/pm {name} psst");
        ana.says(says(&command)).await?;
        hears_an_error(&server, &mut ana).await.because(&format!(
            "Ana says {command:?}. Nobody can be called {name}, and she should be told so."
        ))?;
    }
    ben.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana made mistakes with /pm. That is between her and the server.")
}

/// The other way to go too far: to take something for a command that is none, or to fail
/// with it.
async fn step_13_every_other_chat_stays_a_chat() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(says("/pm ben psst")).await?;
    for client in [&mut ben, &mut ana] {
        client
            .hears(private("ana", "ben", "psst"))
            .await
            .because("Ana's chat is a command: /pm ben psst")?;
    }

    for content in
        ["say /pm ben psst", "/pmben psst", "/PM ben psst", "hi", "café", "/", "/pé"]
    {
        ana.says(says(content)).await?;
        for client in [&mut ben, &mut ana] {
            client.hears(chat("ana", content)).await.because(&format!(
                "Ana says {content:?} to all: it does not begin with /pm and a blank."
            ))?;
        }
    }
    Ok(())
}

/// Ben's computer is asleep. Whoever waits until he has room for a message, perhaps with a
/// lock in hand, waits for him; and whoever keeps all his messages needs memory without end.
async fn step_14_a_client_that_does_not_read_holds_up_nobody() -> Check {
    let (server, [mut ana, mut ben, mut cem]) = three_people().await?;
    ana.says(to("ben", "psst")).await?;
    ben.hears(private("ana", "ben", "psst")).await.because("Ana writes to Ben.")?;
    ana.hears_any().await?;

    const FLOOD: usize = 1_000;
    let start = Instant::now();
    ben.stops_reading();
    for i in 0..FLOOD {
        let held_up = "Ben reads nothing. Ana writes to him, and has to wait herself.";
        ana.says(to("ben", &format!("{i:.<1000}"))).await.because(held_up)?;
        ana.hears_any().await.because(held_up)?;
    }
    cem.says(says("Anybody awake?")).await?;
    cem.hears_any()
        .await
        .because("Ben reads nothing, Ana writes to him, Cem has to wait.")?;
    if start.elapsed() > Duration::from_secs(1) {
        return Err(server.hint(
            "Ben reads nothing. Ana wrote to him, and had to wait for him, or Cem had to.",
        ));
    }

    ben.reads_again();
    let came = ben.hears_out(Duration::from_secs(1)).await.len();
    if came >= FLOOD {
        return Err(server.hint(format!(
            "Ben read nothing while Ana sent him {FLOOD} messages, and then got them all. \
             They were kept for him without a limit."
        )));
    }
    Ok(())
}
