//! The board on virtual time. What is tested with a real client is in `restart.rs`.

#[allow(dead_code)] // The board needs a part of it.
#[path = "../../course/src/class.rs"]
mod client;

mod learners;
mod limits;
mod pages;
mod restart;
mod upgrades;

use probe::{Client, Hint, Server};
use serde_json::{Value, json};

use crate::{app, join::Addresses};

/// The first step of the first warm-up passes, and the second does not.
const STEP: &str = "step_2_it_counts";

fn board() -> Server {
    probe::serve(app(addresses()))
}

fn addresses() -> Addresses {
    Addresses::of(([127, 0, 0, 1], 8000).into())
}

fn session(number: u32) -> String {
    format!("{number:032x}")
}

fn hello(name: &str, number: u32) -> String {
    json!({ "type": "hello", "name": name, "session": session(number) }).to_string()
}

/// Connects and says hello, but reads no answer.
async fn says_hello(board: &Server, name: &str, number: u32) -> Result<Client, Hint> {
    let mut learner = board.connect(name, "/ws/learner").await?;
    learner.says(hello(name, number)).await?;
    Ok(learner)
}

async fn joins(board: &Server, name: &str, number: u32) -> Result<Client, Hint> {
    let mut learner = says_hello(board, name, number).await?;
    learner.hears(json!({ "type": "welcome" })).await?;
    Ok(learner)
}

/// A state: so many steps of the first warm-up pass, of three.
fn progress(passed: usize, seconds: u64) -> String {
    let steps = ["step_1_it_answers", STEP, "step_3_it_ends"];
    let current = steps.get(passed).map(
        |step| json!({ "exercise": "warm_up_01", "step": step, "seconds": seconds }),
    );
    let (passed, failed) = steps.split_at(passed);
    json!({
        "type": "progress",
        "exercises": [{ "name": "warm_up_01", "passed": passed, "failed": failed }],
        "current": current,
    })
    .to_string()
}

/// The row of somebody who has reported nothing yet.
fn newcomer(name: &str) -> Value {
    json!({ "name": name, "exercises": {}, "current": null, "away": null })
}

/// The row of somebody of whom one step of three passes.
fn row(name: &str, seconds: u64) -> Value {
    json!({
        "name": name,
        "exercises": { "warm_up_01": { "passed": 1, "steps": 3 } },
        "current": { "exercise": "warm_up_01", "step": STEP, "seconds": seconds },
        "away": null,
    })
}

fn away(mut row: Value, seconds: u64) -> Value {
    row["away"] = seconds.into();
    row
}

fn event(version: u64, learner: Value) -> Value {
    json!({ "type": "learner", "version": version, "learner": learner })
}

fn snapshot(version: u64, learners: Vec<Value>) -> Value {
    json!({
        "type": "snapshot",
        "version": version,
        "addresses": ["http://127.0.0.1:8000"],
        "exercises": "*",
        "learners": learners,
    })
}

async fn opens(board: &Server) -> Result<Client, Hint> {
    board.connect("The page", "/ws/page").await
}

/// Opens a page that has shown the snapshot.
async fn shows(
    board: &Server,
    version: u64,
    learners: Vec<Value>,
) -> Result<Client, Hint> {
    let mut page = opens(board).await?;
    page.hears(snapshot(version, learners)).await?;
    Ok(page)
}
