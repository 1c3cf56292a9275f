//! What every chat with rooms does, from lesson 07 on.

use axum::Router;
use serde_json::{Value, json};

use crate::{
    ANY, Check, Expected, Hint, ONE_MINUTE, Server,
    chat::Chat,
    json::{chat_of, joined, left},
    names::{JOSE_NFC, JOSE_NFD, WELCOME, percent_encoded},
    serve,
};

/// A server with rooms, and where they are.
pub struct Rooms {
    pub app: fn() -> Router,
    /// Where somebody connects to a room.
    pub path: fn(room: &str, name: &str) -> String,
    /// What everybody in the room "rust" receives when somebody says something.
    pub said: fn(name: &str, text: &str) -> Expected,
}

/// A chat with rooms, and what its messages look like, for three people in the room "rust".
pub fn chat(app: fn() -> Router, path: fn(name: &str) -> String) -> Chat {
    Chat {
        app,
        names: ["ana", "ben", "cem"],
        path,
        says: |text| chat_of(text),
        said,
        left: |name| left(name).into(),
        hears_itself: true,
        crowd: |i| format!("member-{i}"),
    }
}

/// What everybody in the room "rust" receives when somebody says something, if a chat has
/// the fields of [`chat_from`] and no others.
pub fn said(name: &str, text: &str) -> Expected {
    chat_from(name, text).into()
}

/// The same as JSON, for a chat that has more fields.
pub fn chat_from(name: &str, content: &str) -> Value {
    json!({ "type": "chat", "room": "rust", "from": name, "content": content, "timestamp": ANY })
}

/// A name in use is accepted, and closed with 4009, so that a page can show it.
pub async fn a_name_in_use_is_accepted_and_closed_with_4009(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let path = (rooms.path)("rust", "ana");
    let mut ana = server.connect("Ana", &path).await?;

    let mut eve = server.connect("Eve", &path).await?;
    eve.is_closed(4009, "this name is taken").await?;

    ana.hears_nothing_for(ONE_MINUTE).await?;
    ana.leaves().await?;
    server.connect("Eve", &path).await?.leaves().await
}

