#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod slow_clients;

use axum::Router;
use probe::chat::Chat;

use self::people::{auth, path, seen_from, token};
use crate::outbox::SlowClient;

probe::conformance! { app(), &path("rust", "ana") }
probe::chat_conformance! { chat() }
probe::json_conformance! { chat() }
probe::room_conformance! { app, path }
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }
probe::transcripts!(app());

// Under the other two policies, all of it holds but two rules: that a client which was slow,
// and reads again, finds 4008.
mod under_drop {
    use super::{chat_with, path};
    use crate::{outbox::SlowClient, tests::app_with};

    probe::chat_conformance! { chat_with(|| app_with(SlowClient::Drop)) =>
        every_disconnect_is_announced_once,
        all_receive_the_same_order,
        a_burst_disconnects_nobody,
        a_burst_takes_few_writes,
        a_client_that_never_reads_again_is_disconnected,
    }
    probe::room_conformance! { || app_with(SlowClient::Drop), path }
}

mod under_notify {
    use super::{chat_with, path};
    use crate::{outbox::SlowClient, tests::app_with};

    probe::chat_conformance! { chat_with(|| app_with(SlowClient::Notify)) =>
        every_disconnect_is_announced_once,
        all_receive_the_same_order,
        a_burst_disconnects_nobody,
        a_burst_takes_few_writes,
        a_client_that_never_reads_again_is_disconnected,
    }
    probe::room_conformance! { || app_with(SlowClient::Notify), path }
}

fn chat() -> Chat {
    chat_with(app)
}

fn chat_with(app: fn() -> Router) -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    app_with(SlowClient::Close)
}

fn app_with(slow_client: SlowClient) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth(), slow_client))
}
