//! Runs the checks at each save, until you leave.
//!
//! Keys, saves and verdicts come from threads of their own. All of them arrive in one
//! queue, so that one loop, without locks, decides what happens.

use std::{
    io::{self, Write},
    mem,
    path::PathBuf,
    process::ExitCode,
    slice,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use crate::{
    checks::Outcome,
    class::{self, Class},
    command::Membership,
    course::{Course, Refusal},
    hint,
    keys::{Key, Keys},
    overview,
    progress::Progress,
    runner::{self, Running},
    saves::{self, Snapshot},
    screen::{Style, fit},
    syllabus::Entry,
    verdict,
};

/// A save is several events, and an editor may write in pieces. After so long without
/// another one, the file is as it should be.
const QUIET: Duration = Duration::from_millis(40);

/// How many events may wait. When it is full, keys and verdicts wait with their threads;
/// a save is left out, because those that wait say the same.
const EVENTS: usize = 64;

const KEYS: &str = "h hint   l list   n next   q quit";

enum Event {
    Pressed(Key),
    Saved,
    /// Of the run with this number. An older one says nothing about the files of now.
    Checked(u64, Outcome),
    /// What the class's board has to say.
    News(String),
    Stop,
}

/// What the screen shows.
enum View {
    Verdict,
    Hints(Vec<String>),
    List,
}

struct Watch<'a> {
    course: &'a Course,
    style: Style,
    has_keys: bool,
    sender: SyncSender<Event>,
    source: PathBuf,
    seen: Snapshot,
    progress: Progress,
    /// `None` when all is solved.
    entry: Option<&'a Entry>,
    /// The first run is of all checks, because it finds out what is next.
    knows_all: bool,
    running: Option<Running>,
    runs: u64,
    since: Instant,
    outcome: Option<(Outcome, Duration)>,
    class: Option<Class>,
    report: class::Progress,
    news: Option<String>,
    /// What has been solved a moment ago.
    praise: Option<String>,
    view: View,
}

pub fn watch(
    course: &Course,
    name: Option<&str>,
    class: Option<&Membership>,
    style: Style,
) -> Result<ExitCode, Refusal> {
    let entry = name.map(|name| course.syllabus.find(name)).transpose()?;
    let (sender, events) = sync_channel(EVENTS);
    let class = class.map(|class| join(class, &sender)).transpose()?;
    stop_when_told(&sender)?;
    let source = course.root.join("exercises/src");
    let _watcher = follow(&source, &sender)?; // It follows for as long as it lives.
    let keys = listen(&sender)?;
    let mut watch = Watch {
        course,
        style,
        has_keys: keys.is_some(),
        sender,
        seen: Snapshot::default(),
        source,
        progress: Progress::load(course),
        entry,
        knows_all: false,
        running: None,
        runs: 0,
        since: Instant::now(),
        outcome: None,
        class,
        report: class::Progress::default(),
        news: None,
        praise: None,
        view: View::Verdict,
    };
    watch.say_hello()?;
    watch.run_again()?;
    let done = watch.until_stopped(&events);
    drop(watch);
    drop(keys); // From here on, a line ends as it should.
    match done {
        // Whoever read what we write reads no more.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Names of steps, and whether they pass: that is all that the board gets.
fn join(class: &Membership, sender: &SyncSender<Event>) -> Result<Class, Refusal> {
    let sender = sender.clone();
    let news = move |sentence: &str| {
        sender.send(Event::News(sentence.into())).ok(); // We are leaving already.
    };
    Class::join(&class.url, &class.name, news).map_err(Refusal::unknown)
}

fn follow(
    source: &std::path::Path,
    sender: &SyncSender<Event>,
) -> Result<Box<dyn notify::Watcher>, Refusal> {
    let sender = sender.clone();
    let saved = move || {
        sender.try_send(Event::Saved).ok(); // Full: others that say the same are waiting.
    };
    saves::follow(source, saved).map_err(|error| {
        Refusal::new(format!(
            "We cannot see when a file in exercises/src is saved: {error}."
        ))
    })
}

fn listen(sender: &SyncSender<Event>) -> Result<Option<Keys>, Refusal> {
    let sender = sender.clone();
    let keys = Keys::listen(move |key| sender.send(Event::Pressed(key)).is_ok());
    keys.map_err(|error| Refusal::new(format!("The terminal gives us no keys: {error}.")))
}

/// A signal ends us as `q` does: the terminal is given back, and the checks are stopped.
#[cfg(unix)]
fn stop_when_told(sender: &SyncSender<Event>) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let sender = sender.clone();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if sender.send(Event::Stop).is_err() {
                break; // We are stopping already.
            }
        }
    });
    Ok(())
}

