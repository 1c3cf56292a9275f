//! The program as a process of its own: where its log is, and what outlives it.
#![cfg(unix)]

use std::{
    env, fs,
    io::{self, Write},
    net::TcpStream,
    process::{self, Command},
};

use probe::{
    conformance::masked,
    program::{Program, read_until},
};

/// The program, as somebody starts it who has set `DATABASE`, or not.
fn program(database: Option<&str>) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lesson_18_delivery"));
    for name in ["JWT_SECRET", "ALLOWED_ORIGINS", "DATABASE"] {
        program.env_remove(name);
    }
    program.envs(database.map(|path| ("DATABASE", path)));
    program
}

/// A WebSocket of Ana, who has seen nothing yet.
fn connect(program: &Program) -> io::Result<TcpStream> {
    let token = program.sign_in("ana", "ana-likes-tea")?;
    program.upgrade(&format!("/ws/chat/rust?resume=0&token={token}"))
}

#[test]
fn what_was_acknowledged_outlives_kill_9() -> io::Result<()> {
    let folder = env::temp_dir().join(format!("kill-{}", process::id()));
    fs::create_dir(&folder)?;
    let file = folder.join("chat.db");
    let file = file.to_str().expect("a path in UTF-8");

    for last in 0..3 {
        let running = Program::start(program(Some(file)))?;
        let mut ana = connect(&running)?;
        read_until(&mut ana, &format!(r#""seq":{last}}}"#))?; // The welcome.
        for seq in 1..=last {
            read_until(&mut ana, &format!(r#""content":"hello {seq}""#))?;
        }
        let next = last + 1;
        let chat = format!(r#"{{"type":"chat","id":"{next}","content":"hello {next}"}}"#);
        ana.write_all(&masked(0x81, chat.as_bytes()))?;
        read_until(&mut ana, &format!(r#"{{"type":"ack","id":"{next}","seq":{next}}}"#))?;
        running.signal("-KILL")?;
    }
    fs::remove_dir_all(folder)
}

#[test]
fn a_log_in_memory_is_said_to_be_one() -> io::Result<()> {
    for database in [None, Some("")] {
        let mut running = Program::start(program(database))?;

        running.logs("DATABASE is not set: all chats end with this program");
    }
    Ok(())
}

#[test]
fn a_file_that_cannot_be_used_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let folder = env::temp_dir();
    let folder = folder.to_str().expect("a path in UTF-8");

    let output = program(Some(folder)).env("ADDR", "127.0.0.1:0").output()?;

    let said = String::from_utf8_lossy(&output.stderr);
    let sentence = format!(
        "DATABASE={folder} cannot be used: unable to open database file: {folder}.\n"
    );
    assert_eq!(said, sentence, "it says what to change");
    assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    Ok(())
}
