//! The users of the database: what a good one looks like, and all SQL about them.

use axum::http::StatusCode;
use lesson_08_auth::Username;
use rusqlite::{Connection, OptionalExtension, Row, ffi::SQLITE_CONSTRAINT_UNIQUE};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ApiError;

/// The longest line of text in a field, in characters. A longer one is rejected with 422.
const LINE_LIMIT: usize = 100;

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1). A longer one is 422.
const EMAIL_LIMIT: usize = 254;

#[derive(Serialize)]
pub struct User {
    pub id: i64,
    /// Who created it, and may change it.
    pub owner: String,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub is_active: bool,
    pub created_at: String,
}

/// What a request says about a user. A `POST` must name who it is, a `PATCH` what changes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserDraft {
    #[serde(deserialize_with = "given")]
    pub name: Option<OneLine>,
    #[serde(deserialize_with = "given")]
    pub email: Option<Email>,
    /// `null` takes the number away. That is not the same as saying nothing about it.
    #[serde(deserialize_with = "given")]
    pub phone: Option<Option<OneLine>>,
    #[serde(deserialize_with = "given")]
    pub is_active: Option<bool>,
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

impl User {
    /// Up to `limit` of them, in the order of their ids, beginning behind `after`.
    pub fn list(
        db: &Connection,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Self>, ApiError> {
        let sql = "SELECT * FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut query = db.prepare(sql)?;
        let rows = query.query_map((after, limit as i64), Self::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn find(db: &Connection, id: i64) -> Result<Self, ApiError> {
        let sql = "SELECT * FROM users WHERE id = ?1";
        db.query_row(sql, [id], Self::read).optional()?.ok_or_else(|| {
            ApiError::new(StatusCode::NOT_FOUND, format!("There is no user {id}."))
        })
    }

    /// Creates a row that belongs to this person.
    pub fn create(
        db: &Connection,
        draft: UserDraft,
        owner: &Username,
    ) -> Result<Self, ApiError> {
        // Values go beside the SQL, never into it: text that looks like SQL stays text.
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

    /// Changes what the draft names, and nothing else.
    pub fn update(self, db: &Connection, draft: UserDraft) -> Result<Self, ApiError> {
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

    pub fn delete(self, db: &Connection) -> Result<(), ApiError> {
        db.execute("DELETE FROM users WHERE id = ?1", [self.id])?;
        Ok(())
    }

    /// Checks that this person may change the row (OWASP API1:2023).
    pub fn owned_by(self, person: &Username) -> Result<Self, ApiError> {
        if self.owner == person.as_str() {
            return Ok(self);
        }
        let sentence = format!("Only {} may change user {}.", self.owner, self.id);
        Err(ApiError::new(StatusCode::FORBIDDEN, sentence))
    }

    pub fn read(row: &Row) -> rusqlite::Result<Self> {
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
}

/// A field that a `POST` must have.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::field(field, format!("{field} is missing")))
}

fn email_taken(error: rusqlite::Error) -> ApiError {
    let sentence = "Another user has this e-mail address.";
    let answer = ApiError::new(StatusCode::CONFLICT, sentence);
    violation(error, SQLITE_CONSTRAINT_UNIQUE, answer)
}

/// The answer to an error: `answer` if it violates a constraint of this kind.
///
/// Why not look before? The constraint holds for everyone who writes to the table.
pub fn violation(error: rusqlite::Error, constraint: i32, answer: ApiError) -> ApiError {
    match error.sqlite_error() {
        Some(code) if code.extended_code == constraint => answer,
        _ => error.into(),
    }
}
