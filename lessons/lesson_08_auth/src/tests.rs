mod people;
mod signing_in;

use axum::Router;
use probe::chat::Chat;

use lesson_08_auth::Auth;

use self::people::{auth, path, seen_from, token};

// What every server of the course does (`lessons/probe/src/conformance.rs`).
probe::conformance! { app(), &path("rust", "ana") =>
    a_clean_close_is_answered,
    nothing_harmless_disconnects,
    protocol_violations_have_their_codes,
    an_unfinished_message_is_closed_with_1009,
    unfinished_fragments_cost_bounded_memory,
    unread_pongs_cost_bounded_memory,
    it_works_over_tcp,
}

// What every chat of the course does (`lessons/probe/src/chat.rs`). A crowd would need as
// many accounts: lesson 07 has that test.
probe::chat_conformance! { chat() =>
    every_disconnect_is_announced_once,
    all_receive_the_same_order,
    a_burst_disconnects_nobody,
    a_burst_takes_few_writes,
    a_slow_client_harms_only_itself,
    a_client_that_never_reads_again_is_disconnected,
    an_old_connection_does_not_remove_the_new_one,
}

// What every chat in JSON does (`lessons/probe/src/json.rs`).
probe::json_conformance! { chat() =>
    the_others_receive_who_joins_and_who_leaves,
    everybody_receives_a_chat_the_sender_too,
    the_timestamp_is_rfc_3339_in_utc,
    a_ping_is_answered_to_the_sender_alone,
    invalid_input_is_answered_and_does_not_disconnect,
    the_longest_content_passes,
}

// What every chat with rooms does (`lessons/probe/src/rooms.rs`).
probe::room_conformance! { app, path =>
    a_name_in_use_is_accepted_and_closed_with_4009,
    a_message_stays_in_its_room,
    a_name_is_taken_in_one_room_only,
    get_rooms_lists_the_rooms_and_their_members,
    an_empty_room_is_removed,
    a_room_whose_only_member_is_too_slow_is_removed,
    an_invalid_room_gets_400_and_a_sentence,
    nfd_and_nfc_are_one_room,
}

// What every WebSocket for people who have signed in does (`lessons/probe/src/sign_in.rs`).
probe::sign_in_conformance! { app(), "/ws/chat/rust", &token("ana") }

// The conversations of the book, in `book/transcripts`.
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    app_for(auth())
}

fn app_for(auth: Auth) -> Router {
    seen_from([192, 0, 2, 1], super::app(auth))
}
