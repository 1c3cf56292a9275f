use std::{
    sync::mpsc,
    time::{Duration, Instant as RealInstant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{
        Method, Request,
        header::{AUTHORIZATION, COOKIE},
    },
};
use probe::{
    ANY, Check, Client, Hint, ONE_MINUTE, Response, Server, json::error, serve, serve_tcp,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use super::{
    app, app_with,
    people::{at_least_one, config, token, username},
    routes, state,
};
use crate::{
    config::Config,
    sizes::MAX_BODY_SIZE,
    tasks::{
        AT_ONCE, IN_ALL, PER_PERSON, REMEMBERED, Step, Tasks, UserTasks, WordCount,
        WordCounter, Work, start as start_work,
    },
};

mod conformance {
    use super::*;

    probe::conformance!(app(), &path("ana"));
}

const PACKAGE: &str = env!("CARGO_PKG_NAME");
const TEA: &str =
    "Tea for two, and two for tea. \u{201c}Tea!\u{201d} said Zoë: it's tea.";
/// Longer than a client of the chat may be silent (`session/heartbeat.rs`).
const IDLE: Duration = Duration::from_secs(11 * 60);
const ZERO: Duration = Duration::ZERO;
const SECOND: Duration = Duration::from_secs(1);

/// Where somebody subscribes to the progress of their tasks.
fn path(name: &str) -> String {
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
        .header(AUTHORIZATION, format!("Bearer {}", token(name)))
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

/// The sentence of an answer that refuses something.
fn message(answer: &Response) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    body["message"].as_str().unwrap_or_default().into()
}

/// A subscriber that has received the state of its tasks.
async fn subscriber(server: &Server, name: &str, tasks: Value) -> Result<Client, Hint> {
    let mut client = server.connect(name, &path(name)).await?;
    client.hears(json!({ "type": "tasks", "tasks": tasks })).await?;
    Ok(client)
}

/// All that a subscriber receives until nothing has come for a minute.
async fn hears_all(client: &mut Client) -> Vec<Value> {
    let heard = client.hears_out(ONE_MINUTE).await;
    heard.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect()
}

fn queued(id: u64) -> Value {
    json!({ "type": "progress", "id": id, "status": "queued" })
}

fn started(id: u64) -> Value {
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

/// The type of the last message about a task.
fn last_status(heard: &[Value], id: usize) -> &Value {
    heard.iter().rfind(|message| message["id"] == id).map_or(&Value::Null, |m| &m["type"])
}

fn cancelled(id: u64) -> Value {
    json!({ "type": "cancelled", "id": id, "status": "cancelled" })
}

/// Work in so many steps, each of which calls `each` with its number.
struct Steps<F> {
    done: usize,
    of: usize,
    each: F,
}

fn steps<F: FnMut(usize) + Send + 'static>(of: usize, each: F) -> Steps<F> {
    Steps { done: 0, of, each }
}

impl<F: FnMut(usize) + Send + 'static> Work for Steps<F> {
    type Output = WordCount;

    fn step(mut self) -> Step<Self> {
        (self.each)(self.done);
        self.done += 1;
        if self.done < self.of {
            return Step::More(self);
        }
        Step::Done(WordCount { words: self.of, distinct: 0, most_frequent: Vec::new() })
    }

    fn done(&self) -> f64 {
        self.done as f64 / self.of as f64
    }
}

/// Work whose first step is a small one.
struct Uneven(f64);

impl Work for Uneven {
    type Output = WordCount;

    fn step(self) -> Step<Self> {
        Step::More(Self(if self.0 == 0.0 { 0.1 } else { 0.9 }))
    }

    fn done(&self) -> f64 {
        self.0
    }
}

/// Work that somebody cancels immediately before its progress is published.
struct CancelledMeanwhile(UserTasks);

impl Work for CancelledMeanwhile {
    type Output = WordCount;

    fn step(self) -> Step<Self> {
        Step::More(self)
    }

    fn done(&self) -> f64 {
        let _ = self.0.cancel(1); // To do it twice is no mistake.
        0.5
    }
}

/// The application and its tasks, to start other work than counting.
fn app_with_tasks() -> (Router, Tasks) {
    let config = config();
    let state = state(&config);
    let tasks = state.tasks.clone();
    (routes(state, &config), tasks)
}

#[tokio::test(start_paused = true)]
async fn post_tasks_starts_long_work_and_does_not_wait_for_it() -> Check {
    let server = serve(app());
    let before = Instant::now();

    let answer = request(&server, "ana", Method::POST, "/tasks", TEA).await?;

    assert_eq!(answer.status, 202, "accepted, which is not the same as done");
    assert_eq!(answer.headers["location"], "/tasks/1", "where to ask for the result");
    assert_eq!(answer.body, r#"{"id":1,"status":"queued"}"#, "and its state");
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
    let mut ana = subscriber(&server, "ana", json!([])).await?;

    start(&server, "ana", "/tasks?seconds=10", &"tea ".repeat(1_000)).await?;

    ana.hears(queued(1)).await?;
    ana.hears(started(1)).await?;
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
    let mut ana = subscriber(&server, "ana", json!([])).await?;

    start_work(&tasks, &username("ana"), Uneven(0.0), 100 * SECOND).expect("a permit");

    ana.hears(queued(1)).await?;
    ana.hears(started(1)).await?;
    ana.hears_nothing_for(9 * SECOND).await?;
    ana.hears(running(1, 10, 90.0)).await?;
    ana.hears_nothing_for(79 * SECOND).await?;
    ana.hears(running(1, 90, 10.0)).await
}

#[tokio::test(start_paused = true)]
async fn a_late_subscriber_gets_the_state_first_and_then_only_what_changes() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", &"tea ".repeat(1_000)).await?;
    while !ana.hears_any().await?.contains(r#""percent":42"#) {}

    let state = json!([{
        "id": 1, "status": "running", "percent": 42, "seconds_left": 5.8,
    }]);
    let mut late = subscriber(&server, "ana", state).await?;

    let (early, late) = (hears_all(&mut ana).await, hears_all(&mut late).await);
    assert_eq!(late[0]["percent"], 44, "the next step, and not 42 again");
    assert_eq!(late, early, "from then on both hear the same: no gap, and no double");
    assert_eq!(late.len(), 29, "28 steps and the end");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_subscribes_after_the_end_gets_the_result() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks?seconds=1", TEA).await?;
    sleep(2 * SECOND).await;

    let task = json!({ "id": 1, "status": "finished", "result": ANY });
    let mut ana = subscriber(&server, "ana", json!([task])).await?;

    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_vanished_subscriber_stops_nothing() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    let second = subscriber(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;

    ana.vanishes().await;
    second.leaves().await?;
    sleep(11 * SECOND).await;

    let task = get(&server, "ana", "/tasks/1").await?;
    assert_eq!(task["status"], "finished", "nobody was connected, and it went on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancel_works_over_http_and_every_subscriber_receives_it() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;
    ana.hears(started(1)).await?;

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
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;
    ana.hears(queued(1)).await?;
    ana.hears(started(1)).await?;

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
    let mut ana = subscriber(&server, "ana", json!([task])).await?;
    ana.says(r#"{"type":"cancel","id":1}"#).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_gives_its_turn_back_at_once() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    for _ in 0..=AT_ONCE {
        start(&server, "ana", "/tasks?seconds=60", "tea").await?;
    }
    while !ana.hears_any().await?.contains(r#""id":3,"status":"queued""#) {}

    ana.says(r#"{"type":"cancel","id":1}"#).await?;

    ana.hears(cancelled(1)).await?;
    ana.hears(started(3)).await
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_in_the_last_moment_stays_cancelled() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let user_tasks = tasks.of(&username("ana"));

    start_work(&tasks, &username("ana"), CancelledMeanwhile(user_tasks), ZERO)
        .expect("a permit");

    let task = json!({ "id": 1, "status": "cancelled" });
    let mut ana = subscriber(&server, "ana", json!([task])).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_cannot_be_cancelled() -> Check {
    let server = serve(app());
    start(&server, "ana", "/tasks?seconds=0", TEA).await?;
    sleep(SECOND).await;
    let task = json!({ "id": 1, "status": "finished", "result": ANY });
    let mut ana = subscriber(&server, "ana", json!([task])).await?;

    let answer = cancel(&server, "ana", "/tasks/1").await?;

    assert_eq!(answer.status, 409, "it is too late to cancel: {}", answer.body);
    assert_eq!(message(&answer), "task 1 has ended already", "the result stays");
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
    let mut ana = server.connect("ana", &path("ana")).await?;

    let heard = hears_all(&mut ana).await;
    assert_eq!(heard[0]["tasks"][AT_ONCE]["status"], "cancelled", "at once");
    let later: Vec<_> = heard.iter().filter(|message| message["id"] == last).collect();
    assert!(later.is_empty(), "its turn never comes: {later:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_a_turn_in_the_order_of_coming() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
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
    let third = heard.iter().position(|message| *message == started(3));
    let first_end = heard.iter().position(|message| message["type"] == "finished");
    assert!(third > first_end, "the third waits until one has ended");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_people_do_not_see_the_tasks_of_each_other() -> Check {
    let server = serve(app());
    let mut ben = subscriber(&server, "ben", json!([])).await?;
    start(&server, "ana", "/tasks?seconds=10", TEA).await?;

    assert_eq!(get(&server, "ben", "/tasks").await?, json!([]), "Ben has none");
    for method in [Method::GET, Method::DELETE] {
        let answer = request(&server, "ben", method, "/tasks/1", "").await?;
        assert_eq!(answer.status, 404, "Ben has no task 1: {}", answer.body);
        assert_eq!(message(&answer), "you have no task 1", "nor can he name hers");
    }
    ben.says(r#"{"type":"cancel","id":1}"#).await?;
    ben.hears(error("you have no task 1")).await?;
    ben.hears_nothing_for(ONE_MINUTE).await?;

    let task = get(&server, "ana", "/tasks/1").await?;
    assert_eq!(task["status"], "finished", "and hers went on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_method_that_is_not_allowed_is_answered_in_json() -> Check {
    let server = serve(app());

    for (method, path) in [(Method::POST, "/tasks/7"), (Method::POST, "/rooms")] {
        let answer = request(&server, "ana", method, path, "").await?;
        assert_eq!(answer.status, 405, "{path}: {}", answer.body);
        assert_eq!(message(&answer), "This method is not allowed here.", "{path}");
    }
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
    let sentence =
        "5 of your tasks are unfinished: wait, or cancel one. Try again in 10 s.";
    assert_eq!(message(&answer), sentence, "what to do");
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
    let mut ana = subscriber(&server, "ana", json!([])).await?;
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
async fn a_subscriber_receives_what_is_forgotten() -> Check {
    let server = serve(app());
    for _ in 0..REMEMBERED {
        start(&server, "ana", "/tasks?seconds=0", "tea").await?;
        sleep(SECOND).await;
    }
    let mut ana = server.connect("ana", &path("ana")).await?;
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
    let mut ana = subscriber(&server, "ana", json!([])).await?;
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
async fn a_slow_subscriber_skips_what_is_no_longer_true() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    ana.stops_reading();
    for _ in 0..PER_PERSON {
        let work = steps(100, |_| {});
        start_work(&tasks, &username("ana"), work, 2 * SECOND).expect("a permit");
    }
    sleep(8 * SECOND).await;

    ana.reads_again();
    let heard = hears_all(&mut ana).await;

    let all = PER_PERSON * 100;
    assert!(heard.len() < all / 2, "she hears {} of {all} changes", heard.len());
    for id in 1..=PER_PERSON {
        assert_eq!(last_status(&heard, id), "finished", "the state of task {id} now");
    }
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn work_that_breaks_off_is_failed_and_takes_nothing_else_down() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    let broken =
        || steps(10, |step| assert!(step < 3, "this work is broken, on purpose"));

    for _ in 0..=AT_ONCE {
        start_work(&tasks, &username("ana"), broken(), SECOND).expect("a permit");
    }

    let heard = hears_all(&mut ana).await;
    for id in 1..=AT_ONCE + 1 {
        assert_eq!(last_status(&heard, id), "failed", "task {id}, which had its turn");
    }
    let task = get(&server, "ana", "/tasks/1").await?;
    let message = "the work broke off, and that is our fault";
    assert_eq!(task["message"], message, "what happened");
    start(&server, "ana", "/tasks?seconds=0", TEA).await?;
    while !ana.hears_any().await?.contains("finished") {}
    Ok(())
}

#[tokio::test]
async fn the_async_threads_are_free_while_the_work_runs() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve_tcp(app).await?;
    let mut ana = server.connect("ana", &path("ana")).await?;
    ana.hears_any().await?;
    let busy = steps(1, |_| {
        let start = RealInstant::now();
        while start.elapsed() < SECOND {}
    });

    let begin = RealInstant::now();
    start_work(&tasks, &username("ana"), busy, ZERO).expect("a permit");
    while !ana.hears_any().await?.contains("running") {}
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await?;

    let waited = begin.elapsed();
    assert!(
        waited < SECOND * 9 / 10,
        "the work stopped the server: a pong took {waited:?}"
    );
    ana.hears(finished(1)).await
}

#[tokio::test(start_paused = true)]
async fn a_step_that_cannot_be_interrupted_keeps_its_turn_to_the_end() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    let mut blocked = Vec::new();
    for _ in 0..=AT_ONCE {
        let (unblock, blocker) = mpsc::channel::<()>();
        let work = steps(2, move |_| {
            let _ = blocker.recv(); // Until the sender is dropped.
        });
        start_work(&tasks, &username("ana"), work, ZERO).expect("a permit");
        blocked.push(unblock);
    }
    while !ana.hears_any().await?.contains(r#""id":2,"status":"running""#) {}

    ana.says(r#"{"type":"cancel","id":1}"#).await?;
    ana.hears(cancelled(1)).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(json!({ "type": "pong" })).await?;
    drop(blocked.remove(0));

    ana.hears(started(3)).await?;
    drop(blocked);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_text_of_one_mebibyte_is_counted_and_one_byte_more_is_refused() -> Check {
    let server = serve(app());
    let mut text = "tea ".repeat(MAX_BODY_SIZE / 4);
    let mut ana = subscriber(&server, "ana", json!([])).await?;

    start(&server, "ana", "/tasks?seconds=1", &text).await?;
    text.push('!');
    let answer = request(&server, "ana", Method::POST, "/tasks", text).await?;

    assert_eq!(answer.status, 413, "one byte too many: {}", answer.body);
    let sentence = "This text is too long: the limit is 1048576 bytes.";
    assert_eq!(message(&answer), sentence, "how much would do");
    let heard = hears_all(&mut ana).await;
    let result = heard.last().map(|last| &last["result"]["words"]);
    assert_eq!(result, Some(&json!(MAX_BODY_SIZE / 4)), "all of it was counted");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_text_without_anything_in_it_is_refused() -> Check {
    let server = serve(app());

    for text in ["", " \n\t "] {
        let answer = request(&server, "ana", Method::POST, "/tasks", text).await?;
        assert_eq!(answer.status, 422, "there is nothing in {text:?}: {}", answer.body);
        let sentence = "There is nothing to count: send a text.";
        assert_eq!(message(&answer), sentence, "what to do");
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
    let request = Request::post("/tasks")
        .header(AUTHORIZATION, format!("Bearer {}", token("ana")))
        .body(Body::from(vec![0xff, 0xfe]));

    let answer = app().oneshot(request.expect("a good request")).await;

    let answer = answer.expect("a router always answers");
    assert_eq!(answer.status(), 400, "two bytes that are no UTF-8");
    let body = to_bytes(answer.into_body(), 1024).await.unwrap_or_default();
    let sentence = r#"{"message":"This is not text in UTF-8."}"#;
    assert_eq!(String::from_utf8_lossy(&body), sentence, "why");
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

    server.rejects_with("Eve", &path("ana"), &[origin], 403).await?;
    for (method, path) in [(Method::POST, "/tasks"), (Method::DELETE, "/tasks/1")] {
        let foreign = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(COOKIE, format!("{PACKAGE}_token={}", token("ana")))
            .header(origin.0, origin.1)
            .body(TEA.into());
        let answer = server.request(foreign.expect("a good request")).await?;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_only_receives_is_not_idle() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;

    ana.hears_nothing_for(IDLE).await?;

    start(&server, "ana", "/tasks", TEA).await?;
    ana.hears(queued(1)).await
}

#[tokio::test(start_paused = true)]
async fn bad_input_of_a_subscriber_is_answered_and_not_punished() -> Check {
    let server = serve(app());
    let mut ana = subscriber(&server, "ana", json!([])).await?;
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

/// How many requests are allowed in ten seconds, if one tries all the time. `next` is
/// called for each of them. Without a limit there would be no end, so a thousand will do.
async fn allowed_in_ten_seconds(
    server: &Server,
    mut next: impl FnMut() -> (Method, &'static str),
) -> Result<usize, Hint> {
    let (mut allowed, start) = (0, Instant::now());
    while start.elapsed() <= 10 * SECOND && allowed < 1_000 {
        let (method, path) = next();
        let answer = request(server, "ana", method, path, "").await?;
        if answer.status == 429 {
            assert_eq!(answer.headers["retry-after"], "1", "when to try again");
            sleep(SECOND / 40).await;
        } else {
            allowed += 1;
        }
    }
    Ok(allowed)
}

#[tokio::test(start_paused = true)]
async fn starting_and_cancelling_count_against_the_rate_of_changes() -> Check {
    let server = serve(app());
    let changes = [(Method::POST, "/tasks"), (Method::DELETE, "/tasks/7")];
    let mut changes = changes.into_iter().cycle();

    let allowed = allowed_in_ten_seconds(&server, || changes.next().expect("a cycle"));

    assert_eq!(allowed.await?, 200 + 10 * 20, "a burst, and then so many a second");
    assert_eq!(get(&server, "ana", "/tasks").await?, json!([]), "she may still read");
    start(&server, "ben", "/tasks", TEA).await
}

#[tokio::test(start_paused = true)]
async fn reading_counts_against_the_rate_of_reads() -> Check {
    let server = serve(app());
    let mut reads = ["/tasks", "/tasks/7"].into_iter().cycle();

    let allowed =
        allowed_in_ten_seconds(&server, || (Method::GET, reads.next().expect("a cycle")));

    assert_eq!(allowed.await?, 100 + 10 * 20, "a burst, and then so many a second");
    start(&server, "ana", "/tasks", TEA).await?;
    assert_eq!(get(&server, "ben", "/tasks").await?, json!([]), "Ben may still read");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn cancelling_over_the_socket_counts_against_the_rate_of_messages() -> Check {
    let server = serve(app_with(Config { message_burst: at_least_one(4), ..config() }));
    let mut ana = subscriber(&server, "ana", json!([])).await?;

    for _ in 0..3 {
        ana.says(r#"{"type":"cancel","id":7}"#).await?;
    }

    // To connect has cost two of the four.
    ana.hears(error("you have no task 7")).await?;
    ana.hears(error("you have no task 7")).await?;
    ana.hears(error("too many messages: try again in 0.1 seconds")).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_keeps_its_permit_until_its_step_has_ended() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);
    let mut ana = subscriber(&server, "ana", json!([])).await?;
    let (unblock, blocker) = mpsc::channel::<()>();
    let work = steps(2, move |_| {
        let _ = blocker.recv(); // Until the sender is dropped.
    });
    start_work(&tasks, &username("ana"), work, ZERO).expect("a permit");
    ana.hears(queued(1)).await?;
    ana.hears(started(1)).await?;
    for i in 1..IN_ALL {
        start(&server, ["ana", "ben", "cem"][i % 3], "/tasks?seconds=10", TEA).await?;
    }

    cancel(&server, "ana", "/tasks/1").await?;
    let while_it_runs = request(&server, "ana", Method::POST, "/tasks", TEA).await?;
    drop(unblock);
    sleep(SECOND).await;

    assert_eq!(while_it_runs.status, 503, "its step runs: {}", while_it_runs.body);
    start(&server, "ana", "/tasks", TEA).await
}

#[tokio::test(start_paused = true)]
async fn only_people_with_an_account_take_up_memory() -> Check {
    let (app, tasks) = app_with_tasks();
    let server = serve(app);

    get(&server, "ana", "/tasks").await?;
    for i in 0..100 {
        let stranger = format!("stranger{i}");
        let answer = request(&server, &stranger, Method::POST, "/tasks", TEA).await?;
        assert_eq!(answer.status, 401, "there is no such account: {}", answer.body);
        server.rejects(&stranger, &path(&stranger), 401).await?;
    }

    assert_eq!(tasks.users(), 1, "Ana, and nobody else, whoever has signed a token");
    Ok(())
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
    let counted = count(&"é".repeat(MAX_BODY_SIZE / 2));

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
fn count(text: &str) -> WordCount {
    let mut work = WordCounter::of(text.into());
    loop {
        match work.step() {
            Step::More(rest) => work = rest,
            Step::Done(count) => return count,
        }
    }
}