/// What is said in one room stays there.
pub async fn a_message_stays_in_its_room(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let mut ana = server.connect("Ana", &(rooms.path)("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &(rooms.path)("tea", "ben")).await?;

    ana.says(r#"{"type":"chat","content":"Hello, Rust!"}"#).await?;

    ana.hears((rooms.said)("ana", "Hello, Rust!")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;
    ben.leaves().await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

/// The same person may be in two rooms.
pub async fn a_name_is_taken_in_one_room_only(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let _ana = server.connect("Ana", &(rooms.path)("rust", "ana")).await?;

    let mut other = server.connect("Another Ana", &(rooms.path)("tea", "ana")).await?;

    other.hears_nothing_for(ONE_MINUTE).await
}

/// `GET /rooms` lists them by name.
pub async fn get_rooms_lists_the_rooms_and_their_members(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let _ana = server.connect("Ana", &(rooms.path)("rust", "ana")).await?;
    let _ben = server.connect("Ben", &(rooms.path)("rust", "ben")).await?;
    let _cem = server.connect("Cem", &(rooms.path)("figs", "cem")).await?;

    let list = r#"[{"room":"figs","members":1},{"room":"rust","members":2}]"#;
    lists(&server, list).await
}

/// A room is removed with its last member, however that one's connection ends.
pub async fn an_empty_room_is_removed(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let ana = server.connect("Ana", &(rooms.path)("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &(rooms.path)("tea", "ben")).await?;

    ana.vanishes().await;
    ben.writes_raw(b"this is no frame").await?;
    ben.is_closed(1002, "protocol error").await?;

    lists(&server, "[]").await
}

/// A member that is disconnected for being too slow leaves no empty room behind.
pub async fn a_room_whose_only_member_is_too_slow_is_removed(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let mut ana = server.connect("Ana", &(rooms.path)("rust", "ana")).await?;
    ana.stops_reading();

    for _ in 0..2_000 {
        if ana.says(r#"{"type":"ping"}"#).await.is_err() {
            break; // While the server waits to write to her, it does not read, either.
        }
    }
    ana.hears_nothing_for(ONE_MINUTE).await?;

    lists(&server, "[]").await
}

/// A room whose name is invalid is rejected before the upgrade, and the sentence says why.
pub async fn an_invalid_room_gets_400_and_a_sentence(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let longest = "x".repeat(40);

    let path = (rooms.path)("no%20spaces", "ana");
    let response = server.rejects("Eve", &path, 400).await?;

    let sentence = "Invalid URL: a name has 1 to 40 letters, digits, - and _";
    // An API that speaks JSON has it there.
    let in_json = json!({ "message": sentence }).to_string();
    if ![sentence, &in_json].contains(&response.body.as_str()) {
        let body = response.body;
        return Err(Hint::new(format!("Eve should get {sentence:?}, not {body:?}.")));
    }
    server.connect("Ana", &(rooms.path)(&longest, "ana")).await?.leaves().await?;
    server.rejects("Eve", &(rooms.path)(&format!("{longest}x"), "ana"), 400).await?;
    Ok(())
}

/// The name of a room may have letters of every script, with their marks, and names that
/// differ only in their Unicode normal form are one room, which is listed in NFC.
pub async fn nfd_and_nfc_are_one_room(rooms: Rooms) -> Check {
    let server = serve((rooms.app)());
    let path = |room: &str, name: &str| (rooms.path)(&percent_encoded(room), name);
    for room in WELCOME {
        server.connect("Ana", &path(room, "ana")).await?.leaves().await?;
    }
    for room in ["\u{301}rust", "rust-\u{301}", &"e\u{301}".repeat(41)] {
        server.rejects("Eve", &path(room, "ana"), 400).await?;
    }

    let mut ana = server.connect("Ana", &path(JOSE_NFD, "ana")).await?;
    let _ben = server.connect("Ben", &path(JOSE_NFC, "ben")).await?;

    ana.hears(joined("ben")).await?;
    lists(&server, &format!(r#"[{{"room":"{JOSE_NFC}","members":2}}]"#)).await?;
    ana.leaves().await?;
    server.connect("Ana", &path(&"e\u{301}".repeat(40), "ana")).await?.leaves().await
}

async fn lists(server: &Server, list: &str) -> Check {
    let response = server.get("/rooms").await?;
    if response.body == list {
        return Ok(());
    }
    let body = response.body;
    Err(server.hint(format!("GET /rooms should return {list}, but returns {body}.")))
}

/// These rules as tests, for an application and the path to a room and a name: those that
/// are named after `=>`, or all but `nfd_and_nfc_are_one_room`, which is for servers that
/// bring names into that normal form.
///
/// If a chat has more fields than [`chat_from`] says, what is received comes third, as in
/// [`Chat`].
#[macro_export]
macro_rules! room_conformance {
    ($app:expr, $path:expr) => {
        $crate::room_conformance! { $app, $path, $crate::rooms::said }
    };
    ($app:expr, $path:expr, $said:expr) => {
        $crate::room_conformance! { $app, $path, $said =>
            a_name_in_use_is_accepted_and_closed_with_4009,
            a_message_stays_in_its_room,
            a_name_is_taken_in_one_room_only,
            get_rooms_lists_the_rooms_and_their_members,
            an_empty_room_is_removed,
            a_room_whose_only_member_is_too_slow_is_removed,
            an_invalid_room_gets_400_and_a_sentence,
        }
    };
    ($app:expr, $path:expr => $($rule:ident),* $(,)?) => {
        $crate::room_conformance! { $app, $path, $crate::rooms::said => $($rule),* }
    };
    ($app:expr, $path:expr, $said:expr => $($rule:ident),* $(,)?) => {
        $crate::rules! {
            rooms as room_conformance,
            ($crate::rooms::Rooms { app: $app, path: $path, said: $said }) => $($rule),*
        }
    };
}
