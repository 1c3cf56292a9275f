//! What must hold for every page. mdBook itself says nothing about it.

use std::path::{Component, Path, PathBuf};

use crate::{
    Fault, ROOT,
    coverage::{self, Budget},
    expand, heading_ids, prose, read, said_minutes, words,
};

/// How many words may stand before the first code of a chapter whose lesson has a budget.
pub const FIRST_SCREEN: usize = 150;

/// Words that make a reader feel slow who does not find it so.
const BANNED: [&str; 5] = ["simply", "just", "obviously", "easy", "easily"];

/// The parts that the chapter of a lesson may have, in their order.
pub const PARTS: [&str; 15] = [
    "At a glance",
    "You will be able to",
    "See it fail",
    "The idea",
    "The code",
    "What changed",
    "A wrong way",
    "The conversation",
    "Try it",
    "Break it",
    "Try it, then break it",
    "Coming from FastAPI",
    "Check yourself",
    "In production",
    "If it does not work",
];

/// Those that it must have. One of several will do.
const OBLIGATORY: [&str; 4] = [
    "At a glance",
    "The code",
    "Try it or Break it or Try it, then break it",
    "Check yourself",
];

/// What a part must have in it, beside words.
const NEEDED: [(&str, &str); 9] = [
    ("At a glance", " minutes to read"),
    ("At a glance", "{{#version "),
    ("See it fail", "{{#output or {{#says"),
    ("The idea", "{{#drawing "),
    ("The code", "{{#item "),
    ("What changed", "{{#diff "),
    ("A wrong way", "{{#item book/wrong/"),
    ("A wrong way", "{{#says "),
    ("The conversation", "{{#transcript "),
];

/// The last part of a chapter, folded.
const TEACHER: &str = "<summary>For the teacher</summary>";

/// Every page must hold to this.
pub fn page(file: &str, text: &str) -> Vec<Fault> {
    let fault = |line, sentence| Fault { file: file.into(), line, sentence };
    let mut faults = Vec::new();

    for (line, text) in prose(text) {
        let mut before = "";
        for word in text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()) {
            // "It has just started" tells the time, and nobody's worth.
            let in_time = word == "just" && ["has", "have", "had"].contains(&before);
            before = word;
            if !in_time && BANNED.contains(&word.to_lowercase().as_str()) {
                faults
                    .push(fault(line, format!("“{word}” is not a word for this book.")));
            }
        }
        for link in links(&text) {
            if let Err(sentence) = follow(file, &link) {
                faults.push(fault(line, sentence));
            }
        }
    }
    let titles = text.lines().filter(|line| line.starts_with("# ")).count();
    if titles == 0 || !text.starts_with("# ") {
        faults.push(fault(1, "A page begins with its title: # Title.".into()));
    }
    faults
}

/// The targets of the links and images in a line.
fn links(line: &str) -> Vec<String> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}

/// Looks whether a link leads somewhere. What is on the web is not looked up.
fn follow(file: &str, link: &str) -> Result<(), String> {
    if link.starts_with("https://") || link.starts_with("http://127.0.0.1:") {
        return Ok(());
    }
    let (path, id) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        file.to_owned()
    } else {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let mut target = PathBuf::new();
        for part in folder.join(path).components() {
            match part {
                Component::ParentDir => drop(target.pop()),
                part => target.push(part),
            }
        }
        target.to_string_lossy().replace('\\', "/")
    };
    if !target.starts_with("book/src/") {
        return Err(format!("The link {link} leads out of the book."));
    }
    if !Path::new(ROOT).join(&target).is_file() {
        return Err(format!("The link {link} is dead: there is no {target}."));
    }
    if !id.is_empty() && !heading_ids(&read(&target)?).iter().any(|known| known == id) {
        return Err(format!("The link {link} is dead: {target} has no heading #{id}."));
    }
    Ok(())
}

/// A lesson's chapter must hold to this as well.
pub fn chapter(file: &str, text: &str) -> Vec<Fault> {
    let mut faults = parts(file, text);
    let number = file.rsplit('/').next().and_then(|name| name.get(..2)).unwrap_or("");
    if Budget::of(number).is_some() {
        faults.extend(first_screen(file, text));
        faults.extend(reading_time(file, text));
        faults.extend(numbers(file, text));
    }
    faults
}

