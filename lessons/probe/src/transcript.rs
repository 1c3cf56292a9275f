//! Transcripts: conversations as people write them down, which can be executed.
//!
//! This is the parser; [`replay`] and [`check_folder`] run it. The reference part of
//! the book specifies both, and `static/transcript.js` does the same in a browser.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Duration,
};

use serde_json::Value;

#[path = "transcript_runner.rs"]
mod runner;

pub use runner::{FOLDER, Verdict, check_each, check_folder, replay};

/// Stands for any value while JSON is parsed. No message has a zero in a key.
const STAND_IN: &str = r#"{"\u0000":"*"}"#;

/// Stands for the name of a room that is new with each replay.
const ROOM: &str = "{room}";

/// Who it is that ignores something: all at once, and nobody alone.
const EVERYBODY: &str = "everybody";

/// The longest reason of a Close, in bytes (RFC 6455, section 5.5).
const REASON_LIMIT: usize = 123;

const VERB: &str = "a verb: connects, signs in, sends, receives, closes, vanishes, waits, \
                    ignores, is refused or is closed";
const MESSAGE: &str = r#"a message: {"type":…}, "a text", or bytes 00 ff"#;

/// One line of a transcript that does something.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// Counted from 1.
    pub line: usize,
    pub text: String,
    pub who: String,
    pub act: Act,
}

/// What somebody does, or what happens to them.
#[derive(Debug, PartialEq)]
pub enum Act {
    Connects {
        path: String,
    },
    IsRefused {
        status: u16,
        path: String,
    },
    SignsIn {
        password: String,
    },
    IsRefusedSigningIn {
        status: u16,
        password: String,
    },
    Sends(Message),
    Receives(Message),
    ReceivesNothing(Duration),
    Closes {
        code: u16,
        reason: String,
    },
    /// Without a reason, any will do.
    IsClosed {
        code: u16,
        reason: Option<String>,
    },
    Vanishes,
    Waits(Duration),
    /// From now on, no message of these types counts.
    IgnoresMessages(Vec<String>),
    /// From now on, no field of these names counts, in whatever message.
    IgnoresFields(Vec<String>),
}

#[derive(Debug, PartialEq)]
pub enum Message {
    Text(String),
    /// As it was written, and what it means.
    Json(String, Value),
    Bytes(Vec<u8>),
}

/// Why a transcript cannot be parsed.
#[derive(Debug, PartialEq)]
pub struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub expected: String,
    pub found: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, expected, found } = self;
        write!(f, "line {line}, column {column}: expected {expected}, but found {found}")
    }
}

impl Message {
    pub fn matches_text(&self, heard: &str) -> bool {
        match self {
            Self::Text(text) => text == heard,
            Self::Json(_, expected) => serde_json::from_str(heard)
                .is_ok_and(|heard: Value| same(expected, &heard)),
            Self::Bytes(_) => false,
        }
    }
}

/// Whether two JSON values mean the same. The order of fields does not matter.
fn same(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::Object(fields), _) if fields.contains_key("\0") => true,
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().all(|(key, expected)| {
                    theirs.get(key).is_some_and(|heard| same(expected, heard))
                })
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(e, h)| same(e, h))
        }
        // A script knows one kind of number, so 1 and 1.0 are the same to it.
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        _ => expected == heard,
    }
}

/// Parses a transcript.
pub fn parse(text: &str) -> Result<Vec<Step>, SyntaxError> {
    let mut steps = Vec::new();
    let mut people = People::default();
    for (i, line) in text.lines().enumerate() {
        let mut line = Line::new(i + 1, line);
        if !line.is_over() && !line.rest().starts_with('#') {
            steps.push(step(&mut line, &mut people)?);
        }
    }
    Ok(steps)
}

/// Who is there, as far as one can tell from the text.
#[derive(Default)]
struct People {
    connected: HashSet<String>,
    signed_in: HashSet<String>,
}

