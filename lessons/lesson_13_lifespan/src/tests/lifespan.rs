//! What is new in this lesson: the first client, and the last one.

use std::time::Duration;

use probe::{Check, Client, Hint, Server, rooms::chat_from, serve_by};
use serde_json::json;
use tokio::{
    join,
    sync::oneshot,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{
    guests::{path, username},
    in_memory, living,
};
use crate::{
    lifespan::{DEADLINE, Lifespan},
    limits::Limits,
    protocol::RoomName,
    rooms::RoomManager,
    serving,
    socket::Ending,
    tasks::Tasks,
};

const SECOND: Duration = Duration::from_secs(1);

const STOPPING: &str = "the server is stopping";

/// Longer than a program takes to end when nobody holds it up.
const MOMENT: Duration = Duration::from_millis(100);

/// A program, as `main` runs it.
struct Program {
    server: Server,
    lifespan: Lifespan,
    end: oneshot::Receiver<Instant>,
}

/// Starts a program in which one person may say much.
fn start() -> Program {
    let limits =
        Limits { messages_per_second: 10_000, burst: 10_000, ..Limits::default() };
    let lifespan = Lifespan::default();
    let app = living(limits, in_memory(), Tasks::default(), lifespan.clone());
    let (sender, end) = oneshot::channel();
    let life = lifespan.clone();
    let server = serve_by(async move |listener| {
        serving::serve(listener, app, limits, life).await;
        let _ = sender.send(Instant::now()); // Or the test is over.
    });
    Program { server, lifespan, end }
}

impl Program {
    async fn connect(&self, name: &str) -> Result<Client, Hint> {
        self.server.connect(name, &path("rust", &name.to_lowercase())).await
    }

    /// Waits for the end. Returns how long it took from now on.
    async fn ends(self) -> Result<Duration, Hint> {
        let start = Instant::now();
        match timeout(2 * DEADLINE, self.end).await {
            Ok(Ok(end)) => Ok(end - start),
            _ => Err(self.server.hint("The program should end, but it goes on.")),
        }
    }

    async fn ends_at_once(self) -> Check {
        let time = self.ends().await?;
        assert!(time < MOMENT, "nobody holds it up, but it took {time:?}");
        Ok(())
    }
}

/// Lets Ana say so much that more waits for Ben, who does not read, than his line holds.
async fn talk(ana: &mut Client) -> Result<Vec<String>, Hint> {
    let contents: Vec<String> =
        (1..=100).map(|n| format!("{n} {}", "x".repeat(1_000))).collect();
    for content in &contents {
        ana.says(json!({ "type": "chat", "content": content }).to_string()).await?;
        ana.hears(chat_from("ana", content)).await?;
    }
    Ok(contents)
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_1001_and_then_the_program_ends() -> Check {
    let program = start();
    let server = &program.server;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("tea", "ben")).await?;
    let mut cem = server.connect("Cem", &path("figs", "cem")).await?;

    program.lifespan.stop();

    for client in [&mut ana, &mut ben, &mut cem] {
        client.is_closed(1001, STOPPING).await?;
    }
    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_the_program_ends_at_once() -> Check {
    let program = start();

    program.lifespan.stop();

    program.ends_at_once().await
}

/// Often, because `select!` throws a die.
#[tokio::test(start_paused = true)]
async fn what_was_said_before_the_end_is_delivered_first() -> Check {
    for _ in 0..10 {
        let program = start();
        let mut ben = program.connect("Ben").await?;
        let mut ana = program.connect("Ana").await?;
        ben.hears(json!({ "type": "user_joined", "username": "ana" })).await?;
        ben.stops_reading();
        let contents = talk(&mut ana).await?;

        program.lifespan.stop();
        ana.is_closed(1001, STOPPING).await?;
        sleep(3 * SECOND).await;
        ben.reads_again();

        for content in &contents {
            ben.hears(chat_from("ana", content)).await?;
        }
        ben.is_closed(1001, STOPPING).await?;
        program.ends_at_once().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_who_was_first_to_leave() -> Check {
    let program = start();
    let mut ben = program.connect("Ben").await?;
    let mut ana = program.connect("Ana").await?;
    ben.stops_reading();
    talk(&mut ana).await?;

    program.lifespan.stop();
    ana.is_closed(1001, STOPPING).await?;
    ben.reads_again();

    for text in ben.hears_out(SECOND).await {
        assert!(!text.contains("user_left"), "Ben leaves, too, but hears {text}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_said_after_the_stop_reaches_nobody_and_hurts_nobody() -> Check {
    let program = start();
    let mut ben = program.connect("Ben").await?;
    let mut cem = program.connect("Cem").await?;
    let mut ana = program.connect("Ana").await?;
    ben.stops_reading();
    cem.stops_reading();
    talk(&mut ana).await?;

    program.lifespan.stop();
    for _ in 0..10 {
        ben.says(r#"{"type":"chat","content":"too late"}"#).await?;
    }
    cem.reads_again();
    ben.reads_again();

    for client in [&mut cem, &mut ben] {
        for text in client.hears_out(MOMENT).await {
            assert!(!text.contains("too late"), "we have stopped, but here comes {text}");
        }
    }
    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_holds_up_nobody_and_the_program_ends_all_the_same() -> Check {
    let program = start();
    let mut cem = program.connect("Cem").await?;
    let mut ben = program.connect("Ben").await?;
    let mut ana = program.connect("Ana").await?;
    cem.stops_reading();
    let contents = talk(&mut ana).await?;

    program.lifespan.stop();
    let start = Instant::now();
    ana.is_closed(1001, STOPPING).await?;
    ben.hears(json!({ "type": "user_joined", "username": "ana" })).await?;
    for content in &contents {
        ben.hears(chat_from("ana", content)).await?;
    }
    ben.is_closed(1001, STOPPING).await?;

    let time = start.elapsed();
    assert!(time < MOMENT, "Ana and Ben read, but wait {time:?} for Cem");
    let time = program.ends().await?;
    assert!(time > DEADLINE - SECOND, "Cem has until the deadline, not {time:?}");
    assert!(time <= DEADLINE, "the program waits for Cem for {time:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_the_close_is_left_behind_at_the_deadline() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    ana.stops_reading();

    program.lifespan.stop();

    let time = program.ends().await?;
    assert!(time <= DEADLINE, "the program waits for Ana for {time:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_port_takes_no_new_lines_after_the_stop() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    ana.stops_reading(); // So the program is busy until the deadline.

    program.lifespan.stop();
    sleep(MOMENT).await;

    let newcomer = program.connect("Ben").await.err().map(|hint| hint.to_string());
    let refusal = newcomer.unwrap_or_default();
    assert!(refusal.starts_with("The server has stopped."), "Ben gets in: {refusal}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_request_in_progress_is_finished() -> Check {
    let program = start();
    let body = r#"{"username":"ana","password":"ana-likes-tea"}"#;
    let (begin, rest) = body.split_at(20);
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{begin}",
        body.len()
    );
    let mut line = program.server.opens_a_connection(&head).await?;
    sleep(MOMENT).await;

    program.lifespan.stop();
    sleep(SECOND).await;
    assert!(program.end.is_empty(), "the program waits for the rest of the request");
    line.writes(rest).await?;
    let answer = line.hears_out(DEADLINE).await;

    assert!(answer.starts_with("HTTP/1.1 200 OK"), "Ana signs in: {answer:?}");
    assert!(answer.contains("connection: close"), "and that was the last request");
    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn a_line_without_a_request_does_not_delay_the_end() -> Check {
    let program = start();
    let request = "GET /ready HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    let _kept_alive = program.server.opens_a_connection(request).await?;
    let _silent = program.server.opens_a_connection("").await?;
    sleep(MOMENT).await;

    program.lifespan.stop();

    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_keep_the_program_until_the_deadline() -> Check {
    let program = start();
    let _half = program.server.opens_a_connection("GET /ready HTTP/1.1\r\nHost:").await?;
    sleep(MOMENT).await;

    program.lifespan.stop();

    let time = program.ends().await?;
    assert!(time <= 5 * SECOND, "the head of a request has five seconds, not {time:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_was_promised_a_socket_gets_its_1001() -> Check {
    let program = start();
    let room = path("rust", "ana");
    let half = format!("GET {room} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n");
    let mut line = program.server.opens_a_connection(&half).await?;
    sleep(MOMENT).await;

    program.lifespan.stop();
    let rest = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    line.writes(rest).await?;
    let answer = line.hears_out(DEADLINE).await;

    assert!(
        answer.starts_with("HTTP/1.1 101"),
        "this request was in progress: {answer:?}"
    );
    assert!(answer.ends_with(STOPPING), "and then comes the goodbye: {answer:?}");
    Ok(())
}

/// Since the rooms stand still, whoever has left is still on the list.
#[test]
fn after_the_stop_a_name_is_not_taken_but_the_server_goes_away() {
    let lifespan = Lifespan::default();
    let rooms = RoomManager::new(Limits::default(), lifespan.clone());
    let room = || RoomName::try_from("rust".to_owned()).expect("a good name");
    let ana = rooms.join(room(), username("ana"));
    assert!(ana.is_ok(), "the room is empty");

    lifespan.stop();
    drop(ana);

    let again = rooms.join(room(), username("ana")).err();
    assert_eq!(again, Some(Ending::GOING_AWAY), "a page would not come back after 4009");
}

/// Each moment comes often, because `select!` throws a die.
#[tokio::test(start_paused = true)]
async fn whenever_the_end_comes_a_newcomer_is_refused_or_gets_1001() -> Check {
    let (mut refused, mut welcomed) = (0, 0);

    for moment in (0..20).cycle().take(400) {
        let program = start();
        let stop = async {
            for _ in 0..moment {
                yield_now().await;
            }
            program.lifespan.stop();
        };
        let (newcomer, ()) = join!(program.connect("Ana"), stop);

        match newcomer {
            Ok(mut ana) => {
                ana.is_closed(1001, STOPPING).await?;
                welcomed += 1;
            }
            Err(_) => refused += 1,
        }
        program.ends_at_once().await?;
    }

    assert!(refused > 0 && welcomed > 0, "{refused} refused, {welcomed} welcomed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn until_the_notice_is_over_only_ready_says_that_we_stop() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    let ready = program.server.get("/ready").await?;
    assert_eq!((ready.status.as_u16(), &*ready.body), (200, "ready"), "all is well");

    tokio::spawn(program.lifespan.clone().stop_after(5 * SECOND));
    sleep(SECOND).await;

    let ready = program.server.get("/ready").await?;
    assert_eq!((ready.status.as_u16(), &*ready.body), (503, "stopping"), "send nobody");
    let mut ben = program.connect("Ben").await?;
    ana.hears(json!({ "type": "user_joined", "username": "ben" })).await?;
    ben.says(r#"{"type":"chat","content":"Am I late?"}"#).await?;
    ana.hears(chat_from("ben", "Am I late?")).await?;
    ben.hears(chat_from("ben", "Am I late?")).await?;
    ana.hears_nothing_for(3 * SECOND).await?;
    ana.is_closed(1001, STOPPING).await?;
    ben.is_closed(1001, STOPPING).await?;
    program.ends_at_once().await
}
