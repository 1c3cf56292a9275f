//! A client that has signed in: from the request for a WebSocket to its Close.

use axum::{
    extract::{
        FromRef, FromRequestParts,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::request::Parts,
    response::Response,
};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use crate::{
    auth::Auth,
    extract::{AllowedOrigin, CurrentUser, SUBPROTOCOL},
    protocol::Username,
    socket::{self, Disconnect, with_limits},
};

/// A request for a WebSocket that may become a [`Session`].
///
/// As an argument of a handler it rejects, in this order, a page of another origin (403), a
/// request without a valid token (401), and what is no opening handshake (RFC 6455, section
/// 4.2.1). It also sets the limits of the socket, and chooses the subprotocol.
///
/// Why one extractor for all of it? A handler that has to ask for each could forget one.
pub struct SessionUpgrade {
    upgrade: WebSocketUpgrade,
    user: CurrentUser,
}

impl<S: Send + Sync> FromRequestParts<S> for SessionUpgrade
where
    Auth: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        // A tuple of extractors is one, too. They run from left to right.
        type Extractors = (AllowedOrigin, CurrentUser, WebSocketUpgrade);
        let (_, user, upgrade) = Extractors::from_request_parts(parts, state).await?;

        let upgrade = with_limits(upgrade).protocols([SUBPROTOCOL]);
        Ok(Self { upgrade, user })
    }
}

impl SessionUpgrade {
    /// Who asks for the WebSocket, according to the token.
    pub fn username(&self) -> &Username {
        &self.user.username
    }

    /// Accepts the WebSocket. `handle` runs in a task of its own, and should end with
    /// [`Session::close`].
    pub fn on_upgrade<F>(
        self,
        handle: impl FnOnce(Session) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let CurrentUser { username, expires } = self.user;
        self.upgrade
            .on_upgrade(move |socket| handle(Session { username, socket, expires }))
    }
}

/// The socket of somebody who has signed in, until the token expires.
///
/// Whoever drops it drops the connection, without a Close.
pub struct Session {
    /// Who it is, according to the token.
    pub username: Username,
    socket: WebSocket,
    expires: Instant,
}

impl Session {
    /// The next message, or how the connection ended: then only [`close`](Self::close) is
    /// left to do.
    ///
    /// Pings and pongs come, too; axum answers the pings. When the token expires, the error is
    /// `Disconnect::TOKEN_EXPIRED`. Cancel safe: in a `select!`, no message is lost.
    pub async fn recv(&mut self) -> Result<Message, Disconnect> {
        let received = select! {
            received = self.socket.recv() => received,
            () = sleep_until(self.expires) => return Err(Disconnect::TOKEN_EXPIRED),
        };
        match received {
            Some(Ok(Message::Close(frame))) => {
                Err(Disconnect::ByClient(frame.map(|frame| frame.code)))
            }
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(error.into()),
            None => Err(Disconnect::Lost),
        }
    }

    /// Sends messages, all of them in one go.
    ///
    /// If that takes longer than 10 seconds, the error is `Disconnect::TOO_SLOW`. Not cancel
    /// safe: if the future is dropped, some of the messages may have been sent.
    pub async fn send_all(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Disconnect> {
        socket::send_all(&mut self.socket, messages).await
    }

    /// Carries out the closing handshake (RFC 6455, section 7.1.2), 10 seconds at most.
    ///
    /// It sends a Close for [`Disconnect::ByUs`] and [`Disconnect::Violation`], and answers
    /// that of the client. Whatever else the client still sends is dropped.
    pub async fn close(self, disconnect: &Disconnect) {
        socket::close(self.socket, disconnect).await;
    }
}
