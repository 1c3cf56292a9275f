use std::time::Duration;

use probe::{Because, Check, ONE_MINUTE};
use serde_json::{Value, json};
use tokio::time::advance;

use super::{
    STEP, away, board, event, hello, joins, newcomer, progress, row, says_hello, session,
    shows,
};
use crate::class::HOLD_TIME;

const SECOND: Duration = Duration::from_secs(1);

fn taken(name: &str, free: &str) -> Value {
    json!({
        "type": "error",
        "message": format!(
            "Somebody else in the class is called {name}. Choose another name: {free} is free."
        ),
    })
}

#[tokio::test(start_paused = true)]
async fn the_second_of_one_name_gets_a_sentence_with_a_name_that_is_free() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;

    let mut other = says_hello(&board, "ana", 2).await?;
    other.hears(taken("ana", "ana-2")).await?;
    other.is_closed(4009, "this name is taken").await?;

    page.hears_nothing_for(SECOND).await.because("Nothing has changed on the board.")?;
    ana.says(progress(1, 0)).await?;
    page.hears(event(2, row("ana", 0))).await.because("The first Ana is still there.")
}

#[tokio::test(start_paused = true)]
async fn the_name_that_is_offered_is_free_and_not_too_long() -> Check {
    let board = board();
    let long = "Ж".repeat(20);
    let _ana = joins(&board, "ana", 1).await?;
    let _ana_2 = joins(&board, "ana-2", 2).await?;
    let _long = joins(&board, &long, 3).await?;

    let mut other = says_hello(&board, "ana", 4).await?;
    other.hears(taken("ana", "ana-3")).await?;
    let mut other = says_hello(&board, &long, 4).await?;
    let free = format!("{}-2", "Ж".repeat(18));
    other.hears(taken(&long, &free)).await?;
    joins(&board, &free, 4).await.map(drop)
}

/// The board may not know yet that the first connection is lost.
#[tokio::test(start_paused = true)]
async fn the_same_session_replaces_its_older_connection() -> Check {
    let board = board();
    let mut first = joins(&board, "ana", 1).await?;
    first.says(progress(1, 5)).await?;
    let mut page = shows(&board, 2, vec![row("ana", 5)]).await?;

    let mut second = joins(&board, "ana", 1).await?;

    page.hears(event(3, row("ana", 5))).await.because("She has lost nothing.")?;
    first
        .hears(json!({ "type": "error", "message": "*" }))
        .await
        .because("Somebody may sit in front of the older one.")?;
    first.is_closed(4014, "replaced by a newer connection").await?;
    page.hears_nothing_for(SECOND)
        .await
        .because("The end of the older one is no matter.")?;
    second.says(progress(1, 6)).await?;
    page.hears(event(4, row("ana", 6))).await
}

#[tokio::test(start_paused = true)]
async fn who_vanishes_is_shown_as_away_and_comes_back_to_the_same_row() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    ana.says(progress(1, 5)).await?;
    let mut page = shows(&board, 2, vec![row("ana", 5)]).await?;

    ana.vanishes().await;
    page.hears(event(3, away(row("ana", 5), 0))).await?;
    advance(ONE_MINUTE).await;
    let _ana = joins(&board, "ana", 1).await?;

    page.hears(event(4, row("ana", 5))).await
}

#[tokio::test(start_paused = true)]
async fn a_name_is_held_for_ten_minutes_for_who_has_vanished() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    ana.says(progress(1, 5)).await?;
    ana.vanishes().await;

    advance(HOLD_TIME - SECOND).await;
    let mut other = says_hello(&board, "ana", 2).await?;
    other.hears(taken("ana", "ana-2")).await?;
    advance(SECOND).await;
    let _other = joins(&board, "ana", 2).await?;

    shows(&board, 4, vec![newcomer("ana")])
        .await
        .because("Somebody else has the name, and nothing of the first Ana.")?;
    let mut ana = says_hello(&board, "ana", 1).await?;
    ana.hears(taken("ana", "ana-2")).await.because("Now the name is the other one's.")
}

