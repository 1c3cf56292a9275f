//! Sessions on a log that fails in all ways.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, extract::FromRef};
use futures_util::{FutureExt, future::BoxFuture};
use probe::{Check, ONE_MINUTE, serve};
use serde_json::json;

use super::{
    path,
    people::{config, username},
    talkative,
};
use crate::{
    auth::Auth,
    chat::{Alone, RoomManager, routes},
    delivery::{AppendError, Draft, Log, LogEntry, Page, Seq, Unavailable},
    limits::{ConnectionLimits, RateLimits},
    names::RoomName,
    server::Shutdown,
    telemetry::Metrics,
};

/// A log that appends nothing, and fails when it is told to.
#[derive(Default)]
struct FaultyLog {
    /// Receipts that never come, in place of those that fail.
    is_stuck: AtomicBool,
    /// After so many reads, all others fail.
    good_reads: AtomicUsize,
    appended: AtomicUsize,
}

impl Log for FaultyLog {
    fn id(&self) -> &str {
        "faulty"
    }

    async fn append(&self, _: Draft) -> BoxFuture<'static, Result<Seq, AppendError>> {
        self.appended.fetch_add(1, Relaxed);
        if self.is_stuck.load(Relaxed) {
            pending().boxed()
        } else {
            ready(Err(AppendError::Unavailable)).boxed()
        }
    }

    async fn read(&self, _: &RoomName, _: Seq) -> Result<Page, Unavailable> {
        let left = self.good_reads.load(Relaxed).checked_sub(1).ok_or(Unavailable)?;
        self.good_reads.store(left, Relaxed);
        Ok(Page { entries: Vec::new(), deleted: 0, last: 0 })
    }
}

/// What the chat needs, and nothing else.
#[derive(Clone, FromRef)]
struct ChatState {
    auth: Auth,
    connections: ConnectionLimits,
    metrics: Metrics,
    rates: RateLimits,
    rooms: RoomManager,
    log: Arc<FaultyLog>,
    shutdown: Shutdown,
}

/// A server on this log, and its rooms.
fn app(log: &Arc<FaultyLog>) -> (Router, RoomManager) {
    let config = talkative();
    let shutdown = Shutdown::default();
    let rooms = RoomManager::new(&config, shutdown.clone());
    let state = ChatState {
        auth: Auth::new(&config).expect("a good configuration"),
        connections: ConnectionLimits::new(&config),
        metrics: Metrics::new([]),
        rates: RateLimits::new(&config),
        rooms: rooms.clone(),
        log: log.clone(),
        shutdown,
    };
    (routes::<ChatState, Alone<FaultyLog>>().with_state(state), rooms)
}

fn room() -> RoomName {
    RoomName::try_from("rust".to_owned()).expect("a good name")
}

fn ana() -> String {
    format!("{}&resume=0", path("rust", "ana"))
}

const WELCOME: &str = r#"{"type":"welcome","log":"faulty","seq":0}"#;
const CHAT: &str = r#"{"type":"chat","id":"a-1","content":"hello"}"#;
const UNAVAILABLE: &str = "the log is not available";

#[tokio::test(start_paused = true)]
async fn what_cannot_be_appended_is_not_acknowledged_but_closed_with_1013() -> Check {
    let log = FaultyLog { good_reads: 2.into(), ..Default::default() };
    let server = serve(app(&Arc::new(log)).0);
    let mut ana = server.connect("Ana", &ana()).await?;
    ana.hears(WELCOME).await?;

    ana.says(CHAT).await?;

    ana.is_closed(1013, UNAVAILABLE).await
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_closes_with_1013_at_any_time() -> Check {
    for good_reads in 0..3 {
        let log = FaultyLog { good_reads: good_reads.into(), ..Default::default() };
        let (app, rooms) = app(&Arc::new(log));
        let server = serve(app);
        let mut ana = server.connect("Ana", &ana()).await?;
        if good_reads > 0 {
            ana.hears(WELCOME).await?;
        }
        if good_reads == 2 {
            ana.hears_nothing_for(SECOND).await?;
            ana.stops_reading();
            fill_the_outbox(&rooms).await;
            ana.reads_again();
            ana.is_closed_in_the_end(1013, UNAVAILABLE).await?;
        } else {
            ana.is_closed(1013, UNAVAILABLE).await?;
        }

        let limits = ConnectionLimits::new(&config());
        let permit = limits.acquire(&username("ana")).expect("there is room");
        let joined = rooms.join(room(), username("ana"), &permit, false);
        assert!(joined.is_ok(), "her name is free again");
    }
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);

/// More than the connection and the outbox hold.
async fn fill_the_outbox(rooms: &RoomManager) {
    for seq in 1..2_000 {
        rooms.deliver(&entry(seq));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub fn entry(seq: Seq) -> LogEntry {
    LogEntry {
        room: room(),
        seq,
        from: username("ben"),
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
    let (app, rooms) = app(&log);
    let server = serve(app);
    let mut ana = server.connect("Ana", &ana()).await?;
    ana.hears(WELCOME).await?;

    for _ in 0..200 {
        ana.says(CHAT).await?;
    }
    ana.hears_nothing_for(ONE_MINUTE).await?;

    assert_eq!(log.appended.load(Relaxed), 32, "the others were not read");
    rooms.deliver(&entry(1));
    ana.hears(json!({
        "type": "chat", "room": "rust", "from": "ben", "content": "x".repeat(1_000),
        "timestamp": "2026-11-21T09:30:00.125Z", "seq": 1
    }))
    .await
}
