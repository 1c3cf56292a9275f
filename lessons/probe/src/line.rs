use std::{
    io,
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

/// What a line must be able to do, in memory or over TCP.
pub trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {
    /// From now on, hanging up means to reset the line (a TCP RST).
    fn will_reset(&self) -> io::Result<()>;
}

impl ReadWrite for TcpStream {
    fn will_reset(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl ReadWrite for DuplexStream {
    fn will_reset(&self) -> io::Result<()> {
        Err(io::Error::other("a line in memory cannot be reset"))
    }
}

/// The client's end of a line.
///
/// All clones share it: one is the WebSocket's, another lets a test write bytes that
/// no WebSocket would.
#[derive(Clone)]
pub struct Line(Arc<Mutex<Box<dyn ReadWrite>>>);

impl Line {
    pub fn new(line: impl ReadWrite + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(line))))
    }

    /// From now on, hanging up means to reset the line (a TCP RST).
    pub fn will_reset(&self) -> io::Result<()> {
        self.with(|line| line.will_reset())
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut dyn ReadWrite>) -> T) -> T {
        let mut line = self.0.lock().expect("no task panics with the line");
        act(Pin::new(line.as_mut()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|line| line.poll_read(cx, buf))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|line| line.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|line| line.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|line| line.poll_shutdown(cx))
    }
}

/// A listener whose lines are pipes in memory.
pub struct MemoryListener {
    pub(crate) lines: mpsc::Receiver<DuplexStream>,
    /// How often the server has written to any line.
    pub(crate) writes: Arc<AtomicUsize>,
}

impl Listener for MemoryListener {
    type Io = CountedLine;
    type Addr = ();

    async fn accept(&mut self) -> (CountedLine, ()) {
        match self.lines.recv().await {
            Some(line) => (CountedLine { line, writes: self.writes.clone() }, ()),
            None => std::future::pending().await, // The test is over.
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The server's end of a line in memory. Each write would be a system call on a real one.
pub struct CountedLine {
    line: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for CountedLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_read(cx, buf)
    }
}

impl AsyncWrite for CountedLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.line).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}
