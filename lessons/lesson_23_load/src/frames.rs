//! Frames, as RFC 6455 has them, without a socket around them.
//!
//! Why not tungstenite's socket, as in lesson 19? It gives each message a buffer of its own, and
//! has read buffers for each connection. A generator has to be cheaper than the server that
//! it measures, or it measures itself.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::{
    Frame, FrameHeader,
    coding::{Data, OpCode},
};

/// Shows each whole frame in `bytes` to `each`, and returns how many bytes these were.
pub fn each_frame(
    bytes: &[u8],
    mut each: impl FnMut(OpCode, &[u8]),
) -> io::Result<usize> {
    let mut used = 0;
    loop {
        let mut cursor = Cursor::new(&bytes[used..]);
        let header = FrameHeader::parse(&mut cursor).map_err(io::Error::other)?;
        let Some((header, length)) = header else { return Ok(used) };
        if !header.is_final || header.opcode == OpCode::Data(Data::Continue) {
            return Err(io::Error::other("a message in several frames"));
        }
        let start = used + cursor.position() as usize;
        let Some(payload) = bytes[start..].get(..length as usize) else {
            return Ok(used);
        };
        each(header.opcode, payload);
        used = start + payload.len();
    }
}

/// Adds a frame of a client to `out`. A client has to mask what it sends.
pub fn add_frame(opcode: OpCode, payload: Vec<u8>, out: &mut Vec<u8>) {
    let mask = Some(fastrand::u32(..).to_ne_bytes());
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    let frame = Frame::from_payload(header, payload.into());
    frame.format(out).expect("there is room in a vector");
}
