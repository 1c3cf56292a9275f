//! A connection from which only so many bytes a second are read.
//!
//! Why, if messages have a rate limit? A message in a million empty fragments is no message
//! until the last one comes, and each of them costs time to read.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take, join, split},
    time::{Instant, Sleep, sleep},
};

/// How many times in a second a connection may read its share of bytes.
const SHARES: u64 = 10;

const INTERVAL: Duration = Duration::from_millis(1000 / SHARES);

/// The same connection, from which no more bytes can be read in a second than this.
///
/// What comes faster waits in the kernel, whose buffer fills; then the sender waits, too.
pub fn throttle(
    io: impl AsyncRead + AsyncWrite + Send + 'static,
    bytes_per_second: u64,
) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    let (reader, writer) = split(io);
    let share = bytes_per_second.div_ceil(SHARES);
    let (reader, next) = (reader.take(share), Box::pin(sleep(INTERVAL)));
    join(Throttle { reader, share, next }, writer)
}

struct Throttle<R> {
    /// Reads what is left of a share.
    reader: Take<R>,
    share: u64,
    /// When the next share is due.
    next: Pin<Box<Sleep>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Throttle<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reader.limit() == 0 {
            ready!(self.next.as_mut().poll(context));
            self.next.as_mut().reset(Instant::now() + INTERVAL);
            let share = self.share;
            self.reader.set_limit(share);
        }
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}
