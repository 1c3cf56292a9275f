//! The log outlives the server.

use probe::{
    Check,
    resuming::{ack, chat_with_id, numbers},
};
use serde_json::json;

use super::{LogFile, RESUMING};

#[tokio::test(start_paused = true)]
async fn ids_outlive_the_server() -> Check {
    let file = LogFile::new("ids");
    let server = file.serve().await?.ignoring(&["chat"]);
    let (mut ana, log) = RESUMING.newcomer(&server, "ana").await?;
    ana.says(chat_with_id("a-1", "hello")).await?;
    ana.hears(ack("a-1", 1)).await?;
    drop((ana, server));

    let server = file.serve().await?.ignoring(&["chat"]);
    let mut ana = server.connect("Ana", &RESUMING.resume("ana", 1, &log)).await?;
    ana.hears(json!({ "type": "welcome", "log": log, "seq": 1 })).await?;
    ana.says(chat_with_id("a-1", "hello")).await?;

    ana.hears(ack("a-1", 1)).await
}

#[tokio::test(start_paused = true)]
async fn numbers_go_on_after_a_restart() -> Check {
    let file = LogFile::new("numbers");
    let server = file.serve().await?;
    let (ana, log) = RESUMING.newcomer(&server, "ana").await?;
    drop(ana);
    RESUMING.fill(&server, 3).await?;
    drop(server);

    let server = file.serve().await?;
    let mut ana = server.connect("Ana", &RESUMING.resume("ana", 1, &log)).await?;
    ana.hears(json!({ "type": "welcome", "log": log, "seq": 3 })).await?;
    assert_eq!(numbers(&mut ana).await, [2, 3], "what was said before the restart");
    RESUMING.fill(&server, 1).await?;
    assert_eq!(numbers(&mut ana).await, [4], "and the next number");
    Ok(())
}
