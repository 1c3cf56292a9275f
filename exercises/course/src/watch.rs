//! Runs the checks at each save, until you leave.
//!
//! Keys, saves and verdicts come from threads of their own. All of them arrive in one
//! queue, so that one loop, without locks, decides what happens.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use crate::{
    checks::Outcome,
    class::{self, Class},
    command::Membership,
    course::{Course, Error, cannot_write},
    keys::{Key, Keys},
    page::{Page, View},
    progress::Progress,
    runner::{self, Running},
    saves::{self, Snapshot},
    screen::Style,
    syllabus::Entry,
    verdict,
};

/// A save is several events, and an editor may write in pieces. After so long without
/// another one, the file is as it should be.
const QUIET: Duration = Duration::from_millis(40);

/// How many events may wait. When it is full, keys and verdicts wait with their threads;
/// a save is left out, because those that wait say the same.
const EVENTS: usize = 64;

/// Where the session of the class is kept: not in `target`, so that `cargo clean` leaves it.
/// Git ignores it, because it is one learner's.
const SESSION: &str = "exercises/.class_session";

enum Event {
    Pressed(Key),
    Saved,
    /// Of the run with this number. An older one says nothing about the files of now.
    Checked(u64, Outcome),
    /// A sentence about the board of the class.
    Notice(String),
    Stop,
}

struct Watch<'a> {
    page: Page<'a>,
    sender: SyncSender<Event>,
    source: PathBuf,
    /// The files that the last run was about.
    seen: Snapshot,
    /// The first run is of all checks, because it finds out what is next.
    knows_all: bool,
    running: Option<Running>,
    runs: u64,
    since: Instant,
    class: Option<Class>,
    report: class::Progress,
}

