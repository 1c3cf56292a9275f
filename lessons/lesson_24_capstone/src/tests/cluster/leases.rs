//! The lease of a node, and what it may do without one.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use probe::{
    Check, Hint,
    several_nodes::{LEASE, LONG_LEASE, QUIET, TestBroker, until},
};
use tokio::time::{Instant, sleep, sleep_until};

use super::{NODES, path, roomy, settings, username};
use crate::{
    chat::Chat,
    cluster::{Broker, Connection, CurrentNode, LEASE_LOST, Lease, Subject},
    delivery::{AppendError, Draft, Log},
    limits::ConnectionLimits,
    names::RoomName,
    server::Shutdown,
    session::Disconnect,
};

/// What a broker keeps, for somebody who is no node.
async fn open(broker: &TestBroker) -> Result<Broker, Hint> {
    let settings = settings(&broker.url(), LEASE);
    let connection = Connection::start(settings).await.map_err(Hint::new)?;
    until("The broker answers", || async { connection.is_connected() }).await?;
    connection.open().await.map_err(|_| Hint::new("The broker should answer."))
}

/// A node without a server.
async fn node(broker: &TestBroker) -> Result<(CurrentNode, Shutdown), Hint> {
    let shutdown = Shutdown::default();
    let settings = settings(&broker.url(), LONG_LEASE);
    let node = CurrentNode::start(settings, &roomy(), shutdown.clone());
    until("There is a node", || async { node.get().is_some() }).await?;
    Ok((node, shutdown))
}

fn room() -> RoomName {
    RoomName::try_from("rust".to_owned()).expect("a good name")
}

/// How somebody is refused who wants to join.
async fn refused(node: &CurrentNode) -> Option<Disconnect> {
    let permit = ConnectionLimits::new(&roomy()).acquire(&username("ana"));
    let permit = permit.expect("there is room for one");
    node.join(room(), username("ana"), &permit, true).await.err()
}

#[tokio::test]
async fn a_node_that_ends_leaves_no_lease_behind() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = open(&broker).await?;
    let (current, _) = node(&broker).await?;
    let node = current.get().expect("there is a node");
    let id = node.lease.node.clone();
    assert_eq!(stream.is_alive(&id).await.ok(), Some(true), "the others see it");

    let start = Instant::now();
    current.end().await;

    let took = start.elapsed();
    assert_eq!(stream.is_alive(&id).await.ok(), Some(false), "it is gone at once");
    assert!(took < Duration::from_secs(2), "the broker has answered: {took:?}");
    assert!(!node.lease.is_valid(), "and it does nothing any more");
    assert!(current.get().is_none(), "and no other node comes");
    Ok(())
}

#[tokio::test]
async fn a_node_without_a_lease_claims_nothing_and_appends_nothing() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = open(&broker).await?;
    let (current, _) = node(&broker).await?;
    let node = current.get().expect("there is a node");

    sleep(QUIET).await; // So no renewal is on its way.
    node.lease.end();
    let member = refused(&current).await;
    let chat = node.log.append(Draft {
        room: room(),
        from: username("ana"),
        id: None,
        content: "too late".to_owned().try_into().expect("good content"),
        timestamp: String::new(),
    });

    assert_eq!(member, Some(LEASE_LOST), "she has to try again");
    assert_eq!(chat.await.await, Err(AppendError::Unavailable), "and say it again");
    assert_eq!(stream.last().await.ok(), Some(0), "the stream has nothing of it");
    Ok(())
}

#[tokio::test]
async fn after_the_stop_nobody_joins_here() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (current, shutdown) = node(&broker).await?;

    shutdown.stop();

    let reason = "another node is the right one";
    assert_eq!(refused(&current).await, Some(Disconnect::GOING_AWAY), "{reason}");
    Ok(())
}

/// The broker gets the renewal at once, and its answer is late.
#[tokio::test]
async fn a_lease_counts_from_before_it_was_renewed() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = open(&broker).await?;

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

/// Not even what is about the client alone: whoever has lost the others says that, and no more.
#[tokio::test]
async fn a_node_without_a_lease_answers_no_ping() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.node(&broker).await?;
    let mut ana = one.server.connect("Ana", &path("rust", "ana")).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(r#"{"type":"pong"}"#).await?;
    ana.hears_nothing_for(QUIET).await?; // Now she has caught up.

    one.pauses_for(2 * LEASE);
    sleep(Duration::from_millis(100)).await;
    ana.says(r#"{"type":"ping"}"#).await?;

    ana.is_closed(1013, "this server has lost its connection to the others").await
}

/// The others free a name when a lease is gone: here without a reason, as when somebody has set
/// the clock of the broker.
#[tokio::test]
async fn whose_name_was_freed_by_others_is_asked_to_come_back() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.patient_node(&broker).await?;
    let stream = open(&broker).await?;
    let (mut ana, _) = NODES.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    let subject = Subject::Member(room(), username("ana")).to_string();
    let left = PublishMessage::build().payload(r#"{"type":"left"}"#.into());
    stream.publish(subject, left).await.await.expect("it is kept");

    ana.is_closed(1013, "this server has lost its connection to the others").await?;
    let mut again = one.server.connect("Ana", &path("rust", "ana")).await?;
    again.hears_nothing_for(QUIET).await
}
