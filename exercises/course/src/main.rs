//! Help for the exercises, and a start for what comes after them.
//!
//! This is a package of its own, so that it works while your code does not compile.

#[allow(dead_code)] // Until `watch` joins a class.
mod class;
mod manifest;
mod new_service;
mod service;
mod sources;
mod words;

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const HELP: &str = "\
cargo course hint  typing_indicator   shows one more hint
cargo course reset typing_indicator   puts the file back to its first state
cargo course watch typing_indicator   runs the checks whenever you save a file
cargo course new   ../my-chat         copies the whole server, as the start of your own

The exercises: private_messaging, typing_indicator, online_users, message_history,
copied_chat, rate_limit and resume, or 1 to 7. To run the checks, cargo test -p exercises is enough.";

/// In the order of their numbers.
const EXERCISES: [&str; 7] = [
    "private_messaging",
    "typing_indicator",
    "online_users",
    "message_history",
    "copied_chat",
    "rate_limit",
    "resume",
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();

    let done = match arguments[..] {
        ["watch"] => watch(""),
        ["new", path] if !path.starts_with('-') => {
            new_service::create(&root(), Path::new(path))
        }
        [command, name] => match (command, find(name)) {
            ("hint", Some(exercise)) => hint(exercise),
            ("reset", Some(exercise)) => reset(exercise),
            ("watch", Some(exercise)) => watch(exercise),
            _ => unknown(),
        },
        [] | ["help" | "--help" | "-h"] => Ok(HELP.into()),
        _ => unknown(),
    };

    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn unknown() -> io::Result<String> {
    Err(io::Error::other(format!("There is no such command.\n\n{HELP}")))
}

/// By its name or its number.
fn find(name: &str) -> Option<&'static str> {
    (1..).zip(EXERCISES).find_map(|(number, exercise)| {
        (name == exercise || name == number.to_string()).then_some(exercise)
    })
}

/// The next hint. How many have been shown is remembered in the target folder.
fn hint(exercise: &str) -> io::Result<String> {
    let file = format!("exercises/hints/{exercise}.md");
    let text = fs::read_to_string(root().join(&file))?;
    let hints: Vec<_> = text.split("\n## ").skip(1).collect();
    let counter = kept(&format!("{exercise}.hints"))?;
    let shown = fs::read_to_string(&counter).unwrap_or_default().parse().unwrap_or(0);

    let Some(hint) = hints.get(shown) else {
        return Ok(format!(
            "That was the last hint. All of them are in {file}, and a solution is in \
             solutions/src/{exercise}.rs."
        ));
    };
    fs::write(counter, (shown + 1).to_string())?;
    Ok(format!("Hint {} of {}: {}", shown + 1, hints.len(), hint.trim_end()))
}

/// Puts the stub back, and keeps what was there.
fn reset(exercise: &str) -> io::Result<String> {
    let file = root().join(format!("exercises/src/{exercise}.rs"));
    let yours = kept(&format!("{exercise}.rs"))?;
    if file.exists() {
        fs::copy(&file, &yours)?;
    }
    fs::copy(root().join(format!("exercises/stubs/{exercise}.rs")), file)?;
    Ok(format!("{exercise} begins anew. Your version is kept in {}.", yours.display()))
}

/// Leaves the watching to watchexec.
fn watch(exercise: &str) -> io::Result<String> {
    let watched = ["--watch", "exercises/src", "--clear", "--", "cargo", "test"];
    let checks = ["--quiet", "-p", "exercises", "--", exercise];
    let started =
        Command::new("watchexec").args(watched).args(checks).current_dir(root()).status();

    match started {
        Ok(_) => Ok("Goodbye.".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(io::Error::other(
            "This needs watchexec: cargo install --locked watchexec-cli",
        )),
        Err(error) => Err(error),
    }
}

/// The folder of the course. Cargo says where it is now: it may have been moved, or
/// copied, since this program was built.
fn root() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built);
    Path::new(&package).join("../..")
}

/// A file in the target folder, beside this program.
fn kept(name: &str) -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

#[cfg(test)]
mod tests;
