//! What handlers take from a request: who is to be told. And who may tell everybody.

use std::{env, sync::Arc};

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use lesson_08_auth::{CurrentUser, Username};
use lesson_15_database::ApiError;
use serde::{Deserialize, Serialize};

use crate::{
    AppState,
    channels::{Channel, Channels},
    events::{Identity, Name},
};

/// The header in which a client gives its id, so that it does not get the events of its own
/// changes.
const CLIENT_ID: &str = "x-client-id";

/// Who may make announcements. All clones share the list.
#[derive(Clone)]
pub struct Operators(Arc<[Username]>);

impl Operators {
    /// Reads `OPERATORS`: names with commas between them. Without it, Ana is the operator.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        let list = env::var_os("OPERATORS").unwrap_or("ana".into());
        Self::parse(&list.to_string_lossy())
    }

    pub fn parse(list: &str) -> Result<Self, String> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names = names.map(|name| {
            let error = |error| format!("OPERATORS has {name:?}: {error}.");
            Username::try_from(name.to_lowercase()).map_err(error)
        });
        Ok(Self(names.collect::<Result<_, _>>()?))
    }

    pub fn contains(&self, username: &Username) -> bool {
        self.0.contains(username)
    }
}

/// Where a request publishes its event: to all subscribers, unless it asks for less.
///
/// It is an extractor, so a request with a wrong option is rejected before anything changes.
pub struct Publisher {
    channels: Channels,
    announce: bool,
    exclude: Option<Identity>,
}

impl Publisher {
    /// Publishes on a channel, or not at all. Returns in how many outboxes the event is.
    pub fn publish(&self, channel: Channel, event: &impl Serialize) -> usize {
        if self.announce {
            self.channels.publish(channel, event, self.exclude.as_ref())
        } else {
            0
        }
    }
}

impl FromRequestParts<AppState> for Publisher {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        #[derive(Deserialize)]
        struct Parameters {
            announce: Option<bool>,
        }

        let Query(Parameters { announce }) =
            Query::from_request_parts(parts, state).await?;
        let CurrentUser { username, .. } =
            CurrentUser::from_request_parts(parts, state).await?;
        let client_id = parts.headers.get(CLIENT_ID).map(|id| {
            // An id may have letters of all scripts, and `to_str` takes ASCII alone.
            let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
            Name::try_from(id).map_err(|error| {
                ApiError::new(StatusCode::BAD_REQUEST, format!("{CLIENT_ID}: {error}"))
            })
        });
        let exclude = client_id.transpose()?;
        let exclude = exclude.map(|client_id| Identity { username, client_id });
        let channels = state.channels.clone();
        Ok(Self { channels, announce: announce.unwrap_or(true), exclude })
    }
}
