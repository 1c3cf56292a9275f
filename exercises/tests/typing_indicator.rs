// Exercise 2: who is typing.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{
    ANY, Because, Check, Client, Expected, Hint, ONE_MINUTE, Server, memory, serve,
};
use serde_json::{Value, json};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

probe::steps! {
    step_1_the_others_hear_that_somebody_types,
    step_2_nobody_else_hears_it,
    step_3_it_ends_after_three_seconds,
    step_4_the_clock_is_tokios,
    step_5_it_is_told_once,
    step_6_typing_on_extends_it,
    step_7_others_may_talk_meanwhile,
    step_8_a_chat_ends_it_at_once,
    step_9_after_a_chat_it_begins_anew,
    step_10_two_may_type_at_once,
    step_11_leaving_ends_it,
    step_12_a_newcomer_hears_who_is_typing,
    step_13_no_task_stays_behind,
    step_14_nothing_is_kept_in_memory,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined", "online_users"];

const TYPING: &str = r#"{"type":"typing"}"#;

const ONE_SECOND: Duration = Duration::from_secs(1);

/// How long after the last letter somebody still counts as typing.
const PAUSE: Duration = Duration::from_secs(3);

/// What a clock may be wrong by.
const A_LITTLE: Duration = Duration::from_millis(100);

/// How much std's clock moves on in a check while tokio's stands still.
const REAL_TIME: Duration = Duration::from_millis(60);

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

fn left(username: &str) -> Value {
    json!({ "type": "user_left", "username": username })
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
    ben.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben types. He knows that himself.")?;
    dan.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben types in the room rust, and Dan is in the room tea.")?;

    let mut namesake = server.connect("Ben of room tea", "/ws/chat/tea/ben").await?;
    namesake.says(TYPING).await?;
    dan.hears(typing("ben", true)).await.because(
        "Ben types in the room rust, and now another Ben in the room tea, where Dan is.",
    )?;

    ben.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben typed, then paused. He knows that himself.")
}

/// No message says "I have stopped", so the server needs a clock.
async fn step_3_it_ends_after_three_seconds() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    let last = Instant::now();

    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    hears_the_end(&server, &mut ana, last).await.because(
        "Ben typed one letter. It counts for 3 s on tokio's clock, which stands still while \
         std's goes on. Then Ana should hear the end.",
    )?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben typed, then paused, and Ana has heard of both. That is all.")
}

/// There are two kinds of `Instant`. The checks stop tokio's clock, and let it jump over
/// pauses; std's goes on as always. Mixed, they measure something, but not three seconds.
async fn step_4_the_clock_is_tokios() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    sleep(ONE_MINUTE).await;
    ben.says(TYPING).await?;
    let last = Instant::now();
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    let real = std::time::Instant::now();
    while real.elapsed() < REAL_TIME {} // Nobody waits, so tokio's clock stands still.
    ana.says(says("Ben?")).await?; // This wakes Ben's loop, which asks the timer anew.

    let end = Expected::Json(typing("ben", false));
    let mut has_ended = false;
    while !has_ended && last.elapsed() < PAUSE - A_LITTLE / 4 {
        let came = ana.hears_out(A_LITTLE / 10).await;
        has_ended = came.iter().any(|text| end.matches(text));
    }
    if !has_ended {
        return Ok(()); // Whether it comes in time is what other steps ask.
    }
    Err(server.hint(format!(
        "Ben typed. std's clock moved on by {} s while tokio's stood still, and the end came \
         {:.2} s too early. The deadline is an `Instant` of std. It should be one of tokio.",
        REAL_TIME.as_secs_f64(),
        (PAUSE - last.elapsed()).as_secs_f64(),
    )))
}

