use std::fmt;

use serde_json::Value;

/// Stands for any value in an expected JSON message.
pub const ANY: &str = "*";

/// A text that a client should hear.
pub enum Expected {
    Text(String),
    Json(Value),
}

impl Expected {
    /// Whether `heard` is what was expected. JSON is compared by meaning: the order
    /// of fields does not matter, but no field may be missing or be there in addition.
    pub fn matches(&self, heard: &str) -> bool {
        match self {
            Self::Text(text) => text == heard,
            Self::Json(expected) => serde_json::from_str(heard)
                .is_ok_and(|heard: Value| matches_json(expected, &heard)),
        }
    }
}

fn matches_json(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::String(text), _) if text == ANY => true,
        (Value::Array(expected), Value::Array(heard)) => {
            expected.len() == heard.len()
                && expected.iter().zip(heard).all(|(e, h)| matches_json(e, h))
        }
        (Value::Object(expected), Value::Object(heard)) => {
            expected.len() == heard.len()
                && expected.iter().all(|(key, expected)| {
                    heard.get(key).is_some_and(|heard| matches_json(expected, heard))
                })
        }
        _ => expected == heard,
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            // As in a transcript: * alone stands for any value.
            Self::Json(value) => f.write_str(&value.to_string().replace(r#""*""#, "*")),
        }
    }
}

impl From<&str> for Expected {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Expected {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Value> for Expected {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}
