//! What one does with text on a terminal, and with words that are misspelt.

/// The one of `words` that most probably was meant, if any is near enough.
pub fn nearest<T: AsRef<str>>(
    typed: &str,
    words: impl IntoIterator<Item = T>,
) -> Option<T> {
    let limit = typed.chars().count().div_ceil(3);
    words
        .into_iter()
        .map(|word| (distance(typed, word.as_ref()), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many letters one has to add, to remove or to replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // The distances from what we have read of `one` to each beginning of `other`.
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &opposite) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != opposite);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// Breaks a line where a terminal of this width would have to. The blanks at its beginning
/// are those of each new line.
pub fn wrapped(line: &str, width: usize) -> Vec<String> {
    let indent: String = line.chars().take_while(|letter| *letter == ' ').collect();
    let room = width.saturating_sub(indent.chars().count()).max(20);
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in line.trim_start().split(' ') {
        let mut word = word;
        if !current.is_empty() && length(&current) + 1 + length(word) > room {
            lines.push(current);
            current = String::new();
        } else if !current.is_empty() {
            current.push(' ');
        }
        // A word that is longer than a line.
        while length(&current) + length(word) > room {
            let end = word.char_indices().nth(room - length(&current));
            let (first, rest) = word.split_at(end.map_or(word.len(), |(at, _)| at));
            lines.push(current + first);
            current = String::new();
            word = rest;
        }
        current.push_str(word);
    }
    lines.push(current);
    lines
        .into_iter()
        .map(|line| format!("{indent}{line}").trim_end().to_owned())
        .collect()
}

/// Cuts a line at this width.
pub fn cut(line: &str, width: usize) -> String {
    if length(line) <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn length(text: &str) -> usize {
    text.chars().count()
}
