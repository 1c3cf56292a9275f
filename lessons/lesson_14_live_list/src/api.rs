//! The list over HTTP.

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, StatusCode},
    middleware::from_extractor_with_state,
    response::IntoResponse,
    routing::{any, get, patch},
};
use lesson_08_auth::{AllowedOrigin, CurrentUser};
use lesson_14_live_list::{Version, ws_handler};

use crate::{
    AppState,
    users::{NewUser, Rejection, UserChanges, Users},
};

/// In which header an answer carries the version of the list.
const X_VERSION: HeaderName = HeaderName::from_static("x-version");

/// The longest body, in bytes. A longer one is rejected with 413.
const MAX_BODY_SIZE: usize = 1024;

/// The list, and the socket with its events, for people who have signed in.
pub fn routes(state: &AppState) -> Router<AppState> {
    // Why a layer, and not an argument of each handler? One of them could forget it.
    type Extractors = (AllowedOrigin, CurrentUser);
    let signed_in = from_extractor_with_state::<Extractors, _>(state.clone());

    Router::new()
        .route("/users", get(list).post(create))
        .route("/users/{id}", patch(update).delete(delete))
        .layer(DefaultBodyLimit::max(MAX_BODY_SIZE))
        .layer(signed_in)
        // Below the layers, because its extractor checks both, and more.
        .route("/ws/users", any(ws_handler))
}

async fn list(State(users): State<Users>) -> impl IntoResponse {
    let (version, users) = users.all();
    (x_version(version), Json(users))
}

async fn create(
    State(users): State<Users>,
    Json(new): Json<NewUser>,
) -> Result<impl IntoResponse, Rejection> {
    let (version, user) = users.create(new)?;
    Ok((StatusCode::CREATED, x_version(version), Json(user)))
}

async fn update(
    State(users): State<Users>,
    Path(id): Path<i64>,
    Json(changes): Json<UserChanges>,
) -> Result<impl IntoResponse, Rejection> {
    let (version, user) = users.update(id, changes)?;
    Ok((x_version(version), Json(user)))
}

async fn delete(
    State(users): State<Users>,
    Path(id): Path<i64>,
) -> Result<impl IntoResponse, Rejection> {
    let version = users.delete(id)?;
    Ok((StatusCode::NO_CONTENT, x_version(version)))
}

fn x_version(version: Version) -> [(HeaderName, String); 1] {
    [(X_VERSION, version.to_string())]
}
