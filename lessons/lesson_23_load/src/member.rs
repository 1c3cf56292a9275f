//! One member of a room: who reads, measures, perhaps writes, and comes back when cut off.

use std::{
    cell::RefCell,
    future::{pending, poll_fn},
    io::{self, Cursor, ErrorKind::FileTooLarge},
    iter::Peekable,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf, split},
    select,
    time::sleep,
};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::{
    connect::{Stream, connect, path},
    frames::{add_frame, each_frame},
    options::Options,
    report::{Report, Times},
    run::Run,
};

/// The longest message that we read, in bytes.
const MESSAGE_LIMIT: usize = 256 * 1024;

/// How long somebody waits who was refused or disconnected, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What stands for the end of a connection without a Close, and for a Close without a code.
const LOST: u16 = 1006;
const NO_CODE: u16 = 1005;

thread_local! {
    /// One buffer for all connections, because one task at a time reads. A buffer for each would
    /// cost more memory than all else that a connection needs.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_LIMIT]);
}

pub struct Member {
    run: Arc<Run>,
    number: usize,
    is_slow: bool,
    /// When its messages are due. Who only reads has none.
    due: Peekable<Box<dyn Iterator<Item = Duration> + Send>>,
    sent: u64,
}

impl Member {
    pub fn new(run: Arc<Run>, number: usize) -> Self {
        let options = &run.options;
        let (room, place) = (number / options.members, number % options.members);
        let is_slow = place >= options.readers();
        let senders = if place < options.senders { options.senders } else { 0 };
        let due = || options.plan().due(room * senders + place, options.rooms * senders);
        // What is due is expected, even if we have no connection to send it.
        if options.closed == 0 {
            let mut report = run.report();
            due().for_each(|at| report.expect(at.as_secs() as usize, options));
        }
        let due: Box<dyn Iterator<Item = Duration> + Send> = Box::new(due());
        Self { run, number, is_slow, due: due.peekable(), sent: 0 }
    }

    /// Connects, for the first time when that is due, and again whenever the connection ends.
    pub async fn live(mut self, mut due: u64) {
        let run = self.run.clone();
        // Where it is recorded how long the next connection takes. Of those that the server has
        // ended, nowhere.
        let mut times: Option<fn(&mut Report) -> &mut Times> =
            Some(|it| &mut it.handshakes);
        let mut had_storm = false;
        loop {
            let (stream, rest) = select! {
                connected = self.connect() => connected,
                _ = run.over.wait() => return,
            };
            let took = run.now().saturating_sub(due);
            if let Some(times) = times.take() {
                times(&mut run.report()).record(took);
            }
            run.connected.fetch_add(1, Relaxed);
            let code = select! {
                code = self.handle_socket(stream, rest) => Some(code),
                () = run.storm(), if !had_storm => None,
                _ = run.over.wait(), if !self.is_slow => return,
            };
            run.connected.fetch_sub(1, Relaxed);
            let who = if self.is_slow { "a slow connection" } else { "a connection" };
            if let Some(code) = code {
                run.report().count(format_args!("{who} ended with {code}"));
                sleep(LONGEST_WAIT.mul_f64(fastrand::f64())).await;
            } else {
                had_storm = true;
                times = Some(|it| &mut it.returns);
            }
            due = run.now();
        }
    }

    /// Tries until there is a connection.
    async fn connect(&mut self) -> (Box<dyn Stream>, Vec<u8>) {
        let Self { run, number, is_slow, .. } = self;
        let path = path(&run.options, &run.people, *number);
        loop {
            let opening = (run.open)(*number, *is_slow);
            match connect(opening, &run.options.server, &path).await {
                Ok(connected) => return connected,
                Err(error) => run.report().count(error),
            }
            sleep(LONGEST_WAIT.mul_f64(fastrand::f64())).await;
        }
    }

    /// Reads, and writes what is due. Returns how the connection has ended.
    async fn handle_socket(&mut self, stream: Box<dyn Stream>, rest: Vec<u8>) -> u16 {
        let Self { run, number, due, sent, is_slow } = self;
        if *is_slow {
            run.over.wait().await;
        }
        let (reader, mut writer) = split(stream);
        // What came with the response is the first that is read.
        let mut reader = Cursor::new(rest).chain(reader);
        // The beginning of a frame whose end has not come yet, and what is to be written. The
        // latter grows while the server does not read, because an open loop goes on.
        let (mut partial, mut out) = (Vec::new(), Vec::new());
        let since = run.now();
        loop {
            select! {
                biased;
                written = writer.write(&out), if !out.is_empty() => match written {
                    Ok(count @ 1..) => drop(out.drain(..count)),
                    _ => return LOST,
                },
                at = next(due, *number, run) => {
                    let text = message(run, *number, *sent, at);
                    add_frame(OpCode::Data(Data::Text), text.into(), &mut out);
                    *sent += 1;
                    let mut report = run.report();
                    // What was due before there was a connection is not late because of us.
                    report.late.record(run.now().saturating_sub(at.max(since)));
                    if run.options.closed > 0 {
                        // No schedule has said that it would be written.
                        report.expect(run.second(at).unwrap_or(usize::MAX), &run.options);
                    }
                }
                heard = poll_fn(|cx| poll_heard(run, &mut reader, &mut partial, cx)) => {
                    let heard = match heard {
                        Ok(heard) => heard,
                        Err(error) => {
                            run.report().count(error);
                            return LOST;
                        }
                    };
                    if let Some(code) = heard.closed {
                        return code;
                    }
                    for ping in heard.pings {
                        add_frame(OpCode::Control(Control::Pong), ping, &mut out);
                    }
                }
            }
        }
    }
}

