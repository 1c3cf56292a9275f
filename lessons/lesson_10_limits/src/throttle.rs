//! A line that lets only so many bytes in.
//!
//! Why, if messages have a pace? A message in a million empty pieces is no message until
//! the last one comes, and to read each of them costs time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, join, split},
    time::{Instant, Sleep, sleep},
};

/// A line gets its share of bytes so many times a second.
const SHARES: usize = 10;

const INTERVAL: Duration = Duration::from_millis(1000 / SHARES as u64);

/// The same line, from which nobody can read more bytes in a second than this.
///
/// What comes faster waits in the kernel, whose buffer fills; then the sender waits, too.
pub fn throttle(
    line: impl AsyncRead + AsyncWrite + Send + 'static,
    bytes_per_second: usize,
) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
    let (reader, writer) = split(line);
    let share = bytes_per_second.div_ceil(SHARES);
    join(Throttle { reader, share, left: share, next: Box::pin(sleep(INTERVAL)) }, writer)
}

struct Throttle<R> {
    reader: R,
    share: usize,
    /// How much of its share it has left.
    left: usize,
    /// When it gets the next one.
    next: Pin<Box<Sleep>>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Throttle<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            ready!(self.next.as_mut().poll(context));
            self.next.as_mut().reset(Instant::now() + INTERVAL);
            self.left = self.share;
        }

        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.reader).poll_read(context, buffer))?;
        self.left = self.left.saturating_sub(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}
