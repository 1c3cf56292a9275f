//! The class: the learners, and the pages that show them.
//!
//! A page gets a snapshot of all learners, and then an event for each change. Both are put
//! into its outbox while the same lock is held, so there is no change between the two.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::protocol::{
    Count, Current, EXERCISES, Name, Progress, Row, SessionId, ToPage, encode,
};

/// How many learners the board shows. One more takes the row of the one who has been away
/// for the longest time; while nobody is away, the class is full.
pub const MAX_LEARNERS: usize = 200;

/// How many pages may show the class. One more is refused.
pub const MAX_PAGES: usize = 50;

/// How many events may wait for one page. A page that reads too slowly for this is
/// disconnected. It connects again, and gets a snapshot, which makes up for what it missed.
pub const OUTBOX_SIZE: usize = 256;

/// For how long a name is held for a learner whose connection was lost.
pub const HOLD_TIME: Duration = Duration::from_secs(10 * 60);

/// Everyone in the class. This is only a handle: all clones share one class.
#[derive(Clone, Default)]
pub struct Class {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Counts the changes. Each event carries it.
    version: u64,
    last_id: u64,
    learners: BTreeMap<Name, Learner>,
    pages: HashMap<u64, mpsc::Sender<Utf8Bytes>>,
}

/// One row of the board. It stays when the learner leaves.
struct Learner {
    session: SessionId,
    presence: Presence,
    exercises: BTreeMap<String, Count>,
    current: Option<Current>,
    /// When `current` was as it is there.
    reported: Instant,
}

enum Presence {
    /// Whose connection it is. When the sender is dropped, that connection ends.
    Here { id: u64, _replaced: oneshot::Sender<Infallible> },
    /// Since when, and whether the name is held for the session.
    Away { since: Instant, held: bool },
}

/// Why somebody cannot be in the class.
#[derive(Debug, PartialEq)]
pub enum JoinError {
    /// Somebody else has this name. Here is one that nobody has.
    NameTaken {
        free: Name,
    },
    Full,
}

impl Class {
    /// Adds a learner under this name.
    ///
    /// Who holds a name is decided by the session: the same one may come back at any time,
    /// and replaces its older connection, of which we may not know yet that it is lost.
    pub fn join(&self, name: &Name, session: SessionId) -> Result<Member, JoinError> {
        let mut state = self.lock();
        let known = state.learners.get(name);
        let is_same = known.is_some_and(|learner| learner.session == session);
        if known.is_some_and(|learner| !is_same && learner.holds_name()) {
            return Err(JoinError::NameTaken { free: state.free_name(name) });
        }
        if known.is_none() {
            // A learner who comes back under another name had the old one by mistake.
            state.remove_first(|learner| learner.session == session);
            if state.learners.len() >= MAX_LEARNERS && !state.remove_first(|_| true) {
                return Err(JoinError::Full);
            }
        }

        let id = state.next_id();
        let (sender, replaced) = oneshot::channel();
        let presence = Presence::Here { id, _replaced: sender };
        match state.learners.get_mut(name) {
            Some(learner) if is_same => {
                learner.rest();
                learner.presence = presence;
            }
            _ => {
                state.learners.insert(name.clone(), Learner::new(session, presence));
            }
        }
        state.publish_learner(name);
        Ok(Member { id, name: name.clone(), replaced, class: self.clone() })
    }

