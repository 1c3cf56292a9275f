// Exercise 7: back without a gap.

use std::time::Duration;

use exercises::{chat_with, features::Features};
use probe::{ANY, Because, Check, Client, Hint, ONE_MINUTE, Server, peak_memory, serve};
use serde_json::{Value, json};
use tokio::{join, task::yield_now};

probe::steps! {
    step_1_each_chat_has_a_number,
    step_2_all_hear_the_same_numbers,
    step_3_only_chats_are_numbered,
    step_4_each_room_counts_for_itself,
    step_5_resume_brings_what_was_missed,
    step_6_it_is_an_answer_and_not_news,
    step_7_the_same_may_be_asked_again,
    step_8_ones_own_chats_are_among_them,
    step_9_it_brings_the_chats_of_the_room_alone,
    step_10_an_empty_room_keeps_its_numbers,
    step_11_rooms_without_a_number_are_forgotten,
    step_12_what_is_lost_is_admitted,
    step_13_a_number_that_is_yet_to_come_is_answered,
    step_14_no_gap_and_no_double,
}

/// What we need not hear here.
const IGNORED: &[&str] = &["user_joined", "user_left"];

/// How many chats a room keeps.
const KEPT: usize = 50;

const ONE_SECOND: Duration = Duration::from_secs(1);

fn says(content: &str) -> String {
    json!({ "type": "chat", "content": content }).to_string()
}

fn chat(from: &str, content: &str, seq: u64) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": from, "content": content,
        "timestamp": ANY, "seq": seq,
    })
}

fn resume(after: u64) -> String {
    json!({ "type": "resume", "after": after }).to_string()
}

fn resumed(complete: bool, messages: &[Value]) -> Value {
    json!({ "type": "resumed", "complete": complete, "messages": messages })
}

/// The chat with this exercise and no other.
fn open() -> Server {
    serve(chat_with(Features::only(7))).ignoring(IGNORED)
}

/// Ana and Ben in the room "rust".
async fn two_people() -> Result<(Server, [Client; 2]), Hint> {
    let server = open();
    let ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;
    Ok((server, [ana, ben]))
}

async fn ben_is_back(server: &Server) -> Result<Client, Hint> {
    server.connect("Ben", "/ws/chat/rust/ben").await
}

/// Lets `client` say something. Gives what it hears then, time and number and all.
async fn talks(client: &mut Client, content: &str) -> Result<Value, Hint> {
    client.says(says(content)).await?;
    parse(&client.hears_any().await?)
}

fn parse(heard: &str) -> Result<Value, Hint> {
    serde_json::from_str(heard).map_err(|error| Hint::new(format!("{heard}: {error}")))
}

fn number_of(server: &Server, chat: &Value) -> Result<u64, Hint> {
    let sentence = || format!("Ana's chat should have a number, but she heard {chat}.");
    chat["seq"].as_u64().ok_or_else(|| server.hint(sentence()))
}

/// Lets `client` do all that is no chat.
async fn does_this_and_that(client: &mut Client) -> Check {
    for message in [
        json!({ "type": "private", "to": "ana", "content": "psst" }),
        json!({ "type": "typing" }),
        json!({ "type": "ping" }),
        json!({ "type": "chat", "content": "" }),
    ] {
        client.says(message.to_string()).await?;
    }
    client.hears_out(ONE_SECOND).await;
    Ok(())
}

/// Lets Ana count up to `last`, alone in the room. Gives what she hears then.
async fn ana_counts(server: &Server, last: usize) -> Result<Vec<Value>, Hint> {
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let mut said = Vec::new();
    for i in 1..=last {
        said.push(talks(&mut ana, &format!("message {i}")).await?);
    }
    ana.leaves().await?;
    Ok(said)
}

/// The beginning: with numbers, a client can tell what it has, and what it has not.
async fn step_1_each_chat_has_a_number() -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;

    for (content, seq) in [("one", 1), ("two", 2), ("three", 3)] {
        ana.says(says(content)).await?;
        ana.hears(chat("ana", content, seq)).await.because(
            "Ana is in a new room, and speaks three times. Chats are numbered from 1.",
        )?;
    }
    Ok(())
}

/// A number means something only if it is the same for all, whoever speaks, and whenever
/// somebody came.
async fn step_2_all_hear_the_same_numbers() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let first = number_of(&server, &talks(&mut ana, "hello").await?)?;
    ben.hears(chat("ana", "hello", first)).await.because("Ana speaks first.")?;
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;

    for i in 0..10 {
        ana.says(says(&format!("a{i}"))).await?;
        ben.says(says(&format!("b{i}"))).await?;
    }

    let heard = cem.hears_out(ONE_SECOND).await;
    for (text, number) in heard.iter().zip(first + 1..) {
        if parse(text)?["seq"] != number {
            return Err(server.hint(format!(
                "Ana and Ben talk. Cem should hear number {number} now, but heard {text}."
            )));
        }
    }
    for (name, listener) in [("Ana", &mut ana), ("Ben", &mut ben)] {
        if listener.hears_out(ONE_SECOND).await != heard {
            return Err(server.hint(format!(
                "Ana and Ben talk, and Cem listens. {name} should hear the same as Cem, with \
                 the same numbers."
            )));
        }
    }
    Ok(())
}

