//! A script for a page, with all that it imports, in one piece: a page from the disk may not
//! import others.

use std::fmt::Write;

use crate::read;

/// The module in `path`, which defines the element that it is named after.
///
/// Each module becomes a function that returns what it exports. On the page for printing
/// all chapters come together, and an element can be defined only once.
pub fn script(path: &str) -> Result<String, String> {
    let mut modules = Vec::new();
    let mut text = String::new();
    add(path, &mut modules, &mut text)?;
    let element = name(path).trim_end_matches(".js");
    Ok(format!(
        "<script type=\"module\">\nif (!customElements.get(\"{element}\")) {{\n{text}}}\n</script>"
    ))
}

/// Writes a module after those that it imports, unless it is there. Gives its number.
fn add(
    path: &str,
    modules: &mut Vec<String>,
    text: &mut String,
) -> Result<usize, String> {
    if let Some(number) = modules.iter().position(|known| known == path) {
        return Ok(number);
    }
    let source = read(path)?;
    let mut body = String::new();
    let mut exports = Vec::new();
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("import ") {
            let mut import = line.to_owned();
            while !import.ends_with(';') {
                import += lines.next().ok_or_else(|| format!("In {path}: {import}"))?;
            }
            let (names, from) = parts(&import).ok_or_else(|| {
                format!("In {path} this is no import that we know: {import}")
            })?;
            let number = add(&beside(path, from), modules, text)?;
            let _ =
                writeln!(body, "const {} = module{number};", names.replace(" as ", ": "));
            continue;
        }
        let exported = line.strip_prefix("export ");
        exports.extend(exported.and_then(defined));
        body.push_str(exported.unwrap_or(line));
        body.push('\n');
    }
    modules.push(path.to_owned());
    let number = modules.len() - 1;
    let exports = exports.join(", ");
    let _ = writeln!(
        text,
        "const module{number} = (() => {{\n{body}return {{ {exports} }};\n}})();"
    );
    Ok(number)
}

/// What an import names, in braces, and the file that has it.
fn parts(import: &str) -> Option<(&str, &str)> {
    let (names, from) = import.strip_prefix("import ")?.split_once(" from \"")?;
    names.starts_with('{').then_some((names, from.strip_suffix("\";")?))
}

/// The name that a definition gives.
fn defined(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (_, rest) = line.split_once(' ')?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').next()
}

/// The path of a file that another one names, such as `./x.js` or `../static/x.js`.
fn beside<'a>(path: &'a str, from: &'a str) -> String {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    for part in from.split('/') {
        match part {
            "." => {}
            ".." => {
                folders.pop();
            }
            part => folders.push(part),
        }
    }
    folders.join("/")
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::{beside, defined, parts, script};

    #[test]
    fn a_script_comes_after_what_it_imports_and_imports_nothing() {
        let text = script("static/ws-lab.js").unwrap_or_default();

        let (before, after) = text.split_once("class WsLab").unwrap_or_default();
        assert!(
            before.contains("function parse("),
            "transcript.js comes first: {before}"
        );
        assert!(after.contains("customElements.define(\"ws-lab\""), "then ws-lab.js");
        let left =
            text.lines().find(|l| l.starts_with("import ") || l.starts_with("export "));
        assert_eq!(left, None, "nothing is imported from a file");
    }

    #[test]
    fn imports_and_exports_are_read() {
        let import = parts("import { a, b as c } from \"./x.js\";");
        assert_eq!(import, Some(("{ a, b as c }", "./x.js")), "by name");
        assert_eq!(parts("import x from \"./x.js\";"), None, "no default");
        assert_eq!(defined("async function join(a) {"), Some("join"), "a function");
        assert_eq!(defined("class Rows extends Map {"), Some("Rows"), "a class");
        assert_eq!(
            beside("book/a.js", "../static/b.js"),
            "static/b.js",
            "another folder"
        );
    }
}
