//! What every chat in JSON does, from lesson 06 on.

use humantime::parse_rfc3339;
use serde_json::{Value, json};

use crate::{
    Check, Client, Hint, ONE_MINUTE, Server, chat::Chat, client::shortened, serve,
};

/// The longest error, in characters. A person is to read it.
const ERROR_LIMIT: usize = 300;

/// What somebody receives who made a mistake.
pub fn error(message: impl Into<String>) -> Value {
    json!({ "type": "error", "message": message.into() })
}

/// A ping, as a client sends it.
pub const PING: &str = r#"{"type":"ping"}"#;

/// The answer to a [`PING`].
pub fn pong() -> Value {
    json!({ "type": "pong" })
}

/// A chat, as a client sends it.
pub fn chat_of(content: impl Into<String>) -> String {
    json!({ "type": "chat", "content": content.into() }).to_string()
}

/// What the others receive when somebody joins.
pub fn joined(username: &str) -> Value {
    json!({ "type": "user_joined", "username": username })
}

/// What the others receive when somebody leaves.
pub fn left(username: &str) -> Value {
    json!({ "type": "user_left", "username": username })
}

/// The others receive who joins and who leaves. Whoever joins does not receive it.
pub async fn the_others_receive_who_joins_and_who_leaves(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;

    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;

    ana.hears((chat.left)(chat.names[1])).await
}

/// Everybody receives a chat, the sender too, and the blanks around it are gone.
pub async fn everybody_receives_a_chat_the_sender_too(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;

    ana.says(r#"{"type":"chat","content":"  Hello, Ben!\n"}"#).await?;

    let said = || (chat.said)(chat.names[0], "Hello, Ben!");
    ana.hears(said()).await?;
    ben.hears(said()).await
}

/// A chat has the time, as in `2026-11-21T09:30:00.125Z`.
pub async fn the_timestamp_is_rfc_3339_in_utc(chat: Chat) -> Check {
    let (_server, mut ana, _ben) = two_meet(&chat).await?;

    ana.says((chat.says)("What time is it?")).await?;

    let heard: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let timestamp = heard["timestamp"].as_str().unwrap_or_default();
    if parse_rfc3339(timestamp).is_err() {
        return Err(Hint::new(format!(
            "{timestamp:?} should read as 2026-11-21T09:30:00.125Z."
        )));
    }
    Ok(())
}

/// A ping is answered to the sender alone.
pub async fn a_ping_is_answered_to_the_sender_alone(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;

    ana.says(PING).await?;

    ana.hears(pong()).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

/// Whoever makes a mistake, and nobody else, receives an error that says what was wrong, in
/// the words of serde and no longer than a person can read. The connection stays open.
pub async fn invalid_input_is_answered_and_does_not_disconnect(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;
    let long = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(2_001));
    let huge = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(32 * 1024));
    // An error that repeats these would be as long as they are.
    let strange = format!(r#"{{"type":"{}"}}"#, "\u{378}".repeat(16_378));
    let digits = format!(r#"{{"type":"chat","content":{}}}"#, "7".repeat(32_000));
    let object = r#"a message is a JSON object, such as {"type":"ping"}"#;
    // A star stands for whatever else the sentence says.
    let mistakes = [
        ("hello", object),
        ("", object),
        (r#"["ping"]"#, object),
        (r#"{"type":"chat""#, "this is not valid JSON: *"),
        (r#"{"type":"ping"} and more"#, "this is not valid JSON: *"),
        ("{}", "missing field `type`*"),
        (r#"{"type":7}"#, "*"),
        (r#"{"type":"shout"}"#, "unknown variant `shout`, expected `chat` or `ping`*"),
        (&strange, "unknown variant `\u{378}*`, expected `chat` or `ping`*"),
        (&digits, "*"),
        (r#"{"type":"chat"}"#, "missing field `content`*"),
        (
            r#"{"type":"chat","content":7}"#,
            "invalid type: integer `7`, expected a string*",
        ),
        (r#"{"type":"chat","content":"a","content":"b"}"#, "duplicate field `content`*"),
        (r#"{"type":"chat","content":" \n "}"#, "content is empty*"),
        (&long, "content has 2001 characters, the limit is 2000*"),
        (&huge, "32796 bytes are too many: the limit is 32768"),
    ];

    for (mistake, sentence) in mistakes {
        ana.says(mistake).await?;
        receives_error(&mut ana, mistake, sentence).await?;
    }
    ana.sends_binary(b"{}").await?;
    receives_error(&mut ana, "a binary message", "this server reads text, not binary")
        .await?;

    ben.hears_nothing_for(ONE_MINUTE).await?;
    ana.says(PING).await?;
    ana.hears(pong()).await
}

/// 2,000 characters may be more bytes than that.
pub async fn the_longest_content_passes(chat: Chat) -> Check {
    let (_server, mut ana, _ben) = two_meet(&chat).await?;
    let longest = "é".repeat(2_000);

    ana.says((chat.says)(&longest)).await?;

    ana.hears((chat.said)(chat.names[0], &longest)).await
}

/// Ana is there, and receives that Ben has joined.
async fn two_meet(chat: &Chat) -> Result<(Server, Client, Client), Hint> {
    let server = serve((chat.app)());
    let [ana, ben, _] = chat.names;
    let mut first = server.connect("Ana", &(chat.path)(ana)).await?;
    let second = server.connect("Ben", &(chat.path)(ben)).await?;
    first.hears(joined(ben)).await?;
    Ok((server, first, second))
}

/// After `mistake`, Ana receives an error that is `sentence`, in which a star stands for any
/// text, and that is not too long for a person to read.
pub async fn receives_error(ana: &mut Client, mistake: &str, sentence: &str) -> Check {
    let received: Value =
        serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let message = received["message"].as_str().unwrap_or_default();
    let length = message.chars().count();
    let after = format!("After {}", shortened(mistake));

    if received["type"] != "error" || !fits(message, sentence) {
        return Err(Hint::new(format!(
            "{after}, Ana should receive the error {sentence:?}, but received {}.",
            shortened(&received.to_string())
        )));
    }
    if length > ERROR_LIMIT {
        return Err(Hint::new(format!(
            "{after}, Ana received an error of {length} characters. It should have \
             {ERROR_LIMIT} at most: it repeats what she sent."
        )));
    }
    Ok(())
}

/// Whether `text` is `pattern`, in which each star stands for any text.
fn fits(text: &str, pattern: &str) -> bool {
    let Some((beginning, pattern)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(text) = text.strip_prefix(beginning) else { return false };
    let ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    ends.into_iter().any(|end| fits(&text[end..], pattern))
}

/// These rules as tests: those that are named after `=>`, or all. The chat may be any
/// expression.
#[macro_export]
macro_rules! json_conformance {
    ($chat:expr) => {
        $crate::json_conformance! { $chat =>
            the_others_receive_who_joins_and_who_leaves,
            everybody_receives_a_chat_the_sender_too,
            the_timestamp_is_rfc_3339_in_utc,
            a_ping_is_answered_to_the_sender_alone,
            invalid_input_is_answered_and_does_not_disconnect,
            the_longest_content_passes,
        }
    };
    ($chat:expr => $($rule:ident),* $(,)?) => {
        $crate::rules! { json as json_conformance, ($chat) => $($rule),* }
    };
}
