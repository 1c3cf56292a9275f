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
use probe::{Check, Client, ONE_MINUTE, serve};
use serde_json::Value;
use tokio::time::sleep;

use super::{faults::entry, path, talkative};
use crate::{
    auth::Auth,
    chat::{RoomManager, routes},
    delivery::{AppendError, Draft, Log, Page, Seq, Unavailable},
    limits::{ConnectionLimits, RateLimits},
    names::RoomName,
    server::Shutdown,
};

const PAGE: usize = 32;

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

    async fn append(&self, _: Draft) -> BoxFuture<'static, Result<Seq, AppendError>> {
        ready(Err(AppendError::Unavailable)).boxed()
    }

    async fn read(&self, _: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        if take(&self.before) {
            self.say();
        }
        if self.is_endless.load(Relaxed) {
            let next = after.max(0).checked_add(1).map(entry);
            return Ok(Page { entries: Vec::from_iter(next), deleted: 0, last: 0 });
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
        rates: RateLimits::new(&config),
        rooms,
        log: log.clone(),
        shutdown,
    };
    (routes::<ChatState, BusyLog>().with_state(state), log)
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

async fn hears_each_once(ana: &mut Client, mut seen: Seq, log: &BusyLog) {
    for text in ana.hears_out(ONE_MINUTE).await {
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(message["seq"], seen + 1, "the number after {seen} comes next");
        seen += 1;
    }
    assert_eq!(seen, log.last.load(Relaxed), "all that was said has come");
}
