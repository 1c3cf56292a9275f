//! What breaks: the broker, a node, and what lies between them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    time::{Instant, sleep, timeout},
    try_join,
};

use super::{
    LEASE, LIMIT, LONG_LEASE, Nodes, QUIET, TestBroker, chat, claims, says, until,
};
use crate::{Check, Client, Hint, json::joined, resuming::chat_with_id};

const NO_LOG: &str = "the log is not available";
const NO_LEASE: &str = "this server has lost its connection to the others";

/// What somebody said, if this is a chat.
fn content(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["content"].as_str().map(str::to_owned)
}

/// What comes until something has this text, and nothing more comes for a while.
pub async fn hears_until(client: &mut Client, last: &str) -> Vec<String> {
    let (start, mut came) = (Instant::now(), Vec::<String>::new());
    while !came.iter().any(|text| text.contains(last)) && start.elapsed() < LIMIT {
        came.extend(client.hears_out(QUIET).await);
    }
    came
}

pub async fn while_the_broker_is_gone_nothing_is_acknowledged_and_then_all_goes_on(
    it: Nodes,
) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (
        it.node_with_long_lease(&broker).await?,
        it.node_with_long_lease(&broker).await?,
    );
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    let (mut ben, _) = it.newcomer(&two.server, "ben").await?;
    ana.hears(joined("ben")).await?;
    let seen = says(&mut ana, "a-1", "before").await?;
    ben.hears(chat("ana", "before")).await?;
    ben.hears_nothing_for(QUIET).await?;

    broker.signal("-STOP");
    ana.says(chat_with_id("a-2", "after")).await?;
    sleep(Duration::from_millis(100)).await;
    broker.dies();
    let start = Instant::now();
    ana.is_closed_in_the_end(1013, NO_LOG).await?;
    let waited = start.elapsed();
    // An answer that does not come would be waited for a little longer.
    assert!(waited < Duration::from_millis(1_700), "the connection is lost: {waited:?}");
    let is_why = |said: String| said.to_lowercase().contains("broker cannot be reached");
    until("Both nodes say that they are not ready", || async {
        one.readiness().await.is_err_and(is_why)
            && two.readiness().await.is_err_and(is_why)
    })
    .await?;
    ben.hears_nothing_for(QUIET).await?;

    broker.starts();
    one.is_ready().await?;
    two.is_ready().await?;
    let (mut ana, ..) =
        it.resumes(&two.server, "ana", &it.resume("ana", seen, &log)).await?;
    says(&mut ana, "a-2", "after").await?;
    let ben_hears = hears_until(&mut ben, "after").await;
    let chats = ben_hears.iter().filter(|text| text.contains("after")).count();
    assert_eq!(chats, 1, "Ben has stayed connected, and receives it once: {ben_hears:?}");
    Ok(())
}

pub async fn what_is_said_on_other_nodes_while_the_broker_restarts_comes_once(
    it: Nodes,
) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (
        it.node_with_long_lease(&broker).await?,
        it.node_with_long_lease(&broker).await?,
    );
    let (mut ben, _) = it.newcomer(&one.server, "ben").await?;

    let mut count = 0;
    for _ in 0..3 {
        let path = format!("{}&resume=0", (it.path)("rust", "ana"));
        let (mut ana, ..) = it.resumes(&two.server, "ana", &path).await?;
        for _ in 0..50 {
            ana.says(chat_with_id(&format!("a-{count}"), &format!("hello {count}")))
                .await?;
            count += 1;
        }
        let last = format!(r#"{{"type":"ack","id":"a-{}""#, count - 1);
        while !ana.hears_any().await?.starts_with(&last) {}
        broker.dies();
        broker.starts();
        one.is_ready().await?;
        two.is_ready().await?;
    }

    let is_back = Instant::now();
    let came = hears_until(&mut ben, &format!(r#""hello {}""#, count - 1)).await;
    let late = is_back.elapsed();
    assert!(
        late < LIMIT / 2,
        "his node is connected again, and does not listen: {late:?}"
    );
    let contents: Vec<_> = came.iter().filter_map(|text| content(text)).collect();
    let expected: Vec<String> = (0..count).map(|i| format!("hello {i}")).collect();
    assert_eq!(contents, expected, "each once, and in order");
    Ok(())
}

pub async fn a_broker_that_restarts_has_not_forgotten_whose_name_it_is(
    it: Nodes,
) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (
        it.node_with_long_lease(&broker).await?,
        it.node_with_long_lease(&broker).await?,
    );
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    one.pauses_for(Duration::from_secs(4)).await; // So it does not renew its lease.
    broker.dies();
    broker.starts();
    two.is_ready().await?;
    let mut other = two.server.connect("Another Ana", &(it.path)("rust", "ana")).await?;

    other.is_closed(4009, "this name is taken").await?;
    one.is_ready().await?;
    ana.hears_nothing_for(QUIET).await
}

pub async fn without_the_broker_the_lease_ends_and_all_clients_are_closed(
    it: Nodes,
) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let one = it.node(&broker).await?;
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    broker.dies();
    ana.is_closed(1013, NO_LEASE).await?;
    let mut ben = one.server.connect("Ben", &(it.path)("rust", "ben")).await?;
    ben.is_closed(1013, NO_LEASE).await?;

    broker.starts();
    one.lists("[]").await?;
    let mut ana = one.server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ana.hears_nothing_for(QUIET).await
}

