//! The program as a process of its own: what it writes to its log, and where its metrics are.
#![cfg(unix)]

use std::{
    io::{self, Write},
    net::TcpStream,
    process::Command,
    time::Instant,
};

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

/// The program, with both of its outputs in one.
fn program(settings: &[(&str, &str)]) -> Command {
    let mut program = Command::new("sh");
    program.args([
        "-c",
        r#"exec "$0" 2>&1"#,
        env!("CARGO_BIN_EXE_lesson_21_observability"),
    ]);
    for name in ["JWT_SECRET", "ALLOWED_ORIGINS", "LOG_FORMAT", "RUST_LOG"] {
        program.env_remove(name);
    }
    program.env("METRICS_ADDR", "127.0.0.1:0");
    program.envs(settings.iter().copied());
    program
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

fn get_metrics(program: &mut Program) -> io::Result<String> {
    let line = program.logs("metrics are at /metrics");
    let address = line.split("addr=").nth(1).unwrap_or_default().trim();
    let mut connection = TcpStream::connect(address)?;
    write!(connection, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    read_until(&mut connection, "# EOF\n")
}

#[test]
fn no_secret_is_ever_in_the_log() -> io::Result<()> {
    for format in ["text", "json"] {
        let settings = [("LOG_FORMAT", format), ("RUST_LOG", "trace")];
        let mut running = Program::start(program(&settings))?;
        let end_of = |room: &str| match format {
            "json" => format!(r#""room":"{room}""#),
            _ => format!("room={room} "),
        };
        running.sign_in("ana", WRONG_PASSWORD).expect_err("that is not her password");
        running.sign_in(PASSWORD, PASSWORD).expect_err("she has mixed up the fields");
        let token = running.sign_in("ana", PASSWORD)?;
        let cookie = "lesson_21_observability_token";
        let ways = [
            (format!("?token={token}"), String::new()),
            (String::new(), format!("Authorization: Bearer {token}\r\n")),
            (
                String::new(),
                format!("Sec-WebSocket-Protocol: chat.v1, bearer.{token}\r\n"),
            ),
            (String::new(), format!("Cookie: {cookie}={token}\r\n")),
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

            for (path, foreign) in [
                ("/ws/chat/rust", "Origin: https://example.com\r\n"),
                ("/ws/chat/no%20spaces", ""),
                ("/ws/nothing", ""),
                ("/me", ""),
                ("/metrics", ""),
            ] {
                upgrade(
                    &running,
                    &format!("{path}{query}"),
                    &format!("{headers}{foreign}"),
                )?;
            }
        }
        let wrong = format!("{token}x");
        upgrade(&running, &format!("/ws/chat/rust?token={wrong}"), "")?;
        upgrade(&running, "/ws/chat/rust", &format!("Authorization: Basic {token}\r\n"))?;
        running.request(&format!("POST /login?password={PASSWORD} HTTP/1.1\r\n\r\n"))?;
        running.request(&format!("NONSENSE {token}\r\n\r\n"))?;
        let body = json!(PASSWORD).to_string(); // Where an object should be.
        let (_, answer) = running.request(&format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            running.address,
            body.len()
        ))?;
        assert!(answer.starts_with("HTTP/1.1 422 "), "it is rejected: {answer}");

        let (ana, _) = upgrade(&running, &format!("/ws/chat/last?token={token}"), "")?;
        drop(ana);
        running.logs(&end_of("last"));
        let log = running.ends_at_once()?;

        assert!(log.contains("client disconnected"), "the log is on: {log}");
        assert!(log.contains("handshake answered"), "and says all it can: {log}");
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
    let mut running = Program::start(program(&[("LOG_FORMAT", "json")]))?;
    let token = running.sign_in("ana", PASSWORD)?;

    let mut ana = running.upgrade(&format!("/ws/chat/rust?token={token}"))?;
    ana.write_all(&masked(0x88, &1000_u16.to_be_bytes()))?;
    let line = running.logs("client disconnected");

    let line: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
    let span = &line["span"];
    assert_eq!(span["room"], "rust", "{line}");
    assert_eq!(span["username"], "ana", "{line}");
    assert_eq!(span["cause"], "client", "{line}");
    assert_eq!(span["code"], 1000, "{line}");
    let seconds = span["seconds"].as_f64().unwrap_or(-1.0);
    assert!((0.0..60.0).contains(&seconds), "it says how long that was: {line}");
    Ok(())
}

#[test]
fn the_metrics_have_an_address_of_their_own() -> io::Result<()> {
    let mut running = Program::start(program(&[]))?;
    let token = running.sign_in("ana", PASSWORD)?;
    let _ana = running.upgrade(&format!("/ws/chat/rust?token={token}"))?;

    let joined = "\nchat_joins_total 1\n";
    let start = Instant::now(); // She joins a moment after the handshake.
    let mut text = get_metrics(&mut running)?;
    while !text.contains(joined) && start.elapsed() < LIMIT {
        text = get_metrics(&mut running)?;
    }

    assert!(text.contains(joined), "Ana has joined, so it should be there: {text}");
    let public = running.get("/metrics")?;
    assert!(public.starts_with("HTTP/1.1 404 "), "not where everybody is: {public}");
    Ok(())
}

#[test]
fn a_setting_that_is_wrong_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    for (name, value, expected) in [
        ("METRICS_ADDR", "8001", "as in 127.0.0.1:8001."),
        ("LOG_FORMAT", "xml", "should have text or json."),
        ("RUST_LOG", "a=b=c", "is no filter"),
    ] {
        let output = program(&[(name, value)]).env("ADDR", "127.0.0.1:0").output()?;

        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(name) && said.contains(expected), "{name}={value}: {said}");
        assert_eq!(output.status.code(), Some(1), "{name}={value}: it has not begun");
    }
    Ok(())
}
