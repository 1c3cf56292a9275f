//! A wrong way: it hopes that `abort` stops a thread.

use std::sync::{
    atomic::{AtomicUsize, Ordering},
    mpsc,
};

use tokio::task::spawn_blocking;

static STEPS: AtomicUsize = AtomicUsize::new(0);

pub async fn report() -> String {
    let (go_on, waits) = mpsc::channel();
    let (says, third) = mpsc::channel();
    let work = spawn_blocking(move || {
        for step in 1..=10 {
            STEPS.store(step, Ordering::Relaxed);
            if step == 3 {
                let _ = says.send(());
                let _ = waits.recv();
            }
        }
    });
    let _ = third.recv(); // It is in the middle of its work.

    work.abort();
    let _ = go_on.send(());

    let end = work.await;
    let steps = STEPS.load(Ordering::Relaxed);
    format!("aborted in step 3 of 10\nit ended with {end:?}, after step {steps}\n")
}
