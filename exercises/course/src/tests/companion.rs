//! The commands of the companion, on a small course of the tests' own.

use std::{fs, path::Path, sync::mpsc, time::Duration};

use serde_json::{Value, json};

use super::Scratch;
use crate::{
    checks::{Fault, Outcome, Step, outcome},
    command::{Command, Membership, parse},
    course::{Course, Error},
    hint::{hint, unwrapped},
    nearest::nearest,
    overview,
    page::{Page, View},
    progress::Progress,
    reset::reset,
    runner,
    saves::{self, Snapshot},
    screen::{Style, fit},
    verdict,
};

const PLAIN: Style = Style { colour: false, width: 80, height: Some(24) };

const STUB: &str = "//! Nothing yet.\n";

/// What is left of a terminal of 24 lines for what we say.
const ROOM: usize = 22;

fn course(scratch: &Scratch) -> Course {
    let entry = |name: &str, file: &str| json!({ "name": name, "title": "a title", "file": file, "chapter": "lessons/01.md" });
    let syllabus = json!([
        entry("warm_up_01", "warm_ups/warm_up_01.rs"),
        entry("private_messaging", "private_messaging.rs"),
        entry("typing_indicator", "typing_indicator.rs"),
    ]);
    let put = |file: &str, text: &str| {
        let file = scratch.join("exercises").join(file);
        fs::create_dir_all(file.parent().expect("it is in a folder"))
            .expect("there is room");
        fs::write(file, text).expect("there is room");
    };
    put("syllabus.json", &syllabus.to_string());
    for file in ["warm_ups/warm_up_01.rs", "private_messaging.rs", "typing_indicator.rs"]
    {
        put(&format!("stubs/{file}"), STUB);
        put(&format!("src/{file}"), STUB);
    }
    put(
        "hints/typing_indicator.md",
        "# Hints\n\n## Where\n\nHere.\n\n## Which\n\nThis.\n",
    );
    Course::open(&scratch.0).expect("it is all there")
}

fn parsed(line: &str) -> Result<Command, Error> {
    let words: Vec<_> = line.split_whitespace().map(String::from).collect();
    parse(&words)
}

#[track_caller]
fn is_unknown(line: &str, part: &str) {
    let error = parsed(line).expect_err("this should be refused");
    assert!(error.sentence.contains(part), "{line:?} got {:?}", error.sentence);
    assert_eq!(error.code, 2, "{line:?} has a word that is not known");
}

fn step(path: &str, passed: bool, remark: &str) -> Step {
    let (exercise, name) = path.split_once("::").expect("it has two parts");
    Step {
        exercise: exercise.into(),
        name: name.into(),
        passed,
        remark: remark.into(),
        open: None,
    }
}

fn ran(steps: Vec<Step>) -> Outcome {
    Outcome::Ran { steps, warnings: 0 }
}

fn entry<'a>(course: &'a Course, name: &str) -> &'a crate::syllabus::Entry {
    course.syllabus.find(name).expect("it is in the syllabus")
}

/// What `watch` shows on a terminal.
fn page<'a>(course: &'a Course, name: Option<&str>, outcome: Outcome) -> Page<'a> {
    Page {
        course,
        style: PLAIN,
        has_keys: true,
        progress: Progress::default(),
        entry: name.map(|name| entry(course, name)),
        outcome: Some((outcome, Duration::ZERO)),
        known: Vec::new(),
        is_checking: false,
        praise: None,
        notice: None,
        view: View::Verdict,
    }
}

#[test]
fn options_may_stand_anywhere() {
    let name = || Some("typing_indicator".to_owned());
    let class = Membership { url: "http://10.0.0.5:8000".into(), name: "ana".into() };

    for (line, expected) in [
        ("", Command::Overview),
        ("list --format json", Command::List { json: true }),
        ("list --format=json", Command::List { json: true }),
        ("check", Command::Check { name: None, json: false }),
        ("hint --next typing_indicator", Command::Hint { name: name(), more: true }),
        ("hint typing_indicator --next", Command::Hint { name: name(), more: true }),
        (
            "watch --class http://10.0.0.5:8000 typing_indicator --name ana",
            Command::Watch { name: name(), class: Some(class) },
        ),
        ("check --help", Command::Help),
        ("board", Command::Board),
        ("board --help", Command::Help),
    ] {
        let command = parsed(line).expect("all of it is known");
        assert_eq!(command, expected, "{line:?} should be understood");
    }
}

