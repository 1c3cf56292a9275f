//! Work that takes long, and can be done in steps.

/// Something that takes long, and can be done in steps.
pub trait Work: Send + Sized + 'static {
    type Output;

    /// Does some of it, on a thread for blocking code.
    fn step(self) -> Step<Self>;

    /// How much has been done, from 0 to 1.
    fn done(&self) -> f64;
}

/// What is there after a step.
pub enum Step<W: Work> {
    More(W),
    Done(W::Output),
}
