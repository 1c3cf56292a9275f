//! How many rooms there may be, and how many members in each.

use std::time::Duration;

use probe::{
    Check, ONE_MINUTE, Server,
    json::{joined, left},
    serve,
};
use tokio::time::sleep;

use super::{app_with, config, connections::silent, people::path};
use crate::config::Config;

const SECOND: Duration = Duration::from_secs(1);

fn serve_up_to(max_rooms: usize, max_members_per_room: usize) -> Server {
    serve(app_with(&Config { max_rooms, max_members_per_room, ..config() }))
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_full_is_closed_with_1013() -> Check {
    let server = serve_up_to(100, 2);
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    let mut cem = server.connect("Cem", &path("rust", "cem")).await?;

    cem.is_closed(1013, "this room is full").await?;
    ana.hears_nothing_for(SECOND).await?;
    ben.leaves().await?;
    ana.hears(left("ben")).await?;
    let _cem = server.connect("Cem", &path("rust", "cem")).await?;
    ana.hears(joined("cem")).await
}

#[tokio::test(start_paused = true)]
async fn one_room_too_many_is_closed_with_1013() -> Check {
    let server = serve_up_to(2, 40);
    let _rust = server.connect("Ana", &path("rust", "ana")).await?;
    let tea = server.connect("Ana", &path("tea", "ana")).await?;

    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;

    ben.is_closed(1013, "there are too many rooms").await?;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    tea.leaves().await?;
    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;
    ben.hears_nothing_for(SECOND).await
}

#[tokio::test(start_paused = true)]
async fn whose_name_is_taken_takes_no_place_in_the_room() -> Check {
    let server = serve_up_to(1, 3);
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;

    for _ in 0..3 {
        let mut second = server.connect("Ana", &path("rust", "ana")).await?;
        second.is_closed(4009, "this name is taken").await?;
    }

    let _ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;
    let _cem = server.connect("Cem", &path("rust", "cem")).await?;
    ana.hears(joined("cem")).await
}

#[tokio::test(start_paused = true)]
async fn who_leaves_makes_room_before_the_closing_handshake_is_over() -> Check {
    let server = serve_up_to(1, 1);
    let _ana = silent(&server, "rust", "ana").await?; // She will answer no Close.

    // Her token has expired, and the server waits for her answer.
    sleep(15 * ONE_MINUTE + SECOND).await;

    let mut ben = server.connect("Ben", &path("tea", "ben")).await?;
    ben.hears_nothing_for(SECOND).await
}
