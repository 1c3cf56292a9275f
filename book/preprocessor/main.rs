//! What mdBook runs: a book in JSON comes in, and goes out with its directives filled.

use std::{
    env,
    fmt::Write as _,
    io::{self, Read, Write as _},
    process::ExitCode,
};

use book::{
    Fault,
    breaks::{self, Break},
    coverage, expand, fold, read, translation, words,
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("words") => return count(),
        Some("steps") => return steps(env::args().nth(2).as_deref()),
        Some("breaks") => return list_breaks(),
        _ => {}
    }
    // mdBook asks for which kinds of output we are good: for all.
    if env::args().any(|argument| argument == "supports") {
        return ExitCode::SUCCESS;
    }
    // Before the translation, directives become comments; after it, they are filled.
    let comments = env::args().nth(1).as_deref() == Some("comments");

    match run(comments) {
        Ok(book) => {
            println!("{book}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Prints how many words of prose each page has: `cargo run -p book -- words`.
fn count() -> ExitCode {
    let summary = read("book/src/SUMMARY.md").unwrap_or_default();
    for rest in summary.split("](").skip(1) {
        let page = rest.split(')').next().unwrap_or_default();
        let text = read(&format!("book/src/{page}")).unwrap_or_default();
        println!("{:5} {page}", words(&text));
    }
    ExitCode::SUCCESS
}

/// Prints how large each step is, and how much of it is shown: `cargo run -p book -- steps`.
/// With a number, such as `02`, prints what is not shown.
fn steps(number: Option<&str>) -> ExitCode {
    let wanted = |known: &str| number.is_none_or(|number| number == known);
    let mut text = format!("{}\n", coverage::TABLE);
    let mut code = ExitCode::SUCCESS;
    for budget in coverage::BUDGETS.iter().filter(|budget| wanted(budget.number)) {
        match coverage::step(budget.number) {
            Err(sentence) => {
                eprintln!("{sentence}");
                code = ExitCode::FAILURE;
            }
            Ok(step) => {
                let _ = writeln!(text, "{step}");
                if number.is_some() {
                    let (chapter, list) = (&step.chapter, step.left_out());
                    let lines = step.missing().join("\n");
                    let _ = writeln!(text, "\nNot in {chapter}:\n\n{list}\n{lines}");
                }
            }
        }
    }
    // Whoever reads the first lines only, as with `| head`, closes the pipe.
    let _ = io::stdout().write_all(text.as_bytes());
    code
}

/// Prints the steps that break something, in JSON, for `.ci/book/breaks`.
fn list_breaks() -> ExitCode {
    let steps = breaks::names().into_iter().map(|name| {
        let step = Break::read(&name).and_then(|step| Ok((step.apply()?, step)));
        match step {
            Err(fault) => json!({ "name": name, "fault": fault }),
            Ok((files, step)) => json!({
                "name": name,
                "lesson": step.lesson,
                "command": step.command(),
                "files": files,
                "tests": step.tests,
                "passes": step.passes,
                "error": step.error,
                "printed": step.printed,
            }),
        }
    });
    println!("{}", Value::Array(steps.collect()));
    ExitCode::SUCCESS
}

fn run(comments: bool) -> Result<Value, String> {
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("mdBook sent us no text: {error}."))?;
    let input: Value = serde_json::from_str(&text)
        .map_err(|error| format!("mdBook sent us no JSON: {error}."))?;
    let Value::Array(mut pair) = input else {
        return Err("mdBook should send a list: its context, and the book.".into());
    };
    let mut book = pair.pop().ok_or("mdBook sent us no book.")?;
    let context = pair.pop().ok_or("mdBook sent us no context.")?;
    let language = context["config"]["book"]["language"].as_str();
    let language = language.filter(|language| *language != translation::ENGLISH);

    let mut faults = Vec::new();
    let mut change = |page: &str, text: &str| {
        if comments {
            return translation::commented(text);
        }
        let file = format!("book/src/{page}");
        let translated =
            language.map(|language| translation::translated(language, page, text));
        let text = match translated {
            None => text.to_owned(),
            Some(Ok(text)) => text,
            Some(Err(sentence)) => {
                faults.push(Fault { file, line: 1, sentence });
                return String::new();
            }
        };
        let (text, found) = expand(&file, &text);
        faults.extend(found);
        fold(&text)
    };
    change_pages(&mut book, &mut change);
    if faults.is_empty() {
        Ok(book)
    } else {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Err(lines.join("\n"))
    }
}

/// Changes the text of all chapters, wherever in the book they are.
fn change_pages(value: &mut Value, change: &mut impl FnMut(&str, &str) -> String) {
    match value {
        Value::Array(values) => {
            values.iter_mut().for_each(|value| change_pages(value, change));
        }
        Value::Object(fields) => {
            let page = fields.get("source_path").and_then(Value::as_str);
            let text = fields.get("content").and_then(Value::as_str);
            if let (Some(page), Some(text)) = (page, text) {
                let text = change(page, text);
                fields.insert("content".into(), text.into());
            }
            fields.values_mut().for_each(|value| change_pages(value, change));
        }
        _ => {}
    }
}
