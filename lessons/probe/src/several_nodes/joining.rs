//! Names on several nodes.

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{LEASE, Nodes, QUIET, TestBroker, chat, says};
use crate::{
    Check, Client, Hint, Server,
    json::{joined, left},
    resuming::chat_with_id,
};

pub async fn a_chat_reaches_those_on_the_other_node(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;
    let (mut ben, _) = it.newcomer(&two.server, "ben").await?;
    ana.hears(joined("ben")).await?;

    says(&mut ana, "a-1", "hello").await?;

    ben.hears(chat("ana", "hello")).await?;
    one.lists(r#"[{"room":"rust","members":2}]"#).await?;
    two.lists(r#"[{"room":"rust","members":2}]"#).await?;
    ben.hears_nothing_for(QUIET).await
}

pub async fn a_name_is_taken_on_all_nodes_and_free_again_on_all(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let ana = one.server.connect("Ana", &(it.path)("rust", "ana")).await?;
    one.lists(r#"[{"room":"rust","members":1}]"#).await?;

    let mut other = two.server.connect("Another Ana", &(it.path)("rust", "ana")).await?;
    other.is_closed(4009, "this name is taken").await?;
    let mut elsewhere = two.server.connect("Ana", &(it.path)("tea", "ana")).await?;
    elsewhere.hears_nothing_for(QUIET).await?;

    ana.leaves().await?;
    let mut other = two.server.connect("Another Ana", &(it.path)("rust", "ana")).await?;
    other.hears_nothing_for(QUIET).await
}

/// Somebody who wants a name, and whether they get it.
pub async fn claims(server: &Server, path: &str) -> Result<(bool, Client), Hint> {
    let mut ana = server.connect("Ana", path).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    let has_it = match ana.hears(json!({ "type": "pong" })).await {
        Err(hint) if hint.to_string().contains("this name is taken") => false,
        // It had the name before another one, which got it, too.
        Err(hint) if hint.to_string().contains("you have connected again") => true,
        result => result.map(|()| true)?,
    };
    Ok((has_it, ana))
}

/// Two clients want the same name at the same moment, on two nodes. How many get it? The other
/// is told that it is taken.
pub async fn winners(one: &Server, two: &Server, path: &str) -> Result<usize, Hint> {
    let (first, second) = tokio::try_join!(claims(one, path), claims(two, path))?;
    Ok([first, second].iter().filter(|(has_it, _)| *has_it).count())
}

pub async fn of_two_claims_at_once_one_wins(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);

    for race in 0..100 {
        let path = (it.path)(&format!("room-{race}"), "ana");
        let winners = winners(&one.server, &two.server, &path).await?;
        assert_eq!(winners, 1, "the name is given to one of them");
    }
    Ok(())
}

pub async fn whoever_resumes_replaces_its_old_connection_on_another_node(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ben, _) = it.newcomer(&one.server, "ben").await?;
    let (mut ana, log) = it.newcomer(&one.server, "ana").await?;
    ben.hears(joined("ana")).await?;
    says(&mut ben, "b-1", "hello").await?;

    let (mut again, same_log, _) =
        it.resumes(&two.server, "ana", &it.resume("ana", 0, &log)).await?;

    assert_eq!(log, same_log, "there is one log");
    again.hears(chat("ben", "hello")).await?;
    ana.is_closed_in_the_end(4009, "you have connected again").await?;
    says(&mut again, "a-1", "here I am").await?;
    ben.hears(chat("ana", "here I am")).await?;
    ben.hears_nothing_for(QUIET).await?;
    one.lists(r#"[{"room":"rust","members":2}]"#).await
}

pub async fn joins_and_leaves_are_announced_once_and_in_the_order_of_the_room(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ben, _) = it.newcomer(&one.server, "ben").await?;
    let (mut cem, _) = it.newcomer(&two.server, "cem").await?;
    ben.hears(joined("cem")).await?;

    for i in 0..20 {
        let mut ana = two.server.connect("Ana", &(it.path)("rust", "ana")).await?;
        ana.says(chat_with_id(&format!("a-{i}"), "last words")).await?;
        ana.leaves().await?;

        for other in [&mut ben, &mut cem] {
            other.hears(joined("ana")).await?;
            other.hears(chat("ana", "last words")).await?;
            other.hears(left("ana")).await?;
        }
    }
    Ok(())
}

pub async fn the_names_of_a_node_that_dies_are_free_after_its_lease(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ben, _) = it.newcomer(&one.server, "ben").await?;
    let _ana = two.server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ben.hears(joined("ana")).await?;
    ben.hears_nothing_for(LEASE / 4).await?; // Its lease is renewed meanwhile.

    two.dies();
    let start = Instant::now();
    let mut other = one.server.connect("Another Ana", &(it.path)("rust", "ana")).await?;
    other.is_closed(4009, "this name is taken").await?;

    ben.hears(left("ana")).await?;
    assert!(
        start.elapsed() < 2 * LEASE,
        "the sweep comes soon after the lease has ended"
    );
    ben.hears_nothing_for(QUIET).await?;
    let mut again = one.server.connect("Ana", &(it.path)("rust", "ana")).await?;
    ben.hears(joined("ana")).await?;
    again.hears_nothing_for(QUIET).await
}

pub async fn a_node_that_starts_later_knows_who_is_there(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = it.node(&broker).await?;
    let (ana, _) = it.newcomer(&one.server, "ana").await?;

    let two = it.node(&broker).await?;
    two.lists(r#"[{"room":"rust","members":1}]"#).await?;
    let (mut ben, _) = it.newcomer(&two.server, "ben").await?;
    ana.leaves().await?;

    ben.hears(left("ana")).await?;
    ben.hears_nothing_for(QUIET).await
}

pub async fn whoever_resumes_need_not_wait_for_the_lease_of_a_node_that_died(
    it: Nodes,
) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let (one, two) = (it.node(&broker).await?, it.node(&broker).await?);
    let (mut ben, _) = it.newcomer(&one.server, "ben").await?;
    let (_ana, log) = it.newcomer(&two.server, "ana").await?;
    ben.hears(joined("ana")).await?;

    two.dies();
    let (mut again, ..) =
        it.resumes(&one.server, "ana", &it.resume("ana", 0, &log)).await?;
    says(&mut again, "a-1", "here I am").await?;

    ben.hears(chat("ana", "here I am")).await?;
    sleep(2 * LEASE).await;
    ben.hears_nothing_for(QUIET).await?;
    again.hears_nothing_for(QUIET).await
}

pub async fn names_of_people_and_rooms_are_never_wildcards(it: Nodes) -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let one = it.node(&broker).await?;
    let (mut ana, _) = it.newcomer(&one.server, "ana").await?;

    for room in ["%2A", "%3E", "a.b", "$JS", "%24JS"] {
        one.server.rejects("Ben", &(it.path)(room, "ben"), 400).await?;
    }
    let room = "%E5%AD%97".repeat(40); // 字, the longest name that there is.
    let mut ben = one.server.connect("Ben", &(it.path)(&room, "ben")).await?;
    says(&mut ben, "1", "hello").await?;
    ana.hears_nothing_for(QUIET).await
}
