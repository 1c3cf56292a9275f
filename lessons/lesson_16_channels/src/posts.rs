//! Posts: a second model. Each is by a user.

use lesson_15_database::{ApiError, OneLine, User, given, required, violation};
use rusqlite::{Connection, Params, Row, ffi::SQLITE_CONSTRAINT_FOREIGNKEY};
use serde::{Deserialize, Serialize};

use crate::{channels::Channel, extract::Person, models::Model};

/// The longest text, in characters.
const TEXT_LIMIT: usize = 2_000;

#[derive(Serialize)]
pub struct Post {
    pub id: i64,
    pub owner: String,
    pub user_id: i64,
    pub title: String,
    pub body: String,
}

/// What a request says about a post.
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

/// A text of one or more lines.
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
        person: &Person,
    ) -> Result<Self, ApiError> {
        let sql = "INSERT INTO posts (owner, user_id, title, body) \
                   VALUES (?1, ?2, ?3, ?4) RETURNING *";
        let values = (
            person.username.as_str(),
            required("user_id", draft.user_id)?,
            required("title", draft.title)?.0,
            required("body", draft.body)?.0,
        );
        Self::save(db, sql, values, person)
    }

    fn update(
        self,
        db: &Connection,
        draft: PostDraft,
        person: &Person,
    ) -> Result<Self, ApiError> {
        let sql = "UPDATE posts SET user_id = ?2, title = ?3, body = ?4 \
                   WHERE id = ?1 RETURNING *";
        let values = (
            self.id,
            draft.user_id.unwrap_or(self.user_id),
            draft.title.map_or(self.title, |title| title.0),
            draft.body.map_or(self.body, |body| body.0),
        );
        Self::save(db, sql, values, person)
    }
}

impl Post {
    /// Writes a post, and then checks its user: it must exist, and nobody posts as the user
    /// of somebody else. The transaction of a post that is rejected is never committed.
    fn save(
        db: &Connection,
        sql: &str,
        values: impl Params,
        person: &Person,
    ) -> Result<Self, ApiError> {
        let post = db.query_row(sql, values, Self::read).map_err(|error| {
            let answer = ApiError::field("user_id", "there is no such user");
            violation(error, SQLITE_CONSTRAINT_FOREIGNKEY, answer)
        })?;
        User::find_own(db, post.user_id, person)?;
        Ok(post)
    }
}
