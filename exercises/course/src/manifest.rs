//! `Cargo.toml` and `Cargo.lock` of a service of your own: the versions are ours.

use std::collections::BTreeSet;

/// Makes the manifest of the new workspace: the service is its root package.
///
/// `members` are the manifests of all its packages, the service's first. Of our versions
/// it gets those that they use.
pub fn root(workspace: &str, members: &[String; 3]) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut section = "";
    for line in workspace.lines() {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split_once(" = ").map(|(name, _)| name);
        let drop = match (section, name) {
            ("[workspace]", _) => true,
            ("[workspace.dependencies]", Some(name)) => !is_used(name, members),
            _ => false,
        };
        if drop {
            // A comment belongs to the line that follows it.
            while kept.last().is_some_and(|line| line.starts_with('#')) {
                kept.pop();
            }
        } else {
            kept.push(line.replace(r#""static""#, r#""pages""#).replace("lessons/", ""));
        }
    }
    let [service, ..] = members;
    let workspace = "[workspace]\nmembers = [\"pages\", \"probe\"]";
    format!("{service}\n{workspace}\n\n{}\n", kept.join("\n").trim())
}

fn is_used(name: &str, members: &[String]) -> bool {
    let beginnings = [format!("{name}.workspace"), format!("{name} = {{ workspace")];
    members
        .iter()
        .flat_map(|member| member.lines())
        .any(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)))
}

/// Makes the lock file: of our packages, those that the service needs.
///
/// A few may be left that only a feature needs which the service does without. Cargo takes
/// them out at the first build.
pub fn lock(ours: &str, name: &str) -> String {
    let blocks: Vec<_> =
        ours.trim_end().split("\n\n").map(|block| adapted(block, name)).collect();
    let mut needed = BTreeSet::new();
    let mut open = vec![name];
    while let Some(wanted) = open.pop() {
        // A dependency has its version only where there are several.
        let (name, version) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let is_wanted = |block: &&String| {
            field(block, "name") == Some(name)
                && (version.is_empty() || field(block, "version") == Some(version))
        };
        for block in blocks.iter().filter(is_wanted) {
            if needed.insert(block.as_str()) {
                open.extend(dependencies(block));
            }
        }
    }
    let head = blocks.first().map(String::as_str);
    let blocks: Vec<_> = head.into_iter().chain(needed).collect();
    blocks.join("\n\n") + "\n"
}

/// A block as the service has it. Only examples of the probe need the pages.
fn adapted(block: &str, name: &str) -> String {
    match field(block, "name") {
        Some("lesson_24_capstone") => block.replace("lesson_24_capstone", name),
        Some("probe") => block.replace(" \"pages\",\n", ""),
        _ => block.to_owned(),
    }
}

/// The names of all packages in a lock file.
pub fn packages(lock: &str) -> impl Iterator<Item = &str> {
    lock.split("\n\n").filter_map(|block| field(block, "name"))
}

fn field<'a>(block: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(" = \"");
    block.lines().find_map(value)?.strip_suffix('"')
}

fn dependencies(block: &str) -> impl Iterator<Item = &str> {
    block.lines().filter_map(|line| line.strip_prefix(" \"")?.strip_suffix("\","))
}
