//! What the program itself says about its configuration.
#![cfg(unix)]

mod common;

use std::{io, net::TcpListener};

use common::program_after;
use probe::program::Program;

#[test]
fn a_configuration_that_cannot_be_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let cases = [
        (
            "true",
            "MAX_ROOMS",
            "0",
            "MAX_ROOMS is \"0\", not a whole number from 1 to 800 (at most MAX_CONNECTIONS).\n",
        ),
        (
            "ulimit -n 250",
            "MAX_CONNECTIONS",
            "51",
            "MAX_CONNECTIONS needs 251 open files, but ulimit -n is 250.\n",
        ),
    ];
    // The port is taken. Should the program go on where it must not, it ends all the same.
    let taken = TcpListener::bind("127.0.0.1:0")?;

    for (command, name, value, sentence) in cases {
        let mut program = program_after(command);
        program.env("ADDR", taken.local_addr()?.to_string()).env(name, value);
        let output = program.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, sentence, "{name}={value}");
        assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    }
    Ok(())
}

#[test]
fn a_soft_limit_is_raised_and_a_misspelled_name_is_reported() -> io::Result<()> {
    let mut program = program_after("ulimit -S -n 100");
    program.env("MAX_ROMS", "5").env("MAX_CONNECTIONS", "50");

    let mut program = Program::start(program)?;

    program.logs("\"MAX_ROMS\" is set, but nothing here reads it");
    let limits = "max_connections: 50, max_connections_per_user: 5, max_rooms: 50,";
    program.logs(limits);
    Ok(())
}
