//! A board of our own on a port of this machine, which lets a test see each byte.

use std::{
    env, fs,
    io::{Read, Result as Io, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, protocol::CloseFrame};

use super::{
    Board, Class, Progress, TIMING, Timing, checked_name, is_session, jitter, session,
};

/// How long anything may take here.
const WAIT: Duration = Duration::from_secs(10);

const AT_ONCE: Timing = Timing {
    poll: Duration::from_millis(5),
    between_reports: Duration::from_millis(5),
    first_retry: Duration::from_millis(5),
    last_retry: Duration::from_millis(20),
};

/// A connection that remembers all that it has read.
struct Recorded {
    stream: TcpStream,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Read for Recorded {
    fn read(&mut self, into: &mut [u8]) -> Io<usize> {
        let length = self.stream.read(into)?;
        self.read.lock().expect("no test panics with the lock").extend(&into[..length]);
        Ok(length)
    }
}

impl Write for Recorded {
    fn write(&mut self, from: &[u8]) -> Io<usize> {
        self.stream.write(from)
    }

    fn flush(&mut self) -> Io<()> {
        self.stream.flush()
    }
}

/// The board's end of one connection.
struct Learner {
    socket: WebSocket<Recorded>,
    read: Arc<Mutex<Vec<u8>>>,
}

impl Learner {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("the client connects");
        stream.set_read_timeout(Some(WAIT)).expect("a limit is possible");
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let socket = tungstenite::accept(Recorded { stream, read: read.clone() })
            .expect("the client asks for a WebSocket");
        Self { socket, read }
    }

    /// The next message that is JSON.
    fn hears(&mut self) -> Value {
        loop {
            match self.socket.read().expect("the client sends a message") {
                Message::Text(text) => {
                    return serde_json::from_str(&text).expect("the client sends JSON");
                }
                Message::Close(frame) => panic!("a message should come, not {frame:?}"),
                _ => {}
            }
        }
    }

    fn says(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).expect("the client reads");
    }

    /// Hears the hello, and welcomes the learner.
    fn welcomes(&mut self) -> Value {
        let hello = self.hears();
        self.says(json!({ "type": "welcome" }));
        hello
    }

    fn closes(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).expect("the client is there");
        while self.socket.read().is_ok() {} // Until the client has answered.
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    (listener, address)
}

fn join(address: SocketAddr, name: &str) -> (Class, Receiver<String>) {
    let (sender, notices) = channel();
    let class = Class::start(
        &format!("http://{address}"),
        name,
        &"a".repeat(32),
        AT_ONCE,
        move |it| {
            // A test that is over hears no more.
            let _ = sender.send(it.to_owned());
        },
    );
    (class.expect("these are a URL and a name"), notices)
}

fn next(notices: &Receiver<String>) -> String {
    notices.recv_timeout(WAIT).expect("the learner is told something")
}

fn progress() -> Progress {
    let mut progress = Progress::default();
    progress.checked(
        "warm_up_01",
        [("step_1_it_answers", true), ("step_2_it_counts", false)],
    );
    progress.is_at(Some("warm_up_01"));
    progress
}

/// The state that [`progress`] is, at its first second.
fn state() -> Value {
    json!({
        "type": "progress",
        "exercises": [{
            "name": "warm_up_01",
            "passed": ["step_1_it_answers"],
            "failed": ["step_2_it_counts"],
        }],
        "current": { "exercise": "warm_up_01", "step": "step_2_it_counts", "seconds": 0 },
    })
}

#[test]
fn a_learner_says_hello_and_then_reports_the_whole_state() {
    let (listener, address) = listen();
    let (class, notices) = join(address, "ana");
    class.report(&progress());

    let mut ana = Learner::accept(&listener);
    let hello = ana.welcomes();

    assert_eq!(
        hello,
        json!({ "type": "hello", "name": "ana", "session": "a".repeat(32) }),
        "the board needs a name and who holds it"
    );
    assert_eq!(
        ana.hears(),
        state(),
        "what was reported before the connection is not lost"
    );
    let sentence = next(&notices);
    assert!(
        sentence.contains("as ana") && sentence.contains("never your code"),
        "{sentence}"
    );
}

