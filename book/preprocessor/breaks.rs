//! The steps that break a lesson on purpose.
//!
//! A file of `book/breaks` says what to change, which tests must notice it, and what they
//! print. `.ci/book/breaks` does it, in a copy.
//!
//! ```text
//! #! lesson: lesson_02_disconnect
//! #! file: src/socket.rs
//! #! test: conformance::a_clean_close_is_answered
//!  a line that stays, which says where
//! -a line to remove
//! +a line to add
//! ---
//! What the test prints.
//! ```
//!
//! A change in another place, or in another file, begins with a `#! file:` of its own.
//! There may be more than one `#! test:`. A change that the compiler rejects has
//! `#! error: E0382` in their place. One that adds something, and a test of it, has
//! `#! passes:`. A file that is new begins with `#! new:`, and has only lines to add. The
//! lines may stand further to the left than in the lesson, all of them by the same number of
//! spaces.

use std::path::Path;

use crate::read;

/// One step: what is changed in a lesson, and what comes of it.
#[derive(Debug, Default)]
pub struct Break {
    pub lesson: String,
    pub changes: Vec<Change>,
    /// The tests that must fail, each by the end of its path.
    pub tests: Vec<String>,
    /// Whether the tests must pass, because the step adds something.
    pub passes: bool,
    /// The number of the compiler's error, where there is no test to run.
    pub error: Option<String>,
    pub printed: String,
}

/// A change in one place of a file.
#[derive(Debug)]
pub struct Change {
    pub file: String,
    /// Whether the lesson does not have this file.
    is_new: bool,
    /// Each line with its mark: a space, a minus or a plus.
    lines: Vec<(char, String)>,
}

impl Break {
    /// Reads a file of `book/breaks`. The error is a sentence.
    pub fn read(name: &str) -> Result<Self, String> {
        let path = format!("book/breaks/{name}.txt");
        Self::parse(&read(&path)?).map_err(|sentence| format!("In {path} {sentence}"))
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let mut step = Self::default();
        let mut lines = text.lines();
        for line in lines.by_ref().take_while(|line| *line != "---") {
            if let Some(head) = line.strip_prefix("#! ") {
                let (key, value) = head.split_once(": ").unwrap_or((head, ""));
                let value = value.trim().to_owned();
                match key {
                    "lesson" => step.lesson = value,
                    "file" | "new" => {
                        let file = format!("lessons/{}/{value}", step.lesson);
                        let is_new = key == "new";
                        step.changes.push(Change { file, is_new, lines: Vec::new() });
                    }
                    "test" => step.tests.push(value),
                    "passes" => {
                        step.passes = true;
                        step.tests.push(value);
                    }
                    "error" => step.error = Some(value),
                    _ => return Err(format!("nobody knows `#! {head}`.")),
                }
                continue;
            }
            let change = step.changes.last_mut();
            match (line.chars().next(), change) {
                (None, None) => {}
                (None, Some(change)) => change.lines.push((' ', String::new())),
                (Some(mark @ (' ' | '-' | '+')), Some(change)) => {
                    change.lines.push((mark, line[1..].trim_end().to_owned()));
                }
                (Some(_), Some(_)) => {
                    return Err(format!(
                        "this line needs a space, a minus or a plus in front: {line}"
                    ));
                }
                (Some(_), None) => return Err("`#! file:` comes before a change.".into()),
            }
        }
        step.printed = lines.collect::<Vec<_>>().join("\n").trim().to_owned();

        for change in &mut step.changes {
            let is_blank =
                |(mark, line): &(char, String)| *mark == ' ' && line.is_empty();
            let first = change.lines.iter().position(|line| !is_blank(line)).unwrap_or(0);
            change.lines.drain(..first);
            while change.lines.last().is_some_and(is_blank) {
                change.lines.pop();
            }
            if !change.lines.iter().any(|(mark, _)| *mark != ' ') {
                return Err(format!("nothing changes in {}.", change.file));
            }
        }
        match (&step.lesson[..], &step.changes[..], &step.tests[..], &step.error) {
            ("", ..) => Err("there is no `#! lesson:`.".into()),
            (_, [], ..) => Err("there is no `#! file:`.".into()),
            (_, _, [], None) => Err("there is no `#! test:`.".into()),
            (_, _, [_, ..], Some(_)) => {
                Err("there is a `#! test:`, but what does not compile runs none.".into())
            }
            _ => Ok(step),
        }
    }

