//! The chat on several nodes. These tests need a `nats-server` on the path, or in
//! `NATS_SERVER`; without one they say "SKIPPED", and pass.

mod follower;
mod leases;
mod limits;
mod log;
mod rooms;

use std::time::Duration;

use probe::{
    serve_tcp,
    several_nodes::{Nodes, TestNode},
};

use super::{
    app_of,
    people::{self, at_least_one, path, so_many, username},
};
use crate::{
    app::AppState,
    cluster::{CurrentNode, Settings},
    config::Config,
    server::Shutdown,
};

probe::several_nodes_conformance!(NODES);

/// The chat, on several nodes.
const NODES: Nodes = Nodes { start, path };

/// One person may do much, and there may be many rooms.
fn roomy() -> Config {
    Config {
        messages_per_second: at_least_one(10_000),
        message_burst: at_least_one(10_000),
        max_connections_per_user: so_many(1_000),
        max_rooms: so_many(1_000),
        ..people::config()
    }
}

fn settings(url: &str, lease: Duration) -> Settings {
    Settings {
        servers: vec![url.parse().expect("a good URL")],
        replicas: 1,
        max_bytes: -1,
        lease,
        ids_kept: Duration::from_secs(120),
    }
}

fn start(url: String, lease: Duration) -> TestNode {
    start_with(roomy(), settings(&url, lease))
}

fn start_with(config: Config, settings: Settings) -> TestNode {
    TestNode::start(async move || {
        let shutdown = Shutdown::default();
        let node = CurrentNode::start(settings, &config, shutdown.clone());
        let state = AppState::new(&config, shutdown).expect("a good configuration");
        let mut state = AppState { node, ..state };
        for name in ["dan", "emil"] {
            state.auth.add(username(name)); // Ana, Ben and Cem have accounts.
        }
        serve_tcp(app_of(state, &config)).await
    })
}
