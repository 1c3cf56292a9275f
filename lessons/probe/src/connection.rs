use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    net::TcpStream,
    sync::mpsc,
};

/// What a connection must be able to do, in memory or over TCP.
pub trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {
    /// From now on, dropping the connection resets it (a TCP RST).
    fn will_reset(&self) -> io::Result<()>;
}

impl ReadWrite for TcpStream {
    fn will_reset(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl ReadWrite for DuplexStream {
    fn will_reset(&self) -> io::Result<()> {
        Err(io::Error::other("a connection in memory cannot be reset"))
    }
}

/// The client's end of a connection.
///
/// All clones share it: one is the WebSocket's, another lets a test write bytes that
/// no WebSocket would.
#[derive(Clone)]
pub struct Connection(Arc<Mutex<Box<dyn ReadWrite>>>);

impl Connection {
    pub fn new(stream: impl ReadWrite + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(stream))))
    }

    /// From now on, dropping the connection resets it (a TCP RST).
    pub fn will_reset(&self) -> io::Result<()> {
        self.with(|stream| stream.will_reset())
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut dyn ReadWrite>) -> T) -> T {
        let mut stream = self.0.lock().expect("no task panics with the stream");
        act(Pin::new(stream.as_mut()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

/// Where all clients of a [`MemoryListener`] come from, for servers that look at that.
const CLIENT_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000);

const SERVER_ADDRESS: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 80);

/// A listener whose connections are pipes in memory.
pub struct MemoryListener {
    pub(crate) incoming: mpsc::Receiver<DuplexStream>,
    /// How often the server has written to any connection.
    pub(crate) writes: Arc<AtomicUsize>,
}

impl Listener for MemoryListener {
    type Io = CountedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CountedStream, SocketAddr) {
        match self.incoming.recv().await {
            Some(stream) => {
                (CountedStream { stream, writes: self.writes.clone() }, CLIENT_ADDRESS)
            }
            None => std::future::pending().await, // The test is over.
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SERVER_ADDRESS)
    }
}

/// The server's end of a connection in memory. It counts the writes, because over TCP each
/// of them would be a system call.
pub struct CountedStream {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
