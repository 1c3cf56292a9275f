//! What happens on one connection, from the bytes that were read and written.
//!
//! Times are when this program read and wrote, not when the network did.

use std::{mem, net::SocketAddr, time::Duration};

use super::{
    PATH,
    cookie::{self, Mark},
    frames::{Frames, Pings},
    http::{Buffer, Head, TooLong},
    hub::{Hub, Token},
    row::{End, Event, Row, Side},
};

/// How many requests before the handshake are kept, and how much of the first line of each,
/// in characters.
const EARLIER: usize = 20;
const EARLIER_LINE: usize = 200;

/// How much of a rejection's body is shown, in bytes.
const BODY_PREVIEW: usize = 1024;

/// How much a client may send before its upgrade is answered, in bytes. It has to wait for
/// the answer, so this is more than enough.
const EARLY_LIMIT: usize = 16 * 1024;

/// Follows a connection. Its rows begin with a handshake that has the cookie.
pub struct Tap {
    hub: Hub,
    peer: SocketAddr,
    accepted: Duration,
    received: u64,
    sent: u64,
    earlier: Vec<String>,
    shown: Option<Shown>,
    /// Whether the client has ended the connection, and whether the server has.
    ended: [bool; 2],
    /// Who ended the connection first, as far as we know.
    first: Option<Side>,
    stage: Stage,
}

/// A connection whose rows somebody may see.
#[derive(Clone, Copy)]
struct Shown {
    token: Token,
    connection: u64,
}

enum Stage {
    /// Plain HTTP, until a request asks for a WebSocket.
    Requests(Requests),
    /// The upgrade is not answered yet.
    Handshake(Handshake),
    /// The WebSocket.
    Open(Box<Open>),
    /// It is shown, but what is sent cannot be understood any more.
    Unknown,
    /// Nobody may look at this connection.
    Done,
}

/// Plain HTTP. The requests have no bodies, or the tap ends.
#[derive(Default)]
struct Requests {
    buffer: Buffer,
    /// When the first byte of the next head was read.
    began: Option<Duration>,
    /// Whether the last request has no answer, not even the beginning of one.
    unanswered: bool,
}

/// The handshake, as far as it came.
struct Handshake {
    at: Duration,
    /// What the client has sent after its request, and when that began.
    early: Vec<u8>,
    early_at: Duration,
    answer: Buffer,
    rejection: Option<Rejection>,
}

/// An answer that is not 101, as far as it was written.
struct Rejection {
    head: Head,
    at: Duration,
    /// The beginning of its body.
    body: Vec<u8>,
    /// How much of its body was written, and how much is still to come.
    written: u64,
    missing: u64,
}

impl Rejection {
    fn take(&mut self, bytes: &[u8]) {
        let own = usize::try_from(self.missing).unwrap_or(usize::MAX).min(bytes.len());
        // The body may be a large file, of which we show nothing more than the beginning.
        let shown = own.min(BODY_PREVIEW - self.body.len());
        self.body.extend_from_slice(&bytes[..shown]);
        self.written += own as u64;
        self.missing -= own as u64;
    }
}

#[derive(Default)]
struct Open {
    client: Direction,
    server: Direction,
}

/// What one side sends.
#[derive(Default)]
struct Direction {
    frames: Frames,
    /// Its pings that wait for a pong of the other side.
    pings: Pings,
}

impl Open {
    /// What this side sends, and what the other one sends.
    fn directions(&mut self, side: Side) -> (&mut Direction, &mut Direction) {
        match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        }
    }
}

impl Tap {
    pub fn new(hub: Hub, peer: SocketAddr) -> Self {
        Self {
            accepted: hub.now(),
            hub,
            peer,
            received: 0,
            sent: 0,
            earlier: Vec::new(),
            shown: None,
            ended: [false; 2],
            first: None,
            stage: Stage::Requests(Requests::default()),
        }
    }

    /// Whether there is nothing more to follow.
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Follows what was read.
    pub fn received(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.received += bytes.len() as u64;
        let now = self.hub.now();
        match &mut self.stage {
            Stage::Requests(requests) => {
                requests.buffer.extend(bytes);
                self.read_requests(now);
            }
            Stage::Handshake(handshake) => {
                if handshake.early.is_empty() {
                    handshake.early_at = now;
                }
                if handshake.early.len() + bytes.len() > EARLY_LIMIT {
                    return self.give_up();
                }
                handshake.early.extend_from_slice(bytes);
            }
            Stage::Open(_) => self.read_frames(Side::Client, bytes, now),
            Stage::Unknown | Stage::Done => {}
        }
    }

