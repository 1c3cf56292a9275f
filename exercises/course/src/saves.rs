//! Says when a file of the learner's is saved, and whether anything is different then.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Config, Event, EventKind, PollWatcher, RecursiveMode, Watcher};

/// How often we look where the system has no events for us.
const LOOK: Duration = Duration::from_millis(500);

/// Calls `saved` when something happens in the folder, until it is dropped.
///
/// The folder is watched and not the file: many editors write a new file and give it the
/// old one's name.
pub fn follow(
    folder: &Path,
    saved: impl Fn() + Send + Clone + 'static,
) -> notify::Result<Box<dyn Watcher>> {
    let handler = {
        let saved = saved.clone();
        move |event: notify::Result<Event>| {
            // What we read ourselves is no change.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                saved();
            }
        }
    };
    let watch = |mut watcher: Box<dyn Watcher>| {
        watcher.watch(folder, RecursiveMode::Recursive).map(|()| watcher)
    };
    let native =
        notify::recommended_watcher(handler).and_then(|watcher| watch(Box::new(watcher)));
    native.or_else(|_| {
        // The system may have given away all that it has.
        let config = Config::default().with_poll_interval(LOOK);
        let polling = PollWatcher::new(move |_| saved(), config)?;
        watch(Box::new(polling))
    })
}

/// All Rust files of a folder. Two of these are equal if nothing has to be checked again.
#[derive(Debug, Default, PartialEq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, u64>,
}

impl Snapshot {
    pub fn take(folder: &Path) -> Self {
        let mut snapshot = Self::default();
        snapshot.add(folder);
        snapshot
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.add(&path);
            } else if path.extension().is_some_and(|end| end == "rs")
                // A file that is gone already was an editor's, for a moment.
                && let Ok(bytes) = fs::read(&path)
            {
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                self.files.insert(path, hasher.finish());
            }
        }
    }
}