fn step(line: &mut Line, people: &mut People) -> Result<Step, SyntaxError> {
    let at = line.at;
    let who = line.word("a name", is_name)?.to_owned();
    let verb = line.at;
    let act = match line.any_word() {
        "connects" => Act::Connects { path: path(line, people)? },
        "signs" => {
            line.keyword("in")?;
            Act::SignsIn { password: line.word("a password", |_| true)?.into() }
        }
        "sends" => Act::Sends(message(line, false)?),
        "receives" if line.rest().split([' ', '\t']).next() == Some("nothing") => {
            line.keyword("nothing")?;
            line.keyword("for")?;
            Act::ReceivesNothing(time(line)?)
        }
        "receives" => Act::Receives(message(line, true)?),
        "closes" => {
            let may_send = |code| code == 1000 || (3000..5000).contains(&code);
            let code = number(
                line,
                "a code that a script may send: 1000, or 3000 to 4999",
                may_send,
            )?;
            let reason = line.rest().to_owned();
            if reason.len() > REASON_LIMIT {
                return Err(line.error("a reason of at most 123 bytes"));
            }
            line.finish();
            Act::Closes { code, reason }
        }
        "vanishes" => Act::Vanishes,
        "waits" => Act::Waits(time(line)?),
        "ignores" if who != EVERYBODY => {
            return Err(line.error_at(at, &format!("the word “{EVERYBODY}”")));
        }
        "ignores" => {
            let ignored =
                line.word("messages or fields", |w| w == "messages" || w == "fields")?;
            let mut names = Vec::new();
            while names.is_empty() || !line.is_over() {
                names
                    .push(line.word("a name in JSON, such as user_left", is_key)?.into());
            }
            match ignored {
                "messages" => Act::IgnoresMessages(names),
                _ => Act::IgnoresFields(names),
            }
        }
        "is" => match line.any_word() {
            "refused" => refusal(line, people)?,
            "closed" => {
                let codes = |code| (1000..5000).contains(&code);
                let code = number(line, "a close code: 1000 to 4999", codes)?;
                let reason =
                    Some(line.rest()).filter(|rest| !rest.is_empty()).map(String::from);
                line.finish();
                Act::IsClosed { code, reason }
            }
            _ => return Err(line.error_at(verb, VERB)),
        },
        _ => return Err(line.error_at(verb, VERB)),
    };
    if !line.is_over() {
        return Err(line.error("the end of the line"));
    }

    let connected = people.connected.contains(&who);
    match act {
        Act::Connects { .. } if connected => {
            let expected = format!("somebody who is not connected, as {who} is");
            return Err(line.error_at(at, &expected));
        }
        Act::Connects { .. } => {
            people.connected.insert(who.clone());
        }
        Act::SignsIn { .. } => {
            people.signed_in.insert(who.clone());
        }
        Act::IsRefused { .. }
        | Act::IsRefusedSigningIn { .. }
        | Act::Waits(_)
        | Act::IgnoresMessages(_)
        | Act::IgnoresFields(_) => {}
        _ if !connected => {
            let expected = format!("a line before this one in which {who} connects");
            return Err(line.error_at(at, &expected));
        }
        Act::Closes { .. } | Act::IsClosed { .. } | Act::Vanishes => {
            people.connected.remove(&who);
        }
        Act::Sends(_) | Act::Receives(_) | Act::ReceivesNothing(_) => {}
    }
    Ok(Step { line: line.number, text: line.text.trim().to_owned(), who, act })
}

fn refusal(line: &mut Line, people: &People) -> Result<Act, SyntaxError> {
    let status =
        number(line, "a status: 400 to 599", |status| (400..600).contains(&status))?;
    if line.rest().starts_with("signing") {
        line.keyword("signing")?;
        line.keyword("in")?;
        let password = line.word("a password", |_| true)?.into();
        return Ok(Act::IsRefusedSigningIn { status, password });
    }
    Ok(Act::IsRefused { status, path: path(line, people)? })
}

fn path(line: &mut Line, people: &People) -> Result<String, SyntaxError> {
    let at = line.at;
    let known =
        |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/?{}".contains(c);
    let path = line
        .word("a path, such as /ws", |word| {
            word.starts_with('/') && word.chars().all(known)
        })?
        .to_owned();
    for placeholder in path.replace(ROOM, "").split('{').skip(1) {
        let name = placeholder.split_once(".token}").map(|(name, _)| name);
        if name.is_none_or(|name| !people.signed_in.contains(name)) {
            let expected = "{name.token} of somebody who has signed in";
            return Err(line.error_at(at, expected));
        }
    }
    Ok(path)
}

