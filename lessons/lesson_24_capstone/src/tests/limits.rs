//! What the limits promise.

mod connections;
mod http;
mod joins;
mod rates;
mod rooms;
mod slow_clients;
mod upgrades;

use std::time::Duration;

use probe::{
    json::{PING, chat_of, joined, left, pong},
    upgrade_request,
};

const SECOND: Duration = Duration::from_secs(1);

/// On a paused clock, this is until every task waits.
const MOMENT: Duration = Duration::from_millis(1);
