// Warm-up for lesson 06: a message of your own.

use exercises::warm_ups::warm_up_06::router;
use probe::{Because, Check, Client, Hint, serve};
use serde_json::{Value, json};

probe::steps! {
    step_1_a_rating_is_answered,
    step_2_a_comment_may_be_missing,
    step_3_other_numbers_get_an_error_that_says_what_is_allowed,
    step_4_an_unknown_field_is_a_mistake,
    step_5_each_mistake_is_answered_and_the_connection_goes_on,
}

async fn ana() -> Result<(probe::Server, Client), Hint> {
    let server = serve(router());
    let ana = server.connect("Ana", "/warm_up_06/ws").await?;
    Ok((server, ana))
}

/// Expects an error whose sentence has `part` in it.
async fn hears_error(ana: &mut Client, server: &probe::Server, part: &str) -> Check {
    let why = format!("She should get an error that says {part:?}.");
    let text = ana.hears_any().await.because(&why)?;
    let received: Value = serde_json::from_str(&text).unwrap_or_default();
    let sentence = received["message"].as_str().unwrap_or_default();
    if received["type"] == "error" && sentence.contains(part) {
        return Ok(());
    }
    Err(server
        .hint(format!("Ana should hear an error that says {part:?}, but heard {text}.")))
}

/// The first way through all of it: from JSON to the enum, and back.
async fn step_1_a_rating_is_answered() -> Check {
    let (_server, mut ana) = ana().await?;

    for stars in [1, 4, 5] {
        let rating = json!({ "type": "rate", "stars": stars, "comment": "Good soup." });
        ana.says(rating.to_string()).await?;

        let rated = json!({ "type": "rated", "stars": stars, "comment": "Good soup." });
        ana.hears(rated).await.because("Ana rates, and her rating comes back.")?;
    }
    Ok(())
}

/// In the answer, a comment that is missing is `null`.
async fn step_2_a_comment_may_be_missing() -> Check {
    let (_server, mut ana) = ana().await?;

    ana.says(r#"{"type":"rate","stars":5}"#).await?;

    ana.hears(json!({ "type": "rated", "stars": 5, "comment": null }))
        .await
        .because("Ana gives five stars, and has nothing to add.")
}

/// Numbers that are just outside, one that is negative, and some that fit into no `u8`, `i16` or
/// `i32`: a person who typed any of them wants to know what is allowed, and nothing else.
async fn step_3_other_numbers_get_an_error_that_says_what_is_allowed() -> Check {
    let (_server, mut ana) = ana().await?;

    for stars in [0, 6, -1, 300, 260, 70_000, 4_000_000_000_i64] {
        ana.says(json!({ "type": "rate", "stars": stars }).to_string()).await?;

        let sentence = format!("a rating has 1 to 5 stars, not {stars}");
        let why = format!("Ana gives {stars} stars. There are 1 to 5.");
        let error = json!({ "type": "error", "message": sentence });
        ana.hears(error).await.because(&why)?;
    }
    Ok(())
}

/// A comment may be missing, so a comment under a wrong name would be lost without a word.
async fn step_4_an_unknown_field_is_a_mistake() -> Check {
    let (server, mut ana) = ana().await?;

    ana.says(r#"{"type":"rate","stars":5,"coment":"Good soup."}"#).await?;

    hears_error(&mut ana, &server, "coment").await.because(
        "Ana's rating has a field \"coment\". Nobody would miss the comment, so she has to \
         be told.",
    )
}

/// The last message shows that the connection is still there.
async fn step_5_each_mistake_is_answered_and_the_connection_goes_on() -> Check {
    let (server, mut ana) = ana().await?;
    let mistakes = [
        (r#"{"type":"rate"}"#, "stars"),
        (r#"{"type":"rate","stars":"five"}"#, "five"),
        (r#"{"type":"rate","stars":4.5}"#, "4.5"),
        (r#"{"type":"shout"}"#, "shout"),
        ("five stars", "a message is a JSON object"),
    ];

    for (mistake, part) in mistakes {
        ana.says(mistake).await?;
        hears_error(&mut ana, &server, part)
            .await
            .because(&format!("Ana sends {mistake}, which is a mistake."))?;
    }
    ana.says(r#"{"type":"rate","stars":3,"comment":"Sorry!"}"#).await?;

    ana.hears(json!({ "type": "rated", "stars": 3, "comment": "Sorry!" }))
        .await
        .because("After some mistakes, Ana sends a rating as it should be.")
}
