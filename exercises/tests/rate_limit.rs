// Exercise 6: a rate limit.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{ANY, Because, Check, Client, Hint, ONE_MINUTE, Server, peak_memory, serve};
use serde_json::{Value, json};
use tokio::time::sleep;

probe::steps! {
    step_1_the_twenty_first_message_is_refused,
    step_2_nobody_else_hears_of_it,
    step_3_the_conversation_goes_on,
    step_4_silence_saves_up_twenty_and_no_more,
    step_5_there_is_no_border_at_which_it_begins_anew,
    step_6_a_part_of_a_token_is_not_lost,
    step_7_a_refused_message_costs_nothing,
    step_8_the_error_says_when_to_try_again,
    step_9_ten_more_come_in_each_second,
    step_10_private_messages_count,
    step_11_all_else_is_free,
    step_12_each_person_has_their_own,
    step_13_coming_back_does_not_help,
    step_14_a_second_room_does_not_help,
    step_15_others_who_speak_do_not_help,
    step_16_who_has_been_silent_is_forgotten,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined", "user_left", "online_users"];

/// How many messages may come at once.
const BURST: usize = 20;

/// How long it takes until one more may come.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a clock may be wrong by.
const A_LITTLE: Duration = Duration::from_millis(2);

/// The chat with this exercise and no other.
fn open() -> Server {
    serve(chat_with(Features::only(6))).ignoring(IGNORED)
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn chat(from: &str, room: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": room, "from": from, "content": content, "timestamp": ANY })
}

fn error() -> Value {
    json!({ "type": "error", "message": ANY })
}

/// Lets `client` say 21 things at once. It hears 20 of them, and one error.
async fn says_too_much(client: &mut Client, name: &str, room: &str) -> Check {
    for i in 1..=BURST + 1 {
        client.says(says(&i.to_string())).await?;
    }
    for i in 1..=BURST {
        client.hears(chat(name, room, &i.to_string())).await.because(&format!(
            "{name} was silent, and now says 21 things at once. 20 of them are all right."
        ))?;
    }
    client.hears(error()).await.because(&format!(
        "{name} says 21 things at once. 20 are all right, the last is one too many."
    ))
}

/// Lets `client` say something each `pause`, for `times` times.
async fn goes_on(client: &mut Client, times: usize, pause: Duration) -> Check {
    for i in 0..times {
        client.says(says(&format!("and {i}"))).await?;
        sleep(pause).await;
    }
    Ok(())
}

/// How many chats `client` hears, until nothing comes any more.
async fn counts_chats(client: &mut Client) -> usize {
    let heard = client.hears_out(10 * INTERVAL).await;
    heard.iter().filter(|text| kind(text) == "chat").count()
}

fn kind(text: &str) -> String {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    message["type"].as_str().unwrap_or_default().into()
}

/// The beginning: 20 messages at once are for honest people who paste a few lines. The next
/// one gets an answer, and not silence.
async fn step_1_the_twenty_first_message_is_refused() -> Check {
    let mut ana = open().connect("Ana", "/ws/chat/rust/ana").await?;

    says_too_much(&mut ana, "ana", "rust").await
}

/// To be refused is between Ana and the server. The message itself goes to nobody.
async fn step_2_nobody_else_hears_of_it() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    says_too_much(&mut ana, "ana", "rust").await?;

    for i in 1..=BURST {
        let heard = ben.hears(chat("ana", "rust", &i.to_string())).await;
        heard.because("Ana says 21 things at once. Ben should hear 20 of them.")?;
    }
    for client in [&mut ana, &mut ben] {
        client.hears_nothing_for(ONE_MINUTE).await.because(
            "Ana said 21 things at once. The last was refused: it goes to nobody, and it \
             does not come later.",
        )?;
    }
    Ok(())
}

/// Somebody leans on the Enter key, and is back to normal in a second. To hang up on them
/// would be hard; and a client that connects again by itself would only make more work.
async fn step_3_the_conversation_goes_on() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    says_too_much(&mut ana, "ana", "rust").await?;

    ana.pings(b"still here?").await?;
    ana.hears_pong(b"still here?").await.because(
        "Ana was refused one message. She is still here, and so is the server.",
    )?;
    sleep(10 * INTERVAL).await;
    ana.says(says("Sorry!")).await?;
    ana.hears(chat("ana", "rust", "Sorry!"))
        .await
        .because("Ana was refused a message, and then waited for a second.")
}

