//! The directives, and what becomes of them.

use crate::{
    Fault, breaks::Break, coverage, diff::diff, item, read, schedule, script::script,
};

/// Fills the directives of a page. What cannot be filled is a fault.
///
/// `page` is the file, for the faults.
pub fn expand(page: &str, text: &str) -> (String, Vec<Fault>) {
    let mut filled = String::new();
    let mut faults = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut in_fence = false;

    while let Some((i, line)) = lines.next() {
        let mut block = vec![line];
        // A directive may go on over some lines. The last one is `}}`.
        if line.starts_with("{{#") && !line.contains("}}") {
            for (_, line) in lines.by_ref() {
                block.push(line);
                if line == "}}" {
                    break;
                }
            }
        }
        // Inside of a list, a directive stands to the right, and so does what it becomes.
        let left = &line[..line.len() - line.trim_start().len()];
        block[0] = line.trim_start();
        in_fence ^= block[0].starts_with("```");
        match fill(page, text, &block) {
            Ok(text)
                if in_fence && block[0].starts_with("{{#") && text.contains("```") =>
            {
                let sentence = format!("This directive brings its own fence: {line}");
                faults.push(Fault { file: page.into(), line: i + 1, sentence });
            }
            Ok(text) if left.is_empty() => filled.push_str(&text),
            Ok(text) => filled.push_str(&indented(left, &text)),
            Err(sentence) => {
                faults.push(Fault { file: page.into(), line: i + 1, sentence });
            }
        }
        filled.push('\n');
    }
    (filled, faults)
}

