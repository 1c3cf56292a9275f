//! The protocol: every text frame is one JSON object with a `type`.
//!
//! | direction | type | other fields |
//! |---|---|---|
//! | learner → board | `hello` | `name`, and `session`: an id that holds the name |
//! | learner → board | `progress` | `exercises`: `name`, `passed` and `failed` steps of each; `current`: `null`, or `exercise`, `step` and for how many `seconds` |
//! | board → learner | `welcome` | |
//! | board → learner | `error` | `message`: one sentence a person can act on |
//! | board → page | `snapshot` | `version`, `addresses`, `exercises` of the course, `learners`: a list of rows |
//! | board → page | `learner` | `version`, `learner`: the row as it is now |
//! | board → page | `removed` | `version`, `name` |
//!
//! A row has the `name`, the `exercises` as pairs of `passed` and `steps` (how many), the
//! `current` step, and `away`: `null`, or for how many seconds.
//!
//! - `progress` is a state and not a change. A learner sends all of it each time, so that
//!   neither a lost connection nor a board that starts anew loses anything or counts it twice.
//! - Time is sent as "for so many seconds", because the clocks of two machines differ.
//! - Each event has the version after the one before. A page that has version 7 and gets
//!   version 9 has missed something, and asks for a new snapshot by connecting again.
//! - A learner whose course is newer may send exercises and fields that we do not know. We
//!   pass over them. Steps are unknown to us anyway: they are names, and we count them.
//! - Close codes of our own: 4008 too slow, 4009 name taken, 4010 no sign of life, 4014
//!   replaced by a newer connection of the same learner. 1008 is for who sends too much, or
//!   no `hello`, and 1013 for a class that is full.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::extract::ws::Utf8Bytes;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The longest message that we read, in bytes: some ten times what the whole course needs.
const MESSAGE_LIMIT: usize = 60 * 1024;

/// How much of a long error we keep, in characters.
const SENTENCE_LIMIT: usize = 200;

/// The longest name of a learner, in characters.
pub const NAME_LIMIT: usize = 20;

/// How many marks a letter of a name may have. No script needs more, and with many of them
/// a name is drawn over the rows above and below it.
const MARK_LIMIT: usize = 4;

/// The longest name of an exercise or a step, in characters.
const WORD_LIMIT: usize = 100;

/// How many steps an exercise may have.
const STEP_LIMIT: usize = 100;

/// For how long somebody can be at one step: a week. More is a mistake.
const SECONDS_LIMIT: u64 = 7 * 24 * 60 * 60;

/// What a learner may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LearnerMessage {
    Hello { name: Name, session: SessionId },
    Progress(Progress),
}

/// What the board sends to a learner.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToLearner {
    Welcome,
    Error { message: String },
}

/// What the board sends to a page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage<'a> {
    Snapshot {
        version: u64,
        addresses: &'a [String],
        exercises: &'a [Exercise],
        learners: Vec<Row<'a>>,
    },
    Learner {
        version: u64,
        learner: Row<'a>,
    },
    Removed {
        version: u64,
        name: &'a Name,
    },
}

/// One learner, as a page shows them. The session is not in it: it would let anybody who
/// sees the page take the name.
#[derive(Serialize)]
pub struct Row<'a> {
    pub name: &'a Name,
    pub exercises: &'a BTreeMap<String, Count>,
    pub current: Option<Current>,
    pub away: Option<u64>,
}

/// How many steps of an exercise pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Count {
    passed: usize,
    steps: usize,
}

/// The state of a learner, as it was sent, without what we do not know.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "RawProgress")]
pub struct Progress {
    pub exercises: BTreeMap<String, Count>,
    pub current: Option<Current>,
}

/// The step that comes next, and for how long it has been the next one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Current {
    pub exercise: Word,
    pub step: Word,
    pub seconds: u64,
}

/// A state as it stands in the message.
#[derive(Deserialize)]
struct RawProgress {
    exercises: Vec<Steps>,
    current: Option<Current>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawSteps")]
struct Steps {
    name: Word,
    count: Count,
}

#[derive(Deserialize)]
struct RawSteps {
    name: Word,
    passed: Vec<Word>,
    failed: Vec<Word>,
}

impl TryFrom<RawSteps> for Steps {
    type Error = String;