/// Waits until the next message is due, and returns from when its latency counts.
///
/// It is cancel safe: after a message is taken off the schedule, we wait for nothing more.
async fn next(
    due: &mut Peekable<impl Iterator<Item = Duration>>,
    member: usize,
    run: &Run,
) -> u64 {
    let Some(after) = due.peek() else { return pending().await };
    let mut at = run.start.wait().await + after.as_micros() as u64;
    run.until(at).await;
    if let Some(turn) = run.turns.get(member) {
        turn.acquire().await.expect("nobody closes it").forget();
        // This is the mistake: how long the message had to wait for its turn does not count.
        at = run.now();
    }
    due.next();
    if at < run.end() { at } else { pending().await }
}

/// A message. Its id has no mark, because the server sends it back in the acknowledgement, which
/// is no delivery.
pub fn message(run: &Run, member: usize, sent: u64, due: u64) -> String {
    let Options { ids, size, .. } = run.options;
    let mark = format!("{}{member}-{sent}-{due}-", run.mark());
    let id = if ids {
        format!(r#""id":"id-{}","#, &mark["load-".len()..])
    } else {
        String::new()
    };
    let mut text = format!(r#"{{"type":"chat",{id}"content":"{mark}"#);
    let letters = (b'a'..=b'z').cycle().map(char::from);
    text.extend(letters.take(size.saturating_sub(text.len() + 2)));
    text + r#""}"#
}

/// What one read has brought, beside deliveries.
#[derive(Default)]
struct Heard {
    pings: Vec<Vec<u8>>,
    closed: Option<u16>,
}

/// Reads once, and records each delivery that has come.
fn poll_heard(
    run: &Run,
    reader: &mut (impl AsyncRead + Unpin),
    partial: &mut Vec<u8>,
    cx: &mut Context,
) -> Poll<io::Result<Heard>> {
    BUFFER.with_borrow_mut(|buffer| {
        let kept = partial.len();
        buffer[..kept].copy_from_slice(partial);
        let mut unread = ReadBuf::new(&mut buffer[kept..]);
        ready!(Pin::new(reader).poll_read(cx, &mut unread))?;
        let count = unread.filled().len();
        let mut heard = Heard::default();
        if kept == buffer.len() {
            return Poll::Ready(Err(FileTooLarge.into()));
        }
        if count == 0 {
            heard.closed = Some(LOST);
        }
        let bytes = &buffer[..kept + count];
        let mut report = run.report();
        let now = run.now(); // All of it came at the same time.
        let used = each_frame(bytes, |opcode, payload| match opcode {
            OpCode::Data(_) => record(run, &mut report, payload, now),
            OpCode::Control(Control::Ping) => heard.pings.push(payload.to_vec()),
            OpCode::Control(Control::Close) => {
                let code = payload.first_chunk().map(|&two| u16::from_be_bytes(two));
                heard.closed = Some(code.unwrap_or(NO_CODE));
            }
            OpCode::Control(_) => {}
        })?;
        partial.clear();
        partial.extend_from_slice(&bytes[used..]);
        Poll::Ready(Ok(heard))
    })
}

/// Records a delivery. Other messages are none, but an error is worth knowing.
fn record(run: &Run, report: &mut Report, payload: &[u8], now: u64) {
    let Some((member, sent, due)) = run.numbers_in(payload) else {
        let bad = [&br#"{"type":"error""#[..], br#"{"type":"rejected""#];
        if bad.iter().any(|it| payload.starts_with(it)) {
            report.count(String::from_utf8_lossy(payload));
        }
        return;
    };
    if run.over.get().is_some() {
        return; // Somebody slow reads it now, which is no delivery.
    }
    let second = |time| run.second(time).unwrap_or(usize::MAX);
    if let Some(second) = report.seconds.get_mut(second(due)) {
        second.latency.record(now.saturating_sub(due));
    }
    if let Some(second) = report.seconds.get_mut(second(now)) {
        second.arrived += 1;
    }
    run.arrived(member, sent);
}