    /// The files as they are after the change, each with its path.
    pub fn apply(&self) -> Result<Vec<(String, String)>, String> {
        let mut files: Vec<(String, String)> = Vec::new();
        for change in &self.changes {
            let known = files.iter_mut().find(|(file, _)| *file == change.file);
            if let Some((_, text)) = known {
                *text = change.apply(text)?;
            } else {
                let old = if change.is_new { String::new() } else { read(&change.file)? };
                files.push((change.file.clone(), change.apply(&old)?));
            }
        }
        Ok(files)
    }

    /// What the reader types. A test's own name is enough for cargo.
    pub fn command(&self) -> String {
        let lesson = &self.lesson;
        if self.error.is_some() {
            return format!("cargo build -p {lesson}");
        }
        let name =
            |test: &String| format!(" {}", test.rsplit("::").next().unwrap_or(test));
        let names: String = self.tests.iter().map(name).collect();
        format!("cargo test -p {lesson} --{names}")
    }

    /// The change, the command and what it prints, for a page.
    pub fn show(&self, name: &str) -> Result<String, String> {
        let place = format!("book/breaks/{name}.txt");
        self.apply().map_err(|sentence| format!("{place}: {sentence}"))?;
        if self.printed.is_empty() {
            return Err(format!(
                "{place} has nothing after its `---`: `.ci/book/breaks {name} --record` \
                 writes down what the test prints."
            ));
        }
        let mut page = String::new();
        let mut file = "";
        for change in &self.changes {
            if change.file == file {
                // One more place in the same file.
                let end = page.len() - "```\n\n".len();
                page.truncate(end);
                page.push_str(" …\n");
            } else {
                file = &change.file;
                page.push_str(&format!(
                    "<p class=\"file\"><code>{file}</code></p>\n\n```diff\n"
                ));
            }
            for (mark, line) in &change.lines {
                page.push_str(format!("{mark}{line}").trim_end());
                page.push('\n');
            }
            page.push_str("```\n\n");
        }
        // The words of a test are sentences, which may be wrapped. Those of the compiler
        // point at columns.
        let language = if self.error.is_some() { "text" } else { "text,sentences" };
        let (command, printed) = (self.command(), &self.printed);
        page.push_str(&format!(
            "```console\n$ {command}\n```\n\n```{language}\n{printed}\n```"
        ));
        Ok(page)
    }
}

impl Change {
    /// Changes a text. What is to be changed must stand in it once.
    pub fn apply(&self, source: &str) -> Result<String, String> {
        let file = &self.file;
        if self.is_new {
            let lines = self.lines.iter().map(|(_, line)| format!("{line}\n"));
            return Ok(lines.collect());
        }
        let lines: Vec<&str> = source.lines().collect();
        let old: Vec<&str> = self.lines.iter().filter_map(old).collect();
        let Some(first) = old.first() else {
            return Err(format!(
                "A change in {file} needs a line that is there already, which says where."
            ));
        };

        let mut places = Vec::new();
        let mut nearly = None;
        for (i, line) in lines.iter().enumerate() {
            let Some(left) = line.strip_suffix(first).filter(|left| left.trim() == "")
            else {
                continue;
            };
            let differs = old.iter().enumerate().find(|(j, old)| {
                let line = lines.get(i + j).unwrap_or(&"");
                line.trim_end() != format!("{left}{old}").trim_end()
            });
            match differs {
                None => places.push((i, left)),
                Some((j, _)) if nearly.is_none_or(|(_, most)| j > most) => {
                    nearly = Some((i, j));
                }
                Some(_) => {}
            }
        }
        let (start, left) = match (&places[..], nearly) {
            ([place], _) => *place,
            ([], None) => {
                return Err(format!("{file} has no line `{}`.", first.trim()));
            }
            ([], Some((i, j))) => {
                return Err(format!(
                    "{file}:{}: The change says `{}` here, but the lesson has `{}`.",
                    i + j + 1,
                    old[j],
                    lines.get(i + j).unwrap_or(&"").trim(),
                ));
            }
            (places, _) => {
                return Err(format!(
                    "{file} has {} places that read like this change: it needs one more \
                     line around it.",
                    places.len()
                ));
            }
        };

        let mut changed: Vec<String> =
            lines[..start].iter().map(ToString::to_string).collect();
        let mut next = start;
        for (mark, line) in &self.lines {
            match mark {
                '+' => changed.push(format!("{left}{line}").trim_end().to_owned()),
                mark => {
                    if *mark == ' ' {
                        changed.push(lines[next].to_owned());
                    }
                    next += 1;
                }
            }
        }
        changed.extend(lines[next..].iter().map(ToString::to_string));
        changed.push(String::new());
        Ok(changed.join("\n"))
    }
}

