//! Puts a stub back. What the learner wrote is kept, and never overwritten.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

use crate::course::{Course, Refusal, cannot_write};

/// Beside the exercises and not in `target`, so that `cargo clean` leaves it.
const KEPT: &str = "exercises/kept";

pub fn reset(course: &Course, name: &str) -> Result<String, Refusal> {
    let entry = course.syllabus.find(name)?;
    let stub = course.read(&entry.stub())?;
    let source = entry.source();
    // Bytes and not text: whatever is there is kept.
    let yours = fs::read(course.root.join(&source)).unwrap_or_default();
    if yours == stub.as_bytes() {
        return Ok(format!(
            "{source} is as it was at the beginning. Nothing has changed."
        ));
    }

    let copy = if yours.is_empty() { None } else { Some(keep(course, &source, &yours)?) };
    course.write(&source, &stub)?;
    Ok(match copy {
        Some(copy) => format!("{source} begins anew. Your version is kept in {copy}."),
        None => format!("{source} begins anew. There was nothing in it to keep."),
    })
}

/// Writes the copy under the first number that is free, and says where it is.
fn keep(course: &Course, source: &str, yours: &[u8]) -> Result<String, Refusal> {
    fs::create_dir_all(course.root.join(KEPT))
        .map_err(|error| cannot_write(KEPT, &error))?;
    let name = Path::new(source).file_stem().unwrap_or_default().to_string_lossy();
    let mut number = 1;
    loop {
        let copy = format!("{KEPT}/{name}.{number}.rs");
        match File::create_new(course.root.join(&copy)) {
            Ok(mut file) => {
                file.write_all(yours).map_err(|error| cannot_write(&copy, &error))?;
                return Ok(copy);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(cannot_write(&copy, &error)),
        }
    }
}
