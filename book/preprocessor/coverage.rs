//! How large the step to a lesson is, and how much of it its chapter shows.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    fs,
    ops::Range,
    path::Path,
};

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::{
    ROOT,
    item::{comments_above, depth, end, find, is_comment, tests},
    minutes, read,
};

/// The lessons whose size is limited. Each of the core has all that is in its base; one of
/// production takes its base as a library, and has only what it adds or changes.
pub const BUDGETS: &[Budget] = &[
    Budget::core("01", None, usize::MAX),
    Budget::core("02", Some("01"), 100),
    Budget::core("03", Some("02"), 160),
    Budget::core("04", Some("03"), 60),
    Budget::core("05", Some("04"), 100),
    Budget::core("06", Some("05"), 260),
    Budget::core("07", Some("06"), 200),
    Budget::core("08", Some("07"), 350),
    Budget::production("09", "08", 250),
    Budget::production("10", "08", 250),
    Budget::production("11", "08", 250),
    Budget::production("12", "08", 250),
    Budget::production("13", "08", 250),
    Budget::production("14", "08", 400),
    Budget::production("15", "14", 400),
    Budget::production("16", "15", 400),
    Budget::production("17", "08", 400),
    Budget::production("18", "08", 600),
    Budget { number: "19", base: None, lines: 400, files: 10, uses_library: false },
    Budget::production("20", "18", 600),
    Budget::production("21", "08", 400),
    Budget::production("22", "08", 400),
    Budget { number: "23", base: None, lines: 600, files: 10, uses_library: false },
];

/// How large the step to a lesson may be.
pub struct Budget {
    /// Of the lesson, such as `02`.
    pub number: &'static str,
    /// The number of the lesson that it starts from, whose files of the same names are
    /// compared with its own.
    pub base: Option<&'static str>,
    /// New and changed lines, without tests and blank lines. A chapter whose lesson has
    /// more says so, under a heading with "larger" in it.
    pub lines: usize,
    /// Files, without those of the tests.
    pub files: usize,
    /// Whether the base is a library, whose other files are in use unchanged.
    pub uses_library: bool,
}

impl Budget {
    const fn core(
        number: &'static str,
        base: Option<&'static str>,
        lines: usize,
    ) -> Self {
        Self { number, base, lines, files: usize::MAX, uses_library: false }
    }

    const fn production(number: &'static str, base: &'static str, lines: usize) -> Self {
        Self { number, base: Some(base), lines, files: 10, uses_library: true }
    }

    /// That of the lesson with this number, if its size is limited.
    pub fn of(number: &str) -> Option<&'static Self> {
        BUDGETS.iter().find(|budget| budget.number == number)
    }
}

/// A file that goes on under another name: lesson, its name there, and the one before.
const RENAMED: [(&str, &str, &str); 3] = [
    ("07", "rooms.rs", "connection_manager.rs"),
    ("08", "message.rs", "main.rs"),
    ("08", "ws.rs", "main.rs"),
];

/// What a lesson adds to the one that it starts from.
pub struct Step {
    pub lesson: String,
    pub budget: &'static Budget,
    /// The page, as a path from `book/src`.
    pub chapter: String,
    pub files: Vec<File>,
}

/// A file of a lesson, without its tests.
pub struct File {
    pub path: String,
    /// Whether the base has a file that this one goes on from.
    has_base: bool,
    lines: Vec<Line>,
}

struct Line {
    text: String,
    is_test: bool,
    is_new: bool,
    is_shown: bool,
}

impl Line {
    fn is_missing(&self) -> bool {
        self.is_new && !self.is_shown
    }
}

/// The step to the lesson with this number, such as `02`, and what its chapter shows.
pub fn step(number: &str) -> Result<Step, String> {
    let chapter = file_that_begins("book/src/lessons", &format!("{number}-"))?;
    let text = read(&format!("book/src/lessons/{chapter}"))?;
    shown_by(number, &format!("lessons/{chapter}"), &text)
}

