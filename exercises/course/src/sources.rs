//! Which files belong to a program: those that its sources name.
//!
//! Whatever else lies beside them, such as what an editor leaves, stays where it is.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use crate::service::File;

/// Says of an unreadable file which one it is.
pub fn read(file: &Path) -> io::Result<String> {
    fs::read_to_string(file).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("We cannot read {}: {error}.", file.display()),
        )
    })
}

/// The crates, the modules that they declare, theirs, and the files that they include.
///
/// All are named as seen from `package`. A folder stands for the crates in it, and may be
/// missing. A module that `adapt` takes out is not followed.
pub fn reachable(
    package: &Path,
    crates: &[&str],
    adapt: &impl Fn(String) -> String,
) -> io::Result<Vec<File>> {
    let crates: Vec<_> = crates.iter().flat_map(|one| rust_files(package, one)).collect();
    let mut found = BTreeMap::new();
    let mut open = crates.clone();
    while let Some(file) = open.pop() {
        if found.contains_key(&file) {
            continue;
        }
        let text = adapt(read(&package.join(&file))?);
        if file.extension().is_some_and(|end| end == "rs") {
            open.extend(modules(package, &file, &text, crates.contains(&file)));
            open.extend(quoted(&text, "include_str!(").map(|path| beside(&file, path)));
        }
        found.insert(file, text);
    }
    Ok(found.into_iter().collect())
}

/// A file, or the sources in a folder.
fn rust_files(package: &Path, path: &str) -> Vec<PathBuf> {
    if path.ends_with(".rs") {
        return vec![path.into()];
    }
    let names = fs::read_dir(package.join(path))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| name.ends_with(".rs") && !name.starts_with('.'))
        .map(|name| Path::new(path).join(name))
        .collect()
}

/// The files of the modules that this file declares.
fn modules(package: &Path, file: &Path, text: &str, is_crate: bool) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(file);
    let folder = if is_crate || file.ends_with("mod.rs") {
        folder.to_owned()
    } else {
        folder.join(file.file_stem().unwrap_or_default())
    };

    let mut files = Vec::new();
    let mut path = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = declared(line) {
            let nested = folder.join(name).join("mod.rs");
            let flat = folder.join(format!("{name}.rs"));
            let usual = if package.join(&nested).exists() { nested } else { flat };
            files.push(path.take().unwrap_or(usual));
        }
        path = quoted(line, "#[path = ").next().map(|path| beside(file, path));
    }
    files
}

/// The name in a line such as `pub mod name;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    line.strip_prefix("pub(crate) ")
        .unwrap_or(line)
        .strip_prefix("mod ")?
        .strip_suffix(';')
}

/// A path that is meant as seen from a file. Two dots lead to the folder above.
fn beside(file: &Path, path: &str) -> PathBuf {
    let mut location = file.parent().unwrap_or(file).to_owned();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => _ = location.pop(),
            part => location.push(part),
        }
    }
    location
}

/// The pages, what they link to, what that imports, and so on.
///
/// A file that a text names in quotation marks is one that it needs: in HTML as in
/// JavaScript, and whatever the attribute or the statement is called.
pub fn linked(
    folder: &Path,
    pages: &[&str],
    adapt: &impl Fn(String) -> String,
) -> io::Result<Vec<File>> {
    let mut found = BTreeMap::new();
    let mut open: Vec<String> = pages.iter().copied().map(String::from).collect();
    while let Some(file) = open.pop() {
        if found.contains_key(&file) {
            continue;
        }
        let text = read(&folder.join(&file))?;
        open.extend(
            text.split(['"', '\''])
                .map(|name| name.trim_start_matches(['.', '/']))
                .filter(|name| is_file_name(name) && folder.join(name).is_file())
                .map(String::from),
        );
        found.insert(file, adapt(text));
    }
    Ok(found.into_iter().map(|(file, text)| (file.into(), text)).collect())
}

/// Whether a browser may ask for a file of this name.
fn is_file_name(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    !name.contains('/')
        && ending.is_some_and(|end| ["css", "html", "js", "svg"].contains(&end))
}

/// What stands between quotation marks after each `mark`.
fn quoted<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).filter_map(|rest| rest.strip_prefix('"')?.split('"').next())
}
