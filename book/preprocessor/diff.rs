//! What changed from one lesson to the next.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use similar::{ChangeTag, TextDiff};

use crate::{ROOT, item, read};

/// The differences between two lessons, a folded block for each file. Their tests are
/// left out: they grow with each lesson, and are read for themselves.
pub fn diff(old: &str, new: &str) -> Result<String, String> {
    let mut files = BTreeSet::new();
    for lesson in [old, new] {
        let folder = Path::new(ROOT).join("lessons").join(lesson).join("src");
        let entries =
            fs::read_dir(folder).map_err(|_| format!("There is no lesson {lesson}."))?;
        for entry in entries.flatten() {
            files.insert(format!("src/{}", entry.file_name().to_string_lossy()));
        }
    }
    files.remove("src/tests.rs");
    files.insert("Cargo.toml".into());

    let mut blocks = String::new();
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
        let change = match (before.is_empty(), after.is_empty()) {
            (true, _) => format!("new, {plus} lines"),
            (_, true) => "gone".to_owned(),
            _ => format!("+{plus} −{minus}"),
        };
        let _ = write!(
            blocks,
            "<details class=\"diff\">\n<summary><code>{file}</code> ({change})</summary>\n\n\
             ```diff\n{}```\n\n</details>\n\n",
            diff.unified_diff().context_radius(2)
        );
    }
    Ok(format!(
        "From `{old}` to `{new}`: {more} lines more and {less} lines fewer in `src`. Tests \
         are left out, and blank lines are not counted.\n\n{blocks}"
    ))
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
        assert!(shown.contains("connection_manager.rs"), "the file is new: {shown}");
        assert!(!shown.contains("cfg(test)"), "its tests are not shown: {shown}");
    }
}
