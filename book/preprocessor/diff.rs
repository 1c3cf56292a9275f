//! What changed from one lesson to the next.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use similar::{ChangeTag, TextDiff};

use crate::{ROOT, read};

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
        let before = read(&format!("lessons/{old}/{file}")).unwrap_or_default();
        let after = read(&format!("lessons/{new}/{file}")).unwrap_or_default();
        let diff = TextDiff::from_lines(&before, &after);
        let count = |tag| diff.iter_all_changes().filter(|c| c.tag() == tag).count();
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
        "From `{old}` to `{new}`: {more} lines more and {less} lines fewer in `src`, tests \
         apart.\n\n{blocks}"
    ))
}
