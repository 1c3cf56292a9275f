//! What the tasks promise.
