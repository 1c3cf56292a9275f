use std::{iter, time::Duration};

use probe::{Because, Check, ONE_MINUTE};
use serde_json::json;
use tokio::{
    sync::mpsc::error::TryRecvError,
    time::{Instant, advance},
};

use super::{
    away, board, event, joins, newcomer, opens, pages::replay, progress, row, says_hello,
    session, shows,
};
use crate::{
    class::{Class, MAX_LEARNERS, MAX_PAGES, OUTBOX_SIZE},
    connection::{BURST, MESSAGE_INTERVAL},
    heartbeat::{IDLE_TIMEOUT, PING_INTERVAL, PONG_TIMEOUT},
    learner::HELLO_TIMEOUT,
    protocol::{Name, Progress, SessionId},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn who_sends_no_hello_has_to_go() -> Check {
    let board = board();
    let begun = Instant::now();
    let mut eve = board.connect("Eve", "/ws/learner").await?;

    eve.is_closed(1008, "hello comes first").await?;

    assert!(begun.elapsed() < HELLO_TIMEOUT + SECOND, "after ten seconds");
    let mut eve = board.connect("Eve", "/ws/learner").await?;
    eve.says(progress(1, 0)).await?;
    eve.is_closed(1008, "hello comes first").await?;
    shows(&board, 0, vec![]).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_flood_ends_the_connection_of_who_sends_it_and_disturbs_nobody() -> Check {
    let board = board();
    let mut eve = joins(&board, "eve", 1).await?;
    let mut ana = joins(&board, "ana", 2).await?;
    let mut page = shows(&board, 2, vec![newcomer("ana"), newcomer("eve")]).await?;

    // The hello counts, too.
    for _ in 1..=BURST {
        eve.says(progress(1, 0)).await?;
    }
    eve.is_closed(1008, "too many messages").await?;
    ana.says(progress(1, 0)).await?;

    let mut messages = page.hears_out(SECOND).await;
    messages.insert(
        0,
        super::snapshot(2, vec![newcomer("ana"), newcomer("eve")]).to_string(),
    );
    let (_, version, rows) = replay(&messages)?;
    assert_eq!(
        version,
        2 + u64::from(BURST) - 1 + 2,
        "what came in time, her end, and Ana"
    );
    assert_eq!(rows["eve"], away(row("eve", 0), 0), "Eve is shown as away");
    assert_eq!(rows["ana"], row("ana", 0), "and Ana as she is");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn pings_and_what_is_no_message_count_as_well() -> Check {
    let board = board();
    let mut eve = joins(&board, "eve", 1).await?;
    for _ in 1..BURST {
        eve.pings(b"").await?;
    }

    eve.says("x").await?;

    eve.is_closed(1008, "too many messages").await
}

#[tokio::test(start_paused = true)]
async fn who_reports_as_fast_as_a_learner_may_can_do_so_all_day() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;

    for _ in 0..3 * BURST {
        advance(MESSAGE_INTERVAL).await;
        ana.says(progress(1, 0)).await?;
    }

    ana.hears_nothing_for(SECOND).await
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_ends_the_connection() -> Check {
    let board = board();
    let mut eve = joins(&board, "eve", 1).await?;

    // The head of a text frame of 70,000 bytes, with a mask (RFC 6455, section 5.2).
    eve.writes_raw(&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70, 0, 0, 0, 0]).await?;

    eve.is_closed(1009, "message too big").await?;
    shows(&board, 2, vec![away(newcomer("eve"), 0)]).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn binary_messages_are_not_read() -> Check {
    let board = board();
    let mut eve = joins(&board, "eve", 1).await?;

    eve.sends_binary(b"hello").await?;

    eve.is_closed(1003, "this board reads text, not binary").await
}

#[tokio::test(start_paused = true)]
async fn who_is_gone_without_a_word_is_shown_as_away_after_half_a_minute() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;

    let begun = Instant::now();
    ana.stops_reading();
    page.hears_nothing_for(PING_INTERVAL + PONG_TIMEOUT - SECOND).await?;
    page.hears(event(2, away(newcomer("ana"), 0))).await?;

    assert!(begun.elapsed() <= PING_INTERVAL + PONG_TIMEOUT, "the heartbeat has noticed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_looked_at_and_a_learner_who_thinks_may_stay() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;

    ana.hears_nothing_for(2 * IDLE_TIMEOUT).await?;
    page.hears_nothing_for(SECOND).await?;

    ana.says(progress(1, 0)).await?;
    page.hears(event(2, row("ana", 0))).await
}

#[tokio::test(start_paused = true)]
async fn a_page_that_does_not_read_is_disconnected_and_holds_nobody_up() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut slow = opens(&board).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;
    slow.stops_reading();

    let begun = Instant::now();
    for _ in 0..2 * OUTBOX_SIZE {
        advance(MESSAGE_INTERVAL).await;
        ana.says(progress(1, 5)).await?;
        let event = page.hears_any().await?;
        assert!(
            event.contains(r#""seconds":5"#),
            "the other page has it at once: {event}"
        );
    }

    assert!(begun.elapsed() < Duration::from_secs(300), "as fast as Ana has sent it");
    slow.reads_again();
    slow.finds_the_connection_lost()
        .await
        .because("A page that reads nothing has to go.")?;
    let mut again = opens(&board).await?;
    let snapshot = again.hears_any().await?;
    assert!(
        snapshot.contains(r#""version":513"#),
        "and gets all when it is back: {snapshot}"
    );
    Ok(())
}

#[test]
fn a_page_whose_outbox_is_full_gets_nothing_more() {
    let class = Class::default();
    let mut page = class.subscribe(&[]).expect("it is the first page");
    let ana = Name::try_from("ana".to_owned()).expect("a name");
    let id = SessionId::try_from(session(1)).expect("an id");
    let Ok(ana) = class.join(&ana, id) else { panic!("she is the first") };

    for _ in 0..2 * OUTBOX_SIZE {
        ana.report(Progress::default());
    }

    let waiting = iter::from_fn(|| page.outbox.try_recv().ok()).count();
    assert_eq!(waiting, OUTBOX_SIZE, "what fits, without a gap");
    let end = page.outbox.try_recv();
    assert_eq!(end, Err(TryRecvError::Disconnected), "its task shall disconnect it");
}

#[tokio::test(start_paused = true)]
async fn one_page_more_than_there_may_be_is_told_so() -> Check {
    let board = board();
    let mut pages = Vec::new();
    for _ in 0..MAX_PAGES {
        pages.push(shows(&board, 0, vec![]).await?);
    }

    let mut other = opens(&board).await?;
    other.is_closed(1013, "too many pages show the class").await?;
    pages.remove(0).leaves().await?;

    shows(&board, 0, vec![]).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn a_class_is_full_until_somebody_is_away() -> Check {
    let board = board();
    let mut learners = Vec::new();
    for number in 0..MAX_LEARNERS as u32 {
        learners.push(joins(&board, &format!("learner-{number}"), number).await?);
    }

    let mut late = says_hello(&board, "late", 999).await?;
    late.hears(json!({ "type": "error", "message": "The class is full." })).await?;
    late.is_closed(1013, "the class is full").await?;
    learners.remove(7).vanishes().await;
    advance(SECOND).await;
    learners.remove(0).vanishes().await;
    let mut page = opens(&board).await?;
    page.hears_any().await?;

    let _late = joins(&board, "late", 999).await?;
    page.hears(json!({ "type": "removed", "version": 203, "name": "learner-7" }))
        .await
        .because("They have been away for the longest time.")?;
    page.hears(event(204, newcomer("late"))).await
}

#[tokio::test(start_paused = true)]
async fn connections_that_say_nothing_are_counted_and_end() -> Check {
    let board = board();
    let mut silent = Vec::new();
    while let Ok(eve) = board.connect("Eve", "/ws/learner").await {
        silent.push(eve);
    }
    assert_eq!(silent.len(), 2 * MAX_LEARNERS, "some more than there are learners");

    let _page = shows(&board, 0, vec![])
        .await
        .because("Learners must not keep the teacher's page out.")?;
    let response = board.rejects("Ana", "/ws/learner", 503).await?;
    assert!(response.body.contains("too many connections"), "{}", response.body);
    advance(HELLO_TIMEOUT).await;
    for eve in &mut silent {
        eve.is_closed(1008, "hello comes first").await?;
    }

    advance(ONE_MINUTE).await;
    joins(&board, "ana", 1).await.map(drop)
}
