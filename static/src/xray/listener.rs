//! A listener whose connections report what they read and write to a [`Tap`].

use std::{
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::{
    hub::Hub,
    row::{End, Side},
    tap::Tap,
};

/// A TCP listener. Its connections have taps if it has a hub.
pub struct TappedListener {
    listener: TcpListener,
    hub: Option<Hub>,
}

impl TappedListener {
    /// A listener whose connections have taps, if it is on loopback.
    pub fn new(listener: TcpListener, hub: &Hub) -> Self {
        let is_loopback = listener.local_addr().is_ok_and(|addr| addr.ip().is_loopback());
        hub.add_listener(is_loopback);
        Self { listener, hub: is_loopback.then(|| hub.clone()) }
    }

    /// A listener whose connections have no taps.
    pub fn untapped(listener: TcpListener) -> Self {
        Self { listener, hub: None }
    }
}

impl Listener for TappedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let tap = self.hub.clone().map(|hub| Box::new(Tap::new(hub, peer)));

        (Connection { stream, tap }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP connection. It behaves as its stream does.
pub struct Connection {
    stream: TcpStream,
    /// Gone as soon as it is clear that this connection is not shown.
    tap: Option<Box<Tap>>,
}

impl Connection {
    /// Calls the tap, if there is one.
    fn with_tap(&mut self, call: impl FnOnce(&mut Tap)) {
        if let Some(tap) = &mut self.tap {
            call(tap);
            if tap.is_done() {
                self.tap = None;
            }
        }
    }

    /// Reports what was written of the parts: the kernel may accept less than it is
    /// offered.
    fn wrote(&mut self, result: &io::Result<usize>, parts: &[IoSlice<'_>]) {
        let mut left = match result {
            Ok(accepted) => *accepted,
            Err(error) => return self.failed(error),
        };
        for part in parts {
            let written = &part[..part.len().min(left)];
            self.with_tap(|tap| tap.sent(written));
            left -= written.len();
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let is_reset = [
            ErrorKind::ConnectionReset,
            ErrorKind::ConnectionAborted,
            ErrorKind::BrokenPipe,
        ]
        .contains(&error.kind());
        if is_reset {
            self.with_tap(|tap| tap.end(Side::Client, End::Rst));
        }
    }
}

impl Deref for Connection {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (before, had_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        let read = &buffer.filled()[before..];
        match &result {
            // Nothing to read, although there was room for it: the client sends no more.
            Ok(()) if read.is_empty() && had_room => {
                self.with_tap(|tap| tap.end(Side::Client, End::Fin));
            }
            Ok(()) => self.with_tap(|tap| tap.received(read)),
            Err(error) => self.failed(error),
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.wrote(&result, &[IoSlice::new(bytes)]);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result =
            ready!(Pin::new(&mut self.stream).poll_write_vectored(context, parts));
        self.wrote(&result, parts);
        Poll::Ready(result)
    }

    /// Without this, hyper would copy the parts of a message into one.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(context));
        if result.is_ok() {
            self.with_tap(|tap| tap.end(Side::Server, End::Fin));
        }
        Poll::Ready(result)
    }
}
