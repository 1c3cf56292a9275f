//! The database: one SQLite file, or memory, and one piece of work at a time.

use std::{
    env,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, TransactionBehavior::Immediate};
use rusqlite_migration::{M, Migrations};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::refusal::Refusal;

/// What made the tables, step by step. A step that has been released is never edited:
/// the database remembers how many it has taken, and takes those that are new.
pub const STEPS: &[M] = &[
    M::up(include_str!("../migrations/1_users.sql")),
    M::up(include_str!("../migrations/2_posts.sql")),
];

/// How long we wait for another program that writes to the same file.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of a change. Each is greater than all before it.
pub type ChangeNumber = i64;

/// The one connection. This is only a handle: clone it freely.
#[derive(Clone)]
pub struct Database {
    connection: Arc<Mutex<Connection>>,
    /// Who is next. It keeps the others off the threads until it is their turn.
    turns: Arc<Semaphore>,
}

impl Database {
    /// Opens the file that `DATABASE` names, or else a database in memory.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn from_env() -> Result<Self, String> {
        match env::var_os("DATABASE") {
            Some(path) => Self::open(path.as_ref()).map_err(|error| {
                format!(
                    "DATABASE={} cannot be used: {}.",
                    path.display(),
                    explain(&error)
                )
            }),
            None => {
                println!("DATABASE is not set, so all data ends with this program.");
                Self::in_memory().map_err(|error| format!("No database: {error}."))
            }
        }
    }

    pub fn open(path: &Path) -> rusqlite_migration::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_FOR)?;
        // Who reads the file with another program does not stop us from writing.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        Self::new(connection)
    }

    pub fn in_memory() -> rusqlite_migration::Result<Self> {
        Self::new(Connection::open_in_memory()?)
    }

    fn new(mut connection: Connection) -> rusqlite_migration::Result<Self> {
        // SQLite does not look after REFERENCES unless it is told to.
        connection.pragma_update(None, "foreign_keys", true)?;
        Migrations::from_slice(STEPS).to_latest(&mut connection)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            turns: Arc::new(Semaphore::new(1)),
        })
    }

    /// What `look` finds, and the number of the last change at that moment.
    pub async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(ChangeNumber, T), Refusal> {
        self.in_turn(move |connection| {
            let transaction = connection.transaction()?;
            let number =
                transaction
                    .query_row("SELECT number FROM changes", [], |row| row.get(0))?;
            Ok((number, look(&transaction)?))
        })
        .await
    }

    /// Makes a change and, once it is safe, tells the world with `announce`.
    ///
    /// Both happen in one turn, so that changes are announced in the order in which they
    /// were made. And both happen off the async threads: if the client hangs up
    /// meanwhile, its handler is gone, but this goes on to the end.
    pub async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
        announce: impl FnOnce(ChangeNumber, &T) + Send + 'static,
    ) -> Result<(ChangeNumber, T), Refusal> {
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

            announce(number, &changed);
            Ok((number, changed))
        })
        .await
    }

    /// Does `work` on a thread that may wait for a disk, when its turn has come.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned())
            .await
            .map_err(|_| Refusal::busy())?
            .expect("nobody closes the semaphore");
        let connection = self.connection.clone();

        spawn_blocking(move || {
            let _turn = turn; // It ends with the work, not with the handler that asked.
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .unwrap_or_else(|panic| Err(Refusal::fault(&panic)))
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
