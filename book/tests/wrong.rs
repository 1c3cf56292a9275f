//! The wrong ways of the book: they fail, with the very words that the book shows.
//!
//! `RECORD=1 cargo test -p book` writes the words down anew.

#[path = "../wrong/17_abort.rs"]
mod abort;
#[path = "../wrong/15_announce_first.rs"]
mod announce_first;
#[path = "../wrong/14_atomic_version.rs"]
mod atomic_version;
#[path = "../wrong/04_colon.rs"]
mod colon;
#[path = "../wrong/11_counted_by_hand.rs"]
mod counted_by_hand;
#[path = "../wrong/08_default_rules.rs"]
mod default_rules;
#[path = "../wrong/06_disconnect_on_error.rs"]
mod disconnect_on_error;
#[path = "../wrong/10_fixed_window.rs"]
mod fixed_window;
#[path = "../wrong/13_graceful_alone.rs"]
mod graceful_alone;
#[path = "../wrong/17_in_the_handler.rs"]
mod in_the_handler;
#[path = "../wrong/12_lagged_ends_it.rs"]
mod lagged_ends_it;
#[path = "../wrong/06_letters.rs"]
mod letters;
#[path = "../wrong/20_look_then_take.rs"]
mod look_then_take;
#[path = "../wrong/03_not_cancel_safe.rs"]
mod not_cancel_safe;
#[path = "../wrong/15_null_is_missing.rs"]
mod null_is_missing;
#[path = "../wrong/18_ok_is_not_delivered.rs"]
mod ok_is_not_delivered;
#[path = "../wrong/02_return_on_close.rs"]
mod return_on_close;
#[path = "../wrong/10_sleep.rs"]
mod sleep;
#[path = "../wrong/09_sleep_in_the_loop.rs"]
mod sleep_in_the_loop;
#[path = "../wrong/20_two_servers.rs"]
mod two_servers;
#[path = "../wrong/03_two_tasks.rs"]
mod two_tasks;

use std::{
    collections::BTreeMap, env, fs, num::NonZeroU32, panic, path::Path, process::Command,
    time::Duration,
};

use book::{ROOT, cargo, read};
use governor::{Quota, clock::FakeRelativeClock};
use probe::{Check, HANDSHAKE, Hint, ONE_MINUTE, serve};
use serde_json::Value;
use tokio::time::{Instant, advance};

/// Compares what was said with what the book shows.
fn compare(name: &str, said: &str) -> Check {
    let path = format!("book/wrong/{name}.txt");
    if env::var_os("RECORD").is_some() {
        return fs::write(Path::new(ROOT).join(&path), said)
            .map_err(|error| Hint::new(format!("{path}: {error}")));
    }
    let shown = read(&path).map_err(Hint::new)?;
    match shown.lines().zip(said.lines()).position(|(shown, said)| shown != said) {
        None if shown.lines().count() == said.lines().count() => Ok(()),
        line => {
            let line = line.unwrap_or(shown.lines().count().min(said.lines().count()));
            Err(Hint::new(format!(
                "{path}:{}: The book shows {:?}, but it says {:?}. RECORD=1 writes it anew.",
                line + 1,
                shown.lines().nth(line).unwrap_or_default(),
                said.lines().nth(line).unwrap_or_default(),
            )))
        }
    }
}

