mod companion;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process,
};

use super::{command::HELP, course::root, manifest, service, sources, words};
use crate::{
    new_service::create,
    service::{File, files},
    words::{EVERYWHERE, PAGES, PROBE, Row, SERVICE},
};

/// A folder of its own for a test, which goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let folder = env::temp_dir().join(format!("course-{}-{test}", process::id()));
        fs::create_dir_all(&folder).expect("there is room for a folder");
        Self(folder)
    }

    fn join(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// All files, as seen from here.
    fn listed(&self) -> BTreeSet<PathBuf> {
        listed(&self.0, &self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // Then the system clears it away.
    }
}

fn listed(folder: &Path, from: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("so can its entries").path();
        if path.is_dir() {
            found.extend(listed(&path, from));
        }
        found.insert(path.strip_prefix(from).expect("it is inside").to_owned());
    }
    found
}

fn refused(course: &Path, wanted: &Path) -> String {
    create(course, wanted).expect_err("this should be refused").to_string()
}

/// A service with the name that the examples have.
fn my_chat() -> Vec<File> {
    files(&root(), "my-chat").expect("every file is there")
}

fn text<'a>(files: &'a [File], name: &str) -> &'a str {
    let found = files.iter().find(|(file, _)| file == Path::new(name));
    found.map_or_else(|| panic!("there should be a file {name}"), |(_, text)| text)
}

#[test]
fn the_help_names_every_command() {
    for command in
        ["list", "next", "check", "watch", "hint", "solution", "reset", "board", "new"]
    {
        let line = format!("cargo course {command} ");
        assert!(HELP.contains(&line), "the help should show how to call {command}");
    }
}

#[test]
fn a_folder_that_is_not_empty_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new("full");
    fs::create_dir(scratch.join("my-chat")).expect("there is room");
    fs::write(scratch.join("my-chat/diary.txt"), "mine").expect("there is room");
    let before = scratch.listed();

    let wanted = scratch.join("my-chat");
    let sentence = refused(&root(), &wanted);

    let expected = "is not empty. Choose a folder that does not exist yet.";
    assert_eq!(sentence, format!("{} {expected}", wanted.display()), "it says why");
    assert_eq!(scratch.listed(), before, "and touches nothing");
}

#[test]
fn a_file_is_refused_and_stays_as_it_is() {
    let scratch = Scratch::new("file");
    let wanted = scratch.join("my-chat");
    fs::write(&wanted, "mine").expect("there is room");

    let sentence = refused(&root(), &wanted);

    let expected = "is a file. Choose a folder that does not exist yet.";
    assert_eq!(sentence, format!("{} {expected}", wanted.display()), "it says why");
    assert_eq!(
        fs::read_to_string(wanted).ok().as_deref(),
        Some("mine"),
        "it is untouched"
    );
}

#[test]
fn an_empty_folder_is_filled() {
    let scratch = Scratch::new("empty");
    let wanted = scratch.join("my-chat");
    fs::create_dir(&wanted).expect("there is room");

    let said = create(&root(), &wanted).expect("an empty folder is fine");

    assert!(wanted.join("src/main.rs").is_file(), "the service is in it");
    for part in
        [&format!("cd {}", wanted.display()), "cargo run", "cargo test", "README.md"]
    {
        assert!(said.contains(part), "it says how to go on, with {part}: {said}");
    }
}

#[test]
fn a_folder_inside_of_the_course_is_refused() {
    for inside in ["lessons/my-chat", "my-chat", "lessons/../not/yet/my-chat"] {
        let wanted = root().join(inside);

        let sentence = refused(&root(), &wanted);

        let expected = "is inside of the course, whose packages would get in the way. Choose a \
                        folder outside of it, such as ../my-chat.";
        assert_eq!(sentence, format!("{} {expected}", wanted.display()), "it says why");
        assert!(!wanted.exists(), "and {inside} does not appear");
    }
}

