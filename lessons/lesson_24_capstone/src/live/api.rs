//! The API: users, posts, and messages for their subscribers.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRef, OriginalUri, State},
    http::{HeaderName, StatusCode, header::LINK},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{MethodRouter, any, get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    channel::Channel,
    channels::Channels,
    events::{EventName, LiveEvent},
    extract::{Id, Pagination, PublishOptions},
    models::{OneLine, Post, User},
    repository::Model,
    ws::{get_stats, ws_handler},
};
use crate::{
    auth::{Auth, CurrentUser, Role, require_user},
    database::{Database, Version},
    error::{ApiError, method_not_allowed},
    extract,
    limits::{ConnectionLimits, RateLimits},
    server::Shutdown,
    session::json::now,
    sizes::MAX_JSON_SIZE,
    telemetry::Metrics,
};

/// The header with the version: of a list, or after a change.
const X_VERSION: HeaderName = HeaderName::from_static("x-version");

/// All of the API, for people who have signed in.
pub fn routes<S>(state: &S) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    Channels: FromRef<S>,
    ConnectionLimits: FromRef<S>,
    Database: FromRef<S>,
    Metrics: FromRef<S>,
    RateLimits: FromRef<S>,
    Shutdown: FromRef<S>,
{
    Router::new()
        .merge(route("/users", get(list::<User>).post(create::<User>)))
        .merge(route(
            "/users/{id}",
            get(find::<User>).patch(update::<User>).delete(delete::<User>),
        ))
        .merge(route("/posts", get(list::<Post>).post(create::<Post>)))
        .merge(route(
            "/posts/{id}",
            get(find::<Post>).patch(update::<Post>).delete(delete::<Post>),
        ))
        .merge(route("/ws/stats", get(get_stats)))
        .merge(route("/channels/{channel}/events", post(send_event)))
        .merge(route("/announcements", post(announce)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_JSON_SIZE))
        .layer(from_fn_with_state(state.clone(), require_user::<S>))
        .merge(route("/ws", any(ws_handler))) // `SessionUpgrade` has checks of its own.
        .merge(route("/ws/{channel}", any(ws_handler)))
}

/// A route with and without a slash at its end: some clients write `/users/`.
///
/// Why two routes, and not the `NormalizePath` of tower-http? It has to come before the
/// routing, so around the whole application: the pages, too, and what it returns is no
/// `Router`. Why no redirect? A WebSocket does not follow one.
fn route<S>(path: &str, methods: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route(path, methods.clone()).route(&format!("{path}/"), methods)
}

/// A list, or a part of one, as it was at this version.
async fn list<M: Model>(
    State(database): State<Database>,
    OriginalUri(uri): OriginalUri,
    Pagination { after, limit }: Pagination,
) -> Result<impl IntoResponse, ApiError> {
    // One more than wanted tells whether there is a next part.
    let query = move |db: &_| M::list(db, after, limit + 1);
    let (version, mut rows) = database.read(query).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);

    // The answer is the list, and nothing else. So a header says where the next part is
    // (RFC 8288), as in `</api/v1/users?after=100&limit=100>; rel="next"`.
    let last = rows.last().filter(|_| has_more).map(M::id);
    let next = last.map(|id| {
        let path = uri.path();
        [(LINK, format!("<{path}?after={id}&limit={limit}>; rel=\"next\""))]
    });
    Ok((x_version(version), next, Json(rows)))
}

fn x_version(version: Version) -> [(HeaderName, String); 1] {
    [(X_VERSION, version.to_string())]
}

async fn find<M: Model>(
    State(database): State<Database>,
    Id(id): Id,
) -> Result<Json<M>, ApiError> {
    let (_, row) = database.read(move |db| M::find(db, id)).await?;
    Ok(Json(row))
}

/// What to do once a change is durable: publish it.
fn publish<M: Model>(
    channels: Channels,
    options: PublishOptions,
    event: fn(Version, &M) -> LiveEvent<'static>,
) -> impl FnOnce(Version, &M) {
    move |version, row| {
        options.publish(&channels, M::CHANNEL, &event(version, row));
    }
}

async fn create<M: Model>(
    State(database): State<Database>,
    State(channels): State<Channels>,
    user: CurrentUser,
    options: PublishOptions,
    extract::Json(draft): extract::Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let change = move |db: &_| M::create(db, draft, &user);
    let publish = publish(channels, options, LiveEvent::created);
    let (version, row) = database.write(change, publish).await?;
    Ok((StatusCode::CREATED, x_version(version), Json(row)))
}

async fn update<M: Model>(
    State(database): State<Database>,
    State(channels): State<Channels>,
    Id(id): Id,
    user: CurrentUser,
    options: PublishOptions,
    extract::Json(draft): extract::Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let change = move |db: &_| M::find_own(db, id, &user)?.update(db, draft, &user);
    let publish = publish(channels, options, LiveEvent::updated);
    let (version, row) = database.write(change, publish).await?;
    Ok((x_version(version), Json(row)))
}

async fn delete<M: Model>(
    State(database): State<Database>,
    State(channels): State<Channels>,
    Id(id): Id,
    user: CurrentUser,
    options: PublishOptions,
) -> Result<impl IntoResponse, ApiError> {
    let change = move |db: &_| M::find_own(db, id, &user)?.delete(db);
    let publish = publish(channels, options, LiveEvent::deleted);
    let (version, _) = database.write(change, publish).await?;
    Ok((StatusCode::NO_CONTENT, x_version(version)))
}

/// How long the data of a custom event may be, in bytes of JSON.
const DATA_LIMIT: usize = 8 * 1024;

/// An event that means something to the clients, and nothing to us.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomEvent {
    event: EventName,
    #[serde(default)]
    data: Data,
}

/// Whatever a client sends to the others.
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
struct Data(Value);

impl TryFrom<Value> for Data {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        // As we shall write it: `1e9` is short, and we write `1000000000.0`.
        match value.to_string().len() {
            0..=DATA_LIMIT => Ok(Self(value)),
            length => Err(format!("{length} bytes, the limit is {DATA_LIMIT}")),
        }
    }
}

/// How many clients a message was for.
#[derive(Serialize)]
struct Sent {
    clients: usize,
}

async fn send_event(
    State(channels): State<Channels>,
    channel: Channel,
    CurrentUser { username, .. }: CurrentUser,
    options: PublishOptions,
    extract::Json(CustomEvent { event, data }): extract::Json<CustomEvent>,
) -> (StatusCode, Json<Sent>) {
    let (event, from, data) = (&event, &username, &data.0);
    let message = LiveEvent::Custom { event, channel, from, timestamp: now(), data };
    let clients = options.publish(&channels, channel, &message);
    (StatusCode::ACCEPTED, Json(Sent { clients }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    message: OneLine,
}

async fn announce(
    State(channels): State<Channels>,
    user: CurrentUser,
    extract::Json(Announcement { message }): extract::Json<Announcement>,
) -> Result<(StatusCode, Json<Sent>), ApiError> {
    if user.role != Role::Operator {
        return Err(ApiError::forbidden("Only operators may announce something."));
    }
    let message = LiveEvent::Announcement { message: &message.0, timestamp: now() };
    let clients = channels.publish_to_all(&message);
    Ok((StatusCode::ACCEPTED, Json(Sent { clients })))
}

async fn not_found(OriginalUri(uri): OriginalUri) -> ApiError {
    ApiError::not_found(format!("There is nothing at {}.", uri.path()))
}
