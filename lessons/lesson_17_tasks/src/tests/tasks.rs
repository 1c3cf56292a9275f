use std::{
    sync::mpsc,
    time::{Duration, Instant as RealInstant},
};

use axum::{
    body::Body,
    extract::{FromRequest, Request as AnyRequest},
    http::{Method, Request},
};
use probe::{
    ANY, Check, Client, Hint, ONE_MINUTE, Response, Server, json::error, serve, serve_tcp,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    app, app_of,
    guests::{token, username},
};
use crate::{
    counting::{Count, Counting, TEXT_LIMIT},
    heartbeat::IDLE_AFTER,
    limits::Limits,
    task_api::Text,
    tasks::{AT_ONCE, Board, IN_ALL, PER_PERSON, REMEMBERED, Tasks},
    work::{Step, Work},
};

mod conformance {
    use super::*;

    probe::conformance!(app(), &watching("ana"));
}

const TEA: &str =
    "Tea for two, and two for tea. \u{201c}Tea!\u{201d} said Zoë: it's tea.";
const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// Where somebody watches.
fn watching(name: &str) -> String {
    format!("/ws/tasks?token={}", token(name))
}

async fn request(
    server: &Server,
    name: &str,
    method: Method,
    path: &str,
    body: impl Into<String>,
) -> Result<Response, Hint> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {}", token(name)))
        .body(body.into());
    server.request(request.expect("a good request")).await
}

async fn get(server: &Server, name: &str, path: &str) -> Result<Value, Hint> {
    let answer = request(server, name, Method::GET, path, "").await?;
    assert_eq!(answer.status, 200, "{name} asks for {path}: {}", answer.body);
    Ok(serde_json::from_str(&answer.body).unwrap_or_default())
}

async fn start(server: &Server, name: &str, path: &str, text: &str) -> Check {
    let answer = request(server, name, Method::POST, path, text).await?;
    assert_eq!(answer.status, 202, "{name} starts a task: {}", answer.body);
    Ok(())
}

async fn cancel(server: &Server, name: &str, path: &str) -> Result<Response, Hint> {
    request(server, name, Method::DELETE, path, "").await
}

/// A watcher who has heard how things stand.
async fn watcher(server: &Server, name: &str, tasks: Value) -> Result<Client, Hint> {
    let mut client = server.connect(name, &watching(name)).await?;
    client.hears(json!({ "type": "tasks", "tasks": tasks })).await?;
    Ok(client)
}

/// All that a watcher hears until nothing has come for a minute.
async fn hears_all(client: &mut Client) -> Vec<Value> {
    let heard = client.hears_out(ONE_MINUTE).await;
    heard.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect()
}

fn queued(id: u64) -> Value {
    json!({ "type": "progress", "id": id, "status": "queued" })
}

fn begun(id: u64) -> Value {
    json!({ "type": "progress", "id": id, "status": "running", "percent": 0 })
}

fn running(id: u64, percent: u64, seconds_left: f64) -> Value {
    json!({
        "type": "progress", "id": id, "status": "running",
        "percent": percent, "seconds_left": seconds_left,
    })
}

fn finished(id: u64) -> Value {
    json!({ "type": "finished", "id": id, "status": "finished", "result": ANY })
}

/// How a task stands, as the last message about it says.
fn last_status(heard: &[Value], id: usize) -> &Value {
    heard.iter().rfind(|message| message["id"] == id).map_or(&Value::Null, |m| &m["type"])
}

fn cancelled(id: u64) -> Value {
    json!({ "type": "cancelled", "id": id, "status": "cancelled" })
}

/// Work in so many steps, each of which does what it is told.
struct Steps<F> {
    done: usize,
    of: usize,
    each: F,
}

fn steps<F: FnMut(usize) + Send + 'static>(of: usize, each: F) -> Steps<F> {
    Steps { done: 0, of, each }
}

impl<F: FnMut(usize) + Send + 'static> Work for Steps<F> {
    fn step(mut self) -> Step<Self> {
        (self.each)(self.done);
        self.done += 1;
        if self.done < self.of {
            return Step::More(self);
        }
        Step::Done(Count { words: self.of, distinct: 0, most_frequent: Vec::new() })
    }

    fn done(&self) -> f64 {
        self.done as f64 / self.of as f64
    }
}

/// Work whose first step is a small one.
struct Uneven(f64);

