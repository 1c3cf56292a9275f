//! SQLite: one connection, off the async threads, and one order for all changes.

use std::{env, path::Path, sync::Arc, time::Duration};

use lesson_14_live_list::Version;
use rusqlite::{Connection, ErrorCode::CannotOpen, TransactionBehavior::Immediate};
use rusqlite_migration::{
    Error::{MigrationDefinition, RusqliteError},
    M as Migration,
    MigrationDefinitionError::DatabaseTooFarAhead,
    Migrations,
};
use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};
use tracing::warn;

use crate::error::ApiError;

/// The steps that lead to today's tables, in their order. One that has been released is
/// never edited: the database keeps the number of those that it has, and runs the others.
pub const MIGRATIONS: &[Migration] =
    &[Migration::up(include_str!("../migrations/1_users.sql"))];

/// What SQLite calls a database without a file. It is empty, and ends with the program.
pub const IN_MEMORY: &str = ":memory:";

/// How long we wait for another program that writes to the same file. Then it is 503.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for the connection. Then it is answered with 503. Both waits
/// together are shorter than the ten seconds after which our pages give up.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// The one connection. All clones share it.
#[derive(Clone)]
pub struct Database {
    /// Why tokio's mutex? Whoever waits for it takes no thread.
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Opens the file that `DATABASE` names, or else a database in memory.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env(migrations: &[Migration]) -> Result<Self, String> {
        let path = env::var_os("DATABASE").filter(|path| !path.is_empty());
        let path = path.unwrap_or_else(|| {
            warn!("DATABASE is not set: all data ends with this program");
            IN_MEMORY.into()
        });
        Self::open(&path, migrations).map_err(|reason| {
            format!("DATABASE={} cannot be used: {reason}.", path.display())
        })
    }

    /// Opens a file, or creates it. With [`IN_MEMORY`] there is none.
    pub fn open(
        path: impl AsRef<Path>,
        migrations: &[Migration],
    ) -> Result<Self, String> {
        let mut connection = Connection::open(path).map_err(explain)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(explain)?;
        let sql = "SELECT user_version = 0 AND EXISTS (SELECT 1 FROM sqlite_schema) \
                   FROM pragma_user_version";
        if connection.query_row(sql, [], |row| row.get(0)).map_err(explain)? {
            return Err("it belongs to another program".into());
        }
        Migrations::from_slice(migrations).to_latest(&mut connection).map_err(explain)?;
        // In WAL mode, another program that reads the file does not stop us from writing.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(explain)?;

        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// What `query` returns, and the version of the database at that moment.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(Version, T), ApiError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT version FROM changes";
            let version = transaction.query_row(sql, [], |row| row.get(0))?;
            Ok((version, query(&transaction)?))
        })
        .await
    }

    /// Makes a change and, once it is durable, publishes it.
    ///
    /// Both happen under one lock, so that changes are published in the order in which they
    /// were made. And both happen off the async threads: if the client hangs up
    /// meanwhile, its handler is dropped, but this goes on to the end.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
        publish: impl FnOnce(Version, &T) + Send + 'static,
    ) -> Result<(Version, T), ApiError> {
        self.run(move |connection| {
            // Why `Immediate`? Other programs that write have to wait from now on, so none
            // can make us fail in the middle. What is not committed at the end is undone.
            let transaction = connection.transaction_with_behavior(Immediate)?;
            let changed = change(&transaction)?;
            let sql = "UPDATE changes SET version = version + 1 RETURNING version";
            let version = transaction.query_row(sql, [], |row| row.get(0))?;
            transaction.commit()?;

            publish(version, &changed);
            Ok((version, changed))
        })
        .await
    }

    /// Does `work` with the connection, on a thread that may wait for a disk.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let lock = self.connection.clone().lock_owned();
        let mut connection = timeout(LOCK_TIMEOUT, lock)
            .await
            .map_err(|_| ApiError::unavailable("The database is busy."))?;

        // The lock moves along: it ends with the work, not with the handler that asked.
        spawn_blocking(move || work(&mut connection))
            .await
            .unwrap_or_else(|panic| Err(ApiError::internal(&panic)))
    }
}

/// Why a database cannot be used.
fn explain(error: impl Into<rusqlite_migration::Error>) -> String {
    match error.into() {
        MigrationDefinition(DatabaseTooFarAhead) => {
            "a newer version of this program has changed it".into()
        }
        RusqliteError { err, .. } if err.sqlite_error_code() == Some(CannotOpen) => {
            "it is no file that can be opened, or its folder does not exist".into()
        }
        RusqliteError { err, .. } => err.to_string(),
        error => error.to_string(),
    }
}
