//! What the client knows, without a socket; and its loop, on a connection in memory.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{DuplexStream, duplex},
    net::TcpListener,
    spawn,
    task::JoinHandle,
    time::{Instant, advance, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    client::Client,
    connect::{Disconnect, LOST, Server},
    screen::{Screen, printable},
    session::Session,
};

/// A session that has received these messages.
fn session(messages: &[Value]) -> Session {
    let mut session = Session::default();
    for message in messages {
        session.receive(&message.to_string());
    }
    session
}

fn welcome(log: &str) -> Value {
    json!({ "type": "welcome", "log": log, "seq": 9 })
}

fn pong() -> Value {
    json!({ "type": "pong" })
}

fn chat(seq: u64, content: &str) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": "ben", "content": content, "seq": seq,
        "timestamp": "2026-11-26T09:30:00.125Z"
    })
}

/// The next message that a session sends, as JSON.
fn sent(session: &mut Session) -> Value {
    let text = session.next().map(|message| message.to_string());
    text.map_or(Value::Null, |text| serde_json::from_str(&text).expect("it sends JSON"))
}

#[tokio::test]
async fn a_newcomer_asks_for_everything_and_comes_back_for_the_rest() {
    let mut session = Session::default();
    let first = session.position();
    for message in [welcome("4f1c"), chat(56, "hello"), chat(57, "still here?")] {
        session.receive(&message.to_string());
    }

    assert_eq!(first, "?resume=0", "it has seen nothing");
    assert_eq!(session.position(), "?resume=57&log=4f1c", "it has seen all up to 57");
}

#[tokio::test]
async fn a_chat_is_shown_once_and_numbers_may_be_missing() {
    let mut session = session(&[welcome("4f1c"), chat(5, "hello")]);

    let again = session.receive(&chat(5, "hello").to_string());
    let older = session.receive(&chat(4, "before").to_string());
    let later = session.receive(&chat(9, "after").to_string());

    assert_eq!((again, older), (None, None), "it has seen all up to 5");
    assert_eq!(later.as_deref(), Some("09:30 ben: after"), "9 is new, without 6 to 8");
}

#[tokio::test]
async fn an_acknowledgement_does_not_count_as_seen() {
    let mut session = session(&[welcome("4f1c"), chat(5, "hello")]);
    session.say("hi");
    let id = sent(&mut session)["id"].clone();

    session.receive(&json!({ "type": "ack", "id": id, "seq": 8 }).to_string());

    assert_eq!(session.pending(), 0, "the server has it");
    assert_eq!(session.position(), "?resume=5&log=4f1c", "6 and 7 are still to come");
}

#[tokio::test]
async fn a_gap_is_said_and_moves_the_position() {
    let mut session = session(&[welcome("4f1c"), chat(5, "hello")]);

    let said = session.receive(&json!({ "type": "gap", "next": 100 }).to_string());
    let behind = session.receive(&json!({ "type": "gap", "next": 0 }).to_string());

    assert!(said.is_some_and(|text| text.contains("missing")), "the person should know");
    assert!(behind.is_some(), "0 is no reason to panic");
    assert_eq!(session.position(), "?resume=99&log=4f1c", "the next one is 100");
}

#[tokio::test]
async fn the_numbers_of_another_log_mean_nothing() {
    let mut session = session(&[welcome("4f1c"), chat(57, "hello")]);

    session.receive(&welcome("a new one&x=").to_string());
    let first = session.receive(&chat(1, "first").to_string());

    assert_eq!(first.as_deref(), Some("09:30 ben: first"), "1 is new in this log");
    let position = "?resume=1&log=a%20new%20one%26x%3D";
    assert_eq!(session.position(), position, "and an id cannot add to the query");
}

/// It has the same id, and 10 is the next number that it gives out.
#[tokio::test]
async fn a_log_that_was_restored_from_a_copy_is_another() {
    let mut session = session(&[welcome("4f1c"), chat(57, "hello")]);

    session.receive(&welcome("4f1c").to_string());
    let next = session.receive(&chat(10, "after").to_string());

    assert_eq!(next.as_deref(), Some("09:30 ben: after"), "and not an old one");
    assert_eq!(session.position(), "?resume=10&log=4f1c", "that is where it is now");
}

