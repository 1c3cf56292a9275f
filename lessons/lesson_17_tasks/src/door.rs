//! The door: it lets people in while there are places, and gives each of them a line.

use std::time::Duration;

use axum::{
    extract::ws::WebSocketUpgrade,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use crate::{
    Chat, LINE_LIMIT,
    guards::{Guest, SUBPROTOCOL},
    line::Line,
    protocol::Username,
    socket::{Ending, sized},
};

/// How long we wait for a client that may not stay.
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

/// What a client gets that there is no place for.
pub struct Full;

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let sentence = "All places are taken. Try again in ten seconds.";
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], sentence).into_response()
    }
}

/// Opens a socket for a guest, whatever it is for: `serve` looks after it.
pub fn open_line<F: Future<Output = ()> + Send>(
    upgrade: WebSocketUpgrade,
    chat: Chat,
    guest: Guest,
    serve: impl FnOnce(Line, Chat, Username) -> F + Send + 'static,
) -> Result<Response, Full> {
    let place = chat.places.take().ok_or(Full)?;
    let Guest { username, expires } = guest;
    let own = chat.places.take_own(&username).ok_or(Full)?;

    let upgrade = sized(upgrade, LINE_LIMIT).protocols([SUBPROTOCOL]);
    Ok(upgrade.on_upgrade(async move |socket| {
        if own.may_stay {
            let line = Line::new(socket, expires, chat.paces.of(&username));
            serve(line, chat, username).await;
        } else {
            // Not at length: until it hangs up, it has a place that belongs to all.
            let goodbye = Ending::TOO_MANY_CONNECTIONS.part(socket);
            let _ = timeout(SHORT_PATIENCE, goodbye).await;
        }
        drop((place, own));
    }))
}
