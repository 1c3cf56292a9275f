//! The frames of one direction, out of bytes that come in pieces.

use std::{collections::VecDeque, io::Cursor, mem, time::Duration};

use tungstenite::protocol::frame::FrameHeader;

/// How much of a payload is kept, in bytes: all of it, for most chat messages.
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
    /// The first bytes of the payload, as they were sent.
    pub sent: Vec<u8>,
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

    /// The first bytes of the payload, unmasked.
    ///
    /// Why not at once? Most frames are forgotten before a viewer comes, and a debug build
    /// takes its time for each byte.
    pub fn data(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        self.sent.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
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
        let room = PREVIEW - self.sent.len();
        self.sent.extend_from_slice(&own[..own.len().min(room)]);
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
            self.0.push_back((frame.at, frame.data()));
            if self.0.len() > OPEN_PINGS {
                self.0.pop_front();
            }
        }
    }

    /// Adds to a pong of the other side how long ago its ping was.
    ///
    /// Whoever has several pings to answer may answer the last one alone, so the earlier
    /// ones are answered, too.
    pub fn answer(&mut self, frame: &mut Frame) {
        if frame.opcode() != PONG {
            return;
        }
        let sent = frame.data();
        let index = self.0.iter().position(|(_, data)| *data == sent);
        let answered = index.and_then(|index| self.0.drain(..=index).next_back());
        frame.rtt = answered.map(|(at, _)| frame.at.saturating_sub(at));
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::{
        Frame as Sent,
        coding::{Data, OpCode},
    };

    use super::*;

    const TEXT: u8 = 1;
    const CONTINUATION: u8 = 0;

    /// Feeds pieces, one a millisecond.
    fn feed<'a>(
        frames: &mut Frames,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<Frame> {
        (0..).zip(pieces).flat_map(|(i, piece)| frames.feed(piece, ms(i))).collect()
    }

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// What a client sends.
    fn masked(mut frame: Sent) -> Vec<u8> {
        frame.header_mut().mask = Some([0xe0, 0xf7, 0xb1, 0xbb]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("memory accepts everything");
        bytes
    }

    fn binary(payload: Vec<u8>) -> Sent {
        Sent::message(payload, OpCode::Data(Data::Binary), true)
    }

    fn part(text: &str, opcode: Data, is_final: bool) -> Sent {
        Sent::message(text.to_owned(), OpCode::Data(opcode), is_final)
    }

    #[test]
    fn all_lengths_are_understood_in_whatever_pieces_they_come() {
        for (length, header) in
            [(0, 6), (1, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)]
        {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let bytes =
                [masked(binary(payload.clone())), masked(Sent::ping("end"))].concat();

            for size in [1, 5, 6, 7, 1000, bytes.len()] {
                let frames = feed(&mut Frames::default(), bytes.chunks(size));

                let [frame, ping] = &frames[..] else {
                    panic!("two frames of {length}, by {size}")
                };
                assert_eq!(
                    frame.header,
                    bytes[..header],
                    "{length} has a header of its own length"
                );
                assert_eq!(
                    (frame.len, frame.got),
                    (length, length),
                    "its length is that of the payload"
                );
                let preview = &payload[..payload.len().min(PREVIEW)];
                assert_eq!(
                    frame.data(),
                    preview,
                    "the payload is unmasked, in pieces of {size}"
                );
                assert_eq!(
                    (ping.opcode(), &ping.data()[..]),
                    (PING, &b"end"[..]),
                    "the next one is whole"
                );
            }
        }
    }

    #[test]
    fn a_ping_may_stand_between_the_fragments_of_a_message() {
        let sent = [
            part("one", Data::Text, false),
            Sent::ping(""),
            part("two", Data::Continue, false),
            part("three", Data::Continue, true),
            part("next", Data::Text, true),
        ];
        let bytes = sent.map(masked).concat();

        for size in [1, 3, bytes.len()] {
            let frames = feed(&mut Frames::default(), bytes.chunks(size));

            let seen: Vec<_> = frames
                .iter()
                .map(|frame| (frame.opcode(), frame.is_final(), frame.message))
                .collect();
            let expected = [
                (TEXT, false, Some((1, 1))),
                (PING, true, None),
                (CONTINUATION, false, Some((1, 2))),
                (CONTINUATION, true, Some((1, 3))),
                (TEXT, true, Some((2, 1))),
            ];
            assert_eq!(seen, expected, "messages are counted, and the parts of each");
        }
    }

    #[test]
    fn opcodes_that_mean_nothing_and_reserved_bits_are_shown() {
        let bytes = [0b1101_0011, 0, 0b0011_1111, 0x80, 1, 2, 3, 4, 0x81, 1, b'a'];

        let frames = Frames::default().feed(&bytes, ms(0));

        let seen: Vec<_> = frames
            .iter()
            .map(|frame| (frame.is_final(), frame.reserved(), frame.opcode()))
            .collect();
        let expected = [(true, 0b101, 3), (false, 0b011, 15), (true, 0, TEXT)];
        assert_eq!(seen, expected, "whatever the peer thinks of them");
        assert_eq!(frames[2].data(), b"a", "and what follows is understood");
    }

    #[test]
    fn a_long_frame_has_the_time_of_its_first_byte() {
        let bytes = masked(binary(vec![7; 300]));
        let mut frames = Frames::default();

        assert!(frames.feed(&bytes[..100], ms(5)).is_empty(), "it is not complete");
        assert!(
            frames.feed(&bytes[100..200], ms(8)).is_empty(),
            "it is not complete yet"
        );
        let [frame] = &frames.feed(&bytes[200..], ms(12))[..] else {
            panic!("now it is")
        };

        assert_eq!(
            (frame.at, frame.took),
            (ms(5), ms(7)),
            "the time is that of its beginning"
        );
        assert_eq!(frame.reads, 3, "it came in three reads");
    }

    #[test]
    fn a_frame_that_is_never_completed_says_how_much_of_it_came() {
        let mut frames = Frames::default();
        let bytes = masked(binary(vec![7; 70_000]));

        frames.feed(&bytes[..14 + 4082], ms(1));
        let frame = frames.finish(ms(9)).expect("it has begun");

        assert_eq!((frame.len, frame.got), (70_000, 4082), "the rest did not come");
        assert_eq!((frame.at, frame.took), (ms(1), ms(8)), "we waited so long");
        assert!(frames.finish(ms(9)).is_none(), "it is reported once");
        frames.feed(&bytes[..13], ms(9));
        assert!(frames.finish(ms(9)).is_none(), "half a header is no frame yet");
    }

    #[test]
    fn a_frame_that_announces_a_huge_length_takes_no_memory_for_it() {
        let mut frames = Frames::default();
        let endless = [&[0x82, 127][..], &[0xff; 8]].concat();

        frames.feed(&endless, ms(0));
        frames.feed(&[0; 100_000], ms(0));

        let frame = frames.finish(ms(0)).expect("it has begun");
        assert_eq!((frame.len, frame.got), (u64::MAX, 100_000), "it is shown as it is");
        assert_eq!(frame.data().len(), PREVIEW, "only the beginning is kept");
    }

    #[test]
    fn a_pong_has_the_time_since_its_ping() {
        let mut frames = Frames::default();
        let mut at = |sent: Sent, time| frames.feed(&masked(sent), ms(time)).remove(0);
        let mut pings = Pings::default();
        for (payload, time) in [("a", 1), ("b", 3), ("c", 4)] {
            pings.note(&at(Sent::ping(payload), time));
        }
        let mut rtt = |sent, time| {
            let mut pong = at(sent, time);
            pings.answer(&mut pong);
            pong.rtt
        };

        assert_eq!(rtt(Sent::pong("b"), 10), Some(ms(7)), "this is the pong of b");
        assert_eq!(rtt(Sent::pong("a"), 11), None, "a was answered by that, too");
        assert_eq!(rtt(Sent::pong("x"), 12), None, "no ping had this payload");
        assert_eq!(rtt(Sent::ping("c"), 13), None, "a ping is no answer");
        assert_eq!(rtt(Sent::pong("c"), 14), Some(ms(10)), "c still waited");
    }

    #[test]
    fn pings_without_a_pong_are_forgotten() {
        let mut pings = Pings::default();
        for payload in 0..100_u8 {
            let bytes = masked(Sent::ping(vec![payload]));
            pings.note(&Frames::default().feed(&bytes, ms(0))[0]);
        }

        assert_eq!(pings.0.len(), OPEN_PINGS, "the latest are enough");
    }
}
