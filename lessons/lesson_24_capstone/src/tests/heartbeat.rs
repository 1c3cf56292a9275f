//! What the heartbeat promises.
