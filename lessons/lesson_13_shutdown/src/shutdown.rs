//! Graceful shutdown: everybody is notified, and has some time to leave.

use std::{
    env, future, io, process,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{extract::State, http::StatusCode};
use tokio::{select, signal, spawn, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker, task::task_tracker};
use tracing::{info, warn};

/// So soon after the first, a signal is the same one: `timeout` signals twice, for example.
const SIGNAL_GAP: Duration = Duration::from_millis(500);

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
    /// The first signal shuts down after `delay`. The second exits at once, with code 1.
    pub fn on_signal(&self, delay: Duration) {
        let shutdown = self.clone();
        spawn(async move {
            wait_for_signal().await;
            info!("shutting down; a second signal ends the program at once");
            spawn(shutdown.after(delay));

            time::sleep(SIGNAL_GAP).await;
            wait_for_signal().await;
            process::exit(1);
        });
    }

    /// Stops after `delay`. Until then, `GET /ready` asks that nobody new is sent to us.
    pub async fn after(self, delay: Duration) {
        self.draining.cancel();
        time::sleep(delay).await;
        self.stop();
    }

    /// Tells all tasks to stop.
    pub fn stop(&self) {
        self.draining.cancel();
        let _no_change = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        self.stopping.cancel();
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until it is time to stop. Cancel safe, and it returns at once from then on.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Does what others will receive. `None` means that it was not done, because we stop.
    ///
    /// The stop waits for it. So what one member has in the outbox when `stopping` is ready,
    /// all have (but announcements, which the rooms send by themselves).
    pub fn unless_stopping<T>(&self, change: impl FnOnce() -> T) -> Option<T> {
        let _no_stop = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        (!self.is_stopping()).then(change)
    }

    /// A token for a task that the shutdown waits for. It is done when the token is dropped.
    pub fn track(&self) -> task_tracker::TaskTrackerToken {
        self.tasks.token()
    }

    /// Runs a task that the shutdown waits for.
    pub fn spawn(&self, task: impl Future<Output: Send> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for the stop, and then until all tasks are done, or the deadline has passed.
    /// Returns how many are not done.
    pub async fn finish(&self, deadline: Duration) -> usize {
        self.stopping().await;
        self.tasks.close(); // Before, an empty tracker would only be an idle server.
        let _ = time::timeout(deadline, self.tasks.wait()).await; // If it passes, we count.
        self.tasks.len()
    }
}

/// `GET /ready`: 200 while new clients are welcome, 503 from the first signal on.
pub async fn ready(State(shutdown): State<Shutdown>) -> (StatusCode, &'static str) {
    if shutdown.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    (StatusCode::OK, "ready")
}

/// A number of seconds from the environment, or `default`. The error is a sentence for the
/// person who started the program.
pub fn seconds(name: &str, default: u16) -> Result<Duration, String> {
    let text = env::var_os(name).unwrap_or_else(|| default.to_string().into());
    let seconds = text.to_string_lossy().trim().parse::<u16>();
    let problem =
        |_| format!("{name} is {text:?}, but should be whole seconds, up to 65535.");
    seconds.map(|seconds| Duration::from_secs(seconds.into())).map_err(problem)
}

/// Waits for Ctrl-C, or for the SIGTERM of whoever runs this program.
async fn wait_for_signal() {
    let signal = select! {
        signal = signal::ctrl_c() => signal,
        signal = terminate() => signal,
    };
    if let Err(error) = signal {
        warn!(%error, "there are no signals: this program can only be killed");
        future::pending().await
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
    future::pending().await // Windows has no SIGTERM.
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
            while !shutdown.draining.is_cancelled() {
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
