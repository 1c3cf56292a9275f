//! Users and posts in the database: every line of SQL about them is here.

use rusqlite::{
    Connection, Error, OptionalExtension, Row, ToSql,
    ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_UNIQUE},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    channels::Channel,
    models::{Post, PostDraft, User, UserDraft},
    refusal::Refusal,
};

/// Something that has a table, and a channel that tells of its changes.
pub trait Record: Serialize + Sized + Send + 'static {
    type Draft: DeserializeOwned + Send + 'static;

    /// What one of them is called, in events and in sentences.
    const NAME: &str;
    const TABLE: &str;
    const CHANNEL: Channel;

    fn id(&self) -> i64;
    fn read(row: &Row) -> rusqlite::Result<Self>;
    fn create(db: &Connection, draft: Self::Draft) -> Result<Self, Refusal>;
    fn update(self, db: &Connection, draft: Self::Draft) -> Result<Self, Refusal>;

    /// Up to `limit` of them, in the order of their ids, beginning behind `after`.
    fn list(db: &Connection, after: i64, limit: usize) -> Result<Vec<Self>, Refusal> {
        let table = Self::TABLE;
        let sql = format!("SELECT * FROM {table} WHERE id > ?1 ORDER BY id LIMIT ?2");
        let mut query = db.prepare_cached(&sql)?;
        let rows = query.query_map((after, limit as i64), Self::read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn find(db: &Connection, id: i64) -> Result<Self, Refusal> {
        one(db, &format!("SELECT * FROM {} WHERE id = ?1", Self::TABLE), &[&id])
            .optional()?
            .ok_or_else(|| {
                Refusal::not_found(format!("There is no {} {id}.", Self::NAME))
            })
    }

    /// Takes it out of the table. Answers with what it was.
    fn delete(db: &Connection, id: i64) -> Result<Self, Refusal> {
        let record = Self::find(db, id)?;
        db.execute(&format!("DELETE FROM {} WHERE id = ?1", Self::TABLE), [id]).map_err(
            |error| match broken_rule(&error) {
                Some(SQLITE_CONSTRAINT_FOREIGNKEY) => Refusal::conflict(format!(
                    "This {} is still needed: delete the posts first.",
                    Self::NAME
                )),
                _ => error.into(),
            },
        )?;
        Ok(record)
    }
}

impl Record for User {
    type Draft = UserDraft;

    const NAME: &str = "user";
    const TABLE: &str = "users";
    const CHANNEL: Channel = Channel::Users;

    fn id(&self) -> i64 {
        self.id
    }

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            email: row.get("email")?,
            phone: row.get("phone")?,
        })
    }

    fn create(db: &Connection, draft: UserDraft) -> Result<Self, Refusal> {
        let name = required("name", draft.name)?.0;
        let email = required("email", draft.email)?.0;
        let phone = draft.phone.flatten().map(|phone| phone.0);
        let sql =
            "INSERT INTO users (name, email, phone) VALUES (?1, ?2, ?3) RETURNING *";
        one(db, sql, &[&name, &email, &phone]).map_err(taken)
    }

    fn update(self, db: &Connection, draft: UserDraft) -> Result<Self, Refusal> {
        let name = draft.name.map_or(self.name, |name| name.0);
        let email = draft.email.map_or(self.email, |email| email.0);
        let phone = draft.phone.map_or(self.phone, |phone| phone.map(|phone| phone.0));
        let sql = "UPDATE users SET name = ?2, email = ?3, phone = ?4 WHERE id = ?1 \
                   RETURNING *";
        one(db, sql, &[&self.id, &name, &email, &phone]).map_err(taken)
    }
}

impl Record for Post {
    type Draft = PostDraft;

    const NAME: &str = "post";
    const TABLE: &str = "posts";
    const CHANNEL: Channel = Channel::Posts;

    fn id(&self) -> i64 {
        self.id
    }

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            user_id: row.get("user_id")?,
            title: row.get("title")?,
            body: row.get("body")?,
        })
    }

    fn create(db: &Connection, draft: PostDraft) -> Result<Self, Refusal> {
        let user_id = required("user_id", draft.user_id)?;
        let title = required("title", draft.title)?.0;
        let body = required("body", draft.body)?.0;
        let sql =
            "INSERT INTO posts (user_id, title, body) VALUES (?1, ?2, ?3) RETURNING *";
        one(db, sql, &[&user_id, &title, &body]).map_err(no_author)
    }

    fn update(self, db: &Connection, draft: PostDraft) -> Result<Self, Refusal> {
        let user_id = draft.user_id.unwrap_or(self.user_id);
        let title = draft.title.map_or(self.title, |title| title.0);
        let body = draft.body.map_or(self.body, |body| body.0);
        let sql = "UPDATE posts SET user_id = ?2, title = ?3, body = ?4 WHERE id = ?1 \
                   RETURNING *";
        one(db, sql, &[&self.id, &user_id, &title, &body]).map_err(no_author)
    }
}

/// The record that a statement brings.
///
/// Values go beside the SQL, never into it: text that looks like SQL stays text.
fn one<T: Record>(
    db: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<T> {
    db.prepare_cached(sql)?.query_row(values, T::read)
}

fn required<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(field, format!("{field} is missing")))
}

/// What to say when somebody else has this e-mail address.
///
/// Why not look before? The rule of the table holds for everyone who writes to it.
fn taken(error: Error) -> Refusal {
    match broken_rule(&error) {
        Some(SQLITE_CONSTRAINT_UNIQUE) => {
            Refusal::conflict("Another user has this e-mail address.")
        }
        _ => error.into(),
    }
}

/// What to say when the user of a post does not exist.
fn no_author(error: Error) -> Refusal {
    match broken_rule(&error) {
        Some(SQLITE_CONSTRAINT_FOREIGNKEY) => {
            Refusal::field("user_id", "there is no such user")
        }
        _ => error.into(),
    }
}

/// Which kind of rule of the table an error is about.
fn broken_rule(error: &Error) -> Option<i32> {
    Some(error.sqlite_error()?.extended_code)
}
