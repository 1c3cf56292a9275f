//! What breaks: the broker, a node, and what lies between them.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use async_nats::jetstream::{
    consumer::{Consumer, pull},
    message::PublishMessage,
};
use axum::extract::State;
use futures_util::{FutureExt, StreamExt};
use lesson_08_auth::RoomName;
use lesson_18_delivery::{AppendError, Draft, Log};
use probe::{
    Check, Hint,
    conformance::masked,
    json::{joined, left},
    resuming::chat_with_id,
    several_nodes::{
        LEASE, LIMIT, LONG_LEASE, QUIET, TestBroker, hears_until, says, until, winners,
    },
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    NODES,
    broker::{Kept, start},
    people::{path, username},
};
use crate::{
    lease::{LEASE_LOST, Lease},
    list_rooms,
    node::CurrentNode,
    storage::{MEMBERS, Settings, Subject},
};

const NO_LOG: &str = "the log is not available";
const NO_LEASE: &str = "this server has lost its connection to the others";

/// What somebody said, if this is a chat.
fn content(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["content"].as_str().map(str::to_owned)
}

/// A lease that outlives what the test does to the broker.
fn long_lease(broker: &TestBroker) -> Settings {
    Settings { lease: LONG_LEASE, ..broker.settings() }
}

#[tokio::test]
async fn a_node_without_a_lease_claims_nothing_and_appends_nothing() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let connection = broker.connection().await?;
    let stream = connection.open().await.expect("it answers");
    let current = CurrentNode::start(connection);
    until("There is a node", || async { current.get().is_some() }).await?;
    let node = current.get().expect("there is a node");
    let room = || RoomName::try_from("rust".to_owned()).expect("a good name");

    node.lease.end();
    let member = node.join(room(), username("ana"), true).await;
    let chat = node.log.append(Draft {
        room: room(),
        from: username("ana"),
        id: None,
        content: "too late".to_owned().try_into().expect("good content"),
        timestamp: String::new(),
    });

    assert_eq!(member.err(), Some(LEASE_LOST), "she has to try again");
    assert_eq!(chat.await.await, Err(AppendError::Unavailable), "and say it again");
    assert_eq!(
        stream.info().await.ok().map(|info| info.state.messages),
        Some(0),
        "the stream has nothing of it"
    );
    Ok(())
}

/// What it knows may be old.
#[tokio::test]
async fn a_node_without_a_lease_lists_no_rooms() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let current = CurrentNode::start(broker.connection().await?);
    until("There is a node", || async { current.get().is_some() }).await?;
    let node = current.get().expect("there is a node");
    assert!(list_rooms(State(current.clone())).await.is_ok(), "with a lease it does");

    node.lease.end();

    let rooms = list_rooms(State(current)).await;
    assert!(rooms.is_err(), "whoever asks may ask another node");
    Ok(())
}

/// A leave is published before the Close. Without a lease, the Close has to come before others may
/// have the name.
#[tokio::test]
async fn a_node_without_a_lease_waits_for_no_answer() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let current = CurrentNode::start(broker.connection().await?);
    until("There is a node", || async { current.get().is_some() }).await?;
    let node = current.get().expect("there is a node");
    let room = RoomName::try_from("rust".to_owned()).expect("a good name");
    let member = node.join(room, username("ana"), false).await;
    let member = member.map_err(|_| Hint::new("Ana should be let in."))?;

    broker.signal("-STOP");
    let mut leaving = pin!(node.leave(member));
    assert_eq!(leaving.as_mut().now_or_never(), None, "the broker does not answer");
    node.lease.end();
    let left = leaving.now_or_never();
    broker.signal("-CONT");

    assert_eq!(left, Some(()), "the others free the name");
    Ok(())
}

/// A renewal is on its way, and its answer comes later.
#[tokio::test]
async fn a_lease_that_has_ended_is_never_valid_again() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = broker.connection().await?.open().await.expect("it answers");
    let lease = Arc::new(Lease::acquire(&stream).await.expect("it answers"));

    broker.signal("-STOP");
    let kept = lease.clone();
    let keeping = tokio::spawn(async move { kept.keep(&stream).await });
    sleep(Duration::from_millis(100)).await;
    lease.end();
    broker.signal("-CONT");

    let kept = timeout(LIMIT, keeping).await;
    assert!(kept.is_ok(), "there is nothing to keep any more");
    assert!(!lease.is_valid(), "whatever the broker has answered");
    Ok(())
}

