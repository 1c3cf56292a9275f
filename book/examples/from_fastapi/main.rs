//! What FastAPI's guides have and no lesson has, in axum.
//!
//! Run:   cargo run -p book --example from_fastapi
//! Check: cargo test -p book --example from_fastapi

mod channels;
mod socket;
mod users;

use std::io;

use axum::{
    Router,
    extract::{
        FromRequestParts, Query,
        ws::{Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{StatusCode, request::Parts},
    response::Response,
    routing::any,
    serve::ListenerExt,
};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    channels::{Channels, channels_handler},
    socket::{close, receive_json, send_bytes, send_json, send_text, with_limits},
    users::{UserManager, user_handler},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8000").await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // Slower without, and no reason to stop.
    });

    axum::serve(listener, app()).await
}

/// The whole application. The tests call this too.
fn app() -> Router {
    let users = Router::new().route("/ws/user/{name}", any(user_handler));
    let channels = Router::new().route("/ws/channels", any(channels_handler));

    Router::new()
        .route("/ws/json", any(|upgrade| json_handler(upgrade, response)))
        .route("/ws/json/processed", any(|upgrade| json_handler(upgrade, processed)))
        .route("/ws/bytes", any(bytes_handler))
        .route("/ws/auth", any(auth_handler))
        .route("/ws/auth/polite", any(auth_handler_polite))
        .route("/ws/session", any(session_handler))
        .merge(users.with_state(UserManager::default()))
        .merge(channels.with_state(Channels::default()))
        .nest("/api/v1", api())
}

/// The routes under `/api/v1`. They do not know that prefix.
fn api() -> Router {
    Router::new().route("/notifications", any(notifications_handler))
}

/// Answers each JSON message with what `reply` makes of it.
async fn json_handler(upgrade: WebSocketUpgrade, reply: fn(Value) -> Value) -> Response {
    with_limits(upgrade).on_upgrade(async move |mut socket| {
        while let Some(received) = receive_json(&mut socket).await {
            let answer = match received {
                Ok(data) => reply(data),
                Err(message) => json!({ "type": "error", "message": message }),
            };
            if send_json(&mut socket, &answer).await.is_err() {
                break;
            }
        }
    })
}

fn response(data: Value) -> Value {
    json!({ "type": "response", "data": data })
}

fn processed(data: Value) -> Value {
    let echo = data.get("message").cloned().unwrap_or("".into());
    json!({ "received": data, "processed": true, "echo": echo })
}

/// Sends binary messages back, byte for byte.
async fn bytes_handler(upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(async |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            if let Message::Binary(bytes) = message
                && send_bytes(&mut socket, bytes).await.is_err()
            {
                break;
            }
        }
    })
}

const TOKEN: &str = "secret-token";

/// What a client gets instead of a WebSocket.
type Rejection = (StatusCode, &'static str);

/// The token of the query, if it is the right one.
struct Token(String);

impl<S: Send + Sync> FromRequestParts<S> for Token {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        #[derive(Deserialize)]
        struct TokenQuery {
            token: String,
        }

        match Query::from_request_parts(parts, state).await {
            Ok(Query(TokenQuery { token })) if token == TOKEN => Ok(Self(token)),
            _ => Err((StatusCode::UNAUTHORIZED, "Invalid token")),
        }
    }
}

async fn auth_handler(Token(token): Token, upgrade: WebSocketUpgrade) -> Response {
    let text = format!("Authenticated with token: {token}");
    with_limits(upgrade).on_upgrade(|socket| greet(socket, text))
}

/// Accepts everybody, and closes with 1008 what has no token: a script in a browser can
/// read that.
async fn auth_handler_polite(
    token: Result<Token, Rejection>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match token {
        Ok(token) => auth_handler(token, upgrade).await,
        Err((_, reason)) => with_limits(upgrade)
            .on_upgrade(|socket| close(socket, close_code::POLICY, reason)),
    }
}

/// Proof that the request has a valid `session` cookie and a valid `X-Token` header.
struct SessionAndToken(());

impl<S: Sync> FromRequestParts<S> for SessionAndToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let cookies = CookieJar::from_headers(&parts.headers);
        let session = cookies.get("session").map(|cookie| cookie.value());
        let token = parts.headers.get("x-token").and_then(|token| token.to_str().ok());

        match (session, token) {
            (Some("anas-session"), Some(TOKEN)) => Ok(Self(())),
            (_, None) => {
                Err((StatusCode::UNAUTHORIZED, "The header X-Token is missing."))
            }
            (None, _) => {
                Err((StatusCode::UNAUTHORIZED, "The cookie session is missing."))
            }
            _ => Err((StatusCode::UNAUTHORIZED, "Session and token are not valid.")),
        }
    }
}

async fn session_handler(_: SessionAndToken, upgrade: WebSocketUpgrade) -> Response {
    with_limits(upgrade).on_upgrade(|socket| greet(socket, "Authenticated".into()))
}

async fn notifications_handler(upgrade: WebSocketUpgrade) -> Response {
    let greeting = json!({ "type": "connected" }).to_string();
    with_limits(upgrade).on_upgrade(|socket| greet(socket, greeting))
}

/// Sends one text, and then waits until the client leaves.
async fn greet(mut socket: WebSocket, text: String) {
    if send_text(&mut socket, text).await.is_ok() {
        while let Some(Ok(_)) = socket.recv().await {}
    }
}

#[cfg(test)]
mod tests;
