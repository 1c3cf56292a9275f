//! What happens to a client that does not read, or not fast enough.

use std::{future::poll_fn, mem, ops::Range, task::Poll, time::Duration};

use lesson_08_auth::OUTBOX_SIZE;
use probe::{
    Check, Client, Hint, ONE_MINUTE, Server,
    json::{chat_of, left},
    rooms::chat_from,
    serve,
};
use serde_json::{Value, json};
use tokio::{
    spawn,
    time::{Instant, sleep},
};

use super::{app_with, path};
use crate::{outbox::SlowClient, slow_client_from};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than the announcement of who joined or left may wait.
const MOMENT: Duration = Duration::from_millis(20);

/// More messages than an outbox and the buffers of a connection hold together.
const MANY: usize = 2 * OUTBOX_SIZE;

const POLICIES: [SlowClient; 3] =
    [SlowClient::Close, SlowClient::Drop, SlowClient::Notify];

/// Ana and Ben, who have received all greetings.
async fn two_people(slow_client: SlowClient) -> Result<(Server, Client, Client), Hint> {
    let server = serve(app_with(slow_client));
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let ben = server.connect("Ben", &path("rust", "ben")).await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    Ok((server, ana, ben))
}

/// Ana stops reading, Ben sends numbers, and Ana reads again.
///
/// The numbers are long, so that not many of them fit into the connection.
async fn ana_pauses(slow_client: SlowClient) -> Result<(Server, Client, Client), Hint> {
    let (server, mut ana, mut ben) = two_people(slow_client).await?;
    ana.stops_reading();

    for number in 0..MANY {
        ben.says(chat_of(format!("{number:01000}"))).await?;
        ben.hears_any().await?;
    }
    ana.reads_again();
    Ok((server, ana, ben))
}

/// The numbers among what somebody has received, in order.
fn numbers(heard: &[String]) -> Vec<usize> {
    let chats = heard.iter().filter_map(|text| {
        let message: Value = serde_json::from_str(text).ok()?;
        message["content"].as_str()?.parse().ok()
    });
    chats.collect()
}

fn newest() -> Range<usize> {
    MANY - OUTBOX_SIZE..MANY
}

