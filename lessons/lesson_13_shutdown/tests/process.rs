//! The program as a whole: what it reads at its start, and what its end tells.

#![cfg(unix)]

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(20);

/// The program, as somebody starts it who has set these variables and no other.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lesson_13_shutdown"));
    for name in ["JWT_SECRET", "ALLOWED_ORIGINS", "SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT"] {
        program.env_remove(name);
    }
    program.env("ADDR", "127.0.0.1:0").envs(variables.iter().copied());
    program
}

/// A program that runs, and where it listens. It does not outlive the test.
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
    fn start(variables: &[(&str, &str)]) -> io::Result<Self> {
        let mut process = program(variables).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (sender, addresses) = mpsc::channel();
        thread::spawn(move || {
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

    fn get(&self, path: &str) -> io::Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        Ok(self.request(&request)?.1)
    }

    /// Signs in as Ana, and returns the token.
    fn sign_in(&self) -> io::Result<String> {
        let body = r#"{"username":"ana","password":"ana-likes-tea"}"#;
        let (_, answer) = self.request(&format!(
            "POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))?;
        let token = answer.split(r#""token":""#).nth(1).unwrap_or_default();
        Ok(token.split('"').next().unwrap_or_default().to_owned())
    }

    /// A WebSocket of Ana. It answers nothing, not even a Close.
    fn connect(&self) -> io::Result<TcpStream> {
        let token = self.sign_in()?;
        let (connection, answer) = self.request(&format!(
            "GET /ws/chat/rust?token={token} HTTP/1.1\r\nHost: {}\r\n\
             Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.address
        ))?;
        assert!(answer.starts_with("HTTP/1.1 101 "), "Ana gets no WebSocket: {answer:?}");
        Ok(connection)
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status()?;
        assert!(sent.success(), "the signal could not be sent: {sent}");
        Ok(())
    }

    /// Waits for the end.
    fn ends(mut self) -> io::Result<ExitStatus> {
        let pid = self.process.id().to_string();
        let (sender, ends) = mpsc::channel();
        thread::spawn(move || {
            let _ = sender.send(self.process.wait()); // Or the test is over.
        });
        ends.recv_timeout(LIMIT).map_err(|_| {
            let _ = Command::new("kill").args(["-KILL", &pid]).status(); // We gave up.
            io::Error::other("the program does not end")
        })?
    }
}

#[test]
fn the_exit_code_is_0_when_all_clients_have_left() -> io::Result<()> {
    for signal in ["-TERM", "-INT"] {
        let program = Program::start(&[])?;
        drop(program.connect()?);

        program.signal(signal)?;

        let status = program.ends()?;
        assert_eq!(status.code(), Some(0), "Ana was gone before the {signal}: {status}");
    }
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_client_has_not_left_in_time() -> io::Result<()> {
    let program = Program::start(&[("SHUTDOWN_TIMEOUT", "1")])?;
    let _never_answers_the_close = program.connect()?;

    program.signal("-TERM")?;

    let status = program.ends()?;
    assert_eq!(status.code(), Some(3), "Ana did not answer the Close: {status}");
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_request_is_not_finished_in_time() -> io::Result<()> {
    let program = Program::start(&[("SHUTDOWN_TIMEOUT", "1")])?;
    let mut half = TcpStream::connect(&program.address)?;
    half.write_all(b"GET /ready HTTP/1.1\r\nHost:")?;
    program.get("/ready")?; // It came later, so the server has the half one, too.

    program.signal("-TERM")?;

    let status = program.ends()?;
    assert_eq!(status.code(), Some(3), "axum alone would wait for ever: {status}");
    Ok(())
}

#[test]
fn the_second_signal_ends_the_program_at_once_with_1() -> io::Result<()> {
    let mut program = Program::start(&[("SHUTDOWN_DELAY", "3600")])?;
    let ready = program.get("/ready")?;
    assert!(ready.starts_with("HTTP/1.1 200 "), "all is well: {ready}");

    program.signal("-TERM")?;
    let start = Instant::now();
    while !program.get("/ready")?.starts_with("HTTP/1.1 503 ") {
        assert!(start.elapsed() < LIMIT, "the signal changes nothing at /ready");
    }
    let status = loop {
        program.signal("-INT")?; // It counts when it does not come right after the first.
        if let Some(status) = program.process.try_wait()? {
            break status;
        }
        assert!(start.elapsed() < LIMIT, "it waits for an hour");
    };

    assert_eq!(status.code(), Some(1), "that is how it ends at once: {status}");
    Ok(())
}

/// `timeout` of coreutils signals the program, and then its process group.
#[test]
fn a_signal_that_comes_twice_at_once_is_one() -> io::Result<()> {
    let program = Program::start(&[("SHUTDOWN_DELAY", "1")])?;

    for signal in ["-TERM", "-TERM", "-INT"] {
        program.signal(signal)?;
    }

    let status = program.ends()?;
    assert_eq!(status.code(), Some(0), "nobody asked for the end at once: {status}");
    Ok(())
}

/// Ctrl-C, and the same command again: nobody has set `JWT_SECRET`.
#[test]
fn after_a_restart_the_tokens_are_still_valid() -> io::Result<()> {
    let first = Program::start(&[])?;
    let token = first.sign_in()?;
    first.signal("-INT")?;
    first.ends()?;

    let second = Program::start(&[])?;
    let answer = second.get(&format!("/me?token={token}"))?;

    assert!(answer.starts_with("HTTP/1.1 200 "), "Ana has to sign in again: {answer}");
    Ok(())
}

#[test]
fn jwt_secret_comes_before_the_file() -> io::Result<()> {
    let first = Program::start(&[])?;
    let token = first.sign_in()?;

    let second = Program::start(&[("JWT_SECRET", "another one, 32 bytes or longer.")])?;
    let answer = second.get(&format!("/me?token={token}"))?;

    assert!(answer.starts_with("HTTP/1.1 401 "), "the secrets are two: {answer}");
    Ok(())
}

#[test]
fn a_wrong_number_of_seconds_is_a_sentence_and_no_server() -> io::Result<()> {
    for (name, value, sentence) in [
        (
            "SHUTDOWN_TIMEOUT",
            "8s",
            "SHUTDOWN_TIMEOUT is \"8s\", but should be whole seconds, up to 65535.\n",
        ),
        (
            "SHUTDOWN_DELAY",
            "-1",
            "SHUTDOWN_DELAY is \"-1\", but should be whole seconds, up to 65535.\n",
        ),
    ] {
        let Output { status, stdout, stderr } = program(&[(name, value)]).output()?;

        assert_eq!(status.code(), Some(1), "{name}={value}");
        assert_eq!(String::from_utf8_lossy(&stderr), sentence, "it says what is wrong");
        assert_eq!(String::from_utf8_lossy(&stdout), "", "and the port is not open");
    }
    Ok(())
}
