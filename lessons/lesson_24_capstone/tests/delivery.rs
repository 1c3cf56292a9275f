//! What was acknowledged is there after the end of the program, however it ends.

#![cfg(unix)]

mod common;

use std::{
    env, fs,
    io::{self, Write},
    net::TcpStream,
    process,
};

use common::program;
use probe::{
    conformance::masked,
    program::{Program, read_until},
};

/// A WebSocket of Ana, who has seen nothing yet.
fn connect(program: &Program) -> io::Result<TcpStream> {
    let token = program.sign_in("ana", "ana-likes-tea")?;
    program.upgrade(&format!("/ws/chat/rust?resume=0&token={token}"))
}

#[test]
fn what_was_acknowledged_outlives_kill_9_and_sigterm() -> io::Result<()> {
    let folder = env::temp_dir().join(format!("acknowledged-{}", process::id()));
    fs::create_dir(&folder)?;
    let file = folder.join("chat.db");

    for (last, signal) in ["-KILL", "-TERM", "-KILL"].into_iter().enumerate() {
        let mut command = program();
        command.env("CHAT_DATABASE", &file).env("CHAT_SHUTDOWN_TIMEOUT", "1");
        let running = Program::start(command)?;
        let mut ana = connect(&running)?;
        read_until(&mut ana, &format!(r#""seq":{last}}}"#))?; // The welcome.
        for seq in 1..=last {
            read_until(&mut ana, &format!(r#""content":"hello {seq}""#))?;
        }
        let next = last + 1;
        let chat = format!(r#"{{"type":"chat","id":"{next}","content":"hello {next}"}}"#);
        ana.write_all(&masked(0x81, chat.as_bytes()))?;
        read_until(&mut ana, &format!(r#"{{"type":"ack","id":"{next}","seq":{next}}}"#))?;
        running.signal(signal)?;
        running.ends()?;

        if signal == "-TERM" {
            let rest = fs::metadata(folder.join("chat.db-wal")).map_or(0, |it| it.len());
            assert_eq!(rest, 0, "a copy of the one file has all of it");
        }
    }
    fs::remove_dir_all(folder)
}
