//! What the shutdown promises.

use std::{sync::Arc, time::Duration};

use probe::{Check, Client, HANDSHAKE, Hint, ONE_MINUTE, Server, serve_by};
use serde_json::json;
use tokio::{
    join,
    sync::oneshot,
    task::yield_now,
    time::{Instant, sleep, timeout},
};

use super::{
    people::{at_least_one, chat_from, config, path},
    routes, state,
};
use crate::{
    app::AppState,
    chat::RoomManager,
    config::Config,
    delivery::{LogEntry, SqliteLog},
    limits::RateLimits,
    server::{Shutdown, serve},
};

const SECOND: Duration = Duration::from_secs(1);

const STOPPING: &str = "the server is stopping";

/// Longer than a program takes to end when nobody holds it up.
const MOMENT: Duration = Duration::from_millis(100);

/// A program, as `main` runs it.
struct Program {
    server: Server,
    shutdown: Shutdown,
    deadline: Duration,
    end: oneshot::Receiver<(Instant, usize)>,
}

/// Starts a program in which one person may send much.
fn start() -> Program {
    start_with(talkative())
}

fn talkative() -> Config {
    let many = at_least_one(10_000);
    Config { messages_per_second: many, message_burst: many, ..config() }
}

fn start_with(config: Config) -> Program {
    serve_state(state(&config), config)
}

fn serve_state(state: AppState, config: Config) -> Program {
    let (shutdown, deadline) = (state.shutdown.clone(), config.shutdown_timeout);
    let app = routes(state, &config);
    let (sender, end) = oneshot::channel();
    let stop = shutdown.clone();
    let server = serve_by(async move |listener| {
        let left = serve(listener, app, Arc::new(config), stop).await;
        let _ = sender.send((Instant::now(), left)); // Or the test is over.
    });
    Program { server, shutdown, deadline, end }
}

impl Program {
    async fn connect(&self, name: &str) -> Result<Client, Hint> {
        self.server.connect(name, &path("rust", &name.to_lowercase())).await
    }

    /// Waits for the end. Returns how long it took from now on, and how many clients have
    /// not left.
    async fn ends(self) -> Result<(Duration, usize), Hint> {
        let start = Instant::now();
        match timeout(ONE_MINUTE, self.end).await {
            Ok(Ok((end, left))) => Ok((end - start, left)),
            _ => Err(self.server.hint("The program should end, but it goes on.")),
        }
    }

    async fn ends_at_once(self) -> Check {
        let (time, left) = self.ends().await?;
        assert!(time < MOMENT, "nobody holds it up, but it took {time:?}");
        assert_eq!(left, 0, "all have left");
        Ok(())
    }
}

/// Lets Ana say so much that more waits for Ben, who does not read, than his connection holds.
async fn talk(ana: &mut Client) -> Result<Vec<String>, Hint> {
    let contents: Vec<String> =
        (1..=100).map(|n| format!("{n} {}", "x".repeat(1_000))).collect();
    for content in &contents {
        ana.says(json!({ "type": "chat", "content": content }).to_string()).await?;
        ana.hears(chat_from("ana", content)).await?;
    }
    Ok(contents)
}