/// Windows ends what belongs to a console together with it.
#[cfg(not(unix))]
fn stop_when_told(_: &SyncSender<Event>) -> io::Result<()> {
    Ok(())
}

impl Watch<'_> {
    fn until_stopped(&mut self, events: &Receiver<Event>) -> io::Result<()> {
        let mut look_at = None;
        loop {
            let event = match look_at {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(moment) => {
                    let left: Duration = moment - Instant::now();
                    events.recv_timeout(left)
                }
            };
            match event {
                Ok(Event::Saved) => look_at = Some(Instant::now() + QUIET),
                Ok(Event::Checked(run, outcome)) if run == self.runs => {
                    self.checked(outcome)?;
                }
                Ok(Event::Checked(..)) => {} // That run was stopped.
                Ok(Event::News(sentence)) => self.hear(sentence)?,
                Ok(Event::Pressed(Key::Quit) | Event::Stop) => return Ok(()),
                Ok(Event::Pressed(key)) => self.pressed(key)?,
                Err(RecvTimeoutError::Timeout) => {
                    look_at = None;
                    self.saved()?;
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// The same text again is no reason to check again.
    fn saved(&mut self) -> io::Result<()> {
        if Snapshot::take(&self.source) == self.seen {
            return Ok(());
        }
        self.praise = None;
        self.view = View::Verdict;
        self.run_again()
    }

    /// Stops a run that is under way: it is about files that are different now.
    fn run_again(&mut self) -> io::Result<()> {
        self.seen = Snapshot::take(&self.source);
        self.running = None;
        self.runs += 1;
        self.since = Instant::now();
        let run = self.runs;
        let sender = self.sender.clone();
        let entry = self.entry.filter(|_| self.knows_all);
        let command = runner::command(self.course, entry, self.style.colour);
        self.running = Some(Running::start(command, move |outcome| {
            sender.send(Event::Checked(run, outcome)).ok(); // Nobody waits for it any more.
        })?);
        self.draw_state("checking …")
    }

    fn checked(&mut self, outcome: Outcome) -> io::Result<()> {
        self.running = None;
        self.progress = runner::note(self.course, &outcome);
        self.knows_all |= matches!(outcome, Outcome::Ran { .. });
        if self.entry.is_none() && self.knows_all {
            self.entry = self.progress.next(self.course);
        }
        self.report(&outcome);
        let solved = self.entry.filter(|entry| verdict::is_solved(&outcome, entry));
        self.outcome = Some((outcome, self.since.elapsed()));
        match solved {
            Some(entry) => self.move_on(entry),
            None => self.draw(),
        }
    }

    fn report(&mut self, outcome: &Outcome) {
        let Some(class) = &self.class else { return };
        for entry in &self.course.syllabus.entries {
            let own = verdict::own_steps(outcome, entry);
            if !own.is_empty() {
                let steps = own.iter().map(|step| (step.name.as_str(), step.passed));
                self.report.checked(&entry.name, steps);
            }
        }
        // A run of all checks says nothing of where the learner is.
        self.report.is_at(self.entry.map(|entry| entry.name.as_str()));
        class.report(&self.report);
    }

    fn hear(&mut self, sentence: String) -> io::Result<()> {
        if !self.has_keys {
            return self.print(&[sentence]);
        }
        self.news = Some(sentence);
        self.draw()
    }

    /// The checks of the next one follow at once: nothing has to be compiled for them.
    fn move_on(&mut self, entry: &Entry) -> io::Result<()> {
        let heading = self.course.syllabus.heading(entry);
        let praise =
            format!("{heading} is solved. Compare: cargo course solution {}", entry.name);
        if !self.has_keys {
            self.print(slice::from_ref(&praise))?;
        }
        self.praise = Some(praise);
        self.go_to_the_one_after(entry)
    }

    fn go_to_the_one_after(&mut self, entry: &Entry) -> io::Result<()> {
        let all = &self.course.syllabus.entries;
        let place = all.iter().position(|other| other.name == entry.name).unwrap_or(0);
        let rest = all[place + 1..].iter().chain(&all[..place]);
        self.entry = rest.clone().find(|entry| !self.progress.is_solved(entry));
        self.view = View::Verdict;
        match self.entry {
            Some(_) => self.run_again(),
            None => self.draw(),
        }
    }

    fn pressed(&mut self, key: Key) -> io::Result<()> {
        match (key, self.entry) {
            (Key::Hint, Some(entry)) => self.view = View::Hints(self.hints(entry)),
            (Key::Next, Some(entry)) => {
                self.praise = None;
                return self.go_to_the_one_after(entry);
            }
            (Key::List, _) if !matches!(self.view, View::List) => self.view = View::List,
            (Key::Resized, _) => self.style = Style::of_the_terminal(),
            _ => self.view = View::Verdict,
        }
        self.draw()
    }

    /// Those seen so far; and one more if they are on the screen already.
    fn hints(&self, entry: &Entry) -> Vec<String> {
        let more = matches!(self.view, View::Hints(_));
        let hints = match hint::hints(self.course, entry) {
            Ok(hints) => hints,
            Err(refusal) => return vec![refusal.sentence],
        };
        let (shown, note) = hint::show(self.course, entry, more, hints.len());
        let headed = (1..).zip(&hints).take(shown);
        let count = hints.len();
        let mut texts: Vec<_> = headed
            .map(|(number, hint)| format!("Hint {number} of {count}: {hint}"))
            .collect();
        texts.reverse(); // The new one first: all may not fit.
        texts.extend(note);
        texts
    }

    fn say_hello(&self) -> io::Result<()> {
        if self.has_keys {
            return Ok(());
        }
        self.print(&["The checks run at each save in exercises/src.".into()])
    }

    fn draw(&self) -> io::Result<()> {
        let state = match &self.outcome {
            Some((_, time)) if self.running.is_none() => {
                format!("checked in {:.1} s", time.as_secs_f32())
            }
            _ => "checking …".into(),
        };
        self.draw_state(&state)
    }

    /// The whole screen, anew. Without a terminal there are only verdicts, one by one.
    fn draw_state(&self, state: &str) -> io::Result<()> {
        let room = self.style.height.map(|height| height.saturating_sub(2));
        if !self.has_keys {
            return match self.running {
                Some(_) => Ok(()),
                None => self.print(&[self.verdict(room), vec![state.into()]].concat()),
            };
        }
        let news = self.news.as_deref().map_or(Vec::new(), |news| self.style.wrap(news));
        let room = room.unwrap_or(usize::MAX).saturating_sub(news.len());
        let mut lines = Vec::new();
        if let Some(praise) = &self.praise {
            lines.extend(
                self.style.wrap(praise).iter().map(|line| self.style.green(line)),
            );
            lines.push(String::new());
        }
        let left = room.saturating_sub(lines.len());
        lines.extend(match &self.view {
            View::Verdict => self.verdict(Some(left)),
            View::Hints(hints) => self.fitting_hints(hints, left),
            View::List => fit(self.list(), left, "cargo course list"),
        });
        lines.push(String::new());
        lines.extend(news);
        lines.push(self.style.quiet(&format!("{KEYS}   · {state}")));
        // A terminal that reports keys goes down at "\n", but not to the left.
        self.write(&format!("\x1b[2J\x1b[3J\x1b[H{}", lines.join("\r\n")))
    }

    fn verdict(&self, room: Option<usize>) -> Vec<String> {
        match (&self.outcome, self.entry) {
            (None, Some(entry)) => vec![self.course.syllabus.heading(entry)],
            (None, None) => vec!["The first run looks where you are.".into()],
            (Some((outcome, _)), Some(entry)) if self.is_about(outcome, entry) => {
                verdict::lines(self.course, entry, outcome, self.style, room)
            }
            (Some(_), Some(entry)) => vec![self.course.syllabus.heading(entry)],
            (Some((outcome, _)), None) => {
                overview::next_lines(self.course, outcome, &self.progress, self.style)
            }
        }
    }

    /// After one is solved, the last verdict is not yet about the next.
    fn is_about(&self, outcome: &Outcome, entry: &Entry) -> bool {
        !matches!(outcome, Outcome::Ran { .. })
            || !verdict::own_steps(outcome, entry).is_empty()
    }

    fn fitting_hints(&self, hints: &[String], room: usize) -> Vec<String> {
        let name = self.entry.map_or("", |entry| &entry.name);
        let all = format!("cargo course hint {name}");
        fit(self.style.wrap(&hints.join("\n\n")), room, &all)
    }

    fn list(&self) -> Vec<String> {
        let nothing = Outcome::Broken(String::new());
        let outcome = self.outcome.as_ref().map_or(&nothing, |(outcome, _)| outcome);
        overview::list_lines(self.course, outcome, &self.progress, self.style)
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

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // First the checks, which would hold up the next `cargo`.
        drop(mem::take(&mut self.running));
        if self.has_keys {
            self.write("\r\n").ok(); // The shell's line is below ours.
        }
    }
}