#[tokio::test]
async fn a_claim_without_an_answer_is_swept_away() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start(long_lease(&broker));
    one.is_ready().await?;
    let (mut ben, _) = NODES.newcomer(&one.server, "ben").await?;
    let connection = broker.connection().await?;
    let stream = connection.open().await.expect("it answers");
    let nobody = "ana".to_owned().try_into().expect("a good name");
    let room = "rust".to_owned().try_into().expect("a good name");

    let bens = stream.all(MEMBERS).await.expect("it answers").1;
    let bens: Value = serde_json::from_slice(&bens[0].payload).unwrap_or_default();
    let node = bens["node"].as_str().unwrap_or_default();
    let claim = json!({ "type": "joined", "node": node, "announce": true });
    let message = PublishMessage::build().payload(claim.to_string().into());
    let subject = Subject::Member(room, nobody).to_string();
    stream.publish(subject, message).await.await.expect("it is kept");

    ben.hears(joined("ana")).await?;
    ben.hears(left("ana")).await?;
    one.lists(r#"[{"room":"rust","members":1}]"#).await
}

/// The others free a name when a lease is gone: here without a reason, as when somebody has set
/// the clock of the broker.
#[tokio::test]
async fn whose_name_was_freed_by_others_is_asked_to_come_back() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.node_with_long_lease(&broker).await?;
    let stream = broker.connection().await?.open().await.expect("it answers");
    let room = "rust".to_owned().try_into().expect("a good name");
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    let subject = Subject::Member(room, username("ana")).to_string();
    let left = PublishMessage::build().payload(r#"{"type":"left"}"#.into());
    stream.publish(subject, left).await.await.expect("it is kept");

    ana.is_closed(1013, NO_LEASE).await?;
    let mut again = one.server.connect("Ana", &path("rust", "ana")).await?;
    again.hears_nothing_for(QUIET).await
}

#[tokio::test]
async fn a_full_stream_refuses_and_nobody_loses_a_chat_for_it() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let settings = Settings { max_bytes: 64 * 1024, ..long_lease(&broker) };
    let one = start(settings);
    one.is_ready().await?;
    let (mut ana, log) = NODES.newcomer(&one.server, "ana").await?;

    let mut count = 0;
    while count < 100
        && says(&mut ana, &count.to_string(), &"x".repeat(1_000)).await.is_ok()
    {
        count += 1;
    }

    assert!((20..64).contains(&count), "64 KiB have room for some of them: {count}");
    let room = "rust".to_owned().try_into().expect("a good name");
    let stream = broker.connection().await?.open().await.expect("it answers");
    let subject = Subject::Chat(room).to_string();
    let (_, kept) = stream.count(&subject).await.expect("it answers");
    assert_eq!(kept, count, "what was acknowledged is kept");
    assert_eq!(stream.log, log, "in the same log");
    Ok(())
}

/// The stream has no space for the first of two chats, but for the second. They come at once.
#[tokio::test]
async fn what_follows_a_chat_that_was_refused_is_not_accepted() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start(Settings { max_bytes: 4_000, ..long_lease(&broker) });
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;
    let long = masked(0x81, chat_with_id("a-1", &"字".repeat(2_000)).as_bytes());
    let short = masked(0x81, chat_with_id("a-2", "hello").as_bytes());

    ana.writes_raw(&[long, short].concat()).await?;

    ana.is_closed(1013, NO_LOG).await?;
    let room = "rust".to_owned().try_into().expect("a good name");
    let stream = broker.connection().await?.open().await.expect("it answers");
    let count = stream.count(&Subject::Chat(room).to_string()).await;
    assert_eq!(count.expect("it answers").1, 0, "or the first would come behind it");
    Ok(())
}

#[tokio::test]
async fn a_consumer_that_was_deleted_is_replaced() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.node(&broker).await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    let (_ben, _) = NODES.newcomer(&one.server, "ben").await?;
    ana.hears(joined("ben")).await?;
    let stream = broker.connection().await?.open().await.expect("it answers").stream;

    for i in 0..5 {
        let mut names = stream.consumer_names();
        while let Some(Ok(name)) = names.next().await {
            let _ = stream.delete_consumer(&name).await; // Or it is gone.
        }
        ana.says(chat_with_id(&i.to_string(), &format!("hello {i}"))).await?;
        let mut came = vec![ana.hears_any().await?, ana.hears_any().await?];
        came.sort();
        assert!(came[0].contains("ack"), "it is acknowledged: {came:?}");
        assert!(came[1].contains(&format!("hello {i}")), "and comes once: {came:?}");
    }
    ana.hears_nothing_for(QUIET).await
}

