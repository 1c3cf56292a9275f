//! What happens to a client that does not read, or not fast enough.

use probe::{Check, Client, Hint, ONE_MINUTE, Server, serve};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    super::{
        app_with,
        people::{at_least_one, chat_from, config, path},
        talkative,
    },
    MOMENT, SECOND, chat_of, joined, left,
};
use crate::{config::Config, session::outbox::*};

/// A room in which one may send much at once, and 50 messages may wait for each.
fn with_a_short_outbox() -> Server {
    let message_burst = at_least_one(1_000);
    serve(app_with(Config { outbox_size: 50, message_burst, ..config() }))
}

/// Ana stops reading, Ben sends 200 numbers, and Ana reads again.
///
/// The numbers are long, so that not many of them fit into the connection.
async fn ana_pauses(server: &Server) -> Result<(Client, Client), Hint> {
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;
    ana.stops_reading();

    for number in 0..200 {
        ben.says(chat_of(format!("{number:01000}"))).await?;
        ben.hears_any().await?;
    }
    ana.reads_again();
    Ok((ana, ben))
}

/// The numbers among what somebody has received, in order.
fn numbers(heard: &[String]) -> Vec<usize> {
    let chats = heard.iter().filter_map(|text| {
        let message: Value = serde_json::from_str(text).ok()?;
        message["content"].as_str()?.parse().ok()
    });
    chats.collect()
}

/// Each message may take a while, if the client reads: so it must be possible to read them
/// in several goes.
#[tokio::test]
async fn an_outbox_is_emptied_in_batches_until_it_is_closed() {
    let (sender, mut outbox) = outbox(1_000);
    for _ in 0..100 {
        sender.send("hello".into());
    }

    let batch = outbox.recv().await.map(|batch| batch.len());
    assert_eq!(batch, Ok(32), "a batch that a client can read in ten seconds");
    drop(sender);
    let rest = outbox.recv().await.map(|batch| batch.len());
    assert_eq!(rest, Ok(68), "then all the rest, because the client has to go");
    assert!(outbox.recv().await.is_err(), "and no more");
}

#[tokio::test]
async fn an_outbox_that_was_full_takes_no_more_messages() {
    let (sender, mut outbox) = outbox(2);

    let sent: Vec<bool> =
        ["one", "two", "three", "four"].map(|text| sender.send(text.into())).into();

    assert_eq!(sent, [true, true, false, false], "the third found it full");
    let rest = outbox.recv().await.map(|batch| batch.len());
    assert_eq!(rest, Ok(2), "what was queued is still sent");
    assert!(!sender.send("five".into()), "room has come too late");
    assert!(outbox.recv().await.is_err(), "so that the client's task ends");
}

#[tokio::test(start_paused = true)]
async fn who_was_too_slow_reaches_nobody_after_leaving() -> Check {
    for _ in 0..10 {
        let server = serve(talkative());
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
        ana.hears(joined("ben")).await?;

        ben.stops_reading();
        for _ in 0..300 {
            ana.says(chat_of("x".repeat(2_000))).await?;
            ana.hears_any().await?;
        }
        ana.hears_nothing_for(9 * SECOND).await?;
        ana.hears(left("ben")).await?; // His own task announces it.
        for _ in 0..10 {
            ben.says(chat_of("I am still here!")).await?;
        }
        ben.reads_again();

        let rest = ana.hears_out(ONE_MINUTE).await;
        assert!(rest.iter().all(|sent| !sent.contains("still here")), "{rest:?}");
    }
    Ok(())
}

/// A full outbox closes, and what did not fit is in the log.
#[tokio::test(start_paused = true)]
async fn who_falls_behind_in_the_chat_goes_on_from_the_log() -> Check {
    let server = with_a_short_outbox();

    let (mut ana, mut ben) = ana_pauses(&server).await?;

    let heard = ana.hears_out(SECOND).await;
    let all: Vec<usize> = (0..200).collect();
    assert_eq!(numbers(&heard), all, "each once, and in order");
    assert_eq!(heard.len(), 200, "and she receives nothing else");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_at_all_is_disconnected() -> Check {
    for _ in 0..3 {
        let server = with_a_short_outbox();
        let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
        let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
        ana.stops_reading();

        for _ in 0..40 {
            ben.says(chat_of("x".repeat(1_000))).await?;
            ben.hears_out(SECOND / 2).await;
        }

        let answer = server.get("/rooms").await?;
        assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "Ana is out");
        sleep(SECOND * 10).await;
        ana.reads_again();
        ana.finds_the_connection_lost().await?;
    }
    Ok(())
}

/// Fills the connection of Ana, who does not read, and what is written to it next.
async fn fill_the_connection(ben: &mut Client) -> Check {
    for _ in 0..40 {
        ben.says(chat_of("x".repeat(1_000))).await?;
        ben.hears_any().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_has_ten_seconds() -> Check {
    let server = with_a_short_outbox();
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    ana.stops_reading();
    fill_the_connection(&mut ben).await?;
    let start = Instant::now();
    ben.hears_nothing_for(9 * SECOND).await?;
    ben.hears(left("ana")).await?;

    let took = start.elapsed();
    let announced = 10 * SECOND..10 * SECOND + 20 * MOMENT;
    assert!(announced.contains(&took), "ten seconds for a write, but it took {took:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_again_in_time_misses_nothing() -> Check {
    let server = with_a_short_outbox();
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(joined("ben")).await?;

    for _ in 0..3 {
        ana.stops_reading();
        fill_the_connection(&mut ben).await?;
        ben.hears_nothing_for(10 * SECOND - 10 * MOMENT).await?;
        ana.reads_again();

        let heard = ana.hears_out(MOMENT).await;
        assert_eq!(heard.len(), 40, "all that Ben has sent meanwhile");
    }
    Ok(())
}
