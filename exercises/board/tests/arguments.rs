//! The program as a shell starts it.

use std::{
    io::{self, BufRead, BufReader},
    process::{Command, Stdio},
};

#[test]
fn arguments_are_refused() -> io::Result<()> {
    let board = env!("CARGO_BIN_EXE_board");
    // With this address it ends, too, if it does not look at its arguments: but with 1.
    let done = Command::new(board).arg("--help").env("ADDR", "nowhere").output()?;

    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(2), "{said}");
    assert!(said.contains(r#"takes no arguments, so "--help" means nothing"#), "{said}");
    Ok(())
}

#[test]
fn the_start_says_where_the_board_is_and_who_can_join_and_nothing_of_a_lab()
-> io::Result<()> {
    let mut board = Command::new(env!("CARGO_BIN_EXE_board"))
        .env("ADDR", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = board.stdout.take().expect("it is piped");

    let said: Vec<String> =
        BufReader::new(stdout).lines().take(2).collect::<io::Result<_>>()?;

    board.kill()?;
    board.wait()?;
    assert!(said[0].starts_with("Open http://127.0.0.1:"), "where it is: {said:?}");
    // X-ray would come before it. The board has no page that shows it.
    assert!(said[1].starts_with("Only this computer can join"), "who can join: {said:?}");
    Ok(())
}
