//! What happens when the process may open no more files.
#![cfg(unix)]

mod common;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use common::program_after;
use lesson_08_auth::{Auth, Username};
use probe::conformance::masked;

const SECRET: &str = "a secret for the tests, 32 bytes or more";

/// How long anything may take here.
const WAIT: Duration = Duration::from_secs(10);

/// The program, with few files, until this is dropped.
struct Program {
    child: Child,
    port: u16,
    log: Receiver<String>,
}

impl Program {
    fn start() -> io::Result<Self> {
        let mut program = program_after("ulimit -n 250");
        program.env("MAX_CONNECTIONS", "50").env("JWT_SECRET", SECRET);
        let mut child = program.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().expect("it is piped");
        let (sender, log) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line))); // Or the test is over.
        });

        let mut program = Self { child, port: 0, log };
        let line = program.logs("http://127.0.0.1:");
        let port = line.split("http://127.0.0.1:").nth(1).unwrap_or_default();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        program.port = digits.parse().expect("it prints its port");
        Ok(program)
    }

    /// The next line that contains this.
    fn logs(&self, what: &str) -> String {
        let start = Instant::now();
        let mut log = String::new();
        while let Ok(line) = self.log.recv_timeout(WAIT.saturating_sub(start.elapsed())) {
            if line.contains(what) {
                return line;
            }
            log.push_str(&line);
        }
        panic!("The log should have {what:?}, but it has {log:?}.");
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(WAIT))?;
        Ok(stream)
    }

    /// Connects to a room, and waits until the server has upgraded the connection.
    fn upgrade(&self, name: &str) -> io::Result<TcpStream> {
        let auth = Auth::new(SECRET.as_bytes(), env!("CARGO_PKG_NAME"));
        let username = Username::try_from(name.to_owned()).expect("a good name");
        let token = auth.expect("a secret that is long enough").issue(username);
        let mut stream = self.connect()?;
        write!(
            stream,
            "GET /ws/chat/rust?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )?;
        let head = read_until(&mut stream, "\r\n\r\n")?;
        assert!(head.starts_with("HTTP/1.1 101"), "{name} is let in: {head}");
        Ok(stream)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill(); // Or it has ended.
        let _ = self.child.wait();
    }
}

/// Reads until the text ends like this. Frames with short texts can be read as text.
fn read_until(stream: &mut TcpStream, end: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn says(stream: &mut TcpStream, content: &str) -> io::Result<()> {
    let message = format!(r#"{{"type":"chat","content":"{content}"}}"#);
    stream.write_all(&masked(0x81, message.as_bytes()))
}

#[test]
fn without_descriptors_the_chat_goes_on_and_later_people_get_in_again() -> io::Result<()>
{
    rlimit::increase_nofile_limit(1_000)?; // For this side of the connections.
    let program = Program::start()?;
    let mut ana = program.upgrade("ana")?;

    // They send no request. Until they do, no limit of ours counts them.
    let silent = (0..300).map(|_| program.connect()).collect::<io::Result<Vec<_>>>()?;
    let line = program.logs("accept error");
    assert!(line.contains("ERROR"), "somebody should notice: {line}");
    assert!(line.contains("Too many open files"), "it says why: {line}");
    says(&mut ana, "still here?")?;
    read_until(&mut ana, "still here?")?;

    let start = Instant::now();
    drop(silent);
    let _ben = program.upgrade("ben")?;

    assert!(start.elapsed() < WAIT / 2, "Ben has waited for {:?}", start.elapsed());
    let joined = read_until(&mut ana, r#"{"type":"user_joined","username":"ben"}"#)?;
    assert!(joined.contains("ben"), "and Ana is still in the room");
    Ok(())
}
