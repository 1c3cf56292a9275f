//! The one error of the API: a status, and a sentence in JSON.

use std::fmt::Display;

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{
        StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{AppendHeaders, IntoResponse, Response},
};
use lesson_08_auth::{TokenError, shortened};
use rusqlite::ErrorCode::{DatabaseBusy, DiskFull, ReadOnly};
use serde::Serialize;
use tracing::error;

/// After how many seconds it is worth trying again what was answered with 503.
const RETRY_SECONDS: &str = "5";

/// Why a request is rejected.
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
}

impl ApiError {
    /// The sentence is shortened, because it may repeat what a client wrote.
    pub fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: shortened(message), field: None }
    }

    /// 422: we can read the request, but this field of it is wrong.
    pub fn field(field: &str, message: &str) -> Self {
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, message);
        Self { field: Some(shortened(field)), ..error }
    }

    /// 503: this is not possible now, and may be possible soon.
    pub fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 500: our fault. The details are for us, not for strangers.
    pub fn internal(error: &impl Display) -> Self {
        error!(%error, "the server failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let header = match self.status {
            // Which kind of token is missing (RFC 6750, section 3).
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, RETRY_SECONDS)),
            _ => None,
        };
        (self.status, AppendHeaders(header), Json(self)).into_response()
    }
}

/// What axum rejects it answers in plain text. We say the same in JSON.
impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), &rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), &rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), &rejection.body_text())
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, &error.to_string())
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(DatabaseBusy) => Self::unavailable("The database is busy."),
            // It can still be read, and somebody may make room on the disk.
            Some(DiskFull | ReadOnly) => {
                error!(%error, "the database cannot be written to");
                Self::unavailable("Nothing can be changed at the moment.")
            }
            _ => Self::internal(&error),
        }
    }
}
