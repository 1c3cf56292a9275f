//! The answer to an upgrade, out of bytes that come in pieces.

use std::time::Duration;

use super::{
    http::{Buffer, Head, Unreadable},
    row::Event,
};

/// How much of a body is shown, in bytes.
const BODY_PREVIEW: usize = 1024;

/// Collects what was written, until the answer is complete.
#[derive(Default)]
pub struct Answer {
    buffer: Buffer,
    response: Option<Response>,
}

/// The answer to an upgrade, as far as it was written.
pub struct Response {
    /// When its head was complete.
    pub at: Duration,
    pub status: u16,
    /// Whether its head says where it ends.
    pub has_end: bool,
    head: Head,
    /// The beginning of its body.
    body: Vec<u8>,
    /// How much of its body was written, and how much is still to come.
    written: u64,
    missing: u64,
}

impl Answer {
    /// The response, once it is complete. If its head does not say where it ends, nothing of
    /// its body is waited for.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        now: Duration,
    ) -> Result<Option<Response>, Unreadable> {
        // hyper may write the head and the body by themselves.
        if let Some(response) = &mut self.response {
            response.take(bytes);
        } else {
            self.buffer.extend(bytes);
            self.read_head(now)?;
        }
        Ok(self.response.take_if(|response| response.missing == 0))
    }

    fn read_head(&mut self, now: Duration) -> Result<(), Unreadable> {
        let (head, status) = loop {
            let Some(head) = self.buffer.take_head()? else { return Ok(()) };
            match head.status().ok_or(Unreadable)? {
                100 | 102..200 => {} // The answer is still to come.
                status => break (head, status),
            }
        };
        let length = match status {
            101 | 204 | 304 => Some(0), // They have no body, whatever the head says.
            _ => head.content_length(),
        };
        let response = self.response.insert(Response {
            at: now,
            status,
            has_end: length.is_some(),
            head,
            body: Vec::new(),
            written: 0,
            missing: length.unwrap_or(0),
        });
        // After 101, the server's frames follow.
        if status != 101 {
            response.take(&self.buffer.take_all());
        }
        Ok(())
    }

    /// What was written after the response.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.buffer.take_all()
    }

    /// A response whose body will not be completed any more.
    pub fn take_unfinished(&mut self) -> Option<Response> {
        self.response.take()
    }
}

impl Response {
    fn take(&mut self, bytes: &[u8]) {
        let own = usize::try_from(self.missing).unwrap_or(usize::MAX).min(bytes.len());
        // The body may be a large file, of which we show nothing more than the beginning.
        let shown = own.min(BODY_PREVIEW - self.body.len());
        self.body.extend_from_slice(&bytes[..shown]);
        self.written += own as u64;
        self.missing -= own as u64;
    }

    /// What is shown of it. `took` is the time since the request.
    pub fn event(self, took: Duration) -> Event {
        // Why only of errors? They explain themselves to the client. Any other answer may be
        // what only a signed-in page of this server may read.
        let body =
            (self.status >= 400).then(|| String::from_utf8_lossy(&self.body).into());
        Event::Response {
            bytes: self.head.bytes + self.written,
            status: self.status,
            took,
            head: self.head.blanked(),
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_body_only_the_beginning_is_kept() {
        let mut answer = Answer::default();
        let mut feed = |bytes: &[u8]| {
            let response = answer.feed(bytes, Duration::ZERO).expect("it is an answer");
            assert!(response.is_none(), "it is not complete");
        };

        feed(b"HTTP/1.1 404 Not Found\r\ncontent-length: 99999999\r\n\r\n");
        for _ in 0..100 {
            feed(&[b'a'; 10_000]);
        }

        assert!(answer.take_rest().is_empty(), "the rest is not kept in the buffer");
        let response = answer.take_unfinished().expect("its head is complete");
        assert_eq!(response.written, 1_000_000, "all of the body is counted");
        assert!(response.body.capacity() < 10_000, "and only its beginning is kept");
    }
}