/// Somebody who comes back from lunch has not earned ten messages for each second of it.
async fn step_4_silence_saves_up_twenty_and_no_more() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    says_too_much(&mut ana, "ana", "rust").await?;

    for silence in [30 * INTERVAL, ONE_MINUTE, 60 * ONE_MINUTE] {
        sleep(silence).await;
        says_too_much(&mut ana, "ana", "rust").await.because(&format!(
            "However long she was silent, 20 at once is the most. Here it was {} s.",
            silence.as_secs()
        ))?;
    }
    Ok(())
}

/// A counter that begins anew each second, or each two, lets twice as many through to those
/// who speak right before and right after. We do not know when yours does, so we try many.
async fn step_5_there_is_no_border_at_which_it_begins_anew() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    for i in 0..16 {
        let almost = (i % 2 + 1) * 10 * INTERVAL - INTERVAL / 2; // One second, or two.
        goes_on(&mut ana, 1, almost).await?;
        goes_on(&mut ana, BURST - 1, Duration::ZERO).await?;
        sleep(INTERVAL).await;
        goes_on(&mut ana, BURST, Duration::ZERO).await?;

        let through = counts_chats(&mut ana).await;
        if through > BURST + 4 {
            return Err(server.hint(format!(
                "Ana said one thing, and then 39 more within 0.1 s. Of these 40, two or \
                 three more than 20 should get through, but {through} did."
            )));
        }
        sleep(10 * INTERVAL + INTERVAL / 2).await; // So the next time, it is another moment.
    }
    Ok(())
}

/// Tokens come in one by one. Whoever counts them in whole numbers must not forget the part of
/// one that has come in since.
async fn step_6_a_part_of_a_token_is_not_lost() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    goes_on(&mut ana, BURST, Duration::ZERO).await?;
    ana.hears_out(A_LITTLE).await;

    for i in 1..=BURST {
        sleep(INTERVAL * 3 / 2).await;
        let word = format!("slowly {i}");
        ana.says(says(&word)).await?;
        ana.hears(chat("ana", "rust", &word)).await.because(
            "Ana has said 20 things at once. Since then she says one thing each 0.15 s, and \
             one token comes in each 0.1 s.",
        )?;
    }
    sleep(INTERVAL / 2).await;
    goes_on(&mut ana, BURST, Duration::ZERO).await?;

    let through = counts_chats(&mut ana).await;
    if !(9..=11).contains(&through) {
        return Err(server.hint(format!(
            "Ana emptied her bucket. Then she said 20 things in three seconds, one each \
             0.15 s. 30 tokens came in, and she took out 20, so there were 10 left. Now she \
             says 20 things at once. 10 should get through, but {through} did."
        )));
    }
    Ok(())
}

/// If it did, a client that is a little too fast would never be heard again. And who waits
/// for the bucket with the message in hand, waits with all that comes after it.
async fn step_7_a_refused_message_costs_nothing() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    goes_on(&mut ana, 500, INTERVAL / 5).await?;

    let through = counts_chats(&mut ben).await;
    if !(118..=122).contains(&through) {
        return Err(server.hint(format!(
            "For ten seconds Ana said 50 things a second. A refused message takes nothing out \
             of her bucket, so 20 should get through at once, and then 10 in each second, which \
             makes about 120. But Ben heard {through}."
        )));
    }
    Ok(())
}

/// An error that a person, or a program, can act on. If the time is too short, they are
/// refused again; if it is too long, they wait for nothing.
async fn step_8_the_error_says_when_to_try_again() -> Check {
    for meanwhile in [0, 30, 55] {
        let server = open();
        let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
        says_too_much(&mut ana, "ana", "rust").await?;
        sleep(Duration::from_millis(meanwhile)).await;
        ana.says(says("Now?")).await?;
        let heard = ana.hears_any().await?;

        let Some(wait) = seconds(&heard) else {
            return Err(server.hint(format!(
                "The error should say when to try again, as in \"too many messages: try \
                 again in 0.1 s\", but Ana heard {heard}."
            )));
        };
        let said = format!("Ana was told to try again in {:?} s", wait.as_secs_f64());
        if wait > 2 * INTERVAL {
            return Err(server.hint(format!(
                "{said}. That should not be so long: one more may come each 0.1 s."
            )));
        }
        sleep(wait + A_LITTLE).await;
        ana.says(says("Now!")).await?;
        let heard = ana.hears(chat("ana", "rust", "Now!")).await;
        heard.because(&format!("{said}, and did so."))?;
    }
    Ok(())
}