    fn try_from(RawSteps { name, passed, failed }: RawSteps) -> Result<Self, String> {
        match passed.len() + failed.len() {
            steps @ 0..=STEP_LIMIT => {
                Ok(Self { name, count: Count { passed: passed.len(), steps } })
            }
            steps => {
                Err(format!("{steps} steps are too many: the limit is {STEP_LIMIT}"))
            }
        }
    }
}

/// Passes over exercises that are not in our course: the learner's course may be newer.
impl From<RawProgress> for Progress {
    fn from(raw: RawProgress) -> Self {
        let known = raw.exercises.into_iter().filter(|steps| is_known(&steps.name));
        let current = raw.current.filter(|current| is_known(&current.exercise));
        Self {
            exercises: known.map(|steps| (steps.name.0, steps.count)).collect(),
            current: current.map(|current| Current {
                seconds: current.seconds.min(SECONDS_LIMIT),
                ..current
            }),
        }
    }
}

/// A warm-up or an exercise, as the page needs it.
#[derive(Deserialize, Serialize)]
pub struct Exercise {
    name: String,
    title: String,
}

/// The course that this board was built with, in its order.
pub static EXERCISES: LazyLock<Vec<Exercise>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../syllabus.json"))
        .expect("the syllabus is a list of exercises")
});

fn is_known(exercise: &Word) -> bool {
    EXERCISES.iter().any(|known| known.name == exercise.0)
}

impl LearnerMessage {
    /// Reads one message.
    ///
    /// The error is a sentence for the person who sent the message.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MESSAGE_LIMIT {
            let length = text.len();
            return Err(format!(
                "{length} bytes are too many: the limit is {MESSAGE_LIMIT}"
            ));
        }
        // Why look at the first character? serde also reads a list as this enum.
        if !text.trim_start().starts_with('{') {
            return Err(
                r#"a message is a JSON object, such as {"type":"hello",…}"#.into()
            );
        }
        serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => error.to_string().chars().take(SENTENCE_LIMIT).collect(),
            _ => format!("this is not valid JSON: {error}"),
        })
    }
}

/// The text of the frame. A clone of it is cheap: all clones share one buffer.
pub fn encode(message: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(message).expect("these types have a JSON form").into()
}

/// The name of a learner: 1 to 20 letters of every script, digits, `-` and `_`. All of them
/// can be seen: two names that look the same would be two rows that nobody can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    /// Takes the name in its one normal form, NFC, in which "é" is one character and not two.
    fn try_from(text: String) -> Result<Self, String> {
        let name: String = text.nfc().collect();
        let mut marks_left = 0; // Marks, such as vowel signs, belong to a letter.
        let is_good = |c: char| {
            if is_invisible(c) {
                return false;
            }
            if is_combining_mark(c) {
                let is_allowed = marks_left > 0;
                marks_left -= usize::from(is_allowed);
                return is_allowed;
            }
            marks_left = if c.is_alphanumeric() { MARK_LIMIT } else { 0 };
            c.is_alphanumeric() || c == '-' || c == '_'
        };

        if (1..=NAME_LIMIT).contains(&name.chars().count()) && name.chars().all(is_good) {
            Ok(Self(name))
        } else {
            Err(format!("a name has 1 to {NAME_LIMIT} letters, digits, - and _"))
        }
    }
}

/// Whether a letter or a mark shows nothing: Unicode's `Default_Ignorable_Code_Point`,
/// without what is neither.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{34f}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{ffa0}'
        | '\u{e0100}'..='\u{e01ef}'
    )
}

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that begins like this one, and ends with a number.
    pub fn with_number(&self, number: usize) -> Self {
        let end = format!("-{number}");
        let begin = self.0.chars().take(NAME_LIMIT - end.len());
        Self(begin.collect::<String>() + &end)
    }
}

/// What tells two learners of one name apart. Who has joined with it holds the name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(String);

impl TryFrom<String> for SessionId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_good =
            text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_good { Ok(Self(text)) } else { Err("a session is 32 hexadecimal digits") }
    }
}

/// The name of an exercise or of a step, which is a name in Rust.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct Word(String);

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = (1..=WORD_LIMIT).contains(&text.chars().count())
            && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_good {
            Ok(Self(text))
        } else {
            Err(format!(
                "an exercise or a step has 1 to {WORD_LIMIT} letters, digits and _"
            ))
        }
    }
}
