//! The exit code of the program: whether all clients left before it ended.

#![cfg(unix)]

mod common;

use std::{io, net::TcpStream};

use common::program;
use probe::program::Program;

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
