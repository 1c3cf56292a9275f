//! Cutting items out of source files.

use std::ops::Range;

/// Cuts one item out of a source file: its comments, its head and its body.
///
/// `heads` is how its first line begins, without `pub` or `export`. `A > B` looks for B
/// inside of A, `//!` is the comment at the top of a file. The error is a sentence.
pub fn item(source: &str, heads: &str, is_python: bool) -> Result<String, String> {
    let lines: Vec<&str> = source.lines().collect();
    let (range, left) = find(&lines, heads, is_python)?;

    // The item moves to the left, but no line loses more than its spaces.
    let moved = |line: &&str| line.get(left.min(depth(line))..).map(ToOwned::to_owned);
    Ok(lines[range].iter().filter_map(moved).collect::<Vec<_>>().join("\n"))
}

/// Where an item stands in a source file, and how far to the right.
pub fn find(
    lines: &[&str],
    heads: &str,
    is_python: bool,
) -> Result<(Range<usize>, usize), String> {
    let header = lines.iter().take_while(|line| line.starts_with("//!")).count();
    if heads == "//!" && header > 0 {
        return Ok((0..header, 0));
    }
    let (mut range, mut left) = (0..lines.len(), 0);
    for head in heads.split(" > ") {
        let head = head.trim();
        let found: Vec<usize> =
            range.clone().filter(|&i| begins(lines[i], head)).collect();
        let first = match found[..] {
            [] => return Err(format!("there is no item `{head}`")),
            [first] => first,
            _ => return Err(format!("{} items begin with `{head}`", found.len())),
        };
        left = depth(lines[first]);
        let last = end(&lines[..range.end], first, is_python)
            .ok_or_else(|| format!("the item `{head}` has no end"))?;
        range = first - comments_above(&lines[range.start..first])..last + 1;
    }
    Ok((range, left))
}

pub fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The last line of the item that begins here.
///
/// rustfmt makes this easy, and so does prettier: an item ends at the first `}` or `;`
/// that stands as far to the left as its head, or as a value below its head. In Python it
/// ends where the next line stands as far to the left.
pub fn end(lines: &[&str], first: usize, is_python: bool) -> Option<usize> {
    let left = depth(lines[first]);
    if is_python {
        let next = |line: &&str| !line.is_empty() && depth(line) <= left;
        let body = lines[first + 1..].iter().position(next);
        let body = &lines[first + 1..body.map_or(lines.len(), |next| first + 1 + next)];
        let last = body.iter().rposition(|line| !line.is_empty());
        return Some(first + last.map_or(0, |last| last + 1));
    }
    // An arm of a `match` or a `select!` may be one line.
    if lines[first].contains(" => ") && lines[first].ends_with(',') {
        return Some(first);
    }
    // A value may stand on lines of its own, further to the right: then one of those is
    // the last.
    let has_value = ["const", "static", "type"].iter().any(|w| begins(lines[first], w));
    let continues = has_value && !lines[first].ends_with(['{', '(', '[', ';']);
    let right = if continues { depth(lines.get(first + 1)?) } else { left };
    let ends =
        |line: &&str| (left..=right).contains(&depth(line)) && line.ends_with(['}', ';']);
    lines[first..].iter().position(ends).map(|length| first + length)
}

/// How many lines of comments and attributes end here.
pub fn comments_above(lines: &[&str]) -> usize {
    lines.iter().rev().take_while(|line| is_comment(line)).count()
}

fn begins(line: &str, head: &str) -> bool {
    let mut line = line.trim_start();
    for word in ["pub(crate) ", "pub ", "export "] {
        if !head.starts_with(word) {
            line = line.strip_prefix(word).unwrap_or(line);
        }
    }
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    line.strip_prefix(head)
        .is_some_and(|rest| !(head.ends_with(in_word) && rest.starts_with(in_word)))
}

pub fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    let module = line.starts_with("//!");
    let starts = ["//", "#", "@", "/**", "* ", "*/"];
    // An empty line of a JSDoc is a star alone.
    !module && (line == "*" || starts.iter().any(|start| line.starts_with(start)))
}

