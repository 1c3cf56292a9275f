use std::{
    io::{self, Write},
    process,
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a conversation may take, in real time.
const LIMIT: Duration = Duration::from_secs(20);

/// Ends the tests with a sentence if one of them never rests.
///
/// A paused clock moves on only while every task waits. A task that turns in a circle
/// stops it, and no time limit of tokio's would ever strike. This one does, from a
/// thread of its own. Drop it when the conversation is over.
pub struct Watchdog {
    _over: mpsc::Sender<()>,
}

impl Watchdog {
    pub fn start() -> Self {
        let (over, never_sent) = mpsc::channel::<()>();
        let test = thread::current().name().unwrap_or("a test").to_owned();

        thread::spawn(move || {
            if never_sent.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not `eprintln!`: the test runner would keep it to itself.
                let _ = writeln!(
                    io::stderr(),
                    "\n{test} has run for {} s without a rest. Does the server turn in a \
                     loop that waits for nothing?\n",
                    LIMIT.as_secs()
                );
                process::exit(101);
            }
        });

        Self { _over: over }
    }
}
