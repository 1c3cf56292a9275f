//! Who is told of a change, and on which channel.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use lesson_08_auth::CurrentUser;
use lesson_14_live_list::Event;
use lesson_15_database::{ApiError, Model, Publish, User};
use serde::{Deserialize, Serialize};

use crate::{
    AppState,
    channels::{Channel, Channels},
    events::{Identity, Name},
};

/// The header in which a client gives its id, so that it does not get the events of its own
/// changes.
const CLIENT_ID: &str = "x-client-id";

/// A model whose changes are published on a channel. The routes of a model without one do
/// not compile, so none can be forgotten.
pub trait LiveModel: Model {
    const CHANNEL: Channel;
}

impl LiveModel for User {
    const CHANNEL: Channel = Channel::Users;
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

impl<M: LiveModel> Publish<M> for Publisher {
    fn publish(&self, event: &Event<impl Serialize>) {
        self.publish(M::CHANNEL, event);
    }
}

/// What the query may say: `?announce=false`.
#[derive(Deserialize)]
struct Options {
    announce: Option<bool>,
}

impl FromRequestParts<AppState> for Publisher {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, ApiError> {
        let Query(Options { announce }) = Query::from_request_parts(parts, state).await?;
        let CurrentUser { username, .. } =
            CurrentUser::from_request_parts(parts, state).await?;
        let client_id = parts.headers.get(CLIENT_ID).map(|id| {
            // An id may have letters of all scripts, and `to_str` takes ASCII alone.
            let id = String::from_utf8_lossy(id.as_bytes()).into_owned();
            Name::try_from(id).map_err(|error| {
                ApiError::new(StatusCode::BAD_REQUEST, &format!("{CLIENT_ID}: {error}"))
            })
        });
        let exclude = client_id.transpose()?;
        let exclude = exclude.map(|client_id| Identity { username, client_id });
        let channels = state.channels.clone();
        Ok(Self { channels, announce: announce.unwrap_or(true), exclude })
    }
}
