//! The course as a folder: where it is, what is in it, and what we say when it is not.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::syllabus::Syllabus;

/// Why a command was not carried out, and what the process ends with.
#[derive(Debug)]
pub struct Error {
    pub sentence: String,
    pub code: u8,
}

impl Error {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// A word that we do not know: the caller's mistake, as for most programs.
    pub fn unknown(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

pub struct Course {
    pub root: PathBuf,
    pub syllabus: Syllabus,
}

impl Course {
    pub fn open(root: &Path) -> Result<Self, Error> {
        let text = read(root, "exercises/syllabus.json")?;
        let syllabus = Syllabus::parse(&text).map_err(|error| {
            Error::new(format!("exercises/syllabus.json cannot be understood: {error}."))
        })?;
        Ok(Self { root: root.into(), syllabus })
    }

    pub fn read(&self, file: &str) -> Result<String, Error> {
        read(&self.root, file)
    }
}

fn read(root: &Path, file: &str) -> Result<String, Error> {
    fs::read_to_string(root.join(file)).map_err(|error| cannot_read(file, &error))
}

pub fn cannot_read(file: &str, error: &io::Error) -> Error {
    Error::new(format!("We cannot read {file}: {error}."))
}

pub fn cannot_write(file: &str, error: &io::Error) -> Error {
    Error::new(format!("We cannot write {file}: {error}."))
}

/// The folder of the course. Cargo says where it is now: it may have been moved, or
/// copied, since this program was built.
pub fn root() -> PathBuf {
    let built = || env!("CARGO_MANIFEST_DIR").into();
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(built);
    let package = Path::new(&package);
    // Not `../..`: the path is for eyes, too.
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}
