//! Counting words: our example of work that takes long.

use std::{cmp::Reverse, collections::HashMap};

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use crate::work::{Step, Work};

/// The longest text that we count, in bytes.
pub const TEXT_LIMIT: usize = 1024 * 1024;

/// How many steps a text takes, or fewer if there are not that many words.
const STEPS: usize = 50;

/// How much of a word we look at, in characters. What is longer counts under its
/// beginning: otherwise a text of one word would come back as a result of that size.
const WORD_LIMIT: usize = 40;

/// How many words are among the most frequent.
const TOP: usize = 10;

/// A text of which we have counted some.
pub struct Counting {
    text: String,
    /// Where we are, in bytes. There is a space, or the beginning, or the end.
    at: usize,
    tally: HashMap<String, usize>,
}

/// What is in a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    pub words: usize,
    pub distinct: usize,
    /// Ten words and how often they came, the most frequent first.
    pub most_frequent: Vec<(String, usize)>,
}

impl Counting {
    pub fn of(text: String) -> Self {
        Self { text, at: 0, tally: HashMap::new() }
    }

    /// Where the next step ends: at a space, so that no word is cut.
    fn border(&self) -> usize {
        let near = self.at + self.text.len().div_ceil(STEPS);
        let near = self.text.ceil_char_boundary(near);
        self.text[near..]
            .find(char::is_whitespace)
            .map_or(self.text.len(), |further| near + further)
    }

    fn result(self) -> Count {
        let (words, distinct) = (self.tally.values().sum(), self.tally.len());
        let mut most_frequent: Vec<_> = self.tally.into_iter().collect();
        most_frequent.sort_by(|(one, often), (other, times)| {
            (Reverse(often), one).cmp(&(Reverse(times), other))
        });
        most_frequent.truncate(TOP);

        Count { words, distinct, most_frequent }
    }
}

impl Work for Counting {
    fn step(mut self) -> Step<Self> {
        let border = self.border();
        for word in self.text[self.at..border].unicode_words() {
            let word: String = word.chars().take(WORD_LIMIT).collect();
            *self.tally.entry(word.to_lowercase()).or_default() += 1;
        }
        self.at = border;

        if border < self.text.len() {
            Step::More(self)
        } else {
            Step::Done(self.result())
        }
    }

    fn done(&self) -> f64 {
        self.at as f64 / self.text.len() as f64
    }
}