#[tokio::test(start_paused = true)]
async fn who_leaves_on_purpose_holds_no_name() -> Check {
    let board = board();
    let ana = joins(&board, "ana", 1).await?;

    ana.leaves().await?;

    joins(&board, "ana", 2).await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_under_another_name_has_one_row() -> Check {
    let board = board();
    let anna = joins(&board, "anna", 1).await?;
    let _ben = joins(&board, "ben", 2).await?;
    anna.leaves().await?;
    let mut page =
        shows(&board, 3, vec![away(newcomer("anna"), 0), newcomer("ben")]).await?;

    let _ana = joins(&board, "ana", 1).await?;

    page.hears(json!({ "type": "removed", "version": 4, "name": "anna" })).await?;
    page.hears(event(5, newcomer("ana"))).await
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_gets_a_sentence() -> Check {
    let board = board();

    let long = "a".repeat(21);
    let tower = format!("a{}", "\u{301}".repeat(19));
    for name in
        ["", "ana b", "<b>ana</b>", "\u{301}", "-\u{301}", "ana\n", "../ana", &long]
            .into_iter()
            // What nobody sees, and what is drawn over the rows of others.
            .chain(["\u{3164}", "\u{115f}\u{1160}", "\u{ffa0}", "\u{17b4}", &tower])
            .chain([
                "an\u{34f}a",
                "an\u{180b}a",
                "an\u{fe0f}a",
                "an\u{e0100}a",
                "an\u{200d}a",
            ])
    {
        let mut ana = says_hello(&board, name, 1).await?;
        let answer = ana.hears_any().await?;
        assert!(
            answer.contains("a name has 1 to 20 letters, digits, - and _"),
            "{answer}"
        );
        ana.is_closed(1008, "hello comes first").await?;
    }

    shows(&board, 0, vec![]).await.because("Nobody has joined.").map(drop)
}

#[tokio::test(start_paused = true)]
async fn names_of_every_script_are_welcome_in_one_normal_form() -> Check {
    let board = board();
    let _eva = joins(&board, "E\u{301}va", 1).await?;
    let _anita = joins(&board, "अनिता", 2).await?;
    let _eve = joins(&board, "e\u{332}\u{333}\u{330}\u{331}", 4)
        .await
        .because("Some scripts put several marks on one letter.")?;

    let mut other = says_hello(&board, "Éva", 3).await?;

    other.hears(taken("Éva", "Éva-2")).await?;
    let mut page = super::opens(&board).await?;
    let snapshot = page.hears_any().await?;
    for name in ["Éva", "अनिता"] {
        assert!(snapshot.contains(&format!("\"{name}\"")), "{name} is in {snapshot}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_is_answered_and_the_conversation_goes_on() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;
    let word = "x".repeat(101);

    for (message, sentence) in [
        ("hello?".to_owned(), "a message is a JSON object"),
        (r#"["progress"]"#.to_owned(), "a message is a JSON object"),
        ("{".to_owned(), "this is not valid JSON"),
        (r#"{"type":"solved"}"#.to_owned(), "unknown variant `solved`"),
        (r#"{"type":"progress"}"#.to_owned(), "missing field `exercises`"),
        (progress(1, 0).replace('5', "-5").replace(":0", ":-1"), "invalid value"),
        (progress(1, 0).replace(STEP, "let x = 1;"), "1 to 100 letters, digits and _"),
        (progress(1, 0).replace(STEP, &word), "1 to 100 letters, digits and _"),
        (hello("ben", 1), "you have said hello already"),
        (format!("{{{}", " ".repeat(62_000)), "62001 bytes are too many"),
    ] {
        ana.says(message.clone()).await?;
        let answer = ana.hears_any().await?;
        assert!(answer.contains(sentence), "to {message:.60}, {answer}");
        advance(SECOND).await;
    }

    page.hears_nothing_for(SECOND).await?;
    ana.says(progress(1, 5)).await?;
    page.hears(event(2, row("ana", 5))).await
}

#[tokio::test(start_paused = true)]
async fn a_newer_course_may_send_what_the_board_does_not_know() -> Check {
    let board = board();
    let mut ana = joins(&board, "ana", 1).await?;
    let mut page = shows(&board, 1, vec![newcomer("ana")]).await?;

    let mut message: Value = serde_json::from_str(&progress(1, 5)).expect("this is JSON");
    message["exercises"].as_array_mut().expect("there is a list").push(
        json!({ "name": "warm_up_99", "passed": ["step_1"], "failed": [], "new": 1 }),
    );
    message["mood"] = "good".into();
    ana.says(message.to_string()).await?;
    page.hears(event(2, row("ana", 5)))
        .await
        .because("What the board knows is shown.")?;

    message["current"]["exercise"] = "warm_up_99".into();
    ana.says(message.to_string()).await?;
    let mut expected = row("ana", 5);
    expected["current"] = Value::Null;
    page.hears(event(3, expected)).await.because("It does not know where she is.")?;
    ana.hears_nothing_for(SECOND).await.because("That is no mistake of hers.")
}

#[tokio::test(start_paused = true)]
async fn the_session_of_a_learner_is_shown_to_nobody() -> Check {
    let board = board();
    let mut page = shows(&board, 0, vec![]).await?;
    let mut ana = joins(&board, "ana", 1).await?;
    ana.says(progress(1, 0)).await?;

    let mut late = super::opens(&board).await?;
    let mut messages = page.hears_out(SECOND).await;
    messages.extend(late.hears_out(SECOND).await);

    assert_eq!(messages.len(), 3, "two events, and a snapshot");
    assert!(
        !messages.concat().contains(&session(1)),
        "it would let others take the name"
    );
    Ok(())
}
