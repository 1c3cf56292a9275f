//! What the tasks promise.

use std::{
    sync::mpsc,
    time::{Duration, Instant as RealInstant},
};

use axum::http::{
    Method, Request,
    header::{AUTHORIZATION, COOKIE, ORIGIN},
};
use probe::{
    ANY, Check, Client, Hint, ONE_MINUTE, Response, Server,
    json::{error, pong},
    serve, serve_by, serve_tcp,
};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, advance, sleep, timeout},
};

use super::{
    app, app_of,
    people::{path, token, username},
};
use crate::{
    STOP_TIMEOUT,
    task_list::{AT_ONCE, BURST, PER_PERSON, Tasks},
    word_count::WordCount,
    worker::{TaskHandle, start},
};

const SECOND: Duration = Duration::from_secs(1);

const TEA: &str =
    "Tea for two, and two for tea. \u{201c}Tea!\u{201d} said Zoë: it's tea.";

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

async fn post(server: &Server, name: &str, text: &str) -> Result<Response, Hint> {
    request(server, name, Method::POST, "/tasks", text).await
}

async fn get(server: &Server, name: &str, id: u64) -> Result<Value, Hint> {
    let answer = request(server, name, Method::GET, &format!("/tasks/{id}"), "").await?;
    assert_eq!(answer.status, 200, "{name} asks for task {id}: {}", answer.body);
    Ok(serde_json::from_str(&answer.body).unwrap_or_default())
}

async fn cancel(server: &Server, name: &str, id: u64) -> Result<Response, Hint> {
    request(server, name, Method::DELETE, &format!("/tasks/{id}"), "").await
}

async fn subscribe(server: &Server, name: &str) -> Result<Client, Hint> {
    server.connect(name, &format!("/ws/tasks?token={}", token(name))).await
}

/// Reads states until all of these tasks, the oldest first, look like this.
async fn until(client: &mut Client, expected: &[Value]) -> Check {
    loop {
        let text = client.hears_any().await?;
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        let tasks = state["tasks"].as_array().cloned().unwrap_or_default();
        let is_as = |(task, expected): (&Value, &Value)| task["status"] == *expected;
        if tasks.len() == expected.len() && tasks.iter().zip(expected).all(is_as) {
            return Ok(());
        }
    }
}

/// Reads states until the tasks have these states, the oldest first.
async fn hears_states(client: &mut Client, expected: &[&str]) -> Check {
    let expected: Vec<_> = expected.iter().map(|status| json!(status)).collect();
    until(client, &expected).await
}

fn state(tasks: Value) -> Value {
    json!({ "type": "tasks", "tasks": tasks })
}

fn running(percent: u64, seconds_left: Value) -> Value {
    let status = "running";
    json!({ "id": 1, "status": status, "percent": percent, "seconds_left": seconds_left })
}

fn counted(words: usize) -> Option<WordCount> {
    Some(WordCount { words, distinct: 1 })
}

/// Work that reports each share that it is sent, and ends with the sender.
///
/// While it runs, a paused clock stands still. So who connects or leaves meanwhile does it
/// in a test whose clock is not paused.
fn work() -> (mpsc::Sender<f64>, impl FnOnce(&TaskHandle) -> Option<WordCount>) {
    let (sender, shares) = mpsc::channel();
    let work = move |task: &TaskHandle| {
        for share in shares {
            if task.is_cancelled() {
                return None;
            }
            task.report(share);
        }
        if task.is_cancelled() { None } else { counted(1) }
    };
    (sender, work)
}

/// Starts such work for somebody.
fn begin(tasks: &Tasks, name: &str) -> mpsc::Sender<f64> {
    let (sender, work) = work();
    assert!(start(tasks, &username(name), work).is_ok(), "{name} starts a task");
    sender
}

fn send(work: &mpsc::Sender<f64>, share: f64) {
    work.send(share).expect("the work goes on");
}