#[tokio::test(start_paused = true)]
async fn close_ends_the_session_of_a_slow_client_with_4008() -> Check {
    let (server, mut ana, mut ben) = ana_pauses(SlowClient::Close).await?;

    ana.is_closed_in_the_end(4008, "too slow").await?;
    let heard = ben.hears_out(SECOND).await;
    let answer = server.get("/rooms").await?;
    assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "only Ben is left");
    assert_eq!(
        heard,
        [left("ana").to_string()],
        "Ben has received one message more than his own"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn drop_keeps_a_slow_client_and_the_newest_messages() -> Check {
    let (_server, mut ana, mut ben) = ana_pauses(SlowClient::Drop).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    assert_eq!(numbers.len(), heard.len(), "she receives nothing but numbers");
    assert!(numbers.is_sorted_by(|one, next| one < next), "in order, and none twice");
    assert!(numbers.len() < MANY, "some are missing");
    let count = numbers.iter().filter(|number| newest().contains(number)).count();
    assert_eq!(count, OUTBOX_SIZE, "but Ana has received as many of the newest as fit");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn notify_says_how_many_messages_a_slow_client_has_missed() -> Check {
    let (server, mut ana, mut ben) = ana_pauses(SlowClient::Notify).await?;

    let heard = ana.hears_out(SECOND).await;
    let numbers = numbers(&heard);
    let missed = json!({ "type": "missed", "count": MANY - numbers.len() }).to_string();
    let gap = heard.iter().position(|text| *text == missed);
    let gap = gap.ok_or_else(|| server.hint(format!("Ana should receive {missed}.")))?;
    assert_eq!(heard.len(), numbers.len() + 1, "it is sent once");
    let complete = numbers.iter().zip(0..).take_while(|(number, i)| **number == *i);
    assert_eq!(gap, complete.count(), "it stands where the first message is missing");
    assert!(numbers[gap..].iter().copied().eq(newest()), "and the newest are after it");
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

/// A client that is slow for a second time has missed what was dropped since the first.
#[tokio::test(start_paused = true)]
async fn what_was_missed_is_counted_anew_after_each_notice() -> Check {
    let (_server, mut ana, mut ben) = ana_pauses(SlowClient::Notify).await?;
    ana.hears_out(SECOND).await;

    ana.stops_reading();
    for number in 0..MANY {
        ben.says(chat_of(format!("{number:01000}"))).await?;
        ben.hears_any().await?;
    }
    ana.reads_again();

    let heard = ana.hears_out(SECOND).await;
    let missed = MANY - numbers(&heard).len();
    let missed = json!({ "type": "missed", "count": missed }).to_string();
    let notices = heard.iter().filter(|text| text.contains("missed"));
    assert_eq!(notices.collect::<Vec<_>>(), [&missed], "of the second pause alone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_at_all_is_disconnected_under_every_policy() -> Check {
    for policy in POLICIES {
        let (server, mut ana, mut ben) = two_people(policy).await?;
        ana.stops_reading();

        for _ in 0..40 {
            ben.says(chat_of("x".repeat(1_000))).await?;
            ben.hears_out(SECOND / 2).await;
        }

        let answer = server.get("/rooms").await?;
        let reason = format!("Ana is out under the policy {policy:?}");
        assert_eq!(answer.body, r#"[{"room":"rust","members":1}]"#, "{reason}");
        sleep(SECOND * 10).await;
        ana.reads_again();
        ana.finds_the_connection_lost().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_costs_its_neighbours_nothing_under_every_policy() -> Check {
    for policy in POLICIES {
        let (server, mut ana, mut ben) = two_people(policy).await?;
        let mut cem = server.connect("Cem", &path("rust", "cem")).await?;
        ben.hears_any().await?;
        ana.stops_reading();
        let start = Instant::now();

        for number in 0..MANY {
            ben.says(chat_of(format!("{number:01000}"))).await?;
            ben.hears_any().await?;
            cem.hears_any().await?;
        }

        let reason = format!("nobody waits for Ana under the policy {policy:?}");
        assert!(start.elapsed() < SECOND, "{reason}, but it took {:?}", start.elapsed());
    }
    Ok(())
}

/// Reads what is in the connection, which is a few messages, every three seconds.
async fn reads_slowly(ana: &mut Client) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..40 {
        ana.reads_again();
        let mut had_its_turn = false;
        poll_fn(|context| {
            context.waker().wake_by_ref(); // Behind the task that reads.
            match mem::replace(&mut had_its_turn, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        ana.stops_reading();
        heard.extend(ana.hears_out(3 * SECOND).await);
    }
    heard
}

/// Each write has a deadline of ten seconds, so it must be possible to read what waits in
/// several goes.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_but_reads_keeps_its_session() -> Check {
    let (_server, mut ana, mut ben) = ana_pauses(SlowClient::Drop).await?;
    ana.stops_reading();

    // In a task of its own, which has its turns beside the others.
    let task = spawn(async move {
        let heard = reads_slowly(&mut ana).await;
        (ana, heard)
    });
    let (mut ana, heard) = task.await.expect("the task does not panic");

    let last = numbers(&heard).last().copied();
    assert_eq!(last, Some(MANY - 1), "in the end she has the newest");
    ana.reads_again();
    ben.says(chat_of("Are you there?")).await?;
    ana.hears(chat_from("ben", "Are you there?")).await
}

#[tokio::test(start_paused = true)]
async fn who_was_too_slow_reaches_nobody_after_leaving() -> Check {
    for _ in 0..10 {
        let (_server, mut ana, mut ben) = two_people(SlowClient::Close).await?;

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
    for policy in POLICIES {
        let (_server, mut ana, mut ben) = two_people(policy).await?;

        ana.stops_reading();
        fill_the_connection(&mut ben).await?;
        let start = Instant::now();
        ben.hears_nothing_for(9 * SECOND).await?;
        ben.hears(left("ana")).await?;

        let took = start.elapsed();
        let announced = 10 * SECOND..10 * SECOND + 2 * MOMENT;
        let reason = format!("ten seconds for a write under the policy {policy:?}");
        assert!(announced.contains(&took), "{reason}, but it took {took:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_again_in_time_misses_nothing() -> Check {
    for policy in POLICIES {
        let (_server, mut ana, mut ben) = two_people(policy).await?;

        for _ in 0..3 {
            ana.stops_reading();
            fill_the_connection(&mut ben).await?;
            ben.hears_nothing_for(10 * SECOND - 10 * MOMENT).await?;
            ana.reads_again();

            let heard = ana.hears_out(MOMENT).await;
            let reason = format!("all that Ben has sent, under the policy {policy:?}");
            assert_eq!(heard.len(), 40, "{reason}");
        }
    }
    Ok(())
}

#[test]
fn the_policy_is_read_from_the_environment_and_checked() {
    let sentence = r#"SLOW_CLIENT is "wait": it may be close, drop or notify."#;
    let cases = [
        (None, Ok(SlowClient::Close)),
        (Some("close"), Ok(SlowClient::Close)),
        (Some("drop"), Ok(SlowClient::Drop)),
        (Some("notify"), Ok(SlowClient::Notify)),
        (Some(" drop\n"), Ok(SlowClient::Drop)),
        (Some("wait"), Err(sentence.to_owned())),
        (Some(""), Err(sentence.replace("wait", ""))),
        (Some(" "), Err(sentence.replace("wait", " "))),
    ];

    for (text, expected) in cases {
        let policy = slow_client_from(text.map(Into::into));
        assert_eq!(policy, expected, "SLOW_CLIENT={text:?}");
    }
}
