//! `cargo course board`: a package of its own, so that nobody else compiles it.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

use crate::{course::Refusal, runner};

pub fn serve(root: &Path, arguments: &[String]) -> Result<ExitCode, Refusal> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["run", "--quiet", "-p", "board", "--"])
        .args(arguments)
        .current_dir(root)
        .status()
        .map_err(runner::no_cargo)?;
    // A process that a signal has ended has no code.
    let code = done.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
