//! What a room must stand when many of its members stall or leave at once, as they do when
//! a network fails. `.ci/exercises/check` holds each right answer to it.

use std::{
    collections::HashMap,
    panic::resume_unwind,
    thread,
    time::{Duration, Instant},
};

use probe::{Check, Client, Hint, ONE_MINUTE, RawConnection, Server, serve};
use serde_json::json;
use solutions::{chat_with, features::Features, protocol::Username, rooms::Room};

/// A part of what a server's threads have, in bytes: a recursion through the crowd shows.
const SMALL_STACK: usize = 128 * 1024;

/// How many stall at once, when there is no network between us.
const CROWD: usize = if cfg!(debug_assertions) { 3_000 } else { 10_000 };

/// How many of these type, and stop when they leave. This is announced as well.
const TYPISTS: usize = 150;

/// How many stall at once on connections. It is more than there are slots in an outbox.
const SMALL_CROWD: usize = 300;

/// More messages than an outbox and the buffers of a connection hold together.
const FLOOD: usize = 700;

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);

/// How long it may take to find a crowd and to announce its departure. In a release build,
/// and on a machine that has nothing else to do, it is some milliseconds.
const LIMIT: Duration = Duration::from_secs(1);

#[test]
fn a_crowd_is_removed_in_an_instant_and_without_recursion() {
    let thread = thread::Builder::new().stack_size(SMALL_STACK);
    let room = thread.spawn(a_crowd_stalls).expect("a thread can be started");

    if let Err(panic) = room.join() {
        resume_unwind(panic);
    }
}

fn a_crowd_stalls() {
    let mut room = Room::default();
    let mut ana = room.add(&name("ana")).expect("the room is empty");
    let crowd: Vec<_> = (0..CROWD)
        .map(member)
        .map(|name| (room.add(&name).expect("it is a new name"), name))
        .collect();
    for (_, typist) in &crowd[..TYPISTS] {
        room.starts_typing(typist);
    }
    room.deliver(); // They can still read that many.

    let mut queued = || {
        let mut texts = Vec::new();
        while let Ok(batch) = ana.try_recv() {
            texts.extend(batch.iter().map(ToString::to_string));
        }
        texts
    };

    let mut received = Vec::new();
    let mut start = Instant::now();
    for _ in 0..FLOOD {
        start = Instant::now();
        room.broadcast("still here?".into(), None);
        room.deliver();
        if room.members().count() == 1 {
            break; // This one has found all of them full.
        }
        received.extend(queued());
    }
    for (_, member) in &crowd {
        room.remove(member); // In some designs it is their own tasks that do so.
    }
    room.deliver();
    let took = start.elapsed();
    received.extend(queued());

    let mut times = HashMap::new();
    for text in &received {
        *times.entry(text.clone()).or_insert(0) += 1;
    }
    let times = |text: String| times.get(&text).copied().unwrap_or_default();
    for (_, member) in &crowd {
        assert_eq!(times(left(member)), 1, "Ana receives once that {member} has left");
    }
    for (_, typist) in &crowd[..TYPISTS] {
        let stopped =
            format!(r#"{{"type":"typing","username":"{typist}","is_typing":false}}"#);
        assert_eq!(times(stopped), 1, "{typist} does not type any more");
    }
    let online = r#"{"type":"online_users","users":["ana"]}"#;
    let last = received.last().map(String::as_str);
    assert_eq!(last, Some(online), "Ana is alone, and has not been removed");
    assert!(took < LIMIT, "the departure of {CROWD} took {took:?}");
    println!("The departure of {CROWD} took {took:?}."); // See it with --nocapture.
}

/// Ana and Ben, who read, and a crowd, which has stopped reading.
struct Meeting {
    _server: Server,
    ana: Client,
    ben: Client,
    crowd: Vec<RawConnection>,
}

impl Meeting {
    async fn begins() -> Result<Self, Hint> {
        let server = serve(chat_with(Features::ALL.without(6))); // Nobody has a rate limit.
        let mut ana = server.connect("Ana", "/ws/chat/rust/ana").await?;
        let ben = server.connect("Ben", "/ws/chat/rust/ben").await?;

        let mut crowd = Vec::new();
        for i in 0..SMALL_CROWD {
            let handshake = handshake(&format!("/ws/chat/rust/{}", member(i)));
            crowd.push(server.opens_a_connection(&handshake).await?);
            if crowd.len() % 50 == 0 {
                for member in &mut crowd {
                    member.hears_out(MOMENT).await;
                }
            }
        }
        ana.hears_out(MOMENT).await;
        Ok(Self { _server: server, ana, ben, crowd })
    }

    /// Expects that nobody else leaves. Ana has `received` some messages.
    async fn ends(mut self, mut received: Vec<String>) -> Check {
        received.extend(self.ana.hears_out(ONE_MINUTE).await);

        for member in (0..SMALL_CROWD).map(member) {
            let left = left(&member);
            let times = received.iter().filter(|text| **text == left).count();
            assert_eq!(times, 1, "Ana receives once that {member} has left");
        }
        let online = r#"{"type":"online_users","users":["ana","ben"]}"#;
        let last = received.iter().rfind(|text| text.contains("online_users"));
        assert_eq!(last.map(String::as_str), Some(online), "two are left");
        self.ana.leaves().await?;
        self.ben.leaves().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_stalls_at_once_disconnects_nobody_else() -> Check {
    let mut meeting = Meeting::begins().await?;

    let mut received = Vec::new();
    for _ in 0..FLOOD {
        let talk = json!({ "type": "chat", "content": "z".repeat(1_000) });
        meeting.ana.says(talk.to_string()).await?;
        let news = meeting.ana.hears_out(MOMENT).await;
        let found = news.iter().any(|text| text.contains("user_left"));
        received.extend(news);
        if found {
            break;
        }
    }

    meeting.ends(received).await
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_is_lost_at_once_disconnects_nobody_else() -> Check {
    let mut meeting = Meeting::begins().await?;

    meeting.crowd.clear();

    meeting.ends(Vec::new()).await
}

fn member(i: usize) -> Username {
    name(&format!("member-{i}"))
}

fn name(name: &str) -> Username {
    Username::try_from(name.to_owned()).expect("a good name")
}

fn left(username: &Username) -> String {
    format!(r#"{{"type":"user_left","username":"{username}"}}"#)
}

fn handshake(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\n\
         Host: 127.0.0.1:8000\r\n\
         Connection: upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}
