use std::{
    io::{self, Write},
    process,
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a test may take, in real time. Long tests on a busy machine need some of it.
const LIMIT: Duration = Duration::from_secs(60);

/// How the name of a thread begins whose test is watched from outside, by a program that
/// goes on with the other tests.
pub const WATCHED_THREAD: &str = "check ";

/// Ends the tests with a sentence if one of them never waits.
///
/// A paused clock moves on only while every task waits. A busy loop stops it, and then no
/// timeout of tokio's would ever expire. This one does, on a thread of its own. Drop it
/// when the test is over.
pub struct Watchdog {
    _over: mpsc::Sender<()>,
}

impl Watchdog {
    pub fn start() -> Self {
        let (over, never_sent) = mpsc::channel::<()>();
        let test = thread::current().name().unwrap_or("a test").to_owned();
        if test.starts_with(WATCHED_THREAD) {
            return Self { _over: over };
        }

        thread::spawn(move || {
            if never_sent.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not `eprintln!`: the test runner would keep it to itself.
                let _ = writeln!(
                    io::stderr(),
                    "\n{test} has run for {} s, and its tasks never wait. Does the server \
                     have a busy loop?\n",
                    LIMIT.as_secs()
                );
                process::exit(101);
            }
        });

        Self { _over: over }
    }
}
