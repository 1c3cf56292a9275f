// Exercise 4: message history.

use std::time::{Duration, Instant};

use exercises::{chat_with, features::Features};
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::{Value, json};
use tokio::{join, task::yield_now};

probe::steps! {
    step_1_a_newcomer_hears_the_history_first,
    step_2_it_holds_what_was_said,
    step_3_the_others_do_not_hear_it,
    step_4_it_has_the_last_fifty,
    step_5_only_chats_are_in_it,
    step_6_each_room_has_its_own,
    step_7_it_outlives_an_empty_room,
    step_8_no_gap_and_no_double,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined"];

const ONE_SECOND: Duration = Duration::from_secs(1);

/// The chat with this exercise and no other.
fn open() -> Server {
    serve(chat_with(Features::only(4)))
}

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn history(messages: &[Value]) -> Value {
    json!({ "type": "history", "messages": messages })
}

/// Ana, in the new room "rust". She has heard that it has no history.
async fn ana() -> Result<(Server, Client), Hint> {
    let server = open().ignoring(IGNORED);
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(history(&[])).await.because("Ana joins a new room.")?;
    Ok((server, ana))
}

/// Lets `client` say something. Gives what it hears then, time and all.
async fn talks(client: &mut Client, content: &str) -> Result<Value, Hint> {
    client.says(says(content)).await?;
    let heard = client.hears_any().await?;
    serde_json::from_str(&heard).map_err(|error| Hint::new(format!("{heard}: {error}")))
}

/// Timestamps come from the real clock, to the millisecond. Two of them will be over.
async fn the_clock_goes_on() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2) {
        yield_now().await;
    }
}

/// A page can rely on it: the first message is the history, if only an empty one.
async fn step_1_a_newcomer_hears_the_history_first() -> Check {
    let server = open();

    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    ana.hears(history(&[]))
        .await
        .because("Ana joins a new room. The first thing to hear is an empty history.")?;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&[]))
        .await
        .because("Ben joins Ana. Nobody has spoken, so his history is empty.")
}

/// It is the same messages, the oldest first, and with the time when they were said; not
/// the time when somebody came to read them.
async fn step_2_it_holds_what_was_said() -> Check {
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;
    let two = talks(&mut ana, "two").await?;
    the_clock_goes_on().await;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&[one, two])).await.because(
        "Ana said one, then two. Ben should hear the same messages, in this order.",
    )
}

/// The others were there.
async fn step_3_the_others_do_not_hear_it() -> Check {
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&[one])).await.because("Ben joins Ana, who has spoken.")?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben joined, and needs the history. Ana was there all the time.")?;
    ben.hears_nothing_for(ONE_MINUTE).await.because("Ben has heard the history.")
}

/// A limit, or a talkative room fills the memory. Count: people say 51 without noticing.
async fn step_4_it_has_the_last_fifty() -> Check {
    let (server, mut ana) = ana().await?;
    let mut said = Vec::new();
    for i in 1..=60 {
        said.push(talks(&mut ana, &format!("message {i}")).await?);
    }

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    let heard =
        ben.hears_any().await.because("Ben joins Ana, who has spoken 60 times.")?;

    let heard: Value = serde_json::from_str(&heard).unwrap_or_default();
    if heard == history(&said[10..]) {
        return Ok(());
    }
    let list: Vec<_> = heard["messages"].as_array().into_iter().flatten().collect();
    let told = |message: Option<&&Value>| message.map(|m| m["content"].clone());
    Err(server.hint(format!(
        "Ana said \"message 1\" to \"message 60\", and then Ben joined. He should hear a \
         history of 50, from \"message 11\" to \"message 60\", but its length is {}, the \
         first is {} and the last {}.",
        list.len(),
        told(list.first()).unwrap_or_default(),
        told(list.last()).unwrap_or_default(),
    )))
}

/// What was whispered must not be read out to whoever comes next. And who typed, or came
/// and went, is old news.
async fn step_5_only_chats_are_in_it() -> Check {
    let (server, mut ana) = ana().await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&[])).await.because("Ben joins Ana. Nobody has spoken.")?;
    for message in [
        json!({ "type": "private", "to": "ana", "content": "psst" }),
        json!({ "type": "typing" }),
        json!({ "type": "ping" }),
        json!({ "type": "chat", "content": "" }),
    ] {
        ben.says(message.to_string()).await?;
    }
    ana.hears_out(ONE_SECOND).await;
    ben.leaves().await?;
    ana.hears_out(ONE_SECOND).await;
    let hello = talks(&mut ana, "hello").await?;

    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    cem.hears(history(&[hello])).await.because(
        "Ben came, whispered, typed and left. Ana said hello. The history is of chats alone.",
    )
}

/// Rooms do not hear each other, not even later.
async fn step_6_each_room_has_its_own() -> Check {
    let (server, mut ana) = ana().await?;
    let hello = talks(&mut ana, "hello").await?;

    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;
    dan.hears(history(&[]))
        .await
        .because("Ana spoke in the room rust. Dan joins the room tea, which is new.")?;
    talks(&mut dan, "tea, anyone?").await?;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&[hello]))
        .await
        .because("Ana spoke in the room rust, Dan in the room tea. Ben joins Ana.")
}

/// In lesson 07 a room vanishes with its last member, and all that it knows with it.
async fn step_7_it_outlives_an_empty_room() -> Check {
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;

    ana.leaves().await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&[one]))
        .await
        .because("Ana spoke and left. The room was empty for a while. Now Ben joins.")?;
    ben.hears_nothing_for(ONE_MINUTE).await.because("Ben has heard the history.")
}

/// The hard one. Nobody is silent while Ben joins: each message is either in his history
/// or comes live, whatever happens in which order.
async fn step_8_no_gap_and_no_double() -> Check {
    let (server, mut ana) = ana().await?;
    let numbered = |i: usize| format!("{i:.>2000}"); // Long ones: Ben needs time to read.
    for i in 0..50 {
        talks(&mut ana, &numbered(i)).await?;
    }

    let flood = async {
        for i in 50..150 {
            ana.says(says(&numbered(i))).await?;
            yield_now().await;
        }
        Ok::<_, Hint>(())
    };
    let (ben, flood) = join!(server.connect("Ben", "/ws/chat/rust/ben"), flood);
    flood?;
    let mut ben = ben?;

    let number = |chat: &Value| {
        let content = chat["content"].as_str().unwrap_or_default();
        content.trim_start_matches('.').parse::<usize>().ok()
    };
    let mut numbers = Vec::new();
    for heard in ben.hears_out(ONE_SECOND).await {
        let heard: Value = serde_json::from_str(&heard).unwrap_or_default();
        match &heard["messages"] {
            Value::Array(messages) => numbers.extend(messages.iter().filter_map(number)),
            _ => numbers.extend(number(&heard)),
        }
    }
    let while_ana_spoke = "Ana counted up to 149, and Ben joined in the middle of it.";
    if numbers.last() != Some(&149) || numbers.len() < 50 {
        return Err(Hint::new(format!(
            "{while_ana_spoke} He should have heard the last 50 or more, but heard {}.",
            numbers.len()
        )));
    }
    for pair in numbers.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        if next > one + 1 {
            return Err(Hint::new(format!(
                "{while_ana_spoke} After {one} he heard {next}: there is a gap between \
                 history and live messages."
            )));
        }
        if next <= one {
            return Err(Hint::new(format!(
                "{while_ana_spoke} After {one} he heard {next}: messages of the history \
                 came live once more."
            )));
        }
    }
    Ok(())
}