/// A number that never comes would look like a gap.
async fn step_3_only_chats_are_numbered() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let first = number_of(&server, &talks(&mut ana, "one").await?)?;

    does_this_and_that(&mut ben).await?;
    ana.says(says("two")).await?;

    ana.hears(chat("ana", "two", first + 1)).await.because(
        "Between Ana's two chats Ben whispered, typed, pinged and made a mistake.",
    )
}

/// Rooms do not hear each other. A number that another room has used would be a gap here.
async fn step_4_each_room_counts_for_itself() -> Check {
    let (server, [mut ana, _ben]) = two_people().await?;
    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;
    let first = number_of(&server, &talks(&mut ana, "one").await?)?;

    let tea = talks(&mut dan, "tea, anyone?").await?;
    if tea["seq"] != 1 {
        return Err(server.hint(format!(
            "Ana spoke in the room rust, then Dan in the room tea. His chat should have \
             number 1 there, but he heard {tea}."
        )));
    }
    ana.says(says("two")).await?;
    ana.hears(chat("ana", "two", first + 1))
        .await
        .because("Ana speaks for the second time. In between Dan spoke in the room tea.")
}

/// The heart of it: a tunnel, and after it nothing is missing. They are the same messages,
/// with the time when they were said.
async fn step_5_resume_brings_what_was_missed() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    for (content, seq) in [("one", 1), ("two", 2)] {
        ana.says(says(content)).await?;
        ben.hears(chat("ana", content, seq)).await.because("Ana speaks.")?;
    }
    ana.hears_out(ONE_SECOND).await;

    ben.vanishes().await;
    let mut missed = Vec::new();
    for content in ["three", "four", "five"] {
        missed.push(talks(&mut ana, content).await?);
    }
    let mut ben = ben_is_back(&server).await?;
    ben.says(resume(2)).await?;

    ben.hears(resumed(true, &missed)).await.because(
        "Ben heard numbers 1 and 2, and lost the connection. Ana said three more. Now he is \
         back, and asks for what came after number 2.",
    )?;
    ana.says(says("six")).await?;
    ben.hears(chat("ana", "six", 6)).await.because("Ben is back, and Ana speaks.")
}

/// The others were there. And whoever asks wants to know that there was nothing, if so:
/// silence could also mean that the answer is on its way.
async fn step_6_it_is_an_answer_and_not_news() -> Check {
    let (_server, [mut ana, mut ben]) = two_people().await?;
    ben.says(resume(0)).await?;
    ben.hears(resumed(true, &[])).await.because(
        "In this room nobody has spoken. Ben has nothing, asks for what came after number 0, \
         and has missed nothing: the answer is complete.",
    )?;
    ana.hears_nothing_for(ONE_SECOND)
        .await
        .because("Ben asked, and has his answer. Ana did not ask.")?;
    let one = talks(&mut ana, "one").await?;
    ben.hears(chat("ana", "one", 1)).await.because("Ana speaks.")?;

    ben.says(resume(0)).await?;
    ben.hears(resumed(true, &[one]))
        .await
        .because("Ben asks for all that was said, though he has heard it.")?;
    ben.says(resume(1)).await?;
    ben.hears(resumed(true, &[]))
        .await
        .because("One chat was said. Ben has number 1, and so he has missed nothing.")?;

    for client in [&mut ana, &mut ben] {
        client
            .hears_nothing_for(ONE_MINUTE)
            .await
            .because("Ben asked twice, and has his answers. Ana has missed nothing.")?;
    }
    Ok(())
}

/// The answer can be lost on the way as well. And others may have missed the same.
async fn step_7_the_same_may_be_asked_again() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let mut said = Vec::new();
    for content in ["one", "two", "three"] {
        said.push(talks(&mut ana, content).await?);
        ben.hears_any().await.because("Ana speaks.")?;
    }

    for time in ["first", "second"] {
        ben.says(resume(1)).await?;
        ben.hears(resumed(true, &said[1..])).await.because(&format!(
            "Ana said three things. Ben asks for the {time} time for what came after number \
             1. He should receive the same each time: the room still has it.",
        ))?;
    }
    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    cem.says(resume(0)).await?;
    cem.hears(resumed(true, &said)).await.because(
        "Ana said three things, and Ben has asked for two of them. Cem asks for all three.",
    )
}

