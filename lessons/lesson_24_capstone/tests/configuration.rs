//! What the program itself says about its configuration, and how it ends.

mod common;

use std::{io, net::TcpListener, process::Output};

use common::program;

const SECRET: &str = "not for other eyes";

/// Runs the program with this argument, and with no other variables of ours.
///
/// Its port is taken. Should it go on where it must not, it ends all the same.
fn run(argument: Option<&str>, variables: &[(&str, &str)]) -> io::Result<Output> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let mut program = program();
    program.env("ADDR", taken.local_addr()?.to_string()).args(argument);
    program.envs(variables.iter().copied()).output()
}

#[test]
fn help_comes_first_and_shows_no_secret() -> io::Result<()> {
    let mistakes = [("CHAT_JWT_SECRET", SECRET), ("CHAT_MAX_ROOMS", "x"), ("CHAT_X", "")];

    for option in ["--help", "-h"] {
        let output = run(Some(option), &mistakes)?;
        let help = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "a question is no mistake: {output:?}");
        assert!(help.contains("CHAT_MAX_ROOMS=100 "), "{option} lists defaults: {help}");
        assert!(help.contains("CHAT_JWT_SECRET "), "{option} knows the secret: {help}");
        assert!(!help.contains(SECRET), "{option} shows the secret: {help}");
        assert!(output.stderr.is_empty(), "{option} complains: {output:?}");
    }
    Ok(())
}

/// As in `… --help | head -1`.
#[test]
fn help_that_nobody_reads_to_the_end_is_no_fault() -> io::Result<()> {
    let (reader, output) = io::pipe()?;
    drop(reader);

    let output = program().arg("--help").stdout(output).output()?;

    assert!(output.status.success(), "a reader may have seen enough: {output:?}");
    assert!(output.stderr.is_empty(), "and that is nothing to complain of: {output:?}");
    Ok(())
}

#[test]
fn a_configuration_that_cannot_be_gets_one_sentence_and_exit_code_1() -> io::Result<()> {
    let cases = [
        (
            "CHAT_MAX_ROMS",
            "5",
            "There is no variable CHAT_MAX_ROMS: --help lists them all.",
        ),
        ("CHAT_MAX_ROOMS", "0", "CHAT_MAX_ROOMS is 0: that would keep everybody out."),
        (
            "ADDR",
            "localhost",
            "CHAT_ADDR is \"localhost\": it should be an IP address and a port, as in \
             127.0.0.1:18000.",
        ),
        (
            "CHAT_OUTBOX_SIZE",
            "100",
            "CHAT_OUTBOX_SIZE is 100, but a full room may send 840 messages at once: \
             CHAT_MAX_MEMBERS_PER_ROOM times one more than CHAT_MESSAGE_BURST.",
        ),
        (
            "CHAT_ALLOWED_ORIGINS",
            "chat.example.com",
            "CHAT_ALLOWED_ORIGINS has \"chat.example.com\", but an origin has a scheme \
             (http or https), a host, and a port if it is not the default, as in \
             https://chat.example.com or http://127.0.0.1:3000.",
        ),
        (
            "CHAT_JWT_SECRET",
            SECRET,
            "CHAT_JWT_SECRET has 18 bytes, but should have 32 or more.",
        ),
    ];

    for (name, value, sentence) in cases {
        let output = run(None, &[(name, value)])?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.trim_end(), sentence, "{name}={value}");
        assert_eq!(output.status.code(), Some(1), "it has not begun: {output:?}");
    }
    Ok(())
}
