mod chat;

use std::time::Duration;

use futures_util::future::join;
use tokio::time::sleep;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::{
    connect::{path, people},
    frames::{add_frame, each_frame},
    member::message,
    options::{Options, help},
    plot::plot,
    report::{Report, Second, Times},
    run::Run,
    schedule::Plan,
};
use chat::Chat;

const MILLISECOND: Duration = Duration::from_millis(1);

fn options(words: &str) -> Options {
    let words = words.split_whitespace().map(ToOwned::to_owned);
    Options::parse(words).expect("the options of a test are right")
}

/// Generates with these options, and this chat.
async fn generate(chat: &Chat, words: &str) -> Result<(Report, Options), String> {
    let options = options(words);
    let run = Run::new(options.clone(), Vec::new(), chat.open());
    let report = run.generate(0..options.rooms).await?;
    Ok((report, options))
}

/// The latencies of all seconds that are measured.
fn latencies(report: &Report, options: &Options) -> Times {
    let mut all = Times::default();
    report.steps(options).for_each(|(_, second)| all.merge(&second.latency));
    all
}

#[tokio::test(start_paused = true)]
async fn a_delivery_takes_as_long_as_the_server() -> Result<(), String> {
    let chat = Chat { delay: 20 * MILLISECOND, ..Chat::default() };

    let (report, options) =
        generate(&chat, "--members 5 --senders 2 --rate 100 --seconds 3").await?;

    let times = latencies(&report, &options);
    assert_eq!(
        times.count(),
        100 * 5 * 3,
        "each message, for each member, in each second"
    );
    let (p50, max) = (times.percentile(50.0), times.percentile(100.0));
    assert!((20.0..22.0).contains(&p50), "half of them took 20 ms: {p50}");
    assert!((20.0..23.0).contains(&max), "and so did all others: {max}");
    Ok(())
}

/// A second of the server in which nothing moves. What is due meanwhile is late.
const STALL: Option<(Duration, Duration)> =
    Some((Duration::from_secs(3), Duration::from_secs(1)));
const ONE_WRITES: &str = "--members 3 --senders 1 --rate 100 --seconds 5";

