//! What happens on one connection, from the bytes that were read and written.
//!
//! Times are when this program read and wrote, not when the network did.

use std::{mem, net::SocketAddr, time::Duration};

use super::{
    PATH,
    answer::{Answer, Response},
    cookie::XrayCookie,
    frames::{Frames, Pings},
    http::{Buffer, Head, Unreadable},
    hub::{Hub, Token},
    row::{End, Event, Row, Side},
};

/// How many requests before the handshake are kept, and how much of the first line of each,
/// in characters.
const EARLIER: usize = 20;
const EARLIER_LINE: usize = 200;

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
    shown: Option<Shown>,
    /// Whether the client has ended the connection, and whether the server has.
    ended: [bool; 2],
    /// Who ended the connection first, as far as we know.
    first: Option<Side>,
    stage: Stage,
}

/// A connection whose rows go to the viewers of a browser.
#[derive(Clone, Copy)]
struct Shown {
    token: Token,
    connection: u64,
}

/// What the next bytes are.
enum Stage {
    /// Plain HTTP, until a request asks for a WebSocket.
    Requests(Requests),
    /// The upgrade is not answered yet.
    Handshake(Handshake),
    /// The WebSocket.
    Open(Box<Open>),
    /// It is shown, but what is sent cannot be understood any more.
    Unknown,
    /// The connection is not shown, and never will be.
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
    /// The first lines of the latest ones.
    earlier: Vec<String>,
}

/// A request for a WebSocket that waits for its answer.
struct Handshake {
    at: Duration,
    /// What the client has sent after its request, and when that began.
    early: Vec<u8>,
    early_at: Duration,
    answer: Answer,
}

/// The frames of both sides.
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

impl Requests {
    /// The next request whose head is complete, and when it began.
    fn next(&mut self, now: Duration) -> Result<Option<(Head, Duration)>, Unreadable> {
        if !self.buffer.is_empty() {
            self.began.get_or_insert(now);
        }
        let Some(head) = self.buffer.take_head()? else { return Ok(None) };
        // The answer of the one before could be taken for that of this one.
        let is_pipelined = mem::replace(&mut self.unanswered, true);
        // A body must not be taken for the next head, nor for frames.
        if is_pipelined || head.has_body() {
            return Err(Unreadable);
        }
        Ok(Some((head, self.began.take().unwrap_or(now))))
    }

    /// Keeps the first line of a request that asks for no WebSocket.
    fn keep(&mut self, head: &Head) {
        if self.earlier.len() == EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.push(head.first_line().chars().take(EARLIER_LINE).collect());
    }
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
            Stage::Handshake(handshake) => match handshake.answer.feed(bytes, now) {
                Ok(Some(response)) => self.finish_handshake(response),
                Ok(None) => {}
                Err(Unreadable) => self.give_up(),
            },
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
            match requests.next(now) {
                Ok(Some((head, began))) if head.is_upgrade() => {
                    let requests = mem::take(requests);
                    self.begin_handshake(requests, &head, began, now);
                }
                Ok(Some((head, _))) => requests.keep(&head),
                Ok(None) => return,
                Err(Unreadable) => self.give_up(),
            }
        }
    }

    /// A request asks for a WebSocket. Without the cookie, its connection is not shown.
    fn begin_handshake(
        &mut self,
        mut requests: Requests,
        head: &Head,
        began: Duration,
        now: Duration,
    ) {
        let path = head.path();
        // Requests may name the server, too, and a router may serve it below a prefix.
        let is_own = path.split('?').next().is_some_and(|path| path.ends_with(PATH));
        let cookie = XrayCookie::find(head.values("cookie")).filter(|_| !is_own);
        let Some(XrayCookie { token, label }) = cookie else { return self.give_up() };
        match self.shown {
            // An earlier attempt was somebody else's.
            Some(shown) if shown.token != token => return self.give_up(),
            Some(_) => {}
            None => {
                self.shown =
                    Some(Shown { token, connection: self.hub.next_connection() });
                let (peer, earlier) = (self.peer, requests.earlier);
                self.push(self.accepted, Event::Open { peer, earlier });
            }
        }
        let (bytes, head) = (head.bytes, head.blanked());
        self.push(began, Event::Request { bytes, label, path, head });

        self.stage = Stage::Handshake(Handshake {
            at: now,
            early: requests.buffer.take_all(),
            early_at: now,
            answer: Answer::default(),
        });
    }

    /// The upgrade is answered.
    fn finish_handshake(&mut self, response: Response) {
        let stage = mem::replace(&mut self.stage, Stage::Unknown);
        let Stage::Handshake(mut handshake) = stage else { return };
        let Response { at, status, has_end, .. } = response;
        self.push(at, response.event(at - handshake.at));

        if status == 101 {
            self.stage = Stage::Open(Box::default());
            self.read_frames(Side::Client, &handshake.early, handshake.early_at);
            self.read_frames(Side::Server, &handshake.answer.take_rest(), at);
        } else if has_end && handshake.early.is_empty() {
            self.stage = Stage::Requests(Requests::default()); // The client may ask again.
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
    /// RST and not a FIN, and we do not learn which.
    fn drop(&mut self) {
        let now = self.hub.now();
        if let Stage::Handshake(handshake) = &mut self.stage
            && let Some(response) = handshake.answer.take_unfinished()
        {
            self.finish_handshake(response);
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
