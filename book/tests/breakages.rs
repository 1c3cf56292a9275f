//! The checks themselves: what they say about a page that is broken on purpose.

use book::{Fault, check, expand};

const FILE: &str = "book/src/lessons/07-broken.md";

fn sentences(faults: Vec<Fault>) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

/// What the preprocessor says about a directive in the third line of a page.
fn directive(text: &str) -> Vec<String> {
    sentences(expand(FILE, &format!("# Title\n\n{text}\n")).1)
}

fn page(text: &str) -> Vec<String> {
    sentences(check::page(FILE, &format!("# Title\n\n{text}\n")))
}

#[test]
fn a_renamed_item() {
    let said = directive("{{#item lessons/lesson_01_echo/src/main.rs fn handle_client}}");

    let sentence = "book/src/lessons/07-broken.md:3: In lessons/lesson_01_echo/src/main.rs \
                    there is no item `fn handle_client`.";
    assert_eq!(said, [sentence], "the item has another name");
}

#[test]
fn an_item_name_that_fits_two() {
    let file = "lessons/lesson_03_connection_manager/src/connection_manager.rs";

    let said = directive(&format!("{{{{#item {file} fn broadcast}}}}"));

    let sentence = format!("{FILE}:3: In {file} 2 items begin with `fn broadcast`.");
    assert_eq!(said, [sentence], "the manager and its clients both have one");
}

#[test]
fn a_file_a_lesson_and_a_crate_that_are_not_there() {
    let no_file = directive("{{#file lessons/lesson_99.rs}}");
    let no_lesson = directive("{{#diff lesson_01_echo lesson_99}}");
    let no_crate = directive("Tested with rocket {{#version rocket}}.");

    let say = |sentence: &str| [format!("{FILE}:3: {sentence}")];
    assert_eq!(no_file, say("There is no file lessons/lesson_99.rs."), "no file");
    assert_eq!(no_lesson, say("There is no lesson lesson_99."), "no lesson");
    assert_eq!(no_crate, say("Cargo.lock has no rocket."), "no crate");
}

#[test]
fn a_directive_that_nobody_knows_or_that_has_no_end() {
    let unknown = directive("{{#include main.rs}}");
    let endless = directive("Version {{#version axum of axum.");

    let say = |sentence: &str| [format!("{FILE}:3: {sentence}")];
    assert_eq!(unknown, say("There is no directive {{#include}}."), "we have none");
    let sentence = "This directive has no end: Version {{#version axum of axum.";
    assert_eq!(endless, say(sentence), "no }}");
}

#[test]
fn a_page_without_its_minutes() {
    let said = directive("It takes {{#minutes SUMMARY.md}} minutes.");

    let sentence = "book/src/SUMMARY.md does not say how many “minutes to read” and \
                    “minutes to do”.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "no minutes to sum");
}

#[test]
fn a_timetable_that_is_too_long() {
    let said = directive("{{#schedule 9:00 9:30\n40 Talk\n}}");

    let sentence = "This timetable ends at 9:40, but people leave at 9:30.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "40 minutes are more than 30");
}

#[test]
fn a_timetable_with_a_warm_up_that_nobody_knows() {
    let said = directive("{{#schedule 9:00 9:30\nwarm_up_99\n}}");

    let sentence = "The syllabus has no warm_up_99.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "no such warm-up");
}

#[test]
fn a_line_of_a_timetable_without_minutes() {
    let said = directive("{{#schedule 9:00 9:30\nTalk\n}}");

    let sentence = "“Talk” should begin with its minutes.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "how long do we talk?");
}

#[test]
fn a_dead_link() {
    let said = page("See [the glossary](../glossary.md).");

    let sentence = "The link ../glossary.md is dead: there is no book/src/glossary.md.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "no such page");
}

