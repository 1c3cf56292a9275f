//! Who sees what: the latest rows of each browser, and the queues of its viewers.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::row::{Event, Row};

/// How many rows a viewer gets that comes later. The oldest ones are forgotten.
const HISTORY: usize = 1000;

/// How many rows may wait for a viewer. What comes then is left out, and a row says how many
/// rows that were.
///
/// A row has one head or the beginning of one payload, so a number of rows is a limit for the
/// memory, too. All viewers of a browser, and its history, share the same rows.
const QUEUE: usize = 2048;

/// When a message of rows is long enough to be sent, in bytes.
///
/// While a task writes JSON, its thread does nothing else, and debug builds are slow. This
/// much takes them less than ten milliseconds, and all rows of a full queue half a second.
const MESSAGE_SIZE: usize = 128 * 1024;

/// How many viewers a browser may have. One more takes the place of the oldest, which may be
/// in a tab that nobody sees.
const VIEWERS: usize = 8;

/// How many viewers all browsers may have together.
const ALL_VIEWERS: usize = 64;

/// Of how many browsers rows are kept. Those of the browser that was quiet for longest are
/// forgotten.
const BROWSERS: usize = 8;

/// What a browser sends with its connections and with its viewers. Nobody else knows it.
#[derive(Clone, Copy, PartialEq)]
pub struct Token(pub u128);

/// All rows go through here. This is only a handle: clone it freely.
#[derive(Clone)]
pub struct Hub {
    /// A random number, which differs from one run of the program to the next.
    pub program: u64,
    started: Instant,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// How many rows there have been, for all browsers together.
    rows: u64,
    connections: u64,
    /// Whether all listeners are on loopback. There may be none yet.
    on_loopback: Option<bool>,
    histories: Vec<History>,
    /// The oldest viewer is the first one.
    queues: Vec<Queue>,
}

/// The latest rows of a browser.
struct History {
    token: Token,
    rows: VecDeque<Arc<Row>>,
    forgotten: LeftOut,
}

/// What waits for a viewer.
struct Queue {
    token: Token,
    rows: mpsc::Sender<Arc<Row>>,
    /// What came while there was no room.
    missed: LeftOut,
}

/// Rows that a viewer does not get.
#[derive(Default)]
struct LeftOut {
    rows: u64,
    /// The number and the time of the last one.
    number: u64,
    at: Duration,
}

impl Hub {
    pub fn new() -> Self {
        // The standard library has no other random numbers. These need not be secret.
        let program = RandomState::new().hash_one(());
        Self { program, started: Instant::now(), shared: Arc::default() }
    }

    /// The time since the hub was made, which is when the program began to listen.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes note of a listener. A single one that others can reach turns X-ray off: what is
    /// kept is forgotten, and all viewers end.
    pub fn add_listener(&self, is_loopback: bool) {
        let mut shared = self.lock();
        let is_on = is_loopback && shared.on_loopback != Some(false);
        shared.on_loopback = Some(is_on);
        if !is_on {
            shared.histories.clear();
            shared.queues.clear(); // Without its queue, a viewer ends.
        }
    }

    pub fn is_on(&self) -> bool {
        self.lock().on_loopback == Some(true)
    }

    /// The number of the next connection that is shown.
    pub fn next_connection(&self) -> u64 {
        let mut shared = self.lock();
        shared.connections += 1;
        shared.connections
    }

    /// Keeps a row, and queues it for the viewers of its browser.
    pub fn push(&self, token: Token, mut row: Row) {
        let mut shared = self.lock();
        if shared.on_loopback == Some(false) {
            return; // It is off.
        }
        shared.rows += 1;
        row.number = shared.rows;
        let row = Arc::new(row);
        shared.history(token).push(&row);
        for queue in shared.queues_of(token) {
            queue.push(&row);
        }
    }