#[test]
fn nothing_but_the_names_leaves_this_machine() {
    let (listener, address) = listen();
    let (class, _notices) = join(address, "ana");
    let mut ana = Learner::accept(&listener);
    ana.welcomes();
    let mut progress = progress();
    progress.checked("fn main() { println!() }", [("step_1", true)]);
    progress.is_at(Some("fn main() { println!() }"));
    progress.is_at(Some("warm_up_01"));
    progress
        .checked("rate_limit", [("let secret = 42;", true), ("step_1_it_waits", true)]);

    class.report(&progress);
    ana.hears();
    drop(class);

    let end = ana.socket.read().expect("a Close comes");
    assert!(matches!(end, Message::Close(Some(_))), "{end:?}");
    let read = ana.read.lock().expect("no test panics with the lock");
    let (head, frames) = split_head(&read);
    assert_eq!(
        head_names(head),
        ["connection", "host", "sec-websocket-key", "sec-websocket-version", "upgrade"],
        "the request says no more than it must: {head}"
    );
    let mut frames = unmasked(frames);
    let close = frames.pop().expect("there is a Close");
    assert_eq!(close, [0x03, 0xe8], "1000, and no reason");
    let texts: Vec<Value> = frames
        .iter()
        .map(|bytes| serde_json::from_slice(bytes).expect("a frame is JSON"))
        .collect();
    let hello = json!({ "type": "hello", "name": "ana", "session": "a".repeat(32) });
    let mut expected = state();
    expected["exercises"] = json!([
        { "name": "rate_limit", "passed": ["step_1_it_waits"], "failed": [] },
        state()["exercises"][0],
    ]);
    assert_eq!(texts, [hello, expected], "names of steps, and whether they pass");
}

fn split_head(bytes: &[u8]) -> (&str, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head ends");
    (std::str::from_utf8(&bytes[..end]).expect("a head is text"), &bytes[end + 4..])
}

fn head_names(head: &str) -> Vec<String> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut names: Vec<_> = lines.map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    names
}

/// The payloads of a client's frames (RFC 6455, section 5.2).
fn unmasked(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let [_, length, rest @ ..] = bytes {
        let (length, rest) = match length & 0x7f {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(length), rest),
        };
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        frames
            .push(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect());
        bytes = rest;
    }
    frames
}

#[test]
fn after_a_reconnect_the_state_is_sent_again_and_each_end_is_told_once() {
    let (listener, address) = listen();
    let (class, notices) = join(address, "ana");
    let mut ana = Learner::accept(&listener);
    ana.welcomes();
    class.report(&progress());
    ana.hears();
    next(&notices);

    drop(ana); // The connection is lost.
    let away = next(&notices);
    let mut solved = progress();
    solved
        .checked("warm_up_01", [("step_1_it_answers", true), ("step_2_it_counts", true)]);
    solved.is_at(Some("warm_up_01"));
    class.report(&solved);
    drop(Learner::accept(&listener)); // It is lost again, before the welcome.
    let mut ana = Learner::accept(&listener);
    ana.welcomes();

    assert!(
        away.starts_with("The board is away: the connection is lost. Your"),
        "{away}"
    );
    assert_eq!(
        next(&notices),
        "The board is back, and has your progress.",
        "and nothing between"
    );
    let state = ana.hears();
    assert_eq!(state["current"], Value::Null, "what was solved meanwhile");
    assert_eq!(state["exercises"][0]["passed"][1], "step_2_it_counts", "has arrived");
}

#[test]
fn a_board_that_starts_later_is_found() {
    let (listener, address) = listen();
    drop(listener);
    let (class, notices) = join(address, "ana");
    class.report(&progress());

    let away = next(&notices);
    let listener = TcpListener::bind(address).expect("the port is free again");
    let mut ana = Learner::accept(&listener);
    ana.welcomes();

    assert!(away.contains(&format!("no program listens at http://{address}")), "{away}");
    assert_eq!(ana.hears(), state(), "nothing is lost");
    assert!(
        next(&notices).starts_with("You are in the class"),
        "it is the first welcome"
    );
}

