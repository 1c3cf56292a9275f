//! What the handlers of the API take from a request.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts, Path as AxumPath},
    http::request::Parts,
};
use serde::Deserialize;

use super::{
    channel::Channel,
    channels::Channels,
    events::{ClientId, Identity, LiveEvent},
};
use crate::{
    auth::{Auth, CurrentUser},
    error::ApiError,
    extract::{Path, Query},
};

/// How many rows a page of a list has, unless the client asks for fewer, and at most.
///
/// The longest rows take some 8 KiB, so a page has less than 1 MiB.
const PAGE_SIZE: usize = 100;

/// The header in which a client gives its id, so that it does not get the events of its own
/// changes.
const CLIENT_ID: &str = "x-client-id";

/// The id in the path.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        let id = text.parse().map_err(|_| {
            ApiError::bad_request(format!("An id is a number, and {text:?} is none."))
        })?;
        Ok(Self(id))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Channel {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await?;
        Self::parse(&name).map_err(ApiError::not_found)
    }
}

/// The same, where the path may end before it.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Channel {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, ApiError> {
        let name = Option::<AxumPath<String>>::from_request_parts(parts, state).await?;
        let channel = name.map(|AxumPath(name)| Self::parse(&name)).transpose();
        channel.map_err(ApiError::not_found)
    }
}

/// Which part of a list is wanted: `?after=7&limit=20`.
#[derive(Deserialize)]
#[serde(default)]
pub struct Pagination {
    pub limit: usize,
    /// The last id that the client has.
    pub after: i64,
}

impl Default for Pagination {
    fn default() -> Self {
        Self { limit: PAGE_SIZE, after: 0 }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Pagination {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Query(page) = Query::<Self>::from_request_parts(parts, state).await?;
        Ok(Self { limit: page.limit.clamp(1, PAGE_SIZE), ..page })
    }
}

/// The id that a client has in the query of its socket, or else one that we generate.
impl<S: Send + Sync> FromRequestParts<S> for Identity
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Parameters {
            client_id: Option<ClientId>,
        }

        let Query(Parameters { client_id }) =
            Query::from_request_parts(parts, state).await?;
        let client_id = client_id.unwrap_or_else(ClientId::generate);
        let CurrentUser { username, .. } =
            CurrentUser::from_request_parts(parts, state).await?;
        Ok(Self { username, client_id })
    }
}

/// Who receives the event of a change: all subscribers, unless the client asks for less.
pub struct PublishOptions {
    announce: bool,
    exclude: Option<Identity>,
}

impl PublishOptions {
    /// Publishes on a channel. Returns how many clients that reached.
    pub fn publish(
        &self,
        channels: &Channels,
        channel: Channel,
        message: &LiveEvent,
    ) -> usize {
        if self.announce {
            channels.publish(channel, message, self.exclude.as_ref())
        } else {
            0
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PublishOptions
where
    Auth: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Parameters {
            announce: Option<bool>,
        }

        let Query(Parameters { announce }) =
            Query::from_request_parts(parts, state).await?;
        let exclude = match client_id(parts)? {
            None => None,
            Some(client_id) => {
                let user = CurrentUser::from_request_parts(parts, state).await?;
                Some(Identity { username: user.username, client_id })
            }
        };
        Ok(Self { announce: announce.unwrap_or(true), exclude })
    }
}

/// The id that a client gives in the header.
fn client_id(parts: &Parts) -> Result<Option<ClientId>, ApiError> {
    let Some(id) = parts.headers.get(CLIENT_ID) else { return Ok(None) };
    let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
    match ClientId::try_from(id) {
        Ok(id) => Ok(Some(id)),
        Err(sentence) => Err(ApiError::bad_request(format!("{CLIENT_ID}: {sentence}"))),
    }
}
