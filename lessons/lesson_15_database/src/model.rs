//! Models: what a table has to say of itself, and the SQL that is the same for each.

use axum::http::StatusCode;
use lesson_08_auth::Username;
use rusqlite::{Connection, OptionalExtension, Row, ffi::SQLITE_CONSTRAINT_FOREIGNKEY};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::ApiError;

/// A row of a table that the API serves.
///
/// Why a trait? Finding, listing, deleting and the check of the owner need no columns, so
/// no table has to write them again, and none can forget the check. Rows are `Send` and
/// own what they hold, because they come from another thread, that of the database.
pub trait Model: Serialize + Sized + Send + 'static {
    /// The body of a `POST` or a `PATCH`.
    type Draft: DeserializeOwned + Send + 'static;

    /// What one of them is called, in sentences.
    const NAME: &str;
    /// What all of them are called: the table, the path, and the model of events.
    const TABLE: &str;

    fn id(&self) -> i64;
    /// Who created it, and may change it.
    fn owner(&self) -> &str;
    /// Reads a row that has all columns of the table.
    fn read(row: &Row) -> rusqlite::Result<Self>;
    /// Creates a row that belongs to this person.
    fn create(
        db: &Connection,
        draft: Self::Draft,
        owner: &Username,
    ) -> Result<Self, ApiError>;
    /// Changes what the draft names, and nothing else.
    fn update(self, db: &Connection, draft: Self::Draft) -> Result<Self, ApiError>;

    /// Up to `limit` of them, in the order of their ids, beginning behind `after`.
    fn list(db: &Connection, after: i64, limit: usize) -> Result<Vec<Self>, ApiError> {
        // Why is `format!` safe here? The table is a constant of ours. What a client sends
        // goes beside the SQL, never into it.
        let table = Self::TABLE;
        let sql = format!("SELECT * FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
        let mut query = db.prepare(&sql)?;
        let rows = query.query_map((after, limit as i64), Self::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn find(db: &Connection, id: i64) -> Result<Self, ApiError> {
        let sql = format!("SELECT * FROM {} WHERE id = ?1", Self::TABLE);
        db.query_row(&sql, [id], Self::read).optional()?.ok_or_else(|| {
            let sentence = format!("There is no {} {id}.", Self::NAME);
            ApiError::new(StatusCode::NOT_FOUND, &sentence)
        })
    }

    /// Checks that this person may change the row (OWASP API1:2023).
    fn owned_by(self, person: &Username) -> Result<Self, ApiError> {
        if self.owner() == person.as_str() {
            return Ok(self);
        }
        let sentence = format!("Only its owner may change {} {}.", Self::NAME, self.id());
        Err(ApiError::new(StatusCode::FORBIDDEN, &sentence))
    }

    /// Deletes the row. What if rows of another table refer to it? They stay, and so does
    /// it: their data should not vanish with a row that somebody else deletes.
    fn delete(self, db: &Connection) -> Result<(), ApiError> {
        let (name, id) = (Self::NAME, self.id());
        let sql = format!("DELETE FROM {} WHERE id = ?1", Self::TABLE);
        db.execute(&sql, [id]).map_err(|error| {
            let sentence = format!("Other rows need {name} {id}: delete those first.");
            let answer = ApiError::new(StatusCode::CONFLICT, &sentence);
            violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
        })?;
        Ok(())
    }
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
