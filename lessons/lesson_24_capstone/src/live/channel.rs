//! A channel: what one can subscribe to.

use std::fmt;

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};

use crate::sentence::shortened;

/// What one can subscribe to: there is a channel for each model, and one for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    News,
    Posts,
    Users,
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::News, Self::Posts, Self::Users];

    /// Whether clients may send messages to it. The channel of a model is about its rows
    /// alone: whoever follows a table should not miss a change because others talk there.
    pub fn takes_messages(self) -> bool {
        match self {
            Self::News => true,
            Self::Posts | Self::Users => false,
        }
    }

    /// The channel of this name. The error is what serde says of one that does not exist.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::deserialize(name.into_deserializer())
            .map_err(|error: Error| shortened(&error.to_string()))
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
