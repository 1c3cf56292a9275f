//! The commands of the companion.
