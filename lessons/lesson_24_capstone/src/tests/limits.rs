//! What the limits promise.
