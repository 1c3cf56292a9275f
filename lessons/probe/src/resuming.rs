//! What every chat with a log does for a client that comes back: it gets what it missed, in
//! order, and nothing twice.

use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};

use crate::{
    ANY, Check, Client, Hint, ONE_MINUTE, Server,
    json::{chat_of, joined, left},
    serve,
};

const SECOND: Duration = Duration::from_secs(1);

/// A chat whose rooms have a log: how it is started, and where they are.
#[derive(Clone, Copy)]
pub struct Resuming<S = fn() -> Router> {
    pub start: S,
    /// Where somebody connects to a room.
    pub path: fn(room: &str, name: &str) -> String,
}

impl<S> Resuming<S> {
    /// Where somebody comes back to the room "rust" who has seen the chats up to `seq`.
    pub fn resume(&self, name: &str, seq: i64, log: &str) -> String {
        format!("{}&resume={seq}&log={log}", (self.path)("rust", name))
    }

    /// Somebody who resumes, and what the welcome says: the log and its last number.
    pub async fn resumes(
        &self,
        server: &Server,
        name: &str,
        path: &str,
    ) -> Result<(Client, String, i64), Hint> {
        let mut client = server.connect(name, path).await?;
        let text = client.hears_any().await?;
        let welcome: Value = serde_json::from_str(&text).unwrap_or_default();
        match (welcome["log"].as_str(), welcome["seq"].as_i64()) {
            (Some(log), Some(seq)) if welcome["type"] == "welcome" => {
                Ok((client, log.to_owned(), seq))
            }
            _ => {
                Err(server.hint(format!("{name} should get a welcome, but got {text}.")))
            }
        }
    }

    /// Somebody who has seen nothing yet, and the id of the log.
    pub async fn newcomer(
        &self,
        server: &Server,
        name: &str,
    ) -> Result<(Client, String), Hint> {
        let path = format!("{}&resume=0", (self.path)("rust", name));
        let (client, log, _) = self.resumes(server, name, &path).await?;
        Ok((client, log))
    }
}

impl Resuming {
    pub(crate) fn serve(&self) -> Server {
        serve((self.start)())
    }

    /// Somebody whom nobody else sees sends so many chats.
    pub async fn fill(&self, server: &Server, count: i64) -> Check {
        let mut cem = server.connect("Cem", &(self.path)("rust", "cem")).await?;
        for i in 0..count {
            cem.says(chat_of(i.to_string())).await?;
            if i % 100 == 99 {
                cem.hears_out(SECOND).await;
            }
        }
        cem.hears_out(SECOND).await;
        cem.leaves().await
    }
}

/// What a client sends that wants its chat to be acknowledged.
pub fn chat_with_id(id: &str, content: &str) -> String {
    json!({ "type": "chat", "id": id, "content": content }).to_string()
}

/// What it receives once the chat is in the log.
pub fn ack(id: &str, seq: i64) -> Value {
    json!({ "type": "ack", "id": id, "seq": seq })
}

/// What somebody receives who has missed what is no longer kept.
pub fn gap(next: i64) -> Value {
    json!({ "type": "gap", "next": next })
}

/// A chat with this number, whatever else it has.
pub fn numbered(seq: i64) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": ANY, "content": ANY, "timestamp": ANY, "seq": seq
    })
}

/// The numbers of the chats that came, and of gaps, as `-next`.
pub async fn numbers(client: &mut Client) -> Vec<i64> {
    let received = client.hears_out(ONE_MINUTE).await;
    let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
    messages
        .filter_map(|message: Value| match message["type"].as_str() {
            Some("chat") => message["seq"].as_i64(),
            Some("gap") => message["next"].as_i64().map(|next| -next),
            _ => None,
        })
        .collect()
}

fn welcome(seq: i64) -> Value {
    json!({ "type": "welcome", "log": ANY, "seq": seq })
}