#[test]
fn a_missing_image_and_a_link_out_of_the_book() {
    let image = page("![A cat](cat.png)");
    let out = page("[The lesson](../../../lessons/lesson_01_echo/src/main.rs)");

    let sentence = "The link cat.png is dead: there is no book/src/lessons/cat.png.";
    assert_eq!(image, [format!("{FILE}:3: {sentence}")], "no such image");
    let sentence = "The link ../../../lessons/lesson_01_echo/src/main.rs leads out of the \
                    book.";
    assert_eq!(out, [format!("{FILE}:3: {sentence}")], "not in the built book");
}

#[test]
fn a_dead_anchor() {
    let said = page("See [how](../SUMMARY.md#no-such-heading).");

    let sentence = "The link ../SUMMARY.md#no-such-heading is dead: book/src/SUMMARY.md has \
                    no heading #no-such-heading.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "no such heading");
}

#[test]
fn a_word_that_makes_readers_feel_slow() {
    let said = page("You can simply call it.");
    let in_code = page("```rust\n// simply\n```");

    let sentence = "“simply” is not a word for this book.";
    assert_eq!(said, [format!("{FILE}:3: {sentence}")], "a banned word");
    assert_eq!(in_code, [""; 0], "code is not prose");
}

#[test]
fn a_page_without_a_title() {
    let said = sentences(check::page(FILE, "Words.\n"));

    assert_eq!(
        said,
        [format!("{FILE}:1: A page begins with its title: # Title.")],
        "none"
    );
}

/// A chapter with nothing wrong in it.
fn chapter() -> String {
    let parts = [
        "{{#version axum}}, 1 minutes to read, 2 minutes to do",
        "Read.",
        "{{#output a}}",
        "{{#drawing a}}",
        "{{#item a b}}",
        "{{#diff a b}}",
        "{{#item book/wrong/a.rs b}}\n{{#says a}}",
        "{{#transcript a}}",
        "Try.",
        "Break.",
        "Both.",
        "Python.",
        "<details>\n<summary>1?</summary>\n\n1.\n\n</details>\n\n\
         <details>\n<summary>2?</summary>\n\n2.\n\n</details>",
        "Slow.",
        "Look.\n\n<details>\n<summary>For the teacher</summary>\n\nAsk.\n\n</details>",
    ];
    let mut text = String::from("# Title\n");
    for (name, part) in check::PARTS.iter().zip(parts) {
        text.push_str(&format!("\n## {name}\n\n{part}\n"));
    }
    text
}

/// What is said about a chapter of the core.
fn chapter_faults(text: &str) -> Vec<String> {
    sentences(check::chapter(FILE, text))
}

/// The chapter without one of its parts.
fn without(part: &str) -> String {
    let text = chapter();
    let (before, rest) = text.split_once(&format!("\n## {part}\n")).unwrap_or_default();
    let (_, after) = rest.split_once("\n## ").unwrap_or_default();
    format!("{before}\n## {after}")
}

#[test]
fn a_chapter_as_it_should_be() {
    assert_eq!(chapter_faults(&chapter()), [""; 0], "nothing is wrong");
}

#[test]
fn a_chapter_that_takes_longer_than_it_says() {
    let long = chapter().replace("Slow.", &"word ".repeat(1_200));

    let faults = sentences(check::chapter("book/src/lessons/09-long.md", &long));

    let sentence = "1 minutes to read are not honest";
    assert_eq!(faults.len(), 1, "one fault: {faults:?}");
    assert!(faults[0].contains(sentence), "{faults:?} should say: {sentence}");
}

#[test]
fn a_part_that_may_be_missing_and_one_that_may_not() {
    let idea = chapter_faults(&without("The idea"));
    let code = chapter_faults(&without("The code"));
    let one_of_three = chapter_faults(
        &without("Try it")
            .replace("## Break it\n", "")
            .replace("## Try it, then", "## Then"),
    );

    assert_eq!(idea, [""; 0], "a part that has nothing to say is left out");
    assert_eq!(
        code,
        [format!("{FILE}:1: This chapter lacks the part “The code”.")],
        "how?"
    );
    let sentence =
        "This chapter lacks the part “Try it or Break it or Try it, then break it”.";
    assert!(one_of_three.concat().contains(sentence), "{one_of_three:?}: nothing to do");
}

