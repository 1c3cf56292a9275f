//! What a translation must have of its English text. Whether it is of today's text,
//! `.ci/book/translations` finds out.

use std::{fs, path::Path};

use book::{
    ROOT,
    translation::{Message, messages},
};

/// All files of translations, each with its messages.
fn translations() -> Vec<(String, Vec<Message>)> {
    fn visit(folder: &Path, found: &mut Vec<(String, Vec<Message>)>) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                visit(&path, found);
            } else {
                let text = fs::read_to_string(&path).expect("it is text");
                let file = path.strip_prefix(ROOT).unwrap_or(&path);
                found.push((file.display().to_string(), messages(&text)));
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(ROOT).join("book/po"), &mut found);
    found
}

/// What a text has between `open` and `close`, sorted: a translation may order it otherwise.
fn parts<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let parts = text.split(open).skip(1).filter_map(|rest| rest.split(close).next());
    let mut parts: Vec<&str> = parts.collect();
    parts.sort_unstable();
    parts
}

/// The code in a sentence, sorted.
fn code(text: &str) -> Vec<&str> {
    let mut code: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    code.sort_unstable();
    code
}

#[test]
fn a_translation_has_the_code_the_links_and_the_directives_of_its_text() {
    let files = translations();
    assert!(files.len() > 3, "there are translations in book/po, not {}", files.len());
    let mut faults = Vec::new();
    for (file, messages) in &files {
        for message in messages.iter().filter(|message| message.is_current()) {
            let (english, translation) = (&message.english, &message.translation);
            let same = [
                ("code", code(english), code(translation)),
                ("links", parts(english, "](", ")"), parts(translation, "](", ")")),
                (
                    "directives",
                    parts(english, "{{#", "}}"),
                    parts(translation, "{{#", "}}"),
                ),
                (
                    "HTML",
                    parts(english, "<code>", "</"),
                    parts(translation, "<code>", "</"),
                ),
            ];
            for (kind, expected, found) in same.iter().filter(|(_, a, b)| a != b) {
                faults.push(format!(
                    "{file}: the {kind} of “{english}” should be {expected:?}, and the \
                     translation has {found:?}."
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
