#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;

use axum::Router;
use lesson_18_delivery::{RoomManager, SqliteLog};
use probe::{Expected, chat::Chat, rooms::chat_from};
use serde_json::json;

use self::people::{auth, path, seen_from, token};

probe::conformance! { app(), &path("rust", "ana") }
// A client that does not read is not closed because its outbox is full: the rest is in the
// log. So two rules do not hold, both about the 4008 that it would find then.
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_client_that_never_reads_again_is_disconnected,
}
probe::json_conformance! { chat() }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }

fn chat() -> Chat {
    Chat { said, ..probe::rooms::chat(app, |name| path("rust", name)) }
}

/// A chat has a number, whatever the number is.
fn said(name: &str, text: &str) -> Expected {
    let mut chat = chat_from(name, text);
    chat["seq"] = json!(probe::ANY);
    chat.into()
}

fn app() -> Router {
    app_on(":memory:")
}

/// The server with the log in this file.
fn app_on(database: &str) -> Router {
    let rooms = RoomManager::default();
    let log = SqliteLog::open(database, rooms.clone()).expect("a database that opens");
    seen_from([192, 0, 2, 1], super::app(auth(), rooms, log))
}