#[test]
fn an_unknown_word_gets_a_sentence_and_the_nearest_word() {
    is_unknown("chekc", "There is no command `chekc`. Did you mean `check`?");
    is_unknown("dance", "`cargo course --help` shows all.");
    is_unknown("hint 2 --nxt", "Did you mean `--next`?");
    is_unknown("list --format xml", "There is no format `xml`.");
    is_unknown("list --format", "--format needs a value, as in --format json.");
    is_unknown("reset", "as in `cargo course reset typing_indicator`");
    is_unknown("solution", "as in `cargo course solution warm_up_01`");
    is_unknown("hint 1 --next --next", "`--next` is there twice.");
    is_unknown("board foo", "`board` has no use for `foo`");
    is_unknown("board --port 9000", "There is no option `--port`.");
    is_unknown("check 1 2", "`check` has no use for `2`");
    is_unknown("watch --class http://10.0.0.5:8000", "--class and --name go together");
}

#[test]
fn an_exercise_has_a_name_and_a_number() {
    let scratch = Scratch::new("names-of-exercises");
    let course = course(&scratch);
    let refused =
        |word: &str| course.syllabus.find(word).err().map(|found| found.sentence);

    for word in ["2", "typing_indicator", "typing-indicator", "Typing_Indicator"] {
        assert_eq!(
            entry(&course, word).name,
            "typing_indicator",
            "{word:?} is the second"
        );
    }
    assert_eq!(
        course.syllabus.label(entry(&course, "2")),
        "Exercise 2",
        "warm-ups do not count"
    );
    assert_eq!(
        course.syllabus.label(entry(&course, "warm_up_01")),
        "Warm-up 01",
        "nor here"
    );
    let sentence = refused("typing_indicatr").expect("there is none");
    assert!(sentence.ends_with("Did you mean `typing_indicator`?"), "{sentence}");
    for number in ["0", "3"] {
        let sentence = refused(number).expect("there is none");
        assert!(sentence.ends_with("their numbers are 1 to 2."), "{sentence}");
    }
}

#[test]
fn the_nearest_word_has_to_be_near() {
    let words = ["list", "next", "typing_indicator"];
    let near = |word| nearest(word, words.into_iter());

    assert_eq!(near("lsit"), Some("list"), "two letters have changed places");
    assert_eq!(near("typing"), Some("typing_indicator"), "it begins so");
    assert_eq!(near("dance"), None, "nothing is like it");
}

/// As cargo and the runner print it, with lines that are of no interest.
#[test]
fn the_events_of_the_runner_are_understood() {
    let said = r#"
{"reason":"compiler-artifact","package_id":"exercises"}
{"reason":"build-finished","success":true}
{"type":"suite","event":"started","test_count":2}
{"type":"test","event":"started","name":"resume::step_1_one"}
{"type":"test","event":"ok","name":"resume::step_1_one","exec_time":0.01}
not json at all
{"type":"test","event":"failed","name":"resume::step_2_two","stdout":"Ana.\n\nMore.","open":"exercises/src/rooms.rs"}
{"type":"suite","event":"failed","passed":1,"failed":1}"#;

    let outcome = outcome(said, "error: test failed");

    let mut failed = step("resume::step_2_two", false, "Ana.\n\nMore.");
    failed.open = Some("exercises/src/rooms.rs".into());
    let expected = ran(vec![step("resume::step_1_one", true, ""), failed]);
    assert_eq!(outcome, expected, "each check has one result");
}

#[test]
fn the_compiler_is_heard_first() {
    let error = json!({ "reason": "compiler-message", "message": {
        "level": "error", "message": "mismatched types", "rendered": "error: mismatched types\n",
        "spans": [{ "file_name": "exercises/src/resume.rs", "line_start": 12, "is_primary": true }],
    }});
    let end = json!({ "reason": "compiler-message", "message": {
        "level": "error", "message": "aborting due to 1 previous error", "spans": [],
    }});
    let scratch = Scratch::new("compiler");
    let course = course(&scratch);

    let outcome = outcome(&format!("{error}\n{end}\n"), "error: could not compile");
    let lines = verdict::lines(&course, entry(&course, "2"), &outcome, PLAIN, Some(ROOM));

    let expected = "Your code does not compile: exercises/src/resume.rs:12";
    assert_eq!(lines[0], expected, "file and line come first");
    assert_eq!(lines[2], "error: mismatched types", "then the compiler's words");
    assert_eq!(lines.len(), 3, "there is one error");
}

