//! The frames of one direction, out of bytes that come in pieces.

use std::{collections::VecDeque, io::Cursor, mem, time::Duration};

use tungstenite::protocol::frame::FrameHeader;

/// How much of a payload is kept, in bytes.
const PREVIEW: usize = 4096;

/// How long a header may be, in bytes: two, eight for the length, four for the masking key.
const LONGEST_HEADER: usize = 14;

/// How many pings of a side may wait for their pong. Then the oldest is forgotten.
const OPEN_PINGS: usize = 16;

const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame, as it was sent.
#[derive(Clone, Default)]
pub struct Frame {
    /// When its first byte was there.
    pub at: Duration,
    /// The bytes before the payload, the masking key included.
    pub header: Vec<u8>,
    pub mask: Option<[u8; 4]>,
    /// How long the payload is, as the header says.
    pub len: u64,
    /// How much of the payload was sent: less only if the connection ended before.
    pub got: u64,
    /// The first bytes of the payload, unmasked.
    pub data: Vec<u8>,
    /// In how many reads it came, or in how many writes it left.
    pub reads: u64,
    /// The time from its first byte to its last one.
    pub took: Duration,
    /// Which message of its side this is, and which frame of the message. Frames that
    /// control the connection belong to none.
    pub message: Option<(u64, u64)>,
    /// The time from a ping to this pong.
    pub rtt: Option<Duration>,
}

impl Frame {
    pub fn is_final(&self) -> bool {
        self.first() & 0x80 != 0
    }

    /// The three reserved bits, as a number.
    pub fn reserved(&self) -> u8 {
        self.first() >> 4 & 0b111
    }

    pub fn opcode(&self) -> u8 {
        self.first() & 0x0f
    }

    fn is_control(&self) -> bool {
        self.opcode() & 0b1000 != 0
    }

    fn first(&self) -> u8 {
        self.header.first().copied().unwrap_or_default()
    }

    /// Reads the header, if it is complete.
    fn parse(&mut self) -> bool {
        // tungstenite rejects opcodes that mean nothing, and those are worth seeing. So it
        // reads a copy whose opcode is 0, and the length and the masking key are the same.
        let mut copy = [0; LONGEST_HEADER];
        let copy = &mut copy[..self.header.len()];
        copy.copy_from_slice(&self.header);
        copy[0] &= 0xf0;
        match FrameHeader::parse(&mut Cursor::new(copy)) {
            Ok(Some((header, len))) => {
                self.mask = header.mask;
                self.len = len;
                true
            }
            _ => false,
        }
    }

    /// Takes what belongs to the payload, and gives the rest.
    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let missing = usize::try_from(self.len - self.got).unwrap_or(usize::MAX);
        let (own, rest) = bytes.split_at(missing.min(bytes.len()));
        let room = PREVIEW - self.data.len();
        let mask = self.mask.unwrap_or_default();
        let begin = self.data.len();
        let preview = own.iter().take(room).enumerate();
        self.data.extend(preview.map(|(i, byte)| byte ^ mask[(begin + i) & 3]));
        self.got += own.len() as u64;
        rest
    }
}

/// Cuts what one side sends into frames.
#[derive(Default)]
pub struct Frames {
    /// The one that is not complete yet. It has begun if it has a header.
    frame: Frame,
    has_whole_header: bool,
    messages: u64,
    parts: u64,
}

impl Frames {
    /// The frames that are complete with what was read, or written, at once.
    pub fn feed(&mut self, mut bytes: &[u8], now: Duration) -> Vec<Frame> {
        let mut complete = Vec::new();
        if !self.frame.header.is_empty() {
            self.frame.reads += 1;
        }
        while let Some((&first, rest)) = bytes.split_first() {
            if self.has_whole_header {
                bytes = self.frame.fill(bytes);
            } else {
                if self.frame.header.is_empty() {
                    self.frame.at = now;
                    self.frame.reads = 1;
                }
                self.frame.header.push(first);
                bytes = rest;
                self.has_whole_header = self.frame.parse();
                if self.has_whole_header {
                    self.number();
                }
            }
            if self.has_whole_header && self.frame.got == self.frame.len {
                complete.extend(self.finish(now));
            }
        }
        complete
    }

    /// The frame that has begun, and will not be completed any more.
    pub fn finish(&mut self, now: Duration) -> Option<Frame> {
        let mut frame = mem::take(&mut self.frame);
        frame.took = now - frame.at;
        mem::take(&mut self.has_whole_header).then_some(frame)
    }

    /// Counts messages, and the frames of each. Pings may come between them.
    fn number(&mut self) {
        if self.frame.is_control() {
            return;
        }
        let continues = self.frame.opcode() == 0 && self.messages > 0;
        if !continues {
            self.messages += 1;
            self.parts = 0;
        }
        self.parts += 1;
        self.frame.message = Some((self.messages, self.parts));
    }
}

/// The pings of one side that wait for their pong.
#[derive(Default)]
pub struct Pings(VecDeque<(Duration, Vec<u8>)>);

impl Pings {
    /// Remembers a ping. Any other frame is left as it is.
    pub fn note(&mut self, frame: &Frame) {
        if frame.opcode() == PING {
            self.0.push_back((frame.at, frame.data.clone()));
            if self.0.len() > OPEN_PINGS {
                self.0.pop_front();
            }
        }
    }

    /// Tells a pong of the other side how long ago its ping was.
    ///
    /// Whoever has several pings to answer may answer the last one alone, so the earlier
    /// ones are answered, too.
    pub fn answer(&mut self, frame: &mut Frame) {
        if frame.opcode() != PONG {
            return;
        }
        let index = self.0.iter().position(|(_, data)| *data == frame.data);
        let answered = index.and_then(|index| self.0.drain(..=index).next_back());
        frame.rtt = answered.map(|(at, _)| frame.at.saturating_sub(at));
    }
}
