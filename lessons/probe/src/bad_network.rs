//! A network on which connections break, after any byte.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::Router;
use fastrand::Rng;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    runtime::Handle,
    spawn,
    sync::{Notify, mpsc},
    time::{Sleep, sleep},
};

use crate::connection::MemoryListener;

/// How long a server does not notice that a client has given up a connection which carries
/// nothing any more.
const HALF_OPEN: Duration = Duration::from_secs(20);

/// How long a connection carries nothing before it goes on, in seconds and at most: less than
/// both sides wait.
const LONGEST_STALL: u64 = 4;

/// The network between a server and its clients. All clones are the same network.
#[derive(Clone)]
pub(crate) struct BadNetwork(Arc<Network>);

struct Network {
    connect: mpsc::Sender<DuplexStream>,
    state: Mutex<State>,
    crash: Notify,
}

struct State {
    random: Rng,
    /// Whether connections mostly stall, and hold little meanwhile.
    is_busy: bool,
    /// How many connections will still get a fault.
    faults: usize,
    /// How many connections have had theirs.
    broken: usize,
    /// After so many bytes, whoever sends them, the server is to crash.
    until_crash: usize,
}

/// What happens to a connection in a direction that has carried so many bytes.
#[derive(Clone, Copy)]
enum Fault {
    /// The connection is lost, with all that is on its way to the client.
    Cut,
    /// What is sent in this direction is lost, and nobody is told.
    Silence,
    /// Nothing passes for a while. Then it goes on.
    Stall,
}

impl BadNetwork {
    /// Serves a router for clients that are connected by this network.
    pub fn serve(
        router: Router,
        random: Rng,
        is_busy: bool,
        faults: usize,
        until_crash: usize,
    ) -> Self {
        let (connect, incoming) = mpsc::channel(64);
        let listener = MemoryListener { incoming, writes: Arc::default() };
        spawn(async { axum::serve(listener, router).await });
        let state = Mutex::new(State { random, is_busy, faults, broken: 0, until_crash });
        Self(Arc::new(Network { connect, state, crash: Notify::new() }))
    }

    pub async fn connect(&self) -> io::Result<BadConnection> {
        let (connection, theirs) = {
            let mut state = self.state();
            let (ours, theirs) = duplex(if state.is_busy { 500 } else { 16_000 });
            (state.connection(ours, self.clone()), theirs)
        };
        let sent = self.0.connect.send(theirs).await;
        sent.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(connection)
    }

    /// Returns when the server is to crash.
    pub async fn crash(&self) {
        self.0.crash.notified().await;
    }

    /// New connections get no faults any more.
    pub fn heal(&self) {
        self.state().faults = 0;
    }

    /// How many connections will still get a fault, and how many have had theirs.
    pub fn faults(&self) -> (usize, usize) {
        let state = self.state();
        (state.faults, state.broken)
    }

    fn carried(&self, bytes: usize) {
        let mut state = self.state();
        if (1..=bytes).contains(&state.until_crash) {
            self.0.crash.notify_one();
        }
        state.until_crash = state.until_crash.saturating_sub(bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no task panics with the lock")
    }
}

impl State {
    fn connection(&mut self, stream: DuplexStream, network: BadNetwork) -> BadConnection {
        let (mut fault, mut left) = (None, [usize::MAX; 2]);
        if self.faults > 0 && self.random.u8(0..4) > 0 {
            self.faults -= 1;
            fault = Some(match self.random.u8(0..6) {
                0..4 if self.is_busy => Fault::Stall,
                0 | 1 => Fault::Cut,
                2 | 3 => Fault::Silence,
                _ => Fault::Stall,
            });
            // The opening handshake has some hundred bytes, and is to break, too.
            let limit = [600, 1_500, 4_000][self.random.usize(0..3)];
            left = [self.random.usize(0..limit), self.random.usize(0..limit)];
        }
        let stall = Duration::from_secs(self.random.u64(1..=LONGEST_STALL));
        BadConnection { stream: Some(stream), network, fault, left, stall, end: None }
    }
}

/// The client's end of a connection, which may get a fault.
pub(crate) struct BadConnection {
    /// `None` after a cut.
    stream: Option<DuplexStream>,
    network: BadNetwork,
    /// `None` if there is none, or it is over.
    fault: Option<Fault>,
    /// How many bytes may still pass before the fault, in each direction.
    left: [usize; 2],
    stall: Duration,
    /// Once the fault has begun: the end of a stall.
    end: Option<Pin<Box<Sleep>>>,
}

const SENT: usize = 0;
const RECEIVED: usize = 1;

impl BadConnection {
    /// The stream, and how many bytes it may carry now: with 0, the next ones are lost.
    fn poll_ready(
        &mut self,
        direction: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Pin<&mut DuplexStream>, usize)>> {
        let fault = self.fault.filter(|_| self.left[direction] == 0);
        if let Some(fault) = fault {
            let end = self.end.get_or_insert_with(|| {
                self.network.state().broken += 1;
                Box::pin(sleep(self.stall))
            });
            match fault {
                Fault::Cut => self.stream = None,
                Fault::Silence => {}
                Fault::Stall => {
                    ready!(end.as_mut().poll(cx));
                    (self.fault, self.left) = (None, [usize::MAX; 2]);
                }
            }
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::ConnectionReset)?;
        Poll::Ready(Ok((Pin::new(stream), self.left[direction])))
    }

    fn carried(&mut self, direction: usize, bytes: usize) {
        self.left[direction] -= bytes;
        self.network.carried(bytes);
    }
}

impl AsyncRead for BadConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (stream, limit) = ready!(self.poll_ready(RECEIVED, cx))?;
        if limit == 0 {
            return Poll::Pending; // For ever. The client has a timeout.
        }
        let mut bytes = [0; 1024];
        let limit = limit.min(bytes.len()).min(buf.remaining());
        let mut carried = ReadBuf::new(&mut bytes[..limit]);
        ready!(stream.poll_read(cx, &mut carried))?;
        buf.put_slice(carried.filled());
        self.carried(RECEIVED, carried.filled().len());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for BadConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (stream, limit) = ready!(self.poll_ready(SENT, cx))?;
        if limit == 0 {
            return Poll::Ready(Ok(bytes.len()));
        }
        let count = ready!(stream.poll_write(cx, &bytes[..limit.min(bytes.len())]))?;
        self.carried(SENT, count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Nothing waits here.
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Dropping it is enough.
    }
}

impl Drop for BadConnection {
    fn drop(&mut self) {
        let is_silent = matches!(self.fault, Some(Fault::Silence)) && self.end.is_some();
        if let Some(stream) = self.stream.take_if(|_| is_silent)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                sleep(HALF_OPEN).await;
                drop(stream);
            });
        }
    }
}
