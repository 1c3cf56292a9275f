//! The socket: what subscribers receive, and what they may send.

use std::{sync::Barrier, thread, time::Duration};

use probe::{Check, Client, Hint, ONE_MINUTE, Server, json::pong, serve};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    NONE, adds, app, app_and_users, asks, event, greeting, new_user, subscribes, user,
    ws_path,
};
use crate::users::{NewUser, Users};

const SECOND: Duration = Duration::from_secs(1);

const PING: &str = r#"{"action":"ping"}"#;

/// More events than a subscriber's receiver and the buffers of a connection hold.
const MANY: usize = 700;

fn create(users: &Users, name: &str) -> i64 {
    let new: NewUser = serde_json::from_value(new_user(name)).expect("a good user");
    users.create(new).expect("there is room").0
}

fn version(text: &str) -> i64 {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    message["version"].as_i64().unwrap_or_default()
}

fn kind(text: &str) -> String {
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    message["type"].as_str().unwrap_or_default().into()
}

#[tokio::test(start_paused = true)]
async fn every_subscriber_receives_every_change() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let mut ben = subscribes(&server, "ben").await?;

    asks(&server, "ben", "POST /users", new_user("Dora")).await?;
    asks(&server, "cem", "PATCH /users/1", json!({ "is_active": false })).await?;
    asks(&server, "ben", "DELETE /users/1", NONE).await?;

    let mut inactive = user(1, "Dora");
    inactive["is_active"] = false.into();
    for client in [&mut ana, &mut ben] {
        client.hears(event("created", 1, user(1, "Dora"))).await?;
        client.hears(event("updated", 2, inactive.clone())).await?;
        client.hears(event("deleted", 3, json!({ "id": 1 }))).await?;
        client.hears_nothing_for(ONE_MINUTE).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_person_may_subscribe_in_several_windows() -> Check {
    let server = serve(app());
    let mut first = subscribes(&server, "ana").await?;
    let mut second = subscribes(&server, "ana").await?;

    adds(&server, "Dora").await?;

    first.hears(event("created", 1, user(1, "Dora"))).await?;
    second.hears(event("created", 1, user(1, "Dora"))).await
}

#[tokio::test(start_paused = true)]
async fn after_the_greeting_no_event_is_missed_and_none_comes_before_it() -> Check {
    let server = serve(app());
    adds(&server, "Dora").await?;

    let mut ana = server.connect("Ana", &ws_path("ana")).await?;
    adds(&server, "Emil").await?;

    ana.hears(greeting()).await?;
    ana.hears(event("created", 2, user(2, "Emil"))).await
}

#[tokio::test(start_paused = true)]
async fn who_has_left_is_no_subscriber() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;

    subscribes(&server, "ben").await?.leaves().await?;
    subscribes(&server, "cem").await?.vanishes().await;
    adds(&server, "Dora").await?;

    ana.hears(event("created", 1, user(1, "Dora"))).await
}

