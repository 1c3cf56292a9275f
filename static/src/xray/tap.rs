//! What happens on one connection, from the bytes that were read and written.
//!
//! Times are when this program read and wrote, not when the network did.

use std::{mem, net::SocketAddr, time::Duration};

use super::{
    cookie::{self, Mark},
    frames::{Frame, Frames, Pings},
    http::{Buffer, Head},
    hub::{Hub, Token},
    row::{Event, Row, Side},
};

/// How many requests before the handshake are kept.
const EARLIER: usize = 20;

/// How much of a rejection's body is shown, in bytes.
const BODY_PREVIEW: usize = 1024;

/// How much a client may send before its upgrade is answered, in bytes. It has to wait for
/// the answer, so this is more than enough.
const EARLY_LIMIT: usize = 16 * 1024;

/// The connections of this path show the others. If they were shown, too, they would make
/// rows about their own rows.
const OWN_PATH: &str = "/lab/xray";

/// Follows a connection. Its rows begin with a handshake that has the cookie.
pub struct Tap {
    hub: Hub,
    peer: SocketAddr,
    accepted: Duration,
    received: u64,
    sent: u64,
    earlier: Vec<String>,
    shown: Option<Shown>,
    client_ended: bool,
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
    /// Plain HTTP, until somebody asks for a WebSocket.
    Requests(Requests),
    /// The upgrade is not answered yet.
    Asked(Asked),
    /// The WebSocket.
    Open(Box<Open>),
    /// It is shown, but what is sent cannot be understood any more.
    Unknown,
    /// Nobody may look at this connection.
    Done,
}

#[derive(Default)]
struct Requests {
    buffer: Buffer,
    /// How much of the last request's body is still to come.
    body: u64,
    /// When the first byte of the next head was read.
    began: Option<Duration>,
    /// Whether the last request has no answer, not even the beginning of one.
    unanswered: bool,
}

struct Asked {
    at: Duration,
    /// How long the body of the request is. Usually it has none.
    body: u64,
    /// What the client has sent after its request, and when.
    early: Vec<(Duration, Vec<u8>)>,
    answer: Buffer,
    /// The head of a rejection, when it was written, and the length of its body.
    rejection: Option<(Head, Duration, u64)>,
}