/// What is compiled for the tests only.
pub fn tests(lines: &[&str]) -> Vec<Range<usize>> {
    let starts = (0..lines.len()).filter(|&i| lines[i].trim() == "#[cfg(test)]");
    starts
        .filter_map(|start| {
            let first = (start..lines.len()).find(|&i| !is_comment(lines[i]))?;
            Some(start..end(lines, first, false)? + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::item;

    const SOURCE: &str = "\
/// A list.
#[derive(Default)]
pub struct Clients {
    last: u32,
}

struct ClientsLine;

impl Clients {
    // Why? We ask.
    pub fn join(
        &mut self,
    ) -> u32 {
        self.last
    }

    fn leave(&self) {}
}
";

    #[test]
    fn an_item_has_its_comments_and_its_body() {
        let found = item(SOURCE, "struct Clients", false).unwrap_or_default();

        let expected =
            "/// A list.\n#[derive(Default)]\npub struct Clients {\n    last: u32,\n}";
        assert_eq!(found, expected, "comments, head and body belong together");
    }

    #[test]
    fn an_item_inside_of_another_moves_to_the_left() {
        let found = item(SOURCE, "impl Clients > fn join", false).unwrap_or_default();

        let expected =
            "// Why? We ask.\npub fn join(\n    &mut self,\n) -> u32 {\n    self.last\n}";
        assert_eq!(found, expected, "the indentation of the impl is gone");
    }

    #[test]
    fn the_header_of_a_file_is_an_item_too() {
        let found = item(&format!("//! Lists.\n//!\n{SOURCE}"), "//!", false);
        let none = item(SOURCE, "//!", false);

        assert_eq!(found, Ok("//! Lists.\n//!".into()), "no more than the header");
        assert_eq!(none, Err("there is no item `//!`".into()), "there is no header");
    }

    #[test]
    fn a_value_may_continue_on_lines_further_to_the_right() {
        let source = "\
const HASH: &str = \"one$\\
     two\";

static KEYS: Keys =
    Keys::new(|| {
        read();
    });

struct Users {
    hash: u32,
}
";
        let constant = item(source, "const HASH", false);
        let closure = item(source, "static KEYS", false);

        let lines: Vec<&str> = source.lines().collect();
        assert_eq!(
            constant,
            Ok(lines[0..2].join("\n")),
            "the next item is not part of it"
        );
        assert_eq!(closure, Ok(lines[3..7].join("\n")), "a line inside does not end it");
    }

    #[test]
    fn an_arm_may_be_one_line() {
        let source = "\
fn run() {
    select! {
        text = recv() => {
            send(text);
        }
        () = sleep() => return Lost,
    }
}
";
        let long = item(source, "fn run > text = recv", false);
        let short = item(source, "fn run > () = sleep", false);

        let expected = "text = recv() => {\n    send(text);\n}";
        assert_eq!(long, Ok(expected.into()), "it ends as any block does");
        assert_eq!(short, Ok("() = sleep() => return Lost,".into()), "its comma ends it");
    }

    #[test]
    fn a_name_must_be_there_once() {
        let none = item(SOURCE, "fn joined", false);
        let two = item(&SOURCE.replace("fn leave", "fn join"), "fn join", false);

        assert_eq!(none, Err("there is no item `fn joined`".into()), "it was renamed");
        assert_eq!(two, Err("2 items begin with `fn join`".into()), "say which one");
    }

    #[test]
    fn python_ends_where_the_next_line_stands_to_the_left() {
        let source =
            "app = 1\n\n@app.get\ndef a():\n    b()\n\n    c()\n\n\ndef d():\n    e()\n";

        let found = item(source, "def a", true).unwrap_or_default();

        assert_eq!(found, "@app.get\ndef a():\n    b()\n\n    c()", "decorator and body");
    }

    #[test]
    fn a_jsdoc_comes_whole_with_its_empty_lines() {
        let source = "\
const A = 1;

/**
 * Watches a socket.
 *
 * It closes a dead one.
 */
export function keepAlive(socket) {
  socket.rest();
}
";

        let found = item(source, "function keepAlive", false).unwrap_or_default();

        let expected = source.strip_prefix("const A = 1;\n\n").unwrap_or_default();
        assert_eq!(found, expected.trim_end(), "from the first `/**` to the last `}}`");
    }

    #[test]
    fn a_jsdoc_inside_of_a_class_moves_to_the_left_with_it() {
        let source = "\
class Table {
  /**
   * Begins.
   *
   * And goes on.
   */
  open() {
    this.load();
  }
}
";

        let found = item(source, "class Table > open", false).unwrap_or_default();

        let expected =
            "/**\n * Begins.\n *\n * And goes on.\n */\nopen() {\n  this.load();\n}";
        assert_eq!(found, expected, "the stars keep their place below the slash");
    }
}