#[test]
fn a_part_that_nobody_knows_or_that_is_out_of_order() {
    let unknown = chapter_faults(&chapter().replace("## The idea", "## Ideas"));
    let swapped = chapter()
        .replace("## Try it\n", "## X\n")
        .replace("## The conversation", "## Try it")
        .replace("## X\n", "## The conversation\n\n{{#transcript a}}\n");

    let swapped = chapter_faults(&swapped);

    let sentence =
        format!("{FILE}:15: “Ideas” is no part of a chapter. These are: At a gl");
    assert!(unknown[0].starts_with(&sentence), "{unknown:?} should name the parts");
    let sentence = format!("{FILE}:36: “The conversation” comes before “Try it”.");
    assert_eq!(swapped, [sentence], "first it is read, then tried");
}

#[test]
fn a_part_without_its_evidence() {
    let said = chapter_faults(&chapter().replace("{{#output a}}", "It fails."));

    assert!(
        said[0].ends_with("The part “See it fail” lacks \"{{#output or {{#says\"."),
        "{said:?} should ask for the output"
    );
}

#[test]
fn a_question_without_its_answer_or_without_another() {
    let answer = chapter_faults(&chapter().replace("\n2.\n", ""));
    let open = chapter_faults(&chapter().replace("<summary>2?</summary>", "2?"));
    let second = "<details>\n<summary>2?</summary>\n\n2.\n\n</details>";
    let alone = chapter_faults(&chapter().replace(second, ""));

    let sentence = "A question of “Check yourself” needs its answer, folded: <details>, \
                    <summary>, the question, </summary>, the answer, </details>.";
    assert!(
        answer.concat().ends_with(sentence),
        "{answer:?}: nothing below the question"
    );
    assert!(open.concat().ends_with(sentence), "{open:?}: no question to unfold");
    let sentence = "“Check yourself” asks two questions or more.";
    assert!(alone.concat().ends_with(sentence), "{alone:?}: one question");
}

#[test]
fn a_part_after_the_one_for_the_teacher() {
    let teacher = "<details>\n<summary>For the teacher</summary>\n\nAsk.\n\n</details>";
    let early = chapter().replace(teacher, "").replace("Slow.", teacher);

    let said = chapter_faults(&early);

    assert!(said.concat().ends_with("The part for the teacher comes last."), "{said:?}");
}

#[test]
fn a_first_screen_without_code() {
    let words = |count| chapter().replace("Read.", &"word ".repeat(count));
    let late = chapter_faults(&words(150).replace(" 1 minutes", " 2 minutes"));
    let in_time = chapter_faults(&words(120).replace(" 1 minutes", " 2 minutes"));
    let fence =
        chapter().replace("Read.", &format!("```rust\n```\n{}", "word ".repeat(150)));
    let fence = chapter_faults(&fence.replace(" 1 minutes", " 2 minutes"));

    let sentence = format!(
        "{FILE}:13: The first code stands after 170 words, where 150 fit the first screen."
    );
    assert_eq!(late, [sentence], "words, words");
    assert_eq!(in_time, [""; 0], "code within the first screen");
    assert_eq!(fence, [""; 0], "a block of its own is code, too");
}

#[test]
fn minutes_that_are_not_honest() {
    let item = "{{#item lessons/lesson_02_disconnect/src/socket.rs async fn close}}";
    let code = format!("{}\n{}", "word ".repeat(400), [item; 10].join("\n"));
    let long = chapter().replace("{{#item a b}}", &code);

    let short = chapter_faults(&long);
    let slow = chapter_faults(&chapter().replace(" 1 minutes", " 3 minutes"));

    let said = short.concat();
    assert!(said.starts_with(&format!("{FILE}:5: 1 minutes to read are not honest: 4")));
    assert!(!said.contains(" and 0 lines"), "{said}: the items have lines, too");
    assert!(slow.concat().contains("3 minutes to read are not honest: "), "{slow:?}");
}

