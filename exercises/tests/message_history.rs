// Exercise 4: message history.

use std::{
    slice,
    time::{Duration, Instant},
};

use exercises::{chat_with, features::Features};
use probe::{Because, Check, Client, Hint, ONE_MINUTE, Server, peak_memory, serve};
use serde_json::{Value, json};
use tokio::{join, task::yield_now};

probe::steps! {
    step_1_a_newcomer_hears_the_history_first,
    step_2_it_holds_what_was_said,
    step_3_messages_may_be_alike,
    step_4_the_others_do_not_hear_it,
    step_5_each_newcomer_receives_all_of_it,
    step_6_who_has_left_is_still_in_it,
    step_7_it_has_the_last_fifty,
    step_8_only_chats_are_in_it,
    step_9_each_room_has_its_own,
    step_10_it_outlives_an_empty_room,
    step_11_rooms_without_one_are_forgotten,
    step_12_no_gap_and_no_double,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined", "user_left", "online_users"];

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
    heard_by(client).await
}

async fn heard_by(client: &mut Client) -> Result<Value, Hint> {
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
    the_clock_goes_on().await;
    let two = talks(&mut ana, "two").await?;
    the_clock_goes_on().await;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&[one, two])).await.because(
        "Ana said one, then two. Ben should hear the same messages, in this order.",
    )
}

/// People repeat themselves, some of them within a millisecond. A message is not known by
/// its words, nor by its time, and its words are nobody's business.
async fn step_3_messages_may_be_alike() -> Check {
    let (server, mut ana) = ana().await?;
    for _ in 0..10 {
        ana.says(says("hello")).await?;
    }
    ana.says(says("/shrug")).await?;
    let mut said = Vec::new();
    for _ in 0..11 {
        said.push(heard_by(&mut ana).await?);
    }

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&said)).await.because(
        "Ana said hello ten times, as fast as she could, and then \"/shrug\". These are 11 \
         messages.",
    )
}

/// The others were there.
async fn step_4_the_others_do_not_hear_it() -> Check {
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(&[one])).await.because("Ben joins Ana, who has spoken.")?;
    ana.hears_nothing_for(ONE_MINUTE)
        .await
        .because("Ben joined, and needs the history. Ana was there all the time.")?;
    ben.hears_nothing_for(ONE_MINUTE).await.because("Ben has heard the history.")
}

/// Whoever comes next needs it as well. And those who come back do not know what they have
/// missed; their page was closed, so their own words are gone, too.
async fn step_5_each_newcomer_receives_all_of_it() -> Check {
    let (server, mut ana) = ana().await?;
    let mut said = vec![talks(&mut ana, "one").await?];

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&said)).await.because("Ana spoke. Ben joins.")?;
    said.push(talks(&mut ben, "two").await?);
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    cem.hears(history(&said)).await.because(
        "Ana spoke, Ben joined and received it, and spoke, too. Now Cem joins. He should \
         receive both messages: the room still has them.",
    )?;
    let mut dan = server.connect("Dan", "/ws/chat/rust/dan").await?;
    dan.hears(history(&said))
        .await
        .because("Cem has received the history. Now Dan joins.")?;

    dan.leaves().await?;
    let mut dan = server.connect("Dan", "/ws/chat/rust/dan").await?;
    dan.hears(history(&said)).await.because(
        "Dan joined, received the history, left, and is back. He should receive it again.",
    )?;
    ben.leaves().await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&said)).await.because(
        "Ana said one, and Ben two. Ben left, and is back. What he said himself is part of \
         the history, for him as well.",
    )
}

/// A conversation in which half of the voices are missing cannot be understood.
async fn step_6_who_has_left_is_still_in_it() -> Check {
    let (server, mut ana) = ana().await?;
    let mut said = vec![talks(&mut ana, "one").await?];
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&said)).await.because("Ana spoke. Ben joins.")?;
    said.push(talks(&mut ben, "two").await?);
    ben.leaves().await?;

    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    cem.hears(history(&said)).await.because(
        "Ana said one, Ben said two and left. Now Cem joins, and Ana is still there.",
    )
}

