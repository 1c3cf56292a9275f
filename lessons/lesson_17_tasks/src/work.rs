//! Long work: done in steps, beside the async threads, until it ends or is cancelled.

use std::time::Duration;

use tokio::{
    sync::OwnedSemaphorePermit,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use crate::{
    counting::Count,
    tasks::{Status, Ticket},
};

/// Something that takes long, and can be done in steps.
pub trait Work: Send + Sized + 'static {
    /// Does some of it. However long that takes, nobody else waits.
    fn step(self) -> Step<Self>;

    /// How much has been done, from 0 to 1.
    fn done(&self) -> f64;
}

/// What is there after a step.
pub enum Step<W> {
    More(W),
    Done(Count),
}

/// Waits for its turn, and works until the end, or until it is cancelled.
///
/// `duration` is added to the work, so that there is something to watch. The place is
/// given up when the work is.
pub async fn work_on(
    mut work: impl Work,
    duration: Duration,
    ticket: Ticket,
    _place: OwnedSemaphorePermit,
) {
    let Some(_turn) = ticket.turn().await else { return };
    let start = Instant::now();

    loop {
        let before = work.done();
        ticket.report(Status::running(before, start.elapsed()));

        // Why not call `step` here? This thread has sockets to look after. Nobody can
        // interrupt a blocking thread, so we look at the ticket between the steps.
        let step = match spawn_blocking(|| work.step()).await {
            Ok(step) => step,
            Err(_) => return ticket.report(Status::failed()), // It panicked.
        };
        let after = if let Step::More(work) = &step { work.done() } else { 1.0 };

        let pause = sleep(duration.mul_f64((after - before).max(0.0)));
        if ticket.cancelled.run_until_cancelled(pause).await.is_none() {
            return;
        }
        match step {
            Step::More(rest) => work = rest,
            Step::Done(result) => return ticket.report(Status::Finished { result }),
        }
    }
}