/// The line, if it is in the lesson before the change.
fn old((mark, line): &(char, String)) -> Option<&str> {
    (*mark != '+').then_some(line)
}

/// The names of all steps, in their order.
pub fn names() -> Vec<String> {
    let folder = Path::new(crate::ROOT).join("book/breaks");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            entry.file_name().to_str()?.strip_suffix(".txt").map(ToOwned::to_owned)
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::Break;

    const STEP: &str = "\
#! lesson: lesson_99
#! file: src/main.rs
#! test: tests::it_counts
 loop {
-    count();
+    wait();
+    rest();
 }
---
Error: Ana should be counted.
";

    const SOURCE: &str = "\
fn main() {
    loop {
        count();
    }
}
";

    fn apply(step: &str, source: &str) -> Result<String, String> {
        let step = Break::parse(step)?;
        let change = step.changes.first().ok_or("no change")?;
        change.apply(source)
    }

    #[test]
    fn a_change_finds_its_place_and_keeps_the_indentation() {
        let changed = apply(STEP, SOURCE);

        let expected = SOURCE.replace("count();", "wait();\n        rest();");
        assert_eq!(changed, Ok(expected), "one line became two, further to the right");
    }

    #[test]
    fn a_change_that_does_not_fit_says_where_it_differs() {
        let renamed = apply(STEP, &SOURCE.replace("count", "counted"));
        let gone = apply(STEP, "fn main() {}\n");
        let twice = apply(STEP, &format!("{SOURCE}{SOURCE}"));

        assert_eq!(
            renamed,
            Err("lessons/lesson_99/src/main.rs:3: The change says `    count();` here, but \
                 the lesson has `counted();`."
                .into()),
            "the second line differs"
        );
        assert_eq!(
            gone,
            Err("lessons/lesson_99/src/main.rs has no line `loop {`.".into()),
            "not even the first line is there"
        );
        assert_eq!(
            twice,
            Err(
                "lessons/lesson_99/src/main.rs has 2 places that read like this change: \
                 it needs one more line around it."
                    .into()
            ),
            "which one?"
        );
    }

    #[test]
    fn a_step_lacks_something() {
        let parse = |step: &str| Break::parse(step).map(|_| ());
        let line = |gone: &str| STEP.replace(&format!("{gone}\n"), "");

        let no_test = parse(&line("#! test: tests::it_counts"));
        let no_lesson = parse(&line("#! lesson: lesson_99"));
        let unknown = parse(&STEP.replace("test:", "tests:"));
        let same = parse(&STEP.replace("-    count", "     count").replace('+', " "));
        let unmarked = parse(&STEP.replace("\n ", "\n"));

        assert_eq!(no_test, Err("there is no `#! test:`.".into()), "which must fail?");
        assert_eq!(no_lesson, Err("there is no `#! lesson:`.".into()), "of which?");
        assert_eq!(
            unknown,
            Err("nobody knows `#! tests: tests::it_counts`.".into()),
            "a typing error"
        );
        assert_eq!(
            same,
            Err("nothing changes in lessons/lesson_99/src/main.rs.".into()),
            "only lines around it"
        );
        assert_eq!(
            unmarked,
            Err("this line needs a space, a minus or a plus in front: loop {".into()),
            "a line as in the lesson"
        );
    }
}