#[test]
fn who_is_refused_is_told_why_and_does_not_come_back() {
    let sentence = "ana is taken: join as ana-2.";
    for code in [4009, 4014, 1008] {
        let (listener, address) = listen();
        let (class, notices) = join(address, "ana");
        let mut ana = Learner::accept(&listener);
        ana.hears();

        ana.says(json!({ "type": "error", "message": format!("{sentence}\u{1b}[2J\u{202e}\u{2066}") }));
        ana.closes(code);

        assert_eq!(
            next(&notices),
            format!("{sentence}[2J"),
            "a terminal gets no escapes"
        );
        notices.recv_timeout(WAIT).expect_err("the thread has ended, and says no more");
        class.report(&progress());
    }
}

#[test]
fn a_program_that_is_no_board_is_named() {
    let (listener, address) = listen();
    let (_class, notices) = join(address, "ana");
    let (mut stream, _) = listener.accept().expect("the client connects");
    let _ = stream.read(&mut [0; 1000]); // The request, of which we need nothing.
    stream
        .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        .expect("the client reads");

    let away = next(&notices);

    assert!(away.contains("answers, but not as a board does (404"), "{away}");
}

#[test]
fn reports_do_not_wait_and_the_newest_is_what_counts() {
    let (listener, address) = listen();
    let (class, _notices) = join(address, "ana");
    let started = Instant::now();

    for _ in 0..10_000 {
        class.report(&progress());
    }
    class.report(&Progress::default());
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "nobody has accepted the connection"
    );

    let mut ana = Learner::accept(&listener);
    ana.welcomes();
    assert_eq!(ana.hears()["exercises"], json!([]), "the newest, and it alone");
}

#[test]
fn a_class_that_is_dropped_while_the_board_is_away_holds_nobody_up() {
    let (listener, address) = listen();
    drop(listener);
    let (class, notices) = join(address, "ana");
    next(&notices);

    let started = Instant::now();
    drop(class);

    assert!(started.elapsed() < WAIT, "the thread notices at once");
    notices.recv_timeout(WAIT).expect_err("and ends");
}

#[test]
fn the_time_at_a_step_goes_on_until_another_step_is_the_current_one() {
    let mut progress = progress();
    let begun = progress.current.clone().expect("a step fails").since;

    progress.is_at(Some("warm_up_01"));
    let same = progress.current.clone().expect("a step fails").since;
    progress.checked("warm_up_01", [("step_1_it_answers", false)]);
    progress.is_at(Some("warm_up_01"));
    let other = progress.current.clone().expect("a step fails");

    assert_eq!(same, begun, "a check that fails again does not begin it anew");
    assert!(other.step == "step_1_it_answers" && other.since > begun, "{other:?}");
}

#[test]
fn a_run_of_all_checks_does_not_move_the_learner() {
    let mut progress = progress();

    progress.checked("warm_up_02", [("step_1_it_ends", false)]);
    progress.checked("drain", [("step_1_it_stops", false)]);
    progress.is_at(Some("warm_up_01"));
    let step = progress.current.clone().map(|current| current.step);

    assert_eq!(step.as_deref(), Some("step_2_it_counts"), "others may fail meanwhile");
    progress.is_at(Some("never_checked"));
    assert_eq!(progress.current, None, "nothing is known of it");
}

#[test]
fn who_has_solved_an_exercise_is_at_no_step() {
    let mut progress = progress();

    progress.checked("warm_up_01", [("step_1_it_answers", true)]);
    progress.is_at(Some("warm_up_01"));
    assert_eq!(progress.current, None, "all of it passes");
    progress.is_at(None);
    assert_eq!(progress.current, None, "and there is nothing else");
}