/// A page reports every letter. If each of them went out to everyone, a room of a hundred
/// would hear more of typing than of talk.
async fn step_5_it_is_told_once() -> Check {
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
async fn step_6_typing_on_extends_it() -> Check {
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
async fn step_7_others_may_talk_meanwhile() -> Check {
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
async fn step_8_a_chat_ends_it_at_once() -> Check {
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
async fn step_9_after_a_chat_it_begins_anew() -> Check {
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

/// A room has more than one keyboard. What one person does must not change what the others
/// hear of the second.
async fn step_10_two_may_type_at_once() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    ben.says(TYPING).await?;
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    cem.says(TYPING).await?;
    let last = Instant::now();
    ana.hears(typing("cem", true))
        .await
        .because("Ben types, and meanwhile Cem begins to type, too.")?;
    ben.says(TYPING).await?;
    ana.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben and Cem both type on. Ana knows it of both.")?;

    ben.says(says("Hello!")).await?;
    ana.hears(typing("ben", false))
        .await
        .because("Ben and Cem both type, and then Ben speaks. Ben's typing ends.")?;
    ana.hears(chat("ben", "Hello!")).await?;
    let rest = (PAUSE - A_LITTLE).saturating_sub(last.elapsed());
    ana.hears_nothing_for(rest)
        .await
        .because("Ben has stopped. Cem's last letter is not yet 3 s old.")?;
    ana.hears(typing("cem", false)).await.because(
        "Ben and Cem typed, Ben spoke, and 3 s after Cem's last letter his typing ends, too.",
    )
}

/// Nobody types who is not there. If the end comes late, pages show somebody who has left;
/// if it comes after `user_left`, they meet somebody they have forgotten.
async fn step_11_leaving_ends_it() -> Check {
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
        ana.hears(left("ben")).await.because(&format!("Ben typed, and then {way}."))?;
        ana.hears_nothing_for(ONE_MINUTE).await.because(
            "Ben has left, and Ana knows. Nothing of him should come after that.",
        )?;
    }
    Ok(())
}

/// Who comes in while somebody types will hear the end, and should not wonder of what.
async fn step_12_a_newcomer_hears_who_is_typing() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;

    ben.says(TYPING).await?;
    ana.hears(typing("ben", true)).await.because("Ben types.")?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    cem.hears(typing("ben", true)).await.because(
        "Cem comes in while Ben types. Cem will hear the end, so he should hear that it began.",
    )?;
    ana.hears_nothing_for(ONE_SECOND)
        .await
        .because("Cem came in while Ben was typing. Ana has known of Ben before.")?;
    cem.says(TYPING).await?;
    ana.hears(typing("cem", true)).await.because("Ben types, and Cem, too.")?;

    let mut dan = server.connect("Dan", "/ws/chat/rust/dan").await?;
    let mut heard = dan.hears_out(ONE_SECOND / 10).await;
    heard.sort();
    let is_right = heard.len() == 2
        && heard
            .iter()
            .zip(["ben", "cem"])
            .all(|(text, name)| Expected::Json(typing(name, true)).matches(text));
    if !is_right {
        return Err(server.hint(format!(
            "Dan comes in while Ben and Cem type. He should hear a beginning for each, in \
             any order, but heard {heard:?}."
        )));
    }

    cem.hears(typing("ben", false)).await.because("Ben paused.")?;
    ana.hears(typing("ben", false)).await.because("Ben paused.")?;
    ana.hears(typing("cem", false)).await.because("Cem paused.")?;
    let mut eve = server.connect("Eve", "/ws/chat/rust/eve").await?;
    eve.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Eve comes in when Ben and Cem have stopped typing.")
}

/// Somebody who has left needs no memory and no clock. A task that waits for the next
/// letter of a person who is gone would wait until the server is stopped.
async fn step_13_no_task_stays_behind() -> Check {
    let (server, [mut ana, ben]) = two_people().await?;
    ben.leaves().await?;
    ana.hears(left("ben")).await?;
    sleep(ONE_MINUTE).await;
    let before = Handle::current().metrics().num_alive_tasks();

    const VISITS: usize = 20;
    for visit in 0..VISITS {
        let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
        ben.says(TYPING).await?;
        ana.hears(typing("ben", true)).await.because("Ben types.")?;
        if visit % 2 == 0 {
            ben.says(says("Hello!")).await?;
            ana.hears(typing("ben", false)).await.because("Ben types and speaks.")?;
            ana.hears(chat("ben", "Hello!")).await?;
            ben.leaves().await?;
        } else {
            ben.vanishes().await;
            ana.hears(typing("ben", false)).await.because("Ben types and is gone.")?;
        }
        ana.hears(left("ben")).await?;
    }
    sleep(ONE_MINUTE).await;

    let tasks = Handle::current().metrics().num_alive_tasks().saturating_sub(before);
    if tasks > 0 {
        return Err(server.hint(format!(
            "Ben came in, typed and left, {VISITS} times. A minute later, {tasks} of your \
             tasks are still there. Each should end with its connection, if not before."
        )));
    }
    Ok(())
}

/// A server runs for months. What it keeps of each letter or of each visitor is little, and
/// never given back.
async fn step_14_nothing_is_kept_in_memory() -> Check {
    let letter = async |(server, [ana, ben]): &mut (Server, [Client; 2]), _| {
        ben.says(TYPING).await?;
        ana.hears(typing("ben", true)).await.because("Ben types.")?;
        for _ in 0..9 {
            ben.says(TYPING).await?;
        }
        ana.hears(typing("ben", false)).await.because("Ben paused.")?;
        server.forgets_the_conversation();
        Ok(())
    };
    let bytes = memory::growth(two_people, letter)?;
    if bytes > 0 {
        return Err(Hint::new(format!(
            "Ben types ten letters and pauses, again and again. Each time, {bytes} bytes stay \
             in memory. Nobody needs to know of a letter after the pause."
        )));
    }

    let ana_alone = async || {
        let (server, [mut ana, ben]) = two_people().await?;
        ben.vanishes().await;
        ana.hears(left("ben")).await?;
        Ok((server, ana))
    };
    let visit = async |(server, ana): &mut (Server, Client), i| {
        let name = format!("visitor-{i}");
        let mut visitor = server.connect(&name, &format!("/ws/chat/rust/{name}")).await?;
        visitor.says(TYPING).await?;
        ana.hears(typing(&name, true)).await.because("A visitor types.")?;
        visitor.leaves().await?;
        ana.hears(typing(&name, false)).await.because("A visitor typed and left.")?;
        ana.hears(left(&name)).await?;
        server.forgets_the_conversation();
        Ok(())
    };
    let bytes = memory::growth(ana_alone, visit)?;
    if bytes > 0 {
        return Err(Hint::new(format!(
            "Visitors come in, type and leave, each with another name. For each of them, \
             {bytes} bytes stay in memory. Who has stopped typing should be forgotten."
        )));
    }
    Ok(())
}