#[tokio::test]
async fn nothing_is_sent_before_the_server_has_answered() {
    let mut session = Session::default();
    session.say("hello");

    let early = sent(&mut session);
    session.receive(&pong().to_string());
    let late = sent(&mut session);

    let content = &early["content"];
    assert_eq!(*content, Value::Null, "nobody knows whether the server acknowledges");
    assert_eq!(late["content"], "hello", "now it is known");
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_in_order_with_its_id() {
    let mut session = session(&[welcome("4f1c")]);
    for line in ["one", "two", "three"] {
        session.say(line);
    }
    let [first, second] = [sent(&mut session), sent(&mut session)];
    session.receive(&json!({ "type": "ack", "id": first["id"], "seq": 1 }).to_string());

    session.wait_after(LOST);
    let offline = sent(&mut session);
    session.receive(&welcome("4f1c").to_string());
    let again = [sent(&mut session), sent(&mut session), sent(&mut session)];

    assert_eq!(offline, Value::Null, "there is no connection");
    assert_eq!(again[0], second, "the first was acknowledged, the second was not");
    assert_eq!(again[1]["content"], "three", "and the third comes after it");
    assert_eq!(again[2], Value::Null, "there are no more");
}

#[tokio::test]
async fn without_acknowledgements_nothing_is_sent_twice() {
    let mut session = session(&[pong()]);
    session.say("hello");
    let first = sent(&mut session);

    session.wait_after(LOST);
    session.receive(&pong().to_string());

    assert_eq!(first["content"], "hello", "the server is there");
    assert_eq!(sent(&mut session), Value::Null, "this server would show it twice");
}

#[tokio::test]
async fn a_rejected_message_is_said_and_not_sent_again() {
    let mut session = session(&[welcome("4f1c")]);
    session.say("hello");
    let id = sent(&mut session)["id"].clone();

    let rejected = json!({ "type": "rejected", "id": id, "message": "this id was used" });
    let said = session.receive(&rejected.to_string());

    let sentence = "* Not accepted, this id was used: hello";
    assert_eq!(said.as_deref(), Some(sentence), "the person should know which");
    assert_eq!(session.pending(), 0, "it would be rejected again");
}

#[tokio::test]
async fn what_no_server_accepts_is_not_kept() {
    let mut session = session(&[welcome("4f1c")]);

    let fits = session.say(&"é".repeat(2_000));
    let blank = session.say("  ");
    let too_long = session.say(&"é".repeat(2_001));

    assert_eq!(
        (fits, blank),
        (None, None),
        "2,000 characters fit, and nothing is nothing"
    );
    assert!(too_long.is_some_and(|text| text.contains("Not sent")), "2,001 do not");
    assert_eq!(session.pending(), 1, "the one that fits");
}

#[tokio::test]
async fn a_thousand_messages_wait_and_no_more() {
    let mut session = Session::default();
    let refused = (0..1_001).filter_map(|_| session.say("hello")).count();

    assert_eq!((session.pending(), refused), (1_000, 1), "memory has an end");
    assert!(!session.has_room(), "so a pipe is not read any more");
}

#[tokio::test]
async fn what_is_no_message_changes_nothing() {
    let mut session = session(&[welcome("4f1c"), chat(5, "hello")]);

    for text in ["", "{", "[]", "null", r#"{"type":"typing"}"#, r#"{"type":"chat"}"#] {
        assert_eq!(session.receive(text), None, "{text:?} is not for a person");
    }
    assert_eq!(session.position(), "?resume=5&log=4f1c", "nor is it for us");
}

#[tokio::test]
async fn some_codes_end_it_and_after_the_others_it_tries_again() {
    for code in
        [400, 401, 403, 404, 409, 1000, 1002, 1003, 1007, 1008, 1009, 1015, 4001, 4009]
    {
        let wait = Session::default().wait_after(code);
        assert_eq!(wait, None, "after {code}, the next try would end in the same way");
    }
    for code in [408, 429, 500, 503, 1001, 1005, LOST, 1011, 1012, 1013, 4008, 4010] {
        let wait = Session::default().wait_after(code);
        assert!(wait.is_some(), "after {code}, another try may succeed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_lost_connection_still_has_is_waited_for() {
    let mut plain = session(&[pong()]);
    let mut resuming = session(&[welcome("4f1c")]);
    plain.wait_after(LOST);
    resuming.wait_after(LOST);

    let soon = plain.wait_after(4009);
    let replaced = resuming.wait_after(4009);
    sleep(Duration::from_secs(45)).await;
    let later = plain.wait_after(4009);

    assert!(soon.is_some(), "the server may not have noticed that we are gone");
    assert_eq!(
        replaced, None,
        "where one resumes, the newer connection is somebody else"
    );
    assert_eq!(later, None, "after 45 s it is not ours");
}

#[tokio::test(start_paused = true)]
async fn the_waits_grow_are_random_and_begin_anew() {
    let longest = |tries| {
        let waits = (0..200).map(|_| {
            let mut session = session(&[pong()]);
            assert_eq!(
                (0..tries).filter_map(|_| session.wait_after(LOST)).count(),
                tries
            );
            session.wait_after(LOST).expect("a lost connection is no reason to end")
        });
        let waits: Vec<Duration> = waits.collect();
        let shortest = waits.iter().min().copied().unwrap_or_default();
        (waits.iter().max().copied().unwrap_or_default(), shortest)
    };
    for (tries, limit) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (50, 30)] {
        let limit = Duration::from_secs(limit);
        let (max, min) = longest(tries);
        assert!(max <= limit, "after {tries} tries {max:?} is longer than {limit:?}");
        assert!(max > limit.mul_f64(0.8), "after {tries} tries {max:?} is too short");
        assert!(min < limit.mul_f64(0.2), "full jitter begins at 0, and not at {min:?}");
    }

    for _ in 0..20 {
        let mut session = Session::default();
        assert_eq!((0..9).filter_map(|_| session.wait_after(LOST)).count(), 9);
        session.receive(&pong().to_string());
        sleep(Duration::from_secs(10)).await;
        let wait = session.wait_after(LOST).unwrap_or_default();
        assert!(wait <= Duration::from_secs(1), "after 10 s of a connection: {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_the_handshake_is_left_after_ten_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let [url, name, room] = [format!("http://{address}"), "ana".into(), "rust".into()];
    let mut server = Server { url, name, room, password: None, token: None };
    let start = Instant::now();

    let end = server.connect("?resume=0").await.err();

    assert_eq!(end.map(|Disconnect(code, _)| code), Some(LOST), "it never accepts");
    assert_eq!(start.elapsed().as_secs(), 10, "and nobody waits for ever");
}

#[test]
fn control_characters_of_strangers_are_not_printed() {
    let text = "\u{1b}[2Jhi\r\nben: \u{9b}31m\u{7f}\u{202e}yes\u{2066} größe 日本語 👋";

    let expected = " [2Jhi  ben:  31m  yes  größe 日本語 👋";
    assert_eq!(printable(text), expected, "a terminal would obey them");
}

/// What the client has printed. All clones share it.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics with the lock").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Printed {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no test panics with the lock");
        String::from_utf8_lossy(&bytes).into()
    }
}

/// A client that is connected in memory, and its surroundings.
struct Conversation {
    server: WebSocketStream<DuplexStream>,
    keyboard: DuplexStream,
    printed: Printed,
    end: JoinHandle<Disconnect>,
    started: Instant,
}

/// A client whose server is the test. The pipe holds `size` bytes.
async fn conversation(size: usize) -> Conversation {
    let (ours, theirs) = duplex(size);
    let (keyboard, input) = duplex(1024 * 1024);
    let printed = Printed::default();
    let mut client = Client {
        session: Session::default(),
        screen: Screen::pipe(Box::new(input), printed.clone()),
        title: String::new(),
        is_leaving: false,
    };
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, None).await;
    let server = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
    let end = spawn(async move { client.handle_socket(socket).await });
    Conversation { server, keyboard, printed, end, started: Instant::now() }
}

impl Conversation {
    async fn hears(&mut self) -> Option<Message> {
        let received = timeout(Duration::from_secs(60), self.server.next()).await;
        received.expect("the client should send something within a minute")?.ok()
    }

    async fn says(&mut self, message: Value) {
        let sent = self.server.send(message.to_string().into());
        let sent = timeout(Duration::from_secs(60), sent).await;
        sent.expect("the client should read within a minute").expect("it is connected");
    }

    async fn types(&mut self, text: &str) {
        use tokio::io::AsyncWriteExt;
        self.keyboard.write_all(text.as_bytes()).await.expect("the client reads");
    }

    async fn ends(self) -> (u16, Duration) {
        let end = timeout(Duration::from_secs(600), self.end).await;
        let end = end.expect("the client should end within ten minutes");
        (end.expect("the client does not panic").0, self.started.elapsed())
    }
}

const PING: &str = r#"{"type":"ping"}"#;

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_left_after_the_second_ping_is_due() {
    let mut conversation = conversation(1024).await;

    let first = conversation.hears().await;
    let (code, time) = conversation.ends().await;

    assert_eq!(first, Some(PING.into()), "the first ping comes at once");
    assert_eq!((code, time.as_secs()), (LOST, 20), "nothing came for 20 s");
}

#[tokio::test(start_paused = true)]
async fn any_sign_of_life_keeps_the_connection() {
    let mut conversation = conversation(1024).await;

    for _ in 0..10 {
        assert_eq!(conversation.hears().await, Some(PING.into()), "a ping is due");
        let ping = Message::Ping("are you there?".into());
        conversation.server.send(ping).await.expect("the client reads");
        let pong = Some(Message::Pong("are you there?".into()));
        assert_eq!(conversation.hears().await, pong, "tungstenite answers a ping");
    }

    assert!(!conversation.end.is_finished(), "the server sends pings, and no pong");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_was_stopped_for_a_while_is_still_connected() {
    let mut conversation = conversation(1024).await;
    assert_eq!(conversation.hears().await, Some(PING.into()), "the first ping");
    conversation.says(pong()).await;
    sleep(Duration::from_secs(1)).await;

    advance(Duration::from_secs(3_600)).await;
    assert_eq!(conversation.hears().await, Some(PING.into()), "a ping was due long ago");
    sleep(Duration::from_secs(1)).await;

    assert!(!conversation.end.is_finished(), "the server has a while to answer it");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_is_read_from_all_the_same() {
    let mut conversation = conversation(256).await;
    conversation.says(welcome("4f1c")).await;
    let longer_than_fits = format!("{}\n", "still here? ".repeat(150));
    for _ in 0..200 {
        conversation.types(&longer_than_fits).await;
    }

    for seq in 1..=100 {
        conversation.says(chat(seq, "hello")).await;
    }
    sleep(Duration::from_secs(1)).await;

    let lines = conversation.printed.text().matches("ben: hello").count();
    assert_eq!(lines, 100, "it must not wait for its own messages to be read");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_pipe_waits_for_the_acknowledgement() {
    let mut conversation = conversation(1024).await;
    conversation.says(welcome("4f1c")).await;
    assert_eq!(conversation.hears().await, Some(PING.into()), "the first ping");
    conversation.types("hello").await;
    conversation.keyboard = duplex(1).0; // The pipe ends, without a line feed.

    let chat = conversation.hears().await.expect("a chat should come").to_string();
    let chat: Value = serde_json::from_str(&chat).expect("it sends JSON");
    sleep(Duration::from_secs(5)).await;
    let early = conversation.end.is_finished();
    conversation.says(json!({ "type": "ack", "id": chat["id"], "seq": 1 })).await;
    let close = conversation.hears().await;

    assert_eq!(chat["content"], "hello", "what was typed is sent");
    assert!(!early, "until the server has it, it could get lost");
    let Some(Message::Close(Some(frame))) = close else {
        panic!("After the acknowledgement a Close should come, but came {close:?}.")
    };
    assert_eq!(u16::from(frame.code), 1000, "the client leaves by itself");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_a_close_is_left_after_five_seconds() {
    let mut conversation = conversation(1024).await;
    conversation.keyboard = duplex(1).0;

    let Conversation { server: _silent, end, started, .. } = conversation;
    let end = timeout(Duration::from_secs(600), end).await;

    let end = end.expect("the client should end within ten minutes");
    let Disconnect(code, _) = end.expect("the client does not panic");
    let time = started.elapsed();
    assert_eq!((code, time.as_secs()), (1000, 5), "nobody reads the Close");
}