/// Asks the consumer of the one node for so many messages. The task ends with whether one came.
async fn steals(broker: &TestBroker, messages: usize) -> Result<JoinHandle<bool>, Hint> {
    let stream = broker.connection().await?.open().await.expect("it answers").stream;
    let name = stream.consumer_names().next().await;
    let name = name.expect("the node has one").expect("it answers");
    let consumer: Consumer<pull::Config> =
        stream.get_consumer(&name).await.expect("it is there");
    let thief = consumer.batch().max_messages(messages).expires(LIMIT).messages().await;
    let mut thief = thief.expect("it answers");
    Ok(tokio::spawn(async move { thief.next().await.is_some() }))
}

/// The broker believes that a message was delivered, and the node has never seen it: here
/// because somebody else has asked for it under the same name.
#[tokio::test]
async fn a_message_that_goes_astray_is_noticed() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start(long_lease(&broker));
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;

    let stolen = steals(&broker, 3).await?;
    sleep(Duration::from_millis(500)).await; // Nothing tells when the broker knows of it.
    for i in 0..20 {
        ana.says(chat_with_id(&i.to_string(), &format!("hello {i}"))).await?;
    }

    assert!(stolen.await.is_ok_and(|is_some| is_some), "one went to somebody else");
    let came = hears_until(&mut ana, r#""hello 19""#).await;
    let came: Vec<_> = came.iter().filter_map(|text| content(text)).collect();
    let expected: Vec<_> = (0..20).map(|i| format!("hello {i}")).collect();
    assert_eq!(came, expected, "each comes once, and in order");

    says(&mut ana, "last", "good night").await.map(drop)
}

/// Nothing comes behind it that would show the hole.
#[tokio::test]
async fn a_last_message_that_goes_astray_is_noticed() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = start(long_lease(&broker));
    one.is_ready().await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;

    let stolen = steals(&broker, 1).await?;
    sleep(Duration::from_millis(100)).await;
    let mut count = 0;
    while !stolen.is_finished() && count < 20 {
        ana.says(chat_with_id(&count.to_string(), &format!("hello {count}"))).await?;
        count += 1;
        sleep(Duration::from_millis(100)).await;
    }

    assert!(stolen.await.is_ok_and(|is_some| is_some), "one went to somebody else");
    let came = hears_until(&mut ana, &format!(r#""hello {}""#, count - 1)).await;
    let came: Vec<_> = came.iter().filter_map(|text| content(text)).collect();
    let expected: Vec<_> = (0..count).map(|i| format!("hello {i}")).collect();
    assert_eq!(came, expected, "each comes once, and in order");
    Ok(())
}

/// The broker gets the renewal at once, and its answer is late.
#[tokio::test]
async fn a_lease_counts_from_before_it_was_renewed() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = broker.connection().await?.open().await.expect("it answers");

    broker.signal("-STOP");
    let start = Instant::now();
    let acquiring = tokio::spawn(async move { Lease::acquire(&stream).await });
    sleep(Duration::from_millis(1_500)).await;
    broker.signal("-CONT");
    let lease = acquiring.await.expect("no panic").expect("it answers in time");

    assert!(lease.is_valid(), "there is some time left");
    sleep_until(start + LEASE * 9 / 10).await;
    assert!(!lease.is_valid(), "soon the others may believe that this node is dead");
    Ok(())
}

#[tokio::test]
async fn a_stream_that_was_deleted_is_another_log() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.node(&broker).await?;
    let (mut ana, log) = NODES.newcomer(&one.server, "ana").await?;
    let connection = broker.connection().await?;
    let old = connection.open().await.expect("it answers");

    one.pauses_for(Duration::from_secs(1)).await;
    let name = &old.stream.cached_info().config.name;
    connection.context.delete_stream(name).await.expect("it answers");
    let new = connection.open().await.expect("it answers");
    let room = "rust".to_owned().try_into().expect("a good name");
    let subject = Subject::Chat(room).to_string();
    for _ in 0..10 {
        let message = PublishMessage::build().payload("{}".into());
        let answer = new.publish(subject.clone(), message).await;
        answer.await.expect("it is kept");
    }

    ana.is_closed_in_the_end(1013, NO_LEASE).await?;
    one.is_ready().await?;
    let (_, other, _) =
        NODES.resumes(&one.server, "ana", &NODES.resume("ana", 1, &log)).await?;
    assert_ne!(other, log, "its numbers mean something else");
    Ok(())
}

