-- No ON DELETE CASCADE: posts would vanish, and nobody would hear of it.
CREATE TABLE posts (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users (id),
    title   TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT;

CREATE INDEX posts_of_a_user ON posts (user_id);
