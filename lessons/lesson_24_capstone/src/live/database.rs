//! The database: one SQLite file, or memory, and one transaction at a time.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode::DatabaseBusy, TransactionBehavior::Immediate};
use rusqlite_migration::{M, Migrations};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};
use tracing::warn;

use crate::{config::Config, error::ApiError};

/// The migrations, in order. One that has been released is never edited: the database
/// keeps the number of those that it has, and runs those that are new.
pub const MIGRATIONS: &[M] = &[
    M::up(include_str!("../../migrations/1_users.sql")),
    M::up(include_str!("../../migrations/2_posts.sql")),
    M::up(include_str!("../../migrations/3_owners.sql")),
    M::up(include_str!("../../migrations/4_health.sql")),
];

/// How long we wait for another program that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often we look whether a change is possible, at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long that may take: whoever asks has other servers to ask.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of a change. Each is greater than all before it.
pub type ChangeNumber = i64;

/// The one connection. All clones share it.
#[derive(Clone)]
pub struct Database {
    connection: Arc<Mutex<Connection>>,
    /// Whose turn it is. Whoever waits for it takes no thread.
    turns: Arc<Semaphore>,
    /// When we last looked whether a change is possible, and what it was.
    last_check: Arc<tokio::sync::Mutex<Option<(Instant, bool)>>>,
}

impl Database {
    /// Opens the file of the configuration, or else a database in memory.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn new(config: &Config) -> Result<Self, String> {
        match &config.database {
            Some(path) => Self::open(path).map_err(|error| {
                format!(
                    "CHAT_DATABASE={} cannot be used: {}.",
                    path.display(),
                    explain(&error)
                )
            }),
            None => {
                warn!("CHAT_DATABASE is not set: all data ends with this program");
                Self::in_memory().map_err(|error| format!("No database: {error}."))
            }
        }
    }

    pub fn open(path: &Path) -> rusqlite_migration::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Who reads the file with another program does not stop us from writing.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        Self::migrated(connection)
    }

    pub fn in_memory() -> rusqlite_migration::Result<Self> {
        Self::migrated(Connection::open_in_memory()?)
    }

    fn migrated(mut connection: Connection) -> rusqlite_migration::Result<Self> {
        // SQLite does not look after REFERENCES unless it is told to.
        connection.pragma_update(None, "foreign_keys", true)?;
        Migrations::from_slice(MIGRATIONS).to_latest(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            turns: Arc::new(Semaphore::new(1)),
            last_check: Arc::default(),
        })
    }

    /// What `query` returns, and the number of the last change at that moment.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(ChangeNumber, T), ApiError> {
        self.in_turn(move |connection| {
            let transaction = connection.transaction()?;
            let number =
                transaction
                    .query_row("SELECT number FROM changes", [], |row| row.get(0))?;
            Ok((number, query(&transaction)?))
        })
        .await
    }

    /// Makes a change and, once it is durable, publishes it.
    ///
    /// Both happen in one turn, so that changes are published in the order in which they
    /// were made. And both happen off the async threads: if the client hangs up
    /// meanwhile, its handler is dropped, but this goes on to the end.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
        publish: impl FnOnce(ChangeNumber, &T) + Send + 'static,
    ) -> Result<(ChangeNumber, T), ApiError> {
        self.in_turn(move |connection| {
            // What is not committed at the end of a transaction is undone.
            let transaction = connection.transaction_with_behavior(Immediate)?;
            let changed = change(&transaction)?;
            let number = transaction.query_row(
                "UPDATE changes SET number = number + 1 RETURNING number",
                [],
                |row| row.get(0),
            )?;
            transaction.commit()?;

            publish(number, &changed);
            Ok((number, changed))
        })
        .await
    }

    /// Whether a change is possible now: a full disk, for example, is still readable.
    ///
    /// It makes one, at most once in `CHECK_INTERVAL`, however often it is called.
    pub async fn is_writable(&self) -> bool {
        let mut last_check = self.last_check.lock().await;
        if let Some((time, is_writable)) = *last_check
            && time.elapsed() < CHECK_INTERVAL
        {
            return is_writable;
        }
        let change = |connection: &mut Connection| {
            connection.execute("UPDATE health SET checks = checks + 1", [])?;
            Ok(())
        };
        let checked = timeout(CHECK_TIMEOUT, self.in_turn(change)).await;
        let is_writable = matches!(checked, Ok(Ok(())));
        *last_check = Some((Instant::now(), is_writable));
        is_writable
    }

    /// Does `work` on a thread that may wait for a disk, when its turn has come.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = timeout(TURN_TIMEOUT, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| busy())?
            .expect("nobody closes the semaphore");
        let connection = self.connection.clone();

        spawn_blocking(move || {
            let _turn = turn; // It ends with the work, not with the handler that asked.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .unwrap_or_else(|panic| Err(ApiError::internal(&panic)))
    }
}

/// What is wrong with a database, for the person who named it.
pub fn explain(error: &rusqlite_migration::Error) -> String {
    use rusqlite_migration::{
        Error::{MigrationDefinition, RusqliteError},
        MigrationDefinitionError::DatabaseTooFarAhead,
    };

    match error {
        MigrationDefinition(DatabaseTooFarAhead) => {
            "a newer version of this program has been at it".into()
        }
        RusqliteError { err, .. } => err.to_string(),
        error => error.to_string(),
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(DatabaseBusy) => busy(),
            _ => Self::internal(&error),
        }
    }
}

fn busy() -> ApiError {
    ApiError::unavailable("The database is busy. Try again in a moment.")
}
