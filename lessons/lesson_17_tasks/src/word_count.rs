//! Counting words: our example of work that takes long.

use std::{collections::HashSet, thread, time::Duration};

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use crate::worker::TaskHandle;

/// How many steps a text takes, or fewer if there are not that many words.
const STEPS: usize = 50;

/// What is in a text.
#[derive(Clone, Serialize)]
pub struct WordCount {
    pub words: usize,
    pub distinct: usize,
}

/// Counts the words of a text, or returns `None` if it was cancelled.
///
/// It blocks its thread, and takes `pause` longer than it has to, to show some progress.
pub fn count_words(text: &str, pause: Duration, task: &TaskHandle) -> Option<WordCount> {
    let words: Vec<&str> = text.unicode_words().collect();
    let steps = words.chunks(words.len().div_ceil(STEPS).max(1));
    let (steps_in_all, mut distinct) = (steps.len(), HashSet::new());

    for (step, words) in steps.enumerate() {
        if task.is_cancelled() {
            return None;
        }
        task.report(step as f64 / steps_in_all as f64);
        distinct.extend(words.iter().map(|word| word.to_lowercase()));
        thread::sleep(pause.div_f64(steps_in_all as f64));
    }
    Some(WordCount { words: words.len(), distinct: distinct.len() })
}
