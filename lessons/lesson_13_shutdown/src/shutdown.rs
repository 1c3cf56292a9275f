//! Graceful shutdown: everybody is notified, and has some time to leave.

use std::{
    env, io,
    ops::RangeInclusive,
    process,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    extract::{State, ws::close_code},
    http::StatusCode,
};
use lesson_08_auth::Disconnect;
use tokio::{
    select, signal,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tracing::{info, warn};

/// How we close every WebSocket when the program ends (RFC 6455, section 7.4.1).
pub const GOING_AWAY: Disconnect =
    Disconnect::ByUs(close_code::AWAY, "the server is stopping");

/// Tells all tasks when to stop, and counts those that are not done.
///
/// It is only a handle: clone it freely. All clones are about the same shutdown.
#[derive(Clone, Default)]
pub struct Shutdown {
    /// A load balancer should send new clients elsewhere.
    draining: CancellationToken,
    stopping: CancellationToken,
    tasks: TaskTracker,
    /// Read by whoever changes what others receive. The stop writes, so it comes between
    /// two changes, and never in the middle of one.
    changes: Arc<RwLock<()>>,
}

impl Shutdown {
    /// Shuts down on a signal, after `delay`. The second signal ends the program at once,
    /// with exit code 1.
    pub fn on_signal(&self, delay: Duration) {
        let shutdown = self.clone();
        tokio::spawn(async move {
            wait_for_signal().await;
            info!("shutting down; a second signal ends the program at once");
            tokio::spawn(shutdown.after(delay));

            wait_for_signal().await;
            process::exit(1);
        });
    }

    /// Answers 503 at `GET /ready` from now on, and stops after `delay`.
    ///
    /// Why wait? A load balancer asks every few seconds. Until it has the answer, it
    /// sends us new clients.
    pub async fn after(self, delay: Duration) {
        self.draining.cancel();
        sleep(delay).await;
        self.stop();
    }

    /// Tells all tasks to stop.
    pub fn stop(&self) {
        self.draining.cancel();
        let _no_change = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        self.stopping.cancel();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until it is time to stop. Cancel safe, and it returns at once from then on.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// Does what others will receive. `None` means that it was not done, because we stop.
    ///
    /// The stop waits for it. So whoever is woken by [`stopping`](Self::stopping) has
    /// everything in the outbox that anybody else has received, and nothing follows.
    pub fn unless_stopping<T>(&self, change: impl FnOnce() -> T) -> Option<T> {
        let _no_stop = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        (!self.is_stopping()).then(change)
    }

    /// A token for a task that the shutdown waits for. It is done when the token is dropped.
    pub fn track(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Runs a task that the shutdown waits for.
    pub fn spawn(&self, task: impl Future<Output: Send> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for the stop, and then until all tasks are done, or the deadline has passed.
    ///
    /// Returns how many are not done.
    pub async fn finish(&self, deadline: Duration) -> usize {
        self.stopping().await;
        self.tasks.close(); // Before, an empty tracker would only be an idle server.
        let _ = timeout(deadline, self.tasks.wait()).await; // If it passes, we count.
        self.tasks.len()
    }
}

/// `GET /ready`: 200 while new clients are welcome, 503 from the first signal on.
pub async fn ready(State(shutdown): State<Shutdown>) -> (StatusCode, &'static str) {
    match shutdown.is_draining() {
        false => (StatusCode::OK, "ready"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    }
}

/// A number of seconds from the environment, or `default`.
///
/// The error is a sentence for the person who started the program.
pub fn seconds(
    name: &str,
    default: u16,
    allowed: RangeInclusive<u16>,
) -> Result<Duration, String> {
    let text = env::var_os(name).unwrap_or_else(|| default.to_string().into());
    match text.to_string_lossy().parse() {
        Ok(seconds) if allowed.contains(&seconds) => {
            Ok(Duration::from_secs(seconds.into()))
        }
        _ => Err(format!(
            "{name} is {text:?}, but should be whole seconds, from {} to {}.",
            allowed.start(),
            allowed.end()
        )),
    }
}

/// Waits for Ctrl-C, or for the SIGTERM of whoever runs this program.
///
/// Where the system lets us wait for no signal, this waits for ever: such a program can
/// only be killed, but it serves.
async fn wait_for_signal() {
    let signal = async {
        select! {
            result = signal::ctrl_c() => result,
            result = terminate() => result,
        }
    };
    if let Err(error) = signal.await {
        warn!(%error, "there are no signals");
        std::future::pending().await
    }
}

#[cfg(unix)]
async fn terminate() -> io::Result<()> {
    let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
    terminate.recv().await;
    Ok(())
}

#[cfg(not(unix))]
async fn terminate() -> io::Result<()> {
    std::future::pending().await // Windows has no SIGTERM.
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_stop_waits_for_a_change_that_has_begun() {
        let shutdown = Shutdown::default();

        let during = shutdown.unless_stopping(|| {
            let stop = shutdown.clone();
            let stopper = thread::spawn(move || stop.stop());
            while !shutdown.is_draining() {
                thread::yield_now();
            }
            (0..10_000).for_each(|_| thread::yield_now()); // Far longer than it needs.
            (shutdown.is_stopping(), stopper)
        });

        let (stopped, stopper) = during.expect("nothing had stopped before");
        assert!(!stopped, "a message is being sent, so some would miss it");
        stopper.join().expect("the stop goes on when the change is done");
        assert!(shutdown.is_stopping(), "and then it is a stop");
    }

    #[test]
    fn nothing_changes_after_the_stop() {
        let shutdown = Shutdown::default();
        shutdown.stop();

        let change = shutdown.unless_stopping(|| "done");

        assert_eq!(change, None, "some members may have left already");
    }
}
