// Exercise 9: an idle session.

use std::time::Duration;

use exercises::idle_session::router;
use probe::{ANY, Because, Check, Client, Expected, Hint, Server, serve};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

probe::steps! {
    step_1_a_warning_comes_after_nine_minutes,
    step_2_one_minute_later_the_session_is_closed,
    step_3_a_chat_begins_anew,
    step_4_others_may_talk_meanwhile,
    step_5_pings_and_pongs_do_not_count,
    step_6_an_invalid_message_does_not_count,
    step_7_a_chat_after_the_warning_saves_the_session,
}

const MINUTE: Duration = Duration::from_secs(60);

/// How long somebody may be silent before the warning.
const WARNING_AFTER: Duration = Duration::from_secs(9 * 60);

/// What a clock may be wrong by.
const A_LITTLE: Duration = Duration::from_millis(100);

/// An empty pong with a mask, as a browser sends it (RFC 6455, section 5.5.3).
const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];

const PING: &str = r#"{"type":"ping"}"#;

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn chat(from: &str, content: &str) -> Value {
    json!({ "type": "chat", "from": from, "content": content })
}

fn warning() -> Value {
    json!({ "type": "idle_warning", "seconds_left": 60 })
}

/// Ana, and since when she is there.
async fn ana_connects() -> Result<(Server, Client, Instant), Hint> {
    let server = serve(router());
    let start = Instant::now();
    let ana = server.connect("Ana", "/ws/idle_session/ana").await?;
    Ok((server, ana, start))
}

/// Expects nothing more until `time` after `last`, and the warning then.
async fn is_warned(ana: &mut Client, last: Instant, time: Duration, why: &str) -> Check {
    let rest = (time - A_LITTLE).saturating_sub(last.elapsed());
    ana.hears_nothing_for(rest).await.because(why)?;
    ana.hears(warning()).await.because(why)?;
    is_not_late(last, time, "The warning", why)
}

/// Expects nothing more until a minute after the warning, and the Close then.
async fn is_closed(ana: &mut Client, last: Instant, why: &str) -> Check {
    let time = WARNING_AFTER + MINUTE;
    let rest = (time - A_LITTLE).saturating_sub(last.elapsed());
    ana.hears_nothing_for(rest).await.because(why)?;
    ana.is_closed(4011, "idle").await.because(why)?;
    is_not_late(last, time, "The Close", why)
}

fn is_not_late(last: Instant, time: Duration, what: &str, why: &str) -> Check {
    let late = last.elapsed().saturating_sub(time);
    if late > A_LITTLE {
        let late = late.as_secs_f64();
        return Err(Hint::new(format!("{why}\n{what} comes {late:.1} s too late.")));
    }
    Ok(())
}

/// Most people are still there, and have only read. They should know before it is too late.
async fn step_1_a_warning_comes_after_nine_minutes() -> Check {
    let (_server, mut ana, start) = ana_connects().await?;

    let silent = "Ana connects, and says nothing for nine minutes.";
    is_warned(&mut ana, start, WARNING_AFTER, silent).await?;

    ana.hears_nothing_for(MINUTE / 2)
        .await
        .because("Ana was warned half a minute ago. Once is enough.")
}

/// A session that nobody uses costs memory, and may show a screen to whoever passes by.
async fn step_2_one_minute_later_the_session_is_closed() -> Check {
    let (_server, mut ana, start) = ana_connects().await?;

    let silent = "Ana connects, and says nothing for ten minutes.";
    is_warned(&mut ana, start, WARNING_AFTER, silent).await?;
    is_closed(&mut ana, start, silent).await
}

/// The nine minutes count from the last word, and not from the first.
async fn step_3_a_chat_begins_anew() -> Check {
    let (_server, mut ana, mut last) = ana_connects().await?;

    let spoke =
        "Ana speaks after 5 minutes, and again 8 minutes later. Then she is silent.";

    for minutes in [5, 8] {
        ana.hears_nothing_for(minutes * MINUTE).await.because(spoke)?;
        ana.says(says("still here")).await?;
        last = Instant::now();
        ana.hears(chat("ana", "still here")).await?;
    }

    is_warned(&mut ana, last, WARNING_AFTER, spoke).await?;
    is_closed(&mut ana, last, spoke).await
}