#[tokio::test(start_paused = true)]
async fn post_tasks_starts_long_work_and_does_not_wait_for_it() -> Check {
    let server = serve(app());
    let before = Instant::now();

    let answer = post(&server, "ana", TEA).await?;

    assert_eq!(answer.status, 202, "accepted, which is not the same as done");
    assert_eq!(answer.headers["location"], "/tasks/1", "where to ask for the result");
    assert_eq!(answer.body, r#"{"id":1,"status":"queued"}"#, "and its state");
    assert_eq!(before.elapsed(), Duration::ZERO, "no time has passed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_text_are_counted() -> Check {
    let server = serve(app());
    let mut ana = subscribe(&server, "ana").await?;
    post(&server, "ana", TEA).await?;

    hears_states(&mut ana, &["finished"]).await?;

    let result = json!({ "words": 12, "distinct": 7 });
    let task = json!({ "id": 1, "status": "finished", "result": result });
    assert_eq!(
        get(&server, "ana", 1).await?,
        task,
        "tea, for, two, and, said, Zoë, it's"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_text_without_words_has_none() -> Check {
    let server = serve(app());
    let mut ana = subscribe(&server, "ana").await?;

    for text in ["", "…!"] {
        post(&server, "ana", text).await?;
    }

    hears_states(&mut ana, &["finished", "finished"]).await?;
    for id in [1, 2] {
        let result = &get(&server, "ana", id).await?["result"];
        assert_eq!(*result, json!({ "words": 0, "distinct": 0 }), "task {id}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_socket_pushes_the_state_with_per_cent_and_an_estimate() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    ana.hears(state(json!([]))).await?;
    let work = begin(&tasks, "ana");
    ana.hears(state(json!([{ "id": 1, "status": "queued" }]))).await?;

    send(&work, 0.0);
    ana.hears(state(json!([running(0, Value::Null)]))).await?;
    advance(9 * SECOND).await;
    send(&work, 0.1);
    ana.hears(state(json!([running(10, json!(81))]))).await?;
    advance(SECOND).await;
    send(&work, 0.8);
    ana.hears(state(json!([running(80, json!(3))]))).await?;
    drop(work);

    let result = json!({ "words": 1, "distinct": 1 });
    ana.hears(state(json!([{ "id": 1, "status": "finished", "result": result }]))).await
}

#[tokio::test]
async fn a_late_subscriber_gets_the_newest_state_first_and_then_the_same_as_all() -> Check
{
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let work = begin(&tasks, "ana");
    let mut early = subscribe(&server, "ana").await?;
    early.hears_any().await?;
    for share in [0.25, 0.5] {
        send(&work, share);
        early.hears_any().await?;
    }

    let mut late = subscribe(&server, "ana").await?;
    late.says(r#"{"type":"ping"}"#).await?;

    late.hears(state(json!([running(50, json!(ANY))]))).await?;
    late.hears(pong()).await?;
    send(&work, 0.75);
    for client in [&mut early, &mut late] {
        client.hears(state(json!([running(75, json!(ANY))]))).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_vanished_subscriber_stops_nothing() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let (mut ana, second) =
        (subscribe(&server, "ana").await?, subscribe(&server, "ana").await?);
    let work = begin(&tasks, "ana");
    send(&work, 0.5);
    hears_states(&mut ana, &["running"]).await?;

    ana.vanishes().await;
    second.leaves().await?;
    send(&work, 0.9);
    drop(work);
    sleep(SECOND).await;

    let task = get(&server, "ana", 1).await?;
    assert_eq!(task["status"], "finished", "nobody was connected, and it went on");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slow_subscriber_skips_what_is_no_longer_true() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    ana.stops_reading();
    let work = begin(&tasks, "ana");
    for step in 0..10_000 {
        send(&work, f64::from(step) / 10_000.0);
    }
    drop(work);
    sleep(8 * SECOND).await;

    ana.reads_again();
    let heard = ana.hears_out(ONE_MINUTE).await;

    assert!(heard.len() < 2_000, "she hears {} of 10,000 states", heard.len());
    let last = heard.last().map_or("", String::as_str);
    assert!(last.contains("finished"), "the last state is that of now, and not {last}");
    ana.leaves().await
}

#[tokio::test(start_paused = true)]
async fn cancel_stops_the_work_and_all_windows_hear_it() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let (mut ana, mut second) =
        (subscribe(&server, "ana").await?, subscribe(&server, "ana").await?);
    let work = begin(&tasks, "ana");
    send(&work, 0.1);
    hears_states(&mut ana, &["running"]).await?;

    let answer = cancel(&server, "ana", 1).await?;

    assert_eq!(answer.status, 204, "Ana cancels her task: {}", answer.body);
    for client in [&mut ana, &mut second] {
        hears_states(client, &["cancelled"]).await?;
    }
    send(&work, 0.2); // It looks, and returns.
    ana.hears_nothing_for(ONE_MINUTE).await?;
    assert!(work.send(0.3).is_err(), "the work has returned");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn counting_looks_at_its_flag() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    let (result, counted) = mpsc::channel();
    let work = move |task: &TaskHandle| {
        while !task.is_cancelled() {}
        let end = crate::word_count::count_words(TEA, SECOND, task);
        result.send(end.is_none()).expect("the test waits for it");
        end
    };
    assert!(start(&tasks, &username("ana"), work).is_ok(), "Ana starts a task");

    cancel(&server, "ana", 1).await?;

    hears_states(&mut ana, &["cancelled"]).await?;
    assert_eq!(counted.recv(), Ok(true), "a cancelled count has no result");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn to_cancel_twice_is_no_mistake() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let _work = begin(&tasks, "ana");

    for _ in 0..2 {
        assert_eq!(cancel(&server, "ana", 1).await?.status, 204, "it is cancelled");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_cannot_be_cancelled() -> Check {
    let server = serve(app());
    let mut ana = subscribe(&server, "ana").await?;
    post(&server, "ana", TEA).await?;
    hears_states(&mut ana, &["finished"]).await?;

    let answer = cancel(&server, "ana", 1).await?;

    assert_eq!(answer.status, 409, "it is too late to cancel: {}", answer.body);
    assert_eq!(answer.body, "This task has ended already.", "the sentence");
    assert_eq!(get(&server, "ana", 1).await?["status"], "finished", "the result stays");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_cancelled_in_the_last_moment_stays_cancelled() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    let (sender, blocked) = mpsc::channel::<()>();
    let work = move |task: &TaskHandle| {
        let _ = blocked.recv(); // Until the sender is dropped.
        task.report(0.9);
        counted(1) // It has not looked.
    };
    assert!(start(&tasks, &username("ana"), work).is_ok(), "Ana starts a task");

    cancel(&server, "ana", 1).await?;
    drop(sender);

    hears_states(&mut ana, &["cancelled"]).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}

#[tokio::test(start_paused = true)]
async fn so_many_run_at_once_and_the_others_wait_in_order() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    let mut work: Vec<_> = (0..AT_ONCE + 2).map(|_| begin(&tasks, "ana")).collect();
    work.iter().for_each(|work| send(work, 0.5));

    hears_states(&mut ana, &["running", "running", "queued", "queued"]).await?;
    drop(work.remove(1));
    hears_states(&mut ana, &["running", "finished", "running", "queued"]).await
}

#[tokio::test(start_paused = true)]
async fn who_waits_can_be_cancelled_and_never_runs() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    let mut work: Vec<_> = (0..AT_ONCE + 1).map(|_| begin(&tasks, "ana")).collect();
    work[..AT_ONCE].iter().for_each(|work| send(work, 0.5));
    hears_states(&mut ana, &["running", "running", "queued"]).await?;

    cancel(&server, "ana", 3).await?;

    hears_states(&mut ana, &["running", "running", "cancelled"]).await?;
    let third = work.pop().expect("there are three");
    work.clear();
    hears_states(&mut ana, &["finished", "finished", "cancelled"]).await?;
    assert!(third.send(0.5).is_err(), "its work was dropped, and never ran");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_keeps_its_permit_until_its_work_has_returned() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;
    let work = begin(&tasks, "ana");
    send(&work, 0.5);
    hears_states(&mut ana, &["running"]).await?;

    cancel(&server, "ana", 1).await?;
    hears_states(&mut ana, &["cancelled"]).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(pong()).await?;
    let while_it_runs = tasks.running.available_permits();
    send(&work, 0.6); // It looks, and returns.
    sleep(SECOND).await;

    assert_eq!(while_it_runs, AT_ONCE - 1, "the work still needs its thread");
    assert_eq!(tasks.running.available_permits(), AT_ONCE, "and now it has returned");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_people_do_not_see_the_tasks_of_each_other() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ben = subscribe(&server, "ben").await?;
    ben.hears(state(json!([]))).await?;
    let _work = begin(&tasks, "ana");

    for method in [Method::GET, Method::DELETE] {
        let answer = request(&server, "ben", method, "/tasks/1", "").await?;
        assert_eq!(answer.status, 404, "Ben has no task 1: {}", answer.body);
        assert_eq!(answer.body, "You have no such task.", "nor can he name hers");
    }
    ben.says(r#"{"type":"ping"}"#).await?;
    ben.hears(pong()).await?;
    assert_eq!(get(&server, "ana", 1).await?["status"], "queued", "hers is still there");
    Ok(())
}

#[tokio::test]
async fn one_person_has_so_many_tasks_and_the_oldest_that_has_ended_goes() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut work: Vec<_> = (0..PER_PERSON).map(|_| begin(&tasks, "ana")).collect();

    let answer = post(&server, "ana", TEA).await?;
    assert_eq!(answer.status, 409, "one task too many for Ana: {}", answer.body);
    assert_eq!(answer.body, "You have too many: cancel one.", "what to do");
    assert_eq!(post(&server, "ben", TEA).await?.status, 202, "Ben has none yet");

    drop(work.remove(1));
    let mut ana = subscribe(&server, "ana").await?;
    while get(&server, "ana", 2).await?["status"] != "finished" {
        ana.hears_any().await?;
    }
    assert_eq!(post(&server, "ana", TEA).await?.headers["location"], "/tasks/11", "next");
    let gone = request(&server, "ana", Method::GET, "/tasks/2", "").await?;
    assert_eq!(gone.status, 404, "the list does not grow for ever: {}", gone.body);
    assert_eq!(get(&server, "ana", 1).await?["id"], 1, "what has not ended stays");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn starting_and_cancelling_have_a_rate() -> Check {
    let server = serve(app());

    let mut answers = Vec::new();
    for i in 0..=BURST.get() {
        let method = if i % 2 == 0 { Method::POST } else { Method::DELETE };
        let path = if i % 2 == 0 { "/tasks" } else { "/tasks/7000" };
        answers.push(request(&server, "ana", method, path, TEA).await?);
    }

    let last = answers.pop().expect("there are many");
    assert_eq!(
        (last.status, last.body.as_str()),
        (429.try_into().expect("a status"), "Too fast: wait a second.")
    );
    assert_eq!(last.headers["retry-after"], "1", "when to try again");
    assert!(answers.iter().all(|answer| answer.status != 429), "a burst is allowed");
    get(&server, "ana", 1).await?;
    assert_eq!(post(&server, "ben", TEA).await?.status, 202, "Ben has his own rate");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn work_that_panics_has_failed_and_takes_nothing_else_down() -> Check {
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let mut ana = subscribe(&server, "ana").await?;

    for _ in 0..=AT_ONCE {
        let broken = |_: &TaskHandle| panic!("this work is broken, on purpose");
        assert!(start(&tasks, &username("ana"), broken).is_ok(), "Ana starts a task");
    }

    hears_states(&mut ana, &["failed"; AT_ONCE + 1]).await?;
    post(&server, "ana", TEA).await?;
    hears_states(&mut ana, &["failed", "failed", "failed", "finished"]).await
}

/// In real time, because it is about threads.
#[tokio::test]
async fn the_async_threads_are_free_while_the_work_runs() -> Check {
    let server = serve_tcp(app()).await?;
    let mut ana = subscribe(&server, "ana").await?;
    let begin = RealInstant::now();
    request(&server, "ana", Method::POST, "/tasks?seconds=1", TEA).await?;
    hears_states(&mut ana, &["running"]).await?;

    ana.says(r#"{"type":"ping"}"#).await?;
    while ana.hears_any().await? != r#"{"type":"pong"}"# {}

    let waited = begin.elapsed().as_secs_f64();
    assert!(waited < 0.9, "the work stopped the server: a pong took {waited:.0} s");
    hears_states(&mut ana, &["finished"]).await?;
    assert!(begin.elapsed() >= SECOND, "it takes as long as was asked for");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_before_anything_starts() -> Check {
    let server = serve(app());

    for (path, text, status) in [
        ("/tasks?seconds=256", TEA.to_owned(), 400),
        ("/tasks?seconds=-1", TEA.to_owned(), 400),
        ("/tasks?seconds=soon", TEA.to_owned(), 400),
        ("/tasks", "x".repeat(2 * 1024 * 1024 + 1), 413),
    ] {
        let answer = request(&server, "ana", Method::POST, path, text).await?;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    let mut ana = subscribe(&server, "ana").await?;
    ana.hears(state(json!([]))).await
}

#[tokio::test(start_paused = true)]
async fn without_a_token_there_are_no_tasks() -> Check {
    let server = serve(app());

    for (method, path) in [
        (Method::POST, "/tasks"),
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
    let tasks = Tasks::default();
    let server = serve(app_of(tasks.clone()));
    let _work = begin(&tasks, "ana");

    for (method, path) in [(Method::POST, "/tasks"), (Method::DELETE, "/tasks/1")] {
        let foreign = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(COOKIE, format!("{}_token={}", env!("CARGO_PKG_NAME"), token("ana")))
            .header(ORIGIN, "http://evil.example")
            .body(TEA.into());
        let answer = server.request(foreign.expect("a good request")).await?;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    assert_eq!(get(&server, "ana", 1).await?["status"], "queued", "it is still there");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_answered_and_disconnects_nobody() -> Check {
    let server = serve(app());
    let mut ana = subscribe(&server, "ana").await?;
    ana.hears(state(json!([]))).await?;
    let sentence = r#"This socket understands {"type":"ping"} alone."#;

    for mistake in ["hello", r#"{"type":"cancel","id":1}"#, r#"["ping"]"#, "7"] {
        ana.says(mistake).await?;
        ana.hears(error(sentence)).await?;
    }
    ana.sends_binary(b"{}").await?;
    ana.hears(error(sentence)).await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears(pong()).await
}

/// A program that serves as `main` does.
fn program(tasks: &Tasks) -> (Server, oneshot::Receiver<()>) {
    let (sender, end) = oneshot::channel();
    let (app, ours) = (app_of(tasks.clone()), tasks.clone());
    let server = serve_by(async move |listener| {
        let server = axum::serve(listener, app)
            .with_graceful_shutdown(ours.stopping.clone().cancelled_owned());
        ours.tracker.spawn(server.into_future());
        ours.stopping.cancelled().await;
        ours.stop(STOP_TIMEOUT).await;
        let _ = sender.send(()); // Or the test is over.
    });
    (server, end)
}

#[tokio::test(start_paused = true)]
async fn a_stop_cancels_the_work_and_closes_with_1001() -> Check {
    let tasks = Tasks::default();
    let (server, end) = program(&tasks);
    let mut ana = subscribe(&server, "ana").await?;
    let (ended, has_ended) = mpsc::channel();
    for _ in 0..=AT_ONCE {
        let ended = ended.clone();
        let work = move |task: &TaskHandle| {
            task.report(0.5);
            while !task.is_cancelled() {}
            ended.send(()).expect("the test waits for it");
            None
        };
        assert!(start(&tasks, &username("ana"), work).is_ok(), "Ana starts a task");
    }
    hears_states(&mut ana, &["running", "running", "queued"]).await?;

    tasks.stopping.cancel();

    // The state of what waited, and is cancelled now, may come first.
    ana.is_closed_in_the_end(1001, "the server is stopping").await?;
    let end = timeout(SECOND, end).await;
    assert!(matches!(end, Ok(Ok(()))), "then the program ends: nobody holds it up");
    drop(ended);
    assert!(has_ended.iter().count() >= AT_ONCE, "all that had begun have returned");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_the_close_is_left_behind() -> Check {
    let tasks = Tasks::default();
    let (server, end) = program(&tasks);
    let mut ana = subscribe(&server, "ana").await?;
    ana.hears(state(json!([]))).await?;
    ana.stops_reading();
    let before = Instant::now();

    tasks.stopping.cancel();

    assert!(end.await.is_ok(), "the program ends all the same");
    assert_eq!(before.elapsed().as_secs(), STOP_TIMEOUT.as_secs(), "at its deadline");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn there_is_no_chat_here() -> Check {
    serve(app()).rejects("Ana", &path("rust", "ana"), 404).await.map(drop)
}

/// What a state looks like when there is a result.
#[tokio::test(start_paused = true)]
async fn who_subscribes_after_the_end_gets_the_result() -> Check {
    let server = serve(app());
    post(&server, "ana", TEA).await?;
    sleep(SECOND).await;

    let mut ana = subscribe(&server, "ana").await?;

    let task = json!({ "id": 1, "status": "finished", "result": ANY });
    ana.hears(state(json!([task]))).await?;
    ana.hears_nothing_for(ONE_MINUTE).await
}