/// The same, for a chapter whose text is at hand.
pub fn shown_by(number: &str, chapter: &str, text: &str) -> Result<Step, String> {
    let lesson = lesson(number)?;
    let budget =
        Budget::of(number).ok_or_else(|| format!("Lesson {number} has no budget."))?;
    let base = budget.base.map(self::lesson).transpose()?;
    let mut files = Vec::new();
    for name in sources(&lesson)? {
        let old_name = RENAMED
            .iter()
            .find(|(lesson, new, _)| *lesson == number && *new == name)
            .map_or(&name[..], |(_, _, old)| old);
        let old = base
            .as_ref()
            .and_then(|base| read(&format!("lessons/{base}/src/{old_name}")).ok());
        let has_base = old.is_some();
        let path = format!("lessons/{lesson}/src/{name}");
        let new = read(&path)?;
        let base = base.as_deref().unwrap_or("none");
        let old = without_name(&old.unwrap_or_default(), base);
        // Both programs name the library, one of them as its own.
        let library = if budget.uses_library { base } else { &lesson };
        let renamed = without_name(&new, &lesson).replace(library, "lesson");
        let mut lines = compare(&old, &renamed, &new);
        for range in shown(text, &path, &new) {
            lines[range].iter_mut().for_each(|line| line.is_shown = true);
        }
        files.push(File { path, has_base, lines });
    }
    Ok(Step { lesson, budget, chapter: chapter.to_owned(), files })
}

/// A source file in which the lesson's own name and its page are those of any lesson: that
/// these have changed is no news.
fn without_name(text: &str, lesson: &str) -> String {
    let number: String = lesson.chars().take("lesson_01".len()).collect();
    text.replace(lesson, "lesson")
        .replace(&format!("\"{number}.html\""), "\"lesson.html\"")
}

/// The lesson with this number, such as `02`.
pub fn lesson(number: &str) -> Result<String, String> {
    file_that_begins("lessons", &format!("lesson_{number}_"))
}

fn file_that_begins(folder: &str, start: &str) -> Result<String, String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder))
        .map_err(|_| format!("There is no folder {folder}."))?;
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find(|name| name.starts_with(start))
        .ok_or_else(|| format!("{folder} has nothing that begins with {start}."))
}

