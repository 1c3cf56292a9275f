//! The database: one SQLite file, or memory, and one transaction at a time.

use std::{
    fs::{File, TryLockError},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior::Immediate};
use rusqlite_migration::{M, Migrations};
use tokio::{
    sync::Mutex,
    task::{spawn, spawn_blocking},
    time::{Instant, timeout},
};
use tracing::{error, warn};

use crate::{config::Config, error::ApiError};

/// The migrations, in order. One that has been released is never edited: the database
/// keeps the number of those that it has, and runs those that are new.
pub const MIGRATIONS: &[M] = &[
    M::up(include_str!("../migrations/1_users.sql")),
    M::up(include_str!("../migrations/2_posts.sql")),
    M::up(include_str!("../migrations/3_owners.sql")),
    M::up(include_str!("../migrations/4_health.sql")),
    M::up(include_str!("../migrations/5_active.sql")),
    M::up(include_str!("../migrations/6_log.sql")),
    M::up(include_str!("../migrations/7_oldest_chats.sql")),
    M::up(include_str!("../migrations/8_filler.sql")),
];

/// How long we wait for another program that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for the connection.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// How often we look whether a change is possible, at most.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long that may take: whoever asks has other servers to ask.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the end of the program waits for the database.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// When it is worth to try again after such an error.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why nothing can be changed, in a sentence.
pub type Unwritable = &'static str;

/// When we looked whether a change is possible, and what the result was.
type WriteCheck = (Instant, Result<(), Unwritable>);

/// What tells one file from another: the device, and the number of the file on it.
type FileId = (u64, u64);

/// What each change makes greater by one. So it is the number of the last change, and that
/// is how the table `changes` has it.
pub type Version = i64;

/// The one connection. All clones share it.
#[derive(Clone)]
pub struct Database {
    /// Why tokio's mutex? Whoever waits for it takes no thread.
    connection: Arc<Mutex<Connection>>,
    last_check: Arc<Mutex<Option<WriteCheck>>>,
    /// How many chats the last commit of the log had, if it has failed, and 0 if not. Only
    /// whoever has the connection changes it.
    pub refused_chats: Arc<AtomicI64>,
    /// The file, and what it was when we opened it.
    file: Option<(PathBuf, FileId)>,
    /// Locked for as long as we have the database.
    _lock: Option<Arc<File>>,
}

impl Database {
    /// Opens the file of the configuration, or else a database in memory.
    ///
    /// The error is a sentence for the person who started the program.
    pub fn new(config: &Config) -> Result<Self, String> {
        let database = match &config.database {
            Some(path) => {
                let unusable = |reason| {
                    format!("CHAT_DATABASE={} cannot be used: {reason}.", path.display())
                };
                let lock = lock(path).map_err(unusable)?;
                let database = Self::open(path);
                let database = database.map_err(|error| unusable(explain(&error)))?;
                Ok(Self { _lock: Some(Arc::new(lock)), ..database })
            }
            None => {
                warn!("CHAT_DATABASE is not set: all data ends with this program");
                Self::in_memory().map_err(|error| format!("No database: {error}."))
            }
        }?;
        let limited = database.limit_size(config.max_database_size);
        limited.map_err(|error| format!("No database: {error}."))?;
        Ok(database)
    }

    /// Limits the size, in MiB. A change that needs more is answered with 503.
    fn limit_size(&self, mebibytes: NonZeroU32) -> rusqlite::Result<()> {
        self.at_the_start(|connection| {
            let page_size: i64 =
                connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::from(mebibytes.get()) * 1024 * 1024 / page_size;
            connection.pragma_update(None, "max_page_count", pages)
        })
    }

