use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use probe::{Check, Hint, ONE_MINUTE};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::advance};

use super::{
    away, board, event, joins, newcomer, opens, progress, row, session, shows, snapshot,
};
use crate::{
    class::Class,
    protocol::{Name, Progress, SessionId},
};

const PAUSE: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_page_gets_a_snapshot_and_then_each_change() -> Check {
    let board = board();
    let mut page = shows(&board, 0, vec![]).await?;

    let mut ana = joins(&board, "ana", 1).await?;
    page.hears(event(1, newcomer("ana"))).await?;
    ana.says(progress(1, 5)).await?;
    page.hears(event(2, row("ana", 5))).await?;
    ana.leaves().await?;

    page.hears(event(3, away(row("ana", 5), 0))).await?;
    page.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_names_the_course_in_its_order() -> Check {
    let board = board();
    let mut page = opens(&board).await?;

    let snapshot = page.hears_any().await?;

    let snapshot: Value = serde_json::from_str(&snapshot).expect("the board sends JSON");
    let exercises = snapshot["exercises"].as_array().expect("there is a list");
    assert_eq!(
        exercises[0],
        json!({ "name": "warm_up_01", "title": "capitals and counts" }),
        "the page needs a name and a title for each column"
    );
    assert_eq!(
        exercises.last().map(|last| &last["name"]),
        Some(&json!("drain")),
        "the last"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_time_at_a_step_goes_on_and_stands_still_while_the_learner_is_away() -> Check
{
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    ana.says(progress(1, 5)).await?;
    ana.pings(b"so that the board has read it").await?;
    ana.hears_pong(b"so that the board has read it").await?;

    advance(Duration::from_secs(15)).await;
    shows(&board, 2, vec![row("ana", 20)]).await?;
    ana.leaves().await?;
    advance(ONE_MINUTE).await;
    shows(&board, 3, vec![away(row("ana", 20), 60)]).await?;

    let _ana = joins(&board, "ana", 1).await?;
    advance(Duration::from_secs(10)).await;
    shows(&board, 4, vec![row("ana", 30)]).await.map(drop)
}

/// The order of snapshot and events is what a page relies on, whenever it comes.
#[tokio::test(start_paused = true)]
async fn pages_that_come_while_much_happens_miss_nothing_and_get_nothing_twice() -> Check
{
    let board = board();
    let mut learners = Vec::new();
    for number in 0..10 {
        learners.push(joins(&board, &format!("learner-{number}"), number).await?);
    }

    let mut pages = Vec::new();
    let mut reports = JoinSet::new();
    for (number, mut learner) in learners.into_iter().enumerate() {
        reports.spawn(async move {
            for passed in [0, 1, 2, 3, 1, 2, 3] {
                learner.says(progress(passed, number as u64)).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Hint>(learner)
        });
        pages.push(opens(&board).await?);
    }
    let mut learners = Vec::new();
    while let Some(learner) = reports.join_next().await {
        learners.push(learner.expect("no report panics")?);
    }

    let mut first_versions = Vec::new();
    for mut page in pages {
        let messages = page.hears_out(PAUSE).await;
        let (first, version, rows) = replay(&messages)?;
        first_versions.push(first);
        assert_eq!(version, 80, "10 joined, and each of them has reported 7 times");
        for (name, row) in rows {
            let count = &row["exercises"]["warm_up_01"];
            assert_eq!(count["passed"], 3, "{name} is as the last report says");
        }
    }
    let middle =
        first_versions.iter().filter(|&&version| version > 10 && version < 80).count();
    assert!(middle > 0, "some pages came in the middle: {first_versions:?}");
    Ok(())
}

/// The same with threads: a change may come between any two lines of the board's code.
#[test]
fn no_change_comes_between_the_snapshot_and_the_events() {
    let class = Class::default();
    let stopped = AtomicBool::new(false);

    thread::scope(|scope| {
        let _stop = StopAtTheEnd(&stopped);
        for number in 0..2 {
            let (class, stopped) = (&class, &stopped);
            scope.spawn(move || {
                let name = Name::try_from(format!("learner-{number}")).expect("a name");
                let id = SessionId::try_from(session(number)).expect("an id");
                let Ok(member) = class.join(&name, id) else { panic!("there is room") };
                while !stopped.load(Ordering::Relaxed) {
                    member.report(Progress::default());
                }
            });
        }
        for _ in 0..100 {
            let mut page = class.subscribe(&[]).expect("there is one page at a time");
            let texts = (0..5).map_while(|_| page.outbox.blocking_recv());
            let texts: Vec<_> = texts.map(|text| text.to_string()).collect();
            let replayed = replay(&texts).map(|(first, last, _)| last - first);
            assert!(replayed.is_ok(), "{replayed:?}");
        }
    });
}

/// Stops the threads even if the test fails, which would wait for them otherwise.
struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does what the page does: the versions of its events must follow one another.
pub fn replay(messages: &[String]) -> Result<(u64, u64, BTreeMap<String, Value>), Hint> {
    let mut messages = messages.iter().map(|message| {
        serde_json::from_str::<Value>(message).expect("the board sends JSON")
    });
    let name = |row: &Value| row["name"].as_str().expect("a row has a name").to_owned();
    let number =
        |message: &Value| message["version"].as_u64().expect("there is a version");

    let first = messages.next().ok_or_else(|| Hint::new("no snapshot came"))?;
    assert_eq!(first["type"], "snapshot", "it comes first");
    let learners = first["learners"].as_array().expect("there is a list").iter();
    let mut rows: BTreeMap<_, _> = learners.map(|row| (name(row), row.clone())).collect();
    let mut version = number(&first);
    for message in messages {
        assert_eq!(number(&message), version + 1, "no gap and no double: {message}");
        version += 1;
        match message["type"].as_str() {
            Some("learner") => {
                rows.insert(name(&message["learner"]), message["learner"].clone());
            }
            Some("removed") => {
                rows.remove(message["name"].as_str().expect("it says who"));
            }
            other => panic!("{other:?} is no event"),
        }
    }
    Ok((number(&first), version, rows))
}

#[tokio::test(start_paused = true)]
async fn a_whole_class_joins_and_reports_at_once() -> Check {
    let board = board();
    let mut page = shows(&board, 0, vec![]).await?;

    let mut learners = Vec::new();
    for number in 0..40 {
        let mut learner =
            super::says_hello(&board, &format!("learner-{number}"), number).await?;
        learner.says(progress(1, 0)).await?;
        learner.says(progress(2, 0)).await?;
        learners.push(learner);
    }

    let mut messages = vec![snapshot(0, vec![]).to_string()];
    messages.extend(page.hears_out(PAUSE).await);
    let (_, version, rows) = replay(&messages)?;
    assert_eq!((version, rows.len()), (120, 40), "each has joined, and reported twice");
    assert!(
        rows.values().all(|row| row["exercises"]["warm_up_01"]["passed"] == 2),
        "all rows show the last report"
    );
    for learner in &mut learners {
        learner.hears(json!({ "type": "welcome" })).await?;
    }
    Ok(())
}