fn indented(left: &str, text: &str) -> String {
    let line = |line: &str| format!("{left}{line}").trim_end().to_owned();
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn fill(page: &str, text: &str, block: &[&str]) -> Result<String, String> {
    let line = block[0];
    if block.len() > 1 {
        let (name, rest) = split(line.trim_start_matches("{{#"));
        return match name {
            "schedule" => schedule::schedule(rest, &block[1..block.len() - 1]),
            _ => Err(format!("This directive has no end: {line}")),
        };
    }
    match line.strip_prefix("{{#").and_then(|rest| rest.strip_suffix("}}")) {
        Some(inside) if !inside.contains("}}") && !is_inline(inside) => match inside {
            "left_out" => left_out(page, text),
            inside => directive(inside),
        },
        _ => inline(line),
    }
}

/// Fills the directives inside a sentence.
fn inline(line: &str) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{#") {
        let (inside, after) = after
            .split_once("}}")
            .ok_or_else(|| format!("This directive has no end: {line}"))?;
        if !is_inline(inside) {
            return Err(format!(
                "This directive needs a line of its own: {{{{#{inside}}}}}"
            ));
        }
        filled.push_str(before);
        filled.push_str(&directive(inside)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn is_inline(inside: &str) -> bool {
    matches!(split(inside).0, "version" | "minutes" | "new_lines")
}

fn directive(inside: &str) -> Result<String, String> {
    let (name, rest) = split(inside);
    match name {
        "item" => {
            let (path, heads) = split(rest);
            let source = read(path)?;
            let items: Result<Vec<String>, String> = heads
                .split(" ++ ")
                .map(|head| item(&source, head, path.ends_with(".py")))
                .collect();
            let items = items.map_err(|why| format!("In {path} {why}."))?;
            Ok(fence(path, &items.join("\n\n")))
        }
        "file" => Ok(fence(rest, read(rest)?.trim_end())),
        "diff" => {
            let (old, new) = split(rest);
            diff(old, new)
        }
        "transcript" => {
            let text = read(&format!("book/transcripts/{rest}.txt"))?;
            let folder = rest.split('/').next().unwrap_or_default();
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            Ok(format!(
                "<ws-lab package=\"{folder}\">\n<pre><code class=\"language-text\">{}\
                 </code></pre>\n</ws-lab>\n",
                // A blank line would end the HTML, as far as Markdown is concerned.
                text.trim_end().replace("\n\n", "\n&#10;")
            ))
        }
        "break" => Break::read(rest)?.show(rest),
        "lab" => script("static/ws-lab.js"),
        "handshake" => script("book/ws-handshake.js"),
        "worksheet" => script("book/load-worksheet.js"),
        "steps" => steps(rest),
        "hints" => hints(rest),
        "output" => says("book/outputs", "console", rest),
        "says" => says("book/wrong", "text", rest),
        "drawing" => {
            let text = read(&format!("book/drawings/{rest}.svg"))?;
            // A blank line would end the HTML, as far as Markdown is concerned.
            let lines: Vec<&str> =
                text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            Ok(format!("<figure class=\"drawing\">\n{}\n</figure>", lines.join("\n")))
        }
        "minutes" => schedule::sum(rest).map(|sum| sum.to_string()),
        "new_lines" => {
            let number = rest.trim_start_matches("lesson_").get(..2).unwrap_or_default();
            match coverage::shown_by(number, "", "") {
                Ok(step) if step.lesson == rest => Ok(step.new_lines().to_string()),
                _ => Err(format!("There is no lesson {rest} that has a budget.")),
            }
        }
        "version" => version(rest),
        _ => Err(format!("There is no directive {{{{#{name}}}}}.")),
    }
}

/// The new code of a lesson that its chapter does not show.
fn left_out(page: &str, text: &str) -> Result<String, String> {
    let chapter = page.strip_prefix("book/src/").unwrap_or(page);
    let number = chapter.strip_prefix("lessons/").and_then(|name| name.get(..2));
    let number = number.ok_or("{{#left_out}} is for the chapter of a lesson.")?;
    Ok(coverage::shown_by(number, chapter, text)?.left_out())
}

/// The checks of an exercise, in their order, each with what its comment says.
fn steps(path: &str) -> Result<String, String> {
    let source = read(path)?;
    let mut list = String::new();
    let mut comment = Vec::new();
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            comment.push(words);
            continue;
        }
        if let Some(rest) = line.strip_prefix("async fn step_") {
            let name = rest.split('(').next().unwrap_or_default();
            list.push_str(&format!("1. `step_{name}`<br>{}\n", comment.join(" ")));
        }
        comment.clear();
    }
    if list.is_empty() { Err(format!("There are no steps in {path}.")) } else { Ok(list) }
}

/// The hints for an exercise, which `cargo course hint` shows as well, one fold for each.
fn hints(name: &str) -> Result<String, String> {
    let text = read(&format!("exercises/hints/{name}.md"))?;
    let folds: Vec<String> = text
        .split("\n## ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(title, body)| {
            format!(
                "<details>\n<summary>{title}</summary>\n\n{}\n\n</details>",
                body.trim()
            )
        })
        .collect();
    match folds.len() {
        3.. => Ok(folds.join("\n\n")),
        few => Err(format!("exercises/hints/{name}.md has {few} hints, not three.")),
    }
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    let (first, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    (first, rest.trim())
}

fn fence(path: &str, code: &str) -> String {
    let language = match path.rsplit('.').next() {
        Some("rs") => "rust",
        Some("js" | "jsx" | "mjs") => "javascript",
        Some("py") => "python",
        Some("vue") => "html",
        Some(end @ ("html" | "css" | "sql" | "toml")) => end,
        _ => "text",
    };
    format!("<p class=\"file\"><code>{path}</code></p>\n\n```{language}\n{code}\n```")
}

/// A recorded text, without the lines for those who check it: they begin with `#!`.
fn says(folder: &str, language: &str, name: &str) -> Result<String, String> {
    let text = read(&format!("{folder}/{name}.txt"))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("#!")).collect();
    Ok(format!("```{language}\n{}\n```", lines.join("\n").trim()))
}

/// The version of a crate in `Cargo.lock`, or the oldest Rust that will do.
fn version(name: &str) -> Result<String, String> {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_matches([' ', '=', '"']).to_owned())
    };
    if name == "rust" {
        return value(&read("Cargo.toml")?, "rust-version")
            .ok_or_else(|| "Cargo.toml has no rust-version.".into());
    }
    let lock = read("Cargo.lock")?;
    let head = format!("\nname = \"{name}\"\n");
    let mut found = lock.split(&head).skip(1);
    match (found.next(), found.next()) {
        (Some(package), None) => value(package, "version")
            .ok_or_else(|| format!("Cargo.lock has no version for {name}.")),
        (None, _) => Err(format!("Cargo.lock has no {name}.")),
        _ => Err(format!("Cargo.lock has more than one {name}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn a_directive_does_not_stand_in_a_fence() {
        let directive = "{{#file rustfmt.toml}}";

        let (_, alone) = expand("page.md", directive);
        let (_, fenced) = expand("page.md", &format!("```toml\n{directive}\n```"));

        assert_eq!(alone, [], "it brings a fence");
        let lines: Vec<usize> = fenced.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [2], "so it needs no other: {fenced:?}");
    }
}
