//! The socket itself, whatever it is used for: its limits.

use axum::extract::ws::WebSocketUpgrade;

/// The longest message that we accept, in bytes. A longer one ends the connection.
const MAX_MESSAGE_SIZE: usize = 64 * 1024;

/// Sets the limits of a new socket: how long a message may be, and how large its buffers.
///
/// The defaults are for large messages: 64 MiB, and a read buffer of 128 KiB for each
/// connection. Chat messages are short.
pub fn with_limits(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(MAX_MESSAGE_SIZE)
        .max_frame_size(MAX_MESSAGE_SIZE)
        .read_buffer_size(1024)
        .write_buffer_size(16 * 1024)
        // What if a client sends pings, and reads none of our pongs? They wait here.
        .max_write_buffer_size(2 * MAX_MESSAGE_SIZE)
}
