//! How many rooms there may be, and how many members in each.

use probe::{Check, serve};

use super::{
    super::{
        app_with,
        people::{config, path, so_many},
    },
    SECOND, joined, left,
};
use crate::config::Config;

#[tokio::test(start_paused = true)]
async fn a_room_that_is_full_is_closed_with_1013() -> Check {
    let server = serve(app_with(Config { max_members_per_room: so_many(2), ..config() }));
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
    let server = serve(app_with(Config { max_rooms: so_many(2), ..config() }));
    let _rust = server.connect("Ana", &path("rust", "ana")).await?;
    let tea = server.connect("Ana", &path("tea", "ana")).await?;

    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;

    ben.is_closed(1013, "there are too many rooms").await?;
    server.connect("Ben", &path("rust", "ben")).await?.leaves().await?;
    tea.leaves().await?;
    let mut ben = server.connect("Ben", &path("figs", "ben")).await?;
    ben.hears_nothing_for(SECOND).await
}
