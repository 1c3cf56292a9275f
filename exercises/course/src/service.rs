//! What a service of your own is made of: each file, and its text.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{manifest, sources, words};

/// A file of the new folder, and its text.
pub type File = (PathBuf, String);

const CAPSTONE: &str = "lessons/lesson_24_capstone";
const DEPLOY: &str = "deploy"; // In the folder of the capstone, and there.
const PROBE: &str = "lessons/probe";
const PAGES: &str = "static";

/// Each package: where it is here, where it is there, and the crates that come along.
///
/// The tests of the other two stay here: they are about the pages and the transcripts of
/// all lessons.
pub const PACKAGES: [(&str, &str, &[&str]); 3] = [
    (CAPSTONE, "", &["src/main.rs", "tests"]),
    (PROBE, "probe", &["src/lib.rs"]),
    (PAGES, "pages", &["src/lib.rs", "build.rs"]),
];

const TRANSCRIPTS: &str = "book/transcripts/lesson_24_capstone";

/// The page of the capstone, the lab, which is for the development, and what the server puts
/// into pages or shows in their place.
pub const PAGES_TO_OPEN: [&str; 5] =
    ["lesson_24.html", "lab.html", "bar.js", "elsewhere.html", "nothing.html"];

const README: &str = include_str!("../service/README.md");
const PASSWORD: &str = include_str!("../service/password.rs");

/// All files of a service with this name.
pub fn files(course: &Path, name: &str) -> io::Result<Vec<File>> {
    let mut files = given(course, name)?;
    for (from, to, crates) in PACKAGES {
        let adapt = |text: String| words::adapted(to, &text, name);
        let found = sources::reachable(&course.join(from), crates, &adapt)?;
        files.extend(moved(found, to));
    }
    let adapt = |text: String| words::adapted("pages", &text, name);
    let linked = sources::linked(&course.join(PAGES), &PAGES_TO_OPEN, &adapt)?;
    files.extend(moved(linked, "pages"));
    files.extend(transcripts(course, name)?);
    files.extend(moved(all_in(&course.join(CAPSTONE).join(DEPLOY))?, DEPLOY));
    Ok(files)
}

/// The files that do not depend on what the sources name.
fn given(course: &Path, name: &str) -> io::Result<Vec<File>> {
    let read = |file: &str| sources::read(&course.join(file));
    let of = |folder: &str, package: &str| -> io::Result<_> {
        Ok(words::adapted(folder, &read(&format!("{package}/Cargo.toml"))?, name))
    };
    let members = [of("", CAPSTONE)?, of("pages", PAGES)?, of("probe", PROBE)?];
    let lock = manifest::lock(&read("Cargo.lock")?, name);
    let root = manifest::root(&read("Cargo.toml")?, &members);
    let [_, pages, probe] = members;

    let named = |text: &str| text.replace(words::NAME, name);
    let files = [
        ("Cargo.toml", root),
        ("Cargo.lock", lock),
        ("pages/Cargo.toml", pages),
        ("probe/Cargo.toml", probe),
        ("README.md", named(README)),
        ("examples/password.rs", named(PASSWORD)),
        ("LICENSE", read("LICENSE")?),
        (".gitignore", "/target\n/*.db*\n".into()),
        ("rustfmt.toml", read("rustfmt.toml")?),
    ];
    Ok(files.map(|(file, text)| (file.into(), text)).into())
}

/// The conversations that the tests of the service run, and the lab.
fn transcripts(course: &Path, name: &str) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for folder in ["", "false"] {
        let from = course.join(TRANSCRIPTS).join(folder);
        if !from.is_dir() {
            continue; // Not every program has false ones.
        }
        files.extend(moved(all_in(&from)?, folder));
    }
    Ok(moved(files, &format!("transcripts/{name}")).collect())
}

/// The files in a folder, without those in folders inside of it.
fn all_in(folder: &Path) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() {
            let name = path.file_name().unwrap_or_default();
            files.push((name.into(), sources::read(&path)?));
        }
    }
    Ok(files)
}

/// The same files, in a folder. The page of the capstone becomes the first one.
fn moved(files: Vec<File>, to: &str) -> impl Iterator<Item = File> {
    files.into_iter().map(move |(file, text)| {
        let file = match file.to_str() {
            Some("lesson_24.html") => "index.html".into(),
            Some("lesson_24.js") => "index.js".into(),
            _ => file,
        };
        (Path::new(to).join(file), text)
    })
}
