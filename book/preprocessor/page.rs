//! What a page says, code and drawings apart.

/// The lines of a page that are prose, each with its number.
///
/// Left out are fenced code, directives and HTML tags. All else counts: headings,
/// tables, what is folded, and code inside a sentence.
pub fn prose(text: &str) -> Vec<(usize, String)> {
    let (mut in_fence, mut in_directive) = (false, false);
    let mut found = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if in_directive {
            in_directive = line != "}}";
        } else if !in_fence && line.starts_with("{{#") && !line.contains("}}") {
            in_directive = true;
        } else if !in_fence {
            found.push((i + 1, without_tags(&without_directives(line))));
        }
    }
    found
}

fn without_directives(line: &str) -> String {
    let mut parts = line.split("{{#");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        rest.push_str(part.split_once("}}").map_or("", |(_, after)| after));
    }
    rest
}

fn without_tags(line: &str) -> String {
    let mut rest = String::new();
    let (mut in_code, mut in_tag) = (false, false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '`' => in_code = !in_code,
            '<' if !in_code => {
                in_tag = letters.peek().is_some_and(|&c| c == '/' || c.is_alphabetic());
            }
            '>' if in_tag => {
                in_tag = false;
                continue;
            }
            _ => {}
        }
        if !in_tag {
            rest.push(letter);
        }
    }
    rest
}

/// How many words of prose a page has for a learner. A word has a letter or a digit in
/// it. What is folded counts, but for the part that is for the teacher.
pub fn words(text: &str) -> usize {
    let (learner, rest) =
        text.split_once("<summary>For the teacher</summary>").unwrap_or((text, ""));
    let rest = rest.split_once("</details>").map_or("", |(_, rest)| rest);
    [prose(learner), prose(rest)]
        .concat()
        .iter()
        .flat_map(|(_, line)| line.split_whitespace())
        .filter(|word| word.contains(char::is_alphanumeric))
        .count()
}

/// The anchors that mdBook makes of the headings of a page.
pub fn heading_ids(text: &str) -> Vec<String> {
    prose(text)
        .iter()
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            line.trim_start_matches('#')
                .trim()
                .chars()
                .filter_map(|c| match c {
                    ' ' => Some('-'),
                    c if c.is_alphanumeric() || c == '_' || c == '-' => {
                        Some(c.to_ascii_lowercase())
                    }
                    _ => None,
                })
                .collect()
        })
        .collect()
}
