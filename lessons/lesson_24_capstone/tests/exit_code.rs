//! The end of the program: its exit code, and what must not keep it from ending.

#![cfg(unix)]

mod common;

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use common::program;
use probe::{
    program::{LIMIT, Program},
    several_nodes::free_port,
};

/// Starts the program, whose clients have one second to leave when it stops.
fn start() -> io::Result<Program> {
    let mut program = program();
    program.env("CHAT_SHUTDOWN_TIMEOUT", "1");
    Program::start(program)
}

/// A WebSocket of Ana. It answers nothing, not even a Close.
fn connect(program: &Program) -> io::Result<TcpStream> {
    let token = program.sign_in("ana", "ana-likes-tea")?;
    program.upgrade(&format!("/ws/chat/rust?token={token}"))
}

#[test]
fn the_exit_code_is_0_when_all_clients_have_left() -> io::Result<()> {
    let program = start()?;
    drop(connect(&program)?);

    program.signal("-TERM")?;
    let status = program.ends()?;

    assert_eq!(status.code(), Some(0), "Ana was gone before the stop: {status}");
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_client_has_not_left_in_time() -> io::Result<()> {
    let program = start()?;
    let _never_answers_the_close = connect(&program)?;

    program.signal("-TERM")?;
    let status = program.ends()?;

    assert_eq!(status.code(), Some(3), "Ana did not answer the Close: {status}");
    Ok(())
}

/// An output that is full, and the end that nobody reads.
fn full_output() -> io::Result<(OwnedFd, UnixStream)> {
    let (mut output, reader) = UnixStream::pair()?;
    output.set_nonblocking(true)?;
    while output.write(&[b'x'; 4096]).is_ok() {}
    output.set_nonblocking(false)?;
    Ok((output.into(), reader))
}

/// Whether it becomes true in time.
fn becomes_true(mut what: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if what() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    false
}

fn is_healthy(address: &str) -> io::Result<bool> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(connection, "GET /health HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut answer = [0; 15];
    connection.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200 OK")
}

fn has_ended(process: &mut Child) -> bool {
    matches!(process.try_wait(), Ok(Some(_)))
}

/// Somebody has started a program again whose output is no longer read.
#[test]
fn an_output_that_is_full_from_the_beginning_stops_nothing() -> io::Result<()> {
    let (output, _nobody_reads_it) = full_output()?;
    let free = format!("127.0.0.1:{}", free_port());
    let mut process = program().env("ADDR", &free).stdout(output).spawn()?;

    let serves = becomes_true(|| is_healthy(&free).unwrap_or_default());
    let pid = process.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    let ends = becomes_true(|| has_ended(&mut process));
    process.kill()?; // If it has not ended.
    let status = process.wait()?;

    assert!(serves, "it should not wait for a reader before it serves");
    assert!(told?.success(), "kill should be there");
    assert!(ends, "nor before it ends");
    assert_eq!(status.code(), Some(0), "with nobody there: {status}");
    Ok(())
}
