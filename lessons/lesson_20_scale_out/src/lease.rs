//! For how long this node may act: until its lease runs out.

use std::time::Duration;

use axum::extract::ws::close_code;
use lesson_08_auth::Disconnect;
use lesson_18_delivery::Unavailable;
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use crate::broker::Broker;

/// Into how many parts a lease is divided. It is renewed once in each of them.
const PARTS: u32 = 10;

/// How many of them are the margin: this node stops so much earlier than the others believe
/// that it is dead. It is for clocks that run at different speeds.
const MARGIN: u32 = 2;

pub const LEASE_LOST: Disconnect = Disconnect::ByUs(
    close_code::AGAIN,
    "this server has lost its connection to the others",
);

/// The lease of this node: an entry in a bucket, which the broker deletes unless it is
/// renewed.
pub struct Lease {
    /// A random id. What was done under another one belongs to a node that is dead.
    pub node: String,
    pub length: Duration,
    deadline: watch::Sender<Instant>,
}

impl Lease {
    /// Takes a lease under a new id.
    pub async fn acquire(broker: &Broker) -> Result<Self, Unavailable> {
        let id = getrandom::u64().expect("the system has random numbers");
        let lease = Self {
            node: format!("{id:016x}"),
            length: broker.lease_length(),
            deadline: watch::Sender::new(Instant::now()),
        };
        lease.renew(broker).await?;
        Ok(lease)
    }

    /// Whether this node may act. Ask before each thing that it does for a client.
    ///
    /// Why is a timer not enough? After a pause of the whole process, a task that serves a
    /// client may run before the one that waits for the timer.
    pub fn is_valid(&self) -> bool {
        Instant::now() < *self.deadline.borrow()
    }

    /// The error is for the client for whom something was to be done.
    pub fn check(&self) -> Result<(), Disconnect> {
        if self.is_valid() { Ok(()) } else { Err(LEASE_LOST) }
    }

    /// How long to wait between two renewals.
    pub fn period(&self) -> Duration {
        self.length / PARTS
    }

    /// Renews the lease, and returns when it has run out.
    pub async fn keep(&self, broker: &Broker) {
        while self.is_valid() {
            select! {
                biased; // An answer that comes after the end renews nothing.

                () = self.ended() => return,
                // If that does not work, the deadline stays as it is.
                _ = self.renew(broker) => {}
            }
            let deadline = *self.deadline.borrow();
            sleep_until(deadline.min(Instant::now() + self.period())).await;
        }
    }

    /// Resolves when it has run out, or was ended.
    pub async fn ended(&self) {
        let mut changes = self.deadline.subscribe();
        while self.is_valid() {
            let deadline = *changes.borrow_and_update();
            let _ = timeout_at(deadline, changes.changed()).await; // Or it has run out.
        }
    }

    async fn renew(&self, broker: &Broker) -> Result<(), Unavailable> {
        // Before it is sent: the broker counts from a later moment, so it never deletes the
        // entry before our deadline. No clock of ours is compared with one of the broker's.
        let sent = Instant::now();
        broker.put_lease(&self.node).await?;
        self.deadline.send_replace(sent + self.period() * (PARTS - MARGIN));
        Ok(())
    }

    /// Ends it before its time.
    pub fn end(&self) {
        self.deadline.send_replace(Instant::now());
    }
}
