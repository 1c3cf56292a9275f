//! The program that runs the learner's checks: what it understands, and what it says.

#[allow(dead_code)] // Its `main` is not called here.
#[path = "../../exercises/tests/runner/mod.rs"]
mod runner;

use std::{
    env,
    process::{self, Command},
    sync::Mutex,
};

use probe::{Check, Hint, on_virtual_time};
use runner::{
    Step,
    arguments::{self, Action, Arguments, Format},
    exercise::{self, Exercise},
    json,
    report::{self, Style},
    run, text,
};

const PLAIN: Style = Style { coloured: false, verbose: false, quiet: false };

/// A class of three: two exercises and a warm-up.
fn exercises() -> Vec<Exercise> {
    exercise::all(&[
        ("warm_up_03", &[("step_1_it_greets", passes)]),
        ("typing_indicator", TYPING),
        ("online_users", &[("step_1_the_list", panics), ("step_2_it_is_sorted", passes)]),
    ])
}

const TYPING: &[Step] = &[
    ("step_1_it_begins", passes),
    ("step_2_it_ends", fails),
    ("step_3_it_begins_anew", passes),
];

fn passes() -> Check {
    Ok(())
}

fn fails() -> Check {
    Err(Hint::new(
        "Ana types. Ben should hear it, but heard nothing for 10 s.\n\n  \
         The conversation so far:\n    Ana connects\n    Ben connects",
    ))
}

fn panics() -> Check {
    panic!("no list")
}

fn parse(typed: &str) -> Result<Arguments, String> {
    arguments::parse(typed.split_whitespace().map(String::from), &exercises())
}

/// The steps that these arguments select, or the sentence that is said instead.
fn selected(typed: &str) -> Result<Vec<String>, String> {
    let exercises = exercises();
    let selected = parse(typed)?.select(&exercises)?;
    let paths = selected
        .iter()
        .flat_map(|(exercise, steps)| steps.iter().map(|(step, _)| exercise.path(step)));
    Ok(paths.collect())
}

/// Runs what these arguments select.
fn printed(typed: &str, style: Style) -> String {
    let exercises = exercises();
    let selected = parse(typed).and_then(|arguments| arguments.select(&exercises));
    let reports = run::all(&selected.expect("it selects something"), 2, &|_| {});
    report::write(&reports, &exercises, style)
}

#[test]
fn a_name_selects_what_contains_it() {
    let all = selected("").expect("everything");
    let two = ["typing_indicator::step_2_it_ends", "online_users::step_2_it_is_sorted"];

    assert_eq!(all.len(), 6, "without a name, all checks run");
    assert_eq!(selected("step_2").expect("two of them"), two, "part of a name");
    assert_eq!(selected("online typing --skip step_1 --skip=step_3").expect("two"), two);
    let one = ["typing_indicator::step_2_it_ends"];
    assert_eq!(selected("--exact typing_indicator::step_2_it_ends").expect("one"), one);
}

/// An editor sees a test in the module that `steps!` makes.
#[test]
fn the_path_that_an_editor_sees_selects_a_step() {
    let typed =
        "typing_indicator::steps::step_2_it_ends --exact --nocapture --include-ignored";

    assert_eq!(selected(typed).expect("one"), ["typing_indicator::step_2_it_ends"]);
}

#[test]
fn a_number_is_an_exercise() {
    assert_eq!(selected("2").expect("exercise 2").len(), TYPING.len());
    assert_eq!(
        selected("5").expect_err("it is not there"),
        "There is no exercise 5. They are numbered 1 to 3, and the warm-ups are called \
         warm_up_01 and so on.",
    );
}

#[test]
fn a_mistake_is_answered_with_a_sentence() {
    let mistakes = [
        (
            "typing_indicater",
            "No exercise and no step is called \"typing_indicater\". \
             Did you mean typing_indicator?",
        ),
        (
            "warm_up_3",
            "No exercise and no step is called \"warm_up_3\". Did you mean warm_up_03?",
        ),
        (
            "online_users whatever",
            "No exercise and no step is called \"whatever\". \
             cargo test -p exercises -- --list lists all names.",
        ),
        (
            "--exact typing_indicator",
            "typing_indicator is an exercise, and no step: leave out --exact.",
        ),
        ("--no-captur", "There is no flag --no-captur. Did you mean --no-capture?"),
        ("--frobnicate", "There is no flag --frobnicate. --help lists all of them."),
        ("--format yaml", "--format needs pretty, terse or json, and not \"yaml\"."),
        ("--test-threads 0", "--test-threads needs a number from 1, and not \"0\"."),
        ("--skip", "--skip needs a value behind it."),
        ("--skip step", "No check is left: --skip leaves all of them out."),
        ("--ignored", "No check is ignored, so --ignored selects nothing."),
    ];

    for (typed, sentence) in mistakes {
        assert_eq!(selected(typed).expect_err("a mistake"), sentence, "for {typed}");
    }
}