#[derive(Default)]
struct Open {
    client: Frames,
    server: Frames,
    client_pings: Pings,
    server_pings: Pings,
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
            client_ended: false,
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
        self.received += bytes.len() as u64;
        self.take(bytes, self.hub.now());
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
            Stage::Asked(asked) => {
                asked.answer.extend(bytes);
                self.read_answer(now);
            }
            Stage::Open(open) => {
                let mut frames = open.server.feed(bytes, now);
                for frame in &mut frames {
                    open.server_pings.note(frame);
                    open.client_pings.answer(frame);
                }
                self.push_frames(Side::Server, frames);
            }
            Stage::Unknown | Stage::Done => {}
        }
    }

    /// A side sends nothing more.
    pub fn finished(&mut self, side: Side) {
        self.end(side, Event::Fin(side));
    }

    /// A side has broken the connection off.
    pub fn reset(&mut self, side: Side) {
        self.end(side, Event::Rst(side));
    }

    fn end(&mut self, side: Side, event: Event) {
        // However often one asks, it is told once.
        let is_news = side == Side::Server || !mem::replace(&mut self.client_ended, true);
        if is_news {
            self.first.get_or_insert(side);
            let now = self.hub.now();
            self.push_unfinished(side, now);
            self.push(now, event);
        }
    }

    fn take(&mut self, bytes: &[u8], now: Duration) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.stage {
            Stage::Requests(requests) => {
                requests.buffer.extend(bytes);
                self.read_requests(now);
            }
            Stage::Asked(asked) => {
                let length: usize =
                    asked.early.iter().map(|(_, bytes)| bytes.len()).sum();
                asked.early.push((now, bytes.to_vec()));
                if length + bytes.len() > EARLY_LIMIT {
                    self.give_up();
                }
            }
            Stage::Open(open) => {
                let mut frames = open.client.feed(bytes, now);
                for frame in &mut frames {
                    open.client_pings.note(frame);
                    open.server_pings.answer(frame);
                }
                self.push_frames(Side::Client, frames);
            }
            Stage::Unknown | Stage::Done => {}
        }
    }

    /// Looks at the requests that are complete, up to one that asks for a WebSocket.
    fn read_requests(&mut self, now: Duration) {
        while let Stage::Requests(requests) = &mut self.stage {
            requests.body -= requests.buffer.take(requests.body).len() as u64;
            if !requests.buffer.is_empty() {
                requests.began.get_or_insert(now);
            }
            let head = match requests.buffer.take_head() {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(_) => return self.give_up(),
            };
            let began = requests.began.take().unwrap_or(now);
            requests.body = head.content_length().unwrap_or(0);
            let waits = mem::replace(&mut requests.unanswered, true);
            if head.is_chunked() {
                return self.give_up(); // Where it ends is not in its head.
            }
            if head.is_upgrade() {
                // The answers of earlier requests would be taken for that of this one.
                return if waits { self.give_up() } else { self.ask(head, began, now) };
            }
            self.earlier.push(head.first_line());
            if self.earlier.len() > EARLIER {
                self.earlier.remove(0);
            }
        }
    }

    /// Somebody asks for a WebSocket. Without the cookie, nobody will see it.
    fn ask(&mut self, head: Head, began: Duration, now: Duration) {
        let Stage::Requests(requests) = &mut self.stage else { return };
        let early = requests.buffer.take_all();
        let body = requests.body;
        let path = head.path();
        let is_own = path.split('?').next() == Some(OWN_PATH);
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
        let early = Vec::from([(now, early)]);
        self.stage = Stage::Asked(Asked { at: now, body, early, answer, rejection });
    }

    /// Looks at the answer to an upgrade, as far as it was written.
    fn read_answer(&mut self, now: Duration) {
        while let Stage::Asked(asked) = &mut self.stage {
            if let Some((_, _, length)) = asked.rejection {
                // hyper may write the head and the body by themselves.
                if asked.answer.len() as u64 >= length {
                    self.reject();
                }
                return;
            }
            let head = match asked.answer.take_head() {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(_) => return self.give_up(),
            };
            match head.status() {
                None => return self.give_up(),
                Some(101) => return self.open(head, now),
                Some(100..200) => {} // The answer is still to come.
                Some(_) => {
                    let length = head.content_length();
                    asked.rejection = Some((head, now, length.unwrap_or(0)));
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
        let Stage::Asked(mut asked) = stage else { return };
        self.push_response(&head, asked.at, now, None);

        for (at, bytes) in asked.early {
            self.take(&bytes, at);
        }
        let rest = asked.answer.take_all();
        self.sent -= rest.len() as u64; // It is counted once more.
        self.sent(&rest);
    }

    /// The answer is a rejection, and as complete as it will be. The client may ask again.
    fn reject(&mut self) {
        let body = match &self.stage {
            Stage::Asked(asked) => asked.body,
            _ => return,
        };
        let requests = Requests { body, ..Requests::default() };
        let stage = mem::replace(&mut self.stage, Stage::Requests(requests));
        let Stage::Asked(mut asked) = stage else { return };
        let Some((head, at, length)) = asked.rejection else { return };
        let body = asked.answer.take(length);
        self.push_response(&head, asked.at, at, Some(&body));

        for (at, bytes) in asked.early {
            self.take(&bytes, at);
        }
    }

    /// What comes now cannot be followed.
    fn give_up(&mut self) {
        self.stage = if self.shown.is_some() { Stage::Unknown } else { Stage::Done };
    }

    fn push_response(
        &self,
        head: &Head,
        asked: Duration,
        at: Duration,
        body: Option<&[u8]>,
    ) {
        let length = body.map_or(0, <[u8]>::len);
        let shown = body.map(|body| &body[..length.min(BODY_PREVIEW)]);
        let event = Event::Response {
            bytes: head.bytes + length as u64,
            status: head.status().unwrap_or_default(),
            took: at - asked,
            head: head.blanked(),
            body: shown.map(|body| String::from_utf8_lossy(body).into_owned()),
        };
        self.push(at, event);
    }

    fn push_frames(&self, side: Side, frames: Vec<Frame>) {
        for frame in frames {
            self.push(frame.at, Event::Frame(side, frame));
        }
    }

    /// A frame of this side that will not be completed any more.
    fn push_unfinished(&mut self, side: Side, now: Duration) {
        let Stage::Open(open) = &mut self.stage else { return };
        let frames = match side {
            Side::Client => &mut open.client,
            Side::Server => &mut open.server,
        };
        let frame = frames.finish(now);
        self.push_frames(side, frame.into_iter().collect());
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
        if matches!(&self.stage, Stage::Asked(Asked { rejection: Some(_), .. })) {
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
