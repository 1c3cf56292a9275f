//! What this process is to the others: a node, for as long as it has its lease, and after that
//! another node.

use std::{
    future::pending,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    select,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use super::{
    broker::{Broker, Connection},
    follower::{apply, follow},
    lease::Lease,
    nats_log::NatsLog,
    rooms::RoomManager,
    storage::{MEMBERS, Settings},
};
use crate::{
    config::Config,
    delivery::{Seq, Unavailable},
    server::Shutdown,
};

/// How long to wait before this process tries again to become a node.
const RETRY: Duration = Duration::from_millis(500);

/// How long the end of a node may take. If the broker does not answer, the lease runs out.
/// Before it comes `CHAT_SHUTDOWN_TIMEOUT`, and who runs us may kill us after ten seconds.
pub const END_TIMEOUT: Duration = Duration::from_millis(500);

pub const NO_LEASE: &str = "This process has no lease yet.";

/// A node. What it knows and whom it serves ends with its lease.
pub struct Node {
    pub broker: Broker,
    pub lease: Arc<Lease>,
    pub rooms: RoomManager,
    pub log: Arc<NatsLog>,
    pub is_following: AtomicBool,
    /// Whether the log has no space for another chat.
    pub is_full: AtomicBool,
}

impl Node {
    /// Learns who has which name, and takes a lease.
    async fn start(
        connection: &Connection,
        rooms: RoomManager,
    ) -> Result<Self, Unavailable> {
        let broker = connection.open().await?;
        let (position, messages) = broker.all(MEMBERS).await?;
        rooms.apply(|rooms| {
            for message in messages {
                let seq = message.sequence as Seq;
                apply(rooms, &message.subject, seq, &message.payload);
            }
            rooms.advance(position);
        });
        let lease = Arc::new(Lease::acquire(&broker).await?);
        let log = Arc::new(NatsLog {
            broker: broker.clone(),
            lease: lease.clone(),
            rooms: rooms.clone(),
        });
        let (is_following, is_full) = Default::default();
        Ok(Self { broker, lease, rooms, log, is_following, is_full })
    }

    /// Runs until the lease or the log is lost. Then all its clients are closed.
    async fn run(&self) {
        select! {
            () = self.lease.keep(&self.broker) => {}
            () = follow(self) => {}
            () = self.sweep() => {}
            () = self.try_log() => {}
        }
    }

    /// Nothing that this node does counts any more.
    fn end(&self) {
        self.lease.end();
        self.rooms.close();
    }
}

/// The node that this process is now. All clones are the same.
#[derive(Clone)]
pub struct CurrentNode {
    node: watch::Receiver<Option<Arc<Node>>>,
    /// Empty for a moment at the start, and in a process that is alone, and is no node.
    connection: Arc<OnceLock<Connection>>,
    is_alone: bool,
    shutdown: Shutdown,
    ending: CancellationToken,
    task: TaskTracker,
}

impl CurrentNode {
    /// For a process that is alone.
    pub fn alone(shutdown: Shutdown) -> Self {
        Self {
            node: watch::channel(None).1,
            connection: Arc::default(),
            is_alone: true,
            shutdown,
            ending: CancellationToken::new(),
            task: TaskTracker::new(),
        }
    }

    /// Becomes a node, and another one whenever the lease was lost.
    pub fn start(settings: Settings, config: &Config, shutdown: Shutdown) -> Self {
        let (sender, node) = watch::channel(None);
        let current = Self { node, is_alone: false, ..Self::alone(shutdown.clone()) };
        let (opened, ending) = (current.connection.clone(), current.ending.clone());
        let config = config.clone();
        current.task.spawn(async move {
            let connection = loop {
                match Connection::start(settings.clone()).await {
                    Ok(connection) => break connection,
                    Err(sentence) => error!("{sentence}"),
                }
                sleep(RETRY).await;
            };
            let connection = opened.get_or_init(|| connection);
            while !ending.is_cancelled() {
                let rooms = RoomManager::new(&config, shutdown.clone());
                if let Ok(node) = Node::start(connection, rooms).await {
                    let node = Arc::new(node);
                    info!(id = node.lease.node, "this process is a node");
                    sender.send_replace(Some(node.clone()));
                    select! {
                        () = node.run() => {}
                        () = ending.cancelled() => {}
                    }
                    node.end();
                    sender.send_replace(None);
                    warn!(id = node.lease.node, "the node has ended");
                    node.lease.release(&node.broker).await;
                }
                let _ = timeout(RETRY, ending.cancelled()).await; // Or it is time to try again.
            }
        });
        current
    }

    /// Ends the node. The others learn it at once, and not when its lease runs out.
    ///
    /// Call it when all clients are gone.
    pub async fn end(&self) {
        self.ending.cancel();
        self.task.close();
        if timeout(END_TIMEOUT, self.task.wait()).await.is_err() {
            warn!("the broker has not been told that this node ends");
        }
    }

    /// Waits until this process will never be a node again. It is alone for ever, if it is alone.
    pub async fn ended(&self) {
        if self.is_alone {
            pending::<()>().await;
        }
        let mut node = self.node.clone();
        while node.changed().await.is_ok() {}
    }

    pub fn get(&self) -> Option<Arc<Node>> {
        self.node.borrow().clone()
    }

    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_stopping()
    }

    /// Whether a balancer should send clients here. The error is a sentence.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.is_alone {
            return Ok(());
        }
        if !self.connection.get().is_some_and(Connection::is_connected) {
            return Err("The broker cannot be reached.");
        }
        let node = self.get().ok_or(NO_LEASE)?;
        if !node.lease.is_valid() {
            return Err("This node has lost its lease.");
        }
        if !node.is_following.load(Relaxed) {
            return Err("This node does not follow the log.");
        }
        if node.is_full.load(Relaxed) {
            return Err("The log is full.");
        }
        if node.broker.is_refusing() {
            return Err("The log takes no messages.");
        }
        Ok(())
    }
}
