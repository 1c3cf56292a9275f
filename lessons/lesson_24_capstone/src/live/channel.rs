//! A channel: what one can subscribe to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much of an unknown name we repeat, in characters.
const NAME_LIMIT: usize = 40;

/// What one can subscribe to: there is a channel for each model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", rename_all = "snake_case")]
pub enum Channel {
    Posts,
    Users,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Posts, Self::Users];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::Users => "users",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Channel {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name).ok_or_else(|| {
            let name: String = name.chars().take(NAME_LIMIT).collect();
            format!("there is no channel {name:?}: this server knows posts and users")
        })
    }
}
