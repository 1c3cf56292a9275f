//! `cargo course board`: a package of its own, so that nobody else compiles it.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use crate::{course::Error, runner};

pub fn serve(root: &Path) -> Result<ExitCode, Error> {
    let mut command = runner::cargo();
    command.args(["run", "--quiet", "-p", "board"]).current_dir(root);
    become_it(&mut command)
}

/// The server takes the place of this process. Whoever ends this one, even with a signal
/// that we could not pass on, ends the server.
#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<ExitCode, Error> {
    use std::os::unix::process::CommandExt;
    Err(runner::no_cargo(command.exec())) // It comes back only if it has failed.
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<ExitCode, Error> {
    let done = command.status().map_err(runner::no_cargo)?;
    let code = done.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
