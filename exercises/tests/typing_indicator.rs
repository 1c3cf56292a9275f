// Exercise 2: who is typing.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{ANY, Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

probe::steps! {
    step_1_the_others_hear_that_somebody_types,
    step_2_nobody_else_hears_it,
    step_3_it_ends_after_three_seconds,
    step_4_it_is_told_once,
    step_5_typing_on_extends_it,
    step_6_others_may_talk_meanwhile,
    step_7_a_chat_ends_it_at_once,
    step_8_after_a_chat_it_begins_anew,
    step_9_leaving_ends_it,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined"];

const TYPING: &str = r#"{"type":"typing"}"#;

const ONE_SECOND: Duration = Duration::from_secs(1);

/// How long after the last letter somebody still counts as typing.
const PAUSE: Duration = Duration::from_secs(3);

/// What a clock may be wrong by.
const A_LITTLE: Duration = Duration::from_millis(100);

/// Ana and Ben in the room "rust".
async fn two_people() -> Result<(Server, [Client; 2]), Hint> {
    let server = serve(chat_with(Features::only(2))).ignoring(IGNORED);
    let ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    Ok((server, [ana, ben]))
}

fn typing(username: &str, is_typing: bool) -> Value {
    json!({ "type": "typing", "username": username, "is_typing": is_typing })
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn chat(from: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": from, "content": content, "timestamp": ANY })
}

/// Expects Ana to hear that Ben stopped, `PAUSE` after `last`, and nothing before that.
async fn hears_the_end(server: &Server, ana: &mut Client, last: Instant) -> Check {
    let rest = (PAUSE - A_LITTLE).saturating_sub(last.elapsed());
    ana.hears_nothing_for(rest).await?;
    ana.hears(typing("ben", false)).await?;

    let late = last.elapsed().saturating_sub(PAUSE);
    if late > A_LITTLE {
        let sentence = format!("Ana hears of it {:.1} s too late.", late.as_secs_f64());
        return Err(server.hint(sentence));
    }
    Ok(())
}

/// The beginning: Ben presses a key, and the others see it.
async fn step_1_the_others_hear_that_somebody_types() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    ben.says(TYPING).await?;

    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    cem.hears(typing("ben", true)).await.because("Ben types.")
}

/// Ben knows that he is typing. People in other rooms need not know.
async fn step_2_nobody_else_hears_it() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;

    ben.says(TYPING).await?;

    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    ben.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben typed, then paused. He knows that himself.")?;
    dan.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben typed in the room rust, and Dan is in the room tea.")
}

/// No message says "I have stopped", so the server needs a clock.
async fn step_3_it_ends_after_three_seconds() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    let last = Instant::now();

    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    hears_the_end(&server, &mut ana, last).await.because(
        "Ben typed one letter. It counts for 3 s, and then Ana should hear the end.",
    )?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben typed, then paused, and Ana has heard of both. That is all.")
}

/// A page reports every letter. If each of them went out to everyone, a room of a hundred
/// would hear more of typing than of talk.
async fn step_4_it_is_told_once() -> Check {
    let (_server, [mut ana, mut ben]) = two_people().await?;

    for _letter in 0..3 {
        ben.says(TYPING).await?;
        sleep(ONE_SECOND / 5).await;
    }

    ana.hears(typing("ben", true)).await.because("Ben types three letters.")?;
    ana.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben types three letters in a row. Ana knows it from the first.")
}

/// Somebody who writes a long message types for longer than 3 s. The time counts from the
/// last letter, and there is one end, not one for each letter.
async fn step_5_typing_on_extends_it() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    sleep(2 * ONE_SECOND).await;
    ben.says(TYPING).await?;
    let last = Instant::now();

    hears_the_end(&server, &mut ana, last).await.because(
        "Ben types at 0 s and again at 2 s. So he types until 5 s, not until 3 s.",
    )?;
    ana.hears_nothing_for(ONE_MINUTE).await.because(
        "Ben typed at 0 s and at 2 s, and Ana heard the end at 5 s. One is enough.",
    )
}

/// While Ben's clock runs, the loop of his connection has other things to do.
async fn step_6_others_may_talk_meanwhile() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    let last = Instant::now();
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    for content in ["Ben?", "Are you there?"] {
        sleep(ONE_SECOND).await;
        ana.says(says(content)).await?;
        ana.hears(chat("ana", content)).await?;
    }

    hears_the_end(&server, &mut ana, last).await.because(
        "Ben types at 0 s. What Ana says at 1 s and 2 s puts nothing off: he stops at 3 s.",
    )
}

/// Whoever has spoken is not typing. The order matters: the other way round, a page would
/// show "ben is typing" under Ben's finished message.
async fn step_7_a_chat_ends_it_at_once() -> Check {
    let (_server, [mut ana, mut ben]) = two_people().await?;

    ben.says(says("Pasted, not typed.")).await?;
    ana.hears(chat("ben", "Pasted, not typed."))
        .await
        .because("Ben speaks without having typed. Nothing ends that did not begin.")?;

    ben.says(TYPING).await?;
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    ben.says(says("Hello!")).await?;

    ana.hears(typing("ben", false))
        .await
        .because("Ben types, and then speaks. First Ana should hear that he stopped.")?;
    ana.hears(chat("ben", "Hello!")).await.because("Ben typed, and then spoke.")?;
    ana.hears_nothing_for(ONE_MINUTE).await.because(
        "Ben typed and spoke, and Ana has heard of both. No clock is left to run.",
    )
}

/// The clock of the first message must not strike in the second.
async fn step_8_after_a_chat_it_begins_anew() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    sleep(ONE_SECOND).await;
    ben.says(says("Hello!")).await?;
    ana.hears(typing("ben", false)).await.because("Ben types, and then speaks.")?;
    ana.hears(chat("ben", "Hello!")).await.because("Ben typed, and then spoke.")?;
    sleep(ONE_SECOND).await;
    ben.says(TYPING).await?;
    let last = Instant::now();

    ana.hears(typing("ben", true)).await.because("Ben spoke, and types again.")?;
    hears_the_end(&server, &mut ana, last).await.because(
        "Ben types at 0 s, speaks at 1 s, and types again at 2 s. So he types until 5 s.",
    )
}

/// Nobody types who is not there. If the end comes late, pages show a ghost; if it comes
/// after `user_left`, they meet somebody they have forgotten.
async fn step_9_leaving_ends_it() -> Check {
    for way in ["closes", "loses the connection"] {
        let (_server, [mut ana, mut ben]) = two_people().await?;

        ben.says(TYPING).await?;
        ana.hears(typing("ben", true)).await.because("Ben types.")?;
        if way == "closes" {
            ben.leaves().await?;
        } else {
            ben.vanishes().await;
        }

        ana.hears(typing("ben", false)).await.because(&format!(
            "Ben types, and then {way}. First Ana should hear that he stopped typing."
        ))?;
        ana.hears(json!({ "type": "user_left", "username": "ben" }))
            .await
            .because(&format!("Ben typed, and then {way}."))?;
        ana.hears_nothing_for(ONE_MINUTE).await.because(
            "Ben has left, and Ana knows. Nothing of him should come after that.",
        )?;
    }
    Ok(())
}
