//! Chats on several nodes: each once, and all in one order.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use probe::{ANY, Check, Client};
use serde_json::{Value, json};

use super::{
    QUIET, broker::TestBroker, chat, chat_with_id, newcomer, people::path, resume,
    resumes, says,
};
use crate::storage::Subject;

/// The chats that come until nothing has come for a while: number, sender and content.
async fn chats(client: &mut Client) -> Vec<(i64, String)> {
    let received = client.hears_out(Duration::from_secs(2)).await;
    let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
    messages
        .filter(|message: &Value| message["type"] == "chat")
        .map(|message| {
            let seq = message["seq"].as_i64().unwrap_or_default();
            (seq, message["content"].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn all_see_one_order_when_people_on_three_nodes_write_at_once() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let nodes = [broker.node().await?, broker.node().await?, broker.node().await?];
    let mut people = Vec::new();
    for (node, name) in nodes.iter().zip(["ana", "ben", "cem"]) {
        people.push(newcomer(&node.server, name).await?.0);
    }

    for i in 0..100 {
        for (person, name) in people.iter_mut().zip(["ana", "ben", "cem"]) {
            person.says(chat_with_id(&i.to_string(), &format!("{name} {i}"))).await?;
        }
    }

    let mut views = Vec::new();
    for person in &mut people {
        views.push(chats(person).await);
    }
    assert_eq!(views[0].len(), 300, "each chat once");
    assert!(views[0].is_sorted(), "in the order of the numbers");
    assert!(views.iter().all(|view| *view == views[0]), "the same on all nodes");
    for name in ["ana", "ben", "cem"] {
        let said: Vec<_> = views[0].iter().filter(|(_, c)| c.starts_with(name)).collect();
        let expected: Vec<_> = (0..100).map(|i| format!("{name} {i}")).collect();
        assert!(said.iter().map(|(_, c)| c).eq(&expected), "{name}'s as they were sent");
    }
    Ok(())
}

#[tokio::test]
async fn a_chat_that_is_sent_again_on_another_node_has_the_same_number() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (broker.node().await?, broker.node().await?);
    let (mut ana, log) = newcomer(&one.server, "ana").await?;
    let first = says(&mut ana, "a-1", "hello").await?;
    ana.vanishes().await;

    let (mut again, ..) = resumes(&two.server, "ana", &resume("ana", 0, &log)).await?;
    again.hears(chat("ana", "hello")).await?;
    again.says(chat_with_id("a-1", "hello")).await?;
    again.hears(json!({ "type": "ack", "id": "a-1", "seq": first })).await?;
    again.says(chat_with_id("a-1", "good night")).await?;

    let sentence = "this id was used for another message";
    again.hears(json!({ "type": "rejected", "id": "a-1", "message": sentence })).await?;
    again.hears_nothing_for(QUIET).await
}

#[tokio::test]
async fn numbers_have_holes_and_no_gap_is_told_for_them() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (broker.node().await?, broker.node().await?);
    let mut elsewhere = two.server.connect("Ben", &path("tea", "ben")).await?;
    let (mut ana, log) = newcomer(&one.server, "ana").await?;
    let seen = says(&mut ana, "a-1", "first").await?;
    for i in 0..5 {
        says(&mut elsewhere, &i.to_string(), "hello").await?;
    }
    let second = says(&mut ana, "a-2", "second").await?;
    assert!(second > seen + 5, "the other room has taken numbers");
    ana.leaves().await?;

    let (mut ana, ..) = resumes(&two.server, "ana", &resume("ana", seen, &log)).await?;

    ana.hears(chat("ana", "second")).await?;
    ana.hears_nothing_for(QUIET).await
}

#[tokio::test]
async fn whoever_missed_more_than_is_kept_gets_a_gap() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = broker.node().await?;
    let (mut ana, log) = newcomer(&one.server, "ana").await?;
    let seen = says(&mut ana, "a-1", "first").await?;
    ana.leaves().await?;
    let mut ben = one.server.connect("Ben", &path("rust", "ben")).await?;
    for i in 0..1_100 {
        ben.says(json!({ "type": "chat", "content": i.to_string() }).to_string()).await?;
    }
    assert_eq!(chats(&mut ben).await.len(), 1_100, "all of them are said");

    let (mut ana, ..) = resumes(&one.server, "ana", &resume("ana", seen, &log)).await?;

    ana.hears(json!({ "type": "gap", "next": ANY })).await?;
    let came = chats(&mut ana).await;
    let kept: Vec<String> = (100..1_100).map(|i| i.to_string()).collect();
    assert!(came.iter().map(|(_, content)| content).eq(&kept), "the newest 1,000");
    Ok(())
}

/// A follower that was away while so much was said that the stream has deleted the first.
#[tokio::test]
async fn what_a_node_was_too_slow_for_comes_from_the_log() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (broker.node().await?, broker.node().await?);
    let (mut ana, _) = newcomer(&one.server, "ana").await?;
    let mut ben = two.server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears_any().await?;
    let connection = broker.connection().await?;
    let stream = connection.open().await.expect("it answers");
    let room = "rust".to_owned().try_into().expect("a good name");
    let subject = Subject::Chat(room).to_string();

    one.pauses_for(Duration::from_millis(600));
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
        let came: Vec<_> = person
            .hears_out(Duration::from_secs(2))
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
