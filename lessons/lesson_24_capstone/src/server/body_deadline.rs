//! A deadline for the body of a request.
//!
//! Why, if its head has one? Somebody who sends a body byte by byte would hold a
//! connection for as long as it may serve requests.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
};
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body that ends with an error if it has not arrived in time.
pub struct WithDeadline<B> {
    body: B,
    deadline: Pin<Box<Sleep>>,
}

/// The body did not arrive in time.
#[derive(Debug)]
pub struct BodyTimeout;

impl fmt::Display for BodyTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request did not arrive in time")
    }
}

impl std::error::Error for BodyTimeout {}

impl<B> WithDeadline<B> {
    pub fn new(body: B, timeout: Duration) -> Self {
        Self { body, deadline: Box::pin(sleep(timeout)) }
    }
}

impl<B> HttpBody for WithDeadline<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // First, so that no body is fast enough to go on after its time.
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(BodyTimeout.into())));
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        frame.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::poll_fn};

    use tokio::time::advance;

    use super::*;

    /// A body that always has more.
    struct Endless;

    impl HttpBody for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_fast_but_has_no_end_ends_at_its_deadline() {
        let timeout = Duration::from_secs(5);
        let mut body = WithDeadline::new(Endless, timeout);
        let mut next = async || poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;

        for _ in 0..5 {
            assert!(matches!(next().await, Some(Ok(_))), "it is not too late");
            advance(timeout / 5).await;
        }

        let error = next().await.and_then(Result::err).map(|error| error.to_string());
        assert_eq!(error, Some(BodyTimeout.to_string()), "although more is there");
    }
}
