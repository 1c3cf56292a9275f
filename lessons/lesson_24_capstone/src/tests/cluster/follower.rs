//! A node that is slower than the log.

use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::Lag;

/// How far somebody is behind who reads so many messages a second, when it is noticed, or after
/// an hour. The stream gets ten a second, and had some before.
async fn lag_of(reads: i64, before: i64) -> Option<i64> {
    let (mut lag, mut position) = (Lag::default(), 0);
    for second in 0..3_600 {
        let last = before + 10 * second;
        lag.update(position, last);
        sleep(Duration::from_secs(1)).await;
        if lag.is_too_long() {
            return Some((last - position) / 10);
        }
        position = last.min(position + reads);
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_too_slow_begins_anew_while_it_can_still_see_who_has_left() {
    for reads in [0, 5, 9] {
        let lag = lag_of(reads, 0).await.unwrap_or(i64::MAX);
        assert!(lag < 60, "with {reads} a second, it has missed who has left: {lag}");
    }
    assert_eq!(lag_of(10, 0).await, None, "who keeps pace is never too slow");
    assert_eq!(lag_of(10, 100).await, None, "nor who does so ten seconds later");
    assert_eq!(lag_of(30, 500).await, None, "nor who comes back and catches up");
}