/// The time in an error: `too many messages: try again in 0.1 s`.
fn seconds(heard: &str) -> Option<Duration> {
    let error: Value = serde_json::from_str(heard).ok()?;
    let rest =
        error["message"].as_str()?.strip_prefix("too many messages: try again in ")?;
    let number = rest.strip_suffix(" s")?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// Whoever keeps to ten a second is never refused. That is the other half of the promise.
async fn step_9_ten_more_come_in_each_second() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    says_too_much(&mut ana, "ana", "rust").await?;
    sleep(INTERVAL).await;

    for i in 1..=50 {
        let word = format!("slowly {i}");
        ana.says(says(&word)).await?;
        ana.hears(chat("ana", "rust", &word)).await.because(
            "Ana said too much at once. Since then she says one thing each 0.1 s, and that \
             is all right.",
        )?;
        sleep(INTERVAL).await;
    }

    goes_on(&mut ana, BURST, Duration::ZERO).await?; // Nothing is left now.
    ana.hears_out(A_LITTLE).await;
    sleep(10 * INTERVAL).await;
    goes_on(&mut ana, BURST, Duration::ZERO).await?;
    let through = counts_chats(&mut ana).await;
    if !(9..=11).contains(&through) {
        return Err(server.hint(format!(
            "Ana's bucket was empty, and then she was silent for a second. So she has ten \
             tokens. She says 20 things at once, and 10 should get through, but {through} did."
        )));
    }
    Ok(())
}

/// A whisper has a reader, too. And a flood of them would be a flood.
async fn step_10_private_messages_count() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    for i in 0..BURST {
        let whisper = json!({ "type": "private", "to": "ben", "content": i.to_string() });
        ana.says(whisper.to_string()).await?;
    }
    let errors = ana.hears_out(A_LITTLE).await;
    if let Some(error) = errors.first() {
        return Err(server.hint(format!(
            "Ana whispers 20 times at once. That is all right: each takes one token. But she \
             heard {error}."
        )));
    }
    ana.says(says("That is all, Ben.")).await?;

    ana.hears(error())
        .await
        .because("Ana whispers 20 times, and then says something to all.")?;
    ben.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ana whispered 20 times. What she said to all was one too many.")
}