#[test]
fn the_flags_are_those_of_rusts_own_runner() {
    let nextest = parse("--list --format terse --ignored").expect("nextest asks this");
    let colour = parse("--color always --test-threads=3").expect("both are known");
    let json =
        parse("-Z unstable-options --format json --report-time").expect("an editor");

    assert_eq!((nextest.action, nextest.format), (Action::List, Format::Terse));
    assert_eq!((colour.color, colour.threads), (Some(true), 3));
    assert_eq!(json.format, Format::Json);
    for typed in ["--quiet --format json", "--format json --quiet"] {
        assert_eq!(parse(typed).expect("cargo adds it").format, Format::Json, "{typed}");
    }
    assert_eq!(parse("-h").expect("help").action, Action::Help);
    assert!(parse("--show-output").expect("it is known").verbose);
}

#[test]
fn the_sentence_comes_first_and_then_what_to_do() {
    let expected = r#"
Exercise 2: who is typing: 2 of 3 steps

  step_2_it_ends
    Ana types. Ben should hear it, but heard nothing for 10 s.
    The conversation so far:
      Ana connects
      Ben connects

  Open  exercises/src/typing_indicator.rs
  Read  the chapter "Exercise 2: who is typing"
  Run   cargo test -p exercises -- typing_indicator::step_2
  Hint  cargo course hint typing_indicator
"#;

    assert_eq!(printed("typing", PLAIN), expected, "the whole output");
}

#[test]
fn of_several_exercises_the_first_that_fails_is_next() {
    let text = printed("", PLAIN);

    for part in [
        "W 03  a greeting with a number  done\n",
        "who is typing             2 of 3 steps, next step_2_it_ends\n",
        "who is online             1 of 2 steps, next step_1_the_list\n",
        "Next: exercise 2, who is typing\n\n  step_2_it_ends\n",
    ] {
        assert!(text.contains(part), "{text}\nlacks {part:?}");
    }
    assert!(!text.contains("panics"), "what comes later is not told yet: {text}");
}

/// All run at the same time, and one of them panics.
#[test]
fn a_panic_belongs_to_the_check_that_caused_it() {
    let exercises = exercises();
    let selected = parse("").and_then(|arguments| arguments.select(&exercises));
    let selected = selected.expect("everything");

    for _ in 0..20 {
        let reports = run::all(&selected, 3, &|_| {});
        let remarks = reports.iter().flat_map(|report| &report.failed);
        for (step, fault) in remarks {
            let is_panic = fault.remark.contains("panics at");
            assert_eq!(is_panic, *step == "step_1_the_list", "{step}: {}", fault.remark);
        }
    }
}

/// The runtime of a check gives its name to the threads that it starts.
#[test]
fn a_panic_in_blocking_code_belongs_to_its_check_too() {
    fn blocks() -> Check {
        on_virtual_time(async {
            let task = tokio::task::spawn_blocking(|| panic!("blocked"));
            assert!(task.await.is_err(), "the task has panicked");
            Ok(())
        })
    }
    let exercises = exercise::all(&[("resume", &[("step_1_it_blocks", blocks)])]);
    let selected = vec![(&exercises[0], exercises[0].steps.iter().collect())];

    let reports = run::all(&selected, 1, &|_| {});

    let (_, fault) = &reports[0].failed[0];
    assert!(fault.remark.contains("blocked"), "the panic is told: {}", fault.remark);
}

