//! Puts a stub back. What the learner wrote is kept, and never overwritten.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};

use crate::course::{Course, Error, cannot_read, cannot_write};

/// Beside the exercises and not in `target`, so that `cargo clean` leaves it.
const KEPT: &str = "exercises/kept";

pub fn reset(course: &Course, name: &str) -> Result<String, Error> {
    let entry = course.syllabus.find(name)?;
    let stub = course.read(&entry.stub())?;
    let source = entry.source();
    // Bytes and not text: whatever is there is kept.
    let yours = match fs::read(course.root.join(&source)) {
        Ok(yours) => yours,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        // It may have something in it. What we cannot read, we cannot keep.
        Err(error) => return Err(cannot_read(&source, &error)),
    };
    if yours == stub.as_bytes() {
        return Ok(format!(
            "{source} is as it was at the beginning. Nothing has changed."
        ));
    }

    let copy = if yours.is_empty() { None } else { Some(keep(course, &source, &yours)?) };
    replace(&course.root.join(&source), &stub).map_err(|error| {
        let error = cannot_write(&source, &error);
        match &copy {
            Some(copy) => Error::new(format!(
                "{} It is as you left it, and a copy of it is kept in {copy}.",
                error.sentence
            )),
            None => error,
        }
    })?;
    Ok(match copy {
        Some(copy) => format!("{source} begins anew. Your version is kept in {copy}."),
        None => format!("{source} begins anew. There was nothing in it to keep."),
    })
}

/// Writes the copy under the first number that is free, and says where it is. A second
/// copy of the same text would keep nothing more.
fn keep(course: &Course, source: &str, yours: &[u8]) -> Result<String, Error> {
    fs::create_dir_all(course.root.join(KEPT))
        .map_err(|error| cannot_write(KEPT, &error))?;
    let name = Path::new(source).file_stem().unwrap_or_default().to_string_lossy();
    let mut last: Option<String> = None;
    let mut number = 1;
    loop {
        let copy = format!("{KEPT}/{name}.{number}.rs");
        let file = course.root.join(&copy);
        if file.symlink_metadata().is_ok() {
            last = Some(copy);
            number += 1;
            continue;
        }
        let is_kept = |last: &String| {
            fs::read(course.root.join(last)).is_ok_and(|kept| kept == yours)
        };
        if let Some(last) = last.take().filter(is_kept) {
            return Ok(last);
        }
        match write_new(&file, yours) {
            Ok(()) => return Ok(copy),
            // Somebody else was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot_write(&copy, &error)),
        }
    }
}

/// All of the text or nothing: half a copy would look like a whole one.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    if written.is_err() {
        // If it cannot be removed either, the first error says more than this one.
        fs::remove_file(path).ok();
    }
    written
}

/// A new file takes the place of the old one, so the old one is whole until then. Behind a
/// symbolic link it is the file that is replaced, and not the link.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    // Not an `.rs`: `watch` leaves it alone.
    let half = path.with_extension("rs.new");
    let permissions = fs::metadata(&path).map(|metadata| metadata.permissions());
    let done = fs::write(&half, text)
        .and_then(|()| permissions.map_or(Ok(()), |old| fs::set_permissions(&half, old)))
        .and_then(|()| fs::rename(&half, &path));
    if done.is_err() {
        fs::remove_file(&half).ok(); // As above.
    }
    done
}