fn message(line: &mut Line, may_have_stars: bool) -> Result<Message, SyntaxError> {
    let text = line.rest().to_owned();
    let message = match text.chars().next() {
        Some('"') => serde_json::from_str(&text).ok().map(Message::Text),
        Some('{' | '[') if may_have_stars => serde_json::from_str(&without_stars(&text))
            .ok()
            .map(|value| Message::Json(text, value)),
        Some('{' | '[') => {
            serde_json::from_str(&text).ok().map(|value| Message::Json(text, value))
        }
        Some('b') => bytes(&text).map(Message::Bytes),
        _ => None,
    };
    let message = message.ok_or_else(|| line.error(MESSAGE))?;
    line.finish();
    Ok(message)
}

/// Puts a value that stands for any value in place of each `*` outside of strings.
fn without_stars(text: &str) -> String {
    let mut json = String::new();
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        match c {
            '*' if !inside => json.push_str(STAND_IN),
            _ => json.push(c),
        }
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = c == '\\' && !escaped;
    }
    json
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split([' ', '\t']).filter(|word| !word.is_empty());
    let hex = |c: char| c.is_ascii_hexdigit();
    (words.next() == Some("bytes"))
        .then(|| {
            words
                .map(|word| {
                    let pair = word.len() == 2 && word.chars().all(hex);
                    pair.then(|| u8::from_str_radix(word, 16).ok()).flatten()
                })
                .collect()
        })
        .flatten()
}

fn time(line: &mut Line) -> Result<Duration, SyntaxError> {
    let milliseconds = |word: &str| {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &word[digits.len()..] {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            _ => return None,
        };
        let good =
            (1..=6).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
        good.then(|| digits.parse::<u64>().ok()).flatten().map(|number| number * unit)
    };
    let word = line
        .word("a time, such as 500ms, 3s or 1min", |word| milliseconds(word).is_some())?;
    Ok(Duration::from_millis(milliseconds(word).unwrap_or_default()))
}

fn number(
    line: &mut Line,
    expected: &str,
    good: impl Fn(u16) -> bool,
) -> Result<u16, SyntaxError> {
    let plain = |word: &str| word.len() <= 5 && word.bytes().all(|c| c.is_ascii_digit());
    let read = |word: &str| word.parse().ok().filter(|&n| plain(word) && good(n));
    let word = line.word(expected, |word| read(word).is_some())?;
    Ok(read(word).unwrap_or_default())
}

fn is_name(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
        && word.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// The name of a field, or of a type of messages.
fn is_key(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// One line, and how far it has been read. The next word begins at `at`.
struct Line<'a> {
    number: usize,
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    fn new(number: usize, text: &'a str) -> Self {
        let text = text.trim_end_matches(BLANKS);
        let at = text.len() - text.trim_start_matches(BLANKS).len();
        Self { number, text, at }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn is_over(&self) -> bool {
        self.rest().is_empty()
    }

    fn finish(&mut self) {
        self.at = self.text.len();
    }

    fn any_word(&mut self) -> &'a str {
        let rest = self.rest();
        let word = rest.split(BLANKS).next().unwrap_or_default();
        let after = &rest[word.len()..];
        self.at = self.text.len() - after.trim_start_matches(BLANKS).len();
        word
    }

    /// The next word, which must be `good`.
    fn word(
        &mut self,
        expected: &str,
        good: impl Fn(&str) -> bool,
    ) -> Result<&'a str, SyntaxError> {
        let at = self.at;
        let word = self.any_word();
        if word.is_empty() || !good(word) {
            return Err(self.error_at(at, expected));
        }
        Ok(word)
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), SyntaxError> {
        self.word(&format!("the word “{keyword}”"), |word| word == keyword).map(|_| ())
    }

    fn error(&self, expected: &str) -> SyntaxError {
        self.error_at(self.at, expected)
    }

    fn error_at(&self, at: usize, expected: &str) -> SyntaxError {
        let found = match self.text[at..].split(BLANKS).next() {
            None | Some("") => "the end of the line".into(),
            Some(word) => format!("“{word}”"),
        };
        let column = self.text[..at].chars().count() + 1;
        SyntaxError { line: self.number, column, expected: expected.into(), found }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The transcripts of this crate's folder in `book/transcripts` as tests: the true ones
/// must be true, and each false one must be false where it says so.
#[macro_export]
macro_rules! transcripts {
    ($app:expr) => {
        $crate::transcripts!($app, env!("CARGO_PKG_NAME"));
    };
    ($app:expr, $folder:expr) => {
        #[tokio::test(start_paused = true)]
        async fn the_transcripts_in_the_book_are_true() -> $crate::Check {
            $crate::transcript::check_folder($folder, || $app).await
        }
    };
}
