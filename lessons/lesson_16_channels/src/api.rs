//! The models over HTTP, and messages for the subscribers of a channel.

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    routing::{any, get, post},
};
use lesson_08_auth::CurrentUser;
use lesson_15_database::{ApiError, Json, OneLine, User, model_routes, protected, route};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    AppState,
    channels::{Channel, Channels},
    events::{LiveEvent, Name, Stats},
    posts::Post,
    publisher::Publisher,
    ws::ws_handler,
};

/// Who may make announcements. A product would have a role in the token, or in a table, so
/// that it can change without a new program.
const OPERATORS: [&str; 1] = ["ana"];

/// The models, and the sockets with their events, for people who have signed in.
pub fn routes(state: &AppState) -> Router<AppState> {
    let routes = Router::new()
        .merge(model_routes::<User, Publisher, _>())
        .merge(model_routes::<Post, Publisher, _>())
        .merge(route("/ws/stats", get(get_stats)))
        .merge(route("/channels/{channel}/events", post(send_event)))
        .merge(route("/announcements", post(announce)));

    protected(routes, state)
        // Behind the layers, because its extractor checks both, and more.
        .merge(route("/ws", any(ws_handler)))
        .merge(route("/ws/{channel}", any(ws_handler)))
}

async fn get_stats(State(channels): State<Channels>) -> axum::Json<Stats> {
    axum::Json(channels.stats())
}

/// An event that means something to the clients, and nothing to us.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomEvent {
    event: Name,
    /// Any JSON. It is passed on as it came.
    data: Option<Box<RawValue>>,
}

/// Publishes what a client has made up.
///
/// Why may anybody do so on every channel? Its type is `custom`, so no page takes it for a
/// change of a table.
async fn send_event(
    name: Result<Path<String>, PathRejection>,
    CurrentUser { username, .. }: CurrentUser,
    publisher: Publisher,
    Json(CustomEvent { event, data }): Json<CustomEvent>,
) -> Result<(StatusCode, axum::Json<Value>), ApiError> {
    let channel = Channel::parse(&name?)?;
    let event = LiveEvent::Custom { event: &event, from: &username, data: &data };
    let clients = publisher.publish(channel, &event);
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "clients": clients }))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    message: OneLine,
}

/// Sends something to all clients, whatever they are subscribed to.
///
/// There is no `Publisher` here, because nobody is to be left out.
async fn announce(
    State(channels): State<Channels>,
    CurrentUser { username, .. }: CurrentUser,
    Json(Announcement { message }): Json<Announcement>,
) -> Result<(StatusCode, axum::Json<Value>), ApiError> {
    if !OPERATORS.contains(&username.as_str()) {
        let sentence = "Only operators may announce something.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, sentence));
    }
    let event = LiveEvent::Announcement { message: &message.0 };
    let clients = channels.publish_to_all(&event);
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "clients": clients }))))
}
