//! A wrong way: the event goes out first, and then comes the commit.

use rusqlite::{Connection, Result};

fn create(db: &mut Connection, publish: impl FnOnce(&str)) -> Result<()> {
    let transaction = db.transaction()?;
    transaction.execute("INSERT INTO users (name) VALUES ('Dora')", [])?;
    transaction.execute("INSERT INTO posts (user_id) VALUES (7)", [])?;
    publish("Dora was created");
    transaction.commit()
}

pub fn report() -> Result<String> {
    let mut db = Connection::open_in_memory()?;
    // SQLite checks a deferred constraint when it commits.
    db.execute_batch(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE posts (user_id INTEGER
             REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED);",
    )?;
    let mut report = String::new();
    let result = create(&mut db, |event| report += &format!("Ana receives: {event}\n"));
    if let Err(error) = result {
        report += &format!("COMMIT: {error}\n");
    }
    let users: i64 = db.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
    Ok(report + &format!("Users in the table: {users}\n"))
}
