//! Lesson 23: load.
//!
//! Before: we knew that our servers work, and not how much they carry.
//! Now:    a program plays a thousand people, and says how long each message took.
//!
//! New in this lesson, in the order you will meet it:
//!
//! 1. an *open loop*: when a message is due does not depend on the server (`schedule.rs`);
//! 2. a histogram of latencies, and what may be added up (`report.rs`, `plot.rs`);
//! 3. one thread with 15,000 connections (`connect.rs`, `frames.rs`, `member.rs`, `run.rs`);
//! 4. several processes that are one generator (`processes.rs`).
//!
//! Run:   cargo run --release -p lesson_23_load (beside a server of lesson 07)
//! Help:  cargo run --release -p lesson_23_load -- --help
//! Check: cargo test -p lesson_23_load

mod connect;
mod frames;
mod member;
mod options;
mod plot;
mod processes;
mod report;
mod run;
mod schedule;

use std::{
    env, fs,
    io::{self, Write},
    process::exit,
};

use crate::{
    options::{Options, help},
    plot::plot,
};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        return say(&help());
    }
    if let Err(sentence) = run(words) {
        eprintln!("{sentence}");
        exit(1);
    }
}

/// The error is a sentence for the person who started the program.
fn run(words: Vec<String>) -> Result<(), String> {
    let options = Options::parse(words.into_iter())?;
    let Some(report) = processes::run(&options)? else { return Ok(()) };
    let summary = report.summary(&options);
    match serde_json::to_string_pretty(&summary) {
        Ok(json) if options.json => say(&format!("{json}\n")),
        _ => say(&summary.to_string()),
    }
    if options.svg.as_os_str().is_empty() {
        return Ok(());
    }
    let name = options.svg.display();
    fs::write(&options.svg, plot(&report, &options))
        .map_err(|error| format!("{name}: {error}."))
}

/// Why not `print!`? It panics when nobody reads to the end, as in `… | head -1`.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()); // Or nobody reads it.
}

#[cfg(test)]
mod tests;