#[test]
fn a_lesson_that_is_not_there() {
    let said = chapter_faults(&chapter().replace("Slow.", "Lesson 99 adds it, as 9 do."));
    let known =
        chapter_faults(&chapter().replace("Slow.", "Lesson 9 adds it in 20 lines."));

    let sentence = "There is no lesson 99: say what it is about, without a number.";
    assert!(said.concat().ends_with(sentence), "{said:?}");
    assert_eq!(known, [""; 0], "that one is there");
}

#[test]
fn a_step_that_is_not_there_or_left_out_of_nothing() {
    let step = directive("1. Break it:\n\n   {{#break 99_no_such}}");
    let lesson = directive("It has {{#new_lines lesson_99}} lines.");
    let page = sentences(expand("book/src/SUMMARY.md", "# Title\n\n{{#left_out}}\n").1);

    let sentence = "There is no file book/breaks/99_no_such.txt.";
    assert_eq!(step, [format!("{FILE}:5: {sentence}")], "no such step");
    let sentence = "There is no lesson lesson_99 that has a budget.";
    assert_eq!(lesson, [format!("{FILE}:3: {sentence}")], "no such lesson");
    let sentence = "{{#left_out}} is for the chapter of a lesson.";
    assert_eq!(
        page,
        [format!("book/src/SUMMARY.md:3: {sentence}")],
        "no lesson's chapter"
    );
}

#[test]
fn an_exercise_without_hints() {
    let text = "# Exercise\n\n## At a glance\n\n2 minutes to read, 9 minutes to do.\n\n\
                ## The task\n\nWrite.\n\n## Done when\n\n{{#steps a}}\n\n\
                ## Hints\n\n<details>1</details>\n\n## Compare\n\n{{#item solutions/a b}}\n";

    let said = sentences(check::exercise(FILE, text));
    let gone = sentences(check::exercise(FILE, &text.replace("## Done when", "## Done")));

    let hints = format!("{FILE}:1: The part “Hints” lacks \"{{{{#hints\".");
    assert_eq!(said.concat(), hints, "a hint by hand is said twice");
    let sentence = "The part “Done when” is missing, or not in its place.";
    assert_eq!(gone, [format!("{FILE}:1: {sentence}"), hints], "the checks are missing");
}

#[test]
fn an_exercise_without_steps() {
    let said = directive("{{#steps static/log.js}}");

    assert_eq!(said, [format!("{FILE}:3: There are no steps in static/log.js.")], "none");
}

#[test]
fn a_summary_with_a_page_too_few_or_too_many() {
    let text = "# Summary\n\n- [A](a.md)\n- [B](b.md)\n- [B again](b.md)\n";

    let said = sentences(check::summary(text, &["b.md".into(), "c.md".into()]));

    let say = |line, sentence| format!("book/src/SUMMARY.md:{line}: {sentence}");
    let expected = [
        say(3, "There is no page book/src/a.md."),
        say(5, "b.md is here twice."),
        say(5, "book/src/c.md is missing here, so nobody would find it."),
    ];
    assert_eq!(said, expected, "one is missing, one is double, one is lost");
}

#[test]
fn a_drawing_in_black() {
    let text = "<svg role=\"img\" aria-labelledby=\"t d\" viewBox=\"0 0 1 1\"><title id=\"t\">\n\
                <path stroke=\"#000\"/></svg>";

    let said = sentences(check::drawing("book/drawings/x.svg", text));

    let expected = [
        "book/drawings/x.svg:1: This drawing lacks <desc id=.",
        "book/drawings/x.svg:2: The colour #000 may be unreadable: use currentColor.",
    ];
    assert_eq!(said, expected, "no description, and black on black in the dark");
}