/// Before the first run that compiles, and after the last one is solved.
#[test]
fn watch_shows_what_is_in_the_way_though_it_watches_none() {
    let scratch = Scratch::new("none-watched");
    let course = course(&scratch);
    let fault = Fault {
        location: Some("exercises/src/resume.rs:12".into()),
        message: "mismatched types".into(),
        rendered: "error: mismatched types".into(),
    };
    let mut page = page(&course, None, Outcome::DoesNotCompile(vec![fault]));
    let expected = "Your code does not compile: exercises/src/resume.rs:12";

    assert_eq!(page.verdict(Some(ROOM))[0], expected, "at the beginning");

    let all = course.syllabus.entries.iter().map(|entry| entry.name.clone());
    page.progress.solved = all.collect();
    assert_eq!(page.verdict(Some(ROOM))[0], expected, "at the end");

    page.outcome = Some((ran(Vec::new()), Duration::ZERO));
    let expected = "All warm-ups and exercises are solved.";
    assert_eq!(page.verdict(Some(ROOM))[0], expected, "nothing is in the way any more");
}

#[test]
fn what_cargo_says_is_passed_on() {
    let outcome = outcome("", "error: no space left\n");

    assert_eq!(
        outcome,
        Outcome::Broken("error: no space left".into()),
        "nothing has run"
    );
}

/// With a program of our own in the place of cargo.
#[cfg(unix)]
#[test]
fn a_long_wait_is_explained_and_a_short_one_is_not() {
    use std::process::{Command, Stdio};
    const BEGIN: &str = r#"{"type":"suite","event":"started","test_count":1}"#;
    let start = |script: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", BEGIN]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        shell.spawn().expect("there is a shell")
    };
    let (sender, explained) = mpsc::channel();

    // It compiles until we have explained it: the explanation closes what it reads.
    let mut compiling = start("echo compiling >&2; cat; echo \"$1\"");
    let stdin = compiling.stdin.take();
    let explain = sender.clone();
    let (stdout, stderr) = runner::all_said(compiling, Duration::ZERO, move || {
        drop(stdin);
        explain.send(()).expect("the test listens");
    })
    .expect("it can be read");
    assert_eq!(explained.try_recv(), Ok(()), "nothing had come yet");
    assert_eq!((stdout.trim(), stderr.trim()), (BEGIN, "compiling"), "all of it is read");

    // The checks themselves may take their time.
    let mut checking = start("echo \"$1\"; cat");
    let stdin = checking.stdin.take();
    let explain = sender.clone();
    let patience = Duration::from_secs(10);
    runner::all_said(checking, patience, move || {
        explain.send(()).expect("the test listens");
        drop(stdin);
    })
    .expect("it can be read");
    explained.try_recv().expect_err("there was nothing to explain");
}

#[test]
fn who_ends_the_process_is_told_so() {
    let scratch = Scratch::new("exit");
    let course = course(&scratch);
    let said = r#"{"type":"suite","event":"started","test_count":3}
{"type":"test","event":"started","name":"resume::step_1_one"}
{"type":"test","event":"ok","name":"resume::step_1_one","exec_time":0.01}
{"type":"test","event":"started","name":"resume::step_2_two"}"#;

    let outcome = outcome(said, "");

    let lines = verdict::lines(&course, entry(&course, "2"), &outcome, PLAIN, Some(ROOM));
    assert_eq!(
        lines.join(" "),
        "Your code ended the process during resume::step_2_two. Perhaps it calls \
         `std::process::exit`, or it aborts.",
        "cargo has no word for it"
    );
    let of_another = r#"{"type":"test","event":"started","name":"drain::step_1_one"}"#;
    let outcome =
        crate::checks::outcome(&format!("{said}\n{of_another}"), "error: SIGABRT");
    let words = outcome.interruption().expect("it has not run to its end");
    for part in [
        "one of these checks: resume::step_2_two, drain::step_1_one.",
        "one exercise alone. Cargo says:",
        "SIGABRT",
    ] {
        assert!(words.contains(part), "it should say {part:?}: {words}");
    }
}

