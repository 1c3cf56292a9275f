//! What exercises 8 to 11 share: how to receive and to send a text, JSON, and a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use serde::Serialize;

use crate::socket::{Disconnect, send_all};

/// The next text, past pings, pongs and bytes. Or how the connection ended. Cancel safe.
pub async fn next_text(socket: &mut WebSocket) -> Result<Utf8Bytes, Disconnect> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => return Ok(text),
            Some(Ok(Message::Close(frame))) => {
                return Err(Disconnect::ByClient(frame.map(|frame| frame.code)));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Disconnect::Lost),
        }
    }
}

/// Sends one text. After ten seconds, the client counts as too slow.
pub async fn send_text(
    socket: &mut WebSocket,
    text: Utf8Bytes,
) -> Result<(), Disconnect> {
    send_all(socket, &mut vec![[text].into()]).await
}

/// The text of a message in JSON.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).expect("these types have a JSON form").into()
}

/// Locks a mutex. Should a task panic while it holds the lock, the others go on.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