/// Rust would end the whole process, and the learner would see nothing at all.
#[test]
fn a_second_panic_while_the_first_is_cleaned_up_ends_one_check_only() {
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            panic!("the second");
        }
    }
    fn panics_twice() -> Check {
        let _guard = Guard; // It is dropped while the thread unwinds.
        panic!("the first");
    }
    const IN_A_PROCESS_OF_ITS_OWN: &str = "PANICS_TWICE";

    // The thread that panicked twice is parked, and nobody can replace the panic hook any
    // more. The test runner would like to, so all of this happens in another process.
    if env::var_os(IN_A_PROCESS_OF_ITS_OWN).is_none() {
        let name = "a_second_panic_while_the_first_is_cleaned_up_ends_one_check_only";
        let program = env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.args([name, "--exact"]).env(IN_A_PROCESS_OF_ITS_OWN, "1");
        let output = command.output().expect("this program can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let steps: &[Step] = &[("step_1_twice", panics_twice), ("step_2_it_goes_on", passes)];
    let exercises = exercise::all(&[("resume", steps)]);
    let selected = vec![(&exercises[0], exercises[0].steps.iter().collect())];

    let reports = run::all(&selected, 1, &|_| {});

    let (_, fault) = &reports[0].failed[0];
    let is_right =
        fault.remark.contains("the first") && reports[0].passed == ["step_2_it_goes_on"];
    process::exit(i32::from(!is_right));
}

#[test]
fn programs_get_an_event_on_each_line() {
    let exercises = exercises();
    let selected = parse("typing").and_then(|arguments| arguments.select(&exercises));
    let events = Mutex::new(Vec::new());
    run::all(&selected.expect("three"), 1, &|event| {
        let event: serde_json::Value =
            serde_json::from_str(&json::test(event)).expect("it is JSON");
        let mut event = event.as_object().expect("it is an object").clone();
        event.remove("exec_time");
        events.lock().expect("no test panics here").push(serde_json::Value::from(event));
    });
    let events = events.into_inner().expect("no test panics here");

    assert_eq!(events.len(), 6, "each has a beginning and an end");
    let second = "typing_indicator::step_2_it_ends";
    assert_eq!(
        events[2],
        serde_json::json!({ "type": "test", "event": "started", "name": second }),
    );
    assert_eq!(
        events[3],
        serde_json::json!({
            "type": "test",
            "event": "failed",
            "name": second,
            "stdout": fails().expect_err("it fails").to_string(),
            "open": "exercises/src/typing_indicator.rs",
        }),
    );
}

/// Cargo prints four lines, and the prompt is one.
#[test]
fn a_failing_exercise_fits_on_a_small_terminal() {
    fn talks() -> Check {
        let message = "word ".repeat(200);
        let conversation = format!("\n    Ana sends {message}").repeat(30);
        Err(Hint::new(format!(
            "Ana should hear {message}\n\n  The conversation so far:{conversation}"
        )))
    }
    let exercises = exercise::all(&[("resume", &[("step_1_it_talks", talks)])]);
    let selected = vec![(&exercises[0], exercises[0].steps.iter().collect())];
    let reports = run::all(&selected, 1, &|_| {});
    let short = report::write(&reports, &exercises, PLAIN);
    let long = report::write(&reports, &exercises, Style { verbose: true, ..PLAIN });

    assert!(short.lines().count() <= 19, "{short}");
    assert!(short.lines().all(|line| line.chars().count() <= 80), "{short}");
    assert!(short.contains("--nocapture shows all"), "it says what is missing: {short}");
    assert_eq!(long.matches("Ana sends").count(), 30, "nothing is missing: {long}");
}

#[test]
fn colours_are_there_only_if_wanted() {
    let coloured = Style { coloured: true, ..PLAIN };

    assert!(printed("typing", coloured).contains("\x1b[31mstep_2_it_ends\x1b[0m"));
    assert!(!printed("typing", PLAIN).contains('\x1b'));
}

#[test]
fn lines_are_broken_between_words() {
    let line = format!("    one two {}", "x".repeat(30));

    assert_eq!(text::wrapped("    one two three", 24), ["    one two three"]);
    assert_eq!(
        text::wrapped("    one two three four five", 24),
        ["    one two three four", "    five",]
    );
    assert_eq!(
        text::wrapped(&line, 24),
        [
            "    one two",
            &format!("    {}", "x".repeat(20)),
            &format!("    {}", "x".repeat(10)),
        ]
    );
    assert_eq!(text::cut("Zoë says hello", 8), "Zoë say…");
}

#[test]
fn the_nearest_word_is_found_if_it_is_near() {
    let words = ["resume", "rate_limit", "drain"];

    assert_eq!(text::nearest("resum", words), Some("resume"));
    assert_eq!(text::nearest("ratelimit", words), Some("rate_limit"));
    assert_eq!(text::nearest("websocket", words), None);
}