#[test]
fn a_failing_check_fits_on_the_screen_with_its_sentence_first() {
    let scratch = Scratch::new("verdict");
    let course = course(&scratch);
    let long =
        "Ana connects and says a sentence that is longer than a line of the screen is. "
            .repeat(3);
    let details = format!("    {long}\n").repeat(40);
    let sentence = "Ben should hear \"hello\", but heard nothing.";
    let remark = format!("{sentence}\n\nThe conversation so far:\n{details}");
    let mut steps: Vec<_> = (2..30)
        .map(|number| {
            step(&format!("typing_indicator::step_{number}_more"), false, "Else.")
        })
        .collect();
    steps.insert(0, step("typing_indicator::step_1_it_is_heard", false, &remark));
    steps.insert(
        0,
        step("private_messaging::step_1_other", false, "Of another exercise."),
    );

    let outcome = ran(steps);
    let lines = verdict::lines(&course, entry(&course, "2"), &outcome, PLAIN, Some(ROOM));

    assert_eq!(lines[0], sentence, "the first that fails says why");
    assert!(lines.len() <= ROOM, "it fits: {lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 80),
        "in width, too: {lines:#?}"
    );
    let all = lines.join("\n");
    for part in [
        "step   typing_indicator::step_1_it_is_heard",
        "open   exercises/src/typing_indicator.rs",
        "read   book/src/lessons/01.md",
        "hint   cargo course hint typing_indicator",
        "more lines: cargo test -p exercises -- typing_indicator::step_1_",
        "Exercise 2: a title: 0 of 29 steps pass.",
    ] {
        assert!(all.contains(part), "it should say {part:?}:\n{all}");
    }
}

#[test]
fn the_list_of_watch_marks_what_is_watched_and_forgets_nothing() {
    let scratch = Scratch::new("list-of-watch");
    let course = course(&scratch);
    let one = step("typing_indicator::step_1", true, "");
    let two = |passed| step("typing_indicator::step_2", passed, "Why.");
    let of_another = ran(vec![step("private_messaging::step_1", false, "Why.")]);
    let mut page = page(&course, Some("1"), of_another.clone());

    page.remember(&ran(vec![one.clone(), two(false)]));
    page.remember(&of_another);
    page.remember(&Outcome::DoesNotCompile(Vec::new()));

    let list = page.list();
    assert!(list[0].starts_with("  -"), "this one is next, but not watched: {list:#?}");
    assert!(list[1].starts_with("> -"), "this one is watched: {list:#?}");
    assert!(list[2].starts_with("  1 of 2 steps"), "this one was checked: {list:#?}");

    page.remember(&ran(vec![
        one,
        two(false),
        step("typing_indicator::step_3", true, ""),
    ]));
    assert!(page.list()[2].starts_with("  2 of 3 steps"), "the newest counts");
}

#[test]
fn a_window_may_be_small() {
    let scratch = Scratch::new("small");
    let course = course(&scratch);
    let remark =
        "Ben should hear it, but heard nothing.\n\nThe conversation so far:\n  Ana";
    let failed = ran(vec![step("typing_indicator::step_1_one", false, remark)]);
    let mut page = page(&course, Some("2"), failed);
    page.praise = Some("Exercise 1: a title is solved.".into());
    page.notice = Some("The board is away. ".repeat(10));

    for height in 1..24 {
        page.style = Style { height: Some(height), ..PLAIN };

        let screen = page.screen("checked in 0.3 s");

        assert!(screen.len() <= height, "{height} lines are enough: {screen:#?}");
        let last = screen.last().expect("the last line is always there");
        assert!(last.starts_with("h hint"), "the keys can be seen: {screen:#?}");
    }
}

