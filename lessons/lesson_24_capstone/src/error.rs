//! The one error of the HTTP API: a status, and a sentence in JSON.

use std::{error::Error, fmt::Display, iter::successors, time::Duration};

use axum::{
    Json,
    extract::{
        rejection::{JsonRejection, PathRejection, QueryRejection, StringRejection},
        ws::rejection::WebSocketUpgradeRejection,
    },
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::error;

use crate::server::BodyTimeout;

/// Why a request is refused.
///
/// The body is `{"message": …}`, a sentence that a person can act on, and `"field"` if it
/// is about a field of the request's body.
#[derive(Debug, Serialize)]
pub struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// When to try again, as the header `Retry-After`.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None, retry_after: None }
    }

    /// 400: we cannot read the request.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: who sends this has to sign in (RFC 9110, section 15.5.2).
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// 403: we know who sends this, and they may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404: what the request is about does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 409: the request is good, but contradicts what is there already.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 422: we can read the request, but it is wrong.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 422: we can read the request, but this field of it is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), ..Self::unprocessable(message) }
    }

    /// 429: this person should wait. `what` begins the sentence, as in "Too many requests".
    pub fn too_many(what: impl Display, wait: Duration) -> Self {
        Self::try_again(StatusCode::TOO_MANY_REQUESTS, what, wait)
    }

    /// 503: there is no room for this now. `what` begins the sentence.
    pub fn unavailable(what: impl Display, wait: Duration) -> Self {
        Self::try_again(StatusCode::SERVICE_UNAVAILABLE, what, wait)
    }

    /// 500: our fault. The details are for us, not for strangers.
    pub fn internal(error: &impl Display) -> Self {
        error!(%error, "the server failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed.")
    }

    fn try_again(status: StatusCode, what: impl Display, wait: Duration) -> Self {
        let message = format!("{what}. Try again in {} s.", whole_seconds(wait));
        Self { retry_after: Some(wait), ..Self::new(status, message) }
    }
}

/// What a router answers for a path that it has, and a method that it has not.
pub async fn method_not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.")
}

/// A time in whole seconds, at least as long.
fn whole_seconds(time: Duration) -> u64 {
    time.as_nanos().div_ceil(1_000_000_000) as u64
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut headers = Vec::new();
        if let Some(wait) = self.retry_after {
            headers.push((RETRY_AFTER, whole_seconds(wait).into()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // It tells which kind of token is missing (RFC 6750, section 3).
            headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }

        let mut response = (self.status, Json(self)).into_response();
        response.headers_mut().extend(headers);
        response
    }
}

/// What axum rejects it answers in plain text. We say the same in JSON.
macro_rules! from_rejections {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                if is_timeout(&rejection) {
                    let sentence = "The body of the request took too long.";
                    return Self::new(StatusCode::REQUEST_TIMEOUT, sentence);
                }
                Self::new(rejection.status(), rejection.body_text())
            }
        })*
    };
}

from_rejections!(
    JsonRejection,
    PathRejection,
    QueryRejection,
    StringRejection,
    WebSocketUpgradeRejection
);

/// Whether a body was rejected because it did not arrive in time.
fn is_timeout(rejection: &(dyn Error + 'static)) -> bool {
    successors(Some(rejection), |&error| error.source())
        .any(|error| error.is::<BodyTimeout>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_whole_seconds_is_never_shorter() {
        for (nanos, seconds) in [(1, 1), (9_000_000_000, 9), (9_000_000_001, 10)] {
            assert_eq!(whole_seconds(Duration::from_nanos(nanos)), seconds, "{nanos} ns");
        }
    }
}