#[test]
fn a_name_that_is_none_for_a_package_is_refused() {
    let bad = "is no name for a package: it should have the letters a to z, digits, - and _ \
               only, and begin with a letter, as in my-chat.";
    let reserved = "is a word of Rust or of cargo. Choose another name.";
    let taken = "is the name of a package that the course uses. Choose another one.";
    let scratch = Scratch::new("names");

    for (name, why) in [
        ("My-Chat", bad),
        ("my chat", bad),
        ("my.chat", bad),
        ("1chat", bad),
        ("-chat", bad),
        ("_chat", bad),
        ("plaudertäschchen", bad),
        ("match", reserved),
        ("test", reserved),
        ("proc-macro", reserved),
        ("deps", reserved),
        ("axum", taken),
        ("tokio_util", taken),
        ("pages", taken),
        ("lesson_24_capstone", taken),
    ] {
        let sentence = refused(&root(), &scratch.join(name));

        assert_eq!(sentence, format!("{name:?} {why}"), "it says what is wrong");
    }
    assert!(scratch.listed().is_empty(), "no folder appears");
}

/// No git, files that nobody may write to, and what editors and cargo leave.
#[test]
fn a_read_only_checkout_is_enough_and_what_is_no_source_stays_there() {
    let scratch = Scratch::new("read-only");
    let course = scratch.join("course");
    for folder in [
        "lessons/lesson_24_capstone",
        "lessons/probe",
        "static",
        "book/transcripts/lesson_24_capstone",
    ] {
        mirror(&root().join(folder), &course.join(folder));
    }
    for file in ["Cargo.toml", "Cargo.lock", "LICENSE", "rustfmt.toml"] {
        mirror(&root().join(file), &course.join(file));
    }
    let capstone = course.join("lessons/lesson_24_capstone");
    fs::create_dir_all(capstone.join("target/debug")).expect("there is room");
    for left in [
        "target/debug/chat",
        "src/.main.rs.swp",
        "src/main.rs~",
        "src/main.rs.orig",
        "src/auth/old.rs",
        "chat.db",
    ] {
        fs::write(capstone.join(left), "left behind").expect("there is room");
    }

    let wanted = scratch.join("my-chat");
    create(&course, &wanted).expect("it is all there");

    let expected: BTreeSet<_> = my_chat().into_iter().map(|(file, _)| file).collect();
    let copied = listed(&wanted, &wanted);
    let copied: BTreeSet<_> =
        copied.into_iter().filter(|file| wanted.join(file).is_file()).collect();
    assert_eq!(copied, expected, "the sources are copied, and nothing else");
    for file in copied {
        let made = fs::metadata(wanted.join(&file)).expect("it is there");
        assert!(!made.permissions().readonly(), "{} can be edited", file.display());
    }
}

/// The same files, which nobody may write to.
fn mirror(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("there is room");
        for entry in fs::read_dir(from).expect("it can be read") {
            let name = entry.expect("so can its entries").file_name();
            mirror(&from.join(&name), &to.join(&name));
        }
        return;
    }
    fs::create_dir_all(to.parent().expect("it is in a folder")).expect("there is room");
    fs::copy(from, to).expect("there is room");
    let mut permissions = fs::metadata(to).expect("it is there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(to, permissions).expect("it is ours");
}

#[test]
fn a_source_that_is_missing_is_named_and_nothing_is_written() {
    let scratch = Scratch::new("missing");
    let course = scratch.join("course");
    mirror(&root().join("Cargo.lock"), &course.join("Cargo.lock"));

    let sentence = refused(&course, &scratch.join("my-chat"));

    assert!(sentence.starts_with("We cannot read "), "it says what is wrong: {sentence}");
    assert!(sentence.contains("Cargo.toml"), "it names the file: {sentence}");
    assert!(!scratch.join("my-chat").exists(), "no half of a service is left");
}

