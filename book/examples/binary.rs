//! Bytes and JSON on one socket, and a limit for what is unpacked.

use std::io::{self, Read};

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};

/// The longest content that we accept when it is unpacked, in bytes.
const UNPACKED_LIMIT: usize = 1024 * 1024;

/// A binary message: its first byte says what it is, and the rest is the content.
#[derive(Debug, PartialEq)]
enum Upload {
    Picture(Bytes),
    Sound(Bytes),
}

impl Upload {
    fn from_bytes(message: &Bytes) -> Option<Self> {
        // `slice` copies nothing: what it returns is another view of the same memory.
        match message.first()? {
            1 => Some(Self::Picture(message.slice(1..))),
            2 => Some(Self::Sound(message.slice(1..))),
            _ => None,
        }
    }
}

/// Text is JSON, and binary is an upload. Each gets its answer as JSON.
async fn handle_socket(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let reply = match message {
            Message::Text(text) => handle_json(&text),
            Message::Binary(bytes) => match Upload::from_bytes(&bytes) {
                Some(Upload::Picture(content) | Upload::Sound(content)) => {
                    format!(r#"{{"type":"uploaded","bytes":{}}}"#, content.len())
                }
                None => error("the first byte is 1 for a picture, 2 for a sound"),
            },
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
        };
        if socket.send(Message::text(reply)).await.is_err() {
            break; // The connection is lost.
        }
    }
}

/// Reads what `unpacked` gives, if it is no more than the limit.
///
/// `unpacked` is what a library makes of a compressed message, such as the decoder of
/// flate2. A few bytes can unpack to gigabytes, so we must stop it while it works.
fn read_unpacked(unpacked: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let one_too_many = UNPACKED_LIMIT as u64 + 1;
    unpacked.take(one_too_many).read_to_end(&mut content)?;
    if content.len() > UNPACKED_LIMIT {
        return Err(io::Error::other("it unpacks to more than the limit"));
    }
    Ok(content)
}

/// What a chat would do with a text.
fn handle_json(_text: &str) -> String {
    r#"{"type":"pong"}"#.into()
}

fn error(message: &str) -> String {
    format!(r#"{{"type":"error","message":"{message}"}}"#)
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::WebSocketUpgrade, routing::any};
    use probe::{Check, serve};

    use super::*;

    fn app() -> Router {
        let ws = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(handle_socket) };
        Router::new().route("/ws", any(ws))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_and_json_share_a_socket() -> Check {
        let mut ana = serve(app()).connect("Ana", "/ws").await?;

        ana.sends_binary(&[1, 0xff, 0xfe]).await?;
        ana.hears(r#"{"type":"uploaded","bytes":2}"#).await?;
        ana.says(r#"{"type":"ping"}"#).await?;
        ana.hears(r#"{"type":"pong"}"#).await?;
        ana.sends_binary(&[]).await?;
        ana.hears(error("the first byte is 1 for a picture, 2 for a sound").as_str())
            .await
    }

    #[test]
    fn a_slice_is_no_copy() {
        let message = Bytes::from(vec![1, 2, 3]);

        let Some(Upload::Picture(content)) = Upload::from_bytes(&message) else {
            panic!("1 is a picture");
        };

        assert_eq!(content.as_ptr(), message[1..].as_ptr(), "it is the same memory");
    }

    #[test]
    fn unpacking_stops_at_the_limit() {
        let of = |bytes: usize| read_unpacked(io::repeat(0).take(bytes as u64));

        assert_eq!(of(UNPACKED_LIMIT).ok().map(|c| c.len()), Some(UNPACKED_LIMIT), "all");
        assert!(of(UNPACKED_LIMIT + 1).is_err(), "one byte too many");
        assert!(read_unpacked(io::repeat(0)).is_err(), "it must stop by itself");
    }
}
