//! `cargo course new PATH`: the capstone as the start of a service of your own.

use std::{
    fs, io,
    path::{self, Path, PathBuf},
};

use crate::{manifest, service, sources};

/// Words of Rust, and names that cargo keeps for folders of its own.
const RESERVED: &str = "abstract alloc as async await become box break build const \
    continue core crate deps do dyn else enum examples extern false final fn for gen if \
    impl in incremental let loop macro match mod move mut override priv proc_macro pub ref \
    return self static std struct super test trait true try type typeof unsafe unsized use \
    virtual where while yield";

/// Copies the capstone into a new folder, and says how to go on.
///
/// All is read and checked before anything is written, so an error leaves no trace.
pub fn create(course: &Path, wanted: &Path) -> io::Result<String> {
    let shown = wanted.display();
    let folder = fs::canonicalize(wanted).or_else(|_| path::absolute(wanted))?;
    check_folder(course, &folder)
        .map_err(|why| io::Error::other(format!("{shown} {why}")))?;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let lock = sources::read(&course.join("Cargo.lock"))?;
    check_name(name, &lock).map_err(|why| io::Error::other(format!("{name:?} {why}")))?;

    for (file, text) in service::files(course, name)? {
        write(&folder.join(file), &text)?;
    }
    Ok(format!(
        "{shown} is a service of your own now, with everything that it needs.\n\n\
         cd {shown}\n\
         cargo run     # Open http://127.0.0.1:8000, and sign in: ana, ana-likes-tea.\n\
         cargo test\n\n\
         Its README.md says what is where, and what to change first."
    ))
}

/// The error goes on where the folder's name ends.
fn check_folder(course: &Path, folder: &Path) -> Result<(), String> {
    if folder.is_file() {
        return Err("is a file. Choose a folder that does not exist yet.".into());
    }
    // A folder that we cannot read is not empty, as far as we know.
    let is_empty =
        || fs::read_dir(folder).is_ok_and(|mut inside| inside.next().is_none());
    if folder.exists() && !is_empty() {
        return Err("is not empty. Choose a folder that does not exist yet.".into());
    }
    if is_inside(course, folder) {
        return Err(
            "is inside of the course, whose packages would get in the way. Choose a \
                    folder outside of it, such as ../my-chat."
                .into(),
        );
    }
    Ok(())
}

/// The folder need not exist yet: what counts is where it would be.
fn is_inside(course: &Path, folder: &Path) -> bool {
    let nearest = folder.ancestors().find_map(|ancestor| fs::canonicalize(ancestor).ok());
    match (nearest, fs::canonicalize(course)) {
        (Some(nearest), Ok(course)) => nearest.starts_with(course),
        _ => false,
    }
}

/// The error goes on where the name ends.
fn check_name(name: &str, lock: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(fits) {
        return Err(
            "is no name for a package: it should have the letters a to z, digits, - \
                    and _ only, and begin with a letter, as in my-chat.",
        );
    }
    // To Rust, my-chat and my_chat are one name.
    let same = |other: &str| other.replace('-', "_") == name.replace('-', "_");
    if RESERVED.split_whitespace().any(same) {
        return Err("is a word of Rust or of cargo. Choose another name.");
    }
    if manifest::packages(lock).any(same) {
        return Err("is the name of a package that the course uses. Choose another one.");
    }
    Ok(())
}

/// Why not `fs::copy`? From a read-only checkout it would make files that are read-only.
fn write(file: &PathBuf, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).and_then(|()| fs::write(file, text)).map_err(|error| {
        io::Error::other(format!("We cannot write {}: {error}.", file.display()))
    })
}