/// A limit, or a talkative room fills the memory. Count: people say 51 without noticing.
async fn step_7_it_has_the_last_fifty() -> Check {
    let (server, mut ana) = ana().await?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    cem.hears(history(&[])).await.because("Cem joins Ana. Nobody has spoken.")?;
    let mut said = Vec::new();
    for i in 1..=60 {
        let speaker = if i % 2 == 0 { &mut cem } else { &mut ana };
        said.push(talks(speaker, &format!("message {i}")).await?);
        // The other one hears it as well.
        let listener = if i % 2 == 0 { &mut ana } else { &mut cem };
        heard_by(listener).await?;
    }

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    let heard =
        ben.hears_any().await.because("Ben joins Ana and Cem, who have talked.")?;

    let heard: Value = serde_json::from_str(&heard).unwrap_or_default();
    if heard == history(&said[10..]) {
        return old_messages_take_no_memory();
    }
    let list: Vec<_> = heard["messages"].as_array().into_iter().flatten().collect();
    let told = |message: Option<&&Value>| message.map(|m| m["content"].clone());
    Err(server.hint(format!(
        "Ana and Cem said \"message 1\" to \"message 60\", and then Ben joined. He should \
         hear a history of 50, from \"message 11\" to \"message 60\", but its length is {}, the \
         first is {} and the last {}.",
        list.len(),
        told(list.first()).unwrap_or_default(),
        told(list.last()).unwrap_or_default(),
    )))
}

/// On the wire nobody can see what a room keeps and never sends. Its memory shows it.
fn old_messages_take_no_memory() -> Check {
    const FEW: usize = 60;
    const MANY: usize = 260;
    let talk = |features, times| {
        peak_memory(move || async move {
            let server = serve(chat_with(features)).ignoring(&["user_joined", "history"]);
            let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
            for i in 0..times {
                talks(&mut ana, &format!("{i:.>2000}")).await?;
            }
            Ok(())
        })
    };
    // The rest of the server, and the test itself, need memory as well.
    let kept = |times| -> Result<u64, Hint> {
        let with_it = talk(Features::only(4), times)?;
        Ok(with_it.saturating_sub(talk(Features::only(0), times)?))
    };

    let (few, many) = (kept(FEW)?, kept(MANY)?);
    if many < few + 100_000 {
        return Ok(());
    }
    Err(Hint::new(format!(
        "After {FEW} messages of 2,000 characters the room needs {} KB for its history, and \
         after {MANY} it needs {} KB. It should be the same: what is older than the last 50 \
         should be dropped.",
        few / 1_000,
        many / 1_000,
    )))
}

/// What was whispered must not be read out to whoever comes next. And who typed, or came
/// and went, is old news.
async fn step_8_only_chats_are_in_it() -> Check {
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
async fn step_9_each_room_has_its_own() -> Check {
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
async fn step_10_it_outlives_an_empty_room() -> Check {
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;

    ana.leaves().await?;
    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

    ben.hears(history(slice::from_ref(&one)))
        .await
        .because("Ana spoke and left. The room was empty for a while. Now Ben joins.")?;
    ben.hears_nothing_for(ONE_MINUTE).await.because("Ben has heard the history.")?;

    ben.leaves().await?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    cem.hears(history(&[one])).await.because(
        "Ana spoke and left. Ben came to read, and left without a word. Now Cem joins.",
    )
}

/// The server keeps at most a hundred empty rooms, those that were left last. Anybody can open
/// a room with any name: if each of them is kept, they push out what people have said.
async fn step_11_rooms_without_one_are_forgotten() -> Check {
    const ROOMS: usize = 120;
    let (server, mut ana) = ana().await?;
    let one = talks(&mut ana, "one").await?;
    ana.leaves().await?;

    for i in 0..ROOMS {
        let path = format!("/ws/chat/room-{i}/eve");
        server.connect("Eve", &path).await?.leaves().await?;
    }

    let mut ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    ben.hears(history(&[one])).await.because(&format!(
        "Ana spoke in the room rust, and left. Eve opened {ROOMS} other rooms, one after the \
         other, and said nothing there. Now Ben joins the room rust: rooms in which nothing \
         was said should not push out one that has a history.",
    ))
}

/// The hard one. Nobody is silent while Ben joins: each message is either in his history
/// or comes live, whatever happens in which order.
async fn step_12_no_gap_and_no_double() -> Check {
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
