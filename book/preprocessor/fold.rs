//! Long blocks of code: only the first lines show, and a line says what follows.

use std::fmt::Write;

use crate::item;

/// A block with more lines than this is folded.
const LONG: usize = 40;

/// How many lines of it show at least, and at most.
const FEWEST: usize = 14;
const MOST: usize = 28;

/// How many names stand in the line that says what follows.
const NAMES: usize = 4;

/// Folds what is long on a page whose directives are filled.
///
/// The block stays in one piece, so that it is highlighted and copied as a whole. After it
/// comes a `<details>`, whose state says to book.css whether all of it shows. What is
/// inside of another `<details>` has been unfolded already, and is left as it is.
pub fn fold(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut folded = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < lines.len() {
        let (line, left) = (lines[i], item::depth(lines[i]));
        depth += line.matches("<details").count();
        depth -= line.matches("</details>").count().min(depth);
        let fence = line.trim_start().strip_prefix("```");
        let length = fence.and_then(|_| {
            lines[i + 1..].iter().position(|line| line.trim_start().starts_with("```"))
        });
        let Some((language, length)) = fence.zip(length) else {
            folded.push(line.to_owned());
            i += 1;
            continue;
        };
        let block = &lines[i..=i + 1 + length];
        let code: Vec<&str> = block[1..=length].iter().map(|l| moved(l, left)).collect();
        if length > LONG && depth == 0 {
            let shown = first_part(&code);
            let margin = &line[..left];
            let follows = what_follows(&code, shown, language);
            folded.push(format!(
                "{margin}<div class=\"long\" style=\"--lines: {shown}\">\n"
            ));
            folded.extend(block.iter().map(|&line| line.to_owned()));
            folded.push(format!(
                "\n{margin}<details><summary><span>… {follows}</span>\
                 <span>Only the first {shown} lines</span></summary></details>\n\n\
                 {margin}</div>"
            ));
        } else {
            folded.extend(block.iter().map(|&line| line.to_owned()));
        }
        i += block.len();
    }
    folded.join("\n")
}

/// A line of a block that stands to the right, as in a list.
fn moved(line: &str, left: usize) -> &str {
    line.get(left.min(item::depth(line))..).unwrap_or(line)
}

/// How many lines show: up to the last gap between two items, or else up to a blank line.
fn first_part(code: &[&str]) -> usize {
    let is_gap = |&i: &usize| code[i].trim().is_empty();
    let is_between_items = |&i: &usize| is_gap(&i) && item::depth(code[i + 1]) == 0;
    let places = FEWEST..=MOST;
    places
        .clone()
        .rfind(is_between_items)
        .or_else(|| places.clone().rfind(is_gap))
        .unwrap_or((FEWEST + MOST) / 2)
}

/// How many lines follow, and the names of the items that are in them.
fn what_follows(code: &[&str], shown: usize, language: &str) -> String {
    let mut names = Vec::new();
    for (i, line) in code.iter().enumerate() {
        let Some(name) = head(line, language) else { continue };
        if i >= shown {
            names.push(format!("<code>{}</code>", escaped(&name)));
        } else if item::end(code, i, language == "python").is_some_and(|end| end > shown)
        {
            // An item inside of another one says more than that one.
            names = vec![format!("the rest of <code>{}</code>", escaped(&name))];
        }
    }
    let mut text = format!("{} more lines", code.len() - shown);
    for (i, name) in names.iter().take(NAMES).enumerate() {
        let _ = write!(text, "{} {name}", if i == 0 { ":" } else { "," });
    }
    if names.len() > NAMES {
        let _ = write!(text, ", and {} more", names.len() - NAMES);
    }
    text
}

/// The name of an item that begins in this line, with the words before it: `async fn run`.
fn head(line: &str, language: &str) -> Option<String> {
    let depth = item::depth(line);
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub ", "export default ", "export "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let kinds: &[&str] = match (language, depth) {
        ("rust", 0) => &[
            "async fn ",
            "fn ",
            "struct ",
            "enum ",
            "trait ",
            "impl",
            "type ",
            "const fn ",
            "const ",
            "static ",
            "mod ",
        ],
        ("rust", 4) => &["async fn ", "fn ", "const fn "],
        ("javascript", 0) => {
            &["async function ", "function ", "class ", "const ", "let "]
        }
        ("python", 0 | 4) => &["async def ", "def ", "class "],
        _ => &[],
    };
    let kind = kinds.iter().find(|kind| rest.starts_with(**kind))?;
    let ends: &[char] =
        if *kind == "impl" { &['{'] } else { &['(', '<', '{', ':', '=', ';'] };
    let name = rest[kind.len()..].split(ends).next()?;
    let name = name.split(" where").next()?.trim_end();
    Some(format!("{kind}{name}"))
}

fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::fold;

    /// Two functions: the first has `first` lines, the second makes it `all`.
    fn block(first: usize, all: usize) -> String {
        let body = |lines: usize| "    step();\n".repeat(lines - 2);
        format!(
            "```rust\npub fn begin() {{\n{}}}\n\nasync fn run<T>() {{\n{}}}\n```",
            body(first),
            body(all - first - 1)
        )
    }

    #[test]
    fn a_short_block_stays_as_it_is() {
        let text = format!("Some words.\n\n{}\n\nMore words.", block(20, 40));

        assert_eq!(fold(&text), text, "40 lines are not long");
    }

    #[test]
    fn a_long_block_says_what_follows_its_first_item() {
        let text = fold(&block(20, 41));

        let first = text.lines().next().unwrap_or_default();
        assert_eq!(first, r#"<div class="long" style="--lines: 20">"#, "up to the gap");
        let label = "<span>… 21 more lines: <code>async fn run</code></span>";
        assert!(text.contains(label), "names what follows: {text}");
        assert!(text.contains(&block(20, 41)), "the code is in one piece: {text}");
    }

    #[test]
    fn an_item_that_is_cut_in_two_is_named() {
        let text = fold(&block(38, 60));

        let label = "… 39 more lines: the rest of <code>fn begin</code>, <code>async fn run</code>";
        assert!(text.contains(label), "names both: {text}");
    }

    #[test]
    fn what_is_folded_already_is_not_folded_again() {
        let text = format!(
            "<details>\n<summary>All</summary>\n\n{}\n\n</details>",
            block(20, 60)
        );

        assert_eq!(fold(&text), text, "one click is enough");
    }

    #[test]
    fn a_block_in_a_list_stays_in_it() {
        let text =
            fold(&block(20, 50).replace('\n', "\n   ").replace("```rust", "   ```rust"));

        let tags =
            text.lines().filter(|line| line.contains("<d") || line.contains("</d"));
        let outside: Vec<&str> = tags.filter(|line| !line.starts_with("   <")).collect();
        assert_eq!(
            outside,
            Vec::<&str>::new(),
            "what comes around it is indented: {text}"
        );
        assert!(text.contains("<code>async fn run</code>"), "and it is read: {text}");
    }
}
