mod people;
mod signing_in;

use std::net::SocketAddr;

use axum::{Router, extract::connect_info::MockConnectInfo};
use probe::chat::Chat;

use self::people::{path, tokens};
use crate::extract::AllowedOrigins;

probe::conformance!(app(), &path("rust", "ana"));
probe::chat_conformance!(chat());
probe::json_conformance!(chat());
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
probe::transcripts!(app());

fn chat() -> Chat {
    probe::rooms::chat(app, |name| path("rust", name))
}

fn app() -> Router {
    app_for(AllowedOrigins::default())
}

/// The server, for clients that all come from one address.
fn app_for(origins: AllowedOrigins) -> Router {
    let address = SocketAddr::from(([192, 0, 2, 1], 50_000));
    super::app(tokens(), origins).layer(MockConnectInfo(address))
}
