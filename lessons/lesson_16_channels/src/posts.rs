//! Posts: a second model. Each is by a user.

use lesson_08_auth::{Content, Username};
use lesson_15_database::{ApiError, Model, OneLine, given, required, violation};
use rusqlite::{Connection, Row, ffi::SQLITE_CONSTRAINT_FOREIGNKEY};
use serde::{Deserialize, Serialize};

use crate::{channels::Channel, publisher::LiveModel};

#[derive(Serialize)]
pub struct Post {
    id: i64,
    /// Who wrote it, and may change it.
    owner: String,
    /// By whom it is: a row of the users.
    user_id: i64,
    title: String,
    body: String,
}

/// What a request says about a post. A `POST` must name all of it, a `PATCH` what changes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostDraft {
    #[serde(deserialize_with = "given")]
    user_id: Option<i64>,
    #[serde(deserialize_with = "given")]
    title: Option<OneLine>,
    #[serde(deserialize_with = "given")]
    body: Option<Content>,
}

impl Model for Post {
    type Draft = PostDraft;

    const NAME: &str = "post";
    const TABLE: &str = "posts";

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
        owner: &Username,
    ) -> Result<Self, ApiError> {
        let sql = "INSERT INTO posts (owner, user_id, title, body) \
                   VALUES (?1, ?2, ?3, ?4) RETURNING *";
        let values = (
            owner.as_str(),
            required("user_id", draft.user_id)?,
            required("title", draft.title)?.0,
            String::from(required("body", draft.body)?),
        );
        db.query_row(sql, values, Self::read).map_err(no_such_user)
    }

    fn update(self, db: &Connection, draft: PostDraft) -> Result<Self, ApiError> {
        let sql = "UPDATE posts SET user_id = ?2, title = ?3, body = ?4 \
                   WHERE id = ?1 RETURNING *";
        let values = (
            self.id,
            draft.user_id.unwrap_or(self.user_id),
            draft.title.map_or(self.title, |title| title.0),
            draft.body.map_or(self.body, String::from),
        );
        db.query_row(sql, values, Self::read).map_err(no_such_user)
    }
}

impl LiveModel for Post {
    const CHANNEL: Channel = Channel::Posts;
}

/// The answer to an error: 422, if it is about the user of a post. The table looks for the
/// user itself (`REFERENCES users`).
fn no_such_user(error: rusqlite::Error) -> ApiError {
    let answer = ApiError::field("user_id", "there is no such user");
    violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
}
