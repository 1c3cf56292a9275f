//! What is written, how wide it may be, and in which colours.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// The size that a terminal has if it does not say.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;

#[derive(Clone, Copy)]
pub struct Style {
    pub colour: bool,
    pub width: usize,
    /// `None` means that no line is one too many: nobody's screen is full.
    pub height: Option<usize>,
}

impl Style {
    pub fn of_the_terminal() -> Self {
        if !io::stdout().is_terminal() {
            return Self { colour: false, width: WIDTH, height: None };
        }
        let (width, height) = crossterm::terminal::size()
            .ok()
            .filter(|(width, height)| *width > 0 && *height > 0)
            .map_or((WIDTH, HEIGHT), |(width, height)| (width.into(), height.into()));
        let wants_none = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        Self {
            colour: !wants_none("NO_COLOR") && !is_dumb(),
            width: width.clamp(20, 100),
            height: Some(height),
        }
    }

    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub fn quiet(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    /// Breaks lines that are too long, between words if it can. A line that begins with
    /// blanks, or an item of a list, goes on below its first word.
    pub fn wrap(self, text: &str) -> Vec<String> {
        text.lines().flat_map(|line| wrap(line.trim_end(), self.width)).collect()
    }
}

/// Such a terminal, as that of Emacs's shell, shows an escape sequence as text.
pub fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn wrap(line: &str, width: usize) -> Vec<String> {
    let blanks = line.chars().take_while(|c| *c == ' ').count();
    let indent = (blanks + marker(line)).min(width / 2);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > width {
        let blank = rest[..=width].iter().rposition(|c| *c == ' ');
        let (end, next) = match blank.filter(|index| *index > indent) {
            Some(index) => (index, index + 1),
            None => (width, width),
        };
        lines.push(rest[..end].iter().collect());
        rest = [vec![' '; indent], rest[next..].to_vec()].concat();
    }
    lines.push(rest.into_iter().collect());
    lines
}

/// How long the beginning of an item in a list is, such as `- ` or `2. `: 0 for other lines.
pub fn marker(line: &str) -> usize {
    match line.trim_start().split_once(' ') {
        Some(("-" | "*", _)) => 2,
        Some((number, _)) => match number.strip_suffix('.') {
            Some(digits) if digits.parse::<u8>().is_ok() => number.len() + 1,
            _ => 0,
        },
        None => 0,
    }
}

/// Keeps the first lines, and says how many are left out and where they are.
pub fn fit(mut lines: Vec<String>, room: usize, all: &str) -> Vec<String> {
    if lines.len() <= room {
        return lines;
    }
    let left_out = lines.len() - room.saturating_sub(1);
    lines.truncate(room.saturating_sub(1));
    if room > 0 {
        lines.push(format!("  … {left_out} more lines: {all}"));
    }
    lines
}

/// Whoever reads may have read enough, as `head` does. That is no error.
pub fn say(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

/// The beginning of a line, whose end takes a while.
pub fn begin(text: &str) {
    let mut stdout = io::stdout();
    write!(stdout, "{text}").and_then(|()| stdout.flush()).ok(); // As in `say`.
}

pub fn complain(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
}
