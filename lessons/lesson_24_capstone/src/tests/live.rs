//! What the live data promise.