/// That Ben is there does not show that Ana is. But each of his messages makes the loop of
/// her connection begin a new turn.
async fn step_4_others_may_talk_meanwhile() -> Check {
    let (server, mut ana, start) = ana_connects().await?;
    let mut ben = server.connect("Ben", "/ws/idle_session/ben").await?;
    let talk = "Ben speaks every 50 s. Ana receives it, and is silent.";

    let mut warnings = 0;
    for _ in 0..11 {
        sleep(50 * MINUTE / 60).await;
        ben.says(says("Ana?")).await?;
        let mut heard = ana.hears_any().await.because(talk)?;
        if Expected::from(warning()).matches(&heard) {
            warnings += 1;
            heard = ana.hears_any().await.because(talk)?;
        }
        if !Expected::from(chat("ben", "Ana?")).matches(&heard) {
            return Err(
                server.hint(format!("{talk} She should hear him, but heard {heard}."))
            );
        }
    }
    if warnings != 1 {
        let minutes = start.elapsed().as_secs() / 60;
        return Err(server.hint(format!(
            "{talk} After {minutes} minutes she should have been warned once, but she was \
             warned {warnings} times."
        )));
    }
    // Now each of his messages comes between the warning and the Close.
    for _ in 0..2 {
        sleep(MINUTE / 6).await;
        ben.says(says("Are you there?")).await?;
        ana.hears(chat("ben", "Are you there?")).await.because(
            "Ben speaks again and again. Ana has been warned, and once is enough.",
        )?;
    }
    let meanwhile = "Ana is silent for ten minutes, and was warned. That Ben speaks postpones \
                     nothing.";
    is_closed(&mut ana, start, meanwhile).await
}

/// A page sends `ping` by itself, and so does a browser with pongs. They show that the
/// program is there.
async fn step_5_pings_and_pongs_do_not_count() -> Check {
    let (_server, mut ana, start) = ana_connects().await?;

    for _ in 0..17 {
        sleep(MINUTE / 2).await;
        ana.says(PING).await?;
        ana.hears(json!({ "type": "pong" })).await.because("Ana's page sends a ping.")?;
        ana.pings(b"").await?;
        ana.writes_raw(PONG).await?;
    }

    let alive =
        "Ana's page sends pings, and her browser pongs, but Ana herself is silent.";
    is_warned(&mut ana, start, WARNING_AFTER, alive).await?;
    ana.says(PING).await?;
    ana.hears(json!({ "type": "pong" })).await.because("Ana's page sends a ping.")?;
    is_closed(&mut ana, start, alive).await
}

/// A script that has an error in it can send the same wrong message for days.
async fn step_6_an_invalid_message_does_not_count() -> Check {
    let (_server, mut ana, start) = ana_connects().await?;

    let empty = says(" ");
    for text in ["hello", r#"{"type":"shout"}"#, r#"{"type":"chat"}"#, &empty] {
        sleep(2 * MINUTE).await;
        ana.says(text).await?;
        let error = json!({ "type": "error", "message": ANY });
        ana.hears(error)
            .await
            .because("Ana's client sends something that is not valid.")?;
    }
    ana.sends_binary(b"\x00\x01").await?;

    let invalid = "Ana's client sends something invalid every two minutes, and some bytes. \
                   Ana herself is silent.";
    is_warned(&mut ana, start, WARNING_AFTER, invalid).await?;
    is_closed(&mut ana, start, invalid).await
}

/// That is what the warning is for. And the next silence is a new one, with a warning of its
/// own.
async fn step_7_a_chat_after_the_warning_saves_the_session() -> Check {
    let (_server, mut ana, mut last) = ana_connects().await?;
    let saved = "Ana is warned, and says something 50 s later. Then she is silent again.";

    for _ in 0..2 {
        is_warned(&mut ana, last, WARNING_AFTER, saved).await?;
        ana.hears_nothing_for(50 * MINUTE / 60).await.because(saved)?;
        ana.says(says("I am here!")).await?;
        last = Instant::now();
        ana.hears(chat("ana", "I am here!")).await.because(saved)?;
    }

    is_warned(&mut ana, last, WARNING_AFTER, saved).await?;
    is_closed(&mut ana, last, saved).await
}
