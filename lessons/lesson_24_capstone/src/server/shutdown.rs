//! Graceful shutdown: everybody is told, and has some time to leave.

use std::{
    io, process,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    select, signal,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tracing::{info, warn};

use super::service::notify;

/// So soon after the first, a signal is the same one: `timeout` signals twice, for example.
const SIGNAL_GAP: Duration = Duration::from_millis(500);

/// Tells all tasks when to stop, and counts those that have not.
///
/// All clones are about the same shutdown.
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
    /// Shuts down on a signal, after `delay`. The second signal ends the program at once.
    pub fn on_signal(&self, delay: Duration) {
        let shutdown = self.clone();
        tokio::spawn(async move {
            wait_for_signal().await;
            info!("shutting down; a second signal ends the program at once");
            notify("STOPPING=1");
            tokio::spawn(shutdown.after(delay));

            sleep(SIGNAL_GAP).await;
            wait_for_signal().await;
            process::exit(1);
        });
    }

    /// Shuts down when `end` is ready, at once: what is left is of no use to anybody.
    pub fn on_end(
        &self,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let shutdown = self.clone();
        tokio::spawn(async move {
            end.await;
            notify("STOPPING=1");
            shutdown.stop();
        })
    }

    /// Answers at `GET /ready` that we drain, and stops after `delay`.
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

    /// Does what others will receive. `None` means that it was not done, because we stop.
    ///
    /// The stop waits for it. So what one member has in the outbox when `stopping` is ready,
    /// all have (but announcements, which the rooms send by themselves).
    pub fn unless_stopping<T>(&self, change: impl FnOnce() -> T) -> Option<T> {
        let _no_stop = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        (!self.is_stopping()).then(change)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until it is time to stop.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// A token for a task that the shutdown waits for. It is done when the token is dropped.
    pub fn track(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Waits until all tasks are done, or the deadline has passed.
    ///
    /// Returns how many are not done.
    pub async fn finish(&self, deadline: Duration) -> usize {
        self.tasks.close();
        let _ = timeout(deadline, self.tasks.wait()).await; // Or else we count them.
        self.tasks.len()
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
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot;

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

    #[tokio::test]
    async fn the_end_of_what_it_cannot_do_without_is_a_stop() {
        let shutdown = Shutdown::default();
        let (running, ended) = oneshot::channel::<()>();
        let failure = shutdown.on_end(async { drop(ended.await) });
        assert!(!failure.is_finished() && !shutdown.is_stopping(), "it has not ended");

        drop(running);
        shutdown.stopping().await;

        assert!(failure.await.is_ok(), "so main knows that nobody has asked for it");
    }

    #[test]
    fn nothing_changes_after_the_stop() {
        let shutdown = Shutdown::default();
        shutdown.stop();

        let change = shutdown.unless_stopping(|| "done");

        assert_eq!(change, None, "some members may have left already");
    }
}
