//! Our answers must pass the very checks that the learner sees.

extern crate solutions as exercises;

#[path = "../../exercises/tests/copied_chat.rs"]
mod copied_chat;
#[path = "../../exercises/tests/drain.rs"]
mod drain;
#[path = "../../exercises/tests/idle_session.rs"]
mod idle_session;
#[path = "../../exercises/tests/message_history.rs"]
mod message_history;
#[path = "../../exercises/tests/online_users.rs"]
mod online_users;
#[path = "../../exercises/tests/private_messaging.rs"]
mod private_messaging;
#[path = "../../exercises/tests/private_room.rs"]
mod private_room;
#[path = "../../exercises/tests/rate_limit.rs"]
mod rate_limit;
#[path = "../../exercises/tests/resume.rs"]
mod resume;
#[path = "../../exercises/tests/slow_client.rs"]
mod slow_client;
#[path = "../../exercises/tests/typing_indicator.rs"]
mod typing_indicator;
#[path = "../../exercises/tests/warm_ups/mod.rs"]
mod warm_ups;
