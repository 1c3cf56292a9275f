//! Every page of the book is held to its word.

use std::{fmt, fs, io, path::Path};

use book::{Fault, ROOT, check, expand, read};

/// All faults, a sentence each.
struct Report(Vec<Fault>);

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|fault| write!(f, "\n{fault}"))
    }
}

fn report(faults: Vec<Fault>) -> Result<(), Report> {
    if faults.is_empty() { Ok(()) } else { Err(Report(faults)) }
}

/// The files with this ending in a folder and all below it, as paths from that folder.
fn files(folder: &str, ending: &str) -> Vec<String> {
    fn visit(root: &Path, folder: &Path, found: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                visit(root, &path, found)?;
            } else if let Ok(path) = path.strip_prefix(root) {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
        Ok(())
    }
    let root = Path::new(ROOT).join(folder);
    let mut found = Vec::new();
    visit(&root, &root, &mut found).unwrap_or_else(|error| panic!("{folder}: {error}"));
    found.retain(|path| path.ends_with(ending));
    found.sort();
    found
}

/// The pages, each with its text.
fn pages() -> Vec<(String, String)> {
    files("book/src", ".md")
        .into_iter()
        .map(|page| {
            let file = format!("book/src/{page}");
            let text = read(&file).expect("it was listed a moment ago");
            (file, text)
        })
        .collect()
}

fn is_summary(file: &str) -> bool {
    file.ends_with("/SUMMARY.md")
}

#[test]
fn every_directive_finds_what_it_names() -> Result<(), Report> {
    report(pages().iter().flat_map(|(file, text)| expand(file, text).1).collect())
}

#[test]
fn every_link_leads_somewhere_and_no_word_is_rude() -> Result<(), Report> {
    let pages = pages();
    let pages = pages.iter().filter(|(file, _)| !is_summary(file));
    report(pages.flat_map(|(file, text)| check::page(file, text)).collect())
}

#[test]
fn every_lesson_has_its_twelve_parts_in_800_words() -> Result<(), Report> {
    let pages = pages();
    let lessons = pages.iter().filter(|(file, _)| file.starts_with("book/src/lessons/"));
    report(lessons.flat_map(|(file, text)| check::chapter(file, text)).collect())
}

#[test]
fn every_exercise_has_its_parts() -> Result<(), Report> {
    let pages = pages();
    let exercises = pages.iter().filter(|(f, _)| f.starts_with("book/src/exercises/0"));
    report(exercises.flat_map(|(file, text)| check::exercise(file, text)).collect())
}

#[test]
fn every_page_is_in_the_summary() -> Result<(), Report> {
    let text = read("book/src/SUMMARY.md").expect("the book has a summary");
    report(check::summary(&text, &files("book/src", ".md")))
}

#[test]
fn every_drawing_can_be_read_aloud_and_in_the_dark() -> Result<(), Report> {
    let drawings = files("book/drawings", ".svg").into_iter().flat_map(|name| {
        let file = format!("book/drawings/{name}");
        let text = read(&file).expect("it was listed a moment ago");
        check::drawing(&file, &text)
    });
    report(drawings.collect())
}
#[test]
fn every_drawing_transcript_and_recorded_text_is_shown_somewhere() -> Result<(), Report> {
    let all: String = pages().into_iter().map(|(_, text)| text).collect();
    let mut faults = Vec::new();
    for (folder, ending, directive) in [
        ("book/drawings", ".svg", "drawing"),
        ("book/outputs", ".txt", "output"),
        ("book/wrong", ".txt", "says"),
    ] {
        for name in files(folder, ending) {
            let name = name.trim_end_matches(ending);
            if !all.contains(&format!("{{{{#{directive} {name}}}}}")) {
                faults.push(Fault {
                    file: format!("{folder}/{name}{ending}"),
                    line: 1,
                    sentence: "No page shows this file.".into(),
                });
            }
        }
    }
    report(faults)
}
