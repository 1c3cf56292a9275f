//! The list over HTTP.

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderName, StatusCode, header::LINK},
    middleware::from_fn_with_state,
    response::{AppendHeaders, IntoResponse},
    routing::{any, get},
};
use lesson_08_auth::CurrentUser;
use lesson_14_live_list::{Change, Deleted, Event, Events, Version, ws_handler};
use lesson_15_database::{
    ApiError, Database, Id, Json, Pagination, User, UserDraft, require_user,
};

use crate::AppState;

/// In which header an answer carries the version of the list.
const X_VERSION: HeaderName = HeaderName::from_static("x-version");

/// The longest body, in bytes. A longer one is rejected with 413.
const MAX_BODY_SIZE: usize = 4 * 1024;

const NO_SUCH_PATH: &str = "There is nothing at this path.";
const NO_SUCH_METHOD: &str = "This method is not allowed here.";

/// The list, and the socket with its events, for people who have signed in.
pub fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/users", get(list).post(create))
        .route("/users/{id}", get(find).patch(update).delete(delete))
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, NO_SUCH_PATH))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, NO_SUCH_METHOD)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_SIZE))
        .layer(from_fn_with_state(state.clone(), require_user::<AppState>))
        // Below the layers, because its extractor checks both, and more.
        .route("/ws/users", any(ws_handler))
}

async fn list(
    State(database): State<Database>,
    Pagination { after, limit }: Pagination,
) -> Result<impl IntoResponse, ApiError> {
    // One more than wanted tells whether there is a next part.
    let (version, mut users) =
        database.read(move |db| User::list(db, after, limit + 1)).await?;
    let has_more = users.len() > limit;
    users.truncate(limit);
    let next = users.last().filter(|_| has_more).map(|last| {
        let next =
            format!("</api/v1/users?after={}&limit={limit}>; rel=\"next\"", last.id);
        (LINK, next)
    });

    Ok((x_version(version), AppendHeaders(next), axum::Json(users)))
}

async fn find(
    State(database): State<Database>,
    Id(id): Id,
) -> Result<axum::Json<User>, ApiError> {
    let (_, user) = database.read(move |db| User::find(db, id)).await?;
    Ok(axum::Json(user))
}

async fn create(
    State(database): State<Database>,
    State(events): State<Events>,
    CurrentUser { username, .. }: CurrentUser,
    Json(draft): Json<UserDraft>,
) -> Result<impl IntoResponse, ApiError> {
    let insert = move |db: &_| User::create(db, draft, &username);
    let publish = move |version, user: &User| {
        events.publish(&Event::Created(change(version, user)));
    };
    let (version, user) = database.write(insert, publish).await?;
    Ok((StatusCode::CREATED, x_version(version), axum::Json(user)))
}

async fn update(
    State(database): State<Database>,
    State(events): State<Events>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
    Json(draft): Json<UserDraft>,
) -> Result<impl IntoResponse, ApiError> {
    let update = move |db: &_| User::find(db, id)?.owned_by(&username)?.update(db, draft);
    let publish = move |version, user: &User| {
        events.publish(&Event::Updated(change(version, user)));
    };
    let (version, user) = database.write(update, publish).await?;
    Ok((x_version(version), axum::Json(user)))
}

async fn delete(
    State(database): State<Database>,
    State(events): State<Events>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
) -> Result<impl IntoResponse, ApiError> {
    let delete = move |db: &_| User::find(db, id)?.owned_by(&username)?.delete(db);
    let publish = move |version, _: &()| {
        events.publish(&Event::Deleted(change(version, Deleted { id })));
    };
    let (version, ()) = database.write(delete, publish).await?;
    Ok((StatusCode::NO_CONTENT, x_version(version)))
}

fn change<T>(version: Version, data: T) -> Change<T> {
    Change { model: "users", version, data }
}

fn x_version(version: Version) -> [(HeaderName, String); 1] {
    [(X_VERSION, version.to_string())]
}
