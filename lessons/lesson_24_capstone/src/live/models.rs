//! What the database holds: users and posts, and what a good one looks like.
//!
//! These users are the people in an address book. Those who may sign in are in
//! `auth/users.rs`.

use serde::{Deserialize, Deserializer, Serialize};

/// The longest name of a user, and the longest title of a post, in characters.
const LINE_LIMIT: usize = 100;

/// The longest body of a post, in characters.
const TEXT_LIMIT: usize = 2_000;

/// The longest e-mail address, and what stands in front of its @ (RFC 5321, section
/// 4.5.3.1).
const EMAIL_LIMIT: usize = 254;
const LOCAL_PART_LIMIT: usize = 64;

#[derive(Serialize)]
pub struct User {
    pub id: i64,
    /// Who created it, and may change it.
    pub owner: String,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub is_active: bool,
    /// When we have created it, as in `2026-11-21T09:30:00.125Z` (RFC 3339, UTC).
    pub created_at: String,
}

#[derive(Serialize)]
pub struct Post {
    pub id: i64,
    /// Who created it, and may change it.
    pub owner: String,
    pub user_id: i64,
    pub title: String,
    pub body: String,
}

/// What a request says about a user. A `POST` must say it all, a `PATCH` what changes.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserDraft {
    #[serde(deserialize_with = "given")]
    pub name: Option<OneLine>,
    #[serde(deserialize_with = "given")]
    pub email: Option<Email>,
    /// `null` takes the number away. That is not the same as saying nothing about it.
    #[serde(deserialize_with = "given")]
    pub phone: Option<Option<Phone>>,
    #[serde(deserialize_with = "given")]
    pub is_active: Option<bool>,
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

/// Reads a field that is there. One that is not stays `None`.
///
/// Why? On its own, serde reads `null` as `None`, too: `{"name":null}` would count as
/// saying nothing.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
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

/// A text of several lines.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Text(pub String);

impl TryFrom<String> for Text {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // Each would be six bytes of JSON, and nobody sees them.
        let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
        match text.chars().count() {
            _ if text.contains(is_odd) => {
                Err("control characters are not allowed, but for tabs and line ends"
                    .into())
            }
            0..=TEXT_LIMIT => Ok(Self(text)),
            length => Err(format!("{length} characters, the limit is {TEXT_LIMIT}")),
        }
    }
}

/// What may be an e-mail address. Whether it is one, only a mail to it can tell.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Email(pub String);

impl TryFrom<String> for Email {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        let good = text.rsplit_once('@').is_some_and(|(local, domain)| {
            (1..=LOCAL_PART_LIMIT).contains(&local.len())
                && domain.contains('.')
                && domain.split('.').all(|label| !label.is_empty())
                && !local.contains(odd)
                && !domain.contains(odd)
        });
        if good && text.len() <= EMAIL_LIMIT {
            Ok(Self(text.into()))
        } else {
            Err("an e-mail address looks like ana@example.org".into())
        }
    }
}

/// A telephone number, as people write it.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Phone(pub String);

impl TryFrom<String> for Phone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let known = |c: char| c.is_ascii_digit() || "+-/() ".contains(c);
        if (3..=15).contains(&digits) && text.len() <= 30 && text.chars().all(known) {
            Ok(Self(text.into()))
        } else {
            Err("a telephone number has 3 to 15 digits, as in +49 30 1234567".into())
        }
    }
}
