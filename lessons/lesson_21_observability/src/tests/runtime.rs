//! What is measured of the runtime, and what is concluded from it.

use std::{
    thread,
    time::{Duration, Instant},
};

use probe::{Check, ONE_MINUTE, serve};
use tokio::{
    spawn,
    time::{advance, sleep},
};

use super::{app_with, sample};
use crate::{metrics::Metrics, runtime::measure_lag};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_lag_is_how_late_a_task_wakes_up() {
    let metrics = Metrics::new();
    spawn(measure_lag(metrics.clone()));
    let at_most = |limit: &str| {
        sample(&metrics, &format!("chat_runtime_lag_seconds_bucket{{le={limit:?}}}"))
    };

    sleep(10 * SECOND).await;
    let ticks = sample(&metrics, "chat_runtime_lag_seconds_count");
    assert!((90.0..=100.0).contains(&ticks), "ten in a second, and not {ticks}");
    assert_eq!(at_most("0.0025"), ticks, "nothing was late");

    advance(SECOND).await; // As if a task had blocked the runtime for so long.
    sleep(SECOND / 100).await;

    let late = sample(&metrics, "chat_runtime_lag_seconds_count") - at_most("0.5");
    assert_eq!(late, 1.0, "the task woke up late, once");
    let sum = sample(&metrics, "chat_runtime_lag_seconds_sum");
    assert!((0.8..1.2).contains(&sum), "some 0.9 seconds in all, and not {sum}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_not_ready_but_healthy() -> Check {
    let metrics = Metrics::new();
    let server = serve(app_with(metrics.clone()));
    spawn(measure_lag(metrics.clone()));
    sleep(SECOND).await;
    assert_eq!(server.get("/ready").await?.status, 200, "it has nothing to do");

    advance(3 * SECOND).await;
    sleep(SECOND / 100).await;

    let ready = server.get("/ready").await?;
    assert_eq!((ready.status.as_u16(), &*ready.body), (503, "too busy"), "it was late");
    assert_eq!(server.get("/health").await?.status, 200, "a restart would help nobody");
    sleep(5 * SECOND).await;
    assert_eq!(server.get("/ready").await?.body, "ready", "it has caught up");
    Ok(())
}

#[tokio::test]
async fn the_time_in_which_threads_were_busy_is_counted() {
    let metrics = Metrics::new();
    spawn(measure_lag(metrics.clone()));
    let busy = || sample(&metrics, "chat_runtime_busy_seconds_total");
    let start = Instant::now();

    for _ in 0..3 {
        thread::sleep(SECOND / 10); // In the one thread of this runtime.
        sleep(SECOND / 100).await;
    }
    while busy() < 0.3 && start.elapsed() < ONE_MINUTE {
        sleep(SECOND / 100).await;
    }

    let before = busy();
    assert!(before >= 0.3, "it was busy for 0.3 s or more, and not {before}");
    sleep(SECOND / 2).await;
    let (more, all) = (busy() - before, start.elapsed().as_secs_f64());
    assert!(more <= all, "nothing is counted twice: {more} s more in a test of {all} s");
}