/// The files of a lesson, tests apart, as paths from its `src`.
fn sources(lesson: &str) -> Result<BTreeSet<String>, String> {
    fn visit(root: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(root.join(below)).into_iter().flatten().flatten() {
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() && entry.file_name() != "tests" {
                visit(root, &format!("{name}/"), found);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(&Path::new(ROOT).join("lessons").join(lesson).join("src"), "", &mut found);
    if found.is_empty() { Err(format!("{lesson} has no code.")) } else { Ok(found) }
}

/// Marks the lines that are new. `old` and `new` are compared, `text` is what is shown.
fn compare(old: &str, new: &str, text: &str) -> Vec<Line> {
    let old_lines: Vec<&str> = old.lines().collect();
    let new_lines: Vec<&str> = new.lines().collect();
    // Blank lines and tests do not count, so they are not compared.
    let (old_tests, new_tests) = (tests(&old_lines), tests(&new_lines));
    let is_test =
        |tests: &[Range<usize>], i| tests.iter().any(|range| range.contains(&i));
    let kept = |lines: &[&str], tests: &[Range<usize>]| -> Vec<usize> {
        let counts = |i: &usize| !lines[*i].trim().is_empty() && !is_test(tests, *i);
        (0..lines.len()).filter(counts).collect()
    };
    let (old_kept, new_kept) =
        (kept(&old_lines, &old_tests), kept(&new_lines, &new_tests));
    let pick = |lines: &[&str], kept: &[usize]| -> Vec<String> {
        kept.iter().map(|&i| lines[i].to_owned()).collect()
    };
    let ops = capture_diff_slices(
        Algorithm::Myers,
        &pick(&old_lines, &old_kept),
        &pick(&new_lines, &new_kept),
    );

    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(i, line)| Line {
            text: line.to_owned(),
            is_test: is_test(&new_tests, i),
            is_new: false,
            is_shown: false,
        })
        .collect();
    for op in ops {
        if let DiffOp::Insert { new_index, new_len, .. }
        | DiffOp::Replace { new_index, new_len, .. } = op
        {
            for &i in &new_kept[new_index..new_index + new_len] {
                lines[i].is_new = true;
            }
        }
    }
    lines
}

/// The parts of a file that a chapter shows. That each is there, others check.
fn shown(chapter: &str, path: &str, source: &str) -> Vec<Range<usize>> {
    let lines: Vec<&str> = source.lines().collect();
    let mut ranges = Vec::new();
    for line in chapter.lines() {
        let inside =
            |name| line.trim().strip_prefix(name)?.strip_prefix(path)?.strip_suffix("}}");
        if let Some(heads) = inside("{{#item ") {
            let found =
                heads.split(" ++ ").filter_map(|h| find(&lines, h.trim(), false).ok());
            ranges.extend(found.map(|(range, _)| range));
        } else if inside("{{#file ").is_some() {
            ranges.push(0..lines.len());
        }
    }
    ranges
}

impl Step {
    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.files.iter().flat_map(|file| &file.lines)
    }

    /// How many lines are new or changed, without tests and blank lines.
    pub fn new_lines(&self) -> usize {
        self.lines().filter(|line| line.is_new).count()
    }

    /// How much of that the chapter shows, of a hundred.
    pub fn share(&self) -> usize {
        let missing = self.lines().filter(|line| line.is_missing()).count();
        match self.new_lines() {
            0 => 100,
            new => (new - missing) * 100 / new,
        }
    }

    /// The files that the lesson repeats from its library without a new line.
    pub fn copies(&self) -> Vec<&str> {
        let is_copy =
            |file: &&File| file.has_base && !file.lines.iter().any(|line| line.is_new);
        let copies = self.files.iter().filter(|_| self.budget.uses_library);
        copies.filter(is_copy).map(|file| &file.path[..]).collect()
    }

    /// The function with the most lines, from its head to its end.
    pub fn longest_function(&self) -> (usize, String) {
        let mut longest = (0, String::new());
        for file in &self.files {
            let lines: Vec<&str> = file.lines.iter().map(|line| &line.text[..]).collect();
            for (i, line) in lines.iter().enumerate() {
                let head = line.split('(').next().unwrap_or_default();
                let mut words = head.split(' ').skip_while(|word| word.is_empty());
                let is_function = words.any(|word| word == "fn")
                    && !is_comment(line)
                    && !head.contains('"');
                if is_function
                    && !file.lines[i].is_test
                    && let Some(last) = end(&lines, i, false)
                    && last + 1 - i > longest.0
                {
                    longest = (last + 1 - i, name(line));
                }
            }
        }
        longest
    }

    /// Lines of comments for each line of code.
    pub fn comments(&self) -> f64 {
        let counted = |line: &&Line| !line.is_test && !line.text.trim().is_empty();
        let (comments, code): (Vec<&Line>, Vec<&Line>) = self
            .lines()
            .filter(counted)
            .partition(|line| line.text.trim_start().starts_with("//"));
        comments.len() as f64 / code.len().max(1) as f64
    }

    /// The new lines that the chapter does not show, as `file:line: text`.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for file in &self.files {
            for (i, line) in file.lines.iter().enumerate().filter(|(_, l)| l.is_missing())
            {
                missing.push(format!("{}:{}: {}", file.path, i + 1, line.text));
            }
        }
        missing
    }

    /// The same by name, as a list for the chapter.
    pub fn left_out(&self) -> String {
        let mut list = String::new();
        for file in &self.files {
            let items: Vec<String> = file
                .missing_items()
                .iter()
                .map(|(name, count)| {
                    let lines = if *count == 1 { "line" } else { "lines" };
                    format!("{name} ({count} {lines})")
                })
                .collect();
            let name = file.path.splitn(3, '/').nth(2).unwrap_or(&file.path);
            if !items.is_empty() {
                let _ = writeln!(list, "- `{name}`: {}", items.join(", "));
            }
        }
        if list.is_empty() { "Nothing is left out.".into() } else { list }
    }
}

