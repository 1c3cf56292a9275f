// Exercise 1: private messages.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{ANY, Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::Instant;

probe::steps! {
    step_1_the_recipient_hears_it,
    step_2_the_sender_gets_a_copy,
    step_3_nobody_else_hears_it,
    step_4_a_name_that_nobody_has_gets_an_error,
    step_5_other_rooms_are_out_of_reach,
    step_6_whoever_writes_to_themselves_hears_it_once,
    step_7_pm_is_a_private_message,
    step_8_not_everything_with_pm_is_one,
    step_9_a_client_that_does_not_read_holds_up_nobody,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined"];

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

fn error() -> Value {
    json!({ "type": "error", "message": ANY })
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

/// If you write to somebody who is not there, silence would look like success. And a copy
/// of a message that never arrived would be a lie.
async fn step_4_a_name_that_nobody_has_gets_an_error() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    ana.says(to("zoe", "psst")).await?;

    ana.hears(error()).await.because("Ana writes to Zoe, who is not in the room.")?;
    for client in [&mut ana, &mut ben] {
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ana wrote to Zoe, who is not there. One error, for Ana, is all.")?;
    }
    Ok(())
}

/// A name belongs to a room: in another room, another person may have the same.
async fn step_5_other_rooms_are_out_of_reach() -> Check {
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
async fn step_6_whoever_writes_to_themselves_hears_it_once() -> Check {
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

/// The way to say it on the page. A message has more than one word, and the blanks in it
/// may mean something.
async fn step_7_pm_is_a_private_message() -> Check {
    let (_server, [mut ana, mut ben, mut cem]) = three_people().await?;

    ana.says(says("/pm ben psst")).await?;
    ben.hears(private("ana", "ben", "psst"))
        .await
        .because("Ana's chat is a command: /pm ben psst")?;
    ana.hears(private("ana", "ben", "psst"))
        .await
        .because("Ana's chat is a command: /pm ben psst")?;

    ben.says(says("/pm ana see  you at 8?")).await?;
    for client in [&mut ana, &mut ben] {
        client.hears(private("ben", "ana", "see  you at 8?")).await.because(
            "Ben's message has several words, and two blanks. All of them belong to it.",
        )?;
    }
    cem.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana and Ben wrote /pm to each other. Cem should not see the commands.")
}

/// The two ways to go too far: to let a broken command out into the room, where everybody
/// reads what was meant for one; and to swallow a chat that is none.
async fn step_8_not_everything_with_pm_is_one() -> Check {
    let (_server, [mut ana, mut ben, _cem]) = three_people().await?;

    for mistake in ["/pm", "/pm ben", "/pm  ben  "] {
        ana.says(says(mistake)).await?;
        ana.hears(error())
            .await
            .because(&format!("Ana writes {mistake:?}. There is no message in it."))?;
    }
    ben.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana's /pm had no message. That is between her and the server.")?;

    for chat in ["say /pm ben psst", "/pmben psst"] {
        ana.says(says(chat)).await?;
        ben.hears(json!({
            "type": "chat", "room": "rust", "from": "ana", "content": chat, "timestamp": ANY,
        }))
        .await
        .because(&format!("Ana says {chat:?} to all: it does not begin with /pm and a blank."))?;
        ana.hears_any().await?;
    }
    Ok(())
}

/// Ben's computer is asleep. Whoever waits until he has room for a message, perhaps with a
/// lock in hand, waits for him; and whoever keeps all his messages needs memory without end.
async fn step_9_a_client_that_does_not_read_holds_up_nobody() -> Check {
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
