//! A list over HTTP: the routes and the handlers, for any model.

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, FromRequestParts, State},
    http::{HeaderName, StatusCode, header::LINK},
    middleware::from_fn_with_state,
    response::{AppendHeaders, IntoResponse},
    routing::{MethodRouter, get},
};
use lesson_08_auth::{Auth, CurrentUser};
use lesson_14_live_list::{Change, Deleted, Event, Events, Version};
use serde::Serialize;

use crate::{
    database::Database,
    error::ApiError,
    extract::{Id, Json, Pagination, require_user},
    model::Model,
};

/// In which header an answer carries the version of the list.
const X_VERSION: HeaderName = HeaderName::from_static("x-version");

/// The longest body, in bytes. A longer one is rejected with 413. A post of lesson 16 fits,
/// even if each of its 2,000 characters is escaped.
const MAX_BODY_SIZE: usize = 32 * 1024;

const NO_SUCH_PATH: &str = "There is nothing at this path.";
const NO_SUCH_METHOD: &str = "This method is not allowed here.";

/// What publishes the changes of `M`. It is an argument of the handlers, so an extractor,
/// and moves to the thread of the database, which publishes when it has committed.
///
/// Why a trait, and why `M`? In lesson 16 it depends on the model who is told.
pub trait Publish<M>: Send + 'static {
    fn publish(&self, event: &Event<impl Serialize>);
}

/// Lesson 14's events are those of one list, whatever is in it.
impl<M> Publish<M> for State<Events> {
    fn publish(&self, event: &Event<impl Serialize>) {
        self.0.publish(event);
    }
}

/// The list of a model, and each of its rows, for a program that nests them at `/api/v1`.
/// `P` publishes what has changed.
pub fn model_routes<M, P, S>() -> Router<S>
where
    M: Model,
    P: Publish<M> + FromRequestParts<S>,
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
    Database: FromRef<S>,
{
    let collection = get(list::<M>).post(create::<M, P>);
    let item = get(find::<M>).patch(update::<M, P>).delete(delete::<M, P>);

    Router::new()
        .merge(route(&format!("/{}", M::TABLE), collection))
        .merge(route(&format!("/{}/{{id}}", M::TABLE), item))
}

/// A route with and without a slash at its end: some clients write `/users/`.
pub fn route<S>(path: &str, methods: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route(path, methods.clone()).route(&format!("{path}/"), methods)
}

/// These routes, for people who have signed in. All errors are JSON: axum's fallbacks have
/// no body, and a page reads every answer as JSON.
pub fn protected<S>(routes: Router<S>, state: &S) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Auth: FromRef<S>,
{
    routes
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, NO_SUCH_PATH))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, NO_SUCH_METHOD)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_SIZE))
        .layer(from_fn_with_state(state.clone(), require_user))
}

async fn list<M: Model>(
    State(database): State<Database>,
    page: Pagination,
) -> Result<impl IntoResponse, ApiError> {
    let (after, limit) = (page.after, page.limit());
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

/// The change runs in a transaction, and what publishes it runs after the commit. Whatever
/// a client can do wrong is found before: the extractors run first, the one for the body last.
async fn create<M: Model, P: Publish<M>>(
    State(database): State<Database>,
    CurrentUser { username, .. }: CurrentUser,
    publisher: P,
    Json(draft): Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let insert = move |db: &_| M::create(db, draft, &username);
    let publish = move |version, row: &M| {
        let change = Change { model: M::TABLE, version, data: row };
        publisher.publish(&Event::Created(change));
    };
    let (version, row) = database.write(insert, publish).await?;
    Ok((StatusCode::CREATED, x_version(version), axum::Json(row)))
}

async fn update<M: Model, P: Publish<M>>(
    State(database): State<Database>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
    publisher: P,
    Json(draft): Json<M::Draft>,
) -> Result<impl IntoResponse, ApiError> {
    let update = move |db: &_| M::find(db, id)?.owned_by(&username)?.update(db, draft);
    let publish = move |version, row: &M| {
        let change = Change { model: M::TABLE, version, data: row };
        publisher.publish(&Event::Updated(change));
    };
    let (version, row) = database.write(update, publish).await?;
    Ok((x_version(version), axum::Json(row)))
}

async fn delete<M: Model, P: Publish<M>>(
    State(database): State<Database>,
    Id(id): Id,
    CurrentUser { username, .. }: CurrentUser,
    publisher: P,
) -> Result<impl IntoResponse, ApiError> {
    let delete = move |db: &_| M::find(db, id)?.owned_by(&username)?.delete(db);
    let publish = move |version, _: &()| {
        let change = Change { model: M::TABLE, version, data: Deleted { id } };
        publisher.publish(&Event::Deleted(change));
    };
    let (version, ()) = database.write(delete, publish).await?;
    Ok((StatusCode::NO_CONTENT, x_version(version)))
}

fn x_version(version: Version) -> [(HeaderName, String); 1] {
    [(X_VERSION, version.to_string())]
}
