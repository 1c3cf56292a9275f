//! The stories find servers that lose messages, and say what is wrong with them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Error, Router,
    extract::{
        Path, RawQuery,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    routing::any,
};
use probe::{
    Check,
    delivery::{Protocol, Report, Story, seeds},
};
use serde_json::{Value, json};
use tokio::{select, sync::watch, time::sleep};

/// What may be wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    Nothing,
    AcksBeforeItAppends,
    ForgetsIds,
    ForgetsWhoseIdsTheyAre,
    ResumesOneTooLate,
    ResumesOneTooEarly,
    SendsInAnotherOrder,
    ChangesWords,
    NeverAcks,
}

/// The chats of each room. They outlive the server.
type Log = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// A server as small as it can be: whenever the log changes, each client gets what is new.
fn server(log: &Log, mistake: Mistake) -> Router {
    let (log, changed) = (log.clone(), watch::Sender::new(()));
    let handler = move |Path((room, name)): Path<(String, String)>,
                        RawQuery(query): RawQuery,
                        upgrade: WebSocketUpgrade| async move {
        let client = Client { room, name, log, changed, mistake };
        let query = query.unwrap_or_default();
        let resume = query.split(['=', '&']).nth(1).and_then(|seq| seq.parse().ok());
        upgrade.on_upgrade(move |socket| async move {
            let _ = client.run(socket, resume.unwrap_or(0)).await; // It is lost.
        })
    };
    Router::new().route("/{room}/{name}", any(handler))
}

#[derive(Clone)]
struct Client {
    room: String,
    name: String,
    log: Log,
    changed: watch::Sender<()>,
    mistake: Mistake,
}

impl Client {
    async fn run(self, mut socket: WebSocket, mut seen: usize) -> Result<(), Error> {
        let mut changes = self.changed.subscribe();
        let last = self.chats(|chats| chats.len());
        let welcome = json!({ "type": "welcome", "log": "1", "seq": last });
        send(&mut socket, welcome).await?;
        match self.mistake {
            Mistake::ResumesOneTooLate if seen > 0 => seen += 1,
            Mistake::ResumesOneTooEarly => seen = seen.saturating_sub(1),
            _ => {}
        }
        loop {
            let mut new = self.chats(|chats| chats.get(seen..).unwrap_or(&[]).to_vec());
            seen += new.len();
            if self.mistake == Mistake::SendsInAnotherOrder {
                new.reverse();
            }
            for chat in new {
                send(&mut socket, chat).await?;
            }
            select! {
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.answer(&mut socket, &text).await?,
                    Some(Ok(_)) => {}
                    _ => return Ok(()),
                },
                _ = changes.changed() => {}
            }
        }
    }

    async fn answer(&self, socket: &mut WebSocket, text: &str) -> Result<(), Error> {
        let mut chat: Value = serde_json::from_str(text).unwrap_or_default();
        if chat["type"] == "ping" {
            return send(socket, json!({ "type": "pong" })).await;
        }
        let is_same = |known: &Value| match self.mistake {
            Mistake::ForgetsIds => false,
            Mistake::ForgetsWhoseIdsTheyAre => known["id"] == chat["id"],
            _ => known["id"] == chat["id"] && known["from"] == self.name.as_str(),
        };
        let known = self.chats(|chats| chats.iter().position(is_same));
        let seq = known.unwrap_or_else(|| self.chats(|chats| chats.len())) + 1;
        let ack = json!({ "type": "ack", "id": chat["id"], "seq": seq });
        if self.mistake == Mistake::AcksBeforeItAppends {
            send(socket, ack.clone()).await?;
            sleep(Duration::from_millis(1)).await;
        }
        if known.is_none() {
            chat["room"] = self.room.as_str().into();
            chat["from"] = self.name.as_str().into();
            if self.mistake == Mistake::ChangesWords {
                chat["content"] = "Who said this?".into();
            }
            self.chats(|chats| {
                chat["seq"] = (chats.len() + 1).into();
                chats.push(chat);
            });
            self.changed.send_replace(());
        }
        match self.mistake {
            Mistake::AcksBeforeItAppends | Mistake::NeverAcks => Ok(()),
            _ => send(socket, ack).await,
        }
    }

    fn chats<T>(&self, act: impl FnOnce(&mut Vec<Value>) -> T) -> T {
        let mut rooms = self.log.lock().expect("no task panics with the lock");
        act(rooms.entry(self.room.clone()).or_default())
    }
}

async fn send(socket: &mut WebSocket, message: Value) -> Result<(), Error> {
    socket.send(Message::text(message.to_string())).await
}

fn run(seed: u64, mistake: Mistake) -> Report {
    let log = Log::default();
    let path = |room: &str, name: &str| format!("/{room}/{name}");
    Story::new(seed).run(Protocol::Delivery, || server(&log, mistake), path)
}

/// Runs stories until one of them finds the mistake, and says so with these words.
fn finds(mistake: Mistake, words: &str) {
    let found = seeds().find_map(|seed| run(seed, mistake).check("probe").err());
    let hint = found.expect("a story finds the mistake").to_string();
    assert!(hint.contains(words), "the hint should say {words:?}: {hint}");
}

#[test]
fn a_server_that_does_it_right_loses_nothing() -> Check {
    seeds().try_for_each(|seed| run(seed, Mistake::Nothing).check("probe"))
}

#[test]
fn an_ack_before_the_append_is_found() {
    finds(Mistake::AcksBeforeItAppends, "was acknowledged with the number");
}

#[test]
fn a_message_that_is_appended_twice_is_found() {
    finds(Mistake::ForgetsIds, "is in the log more than once, with the numbers {");
}

#[test]
fn an_id_that_hides_the_message_of_another_sender_is_found() {
    finds(Mistake::ForgetsWhoseIdsTheyAre, "should have received message");
}

#[test]
fn a_chat_that_is_left_out_after_a_resume_is_found() {
    finds(Mistake::ResumesOneTooLate, "should have received message");
}

#[test]
fn a_chat_that_comes_again_after_a_resume_is_found() {
    finds(Mistake::ResumesOneTooEarly, "again, message");
}

#[test]
fn a_wrong_order_is_found() {
    finds(Mistake::SendsInAnotherOrder, " after ");
}

#[test]
fn a_chat_that_nobody_sent_is_found() {
    finds(Mistake::ChangesWords, "ana, ben, vera should have received message 1 of ana.");
}

#[test]
fn a_missing_ack_is_found() {
    finds(Mistake::NeverAcks, "still waits for the ack of message 1.");
}

#[test]
fn a_failure_says_how_to_run_the_story_again() {
    let hint = run(3, Mistake::NeverAcks).check("probe").expect_err("nobody gets an ack");

    let hint = hint.to_string();
    assert!(hint.starts_with("Story 3: "), "which story it was: {hint}");
    assert!(hint.ends_with("SEED=3 cargo test -p probe stories"), "the command: {hint}");
}
