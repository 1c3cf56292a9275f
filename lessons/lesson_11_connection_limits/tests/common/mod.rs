//! The program, as a reader starts it who has set no variable.

use std::{env, process::Command};

/// The program, with what a shell has to do before it starts, such as `ulimit -n 250`.
pub fn program_after(command: &str) -> Command {
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_lesson_11_connection_limits");
    shell.args(["-c", &format!("{command} && exec \"$0\""), program]);
    for (name, _) in env::vars_os() {
        if name == "ADDR" || name.as_encoded_bytes().starts_with(b"MAX_") {
            shell.env_remove(&name);
        }
    }
    shell
}
