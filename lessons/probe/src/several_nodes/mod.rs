//! What every chat does that runs on several nodes, with NATS between them.
//!
//! The rules need a `nats-server`. Without one they say so, and pass.

mod broker;
mod chaos;
mod delivering;
mod failing;
mod joining;
mod node;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub use self::{
    broker::{Relay, TestBroker, free_port, nats_server},
    chaos::*,
    delivering::*,
    failing::*,
    joining::*,
    node::TestNode,
};
use crate::{
    ANY, Client, Hint,
    resuming::{Resuming, chat_with_id},
};

/// Far longer than anything takes here.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Long enough to be sure that nothing comes, on a machine that has other things to do.
pub const QUIET: Duration = Duration::from_millis(500);

/// How long a lease is where a test waits for its end.
pub const LEASE: Duration = Duration::from_secs(4);

/// A lease that outlives what a test does to the broker.
pub const LONG_LEASE: Duration = Duration::from_secs(15);

/// A chat on several nodes. `start` makes one of them on the broker at this URL, with a lease of
/// this length.
pub type Nodes = Resuming<fn(url: String, lease: Duration) -> TestNode>;

impl Nodes {
    pub fn start(&self, broker: &TestBroker) -> TestNode {
        (self.start)(broker.url(), LEASE)
    }

    /// A node that is ready.
    pub async fn node(&self, broker: &TestBroker) -> Result<TestNode, Hint> {
        let node = self.start(broker);
        node.is_ready().await?;
        Ok(node)
    }

    /// The same with a lease that outlives what the test does to the broker.
    pub async fn node_with_long_lease(
        &self,
        broker: &TestBroker,
    ) -> Result<TestNode, Hint> {
        let node = (self.start)(broker.url(), LONG_LEASE);
        node.is_ready().await?;
        Ok(node)
    }
}

/// What everybody in the room "rust" receives, whatever its number and its id.
pub fn chat(from: &str, content: &str) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": from, "content": content, "timestamp": ANY,
        "seq": ANY, "id": ANY
    })
}

/// Somebody says something, and receives it and the acknowledgement, in whatever order. The
/// number of the chat.
pub async fn says(client: &mut Client, id: &str, content: &str) -> Result<i64, Hint> {
    client.says(chat_with_id(id, content)).await?;
    let mut numbers = Vec::new();
    for expected in ["chat", "ack"] {
        let text = client.hears_any().await?;
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        if message["id"] != id {
            return Err(Hint::new(format!(
                "{id} should get its {expected}, not {text}."
            )));
        }
        numbers.push(message["seq"].as_i64().unwrap_or_default());
    }
    assert_eq!(numbers[0], numbers[1], "the chat {id} has one number");
    Ok(numbers[0])
}

/// Waits until something is so. `what` is a sentence that says what should be so.
pub async fn until<F>(what: &str, mut is_so: impl FnMut() -> F) -> Result<(), Hint>
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while !is_so().await {
        if start.elapsed() > LIMIT {
            return Err(Hint::new(format!("{what}, but after {LIMIT:?} it is not so.")));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Tests that each chat has to pass which runs on several nodes: `$nodes` is a
/// [`Nodes`](crate::several_nodes::Nodes).
#[macro_export]
macro_rules! several_nodes_conformance {
    ($nodes:expr) => {
        $crate::several_nodes_conformance! { @tests $nodes =>
            all_see_one_order_when_people_on_three_nodes_write_at_once,
            a_chat_that_is_sent_again_on_another_node_has_the_same_number,
            numbers_have_holes_and_no_gap_is_told_for_them,
            whoever_missed_more_than_is_kept_gets_a_gap,
            a_chat_reaches_those_on_the_other_node,
            a_name_is_taken_on_all_nodes_and_free_again_on_all,
            of_two_claims_at_once_one_wins,
            whoever_resumes_replaces_its_old_connection_on_another_node,
            joins_and_leaves_are_announced_once_and_in_the_order_of_the_room,
            the_names_of_a_node_that_dies_are_free_after_its_lease,
            a_node_that_starts_later_knows_who_is_there,
            whoever_resumes_need_not_wait_for_the_lease_of_a_node_that_died,
            names_of_people_and_rooms_are_never_wildcards,
            while_the_broker_is_gone_nothing_is_acknowledged_and_then_all_goes_on,
            what_is_said_on_other_nodes_while_the_broker_restarts_comes_once,
            a_broker_that_restarts_has_not_forgotten_whose_name_it_is,
            without_the_broker_the_lease_ends_and_all_clients_are_closed,
            a_broker_that_is_silent_is_one_that_is_gone,
            a_broker_that_is_slow_is_good_enough,
            a_node_that_is_cut_off_closes_its_clients_before_others_may_have_their_names,
            a_node_that_was_paused_for_longer_than_its_lease_closes_its_clients,
            a_log_that_was_set_back_is_told_to_whoever_comes_back,
            chaos_loses_nothing_doubles_nothing_and_changes_no_order
        }
    };
    (@tests $nodes:expr => $($rule:ident),*) => {
        $(
            // In real time: the broker has a clock of its own.
            #[tokio::test]
            async fn $rule() -> $crate::Check {
                $crate::several_nodes::$rule($nodes).await
            }
        )*
    };
}
