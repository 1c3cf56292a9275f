//! Sessions on a log that fails in all ways.

mod busy_log;

use std::{
    future::{pending, ready},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use axum::{Router, extract::FromRef, routing::any};
use futures_util::future::BoxFuture;
use lesson_08_auth::{Auth, Username};
use probe::{Check, ONE_MINUTE, Server, serve};
use serde_json::json;

use super::*;
use crate::log::{Draft, LogEntry, Receipt};

/// A log that appends nothing, and fails when it is told to.
#[derive(Default)]
struct FaultyLog {
    /// Receipts that never come, in place of those that fail.
    is_stuck: AtomicBool,
    /// Always has one more chat, as a room in which people write faster than this client reads.
    is_endless: bool,
    /// After so many reads, all others fail.
    good_reads: AtomicUsize,
    appended: AtomicUsize,
}

impl Log for FaultyLog {
    fn id(&self) -> &str {
        "faulty"
    }

    async fn append(&self, _: Draft) -> Receipt {
        self.appended.fetch_add(1, Relaxed);
        let receipt: BoxFuture<_> = if self.is_stuck.load(Relaxed) {
            pending().boxed()
        } else {
            ready(Err(AppendError::Unavailable)).boxed()
        };
        receipt
    }

    async fn read(&self, _: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        if self.is_endless {
            let hello = || "hello".to_owned().try_into().expect("good content");
            let next = after.checked_add(1);
            let next = next.map(|seq| LogEntry { content: hello(), ..entry(seq) });
            return Ok(Page {
                entries: Vec::from_iter(next),
                deleted: 0,
                last: Seq::MAX,
            });
        }
        let left = self.good_reads.load(Relaxed).checked_sub(1).ok_or(Unavailable)?;
        self.good_reads.store(left, Relaxed);
        Ok(Page { entries: Vec::new(), deleted: 0, last: 0 })
    }
}

#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    rooms: RoomManager,
    log: Arc<FaultyLog>,
}

/// A server on this log, its rooms, and where Ana connects.
fn app(log: &Arc<FaultyLog>) -> (Router, RoomManager, String) {
    let secret = b"a secret for the tests, 32 bytes or more";
    let auth = Auth::new(secret, "faulty").expect("a secret that is long enough");
    let ana = Username::try_from("ana".to_owned()).expect("a good name");
    let path = format!("/ws/chat/rust?resume=0&token={}", auth.issue(ana));
    let rooms = RoomManager::default();
    let state = AppState { auth, rooms: rooms.clone(), log: log.clone() };
    let route = any(ws_handler::<FaultyLog>);
    (Router::new().route("/ws/chat/{room}", route).with_state(state), rooms, path)
}

const WELCOME: &str = r#"{"type":"welcome","log":"faulty","seq":0}"#;
const CHAT: &str = r#"{"type":"chat","id":"a-1","content":"hello"}"#;

#[tokio::test(start_paused = true)]
async fn what_cannot_be_appended_is_not_acknowledged_but_closed_with_1013() -> Check {
    let log = FaultyLog { good_reads: 2.into(), ..Default::default() };
    let (app, _, path) = app(&Arc::new(log));
    let server = serve(app);
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears(WELCOME).await?;

    ana.says(CHAT).await?;

    ana.is_closed(1013, "the log is not available").await
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_closes_with_1013_at_any_time() -> Check {
    for good_reads in 0..3 {
        let log = FaultyLog { good_reads: good_reads.into(), ..Default::default() };
        let (app, rooms, path) = app(&Arc::new(log));
        let server = serve(app);
        let mut ana = server.connect("Ana", &path).await?;
        if good_reads > 0 {
            ana.hears(WELCOME).await?;
        }
        if good_reads == 2 {
            ana.hears_nothing_for(ONE_MINUTE).await?;
            ana.stops_reading();
            fill_the_outbox(&rooms).await;
            ana.reads_again();
            ana.is_closed_in_the_end(1013, "the log is not available").await?;
        } else {
            ana.is_closed(1013, "the log is not available").await?;
        }

        let room = RoomName::try_from("rust".to_owned()).expect("a good name");
        let name = Username::try_from("ana".to_owned()).expect("a good name");
        assert!(rooms.join(room, name, false).is_some(), "her name is free again");
    }
    Ok(())
}

/// More than the connection and the outbox hold.
async fn fill_the_outbox(rooms: &RoomManager) {
    for seq in 1..1_000 {
        rooms.deliver(&entry(seq));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn entry(seq: Seq) -> LogEntry {
    LogEntry {
        room: RoomName::try_from("rust".to_owned()).expect("a good name"),
        seq,
        from: Username::try_from("ben".to_owned()).expect("a good name"),
        id: None,
        content: "x".repeat(1_000).try_into().expect("good content"),
        timestamp: "2026-11-21T09:30:00.125Z".into(),
    }
}

/// A client whose chats the log does not confirm is not read from any more. It still
/// receives what others say.
#[tokio::test(start_paused = true)]
async fn a_flood_waits_in_the_connection_and_not_in_memory() -> Check {
    let log =
        FaultyLog { good_reads: 2.into(), is_stuck: true.into(), ..Default::default() };
    let log = Arc::new(log);
    let (app, rooms, path) = app(&log);
    let server = serve(app);
    let mut ana = server.connect("Ana", &path).await?;
    ana.hears(WELCOME).await?;

    for _ in 0..200 {
        ana.says(CHAT).await?;
    }
    ana.hears_nothing_for(ONE_MINUTE).await?;

    assert_eq!(log.appended.load(Relaxed), MAX_IN_FLIGHT, "the others were not read");
    rooms.deliver(&entry(1));
    ana.hears(json!({
        "type": "chat", "room": "rust", "from": "ben", "content": "x".repeat(1_000),
        "timestamp": "2026-11-21T09:30:00.125Z", "seq": 1
    }))
    .await
}

/// A client that never catches up is served all the same, and can be replaced.
#[tokio::test(start_paused = true)]
async fn a_client_that_has_much_to_catch_up_with_may_write_meanwhile() -> Check {
    let log = FaultyLog { is_endless: true, is_stuck: true.into(), ..Default::default() };
    let log = Arc::new(log);
    let (app, _, path) = app(&log);
    let server = serve(app);
    let mut ana = server.connect("Ana", &path).await?;

    ana.says(CHAT).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    let mut count = 0;
    while ana.hears_any().await? != r#"{"type":"pong"}"# {
        count += 1;
        assert!(count < 50_000, "the ping should be answered between two pages");
    }

    assert_eq!(log.appended.load(Relaxed), 1, "and the chat is handed over");
    let _new = server.connect("Ana again", &path).await?;
    ana.is_closed_in_the_end(4009, "you have connected again").await
}
