//! What is typed after `cargo course`.

use crate::{course::Error, nearest::nearest};

pub const HELP: &str = "\
cargo course                    where you are, and what is next
cargo course list               all warm-ups and exercises, and how far you are with each
cargo course next               what is next: its file and its chapter
cargo course check     [NAME]   the checks of one, or of the one that is next
cargo course watch     [NAME]   the same at each save, and on to the next when it is solved
cargo course hint      [NAME]   the hints that you have seen; with --next one more
cargo course solution   NAME    our answer, when yours passes
cargo course reset      NAME    the file as it was; your version is kept
cargo course board              a page for the class, for the teacher's projector
cargo course prepare   [01 …]   downloads and compiles all lessons, or some: for a day offline
cargo course new        PATH    the whole server, as the start of a service of your own

NAME is warm_up_01 … warm_up_08, the name of an exercise such as typing_indicator, or its
number, 1 to 11.

  --format json                 for `list` and `check`: the same for other programs
  --class URL --name YOU        for `watch`: sends the class's board which steps pass.
                                Your code stays with you.

NO_COLOR=1 turns the colours off. Exit codes: 0 done, 1 a check fails or something is in
the way, 2 a word that is not known.";

#[derive(Debug, PartialEq)]
pub enum Command {
    Overview,
    Help,
    List { json: bool },
    Next,
    Check { name: Option<String>, json: bool },
    Watch { name: Option<String>, class: Option<Membership> },
    Hint { name: Option<String>, more: bool },
    Solution { name: String },
    Reset { name: String },
    Board,
    Prepare { lessons: Vec<String> },
    New { path: String },
}

/// Where the board of the class is, and who we are there.
#[derive(Debug, PartialEq)]
pub struct Membership {
    pub url: String,
    pub name: String,
}

const WORDS: [&str; 11] = [
    "list", "next", "check", "watch", "hint", "solution", "reset", "board", "prepare",
    "new", "help",
];

pub fn parse(arguments: &[String]) -> Result<Command, Error> {
    let Some((word, rest)) = arguments.split_first() else {
        return Ok(Command::Overview);
    };
    if rest.iter().any(|argument| argument == "--help" || argument == "-h") {
        return Ok(Command::Help);
    }
    let mut rest = Rest::new(rest);
    let command = match word.as_str() {
        "help" | "--help" | "-h" => Command::Help,
        "list" => Command::List { json: rest.json()? },
        "next" => Command::Next,
        "check" => Command::Check { json: rest.json()?, name: rest.word() },
        "watch" => Command::Watch { class: rest.class()?, name: rest.word() },
        "hint" => Command::Hint { more: rest.flag("--next"), name: rest.word() },
        "solution" => Command::Solution { name: rest.needed("solution", "warm_up_01")? },
        "reset" => Command::Reset { name: rest.needed("reset", "typing_indicator")? },
        "board" => Command::Board,
        "prepare" => Command::Prepare { lessons: rest.words() },
        "new" => Command::New { path: rest.needed("new", "../my-chat")? },
        _ => return Err(unknown("command", word, &WORDS)),
    };
    rest.is_empty(word)?;
    Ok(command)
}

fn unknown(what: &str, word: &str, known: &[&str]) -> Error {
    let more = match nearest(word, known.iter().copied()) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "`cargo course --help` shows all.".into(),
    };
    Error::unknown(format!("There is no {what} `{word}`. {more}"))
}

/// What is left of the arguments. Options are taken out first, wherever they stand.
struct Rest {
    arguments: Vec<String>,
}

impl Rest {
    fn new(arguments: &[String]) -> Self {
        // `--format=json` is the same as `--format json`.
        let split = |argument: &String| match argument.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                vec![option.to_owned(), value.to_owned()]
            }
            _ => vec![argument.clone()],
        };
        Self { arguments: arguments.iter().flat_map(split).collect() }
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.arguments.iter().position(|argument| argument == name);
        found.map(|index| self.arguments.remove(index)).is_some()
    }

    fn value(&mut self, name: &str, example: &str) -> Result<Option<String>, Error> {
        let Some(index) = self.arguments.iter().position(|argument| argument == name)
        else {
            return Ok(None);
        };
        self.arguments.remove(index);
        let is_value = |value: &String| !value.is_empty() && !value.starts_with('-');
        match self.arguments.get(index).filter(|value| is_value(value)) {
            Some(_) => Ok(Some(self.arguments.remove(index))),
            None => Err(Error::unknown(format!(
                "{name} needs a value, as in {name} {example}."
            ))),
        }
    }

    fn json(&mut self) -> Result<bool, Error> {
        match self.value("--format", "json")?.as_deref() {
            None => Ok(false),
            Some("json") => Ok(true),
            Some(other) => Err(unknown("format", other, &["json"])),
        }
    }

    fn class(&mut self) -> Result<Option<Membership>, Error> {
        let url = self.value("--class", "http://192.168.0.10:8000")?;
        match (url, self.value("--name", "ana")?) {
            (None, None) => Ok(None),
            (Some(url), Some(name)) => Ok(Some(Membership { url, name })),
            _ => Err(Error::unknown(
                "--class and --name go together: the board shows your progress under a name.",
            )),
        }
    }

    /// The next word that is no option.
    fn word(&mut self) -> Option<String> {
        let found = self.arguments.iter().position(|argument| !argument.starts_with('-'));
        found.map(|index| self.arguments.remove(index))
    }

    /// All that are no options.
    fn words(&mut self) -> Vec<String> {
        self.arguments.extract_if(.., |argument| !argument.starts_with('-')).collect()
    }

    fn needed(&mut self, command: &str, example: &str) -> Result<String, Error> {
        self.word().ok_or_else(|| {
            let all = format!("cargo course {command} {example}");
            Error::unknown(format!("`{command}` needs one word more, as in `{all}`."))
        })
    }

    fn is_empty(&self, command: &str) -> Result<(), Error> {
        let Some(argument) = self.arguments.first() else { return Ok(()) };
        if !argument.starts_with('-') {
            return Err(Error::unknown(format!(
                "`{command}` has no use for `{argument}`: `cargo course --help` shows what \
                 may follow."
            )));
        }
        let options: &[&str] = match command {
            "list" | "check" => &["--format"],
            "watch" => &["--class", "--name"],
            "hint" => &["--next"],
            _ => &[],
        };
        if options.contains(&argument.as_str()) {
            return Err(Error::unknown(format!("`{argument}` is there twice.")));
        }
        Err(unknown("option", argument, options))
    }
}