/// The parts of a chapter: which there are, in which order, and what is in them.
fn parts(file: &str, text: &str) -> Vec<Fault> {
    let fault = |line, sentence| Fault { file: file.into(), line, sentence };
    let mut faults = Vec::new();

    let headings: Vec<(usize, String)> = prose(text)
        .into_iter()
        .filter_map(|(line, words)| Some((line, words.strip_prefix("## ")?.to_owned())))
        .collect();
    let mut latest = None;
    for (i, (line, part)) in headings.iter().enumerate() {
        let Some(place) = PARTS.iter().position(|known| known == part) else {
            let known = PARTS.join(", ");
            faults.push(fault(
                *line,
                format!("“{part}” is no part of a chapter. These are: {known}."),
            ));
            continue;
        };
        if let Some(before) = latest.filter(|before| *before >= place) {
            let before = PARTS[before];
            faults.push(fault(*line, format!("“{part}” comes before “{before}”.")));
        }
        latest = latest.max(Some(place));

        let end = headings.get(i + 1).map_or(usize::MAX, |(next, _)| next - 1);
        let body: Vec<&str> = text.lines().take(end).skip(*line).collect();
        let body = body.join("\n");
        for (_, needed) in NEEDED.into_iter().filter(|(name, _)| name == part) {
            if !needed.split(" or ").any(|needed| body.contains(needed)) {
                let needed = needed.trim();
                faults.push(fault(*line, format!("The part “{part}” lacks {needed:?}.")));
            }
        }
        if part == "Check yourself" {
            let questions: Vec<&str> = body.split("<details>").skip(1).collect();
            if questions.len() < 2 {
                let sentence = "“Check yourself” asks two questions or more.";
                faults.push(fault(*line, sentence.into()));
            }
            let answered = |question: &&str| {
                let (question, rest) = question.split_once("</summary>")?;
                let (answer, _) = rest.split_once("</details>")?;
                (words(question) > 0 && words(answer) > 0).then_some(())
            };
            if questions.iter().any(|question| answered(question).is_none()) {
                let sentence = "A question of “Check yourself” needs its answer, folded: \
                    <details>, <summary>, the question, </summary>, the answer, </details>.";
                faults.push(fault(*line, sentence.into()));
            }
        }
    }
    for needed in OBLIGATORY {
        if !needed.split(" or ").any(|part| headings.iter().any(|(_, has)| has == part)) {
            faults.push(fault(1, format!("This chapter lacks the part “{needed}”.")));
        }
    }
    if let Some((before, after)) = text.split_once(TEACHER)
        && after.contains("\n## ")
    {
        let sentence = "The part for the teacher comes last.";
        faults.push(fault(before.lines().count() + 1, sentence.into()));
    }
    faults
}

/// The first code stands on the first screen.
fn first_screen(file: &str, text: &str) -> Option<Fault> {
    let shows = |line: &str| {
        let line = line.trim_start();
        let starts = ["{{#item ", "{{#output ", "{{#says ", "{{#transcript ", "```"];
        starts.iter().any(|start| line.starts_with(start))
    };
    let before: Vec<&str> = text.lines().take_while(|line| !shows(line)).collect();
    let count = words(&before.join("\n"));
    (count > FIRST_SCREEN).then(|| Fault {
        file: file.into(),
        line: before.len() + 1,
        sentence: format!(
            "The first code stands after {count} words, where {FIRST_SCREEN} fit the first \
             screen."
        ),
    })
}

/// People read 220 words in a minute, or 40 lines of code. Some take twice as long.
fn reading_time(file: &str, text: &str) -> Option<Fault> {
    let said = said_minutes(text)?.0;
    // The differences are folded, and for those who want them.
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.trim_start().starts_with("{{#diff ")).collect();
    let (filled, _) = expand(file, &lines.join("\n"));
    let (mut code, mut in_fence) = (0, false);
    for line in filled.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if in_fence {
            code += 1;
        }
    }
    let count = words(text);
    let least = (count as f64 / 220.0 + f64::from(code) / 40.0).round().max(1.0) as u32;
    let line = text.lines().position(|line| line.contains(" minutes to read"));
    (said < least || said > 2 * least).then(|| Fault {
        file: file.into(),
        line: line.unwrap_or(0) + 1,
        sentence: format!(
            "{said} minutes to read are not honest: {count} words and {code} lines of code \
             take {least} to {}.",
            2 * least
        ),
    })
}

