//! Who sees what: the latest rows of each browser, and the viewers that wait for more.

use std::{
    cmp::Reverse,
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::row::{Event, Row};

/// How many rows a viewer finds that comes later, and how many bytes they may have. The
/// oldest ones are forgotten.
const HISTORY: Bounds = Bounds { rows: 1000, bytes: 2 * 1024 * 1024 };

/// How many rows may wait for a viewer. What comes then is left out, and the viewer is told
/// how much it was.
const QUEUE: Bounds = Bounds { rows: 2048, bytes: 4 * 1024 * 1024 };

/// How many viewers a browser may have. Each of them has a queue. One more takes the place
/// of the oldest, which may be a tab that nobody looks at.
const VIEWERS: usize = 8;

/// How many viewers all browsers may have together.
const ALL_VIEWERS: usize = 64;

/// Of how many browsers rows are kept. Those of the browser that was quiet for longest are
/// forgotten.
const BROWSERS: usize = 8;

/// What a browser shows with its connections and with its viewers. Nobody else knows it.
#[derive(Clone, Copy, PartialEq)]
pub struct Token(pub u128);

/// All rows go through here. This is only a handle: clone it freely.
#[derive(Clone)]
pub struct Hub {
    /// A random number, which tells this run of the program from others.
    pub program: u64,
    started: Instant,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// How many rows there have been, for all browsers together.
    rows: u64,
    connections: u64,
    viewers: u64,
    histories: Vec<History>,
    queues: Vec<Queue>,
}

/// The latest rows of a browser.
struct History {
    token: Token,
    rows: Rows,
    forgotten: u64,
    /// The number of the last one that is forgotten.
    last_forgotten: u64,
}

/// What waits for a viewer.
struct Queue {
    viewer: u64,
    token: Token,
    rows: Rows,
    /// How many rows came while this was full.
    missed: u64,
    /// The number of the last one of them.
    last_missed: u64,
    wake: Arc<Notify>,
}

/// Rows, and how many bytes they take.
#[derive(Default)]
struct Rows {
    rows: VecDeque<Arc<Row>>,
    bytes: usize,
}

#[derive(Clone, Copy)]
struct Bounds {
    rows: usize,
    bytes: usize,
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

    /// The number of the next connection that is shown.
    pub fn next_connection(&self) -> u64 {
        let mut shared = self.lock();
        shared.connections += 1;
        shared.connections
    }

    /// Keeps a row, and queues it for the viewers of its browser.
    pub fn push(&self, token: Token, mut row: Row) {
        let mut shared = self.lock();
        shared.rows += 1;
        row.number = shared.rows;
        let row = Arc::new(row);
        shared.history(token).push(&row);
        for queue in shared.queues.iter_mut().filter(|queue| queue.token == token) {
            queue.push(&row);
        }
    }

    /// A viewer, which gets what is kept first. There is none if other browsers have taken
    /// all places.
    pub fn watch(&self, token: Token) -> Option<Viewer> {
        let mut shared = self.lock();
        let mut own = shared.queues.iter().filter(|queue| queue.token == token);
        // The first one is the oldest.
        let (oldest, count) = (own.next().map(|queue| queue.viewer), 1 + own.count());
        let is_full = shared.queues.len() == ALL_VIEWERS;
        match oldest {
            Some(oldest) if is_full || count == VIEWERS => shared.remove(oldest),
            None if is_full => return None,
            _ => {}
        }
        shared.viewers += 1;
        let (viewer, wake) = (shared.viewers, Arc::new(Notify::new()));
        let mut rows = Rows::default();
        if let Some(history) = shared.histories.iter().find(|one| one.token == token) {
            history.replay(&mut rows);
            wake.notify_one();
        }
        let queue =
            Queue { viewer, token, rows, missed: 0, last_missed: 0, wake: wake.clone() };
        shared.queues.push(queue);

        Some(Viewer { viewer, hub: self.clone(), wake })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Should a task panic while it holds the lock, the others go on: no change is left
        // half done.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Ends a viewer, if it is still there.
    fn remove(&mut self, viewer: u64) {
        if let Some(index) = self.queues.iter().position(|one| one.viewer == viewer) {
            self.queues.remove(index).wake.notify_one();
        }
    }

    /// What is kept of a browser.
    fn history(&mut self, token: Token) -> &mut History {
        let known = self.histories.iter().position(|history| history.token == token);
        let index = known.unwrap_or_else(|| {
            if self.histories.len() == BROWSERS {
                self.histories.sort_by_key(|history| Reverse(history.rows.latest()));
                self.histories.pop();
            }
            self.histories.push(History {
                token,
                rows: Rows::default(),
                forgotten: 0,
                last_forgotten: 0,
            });
            self.histories.len() - 1
        });
        &mut self.histories[index]
    }
}

impl History {
    fn push(&mut self, row: &Arc<Row>) {
        self.rows.push(row);
        while self.rows.exceed(HISTORY) {
            self.last_forgotten = self.rows.pop().map_or(0, |row| row.number);
            self.forgotten += 1;
        }
    }

    fn replay(&self, to: &mut Rows) {
        if self.forgotten > 0 {
            let at = self.rows.rows.front().map_or(Duration::ZERO, |row| row.at);
            to.push(&gap(self.last_forgotten, at, self.forgotten));
        }
        for row in &self.rows.rows {
            to.push(row);
        }
    }
}

impl Queue {
    fn push(&mut self, row: &Arc<Row>) {
        // Once a row is left out, so are the next ones: the gap comes at the end.
        if self.missed > 0 || self.rows.is_full(QUEUE) {
            self.missed += 1;
            self.last_missed = row.number;
        } else {
            self.rows.push(row);
        }
        self.wake.notify_one();
    }
}

impl Rows {
    fn push(&mut self, row: &Arc<Row>) {
        self.bytes += row.size();
        self.rows.push_back(row.clone());
    }

    fn pop(&mut self) -> Option<Arc<Row>> {
        let row = self.rows.pop_front();
        self.bytes -= row.as_ref().map_or(0, |row| row.size());
        row
    }

    fn exceed(&self, bounds: Bounds) -> bool {
        self.rows.len() > bounds.rows || self.bytes > bounds.bytes
    }

    fn is_full(&self, bounds: Bounds) -> bool {
        self.rows.len() >= bounds.rows || self.bytes >= bounds.bytes
    }

    fn latest(&self) -> Duration {
        self.rows.back().map_or(Duration::ZERO, |row| row.at)
    }
}

fn gap(number: u64, at: Duration, rows: u64) -> Arc<Row> {
    Arc::new(Row { number, at, connection: 0, event: Event::Gap(rows) })
}

/// Somebody who looks at the connections of a browser. When it is dropped, its place is free.
pub struct Viewer {
    viewer: u64,
    hub: Hub,
    wake: Arc<Notify>,
}

impl Viewer {
    /// Waits until there are rows, and takes them all. There are no more if another viewer
    /// has taken its place.
    ///
    /// Cancel safe: what has not been returned is still there.
    pub async fn rows(&mut self) -> Option<Vec<Arc<Row>>> {
        loop {
            let rows = self.take()?;
            if !rows.is_empty() {
                return Some(rows);
            }
            self.wake.notified().await;
        }
    }

    fn take(&mut self) -> Option<Vec<Arc<Row>>> {
        let now = self.hub.now();
        let mut shared = self.hub.lock();
        let queue = shared.queues.iter_mut().find(|queue| queue.viewer == self.viewer)?;
        let mut rows = Vec::from(mem::take(&mut queue.rows).rows);
        let missed = mem::take(&mut queue.missed);
        if missed > 0 {
            rows.push(gap(queue.last_missed, now, missed));
        }
        Some(rows)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.hub.lock().remove(self.viewer);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::xray::row::Side;

    const ANA: Token = Token(1);

    fn row(connection: u64) -> Row {
        let event = Event::Fin(Side::Client);
        Row { number: 0, at: Duration::ZERO, connection, event }
    }

    async fn take(viewer: &mut Viewer) -> Vec<Arc<Row>> {
        viewer.rows().await.expect("it has its place")
    }

    /// The connections of rows, or how many rows a gap has.
    fn shown(rows: &[Arc<Row>]) -> Vec<Result<u64, u64>> {
        let of = |row: &Arc<Row>| match row.event {
            Event::Gap(rows) => Err(rows),
            _ => Ok(row.connection),
        };
        rows.iter().map(of).collect()
    }

    #[tokio::test]
    async fn a_viewer_gets_what_is_kept_and_what_comes_then() {
        let hub = Hub::new();
        hub.push(ANA, row(1));

        let mut viewer = hub.watch(ANA).expect("it is the first one");
        let first = take(&mut viewer).await;
        hub.push(ANA, row(2));
        let then = take(&mut viewer).await;

        assert_eq!(shown(&first), [Ok(1)], "this was before the viewer");
        assert_eq!(shown(&then), [Ok(2)], "nothing is told twice");
    }

    #[tokio::test]
    async fn another_token_sees_nothing() {
        let hub = Hub::new();
        let mut eve = hub.watch(Token(2)).expect("it is the first one");

        hub.push(ANA, row(1));
        hub.push(Token(2), row(2));
        let mut late = hub.watch(Token(2)).expect("it is the second one");

        assert_eq!(shown(&take(&mut eve).await), [Ok(2)], "row 1 is not for Eve");
        assert_eq!(
            shown(&take(&mut late).await),
            [Ok(2)],
            "and neither is what is kept of it"
        );
    }

    #[tokio::test]
    async fn the_oldest_rows_are_forgotten_and_a_viewer_is_told_how_many() {
        let hub = Hub::new();
        for connection in 1..=HISTORY.rows as u64 + 7 {
            hub.push(ANA, row(connection));
        }

        let rows = shown(&take(&mut hub.watch(ANA).expect("it is the first one")).await);

        assert_eq!(rows.len(), HISTORY.rows + 1, "the latest, and the gap before them");
        assert_eq!(rows[..2], [Err(7), Ok(8)], "seven are forgotten");
    }

    #[tokio::test]
    async fn long_rows_are_forgotten_sooner() {
        let hub = Hub::new();
        let earlier = vec!["a".repeat(HISTORY.bytes / 4)];
        let peer = ([127, 0, 0, 1], 1).into();
        for connection in 1..=9 {
            let event = Event::Open { peer, earlier: earlier.clone() };
            hub.push(ANA, Row { event, ..row(connection) });
        }

        let rows = shown(&take(&mut hub.watch(ANA).expect("it is the first one")).await);

        assert_eq!(rows, [Err(6), Ok(7), Ok(8), Ok(9)], "more would have too many bytes");
    }

    #[tokio::test]
    async fn numbers_of_rows_rise_and_a_gap_has_that_of_the_last_row_left_out() {
        let hub = Hub::new();
        let mut reads_late = hub.watch(ANA).expect("it is the first one");
        for connection in 1..=QUEUE.rows as u64 + 5 {
            hub.push(Token(2), row(connection)); // Others' rows have numbers, too.
            hub.push(ANA, row(connection));
        }
        let mut comes_late = hub.watch(ANA).expect("it is the second one");

        let last = 2 * (QUEUE.rows as u64 + 5);
        for (viewer, gap) in [(&mut reads_late, last), (&mut comes_late, last - 2000)] {
            let rows = take(viewer).await;
            let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
            assert!(
                numbers.is_sorted_by(|a, b| a < b),
                "who remembers the highest one knows what is new: {numbers:?}"
            );
            assert_eq!(numbers.last(), Some(&last), "this was the last row");
            let is_gap = |row: &&Arc<Row>| matches!(row.event, Event::Gap(_));
            let number = rows.iter().find(is_gap).map(|row| row.number);
            assert_eq!(number, Some(gap), "whoever saw this row has missed nothing");
        }
    }

    #[tokio::test]
    async fn a_viewer_that_does_not_read_gets_one_gap() {
        let hub = Hub::new();
        let mut viewer = hub.watch(ANA).expect("it is the first one");

        for connection in 1..=QUEUE.rows as u64 + 812 {
            hub.push(ANA, row(connection));
        }
        let late = shown(&take(&mut viewer).await);
        hub.push(ANA, row(5000));

        assert_eq!(late.len(), QUEUE.rows + 1, "what there was room for, and the gap");
        assert_eq!(
            late.last(),
            Some(&Err(812)),
            "the gap comes where the rows are missing"
        );
        assert_eq!(shown(&take(&mut viewer).await), [Ok(5000)], "then it goes on");
    }

    #[tokio::test]
    async fn one_viewer_too_many_takes_the_place_of_the_oldest_of_its_browser() {
        let hub = Hub::new();
        let watch = |token| hub.watch(token).expect("there is room");
        let mut eve = watch(Token(2));
        let mut viewers: Vec<_> = (0..=VIEWERS).map(|_| watch(ANA)).collect();
        hub.push(ANA, row(1));
        hub.push(Token(2), row(2));

        assert!(viewers[0].rows().await.is_none(), "the oldest one has ended");
        assert_eq!(shown(&take(&mut viewers[1]).await), [Ok(1)], "the next one has not");
        assert_eq!(shown(&take(&mut eve).await), [Ok(2)], "and no other browser's");
        assert_eq!(hub.lock().queues.len(), VIEWERS + 1, "there are no more than before");
        viewers.remove(0);
        assert_eq!(hub.lock().queues.len(), VIEWERS + 1, "it had no place any more");
    }

    #[test]
    fn a_browser_finds_a_place_if_there_is_one_or_if_it_has_one() {
        let hub = Hub::new();
        let watch = |browser: usize| hub.watch(Token(browser as u128));
        let mut viewers: Vec<_> = (0..ALL_VIEWERS).map(watch).collect();
        assert!(viewers.iter().all(Option::is_some), "there is room for them");

        assert!(watch(ALL_VIEWERS).is_none(), "there is no room for another browser");
        assert!(watch(7).is_some(), "a browser may take its own place");
        viewers.pop();

        assert!(watch(ALL_VIEWERS).is_some(), "who leaves makes room");
    }

    #[tokio::test]
    async fn a_viewer_that_waits_learns_that_its_place_is_taken() {
        let hub = Hub::new();
        let mut oldest = hub.watch(ANA).expect("it is the first one");
        let waits = tokio::spawn(async move { oldest.rows().await.is_none() });
        tokio::task::yield_now().await;

        let _viewers: Vec<_> = (0..VIEWERS).map(|_| hub.watch(ANA)).collect();

        let ended = timeout(Duration::from_secs(10), waits).await;
        assert!(matches!(ended, Ok(Ok(true))), "it must not wait for ever");
    }

    #[tokio::test]
    async fn rows_are_kept_of_a_few_browsers() {
        let hub = Hub::new();
        for browser in 1..=BROWSERS as u64 + 1 {
            hub.push(
                Token(browser.into()),
                Row { at: Duration::from_secs(browser), ..row(browser) },
            );
        }

        assert_eq!(hub.lock().histories.len(), BROWSERS, "memory has an end");
        let is_kept = |token| hub.lock().histories.iter().any(|one| one.token == token);
        assert!(!is_kept(Token(1)), "the first one was quiet for longest");
        assert!(is_kept(Token(2)), "the second one is still there");
    }
}
