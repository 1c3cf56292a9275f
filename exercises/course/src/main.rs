//! The companion for the exercises, and a start for what comes after them.
//!
//! This is a package of its own, so that it works while your code does not compile.

// They panic when nobody reads any more, as after `cargo course list | head`. What is written
// goes through `screen`, which does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod board;
mod checks;
mod class;
mod command;
mod course;
mod hint;
mod keys;
mod manifest;
mod nearest;
mod new_service;
mod overview;
mod page;
mod prepare;
mod progress;
mod reset;
mod runner;
mod saves;
mod screen;
mod service;
mod solution;
mod sources;
mod syllabus;
mod verdict;
mod watch;
mod words;

use std::{env, path::Path, process::ExitCode};

use crate::{
    command::{Command, HELP},
    course::{Course, Error},
    progress::Progress,
    screen::Style,
};

fn main() -> ExitCode {
    // `env::args` would panic at an argument that is not UTF-8.
    let arguments: Vec<_> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    match command::parse(&arguments).and_then(carry_out) {
        Ok(code) => code,
        Err(error) => {
            screen::complain(&error.sentence);
            ExitCode::from(error.code)
        }
    }
}

fn carry_out(command: Command) -> Result<ExitCode, Error> {
    let root = course::root();
    let open = || -> Result<Course, Error> {
        let course = Course::open(&root)?;
        if let Some(sentence) = Progress::set_aside_if_damaged(&course) {
            screen::complain(&sentence);
        }
        Ok(course)
    };
    let style = Style::of_the_terminal();
    let text = match command {
        Command::Help => HELP.into(),
        Command::New { path } => new_service::create(&root, Path::new(&path))?,
        Command::Board => return board::serve(&root),
        Command::Prepare { lessons } => prepare::prepare(&root, &lessons)?,
        Command::Overview => overview::overview(&open()?, style)?,
        Command::Next => overview::next(&open()?, style)?,
        Command::List { json: true } => overview::as_json(&open()?)?,
        Command::List { json: false } => overview::list(&open()?, style)?,
        Command::Check { name, json } => {
            return verdict::check(&open()?, name.as_deref(), json, style);
        }
        Command::Hint { name, more } => {
            let text = hint::hint(&open()?, name.as_deref(), more)?;
            style.wrap(&text).join("\n")
        }
        Command::Reset { name } => reset::reset(&open()?, &name)?,
        Command::Solution { name } => solution::solution(&open()?, &name)?,
        Command::Watch { name, class } => {
            // It has a screen of its own for all that there is to say.
            let course = Course::open(&root)?;
            return watch::watch(&course, name.as_deref(), class.as_ref(), style);
        }
    };
    screen::say(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
