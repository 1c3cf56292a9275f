//! Embeds what browsers ask for: the files of this folder, and the transcripts of the book.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// How the names of the files end that browsers ask for.
const SERVED: [&str; 4] = ["css", "html", "js", "svg"];

/// Seen from this package, wherever the course has been moved to. A copy of this package
/// may be without them.
const TRANSCRIPTS: &str = "../book/transcripts";

fn main() -> io::Result<()> {
    // A new file is embedded, too. If we named a folder that does not exist, cargo would
    // run this each time.
    println!("cargo::rerun-if-changed=.");
    if Path::new(TRANSCRIPTS).is_dir() {
        println!("cargo::rerun-if-changed={TRANSCRIPTS}");
    }

    write("files.rs", &files()?)?;
    write("transcripts.rs", &transcripts()?)
}

/// A row for each file: its name and its text.
fn files() -> io::Result<Vec<String>> {
    let mut rows = Vec::new();
    for file in entries(Path::new("."))? {
        if SERVED.iter().any(|end| ends_in(&file, end)) {
            let name = file.file_name().unwrap_or_default();
            rows.push(format!("({name:?}, {})", text(&file)));
        }
    }
    Ok(rows)
}

/// A row for each transcript: its program, its name and its text.
fn transcripts() -> io::Result<Vec<String>> {
    let mut rows = Vec::new();
    for program in entries(Path::new(TRANSCRIPTS))? {
        for file in entries(&program)? {
            if ends_in(&file, "txt") {
                let program = program.file_name().unwrap_or_default();
                let name = file.file_stem().unwrap_or_default();
                rows.push(format!("({program:?}, {name:?}, {})", text(&file)));
            }
        }
    }
    Ok(rows)
}

/// The code that embeds a file, wherever this package is when it is compiled.
fn text(file: &Path) -> String {
    let path = Path::new("/").join(file);
    format!(r#"include_str!(concat!(env!("CARGO_MANIFEST_DIR"), {path:?}))"#)
}

fn ends_in(file: &Path, end: &str) -> bool {
    file.extension().is_some_and(|extension| extension == end)
}

/// What a folder holds, in the order of the names. A file holds nothing.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Writes a list that the crate includes.
fn write(name: &str, rows: &[String]) -> io::Result<()> {
    let source = format!("&[{}]", rows.join(",\n"));
    fs::write(Path::new(&variable("OUT_DIR")?).join(name), source)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
