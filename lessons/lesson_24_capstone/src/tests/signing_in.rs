//! What signing in promises.
