//! What this process is to the others: a node, for as long as it has its lease, and after that
//! another node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use lesson_18_delivery::{Seq, Unavailable};
use tokio::{select, spawn, sync::watch, time::sleep};
use tracing::{info, warn};

use crate::{
    broker::{Broker, Connection},
    follower::{apply, follow},
    lease::Lease,
    nats_log::NatsLog,
    rooms::RoomManager,
    storage::MEMBERS,
};

/// How long to wait before this process tries again to become a node.
const RETRY: Duration = Duration::from_millis(500);

pub const NO_LEASE: &str = "this process has no lease yet";

/// A node. What it knows and whom it serves ends with its lease.
pub struct Node {
    pub broker: Broker,
    pub lease: Arc<Lease>,
    pub rooms: RoomManager,
    pub log: NatsLog,
    pub is_following: AtomicBool,
}

impl Node {
    /// Learns who has which name, and takes a lease.
    async fn start(connection: &Connection) -> Result<Self, Unavailable> {
        let broker = connection.open().await?;
        let (position, messages) = broker.all(MEMBERS).await?;
        let rooms = RoomManager::default();
        rooms.apply(|rooms| {
            for message in messages {
                let seq = message.sequence as Seq;
                apply(rooms, &message.subject, seq, &message.payload);
            }
            rooms.advance(position);
        });
        let lease = Arc::new(Lease::acquire(&broker).await?);
        let log = NatsLog {
            broker: broker.clone(),
            lease: lease.clone(),
            rooms: rooms.clone(),
        };
        Ok(Self { broker, lease, rooms, log, is_following: false.into() })
    }

    /// Runs until the lease or the log is lost. Then all its clients are closed.
    async fn run(&self) {
        select! {
            () = self.lease.keep(&self.broker) => {}
            () = follow(self) => {}
            () = self.sweep() => {}
        }
        self.lease.end();
        self.rooms.close();
    }
}

/// The node that this process is now. All clones are the same.
#[derive(Clone)]
pub struct CurrentNode {
    connection: Connection,
    node: watch::Receiver<Option<Arc<Node>>>,
}

impl CurrentNode {
    /// Becomes a node, and another one whenever the lease was lost.
    pub fn start(connection: Connection) -> Self {
        let (sender, node) = watch::channel(None);
        let current = Self { connection: connection.clone(), node };
        spawn(async move {
            loop {
                if let Ok(node) = Node::start(&connection).await {
                    let node = Arc::new(node);
                    info!(id = node.lease.node, "this process is a node");
                    sender.send_replace(Some(node.clone()));
                    node.run().await;
                    sender.send_replace(None);
                    warn!(id = node.lease.node, "the node has ended");
                }
                sleep(RETRY).await;
            }
        });
        current
    }

    pub fn get(&self) -> Option<Arc<Node>> {
        self.node.borrow().clone()
    }

    /// Whether a balancer should send clients here. The error is a sentence.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.connection.is_connected() {
            return Err("the broker cannot be reached");
        }
        let node = self.get().ok_or(NO_LEASE)?;
        if !node.lease.is_valid() {
            return Err("this node has lost its lease");
        }
        if !node.is_following.load(Relaxed) {
            return Err("this node does not follow the log");
        }
        Ok(())
    }
}