/// The broker does not answer, but its connections are open.
pub async fn a_broker_that_is_silent_is_one_that_is_gone(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = it.node(&broker).await?;
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    broker.signal("-STOP");
    let closed = ana.is_closed(1013, NO_LEASE).await;
    broker.signal("-CONT");
    closed?;
    one.is_ready().await
}

/// It has much to do, or is far away.
pub async fn a_broker_that_is_slow_is_good_enough(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let relay = broker.relay(Duration::from_millis(400)).await;

    let one = (it.start)(relay.url(), LONG_LEASE);
    one.is_ready().await?;
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;

    says(&mut ana, "a-1", "hello").await.map(drop)
}

/// Its clients reach it as before, and nobody tells it that others can still reach the broker.
pub async fn a_node_that_is_cut_off_closes_its_clients_before_others_may_have_their_names(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let relay = broker.relay(Duration::ZERO).await;
    let lease = 2 * LEASE; // So that a fifth of it is long, on a machine that is busy.
    let (one, two) = ((it.start)(relay.url(), lease), (it.start)(broker.url(), lease));
    one.is_ready().await?;
    two.is_ready().await?;
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    ana.hears_nothing_for(QUIET).await?;

    relay.falls_silent();
    let closing = async {
        ana.is_closed(1013, NO_LEASE).await?;
        Ok::<_, Hint>(Instant::now())
    };
    let claiming = async {
        loop {
            let path = (it.path)("rust", "ana");
            let (has_it, other) = claims(&two.server, &path).await?;
            if has_it {
                return Ok((other, Instant::now()));
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let both = timeout(LIMIT, async { try_join!(closing, claiming) }).await;
    let (closed, (mut other, granted)) = both.map_err(|_| {
        Hint::new("Ana should be closed, and then the name should be free.")
    })??;

    assert!(closed < granted, "for a while, two people have had one name");
    relay.goes_on();
    one.is_ready().await?;
    one.lists(r#"[{"room":"rust","members":1}]"#).await?;
    other.hears_nothing_for(QUIET).await
}

/// A process that was stopped for longer than its lease still has its connections. When it
/// goes on, it must deliver nothing, and accept nothing.
pub async fn a_node_that_was_paused_for_longer_than_its_lease_closes_its_clients(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    let (mut cem, _) = it.newcomer(&one.server, "cem").await?;
    let (mut ben, _) = it.newcomer(&two.server, "ben").await?;
    ana.hears(joined("cem")).await?;
    ana.hears(joined("ben")).await?;
    cem.hears(joined("ben")).await?;

    one.pauses_for(2 * LEASE).await;
    ana.says(chat_with_id("a-1", "too late")).await?;
    let (start, mut others) = (Instant::now(), Vec::new());
    while others.len() < 2 && start.elapsed() < LIMIT {
        others.extend(ben.hears_out(QUIET).await);
    }
    others.sort();
    assert_eq!(others.len(), 2, "both have left, as the others see it: {others:?}");
    says(&mut ben, "b-1", "hello").await?;
    let mut again = two.server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ben.hears(joined("ana")).await?;

    ana.is_closed(1013, NO_LEASE).await?;
    cem.is_closed(1013, NO_LEASE).await?;
    again.hears_nothing_for(QUIET).await?;
    ben.hears_nothing_for(QUIET).await?;
    one.is_ready().await
}

/// A broker that does not wait for its disk, and has lost its power, has less than it has
/// acknowledged.
pub async fn a_log_that_was_set_back_is_told_to_whoever_comes_back(it: Nodes) -> Check {
    let Some(mut broker) = TestBroker::start() else { return Ok(()) };
    let one = (it.start)(broker.url(), 2 * LEASE);
    one.is_ready().await?;
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    says(&mut ana, "a-1", "kept").await?;
    broker.dies();
    broker.copies_its_data();
    broker.starts();
    one.is_ready().await?;
    let mut seen = 0;
    for i in 2..20 {
        seen = says(&mut ana, &format!("a-{i}"), "lost").await?;
    }

    broker.dies();
    broker.loses_what_came_later();
    broker.starts();
    ana.is_closed_in_the_end(1013, NO_LEASE).await?;
    one.is_ready().await?;

    let path = it.resume("ana", seen, &log);
    let (mut ana, _, last) = it.resumes(&one.server, "ana", &path).await?;
    assert!(last < seen, "the page sees that its number means nothing any more");
    ana.hears(json!({ "type": "gap", "next": 1 })).await?;
    ana.hears(chat("ana", "kept")).await?;
    says(&mut ana, "a-2", "lost").await.map(drop)
}