    /// Follows what was written.
    pub fn sent(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.sent += bytes.len() as u64;
        let now = self.hub.now();
        match &mut self.stage {
            Stage::Requests(requests) => requests.unanswered = false,
            Stage::Handshake(handshake) => {
                match &mut handshake.rejection {
                    Some(rejection) => rejection.take(bytes),
                    None => handshake.answer.extend(bytes),
                }
                self.read_answer(now);
            }
            Stage::Open(_) => self.read_frames(Side::Server, bytes, now),
            Stage::Unknown | Stage::Done => {}
        }
    }

    /// Follows how a side ends the connection. A stream may report its end again and again.
    pub fn end(&mut self, side: Side, how: End) {
        if !mem::replace(&mut self.ended[side as usize], true) {
            self.first.get_or_insert(side);
            let now = self.hub.now();
            self.push_unfinished(side, now);
            self.push(now, Event::End(side, how));
        }
    }

    /// Reads the requests that are complete, up to one that asks for a WebSocket.
    fn read_requests(&mut self, now: Duration) {
        while let Stage::Requests(requests) = &mut self.stage {
            if !requests.buffer.is_empty() {
                requests.began.get_or_insert(now);
            }
            let head = match requests.buffer.take_head() {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(TooLong) => return self.give_up(),
            };
            let began = requests.began.take().unwrap_or(now);
            // Its answer could be taken for that of a later request.
            let waits = mem::replace(&mut requests.unanswered, true);
            // A body must not be taken for the next head, nor for frames.
            if waits || head.has_body() {
                return self.give_up();
            }
            if head.is_upgrade() {
                return self.begin_handshake(head, began, now);
            }
            self.earlier.push(head.first_line().chars().take(EARLIER_LINE).collect());
            if self.earlier.len() > EARLIER {
                self.earlier.remove(0);
            }
        }
    }

    /// A request asks for a WebSocket. Without the cookie, no viewer will get its rows.
    fn begin_handshake(&mut self, head: Head, began: Duration, now: Duration) {
        let Stage::Requests(requests) = &mut self.stage else { return };
        let early = requests.buffer.take_all();
        let path = head.path();
        // Requests may name the server, too, and a router may serve it below a prefix.
        let is_own = path.split('?').next().is_some_and(|path| path.ends_with(PATH));
        let mark = cookie::mark(head.values("cookie")).filter(|_| !is_own);
        let Some(Mark { token, label }) = mark else { return self.give_up() };
        if self.shown.is_some_and(|shown| shown.token != token) {
            return self.give_up(); // An earlier attempt was somebody else's.
        }

        if self.shown.is_none() {
            self.shown = Some(Shown { token, connection: self.hub.next_connection() });
            let earlier = mem::take(&mut self.earlier);
            self.push(self.accepted, Event::Open { peer: self.peer, earlier });
        }
        let event =
            Event::Request { bytes: head.bytes, label, path, head: head.blanked() };
        self.push(began, event);

        let (answer, rejection) = (Buffer::default(), None);
        self.stage = Stage::Handshake(Handshake {
            at: now,
            early,
            early_at: now,
            answer,
            rejection,
        });
    }

    /// Reads the answer to an upgrade, as far as it was written.
    fn read_answer(&mut self, now: Duration) {
        while let Stage::Handshake(handshake) = &mut self.stage {
            if let Some(rejection) = &handshake.rejection {
                // hyper may write the head and the body by themselves.
                if rejection.missing == 0 {
                    self.reject();
                }
                return;
            }
            let head = match handshake.answer.take_head() {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(TooLong) => return self.give_up(),
            };
            match head.status() {
                None => return self.give_up(),
                Some(101) => return self.open(head, now),
                Some(100..200) => {} // The answer is still to come.
                Some(status) => {
                    let length = match status {
                        204 | 304 => Some(0), // They have none, whatever the head says.
                        _ => head.content_length(),
                    };
                    let mut rejection = Rejection {
                        head,
                        at: now,
                        body: Vec::new(),
                        written: 0,
                        missing: length.unwrap_or(0),
                    };
                    rejection.take(&handshake.answer.take_all());
                    handshake.rejection = Some(rejection);
                    if length.is_none() {
                        self.reject();
                        return self.give_up(); // Where it ends is not in its head.
                    }
                }
            }
        }
    }

