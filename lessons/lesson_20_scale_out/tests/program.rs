//! The program as a process of its own: what it says about its environment.
#![cfg(unix)]

use std::{
    io::{self, Read},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use probe::program::{LIMIT, Program};

/// The program, as somebody starts it who has set these variables, and no others.
fn program(variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lesson_20_scale_out"));
    for name in [
        "JWT_SECRET",
        "ALLOWED_ORIGINS",
        "DATABASE",
        "NATS_URL",
        "NATS_REPLICAS",
        "NATS_MAX_BYTES",
    ] {
        program.env_remove(name);
    }
    program.envs(variables.iter().copied());
    program
}

const SECRET: (&str, &str) = ("JWT_SECRET", "a secret for the tests, 32 bytes or more");

#[test]
fn without_a_broker_it_says_that_it_is_one_node() -> io::Result<()> {
    for variables in [&[][..], &[("NATS_URL", "")]] {
        let mut running = Program::start(program(variables))?;

        running.logs("NATS_URL is not set: this is one node, with the log of lesson 18");
        assert!(running.get("/ready")?.starts_with("HTTP/1.1 200 "), "it needs nobody");
    }
    Ok(())
}

#[test]
fn a_broker_that_is_not_there_yet_is_waited_for() -> io::Result<()> {
    let running = Program::start(program(&[("NATS_URL", "127.0.0.1:1"), SECRET]))?;

    let answer = running.get("/ready")?;

    assert!(answer.starts_with("HTTP/1.1 503 "), "it serves, and is not ready: {answer}");
    assert!(answer.ends_with("the broker cannot be reached"), "it says why: {answer}");
    Ok(())
}

#[test]
fn a_broker_that_cannot_be_reached_is_named_once_without_its_password() -> io::Result<()>
{
    let broker = TcpListener::bind("127.0.0.1:0")?;
    let address = broker.local_addr()?;
    let url = format!("nats://ana:tea@{address}");
    let mut program = program(&[("NATS_URL", &url), SECRET]);
    let mut running =
        program.env("ADDR", "127.0.0.1:0").stdout(Stdio::piped()).spawn()?;

    let (sender, tries) = mpsc::channel();
    // Whatever listens here is no broker: it closes each connection.
    thread::spawn(move || {
        for _ in broker.incoming() {
            let _ = sender.send(()); // Or the test is over.
        }
    });
    for _ in 0..5 {
        tries.recv_timeout(LIMIT).expect("the program tries again");
    }
    running.kill()?;
    running.wait()?;
    let mut said = String::new();
    running.stdout.take().expect("it is piped").read_to_string(&mut said)?;

    let lines = said.lines().filter(|line| line.contains(&address.to_string())).count();
    assert_eq!(lines, 1, "five tries are one line: {said}");
    assert!(!said.contains("async_nats"), "and the library adds none: {said}");
    assert!(!said.contains("tea"), "and nobody reads the password: {said}");
    Ok(())
}

#[test]
fn what_cannot_work_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let url = ("NATS_URL", "127.0.0.1:4222");
    let cases: [(&[_], _); 4] = [
        (&[url], "With NATS_URL, set JWT_SECRET, the same on all nodes.\n"),
        (&[url, SECRET, ("NATS_REPLICAS", "many")], "NATS_REPLICAS=many is no number.\n"),
        (
            &[("NATS_URL", "http://ana:tea@127.0.0.1"), SECRET],
            "NATS_URL cannot be used: invalid scheme for NATS server URL: http.\n",
        ),
        (
            &[("NATS_URL", "tls://127.0.0.1"), SECRET],
            "For a NATS_URL with tls://, build with --features tls.\n",
        ),
    ];
    for (variables, sentence) in cases {
        let output = program(variables).env("ADDR", "127.0.0.1:0").output()?;

        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, sentence, "it says what to change");
        assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    }
    Ok(())
}
