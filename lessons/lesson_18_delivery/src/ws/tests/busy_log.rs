//! Sessions on a log in which others write while it is read.

use std::sync::atomic::AtomicI64;

use super::*;

/// Somebody says something before some of its pages are made, and after some empty ones.
#[derive(Default)]
struct BusyLog {
    rooms: RoomManager,
    last: AtomicI64,
    before: AtomicUsize,
    after: AtomicUsize,
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

    async fn append(&self, _: Draft) -> Receipt {
        ready(Err(AppendError::Unavailable)).boxed()
    }

    async fn read(&self, _: &RoomName, after: Seq) -> Result<Page, Unavailable> {
        if take(&self.before) {
            self.say();
        }
        let last = self.last.load(Relaxed);
        let entries: Vec<_> =
            (after.clamp(0, last) + 1..=last).take(PAGE).map(entry).collect();
        let is_last = entries.last().is_none_or(|entry| entry.seq == last);
        if is_last && after != Seq::MAX && take(&self.after) {
            self.say();
        }
        Ok(Page { entries, deleted: 0, last })
    }
}

const PAGE: usize = 32;

#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    rooms: RoomManager,
    log: Arc<BusyLog>,
}

/// Five times, because `select!` chooses at random.
#[tokio::test(start_paused = true)]
async fn what_is_said_while_the_log_is_read_comes_once() -> Check {
    for _ in 0..5 {
        ana_reads_a_busy_log().await?;
    }
    Ok(())
}

/// In a busy room there is something new whenever the log is read. But that is in the outbox.
#[tokio::test(start_paused = true)]
async fn whoever_has_caught_up_does_not_read_the_log_any_more() -> Check {
    let log = Arc::new(BusyLog::default());
    log.before.store(1_000, Relaxed);
    let (server, path) = serve_from(&log);

    let mut ana = server.connect("Ana", &path).await?;
    hears_each_once(&mut ana, 0, &log).await;

    let reads = 1_000 - log.before.load(Relaxed);
    assert!(reads < 5, "the log of a room with some chats was read {reads} times");
    Ok(())
}

async fn ana_reads_a_busy_log() -> Check {
    let log = Arc::new(BusyLog::default());
    let (server, path) = serve_from(&log);
    let busy = || {
        log.before.store(3, Relaxed);
        log.after.store(1, Relaxed);
    };

    busy();
    let mut ana = server.connect("Ana", &path).await?;
    hears_each_once(&mut ana, 0, &log).await;

    let seen = log.last.load(Relaxed);
    ana.stops_reading();
    for _ in 0..1_000 {
        log.say();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    busy(); // From now on she reads the log, because her outbox is full.
    ana.reads_again();
    hears_each_once(&mut ana, seen, &log).await;
    Ok(())
}

/// A server with this log, and where Ana connects who has seen nothing.
fn serve_from(log: &Arc<BusyLog>) -> (Server, String) {
    let secret = b"a secret for the tests, 32 bytes or more";
    let auth = Auth::new(secret, "busy").expect("a secret that is long enough");
    let ana = Username::try_from("ana".to_owned()).expect("a good name");
    let path = format!("/ws/chat/rust?resume=0&token={}", auth.issue(ana));
    let state = AppState { auth, rooms: log.rooms.clone(), log: log.clone() };
    let route = any(ws_handler::<BusyLog>);
    let app = Router::new().route("/ws/chat/{room}", route).with_state(state);
    (serve(app).ignoring(&["welcome"]), path)
}

async fn hears_each_once(ana: &mut probe::Client, mut seen: Seq, log: &BusyLog) {
    for text in ana.hears_out(ONE_MINUTE).await {
        let message: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(message["seq"], seen + 1, "the number after {seen} comes next");
        seen += 1;
    }
    assert_eq!(seen, log.last.load(Relaxed), "all that was said has come");
}
