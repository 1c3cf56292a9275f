//! What the program says about itself: its log, its metrics, and what a service manager hears.

#![cfg(unix)]

mod common;

use std::{
    env, fs,
    io::{self, Write},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    process::{Command, id},
};

use common::program;
use probe::{
    conformance::masked,
    program::{LIMIT, Program, read_until},
};
use serde_json::{Value, json};

const PASSWORD: &str = "ana-likes-tea";
const WRONG_PASSWORD: &str = "ana-likes-coffee";
const CHAT: &str = "between you and me";

const HANDSHAKE: &str = "Connection: upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The program with these variables, and with both of its outputs in one.
fn both_outputs(variables: &[(&str, &str)]) -> Command {
    let plain = program();
    let mut both = Command::new("sh");
    both.args(["-c", r#"exec "$0" 2>&1"#]).arg(plain.get_program());
    for (name, _) in plain.get_envs() {
        both.env_remove(name);
    }
    both.envs(variables.iter().copied());
    both
}

/// A WebSocket, or a refusal: the connection and the beginning of the answer.
fn upgrade(
    program: &Program,
    path: &str,
    headers: &str,
) -> io::Result<(TcpStream, String)> {
    let host = &program.address;
    program.request(&format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\n{HANDSHAKE}{headers}\r\n"
    ))
}

#[test]
fn no_secret_is_ever_in_the_log() -> io::Result<()> {
    for format in ["text", "json"] {
        let settings = [
            ("CHAT_LOG_FORMAT", format),
            ("CHAT_LOG_FILTER", "trace"),
            ("CHAT_MESSAGE_BURST", "23"), // An upgrade costs two.
        ];
        let mut running = Program::start(both_outputs(&settings))?;
        let end_of = |room: &str| match format {
            "json" => format!(r#""room":"{room}""#),
            _ => format!("room={room} "),
        };
        running.sign_in("ana", WRONG_PASSWORD).expect_err("that is not her password");
        running.sign_in(PASSWORD, PASSWORD).expect_err("she has mixed up the fields");
        let token = running.sign_in("ana", PASSWORD)?;
        let ways = [
            (format!("?token={token}"), String::new()),
            (String::new(), format!("Authorization: Bearer {token}\r\n")),
            (
                String::new(),
                format!("Sec-WebSocket-Protocol: chat.v1, bearer.{token}\r\n"),
            ),
            (String::new(), format!("Cookie: lesson_24_capstone_token={token}\r\n")),
        ];

        for (number, (query, headers)) in ways.iter().enumerate() {
            let path = format!("/ws/chat/room-{number}{query}");
            let (mut ana, answer) = upgrade(&running, &path, headers)?;
            assert!(answer.starts_with("HTTP/1.1 101 "), "Ana connects: {answer}");
            let chat = format!(r#"{{"type":"chat","content":"{CHAT}"}}"#);
            ana.write_all(&masked(0x81, chat.as_bytes()))?;
            read_until(&mut ana, "\"}")?;
            ana.write_all(&masked(0x81, CHAT.as_bytes()))?; // Not JSON.
            ana.write_all(&masked(0x83, b""))?; // A violation.
            running.logs(&end_of(&format!("room-{number}")));

            for path in ["/ws/chat/no%20spaces", "/ws/nothing", "/me", "/api/v1/users/x"]
            {
                upgrade(&running, &format!("{path}{query}"), headers)?;
            }
            let foreign = format!("{headers}Origin: https://example.com\r\n");
            upgrade(&running, &format!("/ws/chat/rust{query}"), &foreign)?;
        }
        let wrong = format!("{token}x");
        upgrade(&running, &format!("/ws/chat/rust?token={wrong}"), "")?;
        upgrade(&running, "/ws/chat/rust", &format!("Authorization: Basic {token}\r\n"))?;
        running.request(&format!("POST /login?password={PASSWORD} HTTP/1.1\r\n\r\n"))?;
        running.request(&format!("NONSENSE {token}\r\n\r\n"))?;
        let body = json!(PASSWORD).to_string(); // Where an object should be.
        running.request(&format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            running.address,
            body.len()
        ))?;
        running.logs("sign-in refused: wrong name or password");
        let log = running.ends_at_once()?;

        assert!(log.contains("client disconnected"), "the log is on: {log}");
        assert!(log.contains("request answered"), "and says all it can: {log}");
        let signature = token.rsplit('.').next().unwrap_or_default();
        for (what, secret) in [
            ("the password", PASSWORD),
            ("a wrong password", WRONG_PASSWORD),
            ("what was said", CHAT),
            ("the token", &token),
            ("the signature of the token", signature),
        ] {
            let line = log.lines().find(|line| line.contains(secret)).unwrap_or_default();
            assert_eq!(line.replace(secret, "HERE"), "", "no line has {what} in it");
        }
    }
    Ok(())
}

#[test]
fn a_line_of_json_says_who_was_where_and_how_it_ended() -> io::Result<()> {
    let mut running = Program::start(both_outputs(&[("CHAT_LOG_FORMAT", "json")]))?;
    let token = running.sign_in("ana", PASSWORD)?;

    let mut ana = running.upgrade(&format!("/ws/chat/rust?token={token}"))?;
    ana.write_all(&masked(0x88, &1000_u16.to_be_bytes()))?;
    let line = running.logs("client disconnected");

    let line: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
    let span = &line["span"];
    for (name, value) in [
        ("socket", json!("chat")),
        ("room", json!("rust")),
        ("username", json!("ana")),
        ("cause", json!("client")),
        ("code", json!(1000)),
    ] {
        assert_eq!(span[name], value, "{name} in {line}");
    }
    let seconds = span["seconds"].as_f64().unwrap_or(-1.0);
    assert!((0.0..60.0).contains(&seconds), "it says how long that was: {line}");
    Ok(())
}

#[test]
fn a_guess_is_in_the_log_with_its_address_and_without_a_name() -> io::Result<()> {
    let mut running = Program::start(both_outputs(&[("CHAT_LOG_FORMAT", "json")]))?;

    running.sign_in("ana", WRONG_PASSWORD).expect_err("that is not her password");

    let line = running.logs("sign-in refused");
    let json: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
    assert_eq!(json["address"], "127.0.0.1", "{line}");
    assert!(!line.contains("ana\""), "a password may be where a name should be: {line}");
    Ok(())
}

/// Anybody may be refused as often as they like, and must not fill the disk with it.
#[test]
fn a_refused_upgrade_is_in_the_log_at_debug_alone() -> io::Result<()> {
    for (filter, expected) in [("debug", Some("socket")), ("info", None)] {
        let settings = [("CHAT_LOG_FILTER", filter), ("CHAT_LOG_FORMAT", "json")];
        let mut running = Program::start(both_outputs(&settings))?;

        let (_, answer) =
            upgrade(&running, "/ws/chat/rust", "Origin: https://example.com\r\n")?;
        assert!(answer.starts_with("HTTP/1.1 403 "), "it is a foreign page: {answer}");
        running.sign_in("ana", WRONG_PASSWORD).expect_err("that is not her password");
        running.logs("sign-in refused"); // So all lines before it are there.
        let log = running.ends_at_once()?;

        let lines =
            log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused: Vec<Value> = lines.filter(|line| line["status"] == 403).collect();
        let routes: Vec<_> =
            refused.iter().filter_map(|line| line["route"].as_str()).collect();
        assert_eq!(routes, Vec::from_iter(expected), "with the filter {filter}: {log}");
    }
    Ok(())
}

#[test]
fn the_metrics_have_an_address_of_their_own() -> io::Result<()> {
    let mut running =
        Program::start(both_outputs(&[("CHAT_METRICS_ADDR", "127.0.0.1:0")]))?;
    let line = running.logs("metrics are at /metrics");
    let address = line.split("addr=").nth(1).unwrap_or_default().trim();

    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(LIMIT))?;
    write!(connection, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let text = read_until(&mut connection, "# EOF\n")?;

    assert!(text.contains("\nchat_joins_total 0\n"), "nobody has joined yet: {text}");
    let public = running.get("/metrics")?;
    assert!(public.starts_with("HTTP/1.1 404 "), "not where everybody is: {public}");
    Ok(())
}

#[test]
fn an_address_that_is_taken_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let output = program()
        .env("ADDR", "127.0.0.1:0")
        .env("CHAT_METRICS_ADDR", &address)
        .output()?;

    let said = String::from_utf8_lossy(&output.stderr);
    let sentence = format!("CHAT_METRICS_ADDR is {address}, which cannot be used: ");
    assert!(said.starts_with(&sentence), "{said}");
    assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    Ok(())
}

#[test]
fn the_service_manager_is_told_when_it_serves_and_when_it_stops() -> io::Result<()> {
    let path = env::temp_dir().join(format!("{}_{}", env!("CARGO_PKG_NAME"), id()));
    let manager = UnixDatagram::bind(&path)?;
    manager.set_read_timeout(Some(LIMIT))?;
    let is_told = || -> io::Result<String> {
        let mut text = [0; 100];
        let length = manager.recv(&mut text)?;
        Ok(String::from_utf8_lossy(&text[..length]).into())
    };
    let mut program = program();
    program.env("NOTIFY_SOCKET", &path);

    let running = Program::start(program)?;
    assert_eq!(is_told()?, "READY=1", "clients may come");
    let answer = running.get("/ready")?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "and they are served: {answer}");
    running.signal("-TERM")?;

    assert_eq!(is_told()?, "STOPPING=1", "no more clients");
    assert_eq!(running.ends()?.code(), Some(0), "it has ended in good order");
    fs::remove_file(path)
}
