//! The one error of the API: a status, and a sentence in JSON.

use std::fmt::Display;

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lesson_08_auth::TokenError;
use rusqlite::ErrorCode::DatabaseBusy;
use serde::Serialize;
use tracing::error;

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
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None }
    }

    /// 422: we can read the request, but this field of it is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, message);
        Self { field: Some(field.into()), ..error }
    }

    /// 503: somebody else uses the database for too long.
    pub fn busy() -> Self {
        let sentence = "The database is busy. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, sentence)
    }

    /// 500: our fault. The details are for us, not for strangers.
    pub fn internal(error: &impl Display) -> Self {
        error!(%error, "the server failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// What axum rejects it answers in plain text. We say the same in JSON.
macro_rules! from_rejections {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for ApiError {
            fn from(rejection: $rejection) -> Self {
                Self::new(rejection.status(), rejection.body_text())
            }
        })*
    };
}

from_rejections!(JsonRejection, PathRejection, QueryRejection);

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error.to_string())
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(DatabaseBusy) => Self::busy(),
            _ => Self::internal(&error),
        }
    }
}