#[test]
fn the_compiler_says_what_the_book_shows() -> Check {
    let names =
        ["01_two_kinds", "03_lock_across_await", "05_no_deserialize", "07_two_borrows"];
    let mut cargo = cargo();
    cargo.args(["build", "--keep-going", "--message-format=json"]);
    cargo.args(["--features", "book/wrong"]);
    for name in names {
        cargo.args(["--example", &format!("wrong_{}", &name[..2])]);
    }
    let run = |command: &mut Command| {
        command.output().map_err(|error| Hint::new(format!("{command:?}: {error}")))
    };
    let output = run(&mut cargo)?;
    let version = run(Command::new("rustc").arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().nth(1).unwrap_or_default();

    let mut said = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        let example = message["target"]["name"].as_str().unwrap_or_default();
        let rendered = message["message"]["rendered"].as_str().unwrap_or_default();
        if let Some(name) =
            names.iter().find(|name| example == format!("wrong_{}", &name[..2]))
            && message["message"]["level"] == "error"
            && message["message"]["spans"] != Value::Array(Vec::new())
        {
            said.entry(*name).or_insert_with(String::new).push_str(rendered);
        }
    }

    for name in names {
        let Some(rendered) = said.get(name) else {
            return Err(Hint::new(format!(
                "book/wrong/{name}.rs:1: The compiler has nothing against it."
            )));
        };
        let shown = read(&format!("book/wrong/{name}.txt")).unwrap_or_default();
        let ours = format!("#! rustc {version}\n{}", own_words(rendered));
        if env::var_os("RECORD").is_some() || shown.lines().next() == ours.lines().next()
        {
            compare(name, &ours)?;
        } else {
            // Another compiler may say the same in other words, under the same number.
            let number =
                |text: &str| text.lines().nth(1).map(|line| line[..11].to_owned());
            if number(&shown) != number(&ours) {
                compare(name, &ours)?;
            }
        }
    }
    Ok(())
}

