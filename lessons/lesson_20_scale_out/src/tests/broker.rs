//! Nodes of this lesson on the broker of a test, and what it keeps.

use std::time::Duration;

use async_nats::ServerAddr;
use probe::{
    Hint, serve_tcp,
    several_nodes::{LEASE, TestBroker, TestNode, until},
};

use super::people::{auth, seen_from};
use crate::{app, broker::Connection, node::CurrentNode, storage::Settings};

/// What a broker keeps, for somebody who is no node.
pub trait Kept {
    fn server(&self) -> ServerAddr;

    fn settings(&self) -> Settings {
        settings(self.server())
    }

    /// A connection that belongs to no node.
    async fn connection(&self) -> Result<Connection, Hint> {
        let connection = Connection::start(self.settings()).await.map_err(Hint::new)?;
        until("The broker answers", || async { connection.is_connected() }).await?;
        Ok(connection)
    }
}

impl Kept for TestBroker {
    fn server(&self) -> ServerAddr {
        self.url().parse().expect("a good URL")
    }
}

pub fn settings(server: ServerAddr) -> Settings {
    Settings {
        servers: vec![server],
        replicas: 1,
        max_bytes: -1,
        lease: LEASE,
        ids_kept: Duration::from_secs(120),
    }
}

pub fn start(settings: Settings) -> TestNode {
    TestNode::start(async move || {
        let connection = Connection::start(settings).await.map_err(Hint::new)?;
        let app = app(auth(), CurrentNode::start(connection));
        serve_tcp(seen_from([192, 0, 2, 1], app)).await
    })
}