    /// Does `work` before anybody else can have the connection.
    pub fn at_the_start<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        work(&self.connection.try_lock().expect("nobody else has it yet"))
    }

    pub fn open(path: &Path) -> rusqlite_migration::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Who reads the file with another program does not stop us from writing.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Each commit waits for the disk, not for the kernel's cache alone: what is
        // acknowledged has to outlive a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        let file = file_id(path).map(|id| (path.to_owned(), id));
        Ok(Self { file, ..Self::migrated(connection)? })
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
            last_check: Arc::default(),
            refused_chats: Arc::default(),
            file: None,
            _lock: None,
        })
    }

    /// The connection, for tests that need nothing around it.
    #[cfg(test)]
    pub fn into_connection(self) -> Connection {
        let connection = Arc::into_inner(self.connection).expect("there is no clone");
        connection.into_inner()
    }

    /// What `query` returns, and the version at that moment.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(Version, T), ApiError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT number FROM changes";
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
            // What is not committed at the end of a transaction is undone.
            let transaction = connection.transaction_with_behavior(Immediate)?;
            let changed = change(&transaction)?;
            let sql = "UPDATE changes SET number = number + 1 RETURNING number";
            let version = transaction.query_row(sql, [], |row| row.get(0))?;
            transaction.commit()?;

            publish(version, &changed);
            Ok((version, changed))
        })
        .await
    }

    /// Looks whether a change is possible: a full disk, for example, can still be read.
    ///
    /// It makes one, at most once in `CHECK_INTERVAL`, however often it is called.
    pub async fn check_writable(&self) -> Result<(), Unwritable> {
        let mut last_check = self.last_check.clone().lock_owned().await;
        if let Some((time, result)) = *last_check
            && time.elapsed() < CHECK_INTERVAL
        {
            return result;
        }
        let database = self.clone();
        // Why a task? If whoever asks hangs up, the result is still kept for the next.
        let check = spawn(async move {
            let result = database.try_to_write().await;
            *last_check = Some((Instant::now(), result));
            result
        });
        check.await.expect("nobody aborts it, and it does not panic")
    }

    async fn try_to_write(&self) -> Result<(), Unwritable> {
        let (file, refused_chats) = (self.file.clone(), self.refused_chats.clone());
        let change = move |connection: &mut Connection| {
            // A file that was deleted can still be written to, but nobody will ever read it.
            if file.is_some_and(|(path, id)| file_id(&path) != Some(id)) {
                return Ok(Err(
                    "The file of the database is gone, or it is another one.",
                ));
            }
            connection.busy_timeout(CHECK_TIMEOUT)?;
            let changed = try_a_change(connection, refused_chats.load(Relaxed));
            connection.busy_timeout(BUSY_TIMEOUT)?;
            changed?;
            refused_chats.store(0, Relaxed);
            Ok(Ok(()))
        };
        match timeout(CHECK_TIMEOUT, self.run(change)).await {
            Ok(Ok(result)) => result,
            _ => Err("The database cannot be written to."),
        }
    }

    /// Waits for work that has begun, and brings all that is durable into the one file, so
    /// that a copy of it is whole.
    ///
    /// Nothing depends on it: what was committed is durable, whatever comes next.
    pub async fn close(&self) {
        let checkpoint = |connection: &mut Connection| {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            Ok(connection.query_row(sql, [], |_| Ok(()))?)
        };
        if !matches!(timeout(CLOSE_TIMEOUT, self.run(checkpoint)).await, Ok(Ok(()))) {
            warn!("the database is left to whoever opens it next");
        }
    }

    /// Does `work` with the connection, on a thread that may wait for a disk.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let lock = self.connection.clone().lock_owned();
        let mut connection = timeout(LOCK_TIMEOUT, lock).await.map_err(|_| busy())?;

        // The lock moves along: it ends with the work, not with the handler that asked.
        spawn_blocking(move || work(&mut connection))
            .await
            .unwrap_or_else(|panic| Err(ApiError::internal(&panic)))
    }
}

/// Makes a change that lasts and, before, one that needs as much room as the longest chat.
///
/// If the log could not commit some chats, it writes as much as they need first. Why not in the
/// same transaction? What is rolled back never reaches the disk.
fn try_a_change(connection: &mut Connection, refused_chats: i64) -> rusqlite::Result<()> {
    if refused_chats > 0 {
        let sql = "UPDATE health SET filler = randomblob(16384 * ?1)";
        connection.execute(sql, [refused_chats])?;
    }
    let mut transaction = connection.transaction_with_behavior(Immediate)?;
    transaction.execute("UPDATE health SET checks = checks + 1, filler = x''", [])?;
    let savepoint = transaction.savepoint()?;
    let sql = "INSERT INTO chats VALUES (NULL, '', 0, '', NULL, hex(zeroblob(8192)), '')";
    savepoint.execute(sql, [])?;
    savepoint.finish()?; // It is rolled back.
    transaction.commit()
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

/// Locks the database for this program, with a file beside it.
///
/// Why? A second server on the same file would deliver its chats to its own clients only.
/// SQLite could keep it out, too, but then nobody could look at the data while we run. The
/// system removes the lock when the program ends, however it ends.
fn lock(path: &Path) -> Result<File, String> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let file = File::create(name).map_err(|error| error.to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err("another server uses it".into()),
        Err(TryLockError::Error(error)) => Err(error.to_string()),
    }
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;

    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(_: &Path) -> Option<FileId> {
    None
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        use ErrorCode::{DatabaseBusy, DiskFull, ReadOnly, SystemIoFailure};

        // Each of these may be over soon: somebody makes room on the disk, for example.
        let what = match error.sqlite_error_code() {
            Some(DatabaseBusy) => return busy(),
            Some(DiskFull) => "The database has no room for this",
            Some(ReadOnly | SystemIoFailure) => "The database cannot be used",
            _ => return Self::internal(&error),
        };
        error!(%error, "the database cannot be used");
        Self::unavailable(what, RETRY_AFTER)
    }
}

fn busy() -> ApiError {
    ApiError::unavailable("The database is busy", RETRY_AFTER)
}
