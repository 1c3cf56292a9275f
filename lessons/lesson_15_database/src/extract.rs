//! What handlers take from a request. What is wrong is answered with an [`ApiError`].

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use lesson_08_auth::{AllowedOrigin, CurrentUser, TokenError};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Deserializer, value::RawValue};

use crate::error::ApiError;

/// How many rows a part of a list has, at most, and unless the client asks for fewer.
const PAGE_SIZE: usize = 100;

/// Lets requests pass from people who have signed in, and not from pages of others.
///
/// It stands in front of the API, so that no handler can forget it. Each `Result` hands
/// the rejection of its extractor to us: axum itself would answer in plain text.
pub async fn require_user(
    origin: Result<AllowedOrigin, (StatusCode, &'static str)>,
    user: Result<CurrentUser, TokenError>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    origin.map_err(|(status, sentence)| ApiError::new(status, sentence))?;
    user?;

    Ok(next.run(request).await)
}

/// The id in the path.
#[derive(Deserialize, FromRequestParts)]
#[from_request(via(Path), rejection(ApiError))]
pub struct Id(pub i64);

/// Which part of a list is wanted: `?after=7&limit=20`.
#[derive(Deserialize, FromRequestParts)]
#[from_request(via(Query), rejection(ApiError))]
pub struct Pagination {
    /// The last id that the client has. Without one, the list begins with its first row.
    #[serde(default)]
    pub after: i64,
    limit: Option<usize>,
}

impl Pagination {
    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_SIZE).clamp(1, PAGE_SIZE)
    }
}

/// A body that is a JSON object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Why in two steps? The first finds out whether this is JSON at all. The second
        // knows at every moment which field it reads, and rejects one that comes twice.
        let axum::Json(body) =
            axum::Json::<Box<RawValue>>::from_request(request, state).await?;
        // serde also reads an array as a struct.
        if !body.get().starts_with('{') {
            let sentence = "the body should be a JSON object";
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, sentence));
        }
        let mut json = Deserializer::from_str(body.get());
        serde_path_to_error::deserialize(&mut json).map(Self).map_err(|error| {
            let field = error.path().to_string();
            let reason = error.into_inner().to_string();
            // The name of the field says more than a line and a column.
            let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(why, _)| why);
            match field.as_str() {
                "." => ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, reason),
                field => ApiError::field(field, reason),
            }
        })
    }
}
