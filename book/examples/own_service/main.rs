//! A second service on lesson 08's library: a classroom, and who has raised a hand.
//!
//! Run:   cargo run -p book --example own_service
//! Check: cargo test -p book --example own_service

use std::{io, net::SocketAddr};

use axum::{
    Router,
    extract::{FromRef, State, ws::Message},
    response::Response,
    routing::any,
};
use lesson_08_auth::{
    Auth, Disconnect, Session, SessionUpgrade, Username, auth_routes, encode,
};
use tokio::{net::TcpListener, select, sync::watch};

/// Who has raised a hand, the first one first. All clones share the list.
type Hands = watch::Sender<Vec<Username>>;

/// RFC 6455, section 7.4.1: we cannot accept this type of data.
const NO_TEXT: Disconnect = Disconnect::ByUs(1003, "send text");

#[derive(Clone, FromRef)]
struct AppState {
    auth: Auth,
    hands: Hands,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let auth = Auth::from_env("own_service").map_err(io::Error::other)?;
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    let app = app(auth).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await
}

/// The whole application. The tests call this too.
fn app(auth: Auth) -> Router {
    Router::new()
        .merge(auth_routes::<AppState>())
        .route("/ws", any(ws_handler))
        .with_state(AppState { auth, hands: Hands::default() })
}

async fn ws_handler(upgrade: SessionUpgrade, State(hands): State<Hands>) -> Response {
    upgrade.on_upgrade(|session| handle_socket(session, hands))
}

async fn handle_socket(mut session: Session, hands: Hands) {
    let disconnect = run(&mut session, &hands).await;
    hands.send_if_modified(|hands| take_down(hands, &session.username));
    session.close(&disconnect).await;
}

/// Any text raises a hand, or takes it down. Everybody gets the list when it changes.
async fn run(session: &mut Session, hands: &Hands) -> Disconnect {
    let mut list = hands.subscribe();
    list.mark_changed(); // Whoever comes in gets the list as it is.

    loop {
        select! {
            received = session.recv() => match received {
                Ok(Message::Text(_)) => {
                    hands.send_modify(|hands| toggle(hands, &session.username));
                }
                Ok(Message::Binary(_)) => return NO_TEXT,
                Ok(_) => {} // A ping or a pong.
                Err(disconnect) => return disconnect,
            },
            _ = list.changed() => {
                let message = Message::Text(encode(&*list.borrow_and_update()));
                if let Err(disconnect) = session.send_all([message]).await {
                    return disconnect;
                }
            }
        }
    }
}

fn toggle(hands: &mut Vec<Username>, name: &Username) {
    if !take_down(hands, name) {
        hands.push(name.clone());
    }
}

/// Whether it was up.
fn take_down(hands: &mut Vec<Username>, name: &Username) -> bool {
    let before = hands.len();
    hands.retain(|other| other != name);
    hands.len() < before
}

#[cfg(test)]
mod tests;
