//! The life of the program: ready for the first client, and a goodbye to the last one.

use std::{process, time::Duration};

use axum::{extract::State, http::StatusCode};
use tokio::{
    signal,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFuture},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::Chat;

/// How long clients may take to say goodbye. Then the program ends without them.
///
/// Whoever stops us may have less patience: Docker kills what still runs after ten
/// seconds.
pub const DEADLINE: Duration = Duration::from_secs(8);

/// Tells everybody when the program ends, and knows who is still busy.
///
/// This is only a handle: all clones share one life.
#[derive(Clone, Default)]
pub struct Lifespan {
    /// Whoever sends us new clients should send them elsewhere.
    unready: CancellationToken,
    stopping: CancellationToken,
    busy: TaskTracker,
}

impl Lifespan {
    /// Ends the program when somebody asks for it: in good order the first time, at once
    /// the second time.
    pub fn stop_on_signal(&self, notice: Duration) {
        let lifespan = self.clone();
        tokio::spawn(async move {
            wait_for_signal().await;
            println!("We stop. Ask again to stop at once.");
            tokio::spawn(lifespan.stop_after(notice));

            wait_for_signal().await;
            process::exit(1);
        });
    }

    /// Says at `GET /ready` that we stop, and does so after the notice.
    ///
    /// Why wait? A load balancer asks every few seconds. Until it has the answer, it
    /// sends us new clients.
    pub async fn stop_after(self, notice: Duration) {
        self.unready.cancel();
        sleep(notice).await;
        self.stop();
    }

    /// Tells everybody to finish.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    pub fn is_ready(&self) -> bool {
        !self.unready.is_cancelled()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits until it is time to finish.
    pub fn stopping(&self) -> WaitForCancellationFuture<'_> {
        self.stopping.cancelled()
    }

    /// Whoever holds the token is busy. The program waits for it, if it can.
    pub fn busy(&self) -> TaskTrackerToken {
        self.busy.token()
    }

    /// Waits until nobody is busy any more, or the deadline has passed.
    ///
    /// Returns how many are still busy.
    pub async fn finish(&self) -> usize {
        self.busy.close();
        let _ = timeout(DEADLINE, self.busy.wait()).await; // Or else we count them.
        self.busy.len()
    }
}

/// For whoever sends us clients, such as a load balancer.
pub async fn tell_whether_ready(State(chat): State<Chat>) -> (StatusCode, &'static str) {
    if chat.lifespan.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping")
    }
}

/// Waits for Ctrl-C, or for the SIGTERM of whoever runs this program.
async fn wait_for_signal() {
    let interrupt = async {
        signal::ctrl_c().await.expect("the system lets us hear of Ctrl-C");
    };

    #[cfg(unix)]
    let terminate = async {
        signal::unix::signal(signal::unix::SignalKind::terminate())
            .expect("the system lets us hear of SIGTERM")
            .recv()
            .await;
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();

    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