/// Ben sent a chat, and his connection was lost. Did it arrive? The answer tells him.
async fn step_8_ones_own_chats_are_among_them() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let one = talks(&mut ana, "one").await?;
    ben.hears(chat("ana", "one", 1)).await.because("Ana speaks.")?;
    ben.says(says("two")).await?;
    ben.vanishes().await;
    let two = parse(&ana.hears_any().await?)?;

    let mut ben = ben_is_back(&server).await?;
    ben.says(resume(0)).await?;

    ben.hears(resumed(true, &[one, two])).await.because(
        "Ana said one, and Ben said two. Then he lost the connection, and is back. What he \
         said himself has a number, too, so it is in the answer.",
    )
}

/// A whisper is not for those who come later. Nor is what was said in another room.
async fn step_9_it_brings_the_chats_of_the_room_alone() -> Check {
    let (server, [mut ana, mut ben]) = two_people().await?;
    let mut dan = server.connect("Dan of room tea", "/ws/chat/tea/dan").await?;
    let one = talks(&mut ana, "one").await?;
    does_this_and_that(&mut ben).await?;
    let tea = talks(&mut dan, "tea, anyone?").await?;

    let mut cem = server.connect("Cem", "/ws/chat/rust/cem").await?;
    cem.says(resume(0)).await?;
    cem.hears(resumed(true, &[one])).await.because(
        "Ana spoke, Ben whispered, and Dan spoke in the room tea. Cem asks for all chats.",
    )?;
    dan.says(resume(0)).await?;
    dan.hears(resumed(true, &[tea]))
        .await
        .because("Dan asks for what was said in the room tea. He was the only one.")
}

/// In lesson 07 a room vanishes with its last member. If it begins anew with 1, a number
/// means two different chats, and whoever comes back with it gets the wrong ones.
async fn step_10_an_empty_room_keeps_its_numbers() -> Check {
    let server = open();
    let said = ana_counts(&server, 2).await?;

    let mut ben = ben_is_back(&server).await?;
    ben.says(resume(1)).await?;
    ben.hears(resumed(true, &said[1..])).await.because(
        "Ana spoke twice and left. The room was empty for a while. Now Ben is back, and has \
         number 1.",
    )?;
    ben.says(says("Ana?")).await?;
    ben.hears(chat("ben", "Ana?", 3))
        .await
        .because("Two chats were said before the room was empty. So this is number 3.")
}

/// The server keeps at most a hundred empty rooms, those that were left last. Anybody can open
/// a room with any name: if each of them is kept, they push out those that have numbers.
async fn step_11_rooms_without_a_number_are_forgotten() -> Check {
    const ROOMS: usize = 120;
    let server = open();
    let said = ana_counts(&server, 2).await?;

    for i in 0..ROOMS {
        let path = format!("/ws/chat/room-{i}/eve");
        server.connect("Eve", &path).await?.leaves().await?;
    }

    let mut ben = ben_is_back(&server).await?;
    ben.says(resume(1)).await?;
    ben.hears(resumed(true, &said[1..])).await.because(&format!(
        "Ana spoke twice in the room rust, and left. Eve opened {ROOMS} other rooms, one after \
         the other, and said nothing there. Now Ben is back in the room rust, and has number \
         1: rooms in which nothing was said should not push out one that has numbers.",
    ))
}

/// Memory has an end, so the room cannot keep all. It must not pretend that it does: a
/// client that believes it has everything shows a conversation that never was.
async fn step_12_what_is_lost_is_admitted() -> Check {
    let server = open();
    let said = ana_counts(&server, KEPT + 10).await?;

    for (after, complete) in [(50, true), (10, true), (9, false), (0, false)] {
        let mut ben = ben_is_back(&server).await?;
        ben.says(resume(after)).await?;
        let heard = ben.hears_any().await.because("Ben asks for what he missed.")?;
        ben.leaves().await?;

        let heard = parse(&heard)?;
        let expected = &said[(after as usize).max(10)..];
        if heard == resumed(complete, expected) {
            continue;
        }
        let list: Vec<_> = heard["messages"].as_array().into_iter().flatten().collect();
        let number = |m: Option<&&Value>| m.map(|m| m["seq"].clone()).unwrap_or_default();
        return Err(server.hint(format!(
            "Ana said 60 things, of which the last 50 are kept: 11 to 60. Ben asks for what \
             came after {after}. He should hear {} messages, the first with number {}, the \
             last with 60, and \"complete\":{complete}. But he heard {}, from {} to {}, and \
             \"complete\":{}.",
            expected.len(),
            expected[0]["seq"],
            list.len(),
            number(list.first()),
            number(list.last()),
            heard["complete"],
        )));
    }
    old_chats_take_no_memory()
}

