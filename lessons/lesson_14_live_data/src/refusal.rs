//! How the API says no: a status, and a sentence in JSON.

use std::{fmt::Display, time::Duration};

use axum::{
    Json,
    extract::{
        rejection::{JsonRejection, PathRejection, QueryRejection},
        ws::rejection::WebSocketUpgradeRejection,
    },
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use rusqlite::ErrorCode::DatabaseBusy;
use serde::Serialize;

/// Why a request gets no for an answer.
#[derive(Debug, Serialize)]
pub struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    message: String,
    /// Which field of the body is wrong, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), field: None }
    }

    /// 404: what the request is about does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 409: the request is good, but what is there already stands against it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message)
    }

    /// 422: we can read the request, and this field of it is wrong.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let field = Some(field.into()).filter(|field| !field.is_empty());
        Self { field, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, message) }
    }

    /// 429: this person should wait before the next change.
    pub fn too_fast(wait: Duration) -> impl IntoResponse {
        let seconds = wait.as_secs() + 1;
        let message = format!("too many changes: try again in {seconds} s");
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, message);
        ([(RETRY_AFTER, seconds.to_string())], refusal)
    }

    /// 503: somebody else has been at it for too long.
    pub fn busy() -> Self {
        let message = "The database is busy. Try again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 500: our fault. The details are for us, not for strangers.
    pub fn fault(error: &impl Display) -> Self {
        eprintln!("The database failed: {error}.");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The database failed.")
    }
}

/// What axum cannot read it refuses in plain text. We say the same in JSON.
macro_rules! from_rejections {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for Refusal {
            fn from(rejection: $rejection) -> Self {
                Self::new(rejection.status(), rejection.body_text())
            }
        })*
    };
}

from_rejections!(JsonRejection, PathRejection, QueryRejection, WebSocketUpgradeRejection);

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(DatabaseBusy) => Self::busy(),
            _ => Self::fault(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