#[test]
fn where_you_are_is_known_by_the_checks() {
    let scratch = Scratch::new("progress");
    let course = course(&scratch);
    let next =
        |progress: &Progress| progress.next(&course).map(|entry| entry.name.clone());
    let mut progress = Progress::load(&course);
    assert_eq!(next(&progress).as_deref(), Some("warm_up_01"), "the beginning");

    progress.note(&course, &[step("warm_up_01::step_1", true, "")]);
    assert_eq!(next(&progress).as_deref(), Some("private_messaging"), "one is solved");

    progress.note(&course, &[step("private_messaging::step_1", true, "")]);
    progress.note(&course, &[step("warm_up_01::step_1", false, "Broken again.")]);
    assert_eq!(next(&progress).as_deref(), Some("warm_up_01"), "it passes no more");

    let outcome = ran(vec![
        step("typing_indicator::step_1", true, ""),
        step("typing_indicator::step_2", false, "Why."),
    ]);
    let current = progress.next(&course);
    let list = overview::list_lines(&course, &outcome, &progress, current, PLAIN);
    assert!(list[0].starts_with("> -"), "this is next: {list:#?}");
    assert!(
        list[1].starts_with("  solved") && list[1].contains(" 1 private"),
        "{list:#?}"
    );
    assert!(list[2].starts_with("  1 of 2 steps"), "this is begun: {list:#?}");
}

#[test]
fn progress_survives_and_a_damaged_file_is_a_beginning() {
    let scratch = Scratch::new("remembered");
    let course = course(&scratch);

    let change =
        |progress: &mut Progress| _ = progress.solved.insert("warm_up_01".into());
    let saved = Progress::update(&course, change).expect("it can be written");
    assert_eq!(Progress::load(&course), saved, "the next call knows it");

    let file = scratch.join("exercises/.progress.json");
    let damaged = scratch.join("exercises/.progress.json.damaged");
    for text in ["{\"solved\": [", "{\"solved\": 7}", "not JSON"] {
        fs::write(&file, text).expect("it is ours");
        assert_eq!(Progress::load(&course), Progress::default(), "{text:?} says nothing");

        let sentence = Progress::set_aside_if_damaged(&course).expect("it is damaged");
        let part = "It is kept as exercises/.progress.json.damaged.";
        assert!(sentence.contains(part), "{sentence}");
        let kept = fs::read_to_string(&damaged).expect("it is there");
        assert_eq!(kept, text, "as it was");
    }
    assert_eq!(Progress::set_aside_if_damaged(&course), None, "there is none any more");
    fs::write(&file, "damaged later").expect("it is ours");
    Progress::update(&course, change).expect("it can be written");
    let kept = fs::read_to_string(&damaged).expect("it is there");
    assert_eq!(kept, "damaged later", "nothing is overwritten");
}

