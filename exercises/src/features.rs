//! Feature flags: which exercises the chat calls.

/// A set of exercises, by their numbers.
///
/// `cargo run -p exercises` calls all of them. The checks of an exercise call no other one,
/// so that a mistake in one file never changes what they say about another.
#[derive(Clone, Copy)]
pub struct Features(u16);

impl Features {
    /// All exercises: what a learner's own server has.
    pub const ALL: Self = Self(u16::MAX);

    /// One exercise alone: what its checks serve.
    pub const fn only(number: u8) -> Self {
        Self(1 << number)
    }

    /// The same set, without one exercise.
    pub const fn without(self, number: u8) -> Self {
        Self(self.0 & !(1 << number))
    }

    /// Whether this exercise is in the set.
    pub const fn contains(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }
}

impl Default for Features {
    fn default() -> Self {
        Self::ALL
    }
}
