//! The program as a whole: what it reads at its start, and what its end tells.

#![cfg(unix)]

use std::{
    env,
    io::{self, Write},
    net::TcpStream,
    process::{Command, Output},
    time::Instant,
};

use probe::program::{LIMIT, Program};

/// The program, as somebody starts it who has set these variables and no other.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lesson_13_shutdown"));
    for name in ["JWT_SECRET", "ALLOWED_ORIGINS", "SHUTDOWN_DELAY", "SHUTDOWN_TIMEOUT"] {
        program.env_remove(name);
    }
    program.envs(variables.iter().copied());
    program
}

/// Starts it.
fn start(variables: &[(&str, &str)]) -> io::Result<Program> {
    Program::start(program(variables))
}

fn sign_in(program: &Program) -> io::Result<String> {
    program.sign_in("ana", "ana-likes-tea")
}

/// A WebSocket of Ana. It answers nothing, not even a Close.
fn connect(program: &Program) -> io::Result<TcpStream> {
    program.upgrade(&format!("/ws/chat/rust?token={}", sign_in(program)?))
}

#[test]
fn the_exit_code_is_0_when_all_clients_have_left() -> io::Result<()> {
    for signal in ["-TERM", "-INT"] {
        let program = start(&[])?;
        drop(connect(&program)?);

        program.signal(signal)?;

        let status = program.ends()?;
        assert_eq!(status.code(), Some(0), "Ana was gone before the {signal}: {status}");
    }
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_client_has_not_left_in_time() -> io::Result<()> {
    let program = start(&[("SHUTDOWN_TIMEOUT", "1")])?;
    let _never_answers_the_close = connect(&program)?;

    program.signal("-TERM")?;

    let status = program.ends()?;
    assert_eq!(status.code(), Some(3), "Ana did not answer the Close: {status}");
    Ok(())
}

#[test]
fn the_exit_code_is_3_when_a_request_is_not_finished_in_time() -> io::Result<()> {
    let program = start(&[("SHUTDOWN_TIMEOUT", "1")])?;
    let mut half = program.connect()?;
    half.write_all(b"GET /ready HTTP/1.1\r\nHost:")?;
    program.get("/ready")?; // It came later, so the server has the half one, too.

    program.signal("-TERM")?;

    let status = program.ends()?;
    assert_eq!(status.code(), Some(3), "axum alone would wait for ever: {status}");
    Ok(())
}

#[test]
fn the_second_signal_ends_the_program_at_once_with_1() -> io::Result<()> {
    let mut program = start(&[("SHUTDOWN_DELAY", "3600")])?;
    let ready = program.get("/ready")?;
    assert!(ready.starts_with("HTTP/1.1 200 "), "all is well: {ready}");

    program.signal("-TERM")?;
    let start = Instant::now();
    while !program.get("/ready")?.starts_with("HTTP/1.1 503 ") {
        assert!(start.elapsed() < LIMIT, "the signal changes nothing at /ready");
    }
    let status = loop {
        program.signal("-INT")?; // It counts when it does not come right after the first.
        if let Some(status) = program.has_ended()? {
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
    let program = start(&[("SHUTDOWN_DELAY", "1")])?;
    program.get("/ready")?; // It answers, so it catches signals as well.

    program.signal_times("-TERM", 3)?;

    let status = program.ends()?;
    assert_eq!(status.code(), Some(0), "nobody asked for the end at once: {status}");
    Ok(())
}

/// Ctrl-C, and the same command again: nobody has set `JWT_SECRET`.
#[test]
fn after_a_restart_the_tokens_are_still_valid() -> io::Result<()> {
    let first = start(&[])?;
    let token = sign_in(&first)?;
    first.signal("-INT")?;
    first.ends()?;

    let second = start(&[])?;
    let answer = second.get(&format!("/me?token={token}"))?;

    assert!(answer.starts_with("HTTP/1.1 200 "), "Ana has to sign in again: {answer}");
    Ok(())
}

#[test]
fn jwt_secret_comes_before_the_file() -> io::Result<()> {
    let first = start(&[])?;
    let token = sign_in(&first)?;

    let second = start(&[("JWT_SECRET", "another one, 32 bytes or longer.")])?;
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
