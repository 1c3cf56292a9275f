use std::{error::Error, fmt};

/// What a check returns: nothing, or a sentence that helps.
pub type Check = Result<(), Hint>;

/// One or two sentences about who did what, and what came instead, with the
/// conversation so far.
pub struct Hint(String);

impl Hint {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The bare sentence. A test that returns an error shows it in this form.
impl fmt::Debug for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Hint {}

/// Says in front of a hint what the reader should know before.
pub trait Because {
    fn because(self, why: &str) -> Self;
}

impl<T> Because for Result<T, Hint> {
    fn because(self, why: &str) -> Self {
        self.map_err(|hint| Hint::new(format!("{why}\n{hint}")))
    }
}
