//! A client that falls behind.

use std::time::Duration;

use probe::{Check, ONE_MINUTE, resuming::numbers, serve};
use serde_json::json;

use super::{RESUMING, app, path};

const MOMENT: Duration = Duration::from_millis(1);

/// More than an outbox holds, and more than the log keeps.
const FLOOD: usize = 3_000;

fn long(i: usize) -> String {
    let content = format!("{i} {}", "x".repeat(200));
    json!({ "type": "chat", "content": content }).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_behind_goes_on_from_the_log() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    for after_a_resume in [false, true] {
        let (mut ben, log) = RESUMING.newcomer(&server, "ben").await?;
        if after_a_resume {
            ben = server.connect("Ben again", &RESUMING.resume("ben", 900, &log)).await?;
        }
        ben.hears_out(ONE_MINUTE).await;
        ben.stops_reading();

        for i in 0..900 {
            ana.says(long(i)).await?;
            ana.hears_out(MOMENT).await;
        }
        ben.reads_again();

        let came = numbers(&mut ben).await;
        let last = if after_a_resume { 1_800 } else { 900 };
        let expected: Vec<i64> = (last - 899..=last).collect();
        assert_eq!(came, expected, "each chat once, and in order");
        ben.leaves().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_falls_behind_by_more_than_is_kept_gets_a_gap() -> Check {
    let server = serve(app());
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let (mut ben, _) = RESUMING.newcomer(&server, "ben").await?;
    ben.stops_reading();

    for i in 0..FLOOD {
        ana.says(long(i)).await?;
        ana.hears_out(MOMENT).await;
    }
    ben.reads_again();

    let came = numbers(&mut ben).await;
    let gap = came.iter().position(|&seq| seq < 0).expect("what is gone is told");
    let before: Vec<i64> = (1..=gap as i64).collect();
    assert_eq!(came[..gap], before, "up to the gap nothing is missing");
    let after: Vec<i64> = (-came[gap]..=FLOOD as i64).collect();
    assert_eq!(came[gap + 1..], after, "and after it, everything is there");
    assert!(-came[gap] > gap as i64 + 1, "and it is a gap");
    Ok(())
}
