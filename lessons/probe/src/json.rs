//! What every chat in JSON does, from lesson 06 on.

use humantime::parse_rfc3339;
use serde_json::{Value, json};

use crate::{Check, Client, Hint, ONE_MINUTE, Server, chat::Chat, serve};

/// What somebody hears who made a mistake.
pub fn error(message: impl Into<String>) -> Value {
    json!({ "type": "error", "message": message.into() })
}

/// The others hear who joins and who leaves. Whoever joins does not hear it.
pub async fn the_others_hear_who_joins_and_who_leaves(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;

    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;

    ana.hears((chat.left)(chat.names[1])).await
}

/// Everybody hears a chat, the sender too, and the blanks around it are gone.
pub async fn everybody_hears_a_chat_the_sender_too(chat: Chat) -> Check {
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

    ana.says(r#"{"type":"ping"}"#).await?;

    ana.hears(json!({ "type": "pong" })).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

/// Whoever makes a mistake is told what was wrong, alone, and the conversation goes on.
pub async fn bad_input_is_answered_and_not_punished(chat: Chat) -> Check {
    let (_server, mut ana, mut ben) = two_meet(&chat).await?;
    let long = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(2_001));
    let huge = format!(r#"{{"type":"chat","content":"{}"}}"#, "x".repeat(32 * 1024));
    // Ten bytes each when it is quoted in an error, which has to fit into the line, too.
    let odd = format!(r#"{{"type":"{}"}}"#, "\u{378}".repeat(16_378));
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
        (
            r#"{"type":"shout"}"#,
            r#"unknown message type "shout": this server knows chat and ping"#,
        ),
        (&odd, r#"unknown message type "\u{378}*"#),
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
        hears_error(&mut ana, mistake, sentence).await?;
    }
    ana.sends_binary(b"{}").await?;
    hears_error(&mut ana, "a binary message", "this server reads text, not binary")
        .await?;

    ben.hears_nothing_for(ONE_MINUTE).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

/// 2,000 characters may be more bytes than that.
pub async fn the_longest_content_passes(chat: Chat) -> Check {
    let (_server, mut ana, _ben) = two_meet(&chat).await?;
    let longest = "é".repeat(2_000);

    ana.says((chat.says)(&longest)).await?;

    ana.hears((chat.said)(chat.names[0], &longest)).await
}

/// Ana is there, and hears Ben join.
async fn two_meet(chat: &Chat) -> Result<(Server, Client, Client), Hint> {
    let server = serve((chat.app)());
    let [ana, ben, _] = chat.names;
    let mut first = server.connect("Ana", &(chat.path)(ana)).await?;
    let second = server.connect("Ben", &(chat.path)(ben)).await?;
    first.hears(json!({ "type": "user_joined", "username": ben })).await?;
    Ok((server, first, second))
}

async fn hears_error(ana: &mut Client, mistake: &str, sentence: &str) -> Check {
    let heard: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    let message = heard["message"].as_str().unwrap_or_default();
    let fits = match sentence.strip_suffix('*') {
        Some(beginning) => message.starts_with(beginning),
        None => message == sentence,
    };
    if fits && heard["type"] == "error" {
        return Ok(());
    }
    Err(Hint::new(format!(
        "After {mistake}, Ana should get the error {sentence:?}, but heard {heard}."
    )))
}

/// All of these rules as tests. The chat may be any expression.
#[macro_export]
macro_rules! json_manners {
    ($chat:expr) => {
        mod json_manners {
            use super::*;

            $crate::json_manners! { @each $chat =>
                the_others_hear_who_joins_and_who_leaves,
                everybody_hears_a_chat_the_sender_too,
                the_timestamp_is_rfc_3339_in_utc,
                a_ping_is_answered_to_the_sender_alone,
                bad_input_is_answered_and_not_punished,
                the_longest_content_passes,
            }
        }
    };
    (@each $chat:expr => $($rule:ident,)*) => {
        $(
            #[tokio::test(start_paused = true)]
            async fn $rule() -> $crate::Check {
                $crate::json::$rule($chat).await
            }
        )*
    };
}
