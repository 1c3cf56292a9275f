//! Embeds the transcripts of the book, whichever there are.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// Seen from this package, wherever the course has been moved to.
const FOLDER: &str = "../book/transcripts";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");

    let mut rows = Vec::new();
    for program in entries(&fs::canonicalize(FOLDER)?)? {
        for file in entries(&program)? {
            if file.extension().is_some_and(|end| end == "txt") {
                let program = program.file_name().unwrap_or_default();
                let name = file.file_stem().unwrap_or_default();
                rows.push(format!("({program:?}, {name:?}, include_str!({file:?}))"));
            }
        }
    }

    let source = format!("&[{}]", rows.join(",\n"));
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("transcripts.rs"), source)
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
