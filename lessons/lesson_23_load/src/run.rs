//! What one process does: it connects its members, starts them, and waits for what is late.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use memchr::memmem::Finder;
use tokio::{
    sync::{Semaphore, SetOnce},
    task::yield_now,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    connect::{Open, Person},
    member::Member,
    options::Options,
    report::Report,
};

/// Microseconds in a second.
pub const SECOND: u64 = 1_000_000;

/// What tokio's timers are exact to. We wait for the last of it awake, and let others work. The
/// clock of the tests stands still while somebody is awake, so there it is nothing.
const TIMER: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 1 });

/// How often we look how far we are.
pub const TICK: Duration = Duration::from_millis(200);

/// How long after the last arrival all members must have a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long nothing must have come until we believe that nothing more will.
const QUIET: Duration = Duration::from_secs(5);

/// How long we wait for that.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What all members of a process share.
pub struct Run {
    pub options: Options,
    pub people: Vec<Person>,
    pub open: Open,
    /// All times are in microseconds since this moment.
    epoch: Instant,
    /// When the first message is due. Until it is set, nobody writes.
    pub start: SetOnce<u64>,
    /// Set when the run is over.
    pub over: SetOnce<()>,
    /// For each member, in a closed loop: how many messages it may yet send.
    pub turns: Vec<Semaphore>,
    /// How many members lack the message of a sender with this number. Empty in an open loop.
    lacking: Mutex<HashMap<(usize, u64), usize>>,
    /// How many members have a connection.
    pub connected: AtomicUsize,
    report: Mutex<Report>,
    /// Our messages begin with it, and those of another generator with another one.
    mark: Finder<'static>,
}

impl Run {
    pub fn new(options: Options, people: Vec<Person>, open: Open) -> Arc<Self> {
        let report = Report::for_seconds(options.plan().length());
        let senders =
            if options.closed > 0 { options.rooms * options.members } else { 0 };
        Arc::new(Self {
            turns: (0..senders).map(|_| Semaphore::new(options.closed)).collect(),
            lacking: Mutex::default(),
            options,
            people,
            open,
            epoch: Instant::now(),
            start: SetOnce::new(),
            over: SetOnce::new(),
            connected: AtomicUsize::new(0),
            report: Mutex::new(report),
            mark: Finder::new(&format!("load-{:08x}-", fastrand::u32(..))).into_owned(),
        })
    }

    /// What our messages begin with, before three numbers with `-` behind each: the member, how
    /// many it had sent, and when it was due.
    pub fn mark(&self) -> &str {
        str::from_utf8(self.mark.needle()).expect("it was made of a text")
    }

    /// The three numbers, if this is a message of ours.
    pub fn numbers_in(&self, message: &[u8]) -> Option<(usize, u64, u64)> {
        let rest = &message[self.mark.find(message)? + self.mark.needle().len()..];
        let number = |text| str::from_utf8(text).ok()?.parse::<u64>().ok();
        let mut numbers = rest.splitn(4, |&byte| byte == b'-').map(number);
        Some((numbers.next()?? as usize, numbers.next()??, numbers.next()??))
    }

    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    /// Waits until this time, far more exactly than a timer of tokio.
    pub async fn until(&self, time: u64) {
        sleep_until(self.epoch + Duration::from_micros(time).saturating_sub(TIMER)).await;
        while self.now() < time {
            yield_now().await;
        }
    }

    /// The second of the run in which this time is.
    pub fn second(&self, time: u64) -> Option<usize> {
        Some((time.checked_sub(*self.start.get()?)? / SECOND) as usize)
    }

    /// When the last message has been due, once there is a start.
    pub fn end(&self) -> u64 {
        let length = self.options.plan().length() * SECOND;
        self.start.get().map_or(u64::MAX, |start| start + length)
    }

    /// One more member has this message. Once all have it, its sender may write another one.
    pub fn arrived(&self, sender: usize, number: u64) {
        let Some(turn) = self.turns.get(sender) else { return };
        let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        let left = lacking.entry((sender, number)).or_insert(self.options.readers());
        *left -= 1;
        if *left == 0 {
            lacking.remove(&(sender, number));
            turn.add_permits(1);
        }
    }

    /// Waits for the moment at which all connections are cut. Without a storm there is none.
    pub async fn storm(&self) {
        let start = self.start.wait().await;
        match self.options.storm {
            0 => pending().await,
            after => self.until(start + after * SECOND).await,
        }
    }

    /// The whole life of a process that has these rooms.
    pub async fn generate(
        self: Arc<Self>,
        rooms: impl Iterator<Item = usize>,
    ) -> Result<Report, String> {
        self.connect_all(rooms).await?;
        let _ = self.start.set(self.now()); // It was not set before.
        self.until(self.end()).await;
        self.wait_for_the_rest().await;
        let _ = self.over.set(()); // Nor was this.
        if self.options.slow > 0 {
            sleep(QUIET).await; // They read what is there.
        }
        Ok(self.report().clone())
    }

    /// Lets members arrive, each when it is due, whether or not the one before has come in.
    async fn connect_all(
        self: &Arc<Self>,
        rooms: impl Iterator<Item = usize>,
    ) -> Result<(), String> {
        let Options { members, arrivals, .. } = self.options;
        let (begin, mut count) = (self.now(), 0);
        for number in rooms.flat_map(|room| room * members..(room + 1) * members) {
            let due = begin + (SECOND as f64 * number as f64 / arrivals) as u64;
            self.until(due).await;
            tokio::spawn(Member::new(self.clone(), number).live(due));
            count += 1;
        }
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        while self.connected.load(Relaxed) < count {
            if Instant::now() > deadline {
                let (connected, report) = (self.connected.load(Relaxed), self.report());
                let events = report.events.keys();
                return Err(format!(
                    "Only {connected} of {count} are connected: {events:?}"
                ));
            }
            sleep(TICK).await;
        }
        Ok(())
    }

    /// All that was due has been sent, and what the server has not delivered yet counts, too.
    async fn wait_for_the_rest(&self) {
        let end = Instant::now() + LONGEST_WAIT;
        let (mut last, mut since) = (0, Instant::now());
        while since.elapsed() < QUIET && Instant::now() < end {
            sleep(TICK).await;
            let (deliveries, missing) = self.report().deliveries();
            if missing == 0 {
                return;
            }
            if deliveries != last {
                (last, since) = (deliveries, Instant::now());
            }
        }
    }
}