    /// A viewer, which gets what is kept first. There is none if other browsers have taken
    /// all places.
    pub fn subscribe(&self, token: Token) -> Option<Viewer> {
        let mut shared = self.lock();
        shared.queues.retain(|queue| !queue.rows.is_closed()); // These viewers have left.
        let count = shared.queues_of(token).count();
        if count == VIEWERS || shared.queues.len() == ALL_VIEWERS {
            let oldest = shared.queues.iter().position(|queue| queue.token == token)?;
            shared.queues.remove(oldest);
        }

        let (sender, rows) = mpsc::channel(QUEUE);
        let mut queue = Queue { token, rows: sender, missed: LeftOut::default() };
        if let Some(history) = shared.histories.iter().find(|one| one.token == token) {
            history.replay(&mut queue);
        }
        shared.queues.push(queue);

        Some(Viewer { token, hub: self.clone(), rows })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Should a task panic while it holds the lock, the others go on: no change is left
        // half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn queues_of(&mut self, token: Token) -> impl Iterator<Item = &mut Queue> {
        self.queues.iter_mut().filter(move |queue| queue.token == token)
    }

    /// What is kept of a browser.
    fn history(&mut self, token: Token) -> &mut History {
        let known = self.histories.iter().position(|history| history.token == token);
        let index = known.unwrap_or_else(|| {
            if self.histories.len() == BROWSERS {
                self.forget_quietest();
            }
            let (rows, forgotten) = (VecDeque::new(), LeftOut::default());
            self.histories.push(History { token, rows, forgotten });
            self.histories.len() - 1
        });
        &mut self.histories[index]
    }

    fn forget_quietest(&mut self) {
        let latest = |(_, history): &(usize, &History)| {
            history.rows.back().map_or(0, |row| row.number)
        };
        if let Some((index, _)) = self.histories.iter().enumerate().min_by_key(latest) {
            self.histories.swap_remove(index);
        }
    }
}

impl History {
    fn push(&mut self, row: &Arc<Row>) {
        self.rows.push_back(row.clone());
        if self.rows.len() > HISTORY
            && let Some(oldest) = self.rows.pop_front()
        {
            self.forgotten.add(&oldest);
        }
    }

    fn replay(&self, queue: &mut Queue) {
        if self.forgotten.rows > 0 {
            queue.push(&self.forgotten.gap());
        }
        for row in &self.rows {
            queue.push(row);
        }
    }
}

impl Queue {
    fn push(&mut self, row: &Arc<Row>) {
        self.push_gap();
        // What comes before the gap is queued belongs to it, even if there is room by now.
        if self.missed.rows > 0 || self.rows.try_send(row.clone()).is_err() {
            self.missed.add(row);
        }
    }

    /// Queues the row that stands for those that were missed, if there is room.
    fn push_gap(&mut self) {
        if self.missed.rows > 0
            && let Ok(room) = self.rows.try_reserve()
        {
            room.send(self.missed.gap());
            self.missed = LeftOut::default();
        }
    }
}

impl LeftOut {
    fn add(&mut self, row: &Row) {
        (self.number, self.at) = (row.number, row.at);
        self.rows += 1;
    }

    /// The row that stands for them.
    fn gap(&self) -> Arc<Row> {
        let &Self { rows, number, at } = self;
        Arc::new(Row { number, at, connection: 0, event: Event::Gap(rows) })
    }
}

/// The receiving half of a queue. When it is dropped, its place is free.
pub struct Viewer {
    token: Token,
    hub: Hub,
    rows: mpsc::Receiver<Arc<Row>>,
}

