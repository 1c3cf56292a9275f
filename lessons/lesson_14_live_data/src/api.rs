//! The API: users, posts, and messages for those who follow them.

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, OriginalUri, State},
    http::{HeaderName, StatusCode},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{any, get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Chat,
    channels::{Channel, Channels},
    database::ChangeNumber,
    events::{Change, EventName, ToFollower},
    feed::{count_followers, open_feed},
    guards::Guest,
    models::{OneLine, Post, User},
    protocol::{MESSAGE_LIMIT, now},
    records::Record,
    refusal::Refusal,
    requests::{Audience, Body, Id, Part, at_the_door},
};

/// In which header the answer to a change carries its number.
const CHANGE: HeaderName = HeaderName::from_static("x-change");

/// All of the API. Whoever comes in here has signed in.
pub fn router(chat: Chat) -> Router<Chat> {
    Router::new()
        .nest("/users", routes::<User>())
        .nest("/posts", routes::<Post>())
        .nest("/ws", sockets())
        .route("/channels/{channel}/events", post(send_event))
        .route("/announcements", post(announce))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MESSAGE_LIMIT))
        .layer(from_fn_with_state(chat, at_the_door))
}

fn routes<R: Record>() -> Router<Chat> {
    Router::new()
        .route("/", get(list::<R>).post(create::<R>))
        .route("/{id}", get(find::<R>).patch(update::<R>).delete(delete::<R>))
}

fn sockets() -> Router<Chat> {
    Router::new()
        .route("/", any(open_feed))
        .route("/{channel}", any(open_feed))
        .route("/stats", get(count_followers))
}

/// A part of a table, as it was right after the change with this number.
#[derive(Serialize)]
struct Page<R> {
    change: ChangeNumber,
    data: Vec<R>,
    /// What to put into `after` for the next part, if there is one.
    next: Option<i64>,
}

async fn list<R: Record>(
    State(chat): State<Chat>,
    Part { after, limit }: Part,
) -> Result<Json<Page<R>>, Refusal> {
    // One more than wanted tells whether there is a next part.
    let look = move |db: &_| R::list(db, after, limit + 1);
    let (change, mut data) = chat.database.read(look).await?;
    let more = data.len() > limit;
    data.truncate(limit);
    let next = data.last().filter(|_| more).map(R::id);

    Ok(Json(Page { change, data, next }))
}

async fn find<R: Record>(
    State(chat): State<Chat>,
    Id(id): Id,
) -> Result<Json<R>, Refusal> {
    let (_, record) = chat.database.read(move |db| R::find(db, id)).await?;
    Ok(Json(record))
}

/// What to do when a change is safe: tell those who should hear of it.
fn tell<R: Record>(
    channels: Channels,
    audience: Audience,
    event: fn(Change) -> ToFollower<'static>,
) -> impl FnOnce(ChangeNumber, &R) {
    move |number, record| {
        audience.publish(&channels, R::CHANNEL, &event(Change::of(record, number)));
    }
}

async fn create<R: Record>(
    State(Chat { database, channels, .. }): State<Chat>,
    audience: Audience,
    Body(draft): Body<R::Draft>,
) -> Result<impl IntoResponse, Refusal> {
    let change = move |db: &_| R::create(db, draft);
    let tell = tell(channels, audience, ToFollower::Created);
    let (number, record) = database.write(change, tell).await?;
    Ok((StatusCode::CREATED, [(CHANGE, number.to_string())], Json(record)))
}

async fn update<R: Record>(
    State(Chat { database, channels, .. }): State<Chat>,
    Id(id): Id,
    audience: Audience,
    Body(draft): Body<R::Draft>,
) -> Result<impl IntoResponse, Refusal> {
    let change = move |db: &_| R::find(db, id)?.update(db, draft);
    let tell = tell(channels, audience, ToFollower::Updated);
    let (number, record) = database.write(change, tell).await?;
    Ok(([(CHANGE, number.to_string())], Json(record)))
}

async fn delete<R: Record>(
    State(Chat { database, channels, .. }): State<Chat>,
    Id(id): Id,
    audience: Audience,
) -> Result<impl IntoResponse, Refusal> {
    let change = move |db: &_| R::delete(db, id);
    let tell = tell(channels, audience, ToFollower::Deleted);
    let (number, _) = database.write(change, tell).await?;
    Ok((StatusCode::NO_CONTENT, [(CHANGE, number.to_string())]))
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

/// Whatever a client wants to tell the others.
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
    State(chat): State<Chat>,
    channel: Channel,
    Extension(guest): Extension<Guest>,
    audience: Audience,
    Body(CustomEvent { event, data }): Body<CustomEvent>,
) -> (StatusCode, Json<Sent>) {
    let (event, from, data) = (&event, &guest.username, &data.0);
    let message = ToFollower::Custom { event, channel, from, timestamp: now(), data };
    let clients = audience.publish(&chat.channels, channel, &message);
    (StatusCode::ACCEPTED, Json(Sent { clients }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    message: OneLine,
}

async fn announce(
    State(chat): State<Chat>,
    Extension(guest): Extension<Guest>,
    Body(Announcement { message }): Body<Announcement>,
) -> Result<(StatusCode, Json<Sent>), Refusal> {
    if !chat.accounts.is_operator(&guest.username) {
        let sentence = "Only operators may speak to everybody.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    let message = ToFollower::Announcement { message: &message.0, timestamp: now() };
    let clients = chat.channels.publish_to_all(&message);
    Ok((StatusCode::ACCEPTED, Json(Sent { clients })))
}

async fn no_such_path(OriginalUri(uri): OriginalUri) -> Refusal {
    Refusal::not_found(format!("There is nothing at {}.", uri.path()))
}

async fn no_such_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "This cannot be done here.")
}
