//! Without a broker: one node, with the log of lesson 18. And the names of subjects.

use lesson_18_delivery::{RoomManager, SqliteLog};
use probe::{
    Check, ONE_MINUTE,
    resuming::{ack, chat_with_id},
    serve,
    several_nodes::chat,
};

use super::{
    NODES,
    people::{auth, path, seen_from, username},
};
use crate::{
    single_app,
    storage::{Subject, token},
};

pub fn app() -> axum::Router {
    let rooms = RoomManager::default();
    let log = SqliteLog::open(":memory:", rooms.clone()).expect("a database");
    seen_from([192, 0, 2, 1], single_app(auth(), rooms, log))
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_alone_serves_the_chat_of_lesson_18() -> Check {
    let server = serve(app());
    let (mut ana, _) = NODES.newcomer(&server, "ana").await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears_any().await?;

    ana.says(chat_with_id("a-1", "hello")).await?;

    ana.hears(chat("ana", "hello")).await?;
    ana.hears(ack("a-1", 1)).await?;
    ben.hears(chat("ana", "hello")).await?;
    assert_eq!(server.get("/ready").await?.body, "ready", "it depends on nobody");
    let rooms = server.get("/rooms").await?.body;
    assert_eq!(rooms, r#"[{"room":"rust","members":2}]"#, "all are here");
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[test]
fn a_name_is_one_token_whatever_it_is() {
    for name in ["*", ">", "$JS", "a.b", " ", "", "\r\n", "José", "字", "rust"] {
        let token = token(name);
        let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(!token.is_empty() && token.chars().all(is_good), "{name:?} is {token}");
    }
}

#[test]
fn a_subject_comes_back_as_what_it_was() {
    let room = || "José-字".to_owned().try_into().expect("a good name");

    for subject in [Subject::Chat(room()), Subject::Member(room(), username("ana"))] {
        let text = subject.to_string();
        let again = Subject::parse(&text).map(|subject| subject.to_string());
        assert_eq!(again, Some(text), "nothing is lost");
    }
    for other in [
        "room",
        "room.x72.chat.more",
        "room.72.chat",
        "room.x7.chat",
        "room.xzz.chat",
        "room.x2a.chat",
        "room.x.chat",
    ] {
        assert!(Subject::parse(other).is_none(), "{other} is none of ours");
    }
}
