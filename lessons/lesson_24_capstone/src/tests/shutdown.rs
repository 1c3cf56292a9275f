//! What the shutdown promises.
