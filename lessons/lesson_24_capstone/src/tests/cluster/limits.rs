//! Limits and other nodes: rooms and their members count on all, connections on each.

use probe::{
    Check,
    several_nodes::{LONG_LEASE, QUIET, TestBroker},
};

use super::{NODES, path, roomy, settings, so_many, start_with};
use crate::config::Config;

#[tokio::test]
async fn a_room_that_is_full_on_two_nodes_is_full_on_both() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let node = || {
        let config = Config {
            max_members_per_room: so_many(2),
            max_rooms: so_many(2),
            max_connections_per_user: so_many(1),
            ..roomy()
        };
        start_with(config, settings(&broker.url(), LONG_LEASE))
    };
    let (one, two) = (node(), node());
    one.is_ready().await?;
    two.is_ready().await?;
    let _ana = one.server.connect("Ana", &path("rust", "ana")).await?;
    let _ben = two.server.connect("Ben", &path("rust", "ben")).await?;
    let both = r#"[{"room":"rust","members":2}]"#;
    one.lists(both).await?;
    two.lists(both).await?;

    for node in [&one, &two] {
        let mut cem = node.server.connect("Cem", &path("rust", "cem")).await?;
        cem.is_closed(1013, "this room is full").await?;
    }
    let _cem = one.server.connect("Cem", &path("tea", "cem")).await?;
    two.lists(r#"[{"room":"rust","members":2},{"room":"tea","members":1}]"#).await?;
    let mut dan = two.server.connect("Dan", &path("milk", "dan")).await?;
    dan.is_closed(1013, "there are too many rooms").await?;
    let mut ana = two.server.connect("Ana", &path("tea", "ana")).await?;
    ana.hears_nothing_for(QUIET).await // Her other connection counts on its own node.
}

#[tokio::test]
async fn whoever_resumes_may_come_also_to_a_room_that_is_full() -> Check {
    let Some(broker) = TestBroker::start() else { return Ok(()) };
    let node = || {
        let config = Config { max_members_per_room: so_many(1), ..roomy() };
        start_with(config, settings(&broker.url(), LONG_LEASE))
    };
    let (one, two) = (node(), node());
    one.is_ready().await?;
    two.is_ready().await?;
    let (mut ana, log) = NODES.newcomer(&one.server, "ana").await?;
    two.lists(r#"[{"room":"rust","members":1}]"#).await?;

    let path = NODES.resume("ana", 0, &log);
    let (mut again, ..) = NODES.resumes(&two.server, "ana", &path).await?;

    ana.is_closed(4009, "you have connected again").await?;
    again.hears_nothing_for(QUIET).await
}
