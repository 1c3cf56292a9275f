//! What happens to a client that does not read, or not fast enough.

use probe::{Check, Client, Hint, ONE_MINUTE, Server, rooms::chat_from, serve};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    super::{
        app_with,
        people::{at_least_one, config, path},
        talkative,
    },
    MOMENT, SECOND, chat_of, joined, left,
};
use crate::{
    config::{Config, SlowClient},
    session::outbox::*,
};

/// A room in which one may send much at once, and 50 messages may wait for each.
fn with_a_short_outbox(slow_client: SlowClient) -> Server {
    let message_burst = at_least_one(1_000);
    serve(app_with(Config { outbox_size: 50, message_burst, slow_client, ..config() }))
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
    let (sender, mut outbox) = outbox(1_000, SlowClient::Drop);
    for _ in 0..100 {
        sender.send("hello".into());
    }

    let batch = outbox.recv().await.map(|batch| batch.messages.len());
    assert_eq!(batch, Some(32), "a batch that a client can read in ten seconds");
    drop(sender);
    let rest = outbox.recv().await.map(|batch| batch.messages.len());
    assert_eq!(rest, Some(68), "then all the rest, because the client has to go");
    assert!(outbox.recv().await.is_none(), "and no more");
}

#[tokio::test]
async fn an_outbox_that_was_full_takes_no_more_messages() {
    let (sender, mut outbox) = outbox(2, SlowClient::Close);

    let sent: Vec<bool> =
        ["one", "two", "three", "four"].map(|text| sender.send(text.into())).into();

    assert_eq!(sent, [true, true, false, false], "the third found it full");
    let rest = outbox.recv().await.map(|batch| batch.messages.len());
    assert_eq!(rest, Some(2), "what was queued is still sent");
    assert!(!sender.send("five".into()), "room has come too late");
    assert!(outbox.recv().await.is_none(), "so that the client's task ends");
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

#[tokio::test(start_paused = true)]
async fn close_ends_the_session_of_a_slow_client_with_4008() -> Check {
    let server = with_a_short_outbox(SlowClient::Close);

    let (mut ana, mut ben) = ana_pauses(&server).await?;

    ana.is_closed_in_the_end(4008, "too slow").await?;
    let heard = ben.hears_out(SECOND).await;
    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "only Ben is left");
    assert_eq!(
        heard,
        [left("ana").to_string()],
        "and Ben has received one message more than his own"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn drop_keeps_a_slow_client_and_the_newest_messages() -> Check {
    let server = with_a_short_outbox(SlowClient::Drop);

    let (mut ana, mut ben) = ana_pauses(&server).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    assert_eq!(numbers.len(), heard.len(), "and she receives nothing else: {heard:?}");
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order, and none twice");
    assert!(numbers.len() < 200, "some are missing");
    assert!(numbers.ends_with(&(150..200).collect::<Vec<_>>()), "but not the newest");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn tell_says_how_many_a_slow_client_has_missed() -> Check {
    let server = with_a_short_outbox(SlowClient::Notify);

    let (mut ana, mut ben) = ana_pauses(&server).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    let missed = json!({ "type": "missed", "count": 200 - numbers.len() }).to_string();
    let gap = heard.iter().position(|text| *text == missed);
    let gap = gap.ok_or_else(|| server.hint(format!("Ana should receive {missed}.")))?;
    assert_eq!(heard.len(), numbers.len() + 1, "once");
    assert!(numbers[..gap].iter().copied().eq(0..gap), "all is there before the gap");
    assert!(numbers[gap..].iter().copied().eq(150..200), "and the newest are after it");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_at_all_is_disconnected_under_every_policy() -> Check {
    for policy in [SlowClient::Close, SlowClient::Drop, SlowClient::Notify] {
        let server = with_a_short_outbox(policy);
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
    let server = with_a_short_outbox(SlowClient::Close);
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
    let server = with_a_short_outbox(SlowClient::Close);
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
