//! Posts: a second model. Each is by a user.

use lesson_08_auth::Username;
use lesson_15_database::{ApiError, OneLine, given, required, violation};
use rusqlite::{Connection, Row, ffi::SQLITE_CONSTRAINT_FOREIGNKEY};
use serde::{Deserialize, Serialize};

use crate::{channels::Channel, models::Model};

/// The longest text, in characters. A longer one is 422, or an error on the socket.
const TEXT_LIMIT: usize = 2_000;

#[derive(Serialize)]
pub struct Post {
    pub id: i64,
    /// Who wrote it, and may change it.
    pub owner: String,
    /// By whom it is: a row of the users.
    pub user_id: i64,
    pub title: String,
    pub body: String,
}

/// What a request says about a post. A `POST` must name all of it, a `PATCH` what changes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PostDraft {
    #[serde(deserialize_with = "given")]
    pub user_id: Option<i64>,
    #[serde(deserialize_with = "given")]
    pub title: Option<OneLine>,
    #[serde(deserialize_with = "given")]
    pub body: Option<Text>,
}

/// A text of one or more lines: that of a post, or of a message to `news`.
#[derive(Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Text(pub String);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.trim().chars().count() {
            1..=TEXT_LIMIT => Ok(Self(text.trim().into())),
            length => Err(format!("{length} characters: it may be 1 to {TEXT_LIMIT}")),
        }
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
        owner: &Username,
    ) -> Result<Self, ApiError> {
        let sql = "INSERT INTO posts (owner, user_id, title, body) \
                   VALUES (?1, ?2, ?3, ?4) RETURNING *";
        let values = (
            owner.as_str(),
            required("user_id", draft.user_id)?,
            required("title", draft.title)?.0,
            required("body", draft.body)?.0,
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
            draft.body.map_or(self.body, |body| body.0),
        );
        db.query_row(sql, values, Self::read).map_err(no_such_user)
    }
}

/// The answer to an error: 422, if it is about the user of a post.
///
/// Why not look for the user before? The table looks itself (`REFERENCES users`), for
/// everybody who writes to it.
fn no_such_user(error: rusqlite::Error) -> ApiError {
    let answer = ApiError::field("user_id", "there is no such user");
    violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
}
