-- The number of the last change. It grows by one with each, in the same transaction.
CREATE TABLE changes (version INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES (0);

-- AUTOINCREMENT: the id of somebody who is gone is never given to somebody else.
CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    email      TEXT NOT NULL UNIQUE COLLATE NOCASE,
    phone      TEXT,
    is_active  INTEGER NOT NULL DEFAULT TRUE,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;
