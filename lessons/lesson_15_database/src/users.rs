//! The users of the database: what a good one looks like, and the SQL with their columns.

use axum::http::StatusCode;
use lesson_08_auth::Username;
use rusqlite::{Connection, Row, ffi::SQLITE_CONSTRAINT_UNIQUE};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    error::ApiError,
    model::{Model, violation},
};

/// The longest line of text in a field, in characters. A longer one is rejected with 422.
const LINE_LIMIT: usize = 100;

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1). A longer one is 422.
const EMAIL_LIMIT: usize = 254;

#[derive(Serialize)]
pub struct User {
    id: i64,
    /// Who created it, and may change it.
    owner: String,
    name: String,
    email: String,
    phone: Option<String>,
    is_active: bool,
    created_at: String,
}

/// What a request says about a user. A `POST` must name who it is, a `PATCH` what changes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserDraft {
    #[serde(deserialize_with = "given")]
    name: Option<OneLine>,
    #[serde(deserialize_with = "given")]
    email: Option<Email>,
    /// `null` takes the number away. That is not the same as saying nothing about it.
    #[serde(deserialize_with = "given")]
    phone: Option<Option<OneLine>>,
    #[serde(deserialize_with = "given")]
    is_active: Option<bool>,
}

/// Reads a field that is there. One that is not stays `None`.
///
/// Why? On its own, serde reads `null` as `None`, too: `{"name":null}` would count as
/// saying nothing.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// One line of text, without blanks around it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct OneLine(pub String);

impl TryFrom<String> for OneLine {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        let length = text.chars().count();
        if (1..=LINE_LIMIT).contains(&length) && !text.contains(char::is_control) {
            Ok(Self(text.into()))
        } else {
            Err(format!("this should be one line of 1 to {LINE_LIMIT} characters"))
        }
    }
}

/// What may be an e-mail address. Whether it is one, only a mail to it can tell.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Email(String);

impl TryFrom<String> for Email {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let text = text.trim();
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        let good = text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
                && !local.contains(is_odd)
                && !domain.contains(is_odd)
        });
        if good && text.len() <= EMAIL_LIMIT {
            Ok(Self(text.into()))
        } else {
            Err("an e-mail address looks like ana@example.org")
        }
    }
}

impl Model for User {
    type Draft = UserDraft;

    const NAME: &str = "user";
    const TABLE: &str = "users";

    fn id(&self) -> i64 {
        self.id
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            owner: row.get("owner")?,
            name: row.get("name")?,
            email: row.get("email")?,
            phone: row.get("phone")?,
            is_active: row.get("is_active")?,
            created_at: row.get("created_at")?,
        })
    }

    fn create(
        db: &Connection,
        draft: UserDraft,
        owner: &Username,
    ) -> Result<Self, ApiError> {
        // Values go beside the SQL, never into it: text that looks like SQL stays text.
        // `RETURNING` gives us what the table has filled in: the id and the time.
        let sql = "INSERT INTO users (owner, name, email, phone, is_active) \
                   VALUES (?1, ?2, ?3, ?4, ?5) RETURNING *";
        let values = (
            owner.as_str(),
            required("name", draft.name)?.0,
            required("email", draft.email)?.0,
            draft.phone.flatten().map(|phone| phone.0),
            draft.is_active.unwrap_or(true),
        );
        db.query_row(sql, values, Self::read).map_err(email_taken)
    }

    fn update(self, db: &Connection, draft: UserDraft) -> Result<Self, ApiError> {
        // `self` was read in the same transaction, so nobody has changed it in between.
        let sql = "UPDATE users SET name = ?2, email = ?3, phone = ?4, is_active = ?5 \
                   WHERE id = ?1 RETURNING *";
        let values = (
            self.id,
            draft.name.map_or(self.name, |name| name.0),
            draft.email.map_or(self.email, |email| email.0),
            draft.phone.map_or(self.phone, |phone| phone.map(|phone| phone.0)),
            draft.is_active.unwrap_or(self.is_active),
        );
        db.query_row(sql, values, Self::read).map_err(email_taken)
    }
}

/// A field that a `POST` must have.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::field(field, &format!("{field} is missing")))
}

fn email_taken(error: rusqlite::Error) -> ApiError {
    let sentence = "Another user has this e-mail address.";
    let answer = ApiError::new(StatusCode::CONFLICT, sentence);
    violation(error, SQLITE_CONSTRAINT_UNIQUE, answer)
}
