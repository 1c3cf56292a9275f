//! The book's own preprocessor. The pages say where code comes from, and this brings it.
//!
//! A directive stands on a line of its own, but for `version`, `minutes` and `new_lines`,
//! which stand in a sentence. In a list, the line is indented as the text of its entry is.
//! Paths begin at the root of the repository. What is long is folded: see `fold.rs`.
//!
//! | directive | becomes |
//! |---|---|
//! | `{{#item FILE HEAD}}` | an item of Rust, JavaScript or Python, by the beginning of its first line; `A > B` is B inside of A, `A ++ B` is both, `//!` is the file's own comment |
//! | `{{#file FILE}}` | the whole file |
//! | `{{#diff OLD NEW}}` | what changed between two lessons |
//! | `{{#break NAME}}` | a change that breaks the lesson, the test that notices it, and what it prints: `breaks.rs` has the form, `.ci/book/breaks` runs it |
//! | `{{#left_out}}` | the new code of the lesson that this chapter does not show, by name |
//! | `{{#new_lines LESSON}}` | how many lines of a lesson are new or changed, inside a sentence |
//! | `{{#transcript NAME}}` | a conversation that the tests of its lesson run |
//! | `{{#lab}}` | the script that replays the transcripts of this page |
//! | `{{#handshake}}` | the script that shows a handshake of the reader's own server |
//! | `{{#worksheet}}` | the script that calculates which machine a chat needs |
//! | `{{#output NAME}}` | a command and what it printed, run by a test |
//! | `{{#steps FILE}}` | the checks of an exercise, each with its comment |
//! | `{{#hints NAME}}` | the hints for an exercise, folded |
//! | `{{#says NAME}}` | what the compiler, or the program, says to a wrong way |
//! | `{{#drawing NAME}}` | an SVG that takes its colours from the page |
//! | `{{#schedule 9:00 13:00 … }}` | a timetable; the minutes come from the chapters |
//! | `{{#minutes PAGE…}}` | their sum, inside a sentence |
//! | `{{#version CRATE}}` | what `Cargo.lock` has; `rust` is the oldest that will do |

pub mod breaks;
pub mod check;
pub mod coverage;
mod diff;
mod directives;
mod fold;
mod item;
mod page;
mod schedule;
mod script;
pub mod translation;

use std::{env, fmt, fs, path::Path, process::Command};

pub use directives::expand;
pub use fold::fold;
pub use item::item;
pub use page::{heading_ids, prose, words};
pub use schedule::{minutes, said_minutes};

/// The root of the repository.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Cargo for a test that starts it, without what cargo has told the test of this package: some
/// build scripts look at that, as ring's does, and would run again now and at the next command.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(ROOT);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Something wrong in a file, said in one sentence.
#[derive(Debug, PartialEq)]
pub struct Fault {
    pub file: String,
    pub line: usize,
    pub sentence: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.sentence)
    }
}

/// Reads a file of the repository. The error is a sentence.
pub fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(ROOT).join(path))
        .map(|text| text.replace("\r\n", "\n"))
        .map_err(|_| format!("There is no file {path}."))
}
