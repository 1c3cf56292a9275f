//! Chats on several nodes: each once, and all in one order.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{LIMIT, Nodes, QUIET, TestBroker, chat, says};
use crate::{ANY, Check, Client, resuming::chat_with_id};

/// The chats that come until there are so many, and nothing more comes for a while: number and
/// content.
async fn chats(client: &mut Client, count: usize) -> Vec<(i64, String)> {
    let (start, mut chats) = (Instant::now(), Vec::new());
    while chats.len() < count && start.elapsed() < LIMIT {
        let received = client.hears_out(QUIET).await;
        let messages = received.iter().filter_map(|text| serde_json::from_str(text).ok());
        let messages = messages.filter(|message: &Value| message["type"] == "chat");
        chats.extend(messages.map(|message| {
            let seq = message["seq"].as_i64().unwrap_or_default();
            (seq, message["content"].as_str().unwrap_or_default().to_owned())
        }));
    }
    chats
}

pub async fn all_see_one_order_when_people_on_three_nodes_write_at_once(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let nodes =
        [it.node(&broker).await?, it.node(&broker).await?, it.node(&broker).await?];
    let mut people = Vec::new();
    for (node, name) in nodes.iter().zip(["ana", "ben", "cem"]) {
        people.push(it.newcomer(&node.server, name).await?.0);
    }

    for i in 0..100 {
        for (person, name) in people.iter_mut().zip(["ana", "ben", "cem"]) {
            person.says(chat_with_id(&i.to_string(), &format!("{name} {i}"))).await?;
        }
    }

    let mut views = Vec::new();
    for person in &mut people {
        views.push(chats(person, 300).await);
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

pub async fn a_chat_that_is_sent_again_on_another_node_has_the_same_number(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    let first = says(&mut ana, "a-1", "hello").await?;
    ana.vanishes().await;

    let (mut again, ..) =
        it.resumes(&two.server, "ana", &it.resume("ana", 0, &log)).await?;
    again.hears(chat("ana", "hello")).await?;
    again.says(chat_with_id("a-1", "hello")).await?;
    again.hears(json!({ "type": "ack", "id": "a-1", "seq": first })).await?;
    again.says(chat_with_id("a-1", "good night")).await?;

    let sentence = "this id was used for another message";
    again.hears(json!({ "type": "rejected", "id": "a-1", "message": sentence })).await?;
    again.hears_nothing_for(QUIET).await
}

pub async fn numbers_have_holes_and_no_gap_is_told_for_them(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let mut elsewhere = two.server.connect("Ben", &(it.path)("tea", "ben")).await?;
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    let seen = says(&mut ana, "a-1", "first").await?;
    for i in 0..5 {
        says(&mut elsewhere, &i.to_string(), "hello").await?;
    }
    let second = says(&mut ana, "a-2", "second").await?;
    assert!(second > seen + 5, "the other room has taken numbers");
    ana.leaves().await?;

    let (mut ana, ..) =
        it.resumes(&two.server, "ana", &it.resume("ana", seen, &log)).await?;

    ana.hears(chat("ana", "second")).await?;
    ana.hears_nothing_for(QUIET).await
}

pub async fn whoever_missed_more_than_is_kept_gets_a_gap(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = it.node(&broker).await?;
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    let seen = says(&mut ana, "a-1", "first").await?;
    ana.leaves().await?;
    let mut ben = one.server.connect("Ben", &(it.path)("rust", "ben")).await?;
    for i in 0..1_100 {
        ben.says(json!({ "type": "chat", "content": i.to_string() }).to_string()).await?;
    }
    assert_eq!(chats(&mut ben, 1_100).await.len(), 1_100, "all of them are said");

    let (mut ana, ..) =
        it.resumes(&one.server, "ana", &it.resume("ana", seen, &log)).await?;

    ana.hears(json!({ "type": "gap", "next": ANY })).await?;
    let came = chats(&mut ana, 1_000).await;
    let kept: Vec<String> = (100..1_100).map(|i| i.to_string()).collect();
    assert!(came.iter().map(|(_, content)| content).eq(&kept), "the newest 1,000");
    Ok(())
}