#[tokio::test(start_paused = true)]
async fn an_open_loop_sees_a_server_that_stalls() -> Result<(), String> {
    let chat = Chat { stall: STALL, ..Chat::default() };

    let (report, options) = generate(&chat, ONE_WRITES).await?;

    let times = latencies(&report, &options);
    let (p99, max) = (times.percentile(99.0), times.percentile(100.0));
    assert_eq!(times.count(), 100 * 3 * 5, "the stall delays messages, and loses none");
    assert!((900.0..1_000.0).contains(&p99), "a fifth of them had to wait: {p99}");
    assert!((980.0..1_010.0).contains(&max), "one of them the whole second: {max}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_hides_a_server_that_stalls() -> Result<(), String> {
    let chat = Chat { stall: STALL, ..Chat::default() };

    let (report, options) = generate(&chat, &format!("{ONE_WRITES} --closed 1")).await?;

    let times = latencies(&report, &options);
    let (p99, max) = (times.percentile(99.0), times.percentile(100.0));
    assert!(p99 < 5.0, "the generator waited as well, and measured nothing: {p99}");
    assert!(max > 900.0, "only the message that was under way shows it: {max}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_sender_of_a_closed_loop_waits_until_all_have_its_message() -> Result<(), String>
{
    let chat = Chat { delay: 100 * MILLISECOND, ..Chat::default() };
    let words = "--members 4 --senders 2 --seconds 5 --rate inf --closed 3";

    let (report, options) = generate(&chat, words).await?;

    let times = latencies(&report, &options);
    let (count, p50) = (times.count(), times.percentile(50.0));
    // Two senders with three messages each in a tenth of a second, five seconds, four members.
    assert!(
        (1_176..=1_224).contains(&count),
        "the server says how many there are: {count}"
    );
    assert!((100.0..102.0).contains(&p50), "each took as long as the server: {p50}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_another_generator_writes_in_the_same_room_does_not_count()
-> Result<(), String> {
    let chat = Chat { delay: 20 * MILLISECOND, ..Chat::default() };
    let words = "--members 3 --senders 1 --rate 50 --seconds 2";

    let later = async {
        sleep(300 * MILLISECOND).await;
        generate(&chat, words).await
    };
    let (first, second) = join(generate(&chat, words), later).await;

    for (report, options) in [first?, second?] {
        let times = latencies(&report, &options);
        let max = times.percentile(100.0);
        assert_eq!(times.count(), 50 * 3 * 2, "its own messages alone");
        assert!((20.0..23.0).contains(&max), "by its own clock: {max}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_disconnected_and_does_not_count() -> Result<(), String> {
    let words = "--members 4 --senders 1 --slow 1 --rate 100 --seconds 3";

    let (report, options) = generate(&Chat::default(), words).await?;

    let summary = report.summary(&options);
    let (missing, count) = (summary.rows[0].missing, summary.rows[0].count);
    assert_eq!((missing, count), (0, 900), "the three who read have had everything");
    let events: Vec<&str> = summary.events.keys().map(String::as_str).collect();
    assert_eq!(events, ["a slow connection ended with 4008"], "and the fourth a Close");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn members_arrive_when_they_are_due_however_long_a_handshake_takes()
-> Result<(), String> {
    let chat = Chat { handshake: Duration::from_secs(1), ..Chat::default() };

    let (report, _) = generate(&chat, "--members 50 --arrivals 100 --seconds 1").await?;

    let came = chat.came();
    let took = came[49].duration_since(came[0]).as_millis();
    assert!((490..=500).contains(&took), "50 in half a second: {took} ms");
    let (p50, max) =
        (report.handshakes.percentile(50.0), report.handshakes.percentile(100.0));
    assert!((1_000.0..1_010.0).contains(&p50), "each handshake takes a second: {p50}");
    assert!(max < 1_010.0, "the last not longer than the others: {max}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_storm_all_members_come_back() -> Result<(), String> {
    let chat = Chat { handshake: 300 * MILLISECOND, ..Chat::default() };

    let (report, options) =
        generate(&chat, "--members 10 --storm 3 --rate 100 --seconds 5").await?;

    let back = report.returns.percentile(100.0);
    assert_eq!(report.returns.count(), 10, "each of them once");
    assert!((300.0..310.0).contains(&back), "all at once, after one handshake: {back}");
    assert_eq!(chat.came().len(), 20, "with new connections");
    let longest = latencies(&report, &options).percentile(100.0);
    assert!((290.0..320.0).contains(&longest), "what was due then came late: {longest}");
    let late = report.late.percentile(100.0);
    assert!(late < 5.0, "and that was not because of us: {late}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_missing() -> Result<(), String> {
    // After the storm nobody comes in again.
    let chat = Chat { limit: Some(3), ..Chat::default() };
    let words = "--members 3 --senders 1 --rate 100 --seconds 4 --storm 2";

    let (report, options) = generate(&chat, words).await?;

    let summary = report.summary(&options);
    let (count, missing) = (summary.rows[0].count, summary.rows[0].missing);
    assert_eq!(count + missing, 100 * 3 * 4, "all that was due is in the table: {count}");
    assert_eq!(
        summary.knee,
        (None, Some(100.0)),
        "a server that is gone does not keep up"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_no_delivery() -> Result<(), String> {
    let options = options("--ids true");
    let run = Run::new(options, Vec::new(), Chat::default().open());

    let text = message(&run, 3, 7, 1_000);

    assert_eq!(run.numbers_in(text.as_bytes()), Some((3, 7, 1_000)), "{text}");
    let chat: serde_json::Value =
        serde_json::from_str(&text).map_err(|it| it.to_string())?;
    let ack = format!(r#"{{"type":"ack","id":{},"seq":1}}"#, chat["id"]);
    assert_eq!(run.numbers_in(ack.as_bytes()), None, "it has the id: {ack}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_cannot_connect_is_told_what_the_server_says() {
    let chat = Chat { limit: Some(7), ..Chat::default() };

    let result = generate(&chat, "--members 10").await;

    let sentence = result.err().unwrap_or_default();
    assert_eq!(sentence, "Only 7 of 10 are connected: [\"This chat is full.\"]");
}

#[test]
fn what_two_processes_measured_is_added_and_not_averaged() {
    let (mut fast, mut slow) = (Report::for_seconds(1), Report::for_seconds(1));
    (0..980).for_each(|_| fast.seconds[0].latency.record(1_000));
    (0..20).for_each(|_| slow.seconds[0].latency.record(50_000_000));
    fast.count("refused");
    slow.count("refused");

    // As it goes from one process to the other.
    let slow = serde_json::to_string(&slow).expect("it has a JSON form");
    fast.merge(&serde_json::from_str(&slow).expect("it was written a moment ago"));

    let Second { latency, .. } = &fast.seconds[0];
    assert_eq!(latency.count(), 1_000, "980 and 20");
    let of = |percent| latency.percentile(percent).round();
    assert_eq!((of(50.0), of(98.0)), (1.0, 1.0), "98 of 100 took a millisecond");
    assert_eq!((of(98.1) / 1_000.0).round(), 50.0, "and 2 of 100 took 50 seconds");
    assert_eq!(fast.events["refused"], 2, "counts are added as well");
}

#[test]
fn senders_take_turns_and_a_rate_follows_the_other() {
    let plan = Plan { rates: vec![10.0, 2.0], step: 2 };

    let due = |sender| plan.clone().due(sender, 4).map(|at| at.as_millis()).collect();

    let first: Vec<u128> = due(0);
    let third: Vec<u128> = due(2);
    assert_eq!(first, [0, 400, 800, 1_200, 1_600, 2_000], "every fourth of ten a second");
    assert_eq!(third, [200, 600, 1_000, 1_400, 1_800, 3_000], "two places behind");
    assert_eq!(plan.measured(1), 3..4, "a second after the rate has changed");
}

#[test]
fn the_knee_is_where_deliveries_are_late_or_missing() {
    let options = options("--rate 1,2,4,8 --seconds 1 --limit 10");
    let knee = |millis: [u64; 4], missing: [u64; 4]| {
        let mut report = Report::for_seconds(8);
        for (step, (millis, missing)) in millis.into_iter().zip(missing).enumerate() {
            let second = &mut report.seconds[2 * step + 1];
            (0..1_000).for_each(|_| second.latency.record(1_000 * millis));
            second.expected = 1_000 + missing;
        }
        report.summary(&options).knee
    };

    let late = knee([1, 2, 50, 1], [0; 4]);
    let missing = knee([1; 4], [0, 0, 0, 2]);

    assert_eq!(late, (Some(2.0), Some(4.0)), "what comes after it is no better");
    assert_eq!(missing, (Some(4.0), Some(8.0)), "two of a thousand are too many");
    assert_eq!(knee([1; 4], [1; 4]), (Some(8.0), None), "one of them is not");
}

#[test]
fn a_frame_may_come_in_pieces() {
    let mut bytes = Vec::new();
    let text = "x".repeat(300); // With a longer head.
    add_frame(OpCode::Data(Data::Text), text.clone().into(), &mut bytes);
    add_frame(OpCode::Control(Control::Ping), b"here?".into(), &mut bytes);
    let first = 4 + 4 + 300;

    for length in 0..=bytes.len() {
        let mut found = 0;
        let used = each_frame(&bytes[..length], |_, _| found += 1);
        let whole = match length {
            all if all == bytes.len() => (2, bytes.len()),
            long if long >= first => (1, first),
            _ => (0, 0),
        };
        assert_eq!((found, used.ok()), (whole.0, Some(whole.1)), "{length} bytes");
    }
}

#[test]
fn a_member_has_a_name_or_a_token_and_a_room() {
    let mut options = options("--rooms 2 --members 20");
    assert_eq!(path(&options, &[], 23), "/ws/chat/room-1/member-23", "as in lesson 07");

    options.people = std::env::temp_dir().join(format!("people-{}", std::process::id()));
    let people = |text: String| {
        std::fs::write(&options.people, text).expect("there is a folder for this");
        people(&options)
    };
    let enough = people((0..25).map(|it| format!("p{it} eyJ.{it}.x\n")).collect());
    let few = people("ana eyJ.1.x\n".into());
    let wrong = people("ana\n".into());
    let _ = std::fs::remove_file(&options.people); // Or the system does it.

    let paths = [0, 23, 39]
        .map(|member| path(&options, enough.as_deref().unwrap_or(&[]), member));
    assert_eq!(paths[0], "/ws/chat/room-0?token=eyJ.0.x", "the first of them");
    assert_eq!(paths[1], "/ws/chat/room-1?token=eyJ.23.x", "in the second room");
    assert_eq!(
        paths[2], "/ws/chat/room-1?token=eyJ.14.x",
        "once more from the beginning"
    );
    let sentence = few.err().unwrap_or_default();
    assert!(sentence.ends_with("1 people are too few for rooms of 20."), "{sentence}");
    let sentence = wrong.err().unwrap_or_default();
    assert!(sentence.ends_with("\"ana\" is no name and password."), "{sentence}");
}

#[test]
fn what_makes_no_sense_gets_a_sentence() {
    let sentence = |words: &str| {
        Options::parse(words.split(' ').map(ToOwned::to_owned)).err().unwrap_or_default()
    };

    assert_eq!(sentence("--rate fast"), "--rate cannot be \"fast\": see --help.");
    assert_eq!(sentence("--speed 3"), "There is no option --speed: see --help.");
    assert_eq!(sentence("--rate"), "--rate needs a value.");
    assert!(sentence("--rate inf").starts_with("An open loop needs a rate"));
    assert!(sentence("--rate inf --closed 1").is_empty());
    assert!(sentence("--senders 0").starts_with("Somebody has to write"));
    assert!(sentence("--members 5").starts_with("Who writes and who is slow"));
    assert!(sentence("--processes 2").starts_with("Processes share the rooms"));
    assert!(sentence("--rate 1e9").starts_with("An open loop needs a rate"));
    assert!(sentence("--seconds 0").ends_with("are above 0."));
    assert!(help().contains("--closed 0 "), "with their defaults: {}", help());
}

#[test]
fn the_picture_has_a_curve_for_each_percentile() {
    let options = options("--rate 10,20 --seconds 1");
    let mut report = Report::for_seconds(4);
    report.seconds[1].latency.record(1_000);
    report.seconds[3].latency.record(900_000);

    let svg = plot(&report, &options);

    let lines: Vec<&str> =
        svg.lines().filter(|line| line.contains("<polyline")).collect();
    assert_eq!(lines.len(), 3, "p50, p99 and p99.9: {svg}");
    // A millisecond is two of five powers above the bottom.
    assert!(lines[0].contains("\"70.0,212.0 640.0,"), "from 10 to 20: {}", lines[0]);
    assert!(svg.contains(">messages a second<"), "with a title: {svg}");
}
