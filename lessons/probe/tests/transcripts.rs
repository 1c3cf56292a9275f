//! The language of transcripts, beyond what the lessons' transcripts show.

use std::{fs, path::Path};

use axum::{
    Router,
    extract::ws::{self, WebSocket, WebSocketUpgrade},
    routing::get,
};

use probe::{
    serve,
    transcript::{Act, FOLDER, Verdict, parse, replay},
};

#[test]
fn every_broken_transcript_gives_its_error() {
    let folder = Path::new(FOLDER).join("broken");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        let text = fs::read_to_string(&path).expect("so can the file");
        let expected = text.lines().next().and_then(|line| line.strip_prefix("#! "));

        let came = parse(&text).map_err(|error| error.to_string());

        if came.as_ref().err().map(String::as_str) != expected {
            wrong.push((path, came));
        }
    }
    assert!(wrong.is_empty(), "these should give their first line: {wrong:#?}");
}

const CLIENTS: [&str; 2] = ["lesson_19_client", "lesson_23_load"];

#[test]
fn every_lesson_has_transcripts_and_runs_them() {
    let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs::read_dir(lessons).expect("the folder is there") {
        let lesson = entry.expect("it can be read").path();
        let name = lesson.file_name().and_then(|name| name.to_str()).unwrap_or("");
        // Lesson 19 is a client, and lesson 23 a thousand of them: nothing to talk to.
        if !name.starts_with("lesson_") || CLIENTS.contains(&name) {
            continue;
        }
        let tests = fs::read_to_string(lesson.join("src/tests.rs"));

        assert!(
            tests.is_ok_and(|tests| tests.contains("probe::transcripts!(")),
            "src/tests.rs of {name} should say probe::transcripts!(app());"
        );
        assert!(
            Path::new(FOLDER).join(name).is_dir(),
            "book/transcripts/{name} should have some"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_close_and_a_close_without_a_code_have_numbers() {
    let drop_it = |upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(async |_| ()) };
    let close_it = |upgrade: WebSocketUpgrade| async {
        upgrade.on_upgrade(async |mut socket: WebSocket| {
            let _ = socket.send(ws::Message::Close(None)).await; // Or it left.
            while let Some(Ok(_)) = socket.recv().await {}
        })
    };
    let app = Router::new().route("/drop", get(drop_it)).route("/close", get(close_it));
    let text = "ana connects /drop\nana is closed 1006\n\
                 ana connects /close\nana is closed 1005\n\
                 ana connects /drop\nana is closed 1000\nana waits 1s";
    let steps = parse(text).expect("this is a transcript");

    let verdicts = replay(&serve(app), &steps).await;

    let came = Verdict::False("it was closed with 1006".into());
    assert!(verdicts[..5].iter().all(|verdict| *verdict == Verdict::True));
    assert_eq!(verdicts[5..], [came, Verdict::NotRun], "1006 is not 1000");
}

#[test]
fn any_value_may_stand_for_a_star_and_nothing_else() {
    let text = "ana connects /ws\nana receives {\"a\":*,\"b\":[\"*\",*]}";
    let steps = parse(text).expect("this is a transcript");
    let Act::Receives(expected) = &steps[1].act else { panic!("she receives it") };

    for (heard, same) in [
        (r#"{"b":["*",2],"a":null}"#, true),
        (r#"{"b":["*",{"c":[]}],"a":1.5}"#, true),
        (r#"{"a":1,"b":["x",2]}"#, false),
        (r#"{"a":1,"b":["*"]}"#, false),
        (r#"{"b":["*",2]}"#, false),
        (r#"{"a":1,"b":["*",2],"c":3}"#, false),
        ("a", false),
    ] {
        assert_eq!(expected.matches_text(heard), same, "{heard}");
    }
}
