//! A channel: what one can subscribe to.

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};

use crate::sentence::shortened;

/// What one can subscribe to: there is a channel for each model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Posts,
    Users,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Posts, Self::Users];

    /// The channel of this name. The error is what serde says of one that does not exist.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::deserialize(name.into_deserializer())
            .map_err(|error: Error| shortened(&error.to_string()))
    }
}
