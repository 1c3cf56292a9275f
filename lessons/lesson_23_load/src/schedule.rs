//! When each message is due. Nothing that the server does changes that.

use std::{iter, ops::Range, time::Duration};

/// How long a rate holds before it is measured, so that what came before it is over.
pub const SETTLE: u64 = 1; // Second.

/// What a run does: one rate after another, each for as long.
#[derive(Clone)]
pub struct Plan {
    /// Messages in a second, of all senders together.
    pub rates: Vec<f64>,
    /// How long each of them holds, in seconds, with the time that is not measured.
    pub step: u64,
}

impl Plan {
    /// The length of the run, in seconds.
    pub fn length(&self) -> u64 {
        self.step * self.rates.len() as u64
    }

    /// The seconds of the run in which the step with this number is measured.
    pub fn measured(&self, number: usize) -> Range<usize> {
        let begin = self.step * number as u64;
        (begin + SETTLE) as usize..(begin + self.step) as usize
    }

    /// When the messages of one of so many senders are due, counted from the start of the run.
    /// The senders take turns. Without senders nothing is due.
    pub fn due(
        self,
        sender: usize,
        senders: usize,
    ) -> impl Iterator<Item = Duration> + Send {
        let step = self.step as f64;
        let steps = self.rates.into_iter().enumerate().filter(move |_| senders > 0);
        steps.flat_map(move |(number, rate)| {
            let begin = step * number as f64;
            let turns = iter::successors(Some(sender), move |turn| Some(turn + senders));
            let in_step = turns.map(move |turn| turn as f64 / rate);
            let in_step = in_step.take_while(move |&at| at < step);
            in_step.map(move |at| Duration::from_secs_f64(begin + at))
        })
    }
}