pub fn watch(
    course: &Course,
    name: Option<&str>,
    class: Option<&Membership>,
    style: Style,
) -> Result<ExitCode, Error> {
    let entry = name.map(|name| course.syllabus.find(name)).transpose()?;
    let (sender, events) = sync_channel(EVENTS);
    let class = class.map(|class| join(course, class, &sender)).transpose()?;
    stop_when_told(&sender)?;
    let source = course.root.join("exercises/src");
    let _watcher = follow(&source, &sender)?; // It follows for as long as it lives.
    let keys = listen(&sender)?;
    if let Some(sentence) = Progress::set_aside_if_damaged(course) {
        sender.try_send(Event::Notice(sentence)).ok(); // There is room: it begins only now.
    }

    let page = Page {
        course,
        style,
        has_keys: keys.is_some(),
        progress: Progress::load(course),
        entry,
        outcome: None,
        known: Vec::new(),
        is_checking: true,
        praise: None,
        notice: None,
        view: View::Verdict,
    };
    let mut watch = Watch::new(page, sender, source, class);
    let done = watch.until_stopped(&events);
    watch.page.end();
    drop(watch); // First the checks, which would hold up the next `cargo`.
    drop(keys);
    match done {
        // Whoever read what we write reads no more.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Names of steps, and whether they pass: that is all that the board gets.
fn join(
    course: &Course,
    class: &Membership,
    sender: &SyncSender<Event>,
) -> Result<Class, Error> {
    let (session, error) = class::session(&course.root.join(SESSION));
    let mut not_kept = error.map(|error| {
        let Error { sentence, .. } = cannot_write(SESSION, &error);
        format!(
            "\n{sentence} So the board may not give you your name again when you come back."
        )
    });
    let sender = sender.clone();
    let notify = move |sentence: &str| {
        // Once is enough, with the first sentence, which nothing replaces at once.
        let sentence = sentence.to_owned() + &not_kept.take().unwrap_or_default();
        sender.send(Event::Notice(sentence)).ok(); // We are leaving already.
    };
    Class::join(&class.url, &class.name, &session, notify).map_err(Error::unknown)
}

fn follow(
    source: &Path,
    sender: &SyncSender<Event>,
) -> Result<Box<dyn notify::Watcher>, Error> {
    let sender = sender.clone();
    let saved = move || {
        sender.try_send(Event::Saved).ok(); // Full: others that say the same are waiting.
    };
    saves::follow(source, saved).map_err(|error| {
        Error::new(format!(
            "We cannot see when a file in exercises/src is saved: {error}."
        ))
    })
}

fn listen(sender: &SyncSender<Event>) -> Result<Option<Keys>, Error> {
    let sender = sender.clone();
    let keys = Keys::listen(move |key| sender.send(Event::Pressed(key)).is_ok());
    keys.map_err(|error| Error::new(format!("The terminal gives us no keys: {error}.")))
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

impl<'a> Watch<'a> {
    fn new(
        page: Page<'a>,
        sender: SyncSender<Event>,
        source: PathBuf,
        class: Option<Class>,
    ) -> Self {
        Self {
            page,
            sender,
            source,
            seen: Snapshot::default(),
            knows_all: false,
            running: None,
            runs: 0,
            since: Instant::now(),
            class,
            report: class::Progress::default(),
        }
    }

    fn until_stopped(&mut self, events: &Receiver<Event>) -> io::Result<()> {
        self.page.begin()?;
        self.run_again()?;
        let mut look_at: Option<Instant> = None;
        loop {
            let event = match look_at {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(moment) => events.recv_timeout(moment - Instant::now()),
            };
            match event {
                Ok(Event::Saved) => look_at = Some(Instant::now() + QUIET),
                Ok(Event::Checked(run, outcome)) if run == self.runs => {
                    self.checked(outcome)?;
                }
                Ok(Event::Checked(..)) => {} // That run was stopped.
                Ok(Event::Notice(sentence)) => self.page.notice(sentence)?,
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
        self.page.praise = None;
        self.page.view = View::Verdict;
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
        let entry = self.page.entry.filter(|_| self.knows_all);
        let command = runner::command(self.page.course, entry, self.page.style.colour);
        let started = Running::start(command, move |outcome| {
            sender.send(Event::Checked(run, outcome)).ok(); // Nobody waits for it any more.
        });
        self.running = Some(started.map_err(|error| {
            io::Error::other(format!("cargo cannot be started: {error}."))
        })?);
        self.page.is_checking = true;
        self.page.draw()
    }

    fn checked(&mut self, outcome: Outcome) -> io::Result<()> {
        self.running = None;
        let page = &mut self.page;
        page.is_checking = false;
        page.progress = runner::note(page.course, &outcome);
        self.knows_all |= matches!(outcome, Outcome::Ran { .. });
        if page.entry.is_none() && self.knows_all {
            page.entry = page.progress.next(page.course);
        }
        self.report(&outcome);
        let page = &mut self.page;
        let solved = page.entry.filter(|entry| verdict::is_solved(&outcome, entry));
        page.remember(&outcome);
        page.outcome = Some((outcome, self.since.elapsed()));
        match solved {
            Some(entry) => self.move_on(entry),
            None => self.page.draw(),
        }
    }

    fn report(&mut self, outcome: &Outcome) {
        let Some(class) = &self.class else { return };
        for entry in &self.page.course.syllabus.entries {
            let own = verdict::own_steps(outcome, entry);
            if !own.is_empty() {
                let steps = own.iter().map(|step| (step.name.as_str(), step.passed));
                self.report.checked(&entry.name, steps);
            }
        }
        // A run of all checks says nothing of where the learner is.
        self.report.is_at(self.page.entry.map(|entry| entry.name.as_str()));
        class.report(&self.report);
    }

    /// The checks of the next one follow at once: nothing has to be compiled for them.
    fn move_on(&mut self, entry: &'a Entry) -> io::Result<()> {
        let heading = self.page.course.syllabus.heading(entry);
        let compare = format!("cargo course solution {}", entry.name);
        self.page.praise(format!("{heading} is solved.\nCompare: {compare}"))?;
        self.go_to_the_one_after(entry)
    }

    fn go_to_the_one_after(&mut self, entry: &Entry) -> io::Result<()> {
        let page = &mut self.page;
        let all = &page.course.syllabus.entries;
        let index = all.iter().position(|other| other.name == entry.name).unwrap_or(0);
        let mut rest = all[index + 1..].iter().chain(&all[..index]);
        page.entry = rest.find(|entry| !page.progress.is_solved(entry));
        page.view = View::Verdict;
        match page.entry {
            Some(_) => self.run_again(),
            None => self.page.draw(),
        }
    }

    fn pressed(&mut self, key: Key) -> io::Result<()> {
        let page = &mut self.page;
        match (key, page.entry) {
            (Key::Hint, _) => page.show_hints(),
            (Key::Next, Some(entry)) => {
                page.praise = None;
                return self.go_to_the_one_after(entry);
            }
            (Key::List, _) if !matches!(page.view, View::List) => page.view = View::List,
            (Key::Resized, _) => page.style = Style::of_the_terminal(),
            _ => page.view = View::Verdict,
        }
        self.page.draw()
    }
}
