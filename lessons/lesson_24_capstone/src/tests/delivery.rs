//! What the log promises: nothing is lost, and nothing comes twice.

mod bounds;
mod busy_log;
mod faults;
mod meetings;
mod restarting;
mod stories;

use std::time::Duration;

use probe::{Hint, Server, resuming::Resuming, serve};
use tokio::time::sleep;

use super::{
    live::TempFile,
    people::{self, path},
    talkative as app,
};
use crate::{app::AppState, config::Config, server::Shutdown};

// What every chat with a log does (`lessons/probe/src/resuming.rs`).
probe::delivery_conformance!(app, path);

/// The chat, for clients that come back.
const RESUMING: Resuming = Resuming { start: app, path };

/// A configuration in which one person may send much.
fn talkative() -> Config {
    let many = people::at_least_one(10_000);
    Config { messages_per_second: many, message_burst: many, ..people::config() }
}

/// A file for a log. It is removed with the value.
struct LogFile(TempFile);

impl LogFile {
    fn new(name: &str) -> Self {
        Self(TempFile::new(&format!("log-{name}")))
    }

    fn config(&self) -> Config {
        Config { database: Some(self.0.0.clone()), ..talkative() }
    }

    /// A server on this file. If there was another one, its clients must be gone.
    async fn serve(&self) -> Result<Server, Hint> {
        sleep(Duration::from_secs(1)).await;
        let config = self.config();
        let state = AppState::new(&config, Shutdown::default()).map_err(|sentence| {
            Hint::new(format!("The old server should have left its file: {sentence}"))
        })?;
        Ok(serve(super::app_of(state, &config)))
    }
}