/// Each once, and in order.
pub async fn a_client_gets_what_it_missed_and_then_what_is_new(it: Resuming) -> Check {
    let server = it.serve();
    let (ana, log) = it.newcomer(&server, "ana").await?;
    ana.leaves().await?;
    it.fill(&server, 5).await?;

    let mut ana = server.connect("Ana", &it.resume("ana", 2, &log)).await?;
    ana.hears(welcome(5)).await?;
    for seq in 3..=5 {
        ana.hears(numbered(seq)).await?;
    }
    it.fill(&server, 1).await?;
    assert_eq!(numbers(&mut ana).await, [6], "and then what is new");
    Ok(())
}

/// But for the welcome.
pub async fn a_client_that_missed_nothing_gets_nothing(it: Resuming) -> Check {
    let server = it.serve();
    let (ana, log) = it.newcomer(&server, "ana").await?;
    ana.leaves().await?;
    it.fill(&server, 5).await?;

    let mut ana = server.connect("Ana", &it.resume("ana", 5, &log)).await?;

    ana.hears(welcome(5)).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// Whoever has seen nothing misses nothing.
pub async fn a_newcomer_gets_all_that_is_kept_and_no_gap(it: Resuming) -> Check {
    let server = it.serve();
    it.fill(&server, 1_100).await?;

    let (mut ana, _) = it.newcomer(&server, "ana").await?;

    let expected: Vec<i64> = (101..=1_100).collect();
    assert_eq!(numbers(&mut ana).await, expected, "the newest 1,000, in order");
    Ok(())
}

/// Nothing is missing without notice. 1,000 chats are kept.
pub async fn whoever_comes_back_too_late_gets_a_gap(it: Resuming) -> Check {
    let server = it.serve();
    let (ana, log) = it.newcomer(&server, "ana").await?;
    ana.leaves().await?;
    it.fill(&server, 1_100).await?;

    for (seen, gap) in [(0, true), (99, true), (100, false), (101, false)] {
        let mut ana = server.connect("Ana", &it.resume("ana", seen, &log)).await?;
        let came = numbers(&mut ana).await;
        let first = if gap { -101 } else { seen + 1 };
        assert_eq!(came.first(), Some(&first), "101 is the oldest that is kept");
        let chats: Vec<i64> = came.into_iter().filter(|&seq| seq > 0).collect();
        let expected: Vec<i64> = (101.max(seen + 1)..=1_100).collect();
        assert_eq!(chats, expected, "all that is kept, after {seen}");
        ana.leaves().await?;
    }
    Ok(())
}

/// What a client has seen elsewhere does not belong to what follows.
pub async fn a_number_that_means_nothing_here_gets_a_gap_and_all_that_is_kept(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let (ana, log) = it.newcomer(&server, "ana").await?;
    ana.leaves().await?;
    it.fill(&server, 3).await?;

    let room = (it.path)("rust", "ana");
    let strange = [
        (it.resume("ana", 2, "another"), "another log"),
        (it.resume("ana", 0, "another"), "another log, of which nothing was seen"),
        (it.resume("ana", 4, &log), "a number of the future"),
        (it.resume("ana", i64::MAX, &log), "the greatest number"),
        (it.resume("ana", -1, &log), "a negative number"),
        (format!("{room}&resume=2"), "a number of no log"),
    ];
    for (path, what) in strange {
        let mut ana = server.connect("Ana", &path).await?;
        ana.hears(welcome(3)).await?;
        assert_eq!(numbers(&mut ana).await, [-1, 1, 2, 3], "{what}");
        ana.leaves().await?;
    }
    server.rejects("Ana", &format!("{room}&resume=x"), 400).await?;
    server.rejects("Ana", &format!("{room}&resume={}0", i64::MAX), 400).await?;
    Ok(())
}

/// Each room has its own numbers, and nobody can tell where one is from.
pub async fn a_number_of_another_room_is_one_of_the_future_or_a_place_in_this_one(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let (ana, log) = it.newcomer(&server, "ana").await?;
    ana.leaves().await?;
    it.fill(&server, 3).await?;

    let path = format!("{}&resume=2&log={log}", (it.path)("tea", "ana"));
    let mut ana = server.connect("Ana", &path).await?;

    ana.hears(welcome(0)).await?;
    ana.hears(gap(1)).await?;
    ana.says(chat_with_id("a-1", "hello")).await?;
    ana.hears(json!({
        "type": "chat", "room": "tea", "from": "ana", "content": "hello",
        "timestamp": ANY, "seq": 1, "id": "a-1"
    }))
    .await?;
    ana.hears(ack("a-1", 1)).await
}

/// The others notice nothing.
pub async fn a_new_connection_takes_the_place_of_the_old_one(it: Resuming) -> Check {
    let server = it.serve();
    let mut ben = server.connect("Ben", &(it.path)("rust", "ben")).await?;
    let (mut old, log) = it.newcomer(&server, "ana").await?;
    ben.hears(joined("ana")).await?;

    let mut new = server.connect("Ana again", &it.resume("ana", 0, &log)).await?;

    old.is_closed(4009, "you have connected again").await?;
    new.hears(welcome(0)).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.says(r#"{"type":"chat","content":"Welcome back!"}"#).await?;
    new.hears(numbered(1)).await?;
    new.leaves().await?;
    ben.hears(numbered(1)).await?;
    ben.hears(left("ana")).await
}

/// The server may learn of its end much later.
pub async fn an_old_connection_that_is_dead_does_not_keep_the_name(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let (mut old, log) = it.newcomer(&server, "ana").await?;
    old.stops_reading(); // And never says that it has gone.

    for _ in 0..3 {
        let mut new = server.connect("Ana again", &it.resume("ana", 0, &log)).await?;
        new.hears(welcome(0)).await?;
        let rooms = server.get("/rooms").await?;
        assert_eq!(rooms.body, r#"[{"room":"rust","members":1}]"#, "she is there once");
    }
    Ok(())
}

/// It does not know the reason of the Close, and would come back for ever.
pub async fn a_client_that_does_not_resume_takes_nobodys_place(it: Resuming) -> Check {
    let server = it.serve();
    let (mut ana, _) = it.newcomer(&server, "ana").await?;

    let only_a_log = format!("{}&log=x", (it.path)("rust", "ana"));
    for path in [(it.path)("rust", "ana"), only_a_log] {
        let mut other = server.connect("Another window", &path).await?;
        other.is_closed(4009, "this name is taken").await?;
    }

    ana.hears_nothing_for(ONE_MINUTE).await
}

/// Tests that each chat has to pass which keeps a log: `app` is a function that makes one, and
/// `path` says where somebody connects to a room.
#[macro_export]
macro_rules! delivery_conformance {
    ($app:expr, $path:expr) => {
        $crate::rules! {
            acknowledging as acknowledging,
            ($crate::resuming::Resuming { start: $app, path: $path }) =>
            a_chat_with_an_id_is_acknowledged_with_its_number,
            the_others_receive_the_chat_once_and_no_acknowledgement,
            a_chat_that_is_sent_again_is_acknowledged_with_the_same_number,
            the_same_id_of_two_senders_is_two_chats,
            an_id_for_other_words_or_another_room_is_rejected,
            a_chat_that_can_never_be_accepted_is_rejected_with_its_id,
            a_client_that_does_not_resume_and_gives_no_id_gets_only_chats,
            what_one_client_sends_has_the_order_in_which_it_was_sent,
            any_character_comes_back_as_it_was_sent
        }
        $crate::rules! {
            resuming as resuming,
            ($crate::resuming::Resuming { start: $app, path: $path }) =>
            a_client_gets_what_it_missed_and_then_what_is_new,
            a_client_that_missed_nothing_gets_nothing,
            a_newcomer_gets_all_that_is_kept_and_no_gap,
            whoever_comes_back_too_late_gets_a_gap,
            a_number_that_means_nothing_here_gets_a_gap_and_all_that_is_kept,
            a_number_of_another_room_is_one_of_the_future_or_a_place_in_this_one,
            a_new_connection_takes_the_place_of_the_old_one,
            an_old_connection_that_is_dead_does_not_keep_the_name,
            a_client_that_does_not_resume_takes_nobodys_place
        }
    };
}