#[tokio::test]
async fn nodes_that_create_the_stream_at_the_same_moment_have_the_same_one() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (broker.connection().await?, broker.connection().await?);
    let mut logs = HashSet::new();

    for _ in 0..20 {
        let (ones, twos) = tokio::join!(one.open(), two.open());
        let (ones, twos) = (ones.expect("it has one"), twos.expect("it has one, too"));
        assert_eq!(ones.log, twos.log, "it is the same one");
        logs.insert(ones.log);
        let deleted = one.context.delete_stream(&ones.stream.cached_info().config.name);
        deleted.await.expect("it answers");
    }

    assert_eq!(logs.len(), 20, "and each that is created has another name");
    Ok(())
}

#[tokio::test]
async fn a_broker_may_ask_for_a_password() -> Check {
    let Some(broker) = TestBroker::with_password("p@ss/word") else { return Ok(()) };
    let node = |user: &str| {
        let url = format!("nats://{user}127.0.0.1:{}", broker.port());
        let servers = vec![url.parse().expect("a good URL")];
        start(Settings { servers, ..broker.settings() })
    };
    let (nobody, wrong, right) =
        (node(""), node("chat:password@"), node("chat:p%40ss%2Fword@"));

    right.is_ready().await?;

    for other in [nobody, wrong] {
        let sentence = "the broker cannot be reached";
        assert_eq!(other.readiness().await, Err(sentence.into()), "it is kept out");
    }
    Ok(())
}

/// Whichever of the three is lost, be it the leader of the stream or not: writers may be told
/// to try again for some seconds, but no node loses its lease, and nobody a chat.
#[tokio::test]
async fn a_cluster_of_three_brokers_goes_on_when_it_loses_one() -> Check {
    let Some(mut brokers) = TestBroker::cluster() else { return Ok(()) };
    let settings = Settings {
        servers: brokers.iter().map(Kept::server).collect(),
        replicas: 3,
        ..long_lease(&brokers[0])
    };
    let (one, two) = (start(settings.clone()), start(settings));
    one.is_ready().await?;
    two.is_ready().await?;
    for race in 0..20 {
        let path = path(&format!("room-{race}"), "ana");
        let winners = winners(&one.server, &two.server, &path).await?;
        assert_eq!(winners, 1, "a name is given once: {path}");
    }
    let (mut ben, _) = NODES.newcomer(&two.server, "ben").await?;
    let (mut ana, log) = NODES.newcomer(&one.server, "ana").await?;
    let mut seen = says(&mut ana, "0", "hello 0").await?;

    for (i, broker) in brokers.iter_mut().enumerate() {
        broker.dies();
        let id = (i + 1).to_string();
        let start = Instant::now();
        loop {
            if let Ok(number) = says(&mut ana, &id, &format!("hello {id}")).await {
                seen = number;
                break;
            }
            assert!(start.elapsed() < LIMIT, "a new leader should be chosen by now");
            sleep(Duration::from_millis(200)).await;
            let path = NODES.resume("ana", seen, &log);
            if let Ok((again, ..)) = NODES.resumes(&one.server, "ana", &path).await {
                ana = again;
            }
        }
        println!("without broker {i}, it took {:?}", start.elapsed());
        broker.starts();
        sleep(Duration::from_secs(2)).await;
    }

    let (start, mut came) = (Instant::now(), Vec::new());
    let has_all = |came: &Vec<String>| came.iter().any(|text| text.contains("hello 3"));
    while !has_all(&came) && start.elapsed() < LIMIT {
        came.extend(ben.hears_out(QUIET).await); // His node may still look for a broker.
    }
    for id in 0..=3 {
        let content = format!(r#""content":"hello {id}""#);
        let count = came.iter().filter(|text| text.contains(&content)).count();
        assert_eq!(
            count, 1,
            "Ben has stayed connected, and receives hello {id}: {came:?}"
        );
    }
    Ok(())
}
