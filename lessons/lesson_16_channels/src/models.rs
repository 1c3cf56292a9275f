//! What all models have in common: a table, a channel, and an owner for each row.

use axum::http::StatusCode;
use lesson_15_database::{ApiError, User, UserDraft, violation};
use rusqlite::{Connection, OptionalExtension, Row, ffi::SQLITE_CONSTRAINT_FOREIGNKEY};
use serde::{Serialize, de::DeserializeOwned};

use crate::{channels::Channel, extract::Person};

/// Something that has a table, and a channel that brings its changes.
pub trait Model: Serialize + Sized + Send + 'static {
    /// The body of a `POST` or a `PATCH`.
    type Draft: DeserializeOwned + Send + 'static;

    /// What one of them is called, in sentences.
    const NAME: &str;
    /// What all of them are called: the table, the path, and the model of events.
    const TABLE: &str;
    const CHANNEL: Channel;

    fn id(&self) -> i64;
    /// Who created it, and may change it.
    fn owner(&self) -> &str;
    fn read(row: &Row) -> rusqlite::Result<Self>;
    /// Creates a row that belongs to this person.
    fn create(
        db: &Connection,
        draft: Self::Draft,
        person: &Person,
    ) -> Result<Self, ApiError>;
    /// Changes what the draft names, and nothing else.
    fn update(
        self,
        db: &Connection,
        draft: Self::Draft,
        person: &Person,
    ) -> Result<Self, ApiError>;

    /// Up to `limit` of them, in the order of their ids, beginning behind `after`.
    fn list(db: &Connection, after: i64, limit: usize) -> Result<Vec<Self>, ApiError> {
        let table = Self::TABLE;
        let sql = format!("SELECT * FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
        let mut query = db.prepare_cached(&sql)?;
        let rows = query.query_map((after, limit as i64), Self::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn find(db: &Connection, id: i64) -> Result<Self, ApiError> {
        let sql = format!("SELECT * FROM {} WHERE id = ?1", Self::TABLE);
        db.query_row(&sql, [id], Self::read).optional()?.ok_or_else(|| {
            let sentence = format!("There is no {} {id}.", Self::NAME);
            ApiError::new(StatusCode::NOT_FOUND, sentence)
        })
    }

    /// Finds a row, and checks that this person may change it (OWASP API1:2023).
    fn find_own(db: &Connection, id: i64, person: &Person) -> Result<Self, ApiError> {
        let row = Self::find(db, id)?;
        if row.owner() == person.username.as_str() || person.is_operator {
            return Ok(row);
        }
        let sentence = format!("Only {} may change {} {id}.", row.owner(), Self::NAME);
        Err(ApiError::new(StatusCode::FORBIDDEN, sentence))
    }

    fn delete(self, db: &Connection) -> Result<(), ApiError> {
        let (name, id) = (Self::NAME, self.id());
        let sql = format!("DELETE FROM {} WHERE id = ?1", Self::TABLE);
        db.execute(&sql, [id]).map_err(|error| {
            let sentence = format!("Other rows need {name} {id}: delete those first.");
            let answer = ApiError::new(StatusCode::CONFLICT, sentence);
            violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
        })?;
        Ok(())
    }
}

/// The users of lesson 15, with all of their SQL.
impl Model for User {
    type Draft = UserDraft;

    const NAME: &str = "user";
    const TABLE: &str = "users";
    const CHANNEL: Channel = Channel::Users;

    fn id(&self) -> i64 {
        self.id
    }

    fn owner(&self) -> &str {
        &self.owner
    }

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Self::read(row)
    }

    fn create(
        db: &Connection,
        draft: UserDraft,
        person: &Person,
    ) -> Result<Self, ApiError> {
        Self::create(db, draft, &person.username)
    }

    fn update(
        self,
        db: &Connection,
        draft: UserDraft,
        _: &Person,
    ) -> Result<Self, ApiError> {
        self.update(db, draft)
    }
}
