//! What changed from one lesson to the next.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use similar::{ChangeTag, TextDiff};

use crate::{ROOT, coverage::Budget, item, read};

/// The differences between two lessons, a folded block for each file. Their tests are
/// left out: they grow with each lesson, and are read for themselves. A new file is only
/// named, because the chapter shows it already, and the search would find all of it twice.
///
/// A lesson that takes the other as a library has only some of its files. These are
/// compared, and no other is gone.
pub fn diff(old: &str, new: &str) -> Result<String, String> {
    let number =
        |lesson: &str| lesson.get("lesson_".len()..)?.get(..2).map(str::to_owned);
    let budget = number(new).and_then(|number| Budget::of(&number));
    let library = budget.filter(|budget| budget.uses_library).map(|budget| budget.base);
    if library.is_some_and(|base| base != number(old).as_deref()) {
        return Err(format!("{new} does not start from {old}."));
    }

    let mut files = BTreeSet::new();
    for lesson in [old, new].into_iter().skip(usize::from(library.is_some())) {
        let folder = Path::new(ROOT).join("lessons").join(lesson).join("src");
        let entries =
            fs::read_dir(folder).map_err(|_| format!("There is no lesson {lesson}."))?;
        for entry in entries.flatten() {
            files.insert(format!("src/{}", entry.file_name().to_string_lossy()));
        }
    }
    files.remove("src/tests.rs");
    if library.is_none() {
        files.insert("Cargo.toml".into()); // Else it lacks what the library brings.
    }

    let mut blocks = String::new();
    let mut new_files = Vec::new();
    let (mut more, mut less) = (0, 0);
    for file in &files {
        let source = |lesson| {
            let text = read(&format!("lessons/{lesson}/{file}")).unwrap_or_default();
            without_tests(&text)
        };
        let (before, after) = (source(old), source(new));
        let diff = TextDiff::from_lines(&before, &after);
        let count = |tag| {
            let changes = diff.iter_all_changes().filter(|c| c.tag() == tag);
            changes.filter(|change| !change.value().trim().is_empty()).count()
        };
        let (plus, minus) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
        if plus + minus == 0 {
            continue;
        }
        if file != "Cargo.toml" {
            more += plus;
            less += minus;
        }
        if before.is_empty() {
            new_files.push(format!("`{file}` ({plus} lines)"));
            continue;
        }
        let change = match after.is_empty() {
            true => "gone".to_owned(),
            false => format!("+{plus} −{minus}"),
        };
        let _ = write!(
            blocks,
            "<details class=\"diff\">\n<summary><code>{file}</code> ({change})</summary>\n\n\
             ```diff\n{}```\n\n</details>\n\n",
            diff.unified_diff().context_radius(2)
        );
    }
    let rest = match library.flatten() {
        None => String::new(),
        Some(base) => format!(
            " These are all files of the lesson, each beside lesson {base}'s file of the \
             same name. The rest is lesson {base}'s library, used unchanged.{}",
            new_crates(old, new)?
        ),
    };
    let new_files = match new_files.len() {
        0 => String::new(),
        _ => format!("New, and above: {}.\n\n", new_files.join(", ")),
    };
    Ok(format!(
        "From `{old}` to `{new}`: {more} lines more and {less} lines fewer in `src`. Tests \
         are left out, and blank lines are not counted.{rest}\n\n{new_files}{blocks}"
    ))
}

/// A sentence that names the crates that a lesson needs beside those of its library.
fn new_crates(library: &str, lesson: &str) -> Result<String, String> {
    let crates = |lesson: &str| -> Result<BTreeSet<String>, String> {
        let manifest = read(&format!("lessons/{lesson}/Cargo.toml"))?;
        let (_, list) = manifest.split_once("\n[dependencies]\n").unwrap_or_default();
        let lines = list.lines().take_while(|line| !line.starts_with('['));
        let name = |line: &str| line.split(['.', ' ']).next().map(str::to_owned);
        let is_crate = |line: &&str| line.starts_with(char::is_alphabetic);
        Ok(lines.filter(is_crate).filter_map(name).collect())
    };
    let mut more = crates(lesson)?;
    let known = crates(library)?;
    more.retain(|name| name != library && !known.contains(name));
    let names: Vec<String> = more.iter().map(|name| format!("`{name}`")).collect();
    Ok(match &names[..] {
        [] => String::new(),
        [name] => format!(" New in `Cargo.toml` is {name}."),
        names => format!(" New in `Cargo.toml` are {}.", names.join(", ")),
    })
}

/// A source file without what is compiled for the tests only.
fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tests = item::tests(&lines);
    let is_kept = |i: &usize| !tests.iter().any(|range| range.contains(i));
    let kept: Vec<&str> = (0..lines.len()).filter(is_kept).map(|i| lines[i]).collect();
    let kept = kept.join("\n");
    if kept.is_empty() { kept } else { format!("{}\n", kept.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::{diff, without_tests};

    const SOURCE: &str = "\
struct Guest;

#[cfg(test)]
mod tests {
    fn it_works() {}
}
";

    #[test]
    fn tests_are_left_out() {
        let shown = diff("lesson_02_disconnect", "lesson_03_connection_manager");

        let shown = shown.unwrap_or_default();
        assert_eq!(without_tests(SOURCE), "struct Guest;\n", "a module in the file");
        assert!(shown.contains("connection_manager.rs` ("), "the file is new: {shown}");
        assert!(!shown.contains("+impl ConnectionManager"), "it is above: {shown}");
        assert!(!shown.contains("cfg(test)"), "its tests are not shown: {shown}");
    }

    #[test]
    fn what_a_lesson_takes_from_its_library_is_not_gone() {
        let shown = diff("lesson_08_auth", "lesson_09_heartbeat");
        let wrong_base = diff("lesson_07_rooms", "lesson_09_heartbeat");
        let more = diff("lesson_08_auth", "lesson_10_rate_limit").unwrap_or_default();

        let shown = shown.unwrap_or_default();
        assert!(shown.contains("src/main.rs"), "the lesson's file: {shown}");
        assert!(!shown.contains("src/login.rs"), "the library's file: {shown}");
        assert!(!shown.contains("argon2"), "nor its crates: {shown}");
        let sentence = "The rest is lesson 08's library, used unchanged.\n";
        assert!(shown.contains(sentence), "and no crate more: {shown}");
        let sentence = "used unchanged. New in `Cargo.toml` is `governor`.\n";
        assert!(more.contains(sentence), "one crate more: {more}");
        let sentence = "lesson_09_heartbeat does not start from lesson_07_rooms.";
        assert_eq!(wrong_base, Err(sentence.into()), "all would be new");
    }
}