impl Viewer {
    /// Waits until there are rows, and writes them as a JSON array: all of them, or as many as
    /// a message should have. There are no more if another viewer has taken its place, or
    /// if X-ray is off.
    ///
    /// Cancel safe: it waits for the first row alone.
    pub async fn message(&mut self) -> Option<String> {
        let mut json = format!("[{}", self.rows.recv().await?.json());
        while json.len() < MESSAGE_SIZE
            && let Ok(row) = self.rows.try_recv()
        {
            json.push(',');
            json.push_str(&row.json());
        }
        json.push(']');
        // Now there is room for a gap. Otherwise it would wait until the next row comes.
        for queue in self.hub.lock().queues_of(self.token) {
            queue.push_gap();
        }
        Some(json)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use futures_util::FutureExt;
    use serde_json::Value;
    use tokio::time::timeout;

    use super::*;
    use crate::xray::{
        frames::Frames,
        row::{End, Side},
    };

    const ANA: Token = Token(1);

    fn row(connection: u64) -> Row {
        let event = Event::End(Side::Client, End::Fin);
        Row { number: 0, at: Duration::ZERO, connection, event }
    }

    /// All rows that wait for a viewer.
    fn take(viewer: &mut Viewer) -> Vec<Value> {
        let messages = iter::from_fn(|| viewer.message().now_or_never().flatten());
        messages
            .flat_map(|json| {
                serde_json::from_str::<Vec<Value>>(&json).expect("this is an array")
            })
            .collect()
    }

    /// The connections of rows, or how many rows a gap has.
    fn shown(rows: &[Value]) -> Vec<Result<u64, u64>> {
        let number = |value: &Value| value.as_u64().expect("it is a number");
        let of = |row: &Value| match row["kind"].as_str() {
            Some("gap") => Err(number(&row["rows"])),
            _ => Ok(number(&row["connection"])),
        };
        rows.iter().map(of).collect()
    }

    #[tokio::test]
    async fn a_viewer_gets_what_is_kept_and_what_comes_then() {
        let hub = Hub::new();
        hub.push(ANA, row(1));

        let mut viewer = hub.subscribe(ANA).expect("it is the first one");
        let first = take(&mut viewer);
        hub.push(ANA, row(2));
        let then = take(&mut viewer);

        assert_eq!(shown(&first), [Ok(1)], "this was before the viewer");
        assert_eq!(shown(&then), [Ok(2)], "no row comes twice");
    }

    #[tokio::test]
    async fn another_token_sees_nothing() {
        let hub = Hub::new();
        let mut eve = hub.subscribe(Token(2)).expect("it is the first one");

        hub.push(ANA, row(1));
        hub.push(Token(2), row(2));
        let mut late = hub.subscribe(Token(2)).expect("it is the second one");

        assert_eq!(shown(&take(&mut eve)), [Ok(2)], "row 1 is not for Eve");
        assert_eq!(shown(&take(&mut late)), [Ok(2)], "and neither is what is kept of it");
    }

    #[tokio::test]
    async fn the_oldest_rows_are_forgotten_and_a_gap_counts_them() {
        let hub = Hub::new();
        for connection in 1..=HISTORY as u64 + 7 {
            hub.push(ANA, row(connection));
        }

        let rows = shown(&take(&mut hub.subscribe(ANA).expect("it is the first one")));

        assert_eq!(rows.len(), HISTORY + 1, "the latest, and the gap before them");
        assert_eq!(rows[..2], [Err(7), Ok(8)], "seven are forgotten");
    }

    #[tokio::test]
    async fn numbers_of_rows_rise_and_a_gap_has_that_of_the_last_row_left_out() {
        let hub = Hub::new();
        let mut reads_late = hub.subscribe(ANA).expect("it is the first one");
        for connection in 1..=QUEUE as u64 + 5 {
            hub.push(Token(2), row(connection)); // Others' rows have numbers, too.
            hub.push(ANA, row(connection));
        }
        let mut comes_late = hub.subscribe(ANA).expect("it is the second one");

        let last = 2 * (QUEUE as u64 + 5);
        for (viewer, gap) in [(&mut reads_late, last), (&mut comes_late, last - 2000)] {
            let rows = take(viewer);
            let numbers: Vec<_> =
                rows.iter().filter_map(|row| row["row"].as_u64()).collect();
            assert!(
                numbers.is_sorted_by(|a, b| a < b),
                "who remembers the highest one knows what is new: {numbers:?}"
            );
            assert_eq!(numbers.last(), Some(&last), "this was the last row");
            let found = rows.iter().find(|row| row["kind"] == "gap");
            let number = found.and_then(|row| row["row"].as_u64());
            assert_eq!(number, Some(gap), "whoever saw this row has missed nothing");
        }
    }

    #[tokio::test]
    async fn a_viewer_that_does_not_read_gets_one_gap() {
        let hub = Hub::new();
        let mut viewer = hub.subscribe(ANA).expect("it is the first one");

        for connection in 1..=QUEUE as u64 + 812 {
            hub.push(ANA, row(connection));
        }
        let late = shown(&take(&mut viewer));
        hub.push(ANA, row(5000));

        assert_eq!(late.len(), QUEUE + 1, "what there was room for, and the gap");
        assert_eq!(
            late.last(),
            Some(&Err(812)),
            "the gap comes where the rows are missing"
        );
        assert_eq!(shown(&take(&mut viewer)), [Ok(5000)], "then it goes on");
    }

    #[tokio::test]
    async fn many_rows_are_several_messages() {
        let hub = Hub::new();
        let mut viewer = hub.subscribe(ANA).expect("it is the first one");
        let payload = [&[0x82, 126, 16, 0][..], &[7; 4096]].concat();
        for _ in 0..1000 {
            let frame = Frames::default().feed(&payload, Duration::ZERO).remove(0);
            hub.push(ANA, Row { event: Event::Frame(Side::Server, frame), ..row(1) });
        }

        let first = viewer.message().await.expect("it has its place");
        let rest = take(&mut viewer);

        assert!(first.len() >= MESSAGE_SIZE, "as many as a message should have");
        assert!(first.len() < MESSAGE_SIZE + 10_000, "and no more: {}", first.len());
        let first: Vec<Value> = serde_json::from_str(&first).expect("this is an array");
        assert_eq!(first.len() + rest.len(), 1000, "none is left out");
    }

    #[tokio::test]
    async fn a_listener_that_others_can_reach_ends_all_rows() {
        let hub = Hub::new();
        hub.add_listener(true);
        let mut viewer = hub.subscribe(ANA).expect("it is the first one");
        hub.push(ANA, row(1));
        let before = take(&mut viewer);

        hub.add_listener(false);
        hub.push(ANA, row(2));
        let mut late = hub.subscribe(ANA).expect("it is the first one");
        hub.push(ANA, row(3));

        assert_eq!(shown(&before), [Ok(1)], "this was when nobody else could reach us");
        assert_eq!(viewer.message().now_or_never(), Some(None), "now viewers end");
        assert_eq!(take(&mut late), [0; 0], "nothing is kept, and nothing comes");
    }

    #[tokio::test]
    async fn one_viewer_too_many_takes_the_place_of_the_oldest_of_its_browser() {
        let hub = Hub::new();
        let subscribe = |token| hub.subscribe(token).expect("there is room");
        let mut eve = subscribe(Token(2));
        let mut viewers: Vec<_> = (0..=VIEWERS).map(|_| subscribe(ANA)).collect();
        hub.push(ANA, row(1));
        hub.push(Token(2), row(2));

        let oldest = viewers[0].message().now_or_never();
        assert_eq!(oldest, Some(None), "the oldest one has ended");
        assert_eq!(shown(&take(&mut viewers[1])), [Ok(1)], "the next one has not");
        assert_eq!(shown(&take(&mut eve)), [Ok(2)], "and no other browser's");
        assert_eq!(hub.lock().queues.len(), VIEWERS + 1, "there are no more than before");
        viewers.remove(0);
        assert_eq!(hub.lock().queues.len(), VIEWERS + 1, "it had no place any more");
    }

    #[test]
    fn a_browser_finds_a_place_if_there_is_one_or_if_it_has_one() {
        let hub = Hub::new();
        let subscribe = |browser: usize| hub.subscribe(Token(browser as u128));
        let mut viewers: Vec<_> = (0..ALL_VIEWERS).map(subscribe).collect();
        assert!(viewers.iter().all(Option::is_some), "there is room for them");

        assert!(subscribe(ALL_VIEWERS).is_none(), "there is no room for another browser");
        assert!(subscribe(7).is_some(), "a browser may take its own place");
        viewers.pop();

        assert!(subscribe(ALL_VIEWERS).is_some(), "who leaves makes room");
    }

    #[tokio::test]
    async fn a_viewer_that_waits_ends_when_its_place_is_taken() {
        let hub = Hub::new();
        let mut oldest = hub.subscribe(ANA).expect("it is the first one");
        let waits = tokio::spawn(async move { oldest.message().await.is_none() });
        tokio::task::yield_now().await;

        let _viewers: Vec<_> = (0..VIEWERS).map(|_| hub.subscribe(ANA)).collect();

        let ended = timeout(Duration::from_secs(10), waits).await;
        assert!(matches!(ended, Ok(Ok(true))), "it must not wait for ever");
    }

    #[test]
    fn rows_are_kept_of_the_browsers_that_were_there_last() {
        let hub = Hub::new();
        let push = |browser: usize| hub.push(Token(browser as u128), row(1));

        (1..=BROWSERS).for_each(push);
        push(1);
        push(BROWSERS + 1);

        assert_eq!(hub.lock().histories.len(), BROWSERS, "memory has an end");
        let is_kept = |token| hub.lock().histories.iter().any(|one| one.token == token);
        assert!(is_kept(Token(1)), "the first one was there again");
        assert!(!is_kept(Token(2)), "the second one was quiet for longest");
    }
}
