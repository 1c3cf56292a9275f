//! How long what a client sends may be, in bytes.

/// The longest message in JSON that we read, over a socket or over HTTP. The longest content
/// of a chat fits, even if each of its characters is escaped, as in `\ud83d\udc4b`.
pub const MAX_JSON_SIZE: usize = 32 * 1024;

/// The longest message that a socket accepts. A longer one ends the connection.
///
/// It is twice what the protocol allows, so that somebody who is a little over that limit
/// gets an error message and can go on.
pub const MAX_MESSAGE_SIZE: usize = 2 * MAX_JSON_SIZE;

/// The longest body of a request: the text of a task.
pub const MAX_BODY_SIZE: usize = 1024 * 1024;
