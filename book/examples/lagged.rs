//! What tokio's broadcast channel does with a receiver that is too slow.

use tokio::sync::broadcast::{Receiver, channel, error::RecvError};

/// What comes out of the channel for one receiver, until the sender is gone.
async fn drain(mut messages: Receiver<u32>) -> Vec<String> {
    let mut received = Vec::new();
    loop {
        match messages.recv().await {
            Ok(number) => received.push(format!("{number}")),
            Err(RecvError::Lagged(missed)) => received.push(format!("missed {missed}")),
            Err(RecvError::Closed) => return received,
        }
    }
}

#[tokio::test]
async fn a_slow_receiver_learns_how_many_it_has_missed_and_then_gets_the_newest() {
    let (sender, slow) = channel(4);
    for number in 1..=10 {
        let _ = sender.send(number); // An error means that nobody listens.
    }
    drop(sender);

    assert_eq!(drain(slow).await, ["missed 6", "7", "8", "9", "10"]);
}

#[tokio::test]
async fn one_slow_receiver_costs_the_others_nothing() {
    let (sender, slow) = channel(4);
    let mut fast = sender.subscribe();
    for number in 1..=10 {
        let _ = sender.send(number);
        assert_eq!(fast.recv().await, Ok(number), "it reads all the time");
    }
    drop(sender);

    assert_eq!(drain(slow).await[0], "missed 6", "the slow one has a place of its own");
}
