//! Sentences for people, which may repeat what a client wrote.

/// How much we keep of a sentence, in characters.
const LIMIT: usize = 200;

/// Cuts out the middle of a sentence that is too long.
pub fn shortened(sentence: &str) -> String {
    let chars: Vec<char> = sentence.chars().collect();
    if chars.len() <= LIMIT {
        return sentence.into();
    }
    let (head, rest) = chars.split_at(LIMIT / 2);
    let (_, tail) = rest.split_at(rest.len() - LIMIT / 2);
    format!("{} … {}", String::from_iter(head), String::from_iter(tail))
}
