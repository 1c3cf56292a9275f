//! The stream: whose chats are whose, and a node that is slower.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use probe::{
    Check,
    several_nodes::{LONG_LEASE, QUIET, TestBroker, hears_until},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{NODES, broker::Kept, people::path};
use crate::{
    follower::Lag,
    storage::{Subject, token},
};

/// Lesson 08 allows no such names. If it did, each of them would be a room.
#[tokio::test]
async fn a_room_named_as_a_wildcard_would_be_one_room() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = broker.connection().await?.open().await.expect("it answers");
    let names = ["*", ">", "a.b", "a", "$JS", ".", "*.chat", "rust"];
    let subject = |name: &str| format!("room.{}.chat", token(name));

    for name in names {
        let message = PublishMessage::build().payload("{}".into());
        stream.publish(subject(name), message).await.await.expect("it is kept");
    }

    for name in names {
        let (_, count) = stream.count(&subject(name)).await.expect("it answers");
        assert_eq!(count, 1, "{name:?} has what was said there, and nothing else");
    }
    Ok(())
}

/// A follower that was away while so much was said that the stream has deleted the first.
#[tokio::test]
async fn what_a_node_was_too_slow_for_comes_from_the_log() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (NODES.node(&broker).await?, NODES.node(&broker).await?);
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    let mut ben = two.server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears_any().await?;
    let connection = broker.connection().await?;
    let stream = connection.open().await.expect("it answers");
    let room = "rust".to_owned().try_into().expect("a good name");
    let subject = Subject::Chat(room).to_string();

    one.pauses_for(Duration::from_millis(600)).await;
    for i in 0..3_000 {
        let content = format!("{i} {}", "x".repeat(1_000));
        let chat =
            json!({ "from": "cem", "id": null, "content": content, "timestamp": "" });
        let message = PublishMessage::build().payload(chat.to_string().into());
        let answer = stream.publish(subject.clone(), message).await;
        if i % 100 == 99 {
            answer.await.expect("it is kept");
        }
    }

    let numbers = |text: &str| text.split(' ').next().and_then(|n| n.parse::<i64>().ok());
    for person in [&mut ana, &mut ben] {
        let came: Vec<_> = hears_until(person, r#""2999 "#)
            .await
            .iter()
            .filter_map(|text| serde_json::from_str::<Value>(text).ok())
            .map(|message| match message["type"].as_str() {
                Some("gap") => -1,
                _ => message["content"].as_str().and_then(numbers).unwrap_or(-2),
            })
            .collect();
        let holes =
            came.windows(2).filter(|pair| pair[1] != pair[0] + 1 && !pair.contains(&-1));
        assert_eq!(holes.count(), 0, "nothing is missing without a gap: {came:?}");
        assert_eq!(came.last(), Some(&2_999), "all catch up");
    }
    Ok(())
}

/// Its lease is renewed all the time, and it reads as fast as it can.
#[tokio::test]
async fn a_node_that_cannot_keep_pace_with_the_stream_gives_its_clients_up() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let relay = broker.narrow_relay(60_000).await;
    let one = (NODES.start)(relay.url(), LONG_LEASE);
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;
    let stream = broker.connection().await?.open().await.expect("it answers");

    one.pauses_for(Duration::from_secs(4)).await; // So it finds much of it at once.
    let chat = json!({ "from": "cem", "id": null, "content": "hello", "timestamp": "" });
    for i in 0..16_000 {
        let subject = format!("room.{}.chat", token(&format!("room-{}", i % 20)));
        let message = PublishMessage::build().payload(chat.to_string().into());
        let answer = stream.publish(subject, message).await;
        if i % 100 == 99 {
            answer.await.expect("it is kept");
        }
    }

    sleep(Duration::from_secs(35)).await; // It may be behind for 20 of them.
    ana.is_closed(1013, "this server has lost its connection to the others").await
}

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