/// On the wire nobody can see what a room keeps and never sends. Its memory shows it.
fn old_chats_take_no_memory() -> Check {
    const FEW: usize = 60;
    const MANY: usize = 260;
    let talk = |features, times| {
        peak_memory(move || async move {
            let server = serve(chat_with(features)).ignoring(IGNORED);
            let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
            for i in 0..times {
                talks(&mut ana, &format!("{i:.>2000}")).await?;
            }
            Ok(())
        })
    };
    // The rest of the server, and the test itself, need memory as well.
    let kept = |times| -> Result<u64, Hint> {
        let with_it = talk(Features::only(7), times)?;
        Ok(with_it.saturating_sub(talk(Features::only(0), times)?))
    };

    let (few, many) = (kept(FEW)?, kept(MANY)?);
    if many < few + 100_000 {
        return Ok(());
    }
    Err(Hint::new(format!(
        "After {FEW} chats of 2,000 characters the room needs {} KB for its logbook, and after \
         {MANY} it needs {} KB. It should be the same: what is older than the last 50 should be \
         dropped.",
        few / 1_000,
        many / 1_000,
    )))
}

/// The server was started again, or the room forgotten, and the client still has a number
/// from before. It is not the client's fault, and it is not "nothing new" either.
async fn step_13_a_number_that_is_yet_to_come_is_answered() -> Check {
    let server = open();
    let mut ben = ben_is_back(&server).await?;
    ben.says(resume(7)).await?;
    ben.hears(resumed(false, &[])).await.because(
        "Ben comes with number 7, but in this room nobody has spoken. There is nothing to \
         give him, and nobody can tell what he has missed.",
    )?;
    ben.leaves().await?;

    let said = ana_counts(&server, 3).await?;
    let mut ben = ben_is_back(&server).await?;
    // Numbers that are as they should not be once they are cut, or taken for negative ones.
    for after in [4, 7, (1 << 32) + 1, 1 << 63, u64::MAX] {
        ben.says(resume(after)).await?;
        ben.hears(resumed(false, &said)).await.because(&format!(
            "Ben comes with number {after}, but this room has counted up to 3. So his \
             number is from another time, and all that there is may be new to him."
        ))?;
    }
    Ok(())
}

/// The hard one. Nobody is silent while Ben comes back: each chat is either in his answer
/// or comes live after it, whatever happens in which order.
async fn step_14_no_gap_and_no_double() -> Check {
    // What is ready first is a matter of chance, so once would prove little.
    for pause in (23..33).cycle().take(20) {
        one_comes_back_in_a_flood(pause).await?;
    }
    Ok(())
}

/// Ben asks when Ana has said `pause` things or so.
async fn one_comes_back_in_a_flood(pause: usize) -> Check {
    let server = open();
    let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
    let wordy = |i: usize| format!("{i:.>2000}"); // Ben needs time to read.
    for i in 1..=20 {
        talks(&mut ana, &wordy(i)).await?;
    }
    let mut ben = ben_is_back(&server).await?;

    let flood = async {
        for i in 21..=120 {
            ana.says(says(&wordy(i))).await?;
            yield_now().await;
        }
        Ok::<_, Hint>(())
    };
    let asks = async {
        for _ in 0..pause {
            yield_now().await;
        }
        ben.says(resume(10)).await
    };
    let (flood, asks) = join!(flood, asks);
    flood.and(asks)?;
    let heard = ben.hears_out(ONE_SECOND).await;

    let mut numbers = Vec::new();
    for text in &heard {
        let message = parse(text)?;
        match &message["messages"] {
            // What came live before the answer is in it as well: its number is after 10.
            Value::Array(messages) => {
                numbers = messages.iter().map(|m| m["seq"].as_u64()).collect();
            }
            _ => numbers.push(message["seq"].as_u64()),
        }
    }
    let story = "Ana counted up to 120. In the middle of it Ben asked for all after 10.";
    if numbers.first() != Some(&Some(11)) {
        return Err(
            server.hint(format!("{story} The answer should begin with number 11."))
        );
    }
    for pair in numbers.windows(2) {
        let (Some(one), Some(next)) = (pair[0], pair[1]) else {
            return Err(server.hint(format!("{story} Each chat should have a number.")));
        };
        let fault = match next {
            next if next > one + 1 => "there is a gap between answer and live chats",
            next if next <= one => "chats of the answer came live once more",
            _ => continue,
        };
        return Err(server.hint(format!("{story} After {one} he heard {next}: {fault}.")));
    }
    if numbers.last() != Some(&Some(120)) {
        return Err(server.hint(format!("{story} The last that he hears should be 120.")));
    }
    Ok(())
}
