//! The exit code of the program: whether all clients left before it ended.

#![cfg(unix)]

mod common;

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use common::program;

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

/// The program, and where it listens. It does not outlive the test.
struct Program {
    process: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill(); // Or it has ended already.
        let _ = self.process.wait();
    }
}

impl Program {
    /// Starts the program, whose clients have one second to leave when it stops.
    fn start() -> io::Result<Self> {
        let mut process = program()
            .env("CHAT_ADDR", "127.0.0.1:0")
            .env("CHAT_SHUTDOWN_TIMEOUT", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, addresses) = mpsc::channel();
        thread::spawn(move || {
            // To the end, because a program that nobody reads is another test.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("http://") {
                    let address = rest.split(['/', ' ']).next().unwrap_or_default();
                    let _ = sender.send(address.to_owned()); // The first is enough.
                }
            }
        });
        let mut program = Self { process, address: String::new() };
        program.address = addresses.recv_timeout(LIMIT).map_err(io::Error::other)?;
        Ok(program)
    }

    /// Sends a request, and returns the connection and the beginning of the answer.
    fn request(&self, request: &str) -> io::Result<(TcpStream, String)> {
        let mut connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(LIMIT))?;
        connection.write_all(request.as_bytes())?;
        let mut answer = vec![0; 4096];
        let count = connection.read(&mut answer)?;
        answer.truncate(count);
        Ok((connection, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// A WebSocket of Ana. It answers nothing, not even a Close.
    fn connect(&self) -> io::Result<TcpStream> {
        let body = r#"{"username":"ana","password":"ana-likes-tea"}"#;
        let (_, answer) = self.request(&format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))?;
        let token = answer.split(r#""token":""#).nth(1).unwrap_or_default();
        let token = token.split('"').next().unwrap_or_default();
        let (connection, answer) = self.request(&format!(
            "GET /ws/chat/rust?token={token} HTTP/1.1\r\nHost: {}\r\n\
             Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.address
        ))?;
        assert!(answer.starts_with("HTTP/1.1 101 "), "Ana gets no WebSocket: {answer:?}");
        Ok(connection)
    }

    /// Sends a SIGTERM, and waits for the end.
    fn stop(mut self) -> io::Result<ExitStatus> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status()?;
        assert!(sent.success(), "the signal could not be sent: {sent}");

        let (sender, ends) = mpsc::channel();
        thread::spawn(move || {
            let _ = sender.send(self.process.wait()); // Or the test is over.
        });
        ends.recv_timeout(LIMIT).map_err(|_| {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
            io::Error::other("the program does not end")
        })?
    }
}

#[test]
fn the_exit_code_is_0_when_all_clients_have_left() -> io::Result<()> {
    let program = Program::start()?;
    drop(program.connect()?);

    let status = program.stop()?;

    assert_eq!(status.code(), Some(0), "Ana was gone before the stop: {status}");
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_client_has_not_left_in_time() -> io::Result<()> {
    let program = Program::start()?;
    let _never_answers_the_close = program.connect()?;

    let status = program.stop()?;

    assert_eq!(status.code(), Some(3), "Ana did not answer the Close: {status}");
    Ok(())
}