    /// The answer is 101: from now on both sides send frames.
    fn open(&mut self, head: Head, now: Duration) {
        let stage = mem::replace(&mut self.stage, Stage::Open(Box::default()));
        let Stage::Handshake(mut handshake) = stage else { return };
        let event = Event::Response {
            bytes: head.bytes,
            status: 101,
            took: now - handshake.at,
            head: head.blanked(),
            body: None,
        };
        self.push(now, event);

        self.read_frames(Side::Client, &handshake.early, handshake.early_at);
        self.read_frames(Side::Server, &handshake.answer.take_all(), now);
    }

    /// The answer is a rejection, and as complete as it will be. The client may ask again.
    fn reject(&mut self) {
        let requests = Stage::Requests(Requests::default());
        let Stage::Handshake(handshake) = mem::replace(&mut self.stage, requests) else {
            return;
        };
        let Some(Rejection { head, at, body, written, .. }) = handshake.rejection else {
            return;
        };
        let status = head.status().unwrap_or_default();
        // Why only of errors? They explain themselves to the client. Any other answer may be
        // what only a signed-in page of this server may read.
        let body = (status >= 400).then(|| String::from_utf8_lossy(&body).into_owned());
        let event = Event::Response {
            bytes: head.bytes + written,
            status,
            took: at - handshake.at,
            head: head.blanked(),
            body,
        };
        self.push(at, event);
        if !handshake.early.is_empty() {
            self.give_up(); // It did not wait for this answer.
        }
    }

    fn read_frames(&mut self, side: Side, bytes: &[u8], now: Duration) {
        let Stage::Open(open) = &mut self.stage else { return };
        let (own, other) = open.directions(side);
        let mut frames = own.frames.feed(bytes, now);
        for frame in &mut frames {
            own.pings.note(frame);
            other.pings.answer(frame);
        }
        for frame in frames {
            self.push(frame.at, Event::Frame(side, frame));
        }
    }

    /// What comes now cannot be followed.
    fn give_up(&mut self) {
        self.stage = if self.shown.is_some() { Stage::Unknown } else { Stage::Done };
    }

    /// A frame of this side that will not be completed any more.
    fn push_unfinished(&mut self, side: Side, now: Duration) {
        let Stage::Open(open) = &mut self.stage else { return };
        if let Some(frame) = open.directions(side).0.frames.finish(now) {
            self.push(frame.at, Event::Frame(side, frame));
        }
    }

    fn push(&self, at: Duration, event: Event) {
        if let Some(Shown { token, connection }) = self.shown {
            self.hub.push(token, Row { number: 0, at, connection, event });
        }
    }
}

impl Drop for Tap {
    /// The connection is gone. Why not "closed"? If something is unread, the kernel sends a
    /// RST and not a FIN, and we are not told.
    fn drop(&mut self) {
        let now = self.hub.now();
        if matches!(&self.stage, Stage::Handshake(Handshake { rejection: Some(_), .. })) {
            self.reject();
        }
        self.push_unfinished(Side::Client, now);
        self.push_unfinished(Side::Server, now);
        let event = Event::Gone {
            first: self.first.unwrap_or(Side::Server),
            received: self.received,
            sent: self.sent,
            lasted: now - self.accepted,
        };
        self.push(now, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_body_only_the_beginning_is_kept() {
        let mut tap = Tap::new(Hub::new(), ([127, 0, 0, 1], 50_000).into());
        tap.received(
            b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\
              Cookie: xray=000000000000000000000000000000aa\r\n\r\n",
        );
        tap.sent(b"HTTP/1.1 404 Not Found\r\ncontent-length: 99999999\r\n\r\n");

        for _ in 0..100 {
            tap.sent(&[b'a'; 10_000]);
        }

        let Stage::Handshake(Handshake { answer, rejection: Some(rejection), .. }) =
            &tap.stage
        else {
            panic!("the answer is not complete yet")
        };
        assert_eq!(rejection.written, 1_000_000, "all of it is counted");
        assert_eq!(rejection.body.len(), BODY_PREVIEW, "the rest is not kept");
        assert!(answer.is_empty(), "in no place");
    }
}
