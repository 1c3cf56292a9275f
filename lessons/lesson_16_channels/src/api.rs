//! The models over HTTP, and messages for the subscribers of a channel.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State, rejection::PathRejection},
    http::{HeaderName, StatusCode, header::LINK},
    middleware::from_fn_with_state,
    response::{AppendHeaders, IntoResponse},
    routing::{MethodRouter, any, get, post},
};
use lesson_08_auth::CurrentUser;
use lesson_14_live_list::{Change, Deleted, Event, Version};
use lesson_15_database::{
    ApiError, Database, Id, Json, OneLine, Pagination, User, require_user,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    AppState,
    channels::{Channel, Channels},
    events::{LiveEvent, Name, Stats},
    extract::{Operators, Publisher},
    models::Model,
    posts::Post,
    ws::ws_handler,
};

/// In which header an answer carries the version of the list.
const X_VERSION: HeaderName = HeaderName::from_static("x-version");

/// The longest body, in bytes. A longer one is rejected with 413. The longest text fits,
/// even if each of its characters is escaped.
const MAX_BODY_SIZE: usize = 32 * 1024;

const NO_SUCH_PATH: &str = "There is nothing at this path.";
const NO_SUCH_METHOD: &str = "This method is not allowed here.";

/// The models, and the sockets with their events, for people who have signed in.
pub fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .merge(model::<User>())
        .merge(model::<Post>())
        .merge(route("/ws/stats", get(get_stats)))
        .merge(route("/channels/{channel}/events", post(send_event)))
        .merge(route("/announcements", post(announce)))
        // Why our own? axum's fallbacks have no body, and a page reads answers as JSON.
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, NO_SUCH_PATH))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, NO_SUCH_METHOD)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_SIZE))
        .layer(from_fn_with_state(state.clone(), require_user::<AppState>))
        // Below the layers, because its extractor checks both, and more.
        .merge(route("/ws", any(ws_handler)))
        .merge(route("/ws/{channel}", any(ws_handler)))
}

/// The table of a model, and each of its rows: lesson 15's routes and handlers, for any `M`.
fn model<M: Model>() -> Router<AppState> {
    let row = get(find::<M>).patch(update::<M>).delete(delete::<M>);

    route(&format!("/{}", M::TABLE), get(list::<M>).post(create::<M>))
        .merge(route(&format!("/{}/{{id}}", M::TABLE), row))
}

/// A route with and without a slash at its end: some clients write `/users/`.
fn route(path: &str, methods: MethodRouter<AppState>) -> Router<AppState> {
    Router::new().route(path, methods.clone()).route(&format!("{path}/"), methods)
}

async fn list<M: Model>(
    State(database): State<Database>,
    Pagination { after, limit }: Pagination,
) -> Result<impl IntoResponse, ApiError> {
    // One more than wanted tells whether there is a next part.
    let (version, mut rows) =
        database.read(move |db| M::list(db, after, limit + 1)).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|last| {
        let (table, id) = (M::TABLE, last.id());
        let next = format!("</api/v1/{table}?after={id}&limit={limit}>; rel=\"next\"");
        (LINK, next)
    });

    Ok((x_version(version), AppendHeaders(next), axum::Json(rows)))
}

async fn find<M: Model>(
    State(database): State<Database>,
    Id(id): Id,
) -> Result<axum::Json<M>, ApiError> {
    let (_, row) = database.read(move |db| M::find(db, id)).await?;
    Ok(axum::Json(row))
}

async fn create<M: Model>(
    State(database): State<Database>,
    CurrentUser { username, .. }: CurrentUser,
    publisher: Publisher,
    Json(draft): Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let insert = move |db: &_| M::create(db, draft, &username);
    let publish = move |version, row: &M| {
        publisher.publish(M::CHANNEL, &Event::Created(change::<M, _>(version, row)));
    };
    let (version, row) = database.write(insert, publish).await?;
    Ok((StatusCode::CREATED, x_version(version), axum::Json(row)))
}

async fn update<M: Model>(
    State(database): State<Database>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
    publisher: Publisher,
    Json(draft): Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let update = move |db: &_| M::find(db, id)?.owned_by(&username)?.update(db, draft);
    let publish = move |version, row: &M| {
        publisher.publish(M::CHANNEL, &Event::Updated(change::<M, _>(version, row)));
    };
    let (version, row) = database.write(update, publish).await?;
    Ok((x_version(version), axum::Json(row)))
}

async fn delete<M: Model>(
    State(database): State<Database>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
    publisher: Publisher,
) -> Result<impl IntoResponse, ApiError> {
    let delete = move |db: &_| M::find(db, id)?.owned_by(&username)?.delete(db);
    let publish = move |version, _: &()| {
        let event = Event::Deleted(change::<M, _>(version, Deleted { id }));
        publisher.publish(M::CHANNEL, &event);
    };
    let (version, ()) = database.write(delete, publish).await?;
    Ok((StatusCode::NO_CONTENT, x_version(version)))
}

/// A change of a row of `M`: `data` is the row, or what remains of it.
fn change<M: Model, T>(version: Version, data: T) -> Change<T> {
    Change { model: M::TABLE, version, data }
}

fn x_version(version: Version) -> [(HeaderName, String); 1] {
    [(X_VERSION, version.to_string())]
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

/// How many clients an event has reached.
#[derive(Serialize)]
struct Published {
    clients: usize,
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
) -> Result<(StatusCode, axum::Json<Published>), ApiError> {
    let channel = Channel::parse(&name?)?;
    let event = LiveEvent::Custom { event: &event, from: &username, data: &data };
    let clients = publisher.publish(channel, &event);
    Ok((StatusCode::ACCEPTED, axum::Json(Published { clients })))
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
    State(operators): State<Operators>,
    CurrentUser { username, .. }: CurrentUser,
    Json(Announcement { message }): Json<Announcement>,
) -> Result<(StatusCode, axum::Json<Published>), ApiError> {
    if !operators.contains(&username) {
        let sentence = "Only operators may announce something.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, sentence));
    }
    let event = LiveEvent::Announcement { message: &message.0 };
    let clients = channels.publish_to_all(&event);
    Ok((StatusCode::ACCEPTED, axum::Json(Published { clients })))
}
