//! Sessions on a log in which others write while it is read.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, extract::FromRef};
use futures_util::{FutureExt, future::BoxFuture};
use probe::{
    Check, Client, ONE_MINUTE, conformance::masked, json::joined, resuming::chat_with_id,
    serve,
};
use serde_json::Value;
use tokio::time::sleep;

use super::{faults::entry, path, talkative};
use crate::{
    auth::Auth,
    chat::{Alone, RoomManager, routes},
    delivery::{AppendError, Draft, Log, Page, Seq, Unavailable},
    limits::{ConnectionLimits, RateLimits},
    names::RoomName,
    server::Shutdown,
    telemetry::Metrics,
};

const PAGE: usize = 32;

const SECOND: Duration = Duration::from_secs(1);

/// Somebody says something before some of its pages are made, and after some empty ones.
struct BusyLog {
    rooms: RoomManager,
    last: AtomicI64,
    before: AtomicUsize,
    after: AtomicUsize,
    /// Always has one more chat, as a room in which people write faster than this client reads.
    is_endless: AtomicBool,
}

impl BusyLog {
    fn say(&self) {
        let last = self.last.fetch_add(1, Relaxed);
        self.rooms.deliver(&entry(last + 1));
    }
}

/// Whether it was not zero. Now it is one less.
fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_ok()
}

impl Log for BusyLog {
    fn id(&self) -> &str {
        "busy"
    }

    /// It takes a while, unless the id is `used`.
    async fn append(&self, draft: Draft) -> BoxFuture<'static, Result<Seq, AppendError>> {
        if draft.id.is_some_and(|id| id.as_str() == "used") {
            return ready(Err(AppendError::IdInUse)).boxed();
        }
        let (rooms, seq) = (self.rooms.clone(), self.last.fetch_add(1, Relaxed) + 1);
        async move {
            sleep(SECOND).await;
            rooms.deliver(&entry(seq));
            Ok(seq)
        }
        .boxed()
    }

    async fn read(&self, _: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        if take(&self.before) {
            self.say();
        }
        if self.is_endless.load(Relaxed) {
            let next = after.max(0).checked_add(1).map(entry);
            return Ok(Page {
                entries: Vec::from_iter(next),
                deleted: 0,
                last: Seq::MAX,
            });
        }
        let last = self.last.load(Relaxed);
        let entries: Vec<_> =
            (after.clamp(0, last) + 1..=last).take(PAGE).map(entry).collect();
        if entries.is_empty() && after != Seq::MAX && take(&self.after) {
            self.say();
        }
        Ok(Page { entries, deleted: 0, last })
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
    log: Arc<BusyLog>,
    shutdown: Shutdown,
}

fn app() -> (Router, Arc<BusyLog>) {
    let config = talkative();
    let shutdown = Shutdown::default();
    let rooms = RoomManager::new(&config, shutdown.clone());
    let log = Arc::new(BusyLog {
        rooms: rooms.clone(),
        last: AtomicI64::default(),
        before: AtomicUsize::default(),
        after: AtomicUsize::default(),
        is_endless: AtomicBool::default(),
    });
    let state = ChatState {
        auth: Auth::new(&config).expect("a good configuration"),
        connections: ConnectionLimits::new(&config),
        metrics: Metrics::new([]),
        rates: RateLimits::new(&config),
        rooms,
        log: log.clone(),
        shutdown,
    };
    (routes::<ChatState, Alone<BusyLog>>().with_state(state), log)
}

/// Five times, because `select!` chooses at random.
#[tokio::test(start_paused = true)]
async fn what_is_said_while_the_log_is_read_comes_once() -> Check {
    for _ in 0..5 {
        let (app, log) = app();
        let server = serve(app).ignoring(&["welcome"]);
        let busy = || {
            log.before.store(3, Relaxed);
            log.after.store(1, Relaxed);
        };

        busy();
        let path = format!("{}&resume=0", path("rust", "ana"));
        let mut ana = server.connect("Ana", &path).await?;
        hears_each_once(&mut ana, 0, &log).await;

        let seen = log.last.load(Relaxed);
        ana.stops_reading();
        for _ in 0..1_200 {
            log.say();
            sleep(Duration::from_millis(1)).await;
        }
        busy(); // From now on she reads the log, because her outbox is full.
        ana.reads_again();
        hears_each_once(&mut ana, seen, &log).await;
    }
    Ok(())
}

/// A client that never catches up is served all the same, and can be replaced.
#[tokio::test(start_paused = true)]
async fn a_client_that_has_much_to_catch_up_with_may_write_meanwhile() -> Check {
    let (app, log) = app();
    let server = serve(app).ignoring(&["welcome"]);
    let path = format!("{}&resume=0", path("rust", "ana"));
    log.is_endless.store(true, Relaxed);
    let mut ana = server.connect("Ana", &path).await?;

    ana.says(r#"{"type":"ping"}"#).await?;
    let mut count = 0;
    while ana.hears_any().await? != r#"{"type":"pong"}"# {
        count += 1;
        assert!(count < 50_000, "the ping should be answered between two pages");
    }

    let _new = server.connect("Ana again", &path).await?;
    ana.is_closed_in_the_end(4009, "you have connected again").await
}

/// In a busy room somebody has said something more whenever the log is read. It is in the
/// outbox, too.
#[tokio::test(start_paused = true)]
async fn a_client_of_a_busy_room_catches_up_and_receives_who_joins() -> Check {
    let (app, log) = app();
    let server = serve(app).ignoring(&["welcome"]);
    log.before.store(usize::MAX, Relaxed);
    let mut ana =
        server.connect("Ana", &format!("{}&resume=0", path("rust", "ana"))).await?;

    let _ben = server.connect("Ben", &path("rust", "ben")).await?;

    let mut chats = 0;
    while !ana.hears_any().await?.contains("user_joined") {
        chats += 1;
        assert!(chats < 1_000, "Ana should hear of Ben, and not read the log for ever");
    }
    Ok(())
}

/// A chat that is rejected says nothing about those behind it.
#[tokio::test(start_paused = true)]
async fn a_leave_comes_after_the_last_chat_also_if_one_was_rejected() -> Check {
    let (app, _) = app();
    let server = serve(app);
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    ben.hears(joined("ana")).await?;

    let chats = ["used", "new"].map(|id| chat_with_id(id, "good night"));
    let mut bytes = chats.map(|chat| masked(0x81, chat.as_bytes())).concat();
    bytes.extend(masked(0x88, &1000_u16.to_be_bytes()));
    ana.writes_raw(&bytes).await?;

    let heard = ben.hears_out(ONE_MINUTE).await;
    let types: Vec<_> = heard
        .iter()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok())
        .map(|message| message["type"].clone())
        .collect();
    assert_eq!(types, ["chat", "user_left"], "her last words come first");
    Ok(())
}

async fn hears_each_once(ana: &mut Client, mut seen: Seq, log: &BusyLog) {
    for text in ana.hears_out(ONE_MINUTE).await {
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(message["seq"], seen + 1, "the number after {seen} comes next");
        seen += 1;
    }
    assert_eq!(seen, log.last.load(Relaxed), "all that was said has come");
}