#[test]
fn no_word_of_the_course_is_left() {
    let mut left = Vec::new();
    for (file, text) in my_chat() {
        if file == Path::new("LICENSE") {
            continue; // It names the authors of the course, who wrote it.
        }
        for (number, line) in (1..).zip(text.lines()) {
            let words = line.to_lowercase();
            let speaks = ["lesson", "exercise", "course", "book"]
                .iter()
                .any(|word| words.replace("address book", "").contains(word));
            if speaks {
                left.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(
        left.is_empty(),
        "A service of one's own is no part of the course. Say these lines without it, or say \
         in exercises/course/src/words.rs how they read there:\n{}",
        left.join("\n")
    );
}

#[test]
fn every_row_changes_something() {
    let plain = |text: String| text;
    let course = root();
    let texts = service::PACKAGES.map(|(from, to, crates)| {
        let package = course.join(from);
        let mut found =
            sources::reachable(&package, crates, &plain).expect("all is there");
        if to == "pages" {
            let pages = sources::linked(&package, &service::PAGES_TO_OPEN, &plain);
            found.extend(pages.expect("so are the pages"));
        }
        let manifest = sources::read(&package.join("Cargo.toml")).expect("it has one");
        found.into_iter().map(|(_, text)| text).chain([manifest]).collect::<String>()
    });
    let all = texts.concat();
    let [service, probe, pages] = texts;

    let stale = |rows: &[Row], text: &str| -> Vec<&'static str> {
        rows.iter().map(|(here, _)| *here).filter(|here| !text.contains(here)).collect()
    };
    let found = [
        stale(EVERYWHERE, &all),
        stale(SERVICE, &service),
        stale(PAGES, &pages),
        stale(PROBE, &probe),
    ]
    .concat();
    assert!(
        found.is_empty(),
        "No source has these any more. Look what became of them, and change or remove the \
         rows in exercises/course/src/words.rs: {found:#?}"
    );
}

#[test]
fn the_name_is_where_the_service_looks_for_it() {
    let files = files(&root(), "tea-room").expect("every file is there");

    let manifest = text(&files, "Cargo.toml");
    assert!(manifest.contains("name = \"tea-room\"\n"), "the package has it: {manifest}");
    let page = text(&files, "pages/index.html");
    for part in [
        "<title>tea-room</title>",
        "<h1>tea-room</h1>",
        r#"<meta name="package" content="tea-room" />"#,
        r#"src="index.js""#,
    ] {
        assert!(page.contains(part), "the page should have {part}");
    }
    let main = text(&files, "src/main.rs");
    assert!(main.starts_with("//! tea-room: "), "the header has it: {main}");
    text(&files, "transcripts/tea-room/signing_in.txt");
    assert!(files.iter().all(|(_, text)| !text.contains(words::NAME)), "no gap is left");
}

#[test]
fn no_file_takes_the_place_of_another() {
    let files = my_chat();

    let names: BTreeSet<_> = files.iter().map(|(file, _)| file).collect();

    assert_eq!(names.len(), files.len(), "each file has a path of its own");
}

#[test]
fn the_manifest_has_the_versions_that_the_packages_use_and_no_other() {
    let files = my_chat();
    let manifest = text(&files, "Cargo.toml");
    let (packages, versions) =
        manifest.split_once("[workspace.dependencies]\n").expect("it has versions");
    let (versions, _) = versions.split_once("\n[").expect("more follows");
    let chosen: BTreeSet<&str> = versions
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();

    let members =
        [packages, text(&files, "pages/Cargo.toml"), text(&files, "probe/Cargo.toml")]
            .concat();
    let used: BTreeSet<&str> = members
        .lines()
        .filter(|line| line.contains("workspace = true"))
        .filter_map(|line| line.split(['.', ' ']).next())
        .filter(|name| {
            !["version", "edition", "rust-version", "license", "publish", "workspace"]
                .contains(name)
        })
        .collect();

    assert_eq!(chosen, used, "each version is chosen once, and each is needed");
    for part in [
        "[profile.release]\n",
        "[workspace.lints.rust]\n",
        "[profile.dev.package.argon2]\n",
    ] {
        assert!(manifest.contains(part), "it is built as ours: {part} is missing");
    }
    for part in ["lessons/", "static", "default-members"] {
        assert!(!manifest.contains(part), "{part} is not there: {manifest}");
    }
}

#[test]
fn the_lock_file_has_our_versions_and_all_that_they_need() {
    let ours = fs::read_to_string(root().join("Cargo.lock")).expect("we have one");
    let files = my_chat();
    let lock = text(&files, "Cargo.lock");
    let own = ["my-chat", "pages", "probe"];

    let names: BTreeSet<_> = manifest::packages(lock).collect();

    for block in lock.split("\n\n").skip(1) {
        let is_own =
            own.iter().any(|name| block.contains(&format!("name = \"{name}\"\n")));
        assert!(is_own || ours.contains(block.trim_end()), "this is not ours: {block}");
        let needed = block.lines().filter_map(|line| line.strip_prefix(" \""));
        for name in needed.filter_map(|name| name.split([' ', '"']).next()) {
            assert!(names.contains(name), "{name} is needed, but not there");
        }
    }
    assert!(own.iter().all(|name| names.contains(name)), "our three packages are there");
    assert!(!names.contains("similar"), "what only the book needs is not");
}
