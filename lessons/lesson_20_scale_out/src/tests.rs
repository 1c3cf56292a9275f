mod broker;
mod chaos;
mod delivering;
mod failing;
mod joining;
mod log_contract;
#[path = "../../lesson_08_auth/src/tests/people.rs"]
mod people;
mod rooms;
mod single;

use std::time::Duration;

use probe::{
    ANY, Client, Hint, Server,
    json::{joined, left},
    resuming::chat_with_id,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::people::path;

// The conversation of the book, in `book/transcripts`, with one node.
probe::transcripts!(single::app());

/// Far longer than anything takes here.
const LIMIT: Duration = Duration::from_secs(20);

/// Long enough to be sure that nothing comes, on a machine that has other things to do.
const QUIET: Duration = Duration::from_millis(500);

fn chat(from: &str, content: &str) -> Value {
    json!({
        "type": "chat", "room": "rust", "from": from, "content": content, "timestamp": ANY,
        "seq": ANY, "id": ANY
    })
}

fn ack(id: &str) -> Value {
    json!({ "type": "ack", "id": id, "seq": ANY })
}

/// Somebody says something, and receives it and the acknowledgement, in whatever order. The
/// number of the chat.
async fn says(client: &mut Client, id: &str, content: &str) -> Result<i64, Hint> {
    client.says(chat_with_id(id, content)).await?;
    let mut numbers = Vec::new();
    for expected in ["chat", "ack"] {
        let text = client.hears_any().await?;
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        if message["id"] != id {
            return Err(Hint::new(format!(
                "{id} should get its {expected}, not {text}."
            )));
        }
        numbers.push(message["seq"].as_i64().unwrap_or_default());
    }
    assert_eq!(numbers[0], numbers[1], "the chat {id} has one number");
    Ok(numbers[0])
}

/// Where somebody comes back to the room "rust" who has seen the chats up to `seq`.
fn resume(name: &str, seq: i64, log: &str) -> String {
    format!("{}&resume={seq}&log={log}", path("rust", name))
}

/// Somebody who resumes, and what the welcome says: the log and its last number.
async fn resumes(
    server: &Server,
    name: &str,
    path: &str,
) -> Result<(Client, String, i64), Hint> {
    let mut client = server.connect(name, path).await?;
    let text = client.hears_any().await?;
    let welcome: Value = serde_json::from_str(&text).unwrap_or_default();
    match (welcome["log"].as_str(), welcome["seq"].as_i64()) {
        (Some(log), Some(seq)) if welcome["type"] == "welcome" => {
            Ok((client, log.to_owned(), seq))
        }
        _ => Err(server.hint(format!("{name} should get a welcome, but got {text}."))),
    }
}

/// Somebody who has seen nothing yet, and the id of the log.
async fn newcomer(server: &Server, name: &str) -> Result<(Client, String), Hint> {
    let path = format!("{}&resume=0", path("rust", name));
    let (client, log, _) = resumes(server, name, &path).await?;
    Ok((client, log))
}

/// Waits until something is so. `what` is a sentence that says what should be so.
async fn until<F>(what: &str, mut is_so: impl FnMut() -> F) -> Result<(), Hint>
where
    F: Future<Output = bool>,
{
    let start = Instant::now();
    while !is_so().await {
        if start.elapsed() > LIMIT {
            return Err(Hint::new(format!("{what}, but after {LIMIT:?} it is not so.")));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
