//! A wrong way: to ask for the length of a text without saying what is counted.

use std::fmt::Write;

pub fn report() -> String {
    let mut table = String::from("bytes  chars  JavaScript  text\n");
    for text in ["a", "é", "e\u{301}", "நி", "👋", "👨‍👩‍👧"] {
        let bytes = text.len();
        let chars = text.chars().count();
        let javascript = text.encode_utf16().count();
        let _ = writeln!(table, "{bytes:5}  {chars:5}  {javascript:10}  {text}");
    }
    table
}