#[test]
fn what_a_newer_version_remembers_stays() {
    let scratch = Scratch::new("newer");
    let course = course(&scratch);
    let file = scratch.join("exercises/.progress.json");
    fs::write(&file, r#"{ "solved": [], "stars": { "resume": 3 } }"#)
        .expect("it is ours");

    Progress::update(&course, |progress| _ = progress.solved.insert("resume".into()))
        .expect("it can be written");

    let text = fs::read_to_string(&file).expect("it is there");
    let now: Value = serde_json::from_str(&text).expect("it is JSON");
    let expected = json!({ "solved": ["resume"], "hints": {}, "stars": { "resume": 3 } });
    assert_eq!(now, expected, "what we do not know is there as before");
}

#[test]
fn hints_can_be_read_again_and_come_one_by_one() {
    let scratch = Scratch::new("hints");
    let course = course(&scratch);
    let shown = |more| hint(&course, Some("2"), more).expect("there are two");

    let first = shown(false);
    assert!(first.starts_with("Hint 1 of 2: Where\n\nHere."), "{first}");
    assert!(
        first.ends_with("One more hint: cargo course hint typing_indicator --next"),
        "{first}"
    );
    assert_eq!(shown(false), first, "it is there to be read again");

    let both = shown(true);
    assert!(
        both.contains("Hint 1 of 2: Where") && both.contains("Hint 2 of 2: Which"),
        "{both}"
    );
    assert!(both.contains("That was the last hint."), "{both}");
    assert_eq!(shown(false), both, "both are there to be read again");
    assert_eq!(shown(true), both, "there is no third");
}

#[test]
fn the_lines_of_a_paragraph_are_joined_and_those_of_code_are_not() {
    let text = "Where\n\nRead the\nchapter.\n\n1. Give it\n   a field:\n   - one\n     alone\n2. Then:\n\n```rust\nlet a = 1;\nlet b = 2;\n```\nThe\nend.";

    let expected = "Where\n\nRead the chapter.\n\n1. Give it a field:\n   - one alone\n2. Then:\n\n```rust\nlet a = 1;\nlet b = 2;\n```\nThe end.";
    assert_eq!(unwrapped(text), expected, "a screen has other columns than the file");
}

#[test]
fn an_item_of_a_list_goes_on_below_its_first_word() {
    let narrow = Style { width: 20, ..PLAIN };

    let lines = narrow.wrap("- Ana says a sentence\n  12. Ben hears a sentence");

    let expected = ["- Ana says a", "  sentence", "  12. Ben hears a", "      sentence"];
    assert_eq!(lines, expected, "so that the items can be told apart");
}

#[test]
fn each_version_is_kept_and_none_is_overwritten() {
    let scratch = Scratch::new("reset");
    let course = course(&scratch);
    let source = scratch.join("exercises/src/typing_indicator.rs");
    let kept = |number| {
        let file = format!("exercises/kept/typing_indicator.{number}.rs");
        fs::read_to_string(scratch.join(&file)).ok()
    };

    let sentence = reset(&course, "2").expect("nothing is in the way");
    assert!(sentence.ends_with("Nothing has changed."), "{sentence}");
    assert!(!scratch.join("exercises/kept").exists(), "a stub is no work to keep");

    for (number, text) in [(1, "my first try"), (2, "my second try")] {
        fs::write(&source, text).expect("it is ours");
        let sentence = reset(&course, "2").expect("nothing is in the way");
        let file = format!("kept in exercises/kept/typing_indicator.{number}.rs.");
        assert!(sentence.ends_with(&file), "{sentence}");
        let now = fs::read_to_string(&source).expect("it is there");
        assert_eq!(now, STUB, "the stub is back");
    }
    let both = [kept(1), kept(2)].map(Option::unwrap_or_default);
    assert_eq!(both, ["my first try", "my second try"], "both are there");
}

#[test]
fn what_cannot_be_kept_is_not_taken_away() {
    let scratch = Scratch::new("no-room");
    let course = course(&scratch);
    let source = scratch.join("exercises/src/typing_indicator.rs");
    fs::write(&source, "mine").expect("it is ours");
    fs::write(scratch.join("exercises/kept"), "no folder").expect("there is room");

    let error = reset(&course, "2").expect_err("there is nowhere to keep it");

    assert!(
        error.sentence.starts_with("We cannot write exercises/kept: "),
        "it says where"
    );
    assert_eq!(
        fs::read_to_string(&source).ok().as_deref(),
        Some("mine"),
        "nothing is lost"
    );
}

#[test]
fn what_cannot_be_read_is_not_replaced() {
    let scratch = Scratch::new("unreadable");
    let course = course(&scratch);
    let source = scratch.join("exercises/src/typing_indicator.rs");
    // A file without the right to read it would do, but not for who is root.
    fs::remove_file(&source).expect("it is ours");
    fs::create_dir(&source).expect("there is room");

    let error = reset(&course, "2").expect_err("it may have something in it");

    let expected = "We cannot read exercises/src/typing_indicator.rs: ";
    assert!(error.sentence.starts_with(expected), "{}", error.sentence);

    fs::remove_dir(&source).expect("it is ours");
    let sentence = reset(&course, "2").expect("nothing is there");
    assert!(sentence.ends_with("There was nothing in it to keep."), "{sentence}");
}

#[test]
fn a_reset_that_fails_says_where_the_copy_is_and_the_next_makes_no_other() {
    let scratch = Scratch::new("no-stub");
    let course = course(&scratch);
    let source = scratch.join("exercises/src/typing_indicator.rs");
    fs::write(&source, "mine").expect("it is ours");
    let in_the_way = scratch.join("exercises/src/typing_indicator.rs.new");
    fs::create_dir(&in_the_way).expect("there is room");

    for _ in 0..2 {
        let error = reset(&course, "2").expect_err("there is no room for the stub");
        let copy = "a copy of it is kept in exercises/kept/typing_indicator.1.rs.";
        assert!(error.sentence.ends_with(copy), "{}", error.sentence);
        let now = fs::read_to_string(&source).expect("it is there");
        assert_eq!(now, "mine", "nothing is lost");
    }

    fs::remove_dir(&in_the_way).expect("it is ours");
    let sentence = reset(&course, "2").expect("nothing is in the way");
    assert!(sentence.ends_with("typing_indicator.1.rs."), "{sentence}");
    let count =
        fs::read_dir(scratch.join("exercises/kept")).expect("it is there").count();
    assert_eq!(count, 1, "one copy of one text is enough");
}

#[cfg(unix)]
#[test]
fn behind_a_link_the_file_begins_anew() {
    let scratch = Scratch::new("link");
    let course = course(&scratch);
    let source = scratch.join("exercises/src/typing_indicator.rs");
    let elsewhere = scratch.join("mine.rs");
    fs::write(&elsewhere, "mine").expect("there is room");
    fs::remove_file(&source).expect("it is ours");
    std::os::unix::fs::symlink(&elsewhere, &source).expect("links are possible");

    reset(&course, "2").expect("nothing is in the way");

    assert!(source.is_symlink(), "the link is still one");
    let now = fs::read_to_string(&elsewhere).expect("it is there");
    assert_eq!(now, STUB, "and leads to the stub");
}

#[test]
fn long_lines_are_broken_between_words() {
    let narrow = Style { width: 20, ..PLAIN };

    let lines = narrow.wrap("  Ana says a sentence\n\n0123456789012345678901234");

    let expected = ["  Ana says a", "  sentence", "", "01234567890123456789", "01234"];
    assert_eq!(lines, expected, "a word stays whole if it can");
}

#[test]
fn what_does_not_fit_is_counted() {
    let lines = |count: usize| vec!["a line".to_owned(); count];

    assert_eq!(fit(lines(5), 5, "all"), lines(5), "these fit");
    let fitting = fit(lines(9), 5, "cargo test");
    assert_eq!(fitting.len(), 5, "no more than that");
    assert_eq!(fitting[4], "  … 5 more lines: cargo test", "what is left out is said");
}

#[test]
fn the_same_text_again_is_no_change() {
    let scratch = Scratch::new("snapshot");
    let save =
        |file: &str, text: &str| fs::write(scratch.join(file), text).expect("it is ours");
    fs::create_dir(scratch.join("warm_ups")).expect("there is room");
    save("warm_ups/one.rs", "one");
    let before = Snapshot::take(&scratch.0);

    save("warm_ups/one.rs", "one");
    save(".one.rs.swp", "what an editor leaves");
    assert_eq!(Snapshot::take(&scratch.0), before, "nothing has to be checked again");

    save("warm_ups/one.rs", "two");
    assert_ne!(Snapshot::take(&scratch.0), before, "this is another text");
}

#[test]
fn a_save_is_noticed_and_so_is_one_by_rename() {
    let scratch = Scratch::new("saves");
    let file = scratch.join("one.rs");
    fs::write(&file, "one").expect("there is room");
    let (sender, saves) = mpsc::sync_channel(64);
    let saved = move || _ = sender.try_send(()); // One that waits is enough.
    let _watcher = saves::follow(&scratch.0, saved).expect("a folder can be watched");
    let notices = |how: &str| {
        assert!(saves.recv_timeout(Duration::from_secs(10)).is_ok(), "{how}");
        while saves.recv_timeout(Duration::from_millis(50)).is_ok() {} // The same save still.
    };

    fs::write(&file, "two").expect("it is ours");
    notices("it is written in place");

    fs::write(scratch.join("new"), "three").expect("there is room");
    notices("a new file is beside it");
    fs::rename(scratch.join("new"), &file).expect("both are ours");
    notices("the new file has its name");
}

/// Whoever reads this with another program relies on it.
#[test]
fn the_real_syllabus_has_a_file_for_each() {
    let course = Course::open(&crate::course::root()).expect("it is all there");

    for entry in &course.syllabus.entries {
        let solution = format!("solutions/src/{}", entry.file);
        for file in [entry.source(), entry.stub(), solution] {
            assert!(course.root.join(&file).is_file(), "{file} should be there");
        }
    }
    let text = course.read("exercises/syllabus.json").expect("it can be read");
    let read: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(
        read.as_array().map(Vec::len),
        Some(course.syllabus.entries.len()),
        "all of it"
    );
    assert!(Path::new(&course.root).is_absolute(), "whatever folder we are in");
}
