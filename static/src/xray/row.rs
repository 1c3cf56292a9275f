//! What viewers get, as JSON.
//!
//! | kind | what happened |
//! |---|---|
//! | `tcp` | a connection was opened, a side ended it (`FIN`, `RST`), it is gone |
//! | `request`, `response` | the handshake; an answer from status 400 on has its body |
//! | `frame` | a frame, with its header and the first bytes of its payload, in hex |
//! | `gap` | so many rows are left out here |
//!
//! Each row has a number, `row`, which grows by one with each row that the program makes,
//! for whichever browser. A gap has the number of the last row that it stands for. So a
//! viewer gets rising numbers, and after it has connected again it can skip those that it had.
//!
//! Before all rows, a viewer gets one of the kind `program`. Its `id` is another one after
//! each start of the program, when numbers and times begin anew.

use std::{fmt::Display, net::SocketAddr, time::Duration};

use super::frames::Frame;
use crate::json::quoted;

/// One thing that happened. Times count from the start of the program.
pub struct Row {
    /// The hub gives it, when the row is pushed.
    pub number: u64,
    pub at: Duration,
    pub connection: u64,
    pub event: Event,
}

/// What happened.
pub enum Event {
    /// `earlier` are the first lines of the requests before the handshake.
    Open {
        peer: SocketAddr,
        earlier: Vec<String>,
    },
    Request {
        bytes: u64,
        label: Option<String>,
        path: String,
        head: Vec<String>,
    },
    /// `bytes` counts the body, too. `took` is the time since the request.
    Response {
        bytes: u64,
        status: u16,
        took: Duration,
        head: Vec<String>,
        body: Option<String>,
    },
    Frame(Side, Frame),
    /// A side has ended the connection, or its half of it.
    End(Side, End),
    /// We have dropped the connection. `first` is who ended it.
    Gone {
        first: Side,
        received: u64,
        sent: u64,
        lasted: Duration,
    },
    /// So many rows are left out. It belongs to no connection.
    Gap(u64),
}

/// Who sends, or who ends a connection.
#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Client,
    Server,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// How a side ends a connection.
#[derive(Clone, Copy)]
pub enum End {
    /// It sends nothing more.
    Fin,
    /// It has broken the connection off.
    Rst,
}

/// What a viewer gets first.
pub fn program(id: u64) -> String {
    let mut row = Object::default();
    row.text("kind", "program");
    row.text("id", &format!("{id:016x}"));
    row.finish()
}

impl Row {
    pub fn json(&self) -> String {
        let mut row = Object::default();
        row.value("row", self.number);
        row.value("t", milliseconds(self.at));
        if !matches!(self.event, Event::Gap(_)) {
            row.value("connection", self.connection);
        }
        match &self.event {
            Event::Open { peer, earlier } => {
                row.tcp(Side::Client, "open");
                row.text("peer", &peer.to_string());
                if !earlier.is_empty() {
                    row.texts("earlier", earlier);
                }
            }
            Event::Request { bytes, label, path, head } => {
                row.kind(Side::Client, "request");
                row.value("bytes", bytes);
                if let Some(label) = label {
                    row.text("label", label);
                }
                row.text("path", path);
                row.texts("head", head);
            }
            Event::Response { bytes, status, took, head, body } => {
                row.kind(Side::Server, "response");
                row.value("bytes", bytes);
                row.value("status", status);
                row.value("took", milliseconds(*took));
                row.texts("head", head);
                if let Some(body) = body {
                    row.text("body", body);
                }
            }
            Event::Frame(side, frame) => row.frame(*side, frame),
            Event::End(side, End::Fin) => row.tcp(*side, "FIN"),
            Event::End(side, End::Rst) => row.tcp(*side, "RST"),
            Event::Gone { first, received, sent, lasted } => {
                row.tcp(Side::Server, "gone");
                row.text("first", first.name());
                row.value("received", received);
                row.value("sent", sent);
                row.value("lasted", milliseconds(*lasted));
            }
            Event::Gap(rows) => {
                row.text("kind", "gap");
                row.value("rows", rows);
            }
        }
        row.finish()
    }
}

/// A JSON object that is being written.
#[derive(Default)]
struct Object(String);

impl Object {
    fn kind(&mut self, from: Side, kind: &str) {
        self.text("from", from.name());
        self.text("kind", kind);
    }

    fn tcp(&mut self, from: Side, what: &str) {
        self.kind(from, "tcp");
        self.text("what", what);
    }

    fn frame(&mut self, from: Side, frame: &Frame) {
        self.kind(from, "frame");
        self.value("fin", frame.is_final());
        self.value("rsv", frame.reserved());
        self.value("opcode", frame.opcode());
        if let Some(mask) = frame.mask {
            self.hex("mask", &mask);
        }
        self.value("len", frame.len);
        self.hex("header", &frame.header);
        self.hex("data", &frame.data());
        if let Some((message, part)) = frame.message {
            self.value("message", message);
            self.value("part", part);
        }
        if let Some(rtt) = frame.rtt {
            self.value("rtt", milliseconds(rtt));
        }
        if frame.reads > 1 {
            self.value("reads", frame.reads);
            self.value("took", milliseconds(frame.took));
        }
        if frame.got < frame.len {
            self.value("got", frame.got);
        }
    }

    /// Each byte as two digits.
    ///
    /// Why not with `format!` or with iterators? A flood has millions of bytes, for which a
    /// debug build would take six times as long.
    fn hex(&mut self, name: &str, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = Vec::with_capacity(2 * bytes.len());
        for byte in bytes {
            digits.push(DIGITS[usize::from(byte >> 4)]);
            digits.push(DIGITS[usize::from(byte & 0x0f)]);
        }
        let digits = String::from_utf8(digits).expect("digits are ASCII");
        self.value(name, format!("\"{digits}\""));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.value(name, quoted(text));
    }

    fn texts(&mut self, name: &str, texts: &[String]) {
        let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
        self.value(name, format!("[{}]", texts.join(",")));
    }

    /// `json` is a number, `true` or `false`, or what is JSON already.
    fn value(&mut self, name: &str, json: impl Display) {
        let begin = if self.0.is_empty() { '{' } else { ',' };
        self.0.push_str(&format!("{begin}\"{name}\":{json}"));
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}
