//! The lease of a node, and what it may do without one.

use std::{pin::pin, sync::Arc, time::Duration};

use async_nats::jetstream::message::PublishMessage;
use futures_util::FutureExt;
use probe::{
    Check, Hint,
    several_nodes::{LEASE, LIMIT, LONG_LEASE, QUIET, TestBroker, until},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{NODES, path, roomy, settings, username};
use crate::{
    app::AppState,
    chat::Chat,
    cluster::{Broker, Connection, CurrentNode, LEASE_LOST, Lease, Subject},
    delivery::{AppendError, Draft, Log},
    limits::{ConnectionLimits, ConnectionPermit},
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

fn permit() -> ConnectionPermit {
    let permit = ConnectionLimits::new(&roomy()).acquire(&username("ana"));
    permit.expect("there is room for one")
}

fn draft(content: &str) -> Draft {
    Draft {
        room: room(),
        from: username("ana"),
        id: None,
        content: content.to_owned().try_into().expect("good content"),
        timestamp: String::new(),
    }
}

/// How somebody is refused who wants to join.
async fn refused(node: &CurrentNode) -> Option<Disconnect> {
    node.join(room(), username("ana"), &permit(), true).await.err()
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

    let is_gone = || async { stream.is_alive(&id).await.is_ok_and(|it| !it) };
    until("The others do not see it any more", is_gone).await?;
    let took = start.elapsed();
    assert!(took < LONG_LEASE / 2, "long before the lease runs out: {took:?}");
    assert!(!node.lease.is_valid(), "and it does nothing any more");
    assert!(current.get().is_none(), "and no other node comes");
    Ok(())
}

/// A lease that is lost is no end: the process becomes another node.
#[tokio::test]
async fn a_process_that_will_never_be_a_node_again_has_ended() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (node, _) = node(&broker).await?;
    let state = AppState::new(&roomy(), Shutdown::default());
    let state = AppState { node: node.clone(), ..state.expect("a good configuration") };
    let mut ended = tokio::spawn(state.ended());

    let first = node.get().expect("there is a node");
    first.lease.end();
    let is_another =
        async || node.get().is_some_and(|it| it.lease.node != first.lease.node);
    until("It is another node", is_another).await?;
    assert!(!ended.is_finished(), "it goes on");
    node.end().await;

    let end = timeout(LONG_LEASE, &mut ended).await;
    assert!(end.is_ok(), "there will be no other node, so nobody can use this process");
    Ok(())
}

#[tokio::test]
async fn a_node_without_a_lease_claims_nothing_and_appends_nothing() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = open(&broker).await?;
    let (current, _) = node(&broker).await?;
    let node = current.get().expect("there is a node");

    node.lease.end();
    let member = refused(&current).await;
    let chat = node.log.append(draft("too late"));

    assert_eq!(member, Some(LEASE_LOST), "she has to try again");
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
    let (current, _) = node(&broker).await?;
    let node = current.get().expect("there is a node");
    assert!(current.list().is_ok(), "with a lease it does");

    node.lease.end();

    assert!(current.list().is_err(), "whoever asks may ask another node");
    Ok(())
}

/// Whoever closes a client waits for its chats and its leave. Without a lease, the Close has to
/// come before others may have the name.
#[tokio::test]
async fn a_node_without_a_lease_waits_for_no_answer() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (current, _) = node(&broker).await?;
    let node = current.get().expect("there is a node");
    let permit = permit();
    let member = node.join(room(), username("ana"), &permit, false).await;
    let member = member.map_err(|_| Hint::new("Ana should be let in."))?;

    broker.signal("-STOP");
    let mut receipt = node.log.append(draft("hello")).await;
    let mut leaving = pin!(node.leave(member));
    assert_eq!((&mut receipt).now_or_never(), None, "the broker does not answer");
    assert_eq!(leaving.as_mut().now_or_never(), None, "the broker does not answer");
    node.lease.end();
    let (receipt, left) = (receipt.now_or_never(), leaving.now_or_never());
    broker.signal("-CONT");

    assert_eq!(receipt, Some(Err(AppendError::Unavailable)), "nobody knows");
    assert_eq!(left, Some(()), "the others free the name");
    Ok(())
}

/// A renewal is on its way, and its answer comes later.
#[tokio::test]
async fn a_lease_that_has_ended_is_never_valid_again() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let stream = open(&broker).await?;
    let lease = Lease::acquire(&stream).await;
    let lease = Arc::new(lease.map_err(|_| Hint::new("The broker should answer."))?);

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

    one.pauses_for(LEASE * 3 / 2).await;
    ana.says(r#"{"type":"ping"}"#).await?;

    ana.is_closed(1013, "this server has lost its connection to the others").await
}

/// The others free a name when a lease is gone: here without a reason, as when somebody has set
/// the clock of the broker.
#[tokio::test]
async fn whose_name_was_freed_by_others_is_asked_to_come_back() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = NODES.node_with_long_lease(&broker).await?;
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