#[test]
fn an_address_that_is_none_gets_a_sentence() {
    for (url, sentence) in [
        ("", "this is no URL"),
        ("http://", "this is no URL"),
        ("http://a b:8000", "this is no URL"),
        ("https://192.168.1.5:8000", "it speaks http, not https"),
        ("ftp://192.168.1.5:8000", "it speaks http, not ftp"),
        ("http://192.168.1.5", "it has no port from 1 to 65535"),
        ("http://192.168.1.5:0", "it has no port from 1 to 65535"),
        ("http://192.168.1.5:99999", "it has no port from 1 to 65535"),
        ("http://:8000", "it has no host"),
        ("http://ana@192.168.1.5:8000", "the name goes behind --name"),
        ("http://192.168.1.5:8000/class/7", "it ends with the port"),
        ("http://192.168.1.5:8000/?a", "it ends with the port"),
    ] {
        let error = Board::parse(url).map(|board| board.url).expect_err(url);
        assert!(error.contains(sentence), "{url:?}: {error}");
    }
}

#[test]
fn an_address_may_be_typed_in_several_ways() {
    for (typed, url) in [
        ("http://192.168.1.5:8000", "http://192.168.1.5:8000"),
        ("http://192.168.1.5:8000/", "http://192.168.1.5:8000"),
        ("http://192.168.1.5:8000/join", "http://192.168.1.5:8000"),
        ("ws://board.local:8000", "http://board.local:8000"),
        ("HTTP://192.168.1.5:8000", "http://192.168.1.5:8000"),
        (" 192.168.1.5:8000 ", "http://192.168.1.5:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ] {
        let board = Board::parse(typed).expect(typed);
        assert_eq!(board.url, url, "{typed:?} is what a person may type");
    }
}

#[test]
fn a_name_that_is_none_gets_a_sentence() {
    for name in ["", "  ", "ana b", "ana/b", "\"", "<b>", "a\nb", &"a".repeat(21)] {
        let error = checked_name(name).expect_err(name);
        assert!(error.contains("1 to 20 letters"), "{name:?}: {error}");
    }
    for name in
        ["ana", " ana ", "Ana-2_b", "Жанна", "अनिता", "e\u{301}va", &"a".repeat(20)]
    {
        assert_eq!(checked_name(name).as_deref(), Ok(name.trim()), "{name:?} is a name");
    }
}

/// Where a test keeps its session. Nothing is there yet.
fn session_file(test: &str) -> PathBuf {
    env::temp_dir().join(format!("class-{}-{test}", process::id()))
}

#[test]
fn the_session_stays_the_same() {
    let file = session_file("same");

    let (first, error) = session(&file);
    let (again, _) = session(&file);

    assert!(is_session(&first) && error.is_none(), "{first}: {error:?}");
    assert_eq!(again, first, "a watch that starts again is the same learner");
    fs::write(&file, "half of").expect("it is ours");
    let (other, _) = session(&file);
    assert!(is_session(&other) && other != first, "{other} replaces what is none");
    assert_eq!(session(&file).0, other, "and is kept");
    fs::remove_file(file).expect("it is ours");
}

#[test]
fn a_session_that_cannot_be_kept_is_one_for_this_start() {
    let file = session_file("no-folder").join("session");

    let (first, error) = session(&file);
    let (other, _) = session(&file);

    assert!(is_session(&first) && error.is_some(), "{first}: {error:?}");
    assert_ne!(other, first, "nothing holds the first one");
}

#[test]
fn a_session_that_is_kept_where_nothing_can_be_written_is_used() {
    let file = session_file("read-only");
    let kept = "b".repeat(32);
    fs::write(&file, format!("{kept}\n")).expect("there is room");
    let mut permissions = fs::metadata(&file).expect("it is there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).expect("it is ours");

    let (session, error) = session(&file);

    assert_eq!(session, kept, "it is there to be read");
    assert!(error.is_none(), "nothing had to be written: {error:?}");
    fs::remove_file(file).expect("it is ours");
}

#[test]
fn the_waits_differ() {
    let waits: Vec<_> = (0..100).map(|_| jitter(TIMING.first_retry)).collect();

    let (least, most) = (waits.iter().min(), waits.iter().max());
    assert!(least >= Some(&(TIMING.first_retry / 2)), "{least:?} is at least a half");
    assert!(most <= Some(&TIMING.first_retry), "{most:?} is at most all of it");
    assert!(least < most, "a class does not come back at one moment");
}
