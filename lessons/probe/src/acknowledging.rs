//! What every chat with a log does with what has an id: it is acknowledged once it is in the
//! log, and there once.

use serde_json::{Value, json};

use crate::{
    ANY, Check, ONE_MINUTE,
    json::{joined, receives_error},
    resuming::{Resuming, ack, chat_with_id, numbered},
    rooms::chat_from,
};

fn rejected(id: &str, message: &str) -> Value {
    json!({ "type": "rejected", "id": id, "message": message })
}

/// Ana's chat with this id and number, as all receive it.
fn chat_of_ana(id: &str, content: &str, seq: i64) -> Value {
    let mut chat = chat_from("ana", content);
    chat["id"] = json!(id);
    chat["seq"] = json!(seq);
    chat
}

/// Each chat with an id gets its number, and one answer.
pub async fn a_chat_with_an_id_is_acknowledged_with_its_number(it: Resuming) -> Check {
    let server = it.serve().ignoring(&["chat"]);
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;

    for (id, seq) in [("first", 1), ("second", 2)] {
        ana.says(chat_with_id(id, "hello")).await?;
        ana.hears(ack(id, seq)).await?;
    }
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// However often it is sent: the answer is for its sender alone.
pub async fn the_others_receive_the_chat_once_and_no_acknowledgement(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let mut ben = server.connect("Ben", &(it.path)("rust", "ben")).await?;
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ben.hears(joined("ana")).await?;

    for _ in 0..3 {
        ana.says(chat_with_id("a-1", "hello")).await?;
    }

    ben.hears(chat_of_ana("a-1", "hello", 1)).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

/// The connection may have been lost before the first answer.
pub async fn a_chat_that_is_sent_again_is_acknowledged_with_the_same_number(
    it: Resuming,
) -> Check {
    let server = it.serve().ignoring(&["chat"]);
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ana.says(chat_with_id("a-1", "hello")).await?;
    ana.hears(ack("a-1", 1)).await?;
    ana.vanishes().await;

    let mut again = server.connect("Ana", &it.resume("ana", 0, "another")).await?;
    again.hears(json!({ "type": "welcome", "log": ANY, "seq": 1 })).await?;
    again.hears(json!({ "type": "gap", "next": 1 })).await?;
    again.says(chat_with_id("a-1", "hello")).await?;

    again.hears(ack("a-1", 1)).await?;
    again.hears_nothing_for(ONE_MINUTE).await
}

/// An id is unique for its sender, and nobody can use up those of others.
pub async fn the_same_id_of_two_senders_is_two_chats(it: Resuming) -> Check {
    let server = it.serve().ignoring(&["chat", "user_joined"]);
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &(it.path)("rust", "ben")).await?;

    ana.says(chat_with_id("1", "hello")).await?;
    ana.hears(ack("1", 1)).await?;
    ben.says(chat_with_id("1", "hello")).await?;

    ben.hears(ack("1", 2)).await
}

/// An acknowledgement would say that the new words are in the log.
pub async fn an_id_for_other_words_or_another_room_is_rejected(it: Resuming) -> Check {
    let server = it.serve().ignoring(&["chat"]);
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ana.says(chat_with_id("a-1", "hello")).await?;
    ana.hears(ack("a-1", 1)).await?;
    let sentence = "this id was used for another message";

    ana.says(chat_with_id("a-1", "good night")).await?;
    ana.hears(rejected("a-1", sentence)).await?;
    let mut elsewhere = server.connect("Ana", &(it.path)("tea", "ana")).await?;
    elsewhere.says(chat_with_id("a-1", "hello")).await?;
    elsewhere.hears(rejected("a-1", sentence)).await?;

    ana.says(chat_with_id("a-2", "hello")).await?;
    ana.hears(ack("a-2", 2)).await
}

/// Without the id, its sender would send it again for ever.
pub async fn a_chat_that_can_never_be_accepted_is_rejected_with_its_id(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;

    ana.says(chat_with_id("a-1", " \n ")).await?;
    let answer: Value = serde_json::from_str(&ana.hears_any().await?).unwrap_or_default();
    assert_eq!(answer["type"], "rejected", "it must not be sent for ever: {answer}");
    assert_eq!(answer["id"], "a-1", "she knows which: {answer}");
    let sentence = answer["message"].as_str().unwrap_or_default();
    assert!(sentence.starts_with("content is empty"), "she can read why: {sentence}");

    ana.says(chat_with_id("a-2", &"x".repeat(40_000))).await?;
    ana.hears(rejected("a-2", "40039 bytes are too many: the limit is 32768")).await?;

    let long = "x".repeat(65);
    for id in ["", "a b", "ä", "a.b", long.as_str()] {
        let sentence = "an id has 1 to 64 letters of ASCII, digits, - and _*";
        ana.says(chat_with_id(id, "hello")).await?;
        receives_error(&mut ana, id, sentence).await?;
    }
    ana.says(r#"{"type":"chat","id":7,"content":"hello"}"#).await?;
    receives_error(&mut ana, "an id that is a number", "invalid type: integer `7`*")
        .await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// A client that knows nothing of this can go on as it is.
pub async fn a_client_that_does_not_resume_and_gives_no_id_gets_only_chats(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;

    ana.says(r#"{"type":"chat","content":"hello"}"#).await?;

    ana.hears(numbered(1)).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// So have the answers.
pub async fn what_one_client_sends_has_the_order_in_which_it_was_sent(
    it: Resuming,
) -> Check {
    let server = it.serve();
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;

    for i in 1..=300 {
        ana.says(chat_with_id(&format!("a-{i}"), &i.to_string())).await?;
    }

    let received = ana.hears_out(ONE_MINUTE).await;
    let received: Vec<Value> =
        received.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    for kind in ["chat", "ack"] {
        let numbers: Vec<_> = received
            .iter()
            .filter(|message| message["type"] == kind)
            .map(|message| (message["seq"].as_i64(), message["id"].as_str()))
            .collect();
        let ids: Vec<_> = (1..=300).map(|i| format!("a-{i}")).collect();
        let expected: Vec<_> =
            ids.iter().zip(1..).map(|(id, seq)| (Some(seq), Some(id.as_str()))).collect();
        assert_eq!(numbers, expected, "each {kind} has the number of its turn");
    }
    Ok(())
}

/// U+0000 would end a text in C.
pub async fn any_character_comes_back_as_it_was_sent(it: Resuming) -> Check {
    let server = it.serve();
    let mut ana = server.connect("Ana", &(it.path)("rust", "ana")).await?;
    let content = "a\u{0}b \u{1F44B} \u{202E} ' \" \\ \u{7f}";

    ana.says(chat_with_id("a-1", content)).await?;
    ana.hears_out(ONE_MINUTE).await;

    let (mut ben, _) = it.newcomer(&server, "ben").await?;
    ben.hears(chat_of_ana("a-1", content, 1)).await
}