/// No promise of a lesson that is not there.
fn numbers(file: &str, text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (line, text) in prose(text) {
        let mut before = String::new();
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
            let is_lesson = ["lesson", "lessons", "chapter", "chapters"];
            if let Ok(number) = word.parse::<u32>()
                && is_lesson.contains(&before.as_str())
                && coverage::lesson(&format!("{number:02}")).is_err()
            {
                let sentence = format!(
                    "There is no lesson {number}: say what it is about, without a number."
                );
                faults.push(Fault { file: file.into(), line, sentence });
            }
            before = word.to_lowercase();
        }
    }
    faults
}

/// The parts of an exercise's chapter, and what each must have in it.
const EXERCISE_PARTS: [(&str, &str, usize); 5] = [
    ("At a glance", " minutes to do", 1),
    ("The task", "{{#transcript ", 0),
    ("Done when", "{{#steps ", 1),
    ("Hints", "{{#hints ", 1),
    ("Compare", "{{#item solutions/", 1),
];

/// An exercise's chapter must hold to this as well.
pub fn exercise(file: &str, text: &str) -> Vec<Fault> {
    let fault = |sentence| Fault { file: file.into(), line: 1, sentence };
    let mut faults = Vec::new();
    let mut rest = text;
    for (part, needed, count) in EXERCISE_PARTS {
        let Some((_, found)) = rest.split_once(&format!("\n## {part}\n")) else {
            faults.push(fault(format!(
                "The part “{part}” is missing, or not in its place."
            )));
            continue;
        };
        let body = found.split("\n## ").next().unwrap_or_default();
        if body.matches(needed).count() < count {
            let needed = needed.trim();
            faults.push(fault(format!("The part “{part}” lacks {needed:?}.")));
        }
        rest = found;
    }
    faults
}

/// The summary names every page once, and no page that is not there.
///
/// `pages` are paths inside of `book/src`.
pub fn summary(text: &str, pages: &[String]) -> Vec<Fault> {
    let file = "book/src/SUMMARY.md";
    let fault = |line, sentence| Fault { file: file.into(), line, sentence };
    let mut faults = Vec::new();
    let mut known = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for link in links(line) {
            if !pages.contains(&link) {
                faults.push(fault(i + 1, format!("There is no page book/src/{link}.")));
            }
            if known.contains(&link) {
                faults.push(fault(i + 1, format!("{link} is here twice.")));
            }
            known.push(link);
        }
    }
    for page in pages {
        if page != "SUMMARY.md" && !known.contains(page) {
            faults.push(fault(
                text.lines().count(),
                format!("book/src/{page} is missing here, so nobody would find it."),
            ));
        }
    }
    faults
}

/// A drawing tells those who cannot see it what it shows, and has no colours of its own.
pub fn drawing(file: &str, text: &str) -> Vec<Fault> {
    let fault = |line, sentence| Fault { file: file.into(), line, sentence };
    let mut faults = Vec::new();
    for needed in
        ["role=\"img\"", "aria-labelledby=", "<title id=", "<desc id=", "viewBox="]
    {
        if !text.contains(needed) {
            faults.push(fault(1, format!("This drawing lacks {needed}.")));
        }
    }
    for (i, line) in text.lines().enumerate() {
        for paint in ["fill=\"", "stroke=\""] {
            let colour = line.split(paint).nth(1).and_then(|rest| rest.split('"').next());
            if let Some(colour) = colour
                && !["none", "currentColor"].contains(&colour)
            {
                let sentence =
                    format!("The colour {colour} may be unreadable: use currentColor.");
                faults.push(fault(i + 1, sentence));
            }
        }
    }
    faults
}