impl File {
    /// The items with new lines that are not shown, and how many these are.
    fn missing_items(&self) -> Vec<(String, usize)> {
        let lines: Vec<&str> = self.lines.iter().map(|line| &line.text[..]).collect();
        let mut found = Vec::new();
        let header = lines.iter().take_while(|line| line.starts_with("//!")).count();
        self.note("the header", 0..header, &mut found);
        let all = outline(&lines, header..lines.len(), 0);
        let is_use =
            |name: &str| ["use ", "mod "].iter().any(|word| name.starts_with(word));
        let uses = all.iter().filter(|(_, name)| is_use(name));
        let uses: usize = uses.map(|(range, _)| self.count(range.clone())).sum();
        if uses > 0 {
            found.push(("the `use` and `mod` lines".into(), uses));
        }
        for (range, name) in all.iter().filter(|(_, name)| !is_use(name)) {
            let parts = outline(&lines, range.clone(), 4);
            let is_shown = self.lines[range.clone()].iter().any(|line| line.is_shown);
            if is_shown && !parts.is_empty() {
                // Its own head and its last brace stand around what is shown.
                for (range, part) in parts {
                    self.note(&format!("`{part}` in `{name}`"), range, &mut found);
                }
            } else {
                self.note(&format!("`{name}`"), range.clone(), &mut found);
            }
        }
        found
    }

    fn count(&self, range: Range<usize>) -> usize {
        self.lines[range].iter().filter(|line| line.is_missing()).count()
    }

    fn note(&self, name: &str, range: Range<usize>, found: &mut Vec<(String, usize)>) {
        let count = self.count(range);
        if count > 0 {
            found.push((name.to_owned(), count));
        }
    }
}

/// The items that stand this far to the right: their lines with their comments, and names.
fn outline(
    lines: &[&str],
    range: Range<usize>,
    left: usize,
) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut i = range.start;
    while i < range.end {
        let line = lines[i];
        let begins = !line.is_empty() && depth(line) == left && !is_comment(line);
        match end(&lines[..range.end], i, false) {
            // With the comments above it, and not the brace that ends what is around it.
            Some(last) if begins && !line.trim().starts_with('}') => {
                let first = i - comments_above(&lines[range.start..i]);
                found.push((first..last + 1, name(line)));
                i = last + 1;
            }
            _ => i += 1,
        }
    }
    found
}

/// How an item is called, so that `{{#item}}` would find it.
fn name(head: &str) -> String {
    let mut head = head.trim();
    for word in ["pub(crate) ", "pub "] {
        head = head.strip_prefix(word).unwrap_or(head);
    }
    let ends: &[char] =
        if head.starts_with("impl") { &['{'] } else { &['(', '<', '{', ':', '=', ';'] };
    let ends = if head.starts_with("use ") { &['{', ';'] } else { ends };
    head.split(ends).next().unwrap_or(head).trim().to_owned()
}

/// A table row: the lesson, and all that we measure.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = match self.budget.lines {
            usize::MAX => "–".into(),
            lines => lines.to_string(),
        };
        let files = match (self.files.len(), self.budget.files) {
            (files, usize::MAX) => files.to_string(),
            (files, limit) => format!("{files} of {limit}"),
        };
        let (length, name) = self.longest_function();
        let (read, act) = minutes(&self.chapter).unwrap_or_default();
        write!(
            f,
            "| {} | {} | {budget} | {files} | {} % | {length}, `{name}` | {:.2} | {read} + {act} |",
            self.lesson,
            self.new_lines(),
            self.share(),
            self.comments()
        )
    }
}

/// The head of the table.
pub const TABLE: &str = "\
| lesson | new lines | budget | files | shown | longest function | comments per line of code | minutes |
|---|---|---|---|---|---|---|---|";

#[cfg(test)]
mod tests {
    use super::{Budget, File, Step, compare, shown, without_name};

    const OLD: &str = "\
//! lesson: one.

use std::io;

struct Guest;

impl Guest {
    fn enter(&self) {
        greet();
    }

    fn leave(&self) {}
}
";