/// What the compiler says about our file. It also quotes files of others, which are not
/// in the same place on every computer.
fn own_words(rendered: &str) -> String {
    let mut parts: Vec<Vec<&str>> = Vec::new();
    for line in rendered.lines().filter(|line| !line.is_empty()) {
        let begins =
            ["error", "note:", "help:"].iter().any(|word| line.starts_with(word));
        match parts.last_mut() {
            Some(part) if !begins => part.push(line),
            _ => parts.push(vec![line]),
        }
    }
    let foreign =
        |line: &&str| line.contains("--> ") && !line.contains("--> book/wrong/");
    parts.retain(|part| !part.iter().any(foreign));

    // Their line numbers are longer than ours, and move ours to the right.
    let lines = || parts.iter().flatten();
    let left = lines()
        .filter(|line| line.starts_with(|c: char| c == ' ' || c.is_ascii_digit()))
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    lines()
        .map(|line| if line.starts_with(' ') { &line[left..] } else { line })
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_returns_on_a_close_leaves_it_unanswered() -> Check {
    let server = serve(return_on_close::app());
    let ana = server.connect("Ana", "/ws").await?;

    match ana.leaves().await {
        Err(_) => Ok(()),
        Ok(()) => Err(Hint::new(
            "book/wrong/02_return_on_close.rs:1: It answers the Close after all.",
        )),
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_dropped_future_had_taken_is_lost() -> Check {
    let server = serve(not_cancel_safe::app());
    let mut ana = server.connect("Ana", "/ws").await?;
    let mut said = String::new();

    for messages in [&["Ana"][..], &["hello", "how are you?"]] {
        for message in messages {
            ana.says(*message).await?;
            said.push_str(&format!("the client sends    {message:?}\n"));
        }
        let reply = ana.hears_any().await?;
        said.push_str(&format!("the client receives {reply:?}\n"));
    }

    compare("03_not_cancel_safe", &said)
}

#[tokio::test(start_paused = true)]
async fn of_two_tasks_neither_learns_how_the_other_ended() -> Check {
    let mut said = String::new();

    for aborts in [false, true] {
        let server = serve(two_tasks::app(aborts));
        let mut ana = server.connect("Ana", "/ws").await?;
        let mut ben = server.connect("Ben", "/ws").await?;
        let cem = server.connect("Cem", "/ws").await?;

        let cem = match cem.leaves().await {
            Ok(()) => "ends",
            Err(_) => "is still open ten seconds later",
        };
        ben.stops_reading();
        for i in 0..1_000 {
            ana.says(format!("message {i}, {}", "and so on ".repeat(5))).await?;
            ana.hears_any().await?;
        }
        ben.reads_again();
        let ben = match ben.finds_the_connection_lost().await {
            Ok(()) => "is lost, without a Close",
            Err(_) => {
                ben.says("Ana?").await?;
                ana.hears("Ana?").await?;
                "stays open.\n  Ana receives what he sends, but he receives nothing"
            }
        };

        said.push_str(match aborts {
            false => "Without `abort`\n",
            true => "\nWith `abort`\n",
        });
        said.push_str(&format!("Cem closes with 1000. His connection {cem}.\n"));
        said.push_str(&format!("Ben reads too slowly. His connection {ben}.\n"));
    }

    compare("03_two_tasks", &said)
}

#[test]
fn the_router_panics_with_the_words_that_the_book_shows() -> Check {
    panic::set_hook(Box::new(|_| {}));
    let panic = panic::catch_unwind(colon::app);
    let _ = panic::take_hook();

    match panic {
        Ok(_) => Err(Hint::new("book/wrong/04_colon.rs:1: The router accepts it.")),
        Err(words) => {
            let words = words.downcast_ref::<String>().cloned().unwrap_or_default();
            compare("04_colon", &format!("{words}\n"))
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_message_that_cannot_be_read_ends_the_connection() -> Check {
    let server = serve(disconnect_on_error::app());
    let mut ana = server.connect("Ana", "/ws").await?;
    ana.says(r#"{"type":"ping"}"#).await?;
    ana.hears("pong").await?;
    ana.says(r#"{"type":"chat","content":"hi"}"#).await?;
    ana.hears("hi").await?;

    ana.says(r#"{"type":"png"}"#).await?;

    match ana.hears_nothing_for(ONE_MINUTE).await {
        Err(_) => Ok(()),
        Ok(()) => Err(Hint::new(
            "book/wrong/06_disconnect_on_error.rs:1: The connection is still open.",
        )),
    }
}

#[test]
fn a_letter_has_several_lengths_as_the_book_shows() -> Check {
    compare("06_letters", &letters::report())
}

#[test]
fn the_default_rules_accept_what_the_book_shows() -> Check {
    compare("08_default_rules", &default_rules::report())
}

#[test]
fn work_in_the_handler_keeps_a_stranger_waiting() -> Check {
    let report = in_the_handler::report();
    compare("17_in_the_handler", &report.map_err(|error| Hint::new(error.to_string()))?)
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_may_never_have_been_read() -> Check {
    let report = ok_is_not_delivered::Report::default();
    let server = serve(ok_is_not_delivered::app(report.clone()));
    let mut ben = server.connect("Ben", "/ws").await?;
    ben.stops_reading();

    ben.says("Where are you?").await?;
    tokio::time::sleep(ONE_MINUTE).await;
    ben.vanishes().await;
    tokio::time::sleep(ONE_MINUTE).await;

    let report = report.lock().expect("nobody panics with the lock");
    let (lines, kept) = &*report;
    let mut said = lines.join("\n");
    said.push_str("\nBen vanishes, and has read nothing.\n");
    said.push_str(&format!("Kept until he is back: {kept:?}\n"));
    compare("18_ok_is_not_delivered", &said)
}

#[tokio::test(start_paused = true)]
async fn two_servers_of_lesson_08_are_two_chats() -> Check {
    let servers = [serve(two_servers::server()), serve(two_servers::server())];
    let mut said = String::new();

    let mut ana = servers[0].connect("Ana", &two_servers::path("ana")).await?;
    let mut ben = servers[1].connect("Ben", &two_servers::path("ben")).await?;
    ana.says(r#"{"type":"chat","content":"Is anybody here?"}"#).await?;
    ana.hears_any().await?;
    said.push_str("Ana, on server 1, says: Is anybody here?\n");
    ben.hears_nothing_for(ONE_MINUTE).await?;
    said.push_str("Ben, on server 2, receives nothing.\n");
    let mut second = servers[1].connect("Ana", &two_servers::path("ana")).await?;
    let joined: Value = serde_json::from_str(&ben.hears_any().await?).unwrap_or_default();
    said.push_str(&format!("Ben receives: {joined}\n"));
    second.says(r#"{"type":"ping"}"#).await?;
    second.hears(r#"{"type":"pong"}"#).await?;
    said.push_str("So Ana is in the room twice, and her name was not taken.\n");

    compare("20_two_servers", &said)
}

#[tokio::test(start_paused = true)]
async fn half_a_request_has_all_the_time_it_wants() -> Check {
    let server = serve(two_servers::server());
    let line = format!("GET {} HTTP/1.1\r\n", two_servers::path("ana"));
    let mut eve = server.opens_a_connection(&line).await?;
    let mut said = "Eve sends the first line of a request, and no more.\n".to_owned();

    let early = eve.hears_out(60 * ONE_MINUTE).await;
    eve.writes(HANDSHAKE).await?;
    let answer = eve.hears_out(ONE_MINUTE).await;

    assert_eq!(early, "", "nobody has disconnected her");
    let status = answer.lines().next().unwrap_or("nothing");
    said.push_str(&format!("An hour later she sends the rest, and gets: {status}\n"));
    compare("22_half_a_request", &said)
}

#[tokio::test]
async fn who_looks_first_and_then_takes_is_not_alone() -> Check {
    compare("20_look_then_take", &look_then_take::report().await)
}

#[tokio::test]
async fn abort_does_not_stop_a_thread() -> Check {
    compare("17_abort", &abort::report().await)
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_begins_anew_never_ends_in_a_busy_room() -> Check {
    let server = serve(sleep_in_the_loop::app());
    let mut said = String::new();

    for seconds in [40, 10] {
        let mut ben = server.connect("Ben", &format!("/ws/{seconds}")).await?;
        ben.hears("hello").await?;
        ben.stops_reading();
        ben.hears_nothing_for(10 * ONE_MINUTE).await?;
        ben.reads_again();
        ben.hears_out(Duration::from_secs(1)).await;
        let is_there = ben.hears_nothing_for(Duration::from_secs(1)).await.is_ok();
        let verdict =
            if is_there { "connected after ten minutes" } else { "disconnected" };
        said.push_str(&format!("a message every {seconds} seconds: {verdict}\n"));
    }

    compare("09_sleep_in_the_loop", &said)
}

#[test]
fn axum_alone_tells_nobody_that_the_program_ends() -> Check {
    let said = graceful_alone::report().map_err(|error| {
        Hint::new(format!("book/wrong/13_graceful_alone.rs: {error}"))
    })?;
    compare("13_graceful_alone", &said)
}

#[test]
fn a_version_that_is_taken_before_the_lock_comes_out_of_order() -> Check {
    compare("14_atomic_version", &atomic_version::report())
}

#[test]
fn an_event_before_the_commit_may_be_about_nobody() -> Check {
    let said = announce_first::report().map_err(|error| {
        Hint::new(format!("book/wrong/15_announce_first.rs: {error}"))
    })?;
    compare("15_announce_first", &said)
}

#[test]
fn null_counts_as_missing_as_the_book_shows() -> Check {
    compare("15_null_is_missing", &null_is_missing::report())
}

#[tokio::test(start_paused = true)]
async fn the_frame_that_the_book_takes_apart_says_hello() -> Check {
    let page = read("book/src/reference/handshake.md").map_err(Hint::new)?;
    let bytes = page.lines().find(|line| line.starts_with("81 ")).unwrap_or_default();
    let bytes: Vec<u8> =
        bytes.split(' ').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    let server = serve(return_on_close::app());
    let mut ana = server.connect("Ana", "/ws").await?;

    ana.writes_raw(&bytes).await?;

    ana.hears("Hello").await
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sleeps_answers_nothing_meanwhile() -> Check {
    let server = serve(sleep::app());
    let mut said = String::new();

    for messages in [0, 30, 60] {
        let mut seconds = Vec::new();
        for closes in [false, true] {
            let mut ana = server.connect("Ana", "/ws").await?;
            for _ in 0..messages {
                ana.says("hello").await?;
            }
            let start = Instant::now();
            if closes {
                ana.leaves().await?;
            } else {
                ana.pings(b"still here?").await?;
                ana.hears_pong(b"still here?").await?;
            }
            seconds.push(start.elapsed().as_secs_f64());
        }
        let [pong, close] = seconds[..] else { continue };
        said.push_str(&format!(
            "after {messages} messages: pong in {pong:.1} s, Close answered in {close:.1} s\n"
        ));
    }

    compare("10_sleep", &said)
}

/// Somebody sends forty messages shortly before the border of two windows, and forty
/// shortly after. Both limits mean ten a second, and twenty at once.
#[tokio::test(start_paused = true)]
async fn a_fixed_window_allows_twice_its_limit_at_a_border() -> Check {
    let ten = NonZeroU32::new(10).expect("ten is not zero");
    let quota = Quota::per_second(ten).allow_burst(ten.saturating_add(10));
    let bucket =
        governor::RateLimiter::direct_with_clock(quota, FakeRelativeClock::default());
    let mut window = fixed_window::FixedWindow::new(20, Duration::from_secs(2));
    let (mut in_window, mut in_bucket) = (Vec::new(), Vec::new());

    for pause in [1_900, 200].map(Duration::from_millis) {
        advance(pause).await;
        bucket.clock().advance(pause);
        in_window.push((0..40).filter(|_| window.allows()).count());
        in_bucket.push((0..40).filter(|_| bucket.check().is_ok()).count());
    }

    let mut said =
        format!("{:15}{:>10}{:>10}{:>10}\n", "", "at 1.9 s", "at 2.1 s", "in all");
    for (name, passed) in [("a fixed window", in_window), ("a token bucket", in_bucket)] {
        let (first, second) = (passed[0], passed[1]);
        let all = first + second;
        said.push_str(&format!("{name:15}{first:>10}{second:>10}{all:>10}\n"));
    }
    compare("10_fixed_window", &said)
}

#[tokio::test(start_paused = true)]
async fn a_count_by_hand_forgets_who_is_gone() -> Check {
    let count = counted_by_hand::Count::default();
    let server = serve(counted_by_hand::app(count.clone()));
    let long_name = format!("/ws/{}", "x".repeat(21));
    // She reads no answer, and after 199 of them the connection has no room for one more.
    let others = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n".repeat(199);
    let upgrade = probe::upgrade_request("/ws/eve");
    let mut said = String::new();
    let mut note = async |what: &str| {
        tokio::time::sleep(Duration::from_millis(10)).await; // Then its task is done.
        let count = count.load(std::sync::atomic::Ordering::Relaxed);
        said.push_str(&format!("{what}: {count} counted\n"));
    };

    server.connect("Ana", "/ws/ana").await?.leaves().await?;
    note("Ana comes and goes").await;
    server.connect("Eve", &long_name).await?.finds_the_connection_lost().await?;
    note("a name is too long, and the function returns").await;
    let eve = server.opens_a_connection(&(others + &upgrade)).await?;
    tokio::time::sleep(Duration::from_millis(10)).await; // The server has read all of it.
    drop(eve);
    note("a client is gone before the upgrade").await;
    let mut eve = server.connect("Eve", "/ws/eve").await?;
    eve.says("").await?;
    eve.finds_the_connection_lost().await?;
    note("an empty text, and the task panics").await;
    let _ana = server.connect("Ana", "/ws/ana").await?;
    server.rejects("Ben", "/ws/ben", 503).await?;
    note("Ana connects, and Ben gets 503").await;

    compare("11_counted_by_hand", &said)
}

#[tokio::test(start_paused = true)]
async fn a_healthy_client_is_lost_with_a_burst() -> Check {
    let mut said = String::new();

    for messages in [10, 100] {
        let server = serve(lagged_ends_it::app());
        let mut ana = server.connect("Ana", "/ws").await?;
        let mut ben = server.connect("Ben", "/ws").await?;
        ana.hears_nothing_for(Duration::from_secs(1)).await?; // Both are in the room.

        ben.writes_raw(&probe::conformance::masked(0x81, b"hello").repeat(messages))
            .await?;

        let count = ana.hears_out(Duration::from_secs(1)).await.len();
        let count = if count == messages { "all" } else { "not all" };
        let end = match ana.says("Are you there?").await {
            Ok(()) if ana.hears("Are you there?").await.is_ok() => "stays open",
            _ => "is lost, without a Close",
        };
        said.push_str(&format!(
            "Ben sends {messages} messages. Ana receives {count} of them, and her \
             connection {end}.\n"
        ));
    }

    compare("12_lagged_ends_it", &said)
}
