//! What must hold for every page. mdBook itself says nothing about it.

use std::path::{Component, Path, PathBuf};

use crate::{Fault, ROOT, heading_ids, prose, read, words};

/// The most words that a lesson's chapter may have, as [`words`] counts them.
pub const WORD_LIMIT: usize = 1_200;

/// Words that make a reader feel slow who does not find it so.
const BANNED: [&str; 5] = ["simply", "just", "obviously", "easy", "easily"];

/// The parts of a lesson's chapter, in their order. The twelfth has three sections.
pub const PARTS: [&str; 12] = [
    "At a glance",
    "You will be able to",
    "See it fail",
    "The idea",
    "The code",
    "What changed",
    "A wrong way",
    "The conversation",
    "Try it, then break it",
    "Coming from FastAPI",
    "Check yourself",
    "In production",
];

/// What a part must have in it, beside words.
const NEEDED: [(&str, &str); 10] = [
    ("At a glance", " minutes to read"),
    ("At a glance", "{{#version "),
    ("See it fail", "{{#output or {{#says"),
    ("The idea", "{{#drawing "),
    ("The code", "{{#item "),
    ("A wrong way", "{{#item book/wrong/"),
    ("A wrong way", "{{#says "),
    ("The conversation", "{{#transcript "),
    ("In production", "\n## If it does not work\n"),
    ("In production", "<summary>For the teacher</summary>"),
];

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
///
/// The first lesson has no lesson before it, so it needs no diff.
pub fn chapter(file: &str, text: &str) -> Vec<Fault> {
    let fault = |line, sentence| Fault { file: file.into(), line, sentence };
    let mut faults = Vec::new();

    let count = words(text);
    if count > WORD_LIMIT {
        faults.push(fault(
            text.lines().count(),
            format!(
                "This chapter has {count} words of prose, the limit is {WORD_LIMIT}."
            ),
        ));
    }

    let mut rest = text;
    let line_of = |rest: &str| text[..text.len() - rest.len()].lines().count() + 1;
    for (i, part) in PARTS.iter().enumerate() {
        let Some((_, found)) = rest.split_once(&format!("\n## {part}\n")) else {
            faults.push(fault(
                line_of(rest),
                format!("Part {} of 12, “{part}”, is missing after this line.", i + 1),
            ));
            continue;
        };
        let next = PARTS.get(i + 1).map(|next| format!("\n## {next}\n"));
        let body =
            next.and_then(|next| found.split_once(&next)).map_or(found, |(b, _)| b);
        let first_lesson = file.contains("/01-");
        let missing = NEEDED
            .into_iter()
            .chain((!first_lesson).then_some(("What changed", "{{#diff ")))
            .filter(|(name, needed)| {
                name == part && !needed.split(" or ").any(|needed| body.contains(needed))
            });
        for (_, needed) in missing {
            faults.push(fault(
                line_of(found),
                format!("The part “{part}” lacks {:?}.", needed.trim()),
            ));
        }
        if *part == "Check yourself" && body.matches("<details>").count() != 2 {
            let sentence = "“Check yourself” asks two questions, with folded answers.";
            faults.push(fault(line_of(found), sentence.into()));
        }
        rest = found;
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