    const NEW: &str = "\
//! lesson: two.

use std::{io, time};

struct Guest;

impl Guest {
    fn enter(&self) {
        greet();
        seat();
    }

    fn leave(&self) {}

    fn wait(&self) {}
}

/// Why?
const SEATS: u32 = 2;

#[cfg(test)]
mod tests {
    fn it_works() {}
}
";

    /// The file after a step, of which the chapter shows something.
    fn file(chapter: &str) -> File {
        let path = "lessons/lesson_99/src/main.rs";
        let mut lines = compare(OLD, NEW, NEW);
        for range in shown(chapter, path, NEW) {
            lines[range].iter_mut().for_each(|line| line.is_shown = true);
        }
        File { path: path.into(), has_base: true, lines }
    }

    fn missing(file: &File) -> Vec<&str> {
        let missing = file.lines.iter().filter(|line| line.is_missing());
        missing.map(|line| line.text.trim()).collect()
    }

    #[test]
    fn new_are_changed_lines_without_tests_and_blank_ones() {
        let new = [
            "//! lesson: two.",
            "use std::{io, time};",
            "seat();",
            "fn wait(&self) {}",
            "/// Why?",
            "const SEATS: u32 = 2;",
        ];
        assert_eq!(missing(&file("")), new, "nothing is shown");
    }

    #[test]
    fn a_file_that_the_library_has_already_is_a_copy() {
        let file = |has_base, old: &str| File {
            path: format!("{has_base}"),
            has_base,
            lines: compare(old, NEW, NEW),
        };
        let copies = |number| {
            let step = Step {
                lesson: "lesson_99".into(),
                budget: Budget::of(number).expect("it has one"),
                chapter: String::new(),
                files: vec![file(true, NEW), file(true, OLD), file(false, "")],
            };
            step.copies().len()
        };

        assert_eq!(copies("09"), 1, "it can be taken from the library");
        assert_eq!(copies("04"), 0, "a lesson of the core has all its files");
    }

    #[test]
    fn a_lesson_that_serves_its_own_page_is_not_new() {
        let call = |page: &str| format!("router(env!(\"CARGO_PKG_NAME\"), \"{page}\")");

        assert_eq!(
            without_name(&call("lesson_02.html"), "lesson_02_disconnect"),
            without_name(&call("lesson_01.html"), "lesson_01_echo"),
            "each lesson has a page of its own"
        );
        assert_ne!(
            without_name(&call("lesson_01.html"), "lesson_02_disconnect"),
            without_name(&call("lesson_01.html"), "lesson_01_echo"),
            "that of another lesson would be news"
        );
    }

    #[test]
    fn what_an_item_shows_is_not_missing() {
        let chapter = "Look:\n\n\
            1. It enters:\n\n   {{#item lessons/lesson_99/src/main.rs const SEATS ++ fn enter}}\n\
            {{#item lessons/lesson_99/src/main.rs fn gone}}\n\
            {{#item lessons/lesson_98/src/main.rs fn wait}}\n\
            {{#diff lesson_98 lesson_99}}\n";

        let file = file(chapter);

        let left = ["//! lesson: two.", "use std::{io, time};", "fn wait(&self) {}"];
        assert_eq!(missing(&file), left, "neither a diff nor another file shows it");
    }

    #[test]
    fn what_is_left_out_has_a_name() {
        let all = file("").missing_items();
        let rest =
            file("{{#item lessons/lesson_99/src/main.rs fn enter}}").missing_items();

        let name = |(name, count): &(String, usize)| format!("{name} {count}");
        let all: Vec<String> = all.iter().map(name).collect();
        let rest: Vec<String> = rest.iter().map(name).collect();
        let (header, uses) = ("the header 1", "the `use` and `mod` lines 1");
        assert_eq!(all, [header, uses, "`impl Guest` 2", "`const SEATS` 2"], "by item");
        assert_eq!(
            rest,
            [header, uses, "`fn wait` in `impl Guest` 1", "`const SEATS` 2"],
            "one of its functions is shown, so the other has its own name"
        );
    }
}
