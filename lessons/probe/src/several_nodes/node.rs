//! A node in a test, which may be paused, and die.

use std::{
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, sync::oneshot, time::timeout};

use super::{LIMIT, until};
use crate::{Hint, Server};

/// A node with a runtime of its own, on a thread of its own, as a process has them.
pub struct TestNode {
    pub server: Server,
    pauses: mpsc::Sender<(Duration, oneshot::Sender<()>)>,
    running: Mutex<Option<(oneshot::Sender<()>, thread::JoinHandle<()>)>>,
}

impl TestNode {
    /// Starts what `serve` makes: a server, which runs for as long as the node does.
    pub fn start<F>(serve: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Server, Hint>>,
    {
        let (send_server, server) = mpsc::channel();
        let (pauses, next_pause) = mpsc::channel::<(Duration, oneshot::Sender<()>)>();
        let (dies, end) = oneshot::channel();
        // Made on the thread that runs it, so it need not be one that can move.
        let run = async move || {
            let server = serve().await.unwrap_or_else(|hint| panic!("{hint}"));
            send_server.send(server).expect("the test waits for it");
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    if let Ok((pause, begun)) = next_pause.try_recv() {
                        drop(begun);
                        thread::sleep(pause); // So no task of this node runs.
                    }
                }
            });
            let _ = end.await; // Or the test is over.
        };
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can start").block_on(run());
        });
        let server = server.recv().expect("the node starts");
        Self { server, pauses, running: Mutex::new(Some((dies, thread))) }
    }

    /// Stops all that it does for a while, as when the process is stopped. After this, it does
    /// nothing any more.
    pub async fn pauses_for(&self, time: Duration) {
        let (sender, begun) = oneshot::channel();
        let _ = self.pauses.send((time, sender)); // Or it is dead.
        let _ = timeout(LIMIT, begun).await; // It is an error that the sender is gone.
    }

    /// Stops everything where it is, as `kill -9` does.
    pub fn dies(&self) {
        let running = self.running.lock().expect("no test panics with it").take();
        if let Some((dies, thread)) = running {
            drop(dies);
            thread.join().expect("no task of a node panics its runtime");
        }
    }

    /// Whether `GET /ready` says so, or the sentence that says why not.
    pub async fn readiness(&self) -> Result<(), String> {
        match self.server.get("/ready").await {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(response.body),
            Err(hint) => Err(hint.to_string()),
        }
    }

    pub async fn is_ready(&self) -> Result<(), Hint> {
        until("The node is ready", || async { self.readiness().await.is_ok() }).await
    }

    /// Waits until `GET /rooms` says this.
    pub async fn lists(&self, rooms: &str) -> Result<(), Hint> {
        let what = format!("GET /rooms is {rooms}");
        until(&what, || async {
            self.server.get("/rooms").await.is_ok_and(|response| response.body == rooms)
        })
        .await
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.dies();
    }
}
