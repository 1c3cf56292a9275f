//! What lesson 08's library lets others use, and who does.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use book::{ROOT, read};

const LIBRARY: &str = "lesson_08_auth";

#[test]
fn what_lesson_08_exports_has_a_user_outside_of_it() -> Result<(), String> {
    let library = read(&format!("lessons/{LIBRARY}/src/lib.rs"))?;
    let mut users: BTreeMap<String, Vec<String>> = imports(&library, "pub use ")
        .into_iter()
        .map(|name| (name, Vec::new()))
        .collect();
    assert!(users.contains_key("Auth"), "lib.rs has a `pub use`: {users:?}");
    let modules: Vec<&str> =
        library.lines().filter_map(|line| line.strip_prefix("mod ")).collect();

    for path in programs(&modules) {
        let text = read(&path)?;
        for name in imports(&text, &format!("use {LIBRARY}::")) {
            let Some(files) = users.get_mut(&name) else {
                return Err(format!("{path}: {LIBRARY} exports no {name}."));
            };
            files.push(path.clone());
        }
    }

    let mut faults = String::new();
    for (name, files) in users {
        println!("{name}: {}", files.join(", "));
        if files.is_empty() {
            let _ = writeln!(
                faults,
                "lessons/{LIBRARY}/src/lib.rs exports {name}, and nothing outside of the \
                 library imports it, tests apart. Remove it from its `pub use`, until a \
                 program needs it."
            );
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
    Ok(())
}

/// The names in the statements that begin so, without the modules that they come from.
fn imports(text: &str, start: &str) -> Vec<String> {
    text.split(start)
        .skip(1)
        .filter_map(|rest| rest.split_once(';'))
        .flat_map(|(names, _)| names.split(['{', '}', ',']))
        .map(|name| name.rsplit("::").next().unwrap_or(name).trim())
        // A name may get another one, as in `ServerMessage as Announcement`.
        .filter_map(|name| name.split(' ').next().map(ToOwned::to_owned))
        .filter(|name| !name.is_empty())
        .collect()
}

/// All sources but tests, and but the library's own, as paths from the root.
fn programs(modules: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in ["book/examples", "exercises", "lessons", "solutions", "static"] {
        visit(&Path::new(ROOT).join(folder), &mut found);
    }
    let path = |file: PathBuf| {
        file.strip_prefix(ROOT).ok().map(|path| path.to_string_lossy().into_owned())
    };
    let source = format!("lessons/{LIBRARY}/src/");
    let is_library = |path: &String| {
        path.strip_prefix(&source).is_some_and(|file| {
            let module = file.split(['/', '.']).next().unwrap_or(file);
            module == "lib" || modules.contains(&&*format!("{module};"))
        })
    };
    found.into_iter().filter_map(path).filter(|path| !is_library(path)).collect()
}

fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            visit(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test {
            found.push(path);
        }
    }
}
