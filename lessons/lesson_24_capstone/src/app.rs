//! The application: its state, and its routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRef, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::get,
};
use tokio::select;
use tracing::info;

use crate::{
    auth::{self, Auth},
    chat::{self, Alone, RoomManager},
    cluster::{self, CurrentNode},
    config::Config,
    database::Database,
    delivery::SqliteLog,
    error::method_not_allowed,
    limits::{ConnectionLimits, RateLimits},
    live::{self, Channels},
    server::Shutdown,
    session::Disconnect,
    tasks::{self, Tasks},
    telemetry::{self, Metrics, observe_requests},
};

/// What all requests share. All clones share it, too.
///
/// Each folder takes its parts with `State<Part>`, and knows nothing of the others.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub auth: Auth,
    pub connections: ConnectionLimits,
    pub rates: RateLimits,
    pub rooms: RoomManager,
    pub database: Database,
    pub log: Arc<SqliteLog>,
    pub node: CurrentNode,
    pub channels: Channels,
    pub tasks: Tasks,
    pub metrics: Metrics,
    pub shutdown: Shutdown,
}

impl AppState {
    /// The error is a sentence for the person who started the program.
    pub fn new(config: &Config, shutdown: Shutdown) -> Result<Self, String> {
        let rooms = RoomManager::new(config, shutdown.clone());
        let database = Database::new(config)?;
        let delivery = rooms.clone();
        let log = SqliteLog::new(database.clone(), move |entry| delivery.deliver(entry));
        let node = match cluster::Settings::new(config)? {
            Some(broker) => {
                info!("this is one of several nodes: the log of the chat is in NATS");
                CurrentNode::start(broker, config, shutdown.clone())
            }
            None => {
                info!("this is the only node: CHAT_NATS_URL is not set");
                CurrentNode::alone(shutdown.clone())
            }
        };
        Ok(Self {
            auth: Auth::new(config)?,
            connections: ConnectionLimits::new(config),
            rates: RateLimits::new(config),
            rooms,
            database,
            log: Arc::new(log.map_err(|error| format!("No log: {error}."))?),
            node,
            channels: Channels::new(config),
            tasks: Tasks::default(),
            metrics: Metrics::new(causes()),
            shutdown,
        })
    }

    /// Waits until something has ended without which there is no chat. That is a bug, and only
    /// a new process mends it.
    pub async fn ended(self) {
        select! {
            () = self.log.ended() => {}
            () = self.node.ended() => {}
        }
    }
}

/// All for which a WebSocket may end.
fn causes() -> impl Iterator<Item = &'static str> {
    let by_itself = Disconnect::ALL.iter().map(Disconnect::cause);
    by_itself.chain([cluster::LEASE_LOST.cause(), telemetry::PANIC])
}

/// The whole application. The tests call this too, so they check exactly what `main`
/// serves.
pub fn app(state: AppState, config: &Config) -> Router {
    let (package, page) = (env!("CARGO_PKG_NAME"), "lesson_24.html");
    let chat = match state.node.is_alone() {
        true => chat::routes::<_, Alone<SqliteLog>>(),
        false => chat::routes::<_, CurrentNode>(),
    };
    Router::new()
        .merge(auth::routes())
        .merge(chat)
        .merge(tasks::routes(&state))
        .nest("/api/v1", live::routes(&state))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(pages::router_with_origins(package, page, &config.allowed_origins))
        .layer(from_fn_with_state(state.metrics.clone(), observe_requests))
        .with_state(state)
}

/// For whoever restarts the program: it answers, and that is enough. What a restart does not
/// mend, such as a database that is away, is a matter of `/ready`.
async fn health() -> &'static str {
    "healthy"
}

/// For a load balancer: whether to send us clients. Not while we shut down, nor while the
/// database takes no changes, nor without the other nodes.
async fn ready(
    State(shutdown): State<Shutdown>,
    State(database): State<Database>,
    State(node): State<CurrentNode>,
) -> (StatusCode, &'static str) {
    if shutdown.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if let Err(sentence) = node.check() {
        return (StatusCode::SERVICE_UNAVAILABLE, sentence);
    }
    match database.check_writable().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(sentence) => (StatusCode::SERVICE_UNAVAILABLE, sentence),
    }
}
