//! Extractors that answer what is wrong with an [`ApiError`].

use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, value::RawValue};

use crate::{error::ApiError, sentence::shortened};

/// What stands in the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub struct Path<T>(pub T);

/// What stands in the query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub struct Query<T>(pub T);

/// A body that is a JSON object.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Why in two steps? The first finds out whether this is JSON at all. The second
        // knows at every moment which field it reads, and refuses one that comes twice.
        let axum::Json(body) =
            axum::Json::<Box<RawValue>>::from_request(request, state).await?;
        let text = body.get();
        if !text.starts_with('{') {
            return Err(ApiError::unprocessable("the body should be a JSON object"));
        }
        let mut json = Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut json).map(Self).map_err(|error| {
            let field = error.path().to_string();
            let reason = error.into_inner().to_string();
            // The name of the field says more than a line and a column.
            let reason =
                reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
            match field.trim_matches('.') {
                "" => ApiError::unprocessable(shortened(reason)),
                field => ApiError::field(shortened(field), shortened(reason)),
            }
        })
    }
}
