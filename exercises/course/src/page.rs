//! What `watch` shows: on a terminal a screen, drawn anew each time; without one, verdicts
//! one below the other.

use std::{
    io::{self, Write},
    slice,
    time::Duration,
};

use crate::{
    checks::{Outcome, Step},
    course::Course,
    hint, overview,
    progress::Progress,
    screen::{Style, fit},
    syllabus::Entry,
    verdict,
};

const KEYS: &str = "h hint   l list   n next   q quit";

/// Goes to the beginning of an empty screen. What the terminal keeps above it stays.
const CLEAR: &str = "\x1b[2J\x1b[H";

pub enum View {
    Verdict,
    Hints(Vec<String>),
    List,
}

pub struct Page<'a> {
    pub course: &'a Course,
    pub style: Style,
    /// Whether there is a terminal that has keys for us, and a screen.
    pub has_keys: bool,
    pub progress: Progress,
    /// The one that is watched. `None` when all is solved, or before we know.
    pub entry: Option<&'a Entry>,
    /// The last verdict, and how long it took.
    pub outcome: Option<(Outcome, Duration)>,
    /// What is known of each step. The last run was perhaps of one exercise only.
    pub known: Vec<Step>,
    pub is_checking: bool,
    /// What has been solved a moment ago.
    pub praise: Option<String>,
    /// The last sentence about the board of the class.
    pub notice: Option<String>,
    pub view: View,
}

impl Page<'_> {
    pub fn begin(&self) -> io::Result<()> {
        if self.has_keys {
            return Ok(());
        }
        self.print(&["The checks run at each save in exercises/src.".into()])
    }

    pub fn end(&self) {
        if self.has_keys {
            self.write("\r\n").ok(); // The shell's line is below ours.
        }
    }

    pub fn praise(&mut self, sentence: String) -> io::Result<()> {
        if !self.has_keys {
            self.print(slice::from_ref(&sentence))?;
        }
        self.praise = Some(sentence);
        Ok(())
    }

    pub fn notice(&mut self, sentence: String) -> io::Result<()> {
        if !self.has_keys {
            return self.print(&[sentence]);
        }
        self.notice = Some(sentence);
        self.draw()
    }

    /// Those seen so far; and one more if they are on the screen already.
    pub fn show_hints(&mut self) {
        let Some(entry) = self.entry else { return };
        let more = matches!(self.view, View::Hints(_));
        self.view = View::Hints(match hint::hints(self.course, entry) {
            Ok(hints) => self.hints(entry, &hints, more),
            Err(error) => vec![error.sentence],
        });
    }

    fn hints(&self, entry: &Entry, hints: &[String], more: bool) -> Vec<String> {
        let count = hints.len();
        let (shown, note) = hint::show(self.course, entry, more, count);
        let mut texts: Vec<_> = (1..)
            .zip(hints)
            .take(shown)
            .map(|(number, hint)| format!("Hint {number} of {count}: {hint}"))
            .collect();
        texts.reverse(); // The new one first: all may not fit.
        texts.extend(note);
        texts
    }

    pub fn draw(&self) -> io::Result<()> {
        let state = match &self.outcome {
            Some((_, time)) if !self.is_checking => {
                format!("checked in {:.1} s", time.as_secs_f32())
            }
            _ => "checking …".into(),
        };
        if self.has_keys {
            self.draw_screen(&state)
        } else if self.is_checking {
            Ok(())
        } else {
            self.print(&[self.verdict(None), vec![state]].concat())
        }
    }

    fn draw_screen(&self, state: &str) -> io::Result<()> {
        // A terminal that reports keys goes down at "\n", but not to the left.
        let text = self.screen(state).join("\r\n");
        self.write(&format!("{CLEAR}{text}"))
    }

    /// As many lines as the terminal has, at most.
    pub fn screen(&self, state: &str) -> Vec<String> {
        let wrapped = |text: &Option<String>| {
            text.as_deref().map_or(Vec::new(), |text| self.style.wrap(text))
        };
        let mut above = wrapped(&self.praise);
        if let [first, ..] = above.as_mut_slice() {
            *first = self.style.green(first);
            above.push(String::new());
        }
        let mut below = vec![String::new()];
        below.extend(wrapped(&self.notice));
        let keys = format!("{KEYS}   · {state}");
        let keys: String = keys.chars().take(self.style.width).collect();

        // Of the height, the last line is for the keys.
        let height = self.style.height.unwrap_or(usize::MAX).saturating_sub(1);
        let room = height.saturating_sub(above.len() + below.len());
        let lines = match &self.view {
            View::Verdict => self.verdict(Some(room)),
            View::Hints(hints) => self.fitting_hints(hints, room),
            View::List => fit(self.list(), room, "cargo course list"),
        };
        let mut screen = [above, lines, below].concat();
        screen.truncate(height);
        screen.push(self.style.quiet(&keys));
        screen
    }

    pub fn verdict(&self, room: Option<usize>) -> Vec<String> {
        match (&self.outcome, self.entry) {
            (None, None) => vec!["The first run looks where you are.".into()],
            (Some((outcome, _)), Some(entry)) if is_about(outcome, entry) => {
                verdict::lines(self.course, entry, outcome, self.style, room)
            }
            // The first verdict about it is on its way.
            (_, Some(entry)) => vec![self.course.syllabus.heading(entry)],
            (Some((outcome, _)), None) => self.of_none(outcome, room),
        }
    }

    /// Where no exercise is watched: what is in the way of all of them comes first.
    fn of_none(&self, outcome: &Outcome, room: Option<usize>) -> Vec<String> {
        let has_run = matches!(outcome, Outcome::Ran { .. });
        match self.course.syllabus.entries.first() {
            Some(any) if !has_run => {
                verdict::lines(self.course, any, outcome, self.style, room)
            }
            _ => overview::next_lines(self.course, outcome, &self.progress, self.style),
        }
    }

    fn fitting_hints(&self, hints: &[String], room: usize) -> Vec<String> {
        let name = self.entry.map_or("", |entry| &entry.name);
        let all = format!("cargo course hint {name}");
        fit(self.style.wrap(&hints.join("\n\n")), room, &all)
    }

    /// Of the exercises that have been checked, the steps are as they are now.
    pub fn remember(&mut self, outcome: &Outcome) {
        let Outcome::Ran { steps, .. } = outcome else { return };
        self.known.retain(|old| steps.iter().all(|new| new.exercise != old.exercise));
        self.known.extend_from_slice(steps);
    }

    pub fn list(&self) -> Vec<String> {
        let known = Outcome::Ran { steps: self.known.clone(), warnings: 0 };
        let current = self.entry.or_else(|| self.progress.next(self.course));
        overview::list_lines(self.course, &known, &self.progress, current, self.style)
    }

    fn print(&self, lines: &[String]) -> io::Result<()> {
        self.write(&format!("{}\n\n", lines.join("\n")))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// After one is solved, the last verdict is not yet about the next.
fn is_about(outcome: &Outcome, entry: &Entry) -> bool {
    !matches!(outcome, Outcome::Ran { .. })
        || !verdict::own_steps(outcome, entry).is_empty()
}