    /// Adds a page, whose task must empty the outbox. It has a snapshot in it already.
    ///
    /// `None` if there are too many.
    pub fn subscribe(&self, addresses: &[String]) -> Option<Subscription> {
        let mut state = self.lock();
        if state.pages.len() >= MAX_PAGES {
            return None;
        }
        let id = state.next_id();
        let (sender, outbox) = mpsc::channel(OUTBOX_SIZE);
        let learners = state.learners.iter().map(|(name, learner)| learner.row(name));
        let snapshot = encode(&ToPage::Snapshot {
            version: state.version,
            addresses,
            exercises: &EXERCISES,
            learners: learners.collect(),
        });
        sender.try_send(snapshot).expect("a new outbox is empty");
        state.pages.insert(id, sender);

        Some(Subscription { id, outbox, class: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Should a task panic while it holds the lock, the others go on: no change is left
        // half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// `ana-2`, or the first of `ana-3`, `ana-4` and so on that nobody has.
    fn free_name(&self, name: &Name) -> Name {
        (2..)
            .map(|number| name.with_number(number))
            .find(|name| !self.learners.contains_key(name))
            .expect("there are more numbers than learners")
    }

    /// Removes, of all that `wanted` picks, the one who has been away for the longest time.
    /// Whether there was one.
    fn remove_first(&mut self, wanted: impl Fn(&Learner) -> bool) -> bool {
        let away = self.learners.iter().filter(|(_, learner)| wanted(learner));
        let away = away.filter_map(|(name, learner)| Some((learner.away_since()?, name)));
        let Some(name) = away.min().map(|(_, name)| name.clone()) else { return false };

        self.learners.remove(&name);
        self.version += 1;
        let event = encode(&ToPage::Removed { version: self.version, name: &name });
        self.publish(&event);
        true
    }

    /// Tells all pages how a learner is now.
    fn publish_learner(&mut self, name: &Name) {
        let Some(learner) = self.learners.get(name) else { return };
        self.version += 1;
        let learner = learner.row(name);
        let event = encode(&ToPage::Learner { version: self.version, learner });
        self.publish(&event);
    }

    /// Puts an event into every outbox. A page whose outbox is full is disconnected.
    fn publish(&mut self, event: &Utf8Bytes) {
        // Why `try_send`? `send` would wait with the lock in hand, and one slow page would
        // stop the class.
        self.pages.retain(|_, outbox| outbox.try_send(event.clone()).is_ok());
    }
}

impl Learner {
    fn new(session: SessionId, presence: Presence) -> Self {
        Self {
            session,
            presence,
            exercises: BTreeMap::new(),
            current: None,
            reported: Instant::now(),
        }
    }

    fn away_since(&self) -> Option<Instant> {
        match self.presence {
            Presence::Here { .. } => None,
            Presence::Away { since, .. } => Some(since),
        }
    }

    /// Whether nobody else may have the name.
    fn holds_name(&self) -> bool {
        match self.presence {
            Presence::Here { .. } => true,
            Presence::Away { since, held } => held && since.elapsed() < HOLD_TIME,
        }
    }

    /// The current step as it is now. While the learner is away, its time stands still.
    fn current(&self) -> Option<Current> {
        let until = self.away_since().unwrap_or_else(Instant::now);
        let passed = until.saturating_duration_since(self.reported).as_secs();
        let current = self.current.clone()?;
        Some(Current { seconds: current.seconds + passed, ..current })
    }

    /// Stops the time of the current step where it is.
    fn rest(&mut self) {
        self.current = self.current();
        self.reported = Instant::now();
    }

    fn row<'a>(&'a self, name: &'a Name) -> Row<'a> {
        Row {
            name,
            exercises: &self.exercises,
            current: self.current(),
            away: self.away_since().map(|since| since.elapsed().as_secs()),
        }
    }
}

/// A learner who is connected. The row shows them as away when this is dropped.
pub struct Member {
    id: u64,
    name: Name,
    replaced: oneshot::Receiver<Infallible>,
    class: Class,
}

impl Member {
    /// Shows this state. Without effect when a newer connection has replaced this one.
    pub fn report(&self, progress: Progress) {
        let mut state = self.class.lock();
        let Some(learner) = self.find(&mut state) else { return };
        learner.exercises = progress.exercises;
        learner.current = progress.current;
        learner.reported = Instant::now();
        state.publish_learner(&self.name);
    }

    /// Waits until a newer connection of the same learner replaces this one. Cancel safe.
    pub async fn replaced(&mut self) {
        // Nothing is ever sent: this ends when the sender is dropped.
        let _ = (&mut self.replaced).await;
    }

    /// The learner leaves on purpose, so that another session may have the name.
    pub fn leave(self) {
        self.end(false);
    }

    fn end(&self, held: bool) {
        let mut state = self.class.lock();
        let Some(learner) = self.find(&mut state) else { return };
        learner.presence = Presence::Away { since: Instant::now(), held };
        state.publish_learner(&self.name);
    }

    /// The row, as long as it belongs to this connection.
    fn find<'a>(&self, state: &'a mut State) -> Option<&'a mut Learner> {
        let learner = state.learners.get_mut(&self.name)?;
        let is_ours =
            matches!(learner.presence, Presence::Here { id, .. } if id == self.id);
        is_ours.then_some(learner)
    }
}

/// However the connection ends, the board shows it.
impl Drop for Member {
    fn drop(&mut self) {
        self.end(true); // Without effect after `leave`.
    }
}

/// A page that shows the class. It gets no more events when this is dropped.
pub struct Subscription {
    id: u64,
    /// What waits for the page. It is closed when the page was too slow.
    pub outbox: mpsc::Receiver<Utf8Bytes>,
    class: Class,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.class.lock().pages.remove(&self.id);
    }
}
