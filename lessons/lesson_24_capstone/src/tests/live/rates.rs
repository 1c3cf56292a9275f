//! How fast a person may read, and make changes.

use std::time::Duration;

use probe::{Check, Hint, Server, serve};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    app_with,
    asking::{Reply, asks},
};
use crate::{
    config::Config,
    tests::people::{at_least_one, config},
};

const SECOND: Duration = Duration::from_secs(1);

/// A server on which a person may read, and change, `burst` things at once, and 5 a second.
async fn with_rows(burst: u32) -> Result<Server, Hint> {
    let (rate, burst) = (at_least_one(5), at_least_one(burst));
    let server = serve(app_with(Config {
        changes_per_second: rate,
        change_burst: burst,
        reads_per_second: rate,
        read_burst: burst,
        ..config()
    }));
    let user = json!({ "name": "Ana", "email": "ana@example.org" });
    asks(&server, "ana", "POST /users", user).await?;
    let post = json!({ "user_id": 1, "title": "Tea", "body": "I like it." });
    asks(&server, "ana", "POST /posts", post).await?;
    Ok(server)
}

/// How many of up to 1,000 requests are allowed at once, and the first refusal.
async fn allowed(
    server: &Server,
    who: &str,
    what: &[&str],
) -> Result<(usize, Reply), Hint> {
    for (count, what) in what.iter().cycle().take(1_000).enumerate() {
        let reply = asks(server, who, what, json!({})).await?;
        if reply.status == 429 {
            return Ok((count, reply));
        }
    }
    panic!("{who} was never refused {what:?}")
}

const READS: &[&str] = &[
    "GET /users",
    "GET /users/",
    "GET /users/1",
    "GET /users/7",
    "GET /posts",
    "GET /posts?limit=many",
    "GET /posts/1",
    "GET /ws/stats",
    "GET /nowhere",
    "HEAD /users",
    "OPTIONS /users",
];

const CHANGES: &[&str] = &[
    "POST /users",
    "POST /users/",
    "PATCH /users/1",
    "DELETE /users/1",
    "POST /posts",
    "PATCH /posts/1",
    "DELETE /posts/7",
    "POST /channels/users/events",
    "POST /announcements",
    "PUT /users/1",
    "POST /nowhere",
];

#[tokio::test(start_paused = true)]
async fn nobody_reads_faster_than_the_limit() -> Check {
    let server = with_rows(30).await?;

    let (at_once, refusal) = allowed(&server, "ben", READS).await?;
    assert_eq!(at_once, 30, "the burst, whatever is read");
    let sentence = json!({ "message": "Too many requests. Try again in 1 s." });
    assert_eq!((refusal.body, refusal.retry_after), (sentence, Some(1)), "it says when");

    sleep(SECOND).await;
    let (in_a_second, _) = allowed(&server, "ben", READS).await?;
    assert_eq!(in_a_second, 5, "the rate, after the pause that we asked for");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_way_to_read_counts() -> Check {
    for what in READS {
        let server = with_rows(30).await?;
        let (at_once, _) = allowed(&server, "ben", &[what]).await?;
        assert_eq!(at_once, 30, "{what}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_fast_keeps_nobody_else_from_reading() -> Check {
    let server = with_rows(30).await?;

    allowed(&server, "ben", READS).await?;

    let reply = asks(&server, "cem", "GET /users", Value::Null).await?;
    assert_eq!(reply.status, 200, "Cem has a rate of his own: {}", reply.body);
    let user = json!({ "name": "Ben", "email": "ben@example.org" });
    let reply = asks(&server, "ben", "POST /users", user).await?;
    assert_eq!(reply.status, 201, "and changes have another one: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_way_to_change_something_counts() -> Check {
    for what in CHANGES {
        let server = with_rows(30).await?;
        let (at_once, refusal) = allowed(&server, "ben", &[what]).await?;
        assert_eq!((at_once, refusal.retry_after), (30, Some(1)), "{what}");
        sleep(SECOND).await;
        let (in_a_second, _) = allowed(&server, "ben", &[what]).await?;
        assert_eq!(in_a_second, 5, "{what}, a second later");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn all_changes_of_a_person_count_together() -> Check {
    let server = with_rows(30).await?;

    let (at_once, _) = allowed(&server, "ben", CHANGES).await?;
    assert_eq!(at_once, 30, "the burst, whatever is changed");

    for what in CHANGES {
        let reply = asks(&server, "ben", what, json!({})).await?;
        assert_eq!(reply.status, 429, "{what}: {}", reply.body);
    }
    let reply = asks(&server, "cem", "POST /users", json!({})).await?;
    assert_eq!(reply.status, 422, "Cem has a rate of his own: {}", reply.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_refused_changes_nothing() -> Check {
    let server = with_rows(30).await?;
    allowed(&server, "ana", CHANGES).await?;

    let reply = asks(&server, "ana", "PATCH /users/1", json!({ "name": "Anna" })).await?;

    assert_eq!((reply.status, reply.version), (429, None), "{}", reply.body);
    let user = asks(&server, "ben", "GET /users/1", Value::Null).await?;
    assert_eq!(user.body["name"], "Ana", "as it was");
    Ok(())
}
