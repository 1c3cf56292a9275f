//! The program as a shell starts it.

use std::{io, process::Command};

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
