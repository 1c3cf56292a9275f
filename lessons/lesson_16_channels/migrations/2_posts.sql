CREATE TABLE posts (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users (id),
    title   TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT;

-- Whoever deletes a user makes SQLite look for the posts of this user.
CREATE INDEX posts_by_user ON posts (user_id);
