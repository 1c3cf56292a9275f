use std::fmt;

use serde_json::{Map, Value};

use crate::client::shortened_to;

/// Two messages that are no longer than this are shown whole, one beside the other.
const SHORT: usize = 120;

/// How many differences a hint names.
const NAMED: usize = 3;

/// How much of a value a difference shows, in characters.
const VALUE: usize = 60;

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

impl Expected {
    /// In what a JSON message differs from the expected one, as a sentence names it:
    /// `messages[3].seq: 4 expected, 5 heard`.
    ///
    /// `None` if the two are read with less trouble side by side, because they are short, or
    /// messages of different types.
    pub(crate) fn difference(&self, heard: &str) -> Option<String> {
        let Self::Json(expected) = self else { return None };
        let length = |text: &str| text.chars().count();
        if length(&self.to_string()) <= SHORT && length(heard) <= SHORT {
            return None;
        }
        let heard: Value = serde_json::from_str(heard).ok()?;
        if !heard.is_object() || expected.get("type") != heard.get("type") {
            return None;
        }

        let mut found = Vec::new();
        compare("", expected, &heard, &mut found);
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        let mut sentence = found.join("; ");
        if more > 0 {
            sentence.push_str(&format!("; and {more} more"));
        }
        Some(sentence)
    }
}

/// Notes where two values differ, each with its path.
fn compare(path: &str, expected: &Value, heard: &Value, found: &mut Vec<String>) {
    if matches_json(expected, heard) {
        return;
    }
    match (expected, heard) {
        (Value::Object(expected), Value::Object(heard)) => {
            compare_fields(path, expected, heard, found);
        }
        (Value::Array(expected), Value::Array(heard)) => {
            compare_lists(path, expected, heard, found);
        }
        _ => found.push(named(path, Some(expected), Some(heard))),
    }
}

fn compare_fields(
    path: &str,
    expected: &Map<String, Value>,
    heard: &Map<String, Value>,
    found: &mut Vec<String>,
) {
    let inner = |field: &str| match path {
        "" => field.to_owned(),
        _ => format!("{path}.{field}"),
    };
    for (field, expected) in expected {
        match heard.get(field) {
            Some(heard) => compare(&inner(field), expected, heard, found),
            None => found.push(named(&inner(field), Some(expected), None)),
        }
    }
    for (field, heard) in heard.iter().filter(|(field, _)| !expected.contains_key(*field))
    {
        found.push(named(&inner(field), None, Some(heard)));
    }
}

/// If the lengths differ, what comes after the first difference means little: one value
/// too many shifts all that follow.
fn compare_lists(
    path: &str,
    expected: &[Value],
    heard: &[Value],
    found: &mut Vec<String>,
) {
    let differ = |(_, (expected, heard)): &(usize, (&Value, &Value))| {
        !matches_json(expected, heard)
    };
    let mut pairs = expected.iter().zip(heard).enumerate().filter(differ);
    if expected.len() == heard.len() {
        for (i, (expected, heard)) in pairs {
            compare(&format!("{path}[{i}]"), expected, heard, found);
        }
        return;
    }

    let (wanted, came) = (expected.len(), heard.len());
    found.push(format!("{path}: a list of {wanted} expected, one of {came} heard"));
    match pairs.next() {
        Some((i, (expected, heard))) => {
            compare(&format!("{path}[{i}]"), expected, heard, found);
        }
        None => {
            let i = wanted.min(came); // Up to here they agree.
            found.push(named(&format!("{path}[{i}]"), expected.get(i), heard.get(i)));
        }
    }
}

fn named(path: &str, expected: Option<&Value>, heard: Option<&Value>) -> String {
    let shown = |value: Option<&Value>| match value {
        Some(value) => shortened_to(VALUE, &value.to_string()),
        None => "nothing".into(),
    };
    format!("{path}: {} expected, {} heard", shown(expected), shown(heard))
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