/// They cost the others nothing. A page that sends a ping now and then, and tells of each
/// letter, should not eat up what its person wants to say.
async fn step_11_all_else_is_free() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    for _ in 0..2 * BURST {
        ana.says(r#"{"type":"ping"}"#).await?;
        ana.hears(json!({ "type": "pong" })).await.because("Ana pings 40 times.")?;
        ana.says(r#"{"type":"typing"}"#).await?;
        ana.says(says("")).await?;
        let heard = ana.hears_any().await.because("Ana says nothing, by mistake.")?;
        if kind(&heard) != "error" || seconds(&heard).is_some() {
            return Err(server.hint(format!(
                "Ana sends a chat without content. The error should say so, but says {heard}."
            )));
        }
    }
    for _ in 0..2 * BURST {
        ana.says(r#"{"type":"resume","after":0}"#).await?;
    }
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await.because(
        "Ana asks 40 times for what she has missed, and then pings. None of it takes a token: \
         only chats and private messages do.",
    )?;

    says_too_much(&mut ana, "ana", "rust")
        .await
        .because("Before that she pinged, typed and made mistakes, which costs nothing.")
}

/// One loud person must not make the others silent.
async fn step_12_each_person_has_their_own() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    says_too_much(&mut ana, "ana", "rust").await?;
    ana.leaves().await?;

    for (name, room) in [("ben", "rust"), ("cem", "tea"), ("Ana", "rust")] {
        let mut client = server.connect(name, &format!("/ws/chat/{room}/{name}")).await?;
        says_too_much(&mut client, name, room).await.because(&format!(
            "ana has said too much a moment ago. That is no fault of {name}, who is somebody \
             else."
        ))?;
    }
    Ok(())
}

/// A program connects again within milliseconds. If that fills the bucket, it is no limit.
async fn step_13_coming_back_does_not_help() -> Check {
    for way in ["closes", "loses the connection"] {
        let server = open();
        let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
        says_too_much(&mut ana, "ana", "rust").await?;
        if way == "closes" {
            ana.leaves().await?;
        } else {
            ana.vanishes().await;
        }

        let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
        ana.says(says("me again")).await?;

        ana.hears(error()).await.because(&format!(
            "Ana says too much, {way}, and is back at once. Her bucket is still empty."
        ))?;
    }
    Ok(())
}

/// The limit is for a person, and a person can be in many rooms.
async fn step_14_a_second_room_does_not_help() -> Check {
    let server = open();
    let mut rust = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut tea = server.connect("Ana of room tea", "/ws/chat/tea/ana").await?;
    says_too_much(&mut rust, "ana", "rust").await?;

    tea.says(says("more here")).await?;

    tea.hears(error()).await.because(
        "Ana is in two rooms. She says too much in the one, and goes on in the other.",
    )
}

/// Who is forgotten has a full bucket again. So nobody may be forgotten to make room for others:
/// a flooder would have to wait for others to speak, and no longer.
async fn step_15_others_who_speak_do_not_help() -> Check {
    const CROWD: usize = 60;
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut guests = Vec::new();
    for i in 0..2 * CROWD {
        let (name, room) = (format!("guest-{i}"), format!("room-{i}"));
        let path = format!("/ws/chat/{room}/{name}");
        let guest = server.connect(&name, &path).await?;
        guests.push((guest, name, room));
    }
    let (first, others) = guests.split_at_mut(CROWD);

    says_too_much(&mut ana, "ana", "rust").await?;
    all_speak(first).await?;
    ana.says(says("me again")).await?;
    ana.hears(error()).await.because(&format!(
        "Ana says too much, and {CROWD} people in other rooms say one thing each. Her bucket \
         is still empty.",
    ))?;

    sleep(11 * INTERVAL).await;
    all_speak(others).await?;
    goes_on(&mut ana, BURST, Duration::ZERO).await?;
    let through = counts_chats(&mut ana).await;
    if through > 13 {
        return Err(server.hint(format!(
            "Ana said too much. 1.1 s later {CROWD} people in other rooms say one thing each, \
             and then Ana says 20 things at once. 11 tokens have come in, so 11 should get \
             through, but {through} did. Only who has a full bucket may be forgotten."
        )));
    }
    Ok(())
}

/// Each of the guests says hello, and hears it.
async fn all_speak(guests: &mut [(Client, String, String)]) -> Check {
    for (guest, name, room) in guests {
        guest.says(says("hello")).await?;
        guest.hears(chat(name, room, "hello")).await.because(
            "Many people speak, each of them for the first time. That is no fault of theirs.",
        )?;
    }
    Ok(())
}

/// Names are free: whoever wants to fill the memory takes a new one each time.
async fn step_16_who_has_been_silent_is_forgotten() -> Check {
    let server = open();
    for i in 0..100 {
        let name = format!("visitor-{i}");
        let mut visitor = server.connect(&name, &format!("/ws/chat/rust/{name}")).await?;
        visitor.says(says("hello")).await?;
        visitor.leaves().await?;
        sleep(10 * INTERVAL).await;
    }

    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.says(says("hello")).await?;
    let answer = server.get("/rate_limit").await?.body;
    let people = serde_json::from_str::<Value>(&answer).unwrap_or_default();
    if people["people"].as_u64().is_some_and(|count| (1..=50).contains(&count)) {
        return who_is_forgotten_takes_no_memory();
    }
    Err(server.hint(format!(
        "100 guests came one after the other, said hello and left, and then Ana said hello. \
         The server should remember her, and 50 people at most, but GET /rate_limit \
         answers {answer}."
    )))
}

/// A number that the server tells is not yet memory that it has given back.
fn who_is_forgotten_takes_no_memory() -> Check {
    const FEW: usize = 50;
    const MANY: usize = 150;
    let come_and_go = |features, visitors| {
        peak_memory(move || async move {
            let server = serve(chat_with(features)).ignoring(IGNORED);
            for i in 0..visitors {
                let long = "%F0%90%90%A8".repeat(16); // A letter of four bytes.
                let path = format!("/ws/chat/rust/{long}{i}");
                let mut visitor = server.connect("A visitor", &path).await?;
                visitor.says(says("hello")).await?;
                visitor.vanishes().await;
                sleep(10 * INTERVAL).await;
            }
            Ok(())
        })
    };
    // The rest of the server, and the test itself, need memory as well.
    let held = |visitors| -> Result<u64, Hint> {
        let with_it = come_and_go(Features::only(6), visitors)?;
        Ok(with_it.saturating_sub(come_and_go(Features::only(0), visitors)?))
    };

    let (few, many) = (held(FEW)?, held(MANY)?);
    if many < few + 8_000 {
        return Ok(());
    }
    Err(Hint::new(format!(
        "People come one after the other, speak once and leave. After {FEW} of them the rate \
         limiter holds {few} bytes, and after {MANY} it holds {many}. It should be about the \
         same: who has been silent for long should be forgotten, and not only left out of the \
         number that you return."
    )))
}