/// Without the log nobody can say anything, and something else has to start the program again.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_log_closes_all_clients_and_ends_the_program() -> Check {
    let config = talkative();
    let state = state(&config);
    let bug = |_: &LogEntry| panic!("this is what the test is about");
    let log = SqliteLog::new(state.database.clone(), bug).expect("a log");
    let state = AppState { log: Arc::new(log), ..state };
    let failure = state.shutdown.on_end(state.clone().ended());
    let program = serve_state(state, config);
    let mut ana = program.connect("Ana").await?;
    let mut ben = program.server.connect("Ben", &path("tea", "ben")).await?;
    ben.hears_nothing_for(ONE_MINUTE / 2).await?;
    assert!(!failure.is_finished(), "nothing has happened yet");

    ana.says(json!({ "type": "chat", "content": "hello" }).to_string()).await?;

    ben.is_closed(1001, STOPPING).await?;
    drop(ana); // She gets 1013 or 1001, whichever is first.
    program.ends().await?;
    assert!(failure.is_finished(), "so the exit code says that nobody has asked for it");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_1001_and_then_the_program_ends() -> Check {
    let program = start();
    let server = &program.server;
    let mut ana = server.connect("Ana", &path("rust", "ana")).await?;
    let mut ben = server.connect("Ben", &path("tea", "ben")).await?;
    let mut cem = server.connect("Cem", &path("figs", "cem")).await?;

    program.shutdown.stop();

    for client in [&mut ana, &mut ben, &mut cem] {
        client.is_closed(1001, STOPPING).await?;
    }
    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_the_program_ends_at_once() -> Check {
    let program = start();

    program.shutdown.stop();

    program.ends_at_once().await
}

/// Often, because `select!` chooses at random.
#[tokio::test(start_paused = true)]
async fn what_was_sent_before_the_stop_is_delivered_first() -> Check {
    for _ in 0..10 {
        let program = start();
        let mut ben = program.connect("Ben").await?;
        let mut ana = program.connect("Ana").await?;
        ben.hears(json!({ "type": "user_joined", "username": "ana" })).await?;
        ben.stops_reading();
        let contents = talk(&mut ana).await?;

        program.shutdown.stop();
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
async fn nobody_receives_who_was_first_to_leave() -> Check {
    let program = start();
    let mut ben = program.connect("Ben").await?;
    let mut ana = program.connect("Ana").await?;
    ben.stops_reading();
    talk(&mut ana).await?;

    program.shutdown.stop();
    ana.is_closed(1001, STOPPING).await?;
    sleep(MOMENT).await; // What is announced, is announced by now.
    ben.reads_again();

    for text in ben.hears_out(SECOND).await {
        assert!(!text.contains("user_left"), "Ben leaves, too, but hears {text}");
    }
    Ok(())
}

/// Often, because `select!` chooses at random.
#[tokio::test(start_paused = true)]
async fn what_is_sent_after_the_stop_reaches_nobody_and_harms_nobody() -> Check {
    for _ in 0..10 {
        let program = start();
        let mut ben = program.connect("Ben").await?;
        let mut cem = program.connect("Cem").await?;
        let mut ana = program.connect("Ana").await?;
        ben.stops_reading();
        cem.stops_reading();
        talk(&mut ana).await?;

        program.shutdown.stop();
        for _ in 0..10 {
            ben.says(r#"{"type":"chat","content":"too late"}"#).await?;
        }
        cem.reads_again();
        ben.reads_again();

        for client in [&mut cem, &mut ben] {
            for text in client.hears_out(MOMENT).await {
                assert!(
                    !text.contains("too late"),
                    "we have stopped, but receive {text}"
                );
            }
        }
        program.ends_at_once().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_holds_up_nobody_and_the_program_ends_all_the_same() -> Check {
    let program = start();
    let mut cem = program.connect("Cem").await?;
    let mut ben = program.connect("Ben").await?;
    let mut ana = program.connect("Ana").await?;
    cem.stops_reading();
    let contents = talk(&mut ana).await?;

    program.shutdown.stop();
    let start = Instant::now();
    ana.is_closed(1001, STOPPING).await?;
    ben.hears(json!({ "type": "user_joined", "username": "ana" })).await?;
    for content in &contents {
        ben.hears(chat_from("ana", content)).await?;
    }
    ben.is_closed(1001, STOPPING).await?;

    let time = start.elapsed();
    assert!(time < MOMENT, "Ana and Ben read, but wait {time:?} for Cem");
    let deadline = program.deadline;
    let (time, left) = program.ends().await?;
    assert!(time > deadline - SECOND, "Cem has until the deadline, not {time:?}");
    assert!(time <= deadline, "the program waits for Cem for {time:?}");
    assert_eq!(left, 1, "only Cem has not left");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_answers_the_close_is_left_behind_at_the_deadline() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    ana.stops_reading();

    program.shutdown.stop();

    let deadline = program.deadline;
    let (time, left) = program.ends().await?;
    assert!(time <= deadline, "the program waits for Ana for {time:?}");
    assert_eq!(left, 1, "and says that one has not left");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_port_accepts_no_connection_after_the_stop() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    ana.stops_reading(); // So the program is busy until the deadline.

    program.shutdown.stop();
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
    let mut connection = program.server.opens_a_connection(&head).await?;
    sleep(MOMENT).await;

    program.shutdown.stop();
    sleep(SECOND).await;
    assert!(program.end.is_empty(), "the program waits for the rest of the request");
    connection.writes(rest).await?;
    let answer = connection.hears_out(10 * SECOND).await;

    assert!(answer.starts_with("HTTP/1.1 200 OK"), "Ana signs in: {answer:?}");
    assert!(answer.contains("connection: close"), "and that was the last request");
    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_does_not_delay_the_end() -> Check {
    let program = start();
    let request = "GET /ready HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";
    let _kept_alive = program.server.opens_a_connection(request).await?;
    let _silent = program.server.opens_a_connection("").await?;
    sleep(MOMENT).await;

    program.shutdown.stop();

    program.ends_at_once().await
}

#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_keep_the_program_until_the_deadline() -> Check {
    let program = start();
    let _half = program.server.opens_a_connection("GET /ready HTTP/1.1\r\nHost:").await?;
    sleep(MOMENT).await;

    program.shutdown.stop();

    let (time, left) = program.ends().await?;
    assert_eq!(left, 0, "its connection was closed in time");
    assert!(time <= 5 * SECOND, "the head of a request has five seconds, not {time:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_was_promised_a_socket_gets_1001() -> Check {
    let program = start();
    let room = path("rust", "ana");
    let half = format!("GET {room} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n");
    let mut connection = program.server.opens_a_connection(&half).await?;
    sleep(MOMENT).await;

    program.shutdown.stop();
    connection.writes(HANDSHAKE).await?;
    let answer = connection.hears_out(10 * SECOND).await;

    assert!(
        answer.starts_with("HTTP/1.1 101"),
        "this request was in progress: {answer:?}"
    );
    assert!(answer.ends_with(STOPPING), "and then comes the goodbye: {answer:?}");
    Ok(())
}

/// Each moment comes often, because `select!` chooses at random.
#[tokio::test(start_paused = true)]
async fn whenever_the_end_comes_a_newcomer_is_refused_or_gets_1001() -> Check {
    let (mut refused, mut welcomed) = (0, 0);
    let config = config();
    let state = state(&config); // To open a database 400 times would take a while.

    for moment in (0..20).cycle().take(400) {
        let shutdown = Shutdown::default();
        let rooms = RoomManager::new(&config, shutdown.clone());
        let rates = RateLimits::new(&config);
        let state = AppState { rooms, rates, shutdown, ..state.clone() };
        let program = serve_state(state, config.clone());
        let stop = async {
            for _ in 0..moment {
                yield_now().await;
            }
            program.shutdown.stop();
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
async fn until_the_delay_is_over_only_ready_says_that_we_stop() -> Check {
    let program = start();
    let mut ana = program.connect("Ana").await?;
    let ready = program.server.get("/ready").await?;
    assert_eq!((ready.status.as_u16(), &*ready.body), (200, "ready"), "all is well");

    tokio::spawn(program.shutdown.clone().after(5 * SECOND));
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

/// Whoever has not left in time is counted, however many they are, and nobody else is.
#[tokio::test(start_paused = true)]
async fn the_server_returns_how_many_have_not_left() -> Check {
    for stalled in 0..=3 {
        let program = start();
        let mut clients = Vec::new();
        for name in ["Ana", "Ben", "Cem"] {
            clients.push(program.connect(name).await?);
        }
        for client in &mut clients[..stalled] {
            client.stops_reading();
        }

        program.shutdown.stop();

        let (_, left) = program.ends().await?;
        assert_eq!(left, stalled, "so many have read nothing");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_the_shutdown_is_the_configured_one() -> Check {
    for seconds in [0, 1, 20] {
        let deadline = Duration::from_secs(seconds);
        let program = start_with(Config { shutdown_timeout: deadline, ..config() });
        let mut ana = program.connect("Ana").await?;
        ana.stops_reading();

        program.shutdown.stop();

        let (time, left) = program.ends().await?;
        let longest = deadline.min(10 * SECOND); // Then the Close of Ana has timed out.
        assert!(time >= longest && time < longest + MOMENT, "after {time:?}");
        assert_eq!(left, usize::from(seconds < 10), "who has {seconds} s");
    }
    Ok(())
}
