//! JSON for the lab. The first lessons have no library for that.

/// A text as JSON has it.
pub fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c.is_ascii_control() => json.push_str(&format!("\\u{:04x}", c as u32)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotation_marks_and_line_ends_are_escaped() {
        assert_eq!(quoted("\"a\\b\"\n"), r##""\"a\\b\"\u000a""##, "this is JSON");
    }
}