impl Work for Uneven {
    fn step(self) -> Step<Self> {
        Step::More(Self(if self.0 == 0.0 { 0.1 } else { 0.9 }))
    }

    fn done(&self) -> f64 {
        self.0
    }
}

/// Work that somebody cancels while its progress is on the way to the board.
struct CancelledMeanwhile(Board);

impl Work for CancelledMeanwhile {
    fn step(self) -> Step<Self> {
        Step::More(self)
    }

    fn done(&self) -> f64 {
        let _ = self.0.cancel(1); // To do it twice is no mistake.
        0.5
    }
}

/// A server, and its tasks, to start other work than counting.
fn app_with_tasks() -> (axum::Router, Tasks) {
    let tasks = Tasks::default();
    (app_of(Limits::default(), tasks.clone()), tasks)
}

#[tokio::test(start_paused = true)]
async fn post_tasks_starts_long_work_and_does_not_wait_for_it() -> Check {
    let server = serve(app());
    let before = Instant::now();

    let answer = request(&server, "ana", Method::POST, "/tasks", TEA).await?;

    assert_eq!(answer.status, 202, "accepted, which is not the same as done");
    assert_eq!(answer.headers["location"], "/tasks/1", "where to ask for the result");
    assert_eq!(answer.body, r#"{"id":1,"status":"queued"}"#, "and how it stands");
    assert_eq!(before.elapsed(), ZERO, "no time has passed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_words_of_an_uploaded_text_are_counted() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks", TEA).await?;

    sleep(11 * SECOND).await;

    let task = json!({
        "id": 1,
        "status": "finished",
        "result": {
            "words": 12,
            "distinct": 7,
            "most_frequent": [
                ["tea", 4], ["for", 2], ["two", 2], ["and", 1], ["it's", 1], ["said", 1],
                ["zoë", 1],
            ],
        },
    });
    assert_eq!(get(&server, "ana", "/tasks/1").await?, task, "the result");
    assert_eq!(get(&server, "ana", "/tasks").await?, json!([task]), "and the list");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_socket_pushes_progress_with_per_cent_and_an_estimate() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;

    start(&server, "ana", "/tasks?seconds=10", &"tea ".repeat(1_000)).await?;

    ana.hears(queued(1)).await?;
    ana.hears(begun(1)).await?;
    ana.hears(running(1, 2, 9.8)).await?;
    ana.hears(running(1, 4, 9.6)).await?;
    let heard = hears_all(&mut ana).await;
    let mut before = 4;
    for message in &heard[..heard.len() - 1] {
        let (percent, left) = (&message["percent"], &message["seconds_left"]);
        let percent = percent.as_u64().unwrap_or_default();
        assert!(percent > before, "after {before} per cent came {message}");
        let expected = 10.0 * (1.0 - percent as f64 / 100.0);
        let left = left.as_f64().unwrap_or(-1.0);
        assert!((left - expected).abs() < 0.11, "at {percent} per cent: {message}");
        before = percent;
    }
    assert_eq!(before, 98, "all but the last step");
    assert_eq!(
        heard.last().map(|last| &last["type"]),
        Some(&json!("finished")),
        "the end"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_estimate_follows_the_speed_so_far() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = watcher(&server, "ana", json!([])).await?;

    tasks.start(&username("ana"), Uneven(0.0), 100 * SECOND).expect("a place");

    ana.hears(queued(1)).await?;
    ana.hears(begun(1)).await?;
    ana.hears_nothing_for(9 * SECOND).await?;
    ana.hears(running(1, 10, 90.0)).await?;
    ana.hears_nothing_for(79 * SECOND).await?;
    ana.hears(running(1, 90, 10.0)).await
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_gets_the_state_first_and_then_only_what_changes() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", &"tea ".repeat(1_000)).await?;
    while !ana.hears_any().await?.contains(r#""percent":42"#) {}

    let state = json!([{
        "id": 1, "status": "running", "percent": 42, "seconds_left": 5.8,
    }]);
    let mut late = watcher(&server, "ana", state).await?;

    let (early, late) = (hears_all(&mut ana).await, hears_all(&mut late).await);
    assert_eq!(late[0]["percent"], 44, "the next step, and not 42 again");
    assert_eq!(late, early, "from then on both hear the same: no gap, and no double");
    assert_eq!(late.len(), 29, "28 steps and the end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_the_end_gets_the_result() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks?seconds=1", TEA).await?;
    sleep(2 * SECOND).await;

    let task = json!({ "id": 1, "status": "finished", "result": ANY });
    let mut ana = watcher(&server, "ana", json!([task])).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_vanished_subscriber_stops_nothing() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    let second = watcher(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;

    ana.vanishes().await;
    second.leaves().await?;
    sleep(11 * SECOND).await;

    let task = get(&server, "ana", "/tasks/1").await?;
    assert_eq!(task["status"], "finished", "nobody watched, and it went on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancel_works_over_http_and_every_watcher_hears_it() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;
    ana.hears(begun(1)).await?;

    let answer = cancel(&server, "ana", "/tasks/1").await?;

    assert_eq!(answer.status, 204, "Ana cancels her task: {}", answer.body);
    ana.hears(cancelled(1)).await?;
    ana.hears_nothing_for(ONE_MINUTE).await?;
    assert_eq!(get(&server, "ana", "/tasks/1").await?["status"], "cancelled", "for good");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancel_works_over_the_socket() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;
    ana.hears(begun(1)).await?;

    ana.says(r#"{"type":"cancel","id":1}"#).await?;

    ana.hears(cancelled(1)).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn to_cancel_twice_is_no_mistake() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;

    for _ in 0..2 {
        assert_eq!(cancel(&server, "ana", "/tasks/1").await?.status, 204, "it is so");
    }

    let task = json!({ "id": 1, "status": "cancelled" });
    let mut ana = watcher(&server, "ana", json!([task])).await?;
    ana.says(r#"{"type":"cancel","id":1}"#).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_gives_its_turn_back_at_once() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    for _ in 0..=AT_ONCE {
        start(&server, "ana", "/tasks?seconds=60", "tea").await?;
    }
    while !ana.hears_any().await?.contains(r#""id":3,"status":"queued""#) {}

    ana.says(r#"{"type":"cancel","id":1}"#).await?;

    ana.hears(cancelled(1)).await?;
    ana.hears(begun(3)).await
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_in_the_last_moment_stays_cancelled() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let board = tasks.of(&username("ana"));

    tasks.start(&username("ana"), CancelledMeanwhile(board), ZERO).expect("a place");

    let task = json!({ "id": 1, "status": "cancelled" });
    let mut ana = watcher(&server, "ana", json!([task])).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_cannot_be_cancelled() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks?seconds=0", TEA).await?;
    sleep(SECOND).await;
    let task = json!({ "id": 1, "status": "finished", "result": ANY });
    let mut ana = watcher(&server, "ana", json!([task])).await?;

    let answer = cancel(&server, "ana", "/tasks/1").await?;

    assert_eq!(answer.status, 409, "it is too late to cancel: {}", answer.body);
    assert_eq!(answer.body, "task 1 has ended already", "the result stays");
    ana.says(r#"{"type":"cancel","id":1}"#).await?;
    ana.hears(error("task 1 has ended already")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn cancel_works_while_a_task_waits_for_its_turn() -> Check {
    let server = serve(app());
    for _ in 0..=AT_ONCE {
        start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    }
    let last = AT_ONCE as u64 + 1;

    cancel(&server, "ana", &format!("/tasks/{last}")).await?;
    let mut ana = server.connect("ana", &watching("ana")).await?;

    let heard = hears_all(&mut ana).await;
    assert_eq!(heard[0]["tasks"][AT_ONCE]["status"], "cancelled", "at once");
    let later: Vec<_> = heard.iter().filter(|message| message["id"] == last).collect();
    assert!(later.is_empty(), "its turn never comes: {later:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_a_turn_in_the_order_of_coming() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    for _ in 0..PER_PERSON {
        start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    }

    let heard = hears_all(&mut ana).await;

    let order = |kind: &Value, percent: &Value| -> Vec<u64> {
        let those = heard.iter();
        let those = those.filter(|m| m["type"] == *kind && m["percent"] == *percent);
        those.map(|message| message["id"].as_u64().unwrap_or_default()).collect()
    };
    assert_eq!(order(&json!("progress"), &json!(0)), [1, 2, 3, 4, 5], "they begin");
    assert_eq!(order(&json!("finished"), &Value::Null), [1, 2, 3, 4, 5], "they end");
    let third = heard.iter().position(|message| *message == begun(3));
    let first_end = heard.iter().position(|message| message["type"] == "finished");
    assert!(third > first_end, "the third waits until one has ended");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_people_do_not_see_the_tasks_of_each_other() -> Check {
    let server = serve(app());
    let mut ben = watcher(&server, "ben", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;

    assert_eq!(get(&server, "ben", "/tasks").await?, json!([]), "Ben has none");
    for method in [Method::GET, Method::DELETE] {
        let answer = request(&server, "ben", method, "/tasks/1", "").await?;
        assert_eq!(answer.status, 404, "Ben has no task 1: {}", answer.body);
        assert_eq!(answer.body, "you have no task 1", "nor can he name hers");
    }
    ben.says(r#"{"type":"cancel","id":1}"#).await?;
    ben.hears(error("you have no task 1")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;

    let task = get(&server, "ana", "/tasks/1").await?;
    assert_eq!(task["status"], "finished", "and hers went on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_person_has_so_many_unfinished_tasks_and_no_more() -> Check {
    let server = serve(app());
    for _ in 0..PER_PERSON {
        start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    }

    let answer = request(&server, "ana", Method::POST, "/tasks", TEA).await?;

    assert_eq!(answer.status, 429, "one task too many for Ana: {}", answer.body);
    let sentence = "5 of your tasks are unfinished. Wait, or cancel one.";
    assert_eq!(answer.body, sentence, "what to do");
    assert_eq!(answer.headers["retry-after"], "10", "and when");
    start(&server, "ben", "/tasks", TEA).await?;
    cancel(&server, "ana", "/tasks/3").await?;
    start(&server, "ana", "/tasks", TEA).await
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_unfinished_tasks_in_all_and_no_more() -> Check {
    let server = serve(app());
    let people = ["ana", "ben", "cem"];
    for i in 0..IN_ALL {
        start(&server, people[i % 3], "/tasks?seconds=10", TEA).await?;
    }

    let answer = request(&server, "ana", Method::POST, "/tasks", TEA).await?;

    assert_eq!(answer.status, 503, "one task too many for us: {}", answer.body);
    assert_eq!(answer.headers["retry-after"], "10", "when to try again");
    cancel(&server, "cem", "/tasks/4").await?;
    start(&server, "ana", "/tasks", TEA).await
}

#[tokio::test(start_paused = true)]
async fn what_ended_long_ago_is_forgotten() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    for _ in 0..=REMEMBERED {
        start(&server, "ana", "/tasks?seconds=0", "tea").await?;
        while !ana.hears_any().await?.contains("finished") {}
    }

    ana.hears_nothing_for(ONE_MINUTE).await?;
    let list = get(&server, "ana", "/tasks").await?;
    let ids: Vec<_> = list.as_array().into_iter().flatten().map(|t| &t["id"]).collect();
    assert_eq!(ids.len(), REMEMBERED, "the list does not grow for ever: {ids:?}");
    assert_eq!(ids[0], 2, "the first one is forgotten");
    let answer = request(&server, "ana", Method::GET, "/tasks/1", "").await?;
    assert_eq!(answer.status, 404, "the first one is gone: {}", answer.body);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_what_is_forgotten() -> Check {
    let server = serve(app());
    for _ in 0..REMEMBERED {
        start(&server, "ana", "/tasks?seconds=0", "tea").await?;
        sleep(SECOND).await;
    }
    let mut ana = server.connect("ana", &watching("ana")).await?;
    ana.hears_any().await?;

    start(&server, "ana", "/tasks?seconds=0", "tea").await?;

    let heard = hears_all(&mut ana).await;
    let forgotten = json!({ "type": "forgotten", "id": 1 });
    assert!(heard.contains(&forgotten), "Ana's list would grow for ever");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_task_that_runs_long_is_not_forgotten_when_it_ends() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=30", TEA).await?;
    for _ in 0..REMEMBERED {
        start(&server, "ana", "/tasks?seconds=0", "tea").await?;
        sleep(SECOND).await;
    }

    let heard = hears_all(&mut ana).await;

    assert_eq!(last_status(&heard, 1), "finished", "the last to end is the last to go");
    assert_eq!(
        get(&server, "ana", "/tasks/1").await?["status"],
        "finished",
        "still here"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_skips_what_is_no_longer_true() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = watcher(&server, "ana", json!([])).await?;
    ana.stops_reading();
    for _ in 0..PER_PERSON {
        let work = steps(100, |_| {});
        tasks.start(&username("ana"), work, 2 * SECOND).expect("a place");
    }
    sleep(8 * SECOND).await;

    ana.reads_again();
    let heard = hears_all(&mut ana).await;

    let all = PER_PERSON * 100;
    assert!(heard.len() < all / 2, "she hears {} of {all} changes", heard.len());
    for id in 1..=PER_PERSON {
        assert_eq!(last_status(&heard, id), "finished", "how task {id} stands now");
    }
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn work_that_breaks_off_is_failed_and_takes_nothing_else_down() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = watcher(&server, "ana", json!([])).await?;
    let broken =
        || steps(10, |step| assert!(step < 3, "this work is broken, on purpose"));

    for _ in 0..=AT_ONCE {
        tasks.start(&username("ana"), broken(), SECOND).expect("a place");
    }

    let heard = hears_all(&mut ana).await;
    for id in 1..=AT_ONCE + 1 {
        assert_eq!(last_status(&heard, id), "failed", "task {id}, which had its turn");
    }
    let told = get(&server, "ana", "/tasks/1").await?;
    let message = "the work broke off, and that is our fault";
    assert_eq!(told["message"], message, "what happened");
    start(&server, "ana", "/tasks?seconds=0", TEA).await?;
    while !ana.hears_any().await?.contains("finished") {}
    Ok(())
}

#[tokio::test]
async fn the_async_threads_are_free_while_the_work_runs() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve_tcp(app).await?;
    let mut ana = server.connect("ana", &watching("ana")).await?;
    ana.hears_any().await?;
    let busy = steps(1, |_| {
        let start = RealInstant::now();
        while start.elapsed() < SECOND {}
    });

    let begin = RealInstant::now();
    tasks.start(&username("ana"), busy, ZERO).expect("a place");
    while !ana.hears_any().await?.contains("running") {}
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await?;

    let waited = begin.elapsed();
    assert!(waited < SECOND / 2, "the work stopped the server: a pong took {waited:?}");
    ana.hears(finished(1)).await
}

#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_interrupted_keeps_its_turn_to_the_end() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = watcher(&server, "ana", json!([])).await?;
    let mut gates = Vec::new();
    for _ in 0..=AT_ONCE {
        let (gate, closed) = mpsc::channel::<()>();
        let work = steps(2, move |_| {
            let _ = closed.recv(); // Until the gate is gone.
        });
        tasks.start(&username("ana"), work, ZERO).expect("a place");
        gates.push(gate);
    }
    while !ana.hears_any().await?.contains(r#""id":2,"status":"running""#) {}

    ana.says(r#"{"type":"cancel","id":1}"#).await?;
    ana.hears(cancelled(1)).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await?;
    gates.remove(0);

    ana.hears(begun(3)).await?;
    drop(gates);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_text_of_one_mebibyte_is_counted_and_one_byte_more_is_refused() -> Check {
    let server = serve(app());
    let mut text = "tea ".repeat(TEXT_LIMIT / 4);
    let mut ana = watcher(&server, "ana", json!([])).await?;

    start(&server, "ana", "/tasks?seconds=1", &text).await?;
    text.push('!');
    let answer = request(&server, "ana", Method::POST, "/tasks", text).await?;

    assert_eq!(answer.status, 413, "one byte too many: {}", answer.body);
    let sentence = "This text is too long: the limit is 1048576 bytes.";
    assert_eq!(answer.body, sentence, "how much would do");
    let heard = hears_all(&mut ana).await;
    let result = heard.last().map(|last| &last["result"]["words"]);
    assert_eq!(result, Some(&json!(TEXT_LIMIT / 4)), "all of it was counted");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_text_without_anything_in_it_is_refused() -> Check {
    let server = serve(app());

    for text in ["", " \n\t "] {
        let answer = request(&server, "ana", Method::POST, "/tasks", text).await?;
        assert_eq!(answer.status, 422, "there is nothing in {text:?}: {}", answer.body);
        let sentence = "There is nothing to count: send a text.";
        assert_eq!(answer.body, sentence, "what to do");
    }
    assert_eq!(get(&server, "ana", "/tasks").await?, json!([]), "no task began");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn seconds_that_make_no_sense_are_refused() -> Check {
    let server = serve(app());

    for (seconds, sentence) in [
        ("61", "61 seconds are too many: the limit is 60"),
        ("-1", "invalid digit"),
        ("soon", "invalid digit"),
        ("1e9", "invalid digit"),
    ] {
        let path = format!("/tasks?seconds={seconds}");
        let answer = request(&server, "ana", Method::POST, &path, TEA).await?;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert!(answer.body.contains(sentence), "{path}: {}", answer.body);
    }
    start(&server, "ana", "/tasks?seconds=60", TEA).await
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let request = AnyRequest::new(Body::from(vec![0xff, 0xfe]));

    let refusal = Text::from_request(request, &()).await.err();

    let (status, sentence) = refusal.expect("this is not text");
    assert_eq!(status, 400, "{sentence}");
    assert_eq!(sentence, "This is not text in UTF-8.", "why");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_there_are_no_tasks() -> Check {
    let server = serve(app());

    server.rejects("Eve", "/ws/tasks", 401).await?;
    for (method, path) in [
        (Method::POST, "/tasks"),
        (Method::GET, "/tasks"),
        (Method::GET, "/tasks/1"),
        (Method::DELETE, "/tasks/1"),
    ] {
        let bare = Request::builder().method(method.clone()).uri(path).body(TEA.into());
        let answer = server.request(bare.expect("a good request")).await?;
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_site_starts_and_cancels_nothing() -> Check {
    let server = serve(app());
    let origin = ("origin", "http://evil.example");
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;

    server.rejects_with("Eve", &watching("ana"), &[origin], 403).await?;
    for (method, path) in [(Method::POST, "/tasks"), (Method::DELETE, "/tasks/1")] {
        let foreign = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("cookie", format!("{}={}", crate::guards::COOKIE, token("ana")))
            .header(origin.0, origin.1)
            .body(TEA.into());
        let answer = server.request(foreign.expect("a good request")).await?;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_only_watches_is_not_idle() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;

    ana.hears_nothing_for(IDLE_AFTER + ONE_MINUTE).await?;

    start(&server, "ana", "/tasks", TEA).await?;
    ana.hears(queued(1)).await
}

#[tokio::test(start_paused = true)]
async fn bad_input_of_a_watcher_is_answered_and_not_punished() -> Check {
    let server = serve(app());
    let mut ana = watcher(&server, "ana", json!([])).await?;
    let mistakes = [
        ("hello", r#"a message is a JSON object, such as {"type":"ping"}"#),
        (
            r#"{"type":"chat","content":"Hello"}"#,
            "unknown variant `chat`, expected `cancel` or `ping` at line 1 column 14",
        ),
        (r#"{"type":"cancel"}"#, "missing field `id`"),
        (r#"{"type":"cancel","id":7}"#, "you have no task 7"),
    ];

    for (mistake, sentence) in mistakes {
        ana.says(mistake).await?;
        ana.hears(error(sentence)).await?;
    }
    for id in ["-1", "1.5", r#""1""#, "18446744073709551616"] {
        ana.says(format!(r#"{{"type":"cancel","id":{id}}}"#)).await?;
        let heard = ana.hears_any().await?;
        assert!(heard.contains(r#""type":"error""#), "after {id}: {heard}");
    }
    ana.sends_binary(b"{}").await?;
    ana.hears(error("this server reads text, not binary")).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await
}

#[test]
fn a_word_that_is_cut_by_a_step_is_counted_once() {
    let text = "Zoë says “tea”, naïveté, Straße, 茶を飲む, чай and don't — ☕️!\n";
    let whole = count(&text.replace('\n', ""));

    for times in 1..40 {
        let counted = count(&text.repeat(times));
        assert_eq!(counted.words, whole.words * times, "{times} times the same");
        assert_eq!(counted.distinct, whole.distinct, "and no new word among them");
    }
}

#[test]
fn a_word_without_an_end_does_not_come_back_whole() {
    let counted = count(&"é".repeat(TEXT_LIMIT / 2));

    assert_eq!((counted.words, counted.distinct), (1, 1), "it is one word");
    let (word, _) = &counted.most_frequent[0];
    assert_eq!(word.chars().count(), 40, "of which the beginning will do");
}

#[test]
fn ten_words_are_the_most_frequent_and_equals_stand_in_order() {
    let text: String = (0..20).map(|i| format!("w{i:02} ").repeat(20 - i / 2)).collect();

    let words: Vec<String> =
        count(&text).most_frequent.into_iter().map(|(word, _)| word).collect();

    let expected: Vec<_> = (0..10).map(|i| format!("w{i:02}")).collect();
    assert_eq!(words, expected, "by number, and then by name");
}

/// Counts a text, step by step.
fn count(text: &str) -> Count {
    let mut work = Counting::of(text.into());
    loop {
        match work.step() {
            Step::More(rest) => work = rest,
            Step::Done(count) => return count,
        }
    }
}
