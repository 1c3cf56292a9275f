//! Users and posts in the database: every line of SQL about them is here.

use rusqlite::{
    Connection, Error, OptionalExtension, Row, ToSql,
    ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_UNIQUE},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    channel::Channel,
    models::{Post, PostDraft, User, UserDraft},
};
use crate::{
    auth::{CurrentUser, Role},
    error::ApiError,
    session::json::now,
};

/// Something that has a table, and a channel that tells of its changes.
pub trait Model: Serialize + Sized + Send + 'static {
    type Draft: DeserializeOwned + Send + 'static;

    /// What one of them is called, in sentences.
    const NAME: &str;
    /// What all of them are called, in the database and in events.
    const TABLE: &str;
    const CHANNEL: Channel;

    fn id(&self) -> i64;
    /// Who created it, and may change it.
    fn owner(&self) -> &str;
    fn read(row: &Row) -> rusqlite::Result<Self>;
    /// Creates a row that belongs to this user.
    fn create(
        db: &Connection,
        draft: Self::Draft,
        user: &CurrentUser,
    ) -> Result<Self, ApiError>;
    fn update(
        self,
        db: &Connection,
        draft: Self::Draft,
        user: &CurrentUser,
    ) -> Result<Self, ApiError>;

    /// Whether this user may change the row.
    fn belongs_to(&self, user: &CurrentUser) -> bool {
        self.owner() == user.username.as_str() || user.role == Role::Operator
    }

    /// Up to `limit` of them, in the order of their ids, beginning behind `after`.
    fn list(db: &Connection, after: i64, limit: usize) -> Result<Vec<Self>, ApiError> {
        let table = Self::TABLE;
        let sql = format!("SELECT * FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
        let mut query = db.prepare_cached(&sql)?;
        let rows = query.query_map((after, limit as i64), Self::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn find(db: &Connection, id: i64) -> Result<Self, ApiError> {
        one(db, &format!("SELECT * FROM {} WHERE id = ?1", Self::TABLE), &[&id])
            .optional()?
            .ok_or_else(|| {
                ApiError::not_found(format!("There is no {} {id}.", Self::NAME))
            })
    }

    /// Finds a row, and checks that this user may change it (OWASP API1).
    fn find_own(db: &Connection, id: i64, user: &CurrentUser) -> Result<Self, ApiError> {
        let row = Self::find(db, id)?;
        if row.belongs_to(user) {
            return Ok(row);
        }
        let name = Self::NAME;
        Err(ApiError::forbidden(format!("Only its owner may change {name} {id}.")))
    }

    /// Deletes the row. Returns what it was.
    fn delete(self, db: &Connection) -> Result<Self, ApiError> {
        let sql = format!("DELETE FROM {} WHERE id = ?1", Self::TABLE);
        match db.execute(&sql, [self.id()]) {
            Ok(_) => Ok(self),
            Err(error) => {
                let sentence = "This user is still needed: delete the posts first.";
                let answer = ApiError::conflict(sentence);
                Err(violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer))
            }
        }
    }
}

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
        user: &CurrentUser,
    ) -> Result<Self, ApiError> {
        let name = required("name", draft.name)?.0;
        let email = required("email", draft.email)?.0;
        let phone = draft.phone.flatten().map(|phone| phone.0);
        let is_active = draft.is_active.unwrap_or(true);
        let sql = "INSERT INTO users (owner, name, email, phone, is_active, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING *";
        let owner = user.username.as_str();
        one(db, sql, &[&owner, &name, &email, &phone, &is_active, &now()])
            .map_err(email_taken)
    }

    fn update(
        self,
        db: &Connection,
        draft: UserDraft,
        _: &CurrentUser,
    ) -> Result<Self, ApiError> {
        let name = draft.name.map_or(self.name, |name| name.0);
        let email = draft.email.map_or(self.email, |email| email.0);
        let phone = draft.phone.map_or(self.phone, |phone| phone.map(|phone| phone.0));
        let is_active = draft.is_active.unwrap_or(self.is_active);
        let sql = "UPDATE users SET name = ?2, email = ?3, phone = ?4, is_active = ?5 \
                   WHERE id = ?1 RETURNING *";
        one(db, sql, &[&self.id, &name, &email, &phone, &is_active]).map_err(email_taken)
    }
}

impl Model for Post {
    type Draft = PostDraft;

    const NAME: &str = "post";
    const TABLE: &str = "posts";
    const CHANNEL: Channel = Channel::Posts;

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
            user_id: row.get("user_id")?,
            title: row.get("title")?,
            body: row.get("body")?,
        })
    }

    fn create(
        db: &Connection,
        draft: PostDraft,
        user: &CurrentUser,
    ) -> Result<Self, ApiError> {
        let user_id = required("user_id", draft.user_id)?;
        check_author(db, user_id, user)?;
        let title = required("title", draft.title)?.0;
        let body = required("body", draft.body)?.0;
        let sql = "INSERT INTO posts (owner, user_id, title, body) \
                   VALUES (?1, ?2, ?3, ?4) RETURNING *";
        one(db, sql, &[&user.username.as_str(), &user_id, &title, &body])
            .map_err(no_author)
    }

    fn update(
        self,
        db: &Connection,
        draft: PostDraft,
        user: &CurrentUser,
    ) -> Result<Self, ApiError> {
        if let Some(user_id) = draft.user_id {
            check_author(db, user_id, user)?;
        }
        let user_id = draft.user_id.unwrap_or(self.user_id);
        let title = draft.title.map_or(self.title, |title| title.0);
        let body = draft.body.map_or(self.body, |body| body.0);
        let sql = "UPDATE posts SET user_id = ?2, title = ?3, body = ?4 WHERE id = ?1 \
                   RETURNING *";
        one(db, sql, &[&self.id, &user_id, &title, &body]).map_err(no_author)
    }
}

/// The row that a statement returns.
///
/// Values go beside the SQL, never into it: text that looks like SQL stays text.
fn one<T: Model>(
    db: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<T> {
    db.prepare_cached(sql)?.query_row(values, T::read)
}

fn required<T>(field: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::field(field, format!("{field} is missing")))
}

/// Checks that a post may be by the user with this id: nobody posts under the name of a row
/// that belongs to somebody else. The table itself refuses a user who does not exist.
fn check_author(db: &Connection, id: i64, user: &CurrentUser) -> Result<(), ApiError> {
    let author = one::<User>(db, "SELECT * FROM users WHERE id = ?1", &[&id]);
    match author.optional()? {
        Some(author) if !author.belongs_to(user) => {
            Err(ApiError::forbidden(format!("Only the owner of user {id} may do this.")))
        }
        _ => Ok(()),
    }
}

fn email_taken(error: Error) -> ApiError {
    let answer = ApiError::conflict("Another user has this e-mail address.");
    violation(error, SQLITE_CONSTRAINT_UNIQUE, answer)
}

fn no_author(error: Error) -> ApiError {
    let answer = ApiError::field("user_id", "there is no such user");
    violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
}

/// The answer to an error: `answer` if it violates this constraint of the table.
///
/// Why not look before? The constraint holds for everyone who writes to the table.
fn violation(error: Error, constraint: i32, answer: ApiError) -> ApiError {
    match error.sqlite_error() {
        Some(code) if code.extended_code == constraint => answer,
        _ => error.into(),
    }
}