/// Often enough that `select!`, which begins with one of its branches by chance, has begun
/// with each.
#[tokio::test(start_paused = true)]
async fn the_answer_to_a_ping_comes_after_all_events_that_are_older() -> Check {
    let (app, users) = app_and_users();
    let server = serve(app);
    let mut ana = subscribes(&server, "ana").await?;

    for _ in 0..20 {
        // Nothing here waits, so both are there before the task of Ana's socket looks.
        create(&users, "Dora");
        ana.says(PING).await?;

        let kinds = [kind(&ana.hears_any().await?), kind(&ana.hears_any().await?)];
        assert_eq!(kinds, ["created", "pong"], "the event was there before the ping");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_to_the_sender_alone() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let mut ben = subscribes(&server, "ben").await?;

    ana.says(PING).await?;

    ana.hears(pong()).await?;
    ben.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn anything_but_a_ping_is_answered_and_does_not_disconnect() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;
    let sentence =
        r#"This socket brings events. It understands {"action":"ping"} alone."#;
    let error = || json!({ "type": "error", "message": sentence });

    for text in [
        "",
        "still here?",
        "{",
        "[]",
        r#"["ping"]"#,
        r#""ping""#,
        "{}",
        r#"{"action":"subscribe","channel":"posts"}"#,
        r#"{"action":7}"#,
        r#"{"type":"ping"}"#,
    ] {
        ana.says(text).await?;
        ana.hears(error()).await?;
    }
    ana.sends_binary(PING.as_bytes()).await?;
    ana.hears(error()).await?;

    ana.says(format!(" {PING}\n")).await?;
    ana.hears(pong()).await
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_ends_the_subscription_with_4001() -> Check {
    let server = serve(app());
    let mut ana = subscribes(&server, "ana").await?;

    sleep(14 * ONE_MINUTE).await;
    adds(&server, "Dora").await?;
    ana.hears(event("created", 1, user(1, "Dora"))).await?;
    sleep(ONE_MINUTE).await;

    ana.is_closed(4001, "token expired").await
}

/// Dora gets a new name so often that nobody's buffers hold it. The names are long.
async fn renames(server: &Server) -> Check {
    for number in 0..MANY {
        let body = json!({ "name": format!("{number:0900}") });
        asks(server, "ben", "PATCH /users/1", body).await?;
    }
    Ok(())
}

/// Ana, who has stopped reading, and Ben, who reads.
async fn two_subscribers() -> Result<(Server, Client, Client), Hint> {
    let server = serve(app());
    adds(&server, "Dora").await?;
    let mut ana = subscribes(&server, "ana").await?;
    let ben = subscribes(&server, "ben").await?;
    ana.stops_reading();
    Ok((server, ana, ben))
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_is_too_slow_is_closed_with_4008() -> Check {
    let (server, mut ana, _ben) = two_subscribers().await?;

    renames(&server).await?;
    ana.reads_again();

    ana.is_closed_in_the_end(4008, "too slow").await
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_never_reads_again_loses_its_connection() -> Check {
    let (server, mut ana, _ben) = two_subscribers().await?;

    renames(&server).await?;
    sleep(21 * SECOND).await; // For the write, and for the Close.
    ana.reads_again();

    ana.finds_the_connection_lost().await
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_costs_the_others_nothing() -> Check {
    let (server, _ana, mut ben) = two_subscribers().await?;
    let start = Instant::now();

    renames(&server).await?;

    for expected in 2..MANY as i64 + 2 {
        let received = version(&ben.hears_any().await?);
        assert_eq!(received, expected, "Ben receives all, in order, and none twice");
    }
    let took = start.elapsed();
    assert!(took < SECOND, "nobody waits for Ana, but it took {took:?}");
    Ok(())
}

/// Eight threads change the list at once. In rounds, because a subscriber may be 256 behind.
#[tokio::test(start_paused = true)]
async fn of_eight_parallel_writers_no_change_is_lost_doubled_or_out_of_order() -> Check {
    const WRITERS: usize = 8;
    const CHANGES: i64 = 1_000;
    const ROUNDS: i64 = 5;

    let (app, users) = app_and_users();
    let server = serve(app);
    let mut ana = subscribes(&server, "ana").await?;

    let mut received = Vec::new();
    for _ in 0..ROUNDS {
        let all_are_here = Barrier::new(WRITERS);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (users, all_are_here) = (&users, &all_are_here);
                // It takes longer to encode a long name than a short one.
                let name = "x".repeat(1 + writer % 2 * 2_000);
                scope.spawn(move || {
                    all_are_here.wait();
                    for _ in 0..CHANGES / ROUNDS / WRITERS as i64 {
                        create(users, &name);
                    }
                });
            }
        });
        received.extend(ana.hears_out(SECOND).await.iter().map(|text| version(text)));
    }

    let mut sorted = received.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(1..=CHANGES), "none is lost, and none comes twice");
    assert!(received.is_sorted(), "each event comes after that of the change before it");
    Ok(())
}
