//! What happens when the process may open no more files.
#![cfg(unix)]

mod common;

use std::{
    io::{self, Write},
    net::TcpStream,
    time::Instant,
};

use common::program_after;
use probe::{
    conformance::masked,
    program::{LIMIT, Program, read_until},
};

/// Starts the program, with few files.
fn start() -> io::Result<Program> {
    let mut program = program_after("ulimit -n 250");
    program.env("MAX_CONNECTIONS", "50");
    Program::start(program)
}

/// Connects to a room, and waits until the server has upgraded the connection.
fn upgrade(program: &Program, token: &str) -> io::Result<TcpStream> {
    program.upgrade(&format!("/ws/chat/rust?token={token}"))
}

fn says(stream: &mut TcpStream, content: &str) -> io::Result<()> {
    let message = format!(r#"{{"type":"chat","content":"{content}"}}"#);
    stream.write_all(&masked(0x81, message.as_bytes()))
}

#[test]
fn without_descriptors_the_chat_goes_on_and_later_people_get_in_again() -> io::Result<()>
{
    rlimit::increase_nofile_limit(1_000)?; // For this side of the connections.
    let mut program = start()?;
    let [ana, ben] = [
        program.sign_in("ana", "ana-likes-tea")?,
        program.sign_in("ben", "ben-likes-jam")?,
    ];
    let mut ana = upgrade(&program, &ana)?;

    // They send no request. Until they do, no limit of ours counts them.
    let silent = (0..300).map(|_| program.connect()).collect::<io::Result<Vec<_>>>()?;
    let line = program.logs("accept error");
    assert!(line.contains("ERROR"), "somebody should notice: {line}");
    assert!(line.contains("Too many open files"), "it says why: {line}");
    says(&mut ana, "still here?")?;
    read_until(&mut ana, "still here?")?;

    let start = Instant::now();
    drop(silent);
    let _ben = upgrade(&program, &ben)?;

    assert!(start.elapsed() < LIMIT / 2, "Ben has waited for {:?}", start.elapsed());
    let joined = read_until(&mut ana, r#"{"type":"user_joined","username":"ben"}"#)?;
    assert!(joined.contains("ben"), "and Ana is still in the room");
    Ok(())
}
